"""One shift a time window from those of pairs of windows, and the curve through them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline

__all__ = ["Curve", "solve_windows"]

Array = np.ndarray[Any, Any]


def solve_windows(
    pairs: Array, shifts: Array, weights: Array, n_windows: int, roughness: float
) -> Array:
    """Return one shift for every window along every axis, their mean 0, shape (window, axis).

    The exact minimum of the mean over pairs of ``weight * (x_b - x_a - shift)^2`` plus
    ``roughness`` times the sum of squared steps between neighbours.

    Parameters
    ----------
    pairs
        Windows (a, b), shape (pair, 2).
    shifts
        Shape (pair, axis), NaN where unknown; such pairs count in no sum.
    weights
        Shape (pair,), not negative.
    n_windows
        Number of windows.
    roughness
        Not divided by the number of windows; 0 for none.

    Raises
    ------
    ValueError
        If the pairs do not connect all windows.
    """
    known = np.isfinite(shifts).all(axis=1) & (weights > 0)
    ends, shifts, weights = pairs[known], shifts[known], weights[known]
    matrix = np.zeros((n_windows, n_windows))
    right = np.zeros((n_windows, shifts.shape[1]))
    share = weights / max(len(ends), 1)
    _add_differences(matrix, ends, share)
    np.add.at(right, ends[:, 1], share[:, None] * shifts)
    np.subtract.at(right, ends[:, 0], share[:, None] * shifts)
    apart = _unconnected(ends, n_windows)
    if len(apart):
        names = ", ".join(map(str, apart[:8]))
        raise ValueError(
            f"time windows {names} have no structure in common with window 0, so there is no drift "
            f"between them: give longer windows, or a longer reach (pixel, centroid)"
        )
    steps = np.arange(n_windows - 1)
    _add_differences(
        matrix, np.stack([steps, steps + 1], axis=1), np.full(n_windows - 1, roughness)
    )
    found = np.zeros((n_windows, shifts.shape[1]))
    found[1:] = np.linalg.solve(matrix[1:, 1:], right[1:])
    return np.asarray(found - found.mean(axis=0))


def _add_differences(matrix: Array, ends: Array, factors: Array) -> None:
    """Add the quadratic form of weighted squared differences."""
    a, b = ends.T
    np.add.at(matrix, (a, a), factors)
    np.add.at(matrix, (b, b), factors)
    np.subtract.at(matrix, (a, b), factors)
    np.subtract.at(matrix, (b, a), factors)


def _unconnected(ends: Array, n_windows: int) -> Array:
    reached = np.zeros(n_windows, bool)
    reached[0] = True
    while True:
        touched = reached[ends[:, 0]] | reached[ends[:, 1]]
        grown = reached.copy()
        grown[ends[touched].ravel()] = True
        if (grown == reached).all():
            return np.flatnonzero(~reached)
        reached = grown


class Curve:
    """A smooth curve through the shifts of windows, straight beyond the outermost.

    Parameters
    ----------
    times
        Seconds, rising, shape (window,).
    values
        Shape (window, axis).
    beyond
        Direction of the straight parts: "tangent" of the curve there, or the "chord" between the
        outermost windows, as the seed has it.
    """

    def __init__(self, times: Array, values: Array, beyond: str) -> None:
        self.times, self.beyond = np.asarray(times, float), beyond
        self._first, self._last = float(times[0]), float(times[-1])
        # a line through two, a parabola through three, otherwise not-a-knot
        self._spline = CubicSpline(times, values)
        self._told = (np.asarray(times, float), np.asarray(values, float), beyond)
        self._ends = np.asarray(values[[0, -1]], float)
        if beyond == "chord":
            slope = (self._ends[1] - self._ends[0]) / (self._last - self._first)
            self._slopes = np.stack([slope, slope])
        else:
            self._slopes = np.asarray(self._spline([self._first, self._last], 1))

    def token(self) -> tuple[bytes, bytes, str]:
        """Return what the curve is made of, to name results by."""
        times, values, beyond = self._told
        return times.tobytes(), values.tobytes(), beyond

    def __call__(self, tim: Array) -> Array:
        """Return the shifts at given times, shape (time, axis)."""
        tim = np.asarray(tim, float)
        found = np.asarray(self._spline(np.clip(tim, self._first, self._last)))
        for end, (edge, outside) in enumerate(
            [(self._first, tim < self._first), (self._last, tim > self._last)]
        ):
            found[outside] = self._ends[end] + self._slopes[end] * (tim[outside, None] - edge)
        return found
