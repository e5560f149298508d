"""Peaks of correlations of traces that are more than chance, and how probable chance makes them.

The null is that two windows have no structure in common: pairs of places then lie at any lag with
the density found some way off it.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from mfxarray.kernels.drift.points import STEPS
from mfxarray.kernels.drift.shifts import Peak, centroid_of, contrast_of, smooth_lags, taps_of
from mfxarray.kernels.drift.traces import MOST_NEAR

__all__ = ["chance_of", "find_peaks", "judge_shifts", "judging_reach", "width_of"]

Array = np.ndarray[Any, Any]

# the background of a lag is looked at between these distances from it, in widths of the smoothing
_INNER, _OUTER = 3.0, 8.0
# lags no nearer to each other than this share of the smoothed area tell different things
_OVERLAP = 0.25


def width_of(peak: Peak) -> float:
    """Return the standard deviation of the Gaussian that smooths lags, pixels."""
    taps = taps_of(peak)
    return float(np.sqrt(0.5 / -np.log(taps[len(taps) // 2 + 1])))


def find_peaks(lags: Array, peak: Peak) -> tuple[Array, Array]:
    """Return the shift that chance explains least, for every pair of windows.

    Parameters
    ----------
    lags
        Result of `drift_lags.count_lags` of a table of `drift_traces.trace_table`, with a reach of
        search plus `drift_shifts.margin_of`.
    peak
        How to smooth and how far to search.

    Returns
    -------
    shifts, told
        Pixels, shape (pair, 3) along x, y, z, NaN where there is nothing; and of shape (pair, 4):
        logarithm of the probability that chance makes such a peak at so small a lag, places that
        agree on the shift, those expected by chance, and contrast.
    """
    taps, sigma = taps_of(peak), width_of(peak)
    shifts, told = np.full((len(lags), 3), np.nan), np.zeros((len(lags), 4))
    for pair in range(len(lags)):
        smoothed = smooth_lags(lags[pair], taps) / _unit(lags)
        at = _best_lag(lags[pair], smoothed, _unit(lags), sigma)
        if at[0] < 0:
            continue
        middle = (np.array(smoothed.shape) - 1) // 2
        start = np.array(at, float) - middle
        centre = centroid_of(smoothed - smoothed.min(), start, peak.centroid, peak.iterations)
        if np.isfinite(centre).all():
            shifts[pair] = centre[::-1]
            contrast = contrast_of(smoothed, centre, peak.centroid)[0]
            place = tuple(
                (np.array(at) + (np.array(lags.shape[1:]) - smoothed.shape) // 2).tolist()
            )
            chance = _chance_at(lags[pair], smoothed[at], _unit(lags), sigma, place)
            told[pair] = (*chance, contrast)
    return shifts, told


def judge_shifts(lags: Array, peak: Peak, shifts: Array) -> Array:
    """Return what `find_peaks` tells of peaks, for shifts found otherwise, shape (pair, 3)."""
    taps, sigma = taps_of(peak), width_of(peak)
    told = np.zeros((len(lags), 3))
    size = np.array(lags.shape[1:])
    # in 2D there is no lag along z
    margin = np.where(size > 1, len(taps) // 2, 0)
    for pair in np.flatnonzero(np.isfinite(shifts).all(axis=1)).tolist():
        at = np.rint(shifts[pair, ::-1]).astype(int) + (size - 1) // 2
        at = np.clip(at, margin, size - 1 - margin)
        count = _smooth_value(lags[pair], taps, *at.tolist()) / _unit(lags)
        told[pair] = _chance_at(lags[pair], count, _unit(lags), sigma, tuple(at.tolist()))
    return told


def judging_reach(peak: Peak) -> int:
    """Return the reach of lags that suffices to judge a shift of 0, pixels."""
    return max(round(_OUTER * width_of(peak)), len(taps_of(peak)) // 2)


def _unit(lags: Array) -> float:
    return float(STEPS) ** (3 if lags.shape[1] > 1 else 2) * float(MOST_NEAR**2)


def _chance_at(
    lags: Array, count: float, unit: float, sigma: float, at: tuple[int, int, int]
) -> tuple[float, float, float]:
    """Return logarithm of chance, count and expected count at a place among lags."""
    inner, outer = round(_INNER * sigma), round(_OUTER * sigma)
    expected, tries = _expected(lags, unit, sigma, inner, outer, at)
    return min(float(chance_of(count, expected)) + float(np.log(tries)), 0.0), count, expected


def chance_of(found: Any, expected: Any) -> Array:
    """Return the logarithm of the probability of so many where so many are expected.

    The bound of Chernoff for a Poisson distribution, so never too small.
    """
    k, mu = np.maximum(found, 1e-300), np.maximum(expected, 1e-300)
    return np.asarray(np.where(k > mu, k - mu - k * np.log(k / mu), 0.0))


@numba.njit(nogil=True, cache=True)
def _best_lag(lags, smoothed, unit, sigma):  # type: ignore[no-untyped-def]
    """Return the lag whose count chance explains least, if all lags were equally likely."""
    nz, ny, nx = smoothed.shape
    deep = nz > 1
    area = (2.0 * np.pi * sigma * sigma) ** (1.5 if deep else 1.0)
    reach = int(np.ceil(2.0 * sigma))
    best, found = np.inf, (-1, 0, 0)
    for k in range(nz):
        everywhere = _everywhere(lags, unit, area, k + (lags.shape[0] - nz) // 2, reach)
        for i in range(ny):
            for j in range(nx):
                value = smoothed[k, i, j]
                if value < 0.5 or value <= everywhere:
                    continue
                square = (k - nz // 2) ** 2 + (i - ny // 2) ** 2 + (j - nx // 2) ** 2
                told = value - everywhere - value * np.log(value / everywhere)
                told += np.log(_tries(square, area, deep))
                if told < best:
                    best, found = told, (k, i, j)
    return found


@numba.njit(nogil=True, cache=True)
def _expected(lags, unit, sigma, inner, outer, at):  # type: ignore[no-untyped-def]
    """Return the expected count at a place among lags, and in how many lags it was searched."""
    nz, ny, nx = lags.shape
    k, i, j = at
    deep = nz > 1
    area = (2.0 * np.pi * sigma * sigma) ** (1.5 if deep else 1.0)
    # structures are thin along z, so the background is that of the same distance along z
    around, size = _sum_around(lags, k, i, j, outer, inner)
    within, own = _sum_around(lags, k, i, j, inner, inner)
    # one more than was seen: none seen is not none expected
    nearby = ((around - within) / unit + 1.0) / max(size - own, 1) * area
    level = lags[max(k - inner, 0) : min(k + inner + 1, nz)]
    everywhere = ((level.sum() - within) / unit + 1.0) / max(level.size - own, 1) * area
    square = (k - nz // 2) ** 2 + (i - ny // 2) ** 2 + (j - nx // 2) ** 2
    return max(nearby, everywhere), _tries(square, area, deep)


@numba.njit(nogil=True, cache=True)
def _smooth_value(values, taps, k, i, j):  # type: ignore[no-untyped-def]
    """Return what `smooth_lags` has at a place."""
    margin = len(taps) // 2
    depth = margin if values.shape[0] > 1 else 0
    found = 0.0
    for z in range(-depth, depth + 1):
        along_z = taps[z + margin] if depth else 1.0
        for y in range(-margin, margin + 1):
            for x in range(-margin, margin + 1):
                factor = along_z * taps[y + margin] * taps[x + margin]
                found += factor * values[k + z, i + y, j + x]
    return found


@numba.njit(nogil=True, cache=True)
def _tries(square, area, deep):  # type: ignore[no-untyped-def]
    """Return how many independent lags are no larger than one."""
    radius = np.sqrt(square)
    space = 4.0 / 3.0 * np.pi * radius**3 if deep else np.pi * square
    return 1.0 + space / (_OVERLAP * area)


@numba.njit(nogil=True, cache=True)
def _everywhere(lags, unit, area, k, reach):  # type: ignore[no-untyped-def]
    """Return the count expected at a distance along z from all lags at such distances."""
    part = lags[max(k - reach, 0) : min(k + reach + 1, lags.shape[0])]
    return (part.sum() / unit + 1.0) / part.size * area


@numba.njit(nogil=True, cache=True)
def _sum_around(values, k, i, j, half, deep):  # type: ignore[no-untyped-def]
    """Return sum and number of values in a box."""
    nz, ny, nx = values.shape
    part = values[
        max(k - deep, 0) : min(k + deep + 1, nz),
        max(i - half, 0) : min(i + half + 1, ny),
        max(j - half, 0) : min(j + half + 1, nx),
    ]
    return part.sum(), part.size
