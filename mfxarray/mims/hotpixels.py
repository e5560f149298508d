"""Hot pixels: found where several detectors stand out at once, replaced by the local median."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.blocks import as_dask
from mfxarray.chunked.hotpixels import hot_mask, replace_hot
from mfxarray.mims.stack import as_stack, dask_counts, detector_numbers
from mfxarray.provenance import record, was_done

__all__ = ["REMOVAL_DEFAULTS", "apply_mask", "infer_hot_pixels", "remove_hot_pixels"]

# by method: what remove_hot_pixels takes where nothing is given
REMOVAL_DEFAULTS = {
    "count": {"outlier_factor": 3.0, "min_count": 1.0},
    "seed": {"outlier_factor": 1.999, "min_count": 0.5},
}


def infer_hot_pixels(
    counts: xr.DataArray,
    *,
    detectors: Sequence[str] | None = None,
    num_outliers: int = 3,
    kernel_size: int = 3,
    outlier_factor: float = 3.0,
    min_count: float = 1.0,
    max_repeat_fraction: float = 0.1,
    num_nonzero: int | None = None,
    method: str = "count",
) -> xr.DataArray:
    """Return the mask of hot pixels, (frame, y, x), bool.

    A detector votes for a pixel where its count is at least ``outlier_factor`` times the local
    median, the median raised to ``min_count``. A pixel is hot where at least ``num_outliers``
    detectors vote in the same frame, ``num_nonzero`` have a count, and it does not do so in frame
    after frame, which would be structure of the sample.

    Parameters
    ----------
    counts
        Ion counts (frame, detector, y, x).
    detectors
        Names of the detectors that vote; all that count ions if not given.
    num_outliers
        Detectors that must vote.
    kernel_size
        Odd size of the median's window, pixels.
    outlier_factor, min_count
        See above.
    max_repeat_fraction
        Pixels hot in more than this fraction of the frames are kept.
    num_nonzero
        Detectors that must have a count. If None, "count" asks for no more than the votes, because
        a rare isotope that counts nothing is no proof against a hot pixel; "seed" asks for all.
    method
        "count" (ours): a pixel is structure if it is a candidate in more than
        ``max(1, max_repeat_fraction * frames)`` frames. "seed": as openformat, where a fraction
        equal to the limit is structure too, so that up to 1 / limit frames nothing is ever hot,
        and a ``num_nonzero`` of 0 means all.

    Raises
    ------
    ValueError
        If a parameter makes no sense for this stack.

    Notes
    -----
    Lazy; reads the stack once. Candidates wait for the count over all frames as one bit a pixel.
    """
    voters = detector_numbers(counts, detectors)
    nonzero = _num_nonzero(num_nonzero, num_outliers, len(voters), method)
    _check(num_outliers, kernel_size, len(voters), counts)
    data = dask_counts(counts)
    mask = hot_mask(
        data,
        voters,
        kernel_size=kernel_size,
        outlier_factor=float(outlier_factor),
        min_count=float(min_count),
        num_outliers=num_outliers,
        num_nonzero=nonzero,
        most_repeats=_most_repeats(max_repeat_fraction, data.shape[0], method),
    )
    parameters = {
        "detectors": [str(counts["detector"].values[number]) for number in voters],
        "num_outliers": num_outliers,
        "kernel_size": kernel_size,
        "outlier_factor": outlier_factor,
        "min_count": min_count,
        "max_repeat_fraction": max_repeat_fraction,
        "num_nonzero": num_nonzero,
        "method": method,
    }
    found = as_stack(counts).isel(detector=0, drop=True).copy(data=mask).rename("hot")
    text = {"long_name": "hot pixel", "kernel_size": kernel_size}
    return _dressed(found, counts, "infer_hot_pixels", parameters, text)


def apply_mask(
    counts: xr.DataArray,
    mask: xr.DataArray,
    *,
    detectors: Sequence[str] | None = None,
    kernel_size: int = 3,
    replacement: int | None = None,
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
        Odd size of the window of the local median that replaces a pixel.
    replacement
        A count to put in instead of the local median.

    Notes
    -----
    Lazy. Reads the stack once more after the mask is known, instead of holding it in memory.
    """
    numbers = detector_numbers(counts, detectors)
    stack = as_stack(counts)
    data = dask_counts(counts)
    wanted = _dask_mask(mask, stack)
    if replacement is None:
        cleaned = replace_hot(data, wanted, numbers, kernel_size)
    else:
        chosen = np.zeros(data.shape[1], bool)
        chosen[numbers] = True
        put = data.dtype.type(replacement)
        cleaned = da.where(wanted[:, None] & chosen[:, None, None], put, data)
    parameters = {
        "detectors": [str(counts["detector"].values[number]) for number in numbers],
        "kernel_size": kernel_size,
        "replacement": "median" if replacement is None else replacement,
    }
    attrs = record(counts.attrs, "apply_mask", parameters, others={"mask": mask.attrs})
    return stack.copy(data=cleaned).assign_attrs(attrs)


def remove_hot_pixels(
    counts: xr.DataArray,
    *,
    detectors: Sequence[str] | None = None,
    num_outliers: int = 3,
    kernel_size: int = 3,
    outlier_factor: float | None = None,
    min_count: float | None = None,
    max_repeat_fraction: float = 0.1,
    num_nonzero: int | None = None,
    method: str = "count",
) -> xr.DataArray:
    """Return counts with hot pixels replaced by their local median.

    The parameters are those of `infer_hot_pixels`. ``outlier_factor`` and ``min_count`` are 3 and 1
    if not given; with ``method="seed"`` they are 1.999 and 0.5 as in openformat, which replaces
    about 1 in 80 clean pixels at 3 counts a pixel.

    Raises
    ------
    ValueError
        If hot pixels were removed before, or a parameter makes no sense.

    Notes
    -----
    Lazy; the stack is read twice, once for the mask and once for the replacement.
    """
    if was_done(counts.attrs, "remove_hot_pixels"):
        raise ValueError(
            "hot pixels were removed before (see ds.mims.history); start from the file"
        )
    usual = REMOVAL_DEFAULTS.get(method, REMOVAL_DEFAULTS["count"])
    mask = infer_hot_pixels(
        counts,
        detectors=detectors,
        num_outliers=num_outliers,
        kernel_size=kernel_size,
        outlier_factor=usual["outlier_factor"] if outlier_factor is None else outlier_factor,
        min_count=usual["min_count"] if min_count is None else min_count,
        max_repeat_fraction=max_repeat_fraction,
        num_nonzero=num_nonzero,
        method=method,
    )
    cleaned = apply_mask(counts, mask, detectors=detectors, kernel_size=kernel_size)
    attrs = record(counts.attrs, "remove_hot_pixels", {}, others={"mask": mask.attrs})
    return cleaned.assign_attrs(attrs)


def _dressed(
    found: xr.DataArray,
    counts: xr.DataArray,
    step: str,
    parameters: dict[str, Any],
    text: dict[str, Any],
) -> xr.DataArray:
    found.attrs = {**record(counts.attrs, step, parameters), **text}
    return found.drop_attrs(deep=False).assign_attrs(
        {"provenance": found.attrs["provenance"], **text}
    )


def _dask_mask(mask: xr.DataArray, stack: xr.DataArray) -> da.Array:
    if set(mask.dims) != {"frame", "y", "x"}:
        raise ValueError(f"the mask needs the dimensions (frame, y, x), it has {mask.dims}")
    mask = mask.transpose("frame", "y", "x")
    wanted = (stack.sizes["frame"], stack.sizes["y"], stack.sizes["x"])
    if mask.shape != wanted:
        raise ValueError(f"the mask has shape {mask.shape}, the stack's images need {wanted}")
    return as_dask(mask.data)


def _num_nonzero(wanted: int | None, outliers: int, voters: int, method: str) -> int:
    if method not in ("count", "seed"):
        raise ValueError(f"method must be 'count' or 'seed', not {method!r}")
    if method == "seed":
        return wanted or voters
    return outliers if wanted is None else wanted


def _most_repeats(fraction: float, frames: int, method: str) -> float:
    if method == "count":
        return max(1.0, fraction * frames)
    # the seed keeps what repeats in a fraction >= the limit; counts are whole numbers
    return next((n - 1.0 for n in range(frames + 1) if n / max(frames, 1) >= fraction), math.inf)


def _check(num_outliers: int, kernel_size: int, voters: int, counts: xr.DataArray) -> None:
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f"kernel_size must be odd and positive, not {kernel_size}")
    if not 1 <= num_outliers <= voters:
        names = ", ".join(map(str, counts["detector"].values))
        raise ValueError(
            f"num_outliers={num_outliers} needs that many voting detectors, there are {voters} "
            f"of {names}; give a smaller num_outliers"
        )
