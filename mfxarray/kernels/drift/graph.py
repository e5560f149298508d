"""Which pairs of windows agree with each other, and the drift of the windows they agree on."""

from __future__ import annotations

from typing import Any

import numpy as np

from mfxarray.kernels.drift.solve import solve_windows

__all__ = ["agree", "groups_of", "solve_partly"]

Array = np.ndarray[Any, Any]


def groups_of(pairs: Array, n_windows: int) -> Array:
    """Return the number of the group each window is in, connected by pairs, shape (window,)."""
    group = np.arange(n_windows)
    while True:
        low = np.minimum(group[pairs[:, 0]], group[pairs[:, 1]])
        grown = group.copy()
        np.minimum.at(grown, pairs[:, 0], low)
        np.minimum.at(grown, pairs[:, 1], low)
        if (grown == group).all():
            return group
        group = grown


def solve_partly(pairs: Array, shifts: Array, weights: Array, n_windows: int) -> Array:
    """Return the drift of the windows of the largest group; the others get that of the nearest.

    Parameters
    ----------
    pairs, shifts, weights, n_windows
        As for `drift_solve.solve_windows`.
    """
    used = weights > 0
    group = groups_of(pairs[used], n_windows)
    largest = np.bincount(group).argmax()
    inside = group == largest
    found = np.zeros((n_windows, shifts.shape[1]))
    members = np.flatnonzero(inside)
    if len(members) > 1:
        own = used & inside[pairs[:, 0]] & inside[pairs[:, 1]]
        place = np.cumsum(inside) - 1
        part = solve_windows(place[pairs[own]], shifts[own], weights[own], len(members), 0.0)
        for axis in range(shifts.shape[1]):
            found[:, axis] = np.interp(np.arange(n_windows), members, part[:, axis])
    return np.asarray(found - found.mean(axis=0))


def agree(
    pairs: Array, shifts: Array, weights: Array, tolerance: Array, n_windows: int
) -> tuple[Array, Array]:
    """Return the drift of the windows, and the weights, 0 for pairs that contradict the others.

    The pair that is furthest off the solution of all, measured by its tolerance, is left out, again
    and again, until none is further off than its tolerance.

    Parameters
    ----------
    pairs, shifts, weights, n_windows
        As for `drift_solve.solve_windows`.
    tolerance
        Of each pair, as shifts, shape (pair,).
    """
    weights = weights.copy()
    while True:
        values = solve_partly(pairs, shifts, weights, n_windows)
        group = groups_of(pairs[weights > 0], n_windows)
        off = np.abs(shifts - (values[pairs[:, 1]] - values[pairs[:, 0]])).max(axis=1) / tolerance
        main = group[pairs[:, 0]] == np.bincount(group).argmax()
        off[~(main & (weights > 0))] = 0.0
        if not off.max(initial=0.0) > 1.0:
            return values, weights
        weights[off > max(1.0, 0.7 * off.max())] = 0.0
