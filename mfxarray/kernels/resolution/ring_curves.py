"""Curves over rings: the correlation, its smoothing, thresholds, where it falls below one."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

__all__ = ["THRESHOLDS", "correlation", "crossing", "mean_interval", "smoothed", "threshold_curve"]

Array = np.ndarray[Any, Any]

THRESHOLDS = ("half-bit", "one-bit", "three-sigma")


def correlation(sums: Array) -> Array:
    """Return the correlation, shape (..., ring), of sums (..., 3, ring); NaN where a half is 0."""
    scale = np.sqrt(sums[..., 1, :]) * np.sqrt(sums[..., 2, :])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(scale > 0, sums[..., 0, :] / scale, np.nan))


def smoothed(curve: Array, window: int, first: int) -> Array:
    """Return curves smoothed by straight lines fitted to a moving window (Savitzky-Golay).

    Parameters
    ----------
    curve
        Shape (..., ring).
    window
        Rings of the window, odd; 1 leaves the curve as it is. Within the curve this is the mean of
        the window; at both ends, the line through the outermost window.
    first
        First ring that takes part; those before it stay as they are.
    """
    rings = curve.shape[-1] - first
    window = min(window, rings - 1 + rings % 2)
    if window <= 1:
        return curve
    half = window // 2
    found = curve.copy()
    part = curve[..., first:]
    windows = np.lib.stride_tricks.sliding_window_view(part, window, axis=-1)
    found[..., first + half : curve.shape[-1] - half] = windows.mean(axis=-1)
    at = np.arange(window) - half
    for end, outer in ((windows[..., 0, :], at < 0), (windows[..., -1, :], at > 0)):
        slope = (end * at).sum(axis=-1) / (at**2).sum()
        line = end.mean(axis=-1)[..., None] + slope[..., None] * at[outer]
        if at[outer][0] < 0:
            found[..., first : first + half] = line
        else:
            found[..., curve.shape[-1] - half :] = line
    return found


def threshold_curve(threshold: float | str, coefficients: Array) -> Array:
    """Return the threshold of every ring, shape (ring,).

    Parameters
    ----------
    threshold
        A number, or one of `THRESHOLDS`: "half-bit" and "one-bit" of information in each
        coefficient of both halves together, or "three-sigma", three standard deviations of what
        pure noise gives.
    coefficients
        How many coefficients each ring has in the whole plane. Half of them are independent, which
        is the number in the curves of information; noise correlates by ``1 / sqrt(coefficients)``,
        because only the real part counts.

    References
    ----------
    M. van Heel and M. Schatz, "Fourier shell correlation threshold criteria", J. Struct. Biol. 151,
    250 (2005).
    """
    if not isinstance(threshold, str):
        return np.full(len(coefficients), float(threshold))
    known = np.maximum(np.asarray(coefficients, float), 1e-9)
    if threshold == "three-sigma":
        return np.asarray(np.minimum(3 / np.sqrt(known), 1.0))
    signal = 0.5 if threshold == "one-bit" else (np.sqrt(2) - 1) / 2
    noise = 1 / np.sqrt(known / 2)
    # both formulas of the paper are this one, for a signal-to-noise ratio of each half
    above = signal + 2 * np.sqrt(signal) * noise + noise
    return np.asarray(np.minimum(above / (1 + signal + 2 * np.sqrt(signal) * noise), 1.0))


def crossing(curve: Array, limit: Array, width: float, *, interpolate: bool) -> Array:
    """Return where curves first fall below a limit, as lengths, shape (...,).

    Parameters
    ----------
    curve
        Shape (..., ring).
    limit
        Shape (ring,).
    width
        Frequency from ring to ring, 1/m.
    interpolate
        Take the straight line between the last ring above and the first below; NaN if the curve is
        below already in ring 1, or nowhere. Otherwise the first ring below as it is, and the last
        ring of all if there is none.
    """
    above = curve - limit
    with np.errstate(invalid="ignore"):
        below = above < 0
    # nothing has the frequency 0 as its resolution
    below[..., 0] = False
    at = np.argmax(below, axis=-1)
    any_below = below.any(axis=-1)
    if not interpolate:
        at = np.where(any_below, at, curve.shape[-1] - 1)
        known = np.isfinite(curve).any(axis=-1)
        return np.asarray(np.where(known, 1 / (np.maximum(at, 1) * width), np.nan))
    before = np.maximum(at - 1, 0)
    high = np.take_along_axis(above, before[..., None], axis=-1)[..., 0]
    low = np.take_along_axis(above, at[..., None], axis=-1)[..., 0]
    usable = any_below & (at > 1) & np.isfinite(high)
    with np.errstate(invalid="ignore", divide="ignore"):
        place = before + high / (high - low)
        return np.asarray(np.where(usable, 1 / (place * width), np.nan))


def mean_interval(values: Array, confidence: float) -> Array:
    """Return mean, lower and upper end of its t interval, shape (..., 3), of values (..., n).

    The ends are NaN of fewer than two values, and all three if a value is NaN.
    """
    n = values.shape[-1]
    mean = values.mean(axis=-1)
    if n < 2:
        half = np.full_like(mean, np.nan)
    else:
        error = values.std(axis=-1, ddof=1) / np.sqrt(n)
        half = special.stdtrit(n - 1, (1 + confidence) / 2) * error
    return np.stack([mean, mean - half, mean + half], axis=-1)
