"""Masked pixels of ion images replaced."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.blocks import as_dask
from mfxarray.chunked.hotpixels import Replacement, replace_hot
from mfxarray.mims.stack import as_stack, dask_counts, detector_numbers
from mfxarray.provenance import record

__all__ = ["apply_mask", "check_kernel"]

_REPLACEMENTS = ("median", "missing", "draw")


def apply_mask(
    counts: xr.DataArray,
    mask: xr.DataArray,
    *,
    detectors: Sequence[str] | None = None,
    kernel_size: int = 3,
    replacement: int | str | None = None,
    seed: int = 0,
) -> xr.DataArray:
    """Return counts with the masked pixels replaced.

    Parameters
    ----------
    counts
        Ion counts (frame, detector, y, x).
    mask
        Pixels to replace (frame, y, x), bool.
    detectors
        Names of the detectors to clean; all that count ions if not given.
    kernel_size
        Odd size of the window whose median or mean replaces a pixel.
    replacement
        "median" of the window, also if None. "draw": a Poisson draw of the mean of the neighbours
        that are not masked, which keeps mean and noise of the surroundings; the median of a few
        dim counts lies below their mean. "missing": NaN; the result is float64, which further
        cleaning and alignment refuse. Or a count to put in.
    seed
        Of the draws. They depend on it, the frame's number, the detector's name, y and x only.

    Notes
    -----
    Lazy. Reads the stack once more after the mask is known, instead of holding it in memory.
    """
    kind = "median" if replacement is None else replacement
    if isinstance(kind, str) and kind not in _REPLACEMENTS:
        raise ValueError(f"replacement must be a count or one of {_REPLACEMENTS}, not {kind!r}")
    check_kernel(kernel_size)
    numbers = detector_numbers(counts, detectors)
    stack = as_stack(counts)
    data = dask_counts(counts)
    wanted = _dask_mask(mask, stack)
    if isinstance(kind, str):
        how = _replacement(stack, kind, kernel_size, seed)
        cleaned = replace_hot(data, wanted, numbers, how)
    else:
        chosen = np.zeros(data.shape[1], bool)
        chosen[numbers] = True
        put = data.dtype.type(kind)
        cleaned = da.where(wanted[:, None] & chosen[:, None, None], put, data)
    parameters = {
        "detectors": [str(counts["detector"].values[number]) for number in numbers],
        "kernel_size": kernel_size,
        "replacement": kind,
        **({"seed": seed} if kind == "draw" else {}),
    }
    attrs = record(counts.attrs, "apply_mask", parameters, others={"mask": mask.attrs})
    return stack.copy(data=cleaned).assign_attrs(attrs)


def check_kernel(kernel_size: int) -> None:
    """Raise ValueError unless a window has an odd number of pixels."""
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f"kernel_size must be odd and positive, not {kernel_size}")


def _replacement(stack: xr.DataArray, kind: str, kernel_size: int, seed: int) -> Replacement:
    if kind != "draw":
        return Replacement(kind, kernel_size)
    frames = stack["frame"].values
    if frames.dtype.kind not in "iu":
        frames = np.arange(frames.size)
    numbers = as_dask(frames.astype(np.int64))
    # a name, not a position: the draws stay the same when detectors are left out
    streams = tuple(zlib.crc32(str(name).encode()) for name in stack["detector"].values)
    return Replacement(kind, kernel_size, seed, streams, numbers)


def _dask_mask(mask: xr.DataArray, stack: xr.DataArray) -> da.Array:
    if set(mask.dims) != {"frame", "y", "x"}:
        raise ValueError(f"the mask needs the dimensions (frame, y, x), it has {mask.dims}")
    mask = mask.transpose("frame", "y", "x")
    wanted = (stack.sizes["frame"], stack.sizes["y"], stack.sizes["x"])
    if mask.shape != wanted:
        raise ValueError(f"the mask has shape {mask.shape}, the stack's images need {wanted}")
    return as_dask(mask.data)
