"""Centrelines of filaments: a moving straight line through points along their longest axis."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from scipy.ndimage import gaussian_filter1d

__all__ = ["centreline", "half_width", "principal_frame"]

Array = np.ndarray[Any, Any]

# a Gaussian is cut off at so many standard deviations
_CUT = 4.0


def principal_frame(points: Array) -> tuple[Array, Array, Array]:
    """Return origin, axes and coordinates of points along and across their longest axis.

    Parameters
    ----------
    points
        Shape (point, 2).

    Returns
    -------
    origin, axes, places
        Shapes (2,), (2, 2) and (point, 2); ``places = (points - origin) @ axes.T``. The first
        axis points to the right, or up if it is upright.
    """
    origin = points[0] + (points - points[0]).mean(axis=0)
    apart = points - origin
    scale = np.abs(apart).max(initial=0.0) or 1.0
    values, vectors = np.linalg.eigh((apart / scale).T @ (apart / scale))
    along = vectors[:, np.argmax(values)]
    if (along[0], along[1]) < (0.0, 0.0):
        along = -along
    axes = np.array([along, [-along[1], along[0]]])
    return origin, axes, apart @ axes.T


def centreline(places: Array, window: float) -> tuple[Array, Array, Array]:
    """Return height and slope of a moving line at each point, and what the point adds to it.

    Parameters
    ----------
    places
        Along and across, shape (point, 2), rising along the first.
    window
        Standard deviation of the Gaussian weights, in the unit of the places; infinite for one
        straight line.

    Returns
    -------
    height, slope, leverage
        Shape (point,) each. The line at a point follows it by ``leverage``, from 0 to 1: the
        distance to it has ``1 - leverage`` times the variance of points around the true line, for
        a straight line just so.
    """
    found = np.empty((3, len(places)))
    _line(np.ascontiguousarray(places, float), float(window), found)
    return found[0], found[1], found[2]


@njit(nogil=True, cache=True, error_model="numpy")
def _line(places, window, found):  # type: ignore[no-untyped-def]
    n, first, last = len(places), 0, 0
    for row in range(n):
        at = places[row, 0]
        while places[first, 0] < at - _CUT * window:
            first += 1
        while last < n and places[last, 0] <= at + _CUT * window:
            last += 1
        total, along, across, squares, product = 0.0, 0.0, 0.0, 0.0, 0.0
        other_squares = 0.0
        for other in range(first, last):
            step = places[other, 0] - at
            weight = np.exp(-0.5 * (step / window) ** 2)
            total += weight
            along += weight * step
            across += weight * places[other, 1]
            squares += weight * step * step
            product += weight * step * places[other, 1]
        spread = total * squares - along * along
        if spread > 1e-12 * total * squares:
            found[1, row] = (total * product - along * across) / spread
            found[0, row] = (squares * across - along * product) / spread
            leverage = squares / spread
            # variance of the line is that of the sum of its weights squared
            for other in range(first, last):
                step = places[other, 0] - at
                weight = np.exp(-0.5 * (step / window) ** 2)
                other_squares += (weight * (squares - along * step) / spread) ** 2
        else:
            found[1, row] = 0.0
            found[0, row] = across / total
            leverage = 1.0 / total
            for other in range(first, last):
                step = places[other, 0] - at
                other_squares += (np.exp(-0.5 * (step / window) ** 2) / total) ** 2
        found[2, row] = 2.0 * leverage - other_squares


def half_width(counts: Array, step: float, smoothing: float = 0.0) -> float:
    """Return the full width at half of the highest value, between its outermost crossings.

    Parameters
    ----------
    counts
        Profile, shape (bin,).
    step
        Width of a bin.
    smoothing
        Standard deviation of a Gaussian that smooths the profile, in the unit of ``step``. Noise
        makes the highest bin too high and the width too small. What it adds to the width of a
        Gaussian is taken off again.

    Notes
    -----
    Crossings are found by straight lines between middles of bins; beyond the ends a profile is 0.
    NaN without counts.
    """
    smooth = np.asarray(counts, float)
    if smoothing:
        smooth = gaussian_filter1d(smooth, smoothing / step, mode="constant")
    profile = np.concatenate([[0.0], smooth, [0.0]])
    half = profile.max() / 2
    if not half > 0:
        return float("nan")
    above = np.flatnonzero(profile >= half)
    low, high = above[0], above[-1]
    left = low - (profile[low] - half) / (profile[low] - profile[low - 1])
    right = high + (profile[high] - half) / (profile[high] - profile[high + 1])
    added = 8 * np.log(2) * smoothing**2
    return float(np.sqrt(max(((right - left) * step) ** 2 - added, 0.0)))
