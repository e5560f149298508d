"""Frames that are no use: the beam was off, a detector tripped, the current jumped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.frame_totals import frame_totals, judged
from mfxarray.chunked.shortcuts import remember_selection, select_detectors
from mfxarray.kernels.frame_totals import DEAD, FINE, HIGH, LOW
from mfxarray.mims.stack import DIMS, as_stack, dask_counts, detector_numbers
from mfxarray.provenance import record

__all__ = ["bad_frames", "drop_frames", "frame_quality"]

Array = np.ndarray[Any, Any]

_WORDS = {FINE: "", DEAD: "dead", LOW: "low", HIGH: "high"}


def frame_quality(
    counts: xr.DataArray,
    *,
    detectors: str | Sequence[str] | None = None,
    limit: float = 0.3,
    window: int = 11,
    false_positives: float = 1e-4,
) -> xr.Dataset:
    """Return total counts of every frame and detector, what was to be expected, and a verdict.

    Parameters
    ----------
    counts
        Ion counts (frame, detector, y, x).
    detectors
        Names of the detectors to look at; all that count ions if not given.
    limit
        A total is off if it differs from the running median of the totals by more than this
        fraction of it, and by more than its noise explains.
    window
        Odd number of frames of the running median. A run of bad frames as long as half of it
        passes for sound.
    false_positives
        Largest fraction of sound totals that noise alone may put off.

    Returns
    -------
    xarray.Dataset
        Dimensions (frame, detector): ``total`` (counts), ``expected`` (counts, NaN in stacks of
        fewer than three frames), ``deviation`` (relative), ``verdict`` (0 fine, 1 dead, 2 low,
        3 high). Dead is a detector without a count where there should be some, or a frame without
        any.

    Raises
    ------
    ValueError
        If a parameter makes no sense.

    Notes
    -----
    Lazy; reads the stack once.
    """
    if window < 3 or window % 2 == 0:
        raise ValueError(f"window must be odd and at least 3 frames, not {window}")
    if limit < 0 or not 0 < false_positives < 1:
        raise ValueError("limit must not be negative, false_positives must be between 0 and 1")
    numbers = detector_numbers(counts, detectors)
    totals = frame_totals(select_detectors(dask_counts(counts), numbers))
    settings: dict[str, Any] = {
        "window": window,
        "limit": limit,
        "false_positives": false_positives,
    }
    expected, verdict = judged(totals, **settings)
    dims = ("frame", "detector")
    text = "0 fine, 1 dead, 2 low, 3 high"
    variables = {
        "total": (dims, totals, {"units": "counts", "long_name": "total counts"}),
        "expected": (dims, expected, {"units": "counts", "long_name": "running median of totals"}),
        "deviation": (
            dims,
            (totals - expected) / expected,
            {"units": "1", "long_name": "relative deviation from the running median"},
        ),
        "verdict": (dims, verdict, {"long_name": "verdict", "meaning": text}),
    }
    names = [str(counts["detector"].values[number]) for number in numbers]
    attrs = record(counts.attrs, "frame_quality", {"detectors": names, **settings})
    coords = {"frame": counts["frame"].variable, "detector": names}
    return xr.Dataset(variables, coords, {"provenance": attrs["provenance"]})


def bad_frames(
    counts: xr.DataArray,
    *,
    detectors: str | Sequence[str] | None = None,
    num_detectors: int | None = None,
    limit: float = 0.3,
    window: int = 11,
    false_positives: float = 1e-4,
) -> xr.DataArray:
    """Return which frames are no use, (frame,), bool; the coordinate ``reason`` says why.

    Parameters
    ----------
    counts
        Ion counts (frame, detector, y, x).
    num_detectors
        Detectors that must be off to make a frame bad; more than half of those looked at if not
        given. With 1 a single tripped detector is enough. See `frame_quality` for which one it was.
    detectors, limit, window, false_positives
        See `frame_quality`.

    Returns
    -------
    xarray.DataArray
        ``reason`` is "dead", "low", "high", the one that most of the detectors show, or "".

    Raises
    ------
    ValueError
        If a parameter makes no sense.

    Notes
    -----
    Lazy; reads the stack once. A stack of one or two frames has bad frames only where nothing was
    counted.
    """
    quality = frame_quality(
        counts, detectors=detectors, limit=limit, window=window, false_positives=false_positives
    )
    looked_at = quality.sizes["detector"]
    needed = looked_at // 2 + 1 if num_detectors is None else num_detectors
    if not 1 <= needed <= looked_at:
        raise ValueError(f"num_detectors must be 1 to {looked_at} here, not {needed}")
    codes = quality["verdict"].data.map_blocks(
        _summary, needed=needed, drop_axis=1, dtype=np.int8, meta=np.empty(0, np.int8)
    )
    reason = codes.map_blocks(_words, dtype="<U4", meta=np.empty(0, "<U4"))
    coords = {"frame": quality["frame"].variable, "reason": ("frame", reason)}
    attrs = record(quality.attrs, "bad_frames", {"num_detectors": needed})
    attrs["long_name"] = "frame is no use"
    return xr.DataArray(codes != FINE, coords, ("frame",), "bad", attrs)


def drop_frames(
    counts: xr.DataArray | xr.Dataset,
    bad: xr.DataArray | Sequence[bool] | Array | None = None,
    **found_by: Any,
) -> xr.DataArray | xr.Dataset:
    """Return the stack without its bad frames; the others keep their frame numbers.

    Parameters
    ----------
    counts
        Ion counts (frame, detector, y, x), or a Dataset with the dimension ``frame``.
    bad
        Result of `bad_frames`, or one bool for every frame; `bad_frames` of the counts if not
        given.
    **found_by
        Parameters of `bad_frames`, where ``bad`` is not given.

    Raises
    ------
    ValueError
        If ``bad`` is not for these frames, or all frames are bad.

    Notes
    -----
    The number of frames must be known, so a lazy ``bad`` is computed: one pass over the stack. The
    result is lazy.
    """
    if bad is not None and found_by:
        raise ValueError(f"give either bad or {', '.join(found_by)}, not both")
    if bad is None:
        if not isinstance(counts, xr.DataArray):
            raise ValueError("bad frames are found in counts; give bad=bad_frames(counts)")
        bad = bad_frames(counts, **found_by)
    others = {"bad": bad.attrs} if isinstance(bad, xr.DataArray) else None
    keep = np.flatnonzero(~_flags(bad, counts))
    if keep.size == 0:
        raise ValueError("all frames are bad; look at frame_quality, or give a larger limit")
    dropped = np.delete(counts["frame"].values, keep).tolist()
    kept = counts.isel(frame=keep)
    if isinstance(kept, xr.DataArray) and isinstance(counts, xr.DataArray):
        _remember(kept, counts, keep)
    return kept.assign_attrs(
        record(counts.attrs, "drop_frames", {"dropped": dropped}, others=others)
    )


def _flags(bad: xr.DataArray | Sequence[bool] | Array, counts: xr.DataArray | xr.Dataset) -> Array:
    if isinstance(bad, xr.DataArray) and "frame" in bad.coords:
        same = np.array_equal(bad["frame"].values, counts["frame"].values)
        if not same:
            raise ValueError("bad is about other frames than the stack has; find bad frames again")
    flags = np.asarray(bad)
    if flags.dtype != bool or flags.shape != (counts.sizes["frame"],):
        raise ValueError(
            f"bad needs one bool for each of the {counts.sizes['frame']} frames, it has shape "
            f"{flags.shape} and dtype {flags.dtype}"
        )
    return flags


def _remember(kept: xr.DataArray, counts: xr.DataArray, keep: Array) -> None:
    """Note how to make some detectors of what was kept, without making all of it."""
    if counts.dims != DIMS or not isinstance(counts.data, da.Array):
        return
    whole = as_stack(counts).data if counts.dtype.kind in "ui" else counts.data
    remember_selection(kept.data, lambda numbers: select_detectors(whole, numbers)[keep])


def _summary(verdicts: Array, *, needed: int) -> Array:
    """Return the commonest verdict of the detectors that are off, FINE where they are too few."""
    numbers = np.stack([(verdicts == code).sum(axis=1) for code in (DEAD, LOW, HIGH)])
    commonest = np.array([DEAD, LOW, HIGH], np.int8)[numbers.argmax(axis=0)]
    return np.where(numbers.sum(axis=0) >= needed, commonest, np.int8(FINE))


def _words(codes: Array) -> Array:
    return np.array([_WORDS[int(code)] for code in codes], "<U4")
