"""Drift of ion images: one translation a frame, found in one species and applied to all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.blocks import as_dask
from mfxarray.chunked.registration import (
    exposure,
    find_shifts,
    find_shifts_seed,
    shift_stack,
    shift_stack_seed,
)
from mfxarray.chunked.shortcuts import select_detectors
from mfxarray.mims.stack import as_stack, dask_counts, detector_numbers
from mfxarray.provenance import record, was_done
from mfxarray.schema import ION_IMAGES, by_name

__all__ = ["apply_translations", "infer_translations"]

_METHODS = ("correlation", "seed")


def infer_translations(
    counts: xr.DataArray,
    detector: str | Sequence[str] | None = None,
    *,
    method: str = "correlation",
    max_shift: int | None = None,
    padding: int = 8,
) -> xr.DataArray:
    """Return the translation of every frame, (frame, axis) with axis y, x, in whole pixels.

    ``aligned[y + dy, x + dx] = frame[y, x]`` brings a frame onto frame 0; with ``method="seed"``
    onto the median position of all frames.

    Parameters
    ----------
    counts
        Ion counts (frame, detector, y, x).
    detector
        Name of the species to align by; several are summed; all ions if not given.
    method
        "correlation" (ours): variance-stabilised, smoothed by 1 px, correlated over the true
        overlap against the mean of the frames before and then of all others. "seed": as
        openformat, with zero padding, wrap-around and the median subtracted.
    max_shift
        Largest translation looked for, pixels; a quarter of the shorter side if not given.
    padding
        Pixels of zeros, for "seed" only.

    Returns
    -------
    xarray.DataArray
        int64, with the coordinates ``score`` (standard deviations of what noise would give) and
        ``confident`` (bool) along ``frame`` for "correlation". A frame that is not confident takes
        the translation of the last confident frame, so noise alone moves nothing.

    Notes
    -----
    Lazy. Reads the stack twice ("seed": once). The first pass goes from frame to frame and keeps
    one image; the second is parallel.
    """
    if method not in _METHODS:
        raise ValueError(f"method must be one of {_METHODS}, not {method!r}")
    numbers = detector_numbers(counts, detector)
    planes = _planes(counts, numbers)
    if planes.shape[0] == 0:
        raise ValueError("the stack has no frames, so there is nothing to align")
    names = [str(counts["detector"].values[number]) for number in numbers]
    parameters: dict[str, Any] = {"detector": names, "method": method}
    coords: dict[str, Any] = {"frame": counts["frame"], "axis": ["y", "x"]}
    if method == "seed":
        shifts = find_shifts_seed(planes, padding)
        parameters["padding"] = padding
    else:
        size = min(planes.shape[1:])
        reach = size // 4 if max_shift is None else max_shift
        if not 1 <= reach < size:
            raise ValueError(f"max_shift must be 1 to {size - 1} pixels here, not {reach}")
        table = find_shifts(planes, reach)
        shifts = table[:, :2].astype(np.int64)
        coords["score"] = ("frame", table[:, 2], {"long_name": "score", "units": "1"})
        coords["confident"] = ("frame", table[:, 3].astype(bool), {"long_name": "confident"})
        parameters["max_shift"] = reach
    onto = "the median of all, as openformat" if method == "seed" else "frame 0"
    text = {"units": "pixel", "long_name": f"translation onto {onto}"}
    history = record(counts.attrs, "infer_translations", parameters)
    attrs = {**text, "method": method, "provenance": history["provenance"]}
    return xr.DataArray(shifts, coords, ("frame", "axis"), "translation", attrs)


def apply_translations(
    counts: xr.DataArray,
    translations: xr.DataArray,
    *,
    padding: int | None = None,
    method: str | None = None,
) -> xr.DataArray:
    """Return the stack with every frame moved by its translation.

    Parameters
    ----------
    counts
        Ion counts (frame, detector, y, x).
    translations
        Result of `infer_translations`, or integers (frame, axis) from elsewhere.
    padding
        Pixels added on every side of the images; 0 if not given, 8 for "seed". With a padding of at
        least the largest translation no count leaves the canvas.
    method
        "correlation": no wrap-around; pixels without data are 0, and the coordinate ``exposure``
        (y, x) says how many frames cover a pixel. "seed": rolled around the padded edges. That of
        the translations if not given.

    Returns
    -------
    xarray.DataArray
        Same dtype; every count that stays on the canvas is kept as it is.

    Raises
    ------
    ValueError
        If the stack was aligned before or the translations do not fit.

    Notes
    -----
    Lazy; reads the stack once more after the translations are known.
    """
    if was_done(counts.attrs, "apply_translations"):
        raise ValueError(
            "the stack was aligned before (see ds.mims.history); start from the cleaned one"
        )
    chosen = method or translations.attrs.get("method", "correlation")
    if chosen not in _METHODS:
        raise ValueError(f"method must be one of {_METHODS}, not {chosen!r}")
    border = padding if padding is not None else (8 if chosen == "seed" else 0)
    if border < 0:
        raise ValueError(f"padding must not be negative, it is {border}")
    stack, shifts = as_stack(counts), _dask_shifts(translations, counts)
    move = shift_stack_seed if chosen == "seed" else shift_stack
    moved = move(dask_counts(counts), shifts, border)
    coords = _grown_coords(stack, border)
    if chosen != "seed":
        known = by_name(ION_IMAGES)["exposure"]
        shape = (stack.sizes["y"], stack.sizes["x"])
        coords["exposure"] = (known.dims, exposure(shifts, shape, border), known.attrs())
    parameters = {"padding": border, "method": chosen}
    others = {"translations": translations.attrs}
    attrs = record(counts.attrs, "apply_translations", parameters, others=others)
    return xr.DataArray(moved, coords, stack.dims, counts.name, attrs)


def _planes(counts: xr.DataArray, numbers: list[int]) -> da.Array:
    chosen = select_detectors(dask_counts(counts), numbers)
    return chosen[:, 0] if len(numbers) == 1 else chosen.sum(axis=1, dtype=np.int64)


def _dask_shifts(translations: xr.DataArray, counts: xr.DataArray) -> da.Array:
    if set(translations.dims) != {"frame", "axis"} or translations.sizes["axis"] != 2:
        raise ValueError(
            f"translations need the dimensions (frame, axis=2), not {translations.sizes}"
        )
    if translations.dtype.kind not in "ui":
        raise ValueError(f"translations must be whole pixels, not {translations.dtype}; round them")
    if translations.sizes["frame"] != counts.sizes["frame"]:
        raise ValueError(
            f"{translations.sizes['frame']} translations for {counts.sizes['frame']} frames"
        )
    return as_dask(translations.transpose("frame", "axis").data)


def _grown_coords(stack: xr.DataArray, padding: int) -> dict[str, Any]:
    """Return the coordinates on a canvas that is larger by ``padding`` on every side."""
    coords: dict[str, Any] = {
        str(name): coord.variable
        for name, coord in stack.coords.items()
        if not {"y", "x"} & set(coord.dims)
    }
    for dim in ("y", "x"):
        if dim in stack.coords and stack.sizes[dim]:
            old = stack[dim].values
            step = old[1] - old[0] if len(old) > 1 else 1.0
            places = np.arange(-padding, len(old) + padding)
            coords[dim] = (dim, old[0] + places * step, stack[dim].attrs)
            if padding == 0:
                coords[dim] = stack[dim].variable
    return coords
