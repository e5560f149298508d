"""Sums over frames: of all, of chosen ones, or of blocks of neighbours."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from mfxarray.chunked.blocks import as_dask
from mfxarray.chunked.sums import sum_runs
from mfxarray.mims.counted import each, split
from mfxarray.provenance import record

__all__ = ["Frames", "accumulate", "frame_positions"]

Frames = str | slice | Iterable[int] | None

_RANGE = re.compile(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?")


def accumulate(
    data: xr.DataArray | xr.Dataset, frames: Frames = None, *, blocks: int | None = None
) -> xr.DataArray | xr.Dataset:
    """Return the sum over frames; with ``blocks=k`` one sum for every k frames.

    Parameters
    ----------
    data
        Anything counted along ``frame``: ion counts, corrected counts with their variance, tables
        of regions.
    frames
        All if None. Numbers of the coordinate ``frame`` (the first frame of a file is 0), as a list
        or as a text with ranges that include both ends, "0-9,14". A slice counts positions, as
        Python does.
    blocks
        Frames in a block; the last block takes what is left.

    Returns
    -------
    xarray.DataArray or xarray.Dataset
        Like ``data``: int64 and exact for integers, float64 for corrected counts. The coordinate
        ``n_frames`` says how many frames are in a sum. With blocks, ``frame`` is the number of a
        block's first frame.

    Raises
    ------
    ValueError
        If there is no frame, a frame is unknown or named twice, or ``blocks`` is not positive.

    Warns
    -----
    UserWarning
        If only some frames of an aligned stack are summed: the coordinate ``exposure`` counts all
        frames, so it is left out. Choose the frames before `apply_translations` to keep it.

    Notes
    -----
    Lazy; one pass, and one image of sums in memory. Frames are added in their order, so chunks
    change no bit. Variances add up like the counts.
    """
    counts, _ = split(data)
    if "frame" not in counts.dims:
        raise ValueError(f"there is no dimension 'frame' to sum over, only {counts.dims}")
    positions = frame_positions(counts, frames)
    if blocks is not None and blocks < 1:
        raise ValueError(f"blocks must be 1 frame or more, not {blocks}")
    everything = np.array_equal(positions, np.arange(counts.sizes["frame"]))
    if "exposure" in counts.coords and (blocks is not None or not everything):
        warnings.warn(
            "the exposure of only some frames is not known, so it is left out; choose frames "
            "before apply_translations to keep it",
            UserWarning,
            stacklevel=2,
        )
        data = data.drop_vars("exposure")
    numbers = _numbers(counts)[positions].tolist()
    parameters = {"frames": None if everything else numbers, "blocks": blocks}

    def total(values: xr.DataArray) -> xr.DataArray:
        chosen = values if everything else values.isel(frame=positions)
        return _sums(chosen, blocks, parameters)

    return each(data, total)


def frame_positions(counts: xr.DataArray, frames: Frames) -> np.ndarray[Any, Any]:
    """Return the positions of chosen frames along ``frame``, ascending; see `accumulate`."""
    size = counts.sizes["frame"]
    if frames is None or isinstance(frames, slice):
        found = np.sort(np.arange(size)[frames if isinstance(frames, slice) else slice(None)])
    else:
        wanted = _ranges(frames) if isinstance(frames, str) else [int(f) for f in frames]
        if len(set(wanted)) != len(wanted):
            raise ValueError("a frame is named twice, it would be counted twice")
        place = {int(number): index for index, number in enumerate(_numbers(counts))}
        unknown = [number for number in wanted if number not in place]
        if unknown:
            raise ValueError(
                f"no frame {unknown[0]}; frames go from {min(place, default=0)} to "
                f"{max(place, default=0)}, {size} in all"
            )
        found = np.sort(np.array([place[number] for number in wanted], np.int64))
    if not len(found):
        raise ValueError("no frame is chosen, so there is nothing to sum")
    return found


def _sums(counts: xr.DataArray, blocks: int | None, parameters: dict[str, Any]) -> xr.DataArray:
    stack = counts.transpose("frame", ...)
    size = stack.sizes["frame"]
    starts = [0] if blocks is None else list(range(0, size, blocks))
    sums = sum_runs(as_dask(stack.data), starts)
    in_run = np.diff([*starts, size])
    told = {"long_name": "frames in the sum", "units": "1"}
    attrs = record(counts.attrs, "accumulate", parameters)
    if blocks is None:
        first = stack.isel(frame=0, drop=True)
        coords = first.coords.assign(n_frames=((), int(in_run[0]), told))
        return xr.DataArray(sums[0], coords, first.dims, counts.name, attrs)
    heads = stack.isel(frame=starts)
    coords = heads.coords.assign(n_frames=("frame", in_run, told))
    return xr.DataArray(sums, coords, heads.dims, counts.name, attrs)


def _numbers(counts: xr.DataArray) -> np.ndarray[Any, Any]:
    """Return the numbers of the frames: their coordinate, or their positions without one."""
    return counts["frame"].values if "frame" in counts.coords else np.arange(counts.sizes["frame"])


def _ranges(text: str) -> list[int]:
    """Return the numbers that a text like "0-9,14" names."""
    found: list[int] = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part)
        first, last = (match[1], match[2] or match[1]) if match else ("0", "-1")
        low, high = int(first), int(last)
        if low > high or high - low > 10**7:
            raise ValueError(f"cannot read {part!r} in frames={text!r}; write ranges like '0-9,14'")
        found.extend(range(low, high + 1))
    return found
