"""Pixels whose detector was near its limit: too long dead, or at the largest number of the file."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.blocks import as_dask
from mfxarray.mims.per_detector import PerDetector, detector_values, dwell_seconds
from mfxarray.mims.stack import as_stack
from mfxarray.provenance import ATTRIBUTE, record, was_done

__all__ = ["saturation"]


def saturation(
    counts: xr.DataArray,
    *,
    limit: float = 0.1,
    dead_time: PerDetector = "header",
    dwell_time: PerDetector = "header",
) -> xr.Dataset:
    """Return which pixels are saturated, and the fraction of them for every detector.

    Parameters
    ----------
    counts
        Raw ion counts (frame, detector, y, x), not yet corrected.
    limit
        Largest tolerable ``rate * tau``, the fraction of the time in which the counter is dead. At
        0.1 the correction is 11 %, and a dead time wrong by a tenth makes an error of 1.1 %.
    dead_time
        Nanoseconds, as in `mfxarray.mims.corrections.correct_dead_time`.
    dwell_time
        Seconds in a pixel of one frame.

    Returns
    -------
    xarray.Dataset
        ``saturated`` (frame, detector, y, x), bool: over the limit, or at the largest number that
        the file's pixels hold (65535 for two bytes; detectors without ions too). ``fraction``
        (detector): mean of it.

    Raises
    ------
    ValueError
        If the limit is not between 0 and 1, or the counts are corrected ones or sums.

    Notes
    -----
    Lazy; one pass.
    """
    if not 0 < limit <= 1:
        raise ValueError(f"limit must be more than 0 and at most 1, not {limit}")
    stack = as_stack(counts)
    if was_done(counts.attrs, "accumulate"):
        raise ValueError("saturation shows in single frames, these counts are sums")
    nanoseconds = detector_values(stack, dead_time, "dead_time_ns", neutral=0.0)
    dwell = dwell_seconds(stack, dwell_time)
    most = _largest_number(stack)
    with np.errstate(divide="ignore"):
        # the first whole number of counts over the limit
        first = np.floor(limit * dwell / (nanoseconds * 1e-9)) + 1
    thresholds = np.minimum(first, most).astype(np.uint64)
    array = as_dask(stack.data)
    cut = da.from_array(thresholds[None, :, None, None], chunks=(1, array.chunks[1], 1, 1))
    flags = da.blockwise(np.greater_equal, "fdyx", array, "fdyx", cut, "fdyx", dtype=bool)
    parameters = {"limit": limit, "thresholds": thresholds.tolist()}
    made = record(counts.attrs, "saturation", parameters)[ATTRIBUTE]
    saturated = stack.copy(data=flags).drop_attrs(deep=False)
    pixels = max(array.shape[0] * array.shape[2] * array.shape[3], 1)
    fraction = saturated.sum(("frame", "y", "x"), dtype=np.int64) / pixels
    found = {
        "saturated": saturated.assign_attrs(long_name="detector saturated"),
        "fraction": fraction.assign_attrs(long_name="fraction of saturated pixels", units="1"),
    }
    return xr.Dataset(found, attrs={ATTRIBUTE: made})


def _largest_number(stack: xr.DataArray) -> int:
    stored: Any = stack.attrs.get("pixel_bytes")
    own = int(np.iinfo(stack.dtype).max)
    return min(own, 2 ** (8 * int(stored)) - 1) if stored in (1, 2, 4) else own
