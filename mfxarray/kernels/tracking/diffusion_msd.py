"""Diffusion coefficients of tracks by a straight line through their mean squared displacements.

How many points of the curve are best depends on the localization error: with none of it the first
two tell all, later points only add scatter (Michalet 2010). The scatter of the points and how they
hang together is known exactly for a free particle (Qian 1991 without, Michalet 2010 with error), so
the number of points is that with the smallest error of D.

References
----------
Qian, Sheetz, Elson (1991), Biophys. J. 60, 910. Michalet (2010), Phys. Rev. E 82, 041914.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["MOST_POINTS", "line_weights", "msd_covariance", "msd_estimates"]

Array = np.ndarray[Any, Any]

MOST_POINTS = 16
_ROUNDS = 4


def msd_covariance(
    count: int, lags: int, diffusion: float, error: float, time: float, blur: float = 0.0
) -> Array:
    """Return the covariance of the mean squared displacements of a free track, along one axis.

    Parameters
    ----------
    count
        Points of the track, more than ``lags``; its times are regular.
    lags
        Number of lags.
    diffusion, error
        D and the variance of the localization error, m^2/s and m^2.
    time, blur
        Seconds between two points, and b of `mfxarray.kernels.tracking.diffusion`.

    Returns
    -------
    numpy.ndarray
        Shape (lags, lags), m^4. Of several axes, of which the displacements are summed, it is as
        many times that.
    """
    out = np.empty((lags, lags))
    _covariance(count, lags, diffusion * time, 2.0 * error - 4.0 * diffusion * blur, out)
    return out


def line_weights(times: Array, weights: Array) -> tuple[Array, Array]:
    """Return the weights of points in the slope and in the height of a weighted straight line."""
    total = weights.sum()
    middle = (weights * times).sum() / total
    slope = weights * (times - middle)
    slope = slope / (slope * times).sum()
    return slope, weights / total - middle * slope


def msd_estimates(
    sums: Array, points: Array, axes: Array, blur: Array, choice: int, weighted: bool
) -> Array:
    """Return D and s of each track by a line through the first points of its curve.

    Parameters
    ----------
    sums
        Result of `mfxarray.kernels.tracking.displacements.lag_sums`, shape (track, lag, 3).
    points, axes
        Points of each track and number of axes that count, shape (track,).
    blur
        Seconds b of each track.
    choice
        Number of points of the line; 0 for the best.
    weighted
        Weigh points by the inverse of the variance they have; else all alike.

    Returns
    -------
    numpy.ndarray
        D, its variance, s, its variance, number of points; shape (track, 5). NaN where there are
        fewer than two points.

    Notes
    -----
    Variances are those of a track with regular times and without cuts, for the D and s found. The
    best number is found in turns with these.
    """
    out = np.full((len(points), 5), np.nan)
    _estimates(
        np.ascontiguousarray(sums),
        np.ascontiguousarray(points, np.int64),
        np.ascontiguousarray(axes, np.int64),
        np.ascontiguousarray(blur, float),
        choice,
        weighted,
        out,
    )
    return out


@njit(nogil=True, cache=True, error_model="numpy")
def _rise(lag, slope, offset):  # type: ignore[no-untyped-def]
    """Return the mean squared displacement of one axis over so many steps."""
    return 0.0 if lag == 0 else 2.0 * slope * abs(lag) + offset


@njit(nogil=True, cache=True, error_model="numpy")
def _covariance(count, lags, slope, offset, out):  # type: ignore[no-untyped-def]
    # of a process with stationary steps the covariance of two displacements is a sum of four means
    for one in range(1, lags + 1):
        for two in range(one, lags + 1):
            pairs, others = count - one, count - two
            total = 0.0
            for shift in range(-two + 1, one):
                number = min(pairs, others - shift) - max(0, -shift)
                if number > 0:
                    shared = 0.5 * (
                        _rise(one - shift, slope, offset)
                        + _rise(shift + two, slope, offset)
                        - _rise(shift + two - one, slope, offset)
                        - _rise(shift, slope, offset)
                    )
                    total += number * shared * shared
            # those that only touch share a point
            for shift in (-two, one):
                number = min(pairs, others - shift) - max(0, -shift)
                if number > 0:
                    total += number * (0.5 * offset) ** 2
            out[one - 1, two - 1] = out[two - 1, one - 1] = 2.0 * total / (pairs * others)


@njit(nogil=True, cache=True, error_model="numpy")
def _line(times, weights, number, slope, height):  # type: ignore[no-untyped-def]
    total, middle = 0.0, 0.0
    for point in range(number):
        total += weights[point]
        middle += weights[point] * times[point]
    middle /= total
    spread = 0.0
    for point in range(number):
        spread += weights[point] * (times[point] - middle) ** 2
    for point in range(number):
        slope[point] = weights[point] * (times[point] - middle) / spread
        height[point] = weights[point] / total - middle * slope[point]


@njit(nogil=True, cache=True, error_model="numpy")
def _form(weights, covariance, number):  # type: ignore[no-untyped-def]
    total = 0.0
    for one in range(number):
        for two in range(number):
            total += weights[one] * weights[two] * covariance[one, two]
    return total


@njit(nogil=True, cache=True, error_model="numpy")
def _fit(times, msd, weights, covariance, low, high, slope, height, out):  # type: ignore[no-untyped-def]
    """Fill in slope, its variance, height, its variance and number, best of low to high points."""
    least = np.inf
    for number in range(low, high + 1):
        _line(times, weights, number, slope, height)
        spread = _form(slope, covariance, number)
        if spread < least:
            least = spread
            out[0] = out[2] = 0.0
            for point in range(number):
                out[0] += slope[point] * msd[point]
                out[2] += height[point] * msd[point]
            out[1], out[3] = spread, _form(height, covariance, number)
            out[4] = number


@njit(nogil=True, cache=True, error_model="numpy")
def _estimates(sums, points, axes, blurs, choice, weighted, out):  # type: ignore[no-untyped-def]
    most = sums.shape[1]
    times, msd, weights = np.empty(most), np.empty(most), np.ones(most)
    slope, height, found = np.empty(most), np.empty(most), np.empty(5)
    covariance = np.empty((most, most))
    for track in range(len(out)):
        lags = 0
        while lags < most and sums[track, lags, 0] > 0:
            pairs = sums[track, lags, 0]
            times[lags] = sums[track, lags, 1] / pairs
            msd[lags] = sums[track, lags, 2] / (pairs * axes[track])
            lags += 1
        if lags < max(2, choice) or not times[1] > times[0] or axes[track] == 0:
            continue
        low, high = (choice, choice) if choice else (2, 2)
        # as if there were no error, then with what was found
        rise, offset = 0.5 * msd[0], 0.0
        for _ in range(_ROUNDS):
            _covariance(max(points[track], lags + 1), lags, rise, offset, covariance)
            for point in range(lags):
                weights[point] = 1.0 / covariance[point, point] if weighted else 1.0
            _fit(times, msd, weights, covariance, low, high, slope, height, found)
            rise = max(0.5 * found[0] * times[0], 0.0)
            offset = max(found[2], -2.0 * rise / 3.0)
            if rise == 0.0:
                offset = max(offset, msd[0])
            high = high if choice else lags
        out[track, 0], out[track, 1] = 0.5 * found[0], 0.25 * found[1] / axes[track]
        out[track, 2] = 0.5 * found[2] + blurs[track] * found[0]
        out[track, 3], out[track, 4] = 0.25 * found[3] / axes[track], found[4]
