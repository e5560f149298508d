"""Traces as the points that a drift is found from: one point each, however long a trace is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from mfxarray.kernels.drift.points import Lattice, Windows, join_tables, make_table

__all__ = ["MOST_NEAR", "Traces", "near_counts", "trace_table"]

Array = np.ndarray[Any, Any]

# traces of a window at one place that count as one are told apart up to this number
MOST_NEAR = 64


@dataclass(frozen=True)
class Traces:
    """Means of traces.

    Attributes
    ----------
    position
        Metres, shape (trace, 3).
    time
        Mean times, seconds, shape (trace,).
    """

    position: Array
    time: Array

    def moved(self, shift: Array) -> Traces:
        """Return the traces with a shift subtracted from each, metres, shape (trace, 3)."""
        return Traces(self.position - shift, self.time)

    def within(self, limits: tuple[tuple[float, float], ...]) -> Traces:
        """Return those within lowest and highest positions along the first axes."""
        inside = np.ones(len(self.time), bool)
        for axis, (low, high) in enumerate(limits):
            inside &= (self.position[:, axis] >= low) & (self.position[:, axis] <= high)
        return Traces(self.position[inside], self.time[inside])


def near_counts(position: Array, number: Array, radius: float) -> Array:
    """Return how many traces of its own window are near each trace, itself included.

    Parameters
    ----------
    position
        Metres, shape (trace, axis).
    number
        Window of each trace; those of -1 count 1.
    radius
        Metres.
    """
    order = np.lexsort((position[:, 0], number))
    found = np.ones(len(number), np.int64)
    points = np.ascontiguousarray(position[order])
    found[order] = _near(points, number[order].astype(np.int64), float(radius), MOST_NEAR)
    return found


@numba.njit(nogil=True, cache=True)
def _near(points, number, radius, most):  # type: ignore[no-untyped-def]
    found = np.ones(len(points), np.int64)
    limit = radius * radius
    for i in range(len(points)):
        if number[i] < 0:
            continue
        for j in range(i + 1, len(points)):
            if number[j] != number[i] or points[j, 0] - points[i, 0] > radius:
                break
            if found[i] >= most and found[j] >= most:
                continue
            square = 0.0
            for axis in range(points.shape[1]):
                square += (points[j, axis] - points[i, axis]) ** 2
            if square <= limit:
                found[i] += 1
                found[j] += 1
    return found


def trace_table(traces: Traces, windows: Windows, lattice: Lattice, radius: float) -> Array:
    """Return the table of traces in which each place of a window counts as about one.

    Parameters
    ----------
    traces
        Means of traces.
    windows, lattice
        Time windows and pixels.
    radius
        Traces of a window that are no further apart share one weight, metres. So a site that was
        visited often, or a cluster, is one witness of a shift, not many.

    Returns
    -------
    numpy.ndarray
        See `drift_points.make_table`; a weight of 1 is counted as `MOST_NEAR`.
    """
    number = windows.number_of(traces.time)
    near = near_counts(traces.position[:, : lattice.dimensions], number, radius)
    weight = np.maximum(MOST_NEAR // near, 1)
    parts = []
    for value in np.unique(weight).tolist():
        own = np.where(weight == value, number, -1)
        part = make_table(traces.position, own, lattice)
        part[:, 1] *= value
        part[:, 2 + lattice.dimensions :] *= value
        parts.append(part)
    return join_tables(parts, lattice)
