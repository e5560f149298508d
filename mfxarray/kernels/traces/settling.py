"""Where traces have converged."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["first_settled"]

Array = np.ndarray[Any, Any]


def first_settled(xyz: Array, starts: Array, distance: float) -> Array:
    """Return for each run its first row whose mean distance to all its rows is small, shape (run,).

    Parameters
    ----------
    xyz
        Positions, shape (row, 3).
    starts
        First row of each run, shape (run,).
    distance
        What the mean distance must be below.

    Returns
    -------
    numpy.ndarray
        Counted from the start of the run; the length of the run where there is none.
    """
    bounds = np.append(starts, len(xyz)).astype(np.int64)
    out = np.empty(len(starts))
    _first_settled(np.ascontiguousarray(xyz, np.float64), bounds, distance, out)
    return out


@njit(nogil=True, cache=True, error_model="numpy")
def _first_settled(xyz, bounds, distance, out):  # type: ignore[no-untyped-def]
    for run in range(len(out)):
        first, last = bounds[run], bounds[run + 1]
        limit = distance * (last - first)
        out[run] = last - first
        for row in range(first, last):
            total = 0.0
            for other in range(first, last):
                dx, dy = xyz[other, 0] - xyz[row, 0], xyz[other, 1] - xyz[row, 1]
                dz = xyz[other, 2] - xyz[row, 2]
                total += np.sqrt(dx * dx + dy * dy + dz * dz)
                if total >= limit:
                    break
            if total < limit:
                out[run] = row - first
                break
