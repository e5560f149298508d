"""Traces of two windows at the same place, summed for every pair of windows and part of the field.

After a correction such pairs lie around displacement 0. Their sums give what is left of the drift,
at the times at which they were seen; the scatter between parts of the field how far to trust it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

__all__ = ["Matches", "sum_matches"]

Array = np.ndarray[Any, Any]

_PARTS = 64
_LEAST_PART = 150e-9
# further than this many standard deviations nothing counts
_CUT = 2.5


@dataclass(frozen=True)
class Matches:
    """Sums over pairs of traces, weighted by a Gaussian of their displacement.

    Attributes
    ----------
    weight, squares
        Sums of the weights and of their squares, shape (pair,).
    times
        Mean times of the earlier and the later traces, seconds, shape (pair, 2).
    stiffness
        How much the weighted displacement changes with a shift of the later window, shape
        (pair, axis).
    pulls
        Weighted displacements summed over each part of the field, metres, shape (part, pair, axis).
    spread
        Standard deviation of displacements along an axis, metres, shape (axis,).
    """

    weight: Array
    squares: Array
    times: Array
    stiffness: Array
    pulls: Array
    spread: Array


def sum_matches(
    position: Array, time: Array, number: Array, weight: Array, pairs: Array, width: float
) -> Matches:
    """Return the sums of matches.

    Parameters
    ----------
    position
        Metres, corrected, shape (trace, axis).
    time, number, weight
        Mean time, window (-1 for none) and weight of each trace.
    pairs
        Compared windows, shape (pair, 2).
    width
        Full width at half maximum of the Gaussian, metres.
    """
    sigma = width / np.sqrt(8.0 * np.log(2.0))
    reach = _CUT * sigma
    n_windows = int(pairs.max(initial=0)) + 1
    which = np.full((n_windows, n_windows), -1, np.int64)
    which[pairs[:, 0], pairs[:, 1]] = np.arange(len(pairs))
    row = np.floor(position[:, 1] / reach).astype(np.int64)
    order = np.lexsort((position[:, 0], row))
    order = order[(number[order] >= 0) & (number[order] < n_windows)]
    rows, begins = np.unique(row[order], return_index=True)
    part, n_parts = _parts(position[order])
    points = np.zeros((len(order), 3))
    points[:, : position.shape[1]] = position[order]
    sums = np.zeros((len(pairs), 10))
    pulls = np.zeros((n_parts, len(pairs), 3))
    bounds = np.append(begins, len(order))
    own = (points, time[order], number[order], weight[order], part)
    _sum(*own, rows, bounds, which, sigma, reach, sums, pulls)
    return _matches(sums, pulls, sigma, position.shape[1])


def _matches(sums: Array, pulls: Array, sigma: float, d: int) -> Matches:
    weight = sums[:, 0]
    safe = np.maximum(weight, 1e-300)
    moments = sums[:, 4:7]
    # a weight that falls with the displacement lets a shift pull less than all of it
    stiff = np.maximum(weight[:, None] - moments / sigma**2, 0.2 * weight[:, None])
    spread = np.sqrt(sums[:, 7:10].sum(axis=0) / max(sums[:, 1].sum(), 1e-300))
    return Matches(
        weight, sums[:, 1], sums[:, 2:4] / safe[:, None], stiff[:, :d], pulls[..., :d], spread[:d]
    )


def _parts(position: Array) -> tuple[Array, int]:
    """Return a number for the square of the field each trace is in, and how many there are."""
    if not len(position):
        return np.zeros(0, np.int64), 1
    size = np.ptp(position[:, :2], axis=0)
    edge = max(float(np.sqrt(size[0] * size[1] / _PARTS)), _LEAST_PART)
    cell = np.floor((position[:, :2] - position[:, :2].min(axis=0)) / edge).astype(np.int64)
    _, found = np.unique(cell[:, 0] * (cell[:, 1].max() + 1) + cell[:, 1], return_inverse=True)
    return found.reshape(-1), int(found.max()) + 1


@numba.njit(nogil=True, cache=True)
def _sum(  # type: ignore[no-untyped-def]
    points, time, number, weight, part, rows, bounds, which, sigma, reach, sums, pulls
):
    limit, factor = reach * reach, -0.5 / (sigma * sigma)
    for r in range(len(rows)):
        for other in range(r, min(r + 2, len(rows))):
            if other > r and rows[other] != rows[r] + 1:
                continue
            begin = bounds[other]
            for p in range(bounds[r], bounds[r + 1]):
                if other == r:
                    begin = p + 1
                else:
                    while begin < bounds[other + 1] and points[begin, 0] < points[p, 0] - reach:
                        begin += 1
                for q in range(begin, bounds[other + 1]):
                    dx = points[q, 0] - points[p, 0]
                    if dx > reach:
                        break
                    dy, dz = points[q, 1] - points[p, 1], points[q, 2] - points[p, 2]
                    square = dx * dx + dy * dy + dz * dz
                    if square > limit or number[p] == number[q]:
                        continue
                    first, second, sign = p, q, 1.0
                    if number[q] < number[p]:
                        first, second, sign = q, p, -1.0
                    pair = which[number[first], number[second]]
                    if pair < 0:
                        continue
                    w = weight[p] * weight[q] * np.exp(factor * square)
                    _add(sums[pair], w, dx, dy, dz, time[first], time[second])
                    pull = pulls[part[p], pair]
                    pull[0] += sign * w * dx
                    pull[1] += sign * w * dy
                    pull[2] += sign * w * dz


@numba.njit(nogil=True, cache=True, inline="always")
def _add(own, w, dx, dy, dz, earlier, later):  # type: ignore[no-untyped-def]
    own[0] += w
    own[1] += w * w
    own[2] += w * earlier
    own[3] += w * later
    own[4] += w * dx * dx
    own[5] += w * dy * dy
    own[6] += w * dz * dz
    own[7] += w * w * dx * dx
    own[8] += w * w * dy * dy
    own[9] += w * w * dz * dz
