"""Cross-correlations of time windows at small lags, as sums over pairs of close points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from mfxarray.kernels.drift.points import STEPS, Lattice

__all__ = ["Search", "count_lags"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Search:
    """Which pairs of points count.

    Attributes
    ----------
    reach
        Largest lag along each axis, pixels.
    windows
        Number of time windows.
    distance
        Largest distance of two windows that are compared, in windows.
    """

    reach: int
    windows: int
    distance: int

    def pairs(self, first: int = 0, stop: int | None = None) -> Array:
        """Return the compared windows (a, b), a < b, a from ``first`` to ``stop``."""
        stop = self.windows if stop is None else stop
        found = [
            (a, b)
            for a in range(first, stop)
            for b in range(a + 1, min(self.windows, a + self.distance + 1))
        ]
        return np.array(found, np.int64).reshape(-1, 2)

    def strips(self, lattice: Lattice) -> int:
        """Return how many strips above and below a strip have points within reach."""
        return -(-(self.reach + 2) // lattice.strip)


def count_lags(
    table: Array,
    lattice: Lattice,
    search: Search,
    strips: tuple[int, int],
    first: int = 0,
    stop: int | None = None,
) -> Array:
    """Return how many pairs of localizations of two windows have which displacement.

    Parameters
    ----------
    table
        Points of the strips and of those around them, see `drift_points.make_table`.
    lattice
        Pixels.
    search
        Which pairs count.
    strips
        First strip, and one past the last, whose points are the first of a pair; those of other
        strips are only second ones. So the sum over strips counts every pair once.
    first, stop
        The first window of a pair lies in this range.

    Returns
    -------
    numpy.ndarray
        Shape (pair, z, y, x), z of size 1 in 2D, int64: pairs of localizations by displacement,
        -reach to +reach pixels, times 16 for every dimension, because a pair is shared linearly
        among the whole pixels around its displacement; so no displacement is rounded. Positive
        ones: the second window lies further on.

    Notes
    -----
    Memory does not depend on the field. Time is that of the pairs of points within reach.
    """
    pairs = search.pairs(first, stop)
    side = 2 * search.reach + 1
    depth = side if lattice.dimensions == 3 else 1
    lags = np.zeros((len(pairs), depth, side, side), np.int64)
    if not len(table) or not len(pairs):
        return lags
    fine, weight = _points(table, lattice)
    begins, low = _begins(table, lattice, search, strips)
    around = search.strips(lattice)
    rows, reach = (strips[0] - low, strips[1] - low, around), search.reach * STEPS
    if lattice.dimensions == 2:
        # room for all that neighbouring strips hold, so that no test is needed for each pair
        high = (around + 1) * lattice.strip * STEPS
        _count_2d(fine, weight, begins, pairs, rows, search.windows, reach, high, lags)
    else:
        _count_3d(fine, weight, begins, pairs, rows, search.windows, reach, lags)
    return lags


def _points(table: Array, lattice: Lattice) -> tuple[Array, Array]:
    """Return centroids on the fine lattice, shape (axis, point), and numbers of localizations."""
    d = lattice.dimensions
    count = table[:, 1]
    fine = np.empty((d, len(table)), np.int32)
    for axis in range(d):
        sums = table[:, 2 + d + axis]
        fine[axis] = table[:, 2 + axis] * STEPS + (2 * sums + count) // (2 * count)
    # a mean that rounds up to the next pixel would break the order along x
    np.minimum(fine, (table[:, 2 : 2 + d].T + 1) * STEPS - 1, out=fine)
    return fine, count.astype(np.int64)


def _begins(
    table: Array, lattice: Lattice, search: Search, strips: tuple[int, int]
) -> tuple[Array, int]:
    """Return where the points of every strip and window begin, and the number of strip 0 there."""
    around = search.strips(lattice)
    low, high = strips[0] - around, strips[1] + around
    own = table[:, 3] // lattice.strip - low
    key = own.astype(np.int64) * search.windows + table[:, 0]
    edges = np.arange((high - low) * search.windows + 1)
    begins = np.searchsorted(key, edges)
    # the end of the last window of a strip is the beginning of the next strip
    return begins.astype(np.int64), low


@numba.njit(nogil=True, cache=True)
def _count_2d(  # type: ignore[no-untyped-def]
    fine, weight, begins, pairs, rows, n, reach, high, lags
):
    x, y = fine[0], fine[1]
    width, side = 2 * reach, lags.shape[2]
    # a displacement up to a pixel beyond reach has a share within it, and the order along x is that
    # of pixels: two of 16 steps beyond either end are looked at
    # of each pixel of displacements the sums of 1, of the steps beyond it along x and y, and of
    # their product: four neighbours in memory, which the processor adds at once
    sums = np.zeros((2 * high // 16 + 1, width // 16 + 4, 4), np.int64)
    top = (high - reach) // 16
    for pair in range(len(pairs)):
        a, b = pairs[pair]
        sums[:] = 0
        for row in range(rows[0], rows[1]):
            p0, p1 = begins[row * n + a], begins[row * n + a + 1]
            if p0 == p1:
                continue
            for other in range(row - rows[2], row + rows[2] + 1):
                begin, end = begins[other * n + b], begins[other * n + b + 1]
                for p in range(p0, p1):
                    low, own, w = x[p] - reach - 32, y[p] - high, weight[p]
                    while begin < end and x[begin] | 15 < low + 16:
                        begin += 1
                    for q in range(begin, end):
                        dx, dy = x[q] - low, y[q] - own
                        if dx >= width + 64:
                            break
                        one = w * weight[q]
                        along_x, along_y = one * (dx & 15), one * (dy & 15)
                        both = along_x * (dy & 15)
                        place = sums[dy >> 4, dx >> 4]
                        place[0] += one
                        place[1] += along_x
                        place[2] += along_y
                        place[3] += both
        _share_2d(sums, top, 2, side, lags[pair, 0])


@numba.njit(nogil=True, cache=True)
def _share_2d(sums, top, left, side, lag):  # type: ignore[no-untyped-def]
    """Share pairs linearly among the pixels around their displacements, 256 a pair."""
    for i in range(side):
        for j in range(side):
            # the pixel itself, and the ones before it along x, y and both
            own = sums[top + i, left + j]
            before_x = sums[top + i, left + j - 1]
            before_y = sums[top + i - 1, left + j]
            before = sums[top + i - 1, left + j - 1]
            lag[i, j] += (
                256 * own[0]
                - 16 * (own[1] + own[2])
                + own[3]
                + (16 * before_x[1] - before_x[3])
                + (16 * before_y[2] - before_y[3])
                + before[3]
            )


@numba.njit(nogil=True, cache=True)
def _count_3d(  # type: ignore[no-untyped-def]
    fine, weight, begins, pairs, rows, n, reach, lags
):
    x, y, z = fine[0], fine[1], fine[2]
    # a displacement up to a pixel beyond reach has a share within it
    width, side = 2 * reach + 32, lags.shape[2]
    lag = np.zeros((side + 2, side + 2, side + 2), np.int64)
    for pair in range(len(pairs)):
        a, b = pairs[pair]
        lag[:] = 0
        for row in range(rows[0], rows[1]):
            p0, p1 = begins[row * n + a], begins[row * n + a + 1]
            if p0 == p1:
                continue
            for other in range(row - rows[2], row + rows[2] + 1):
                begin, end = begins[other * n + b], begins[other * n + b + 1]
                for p in range(p0, p1):
                    low = x[p] - reach - 16
                    while begin < end and x[begin] | 15 < low:
                        begin += 1
                    for q in range(begin, end):
                        dx = x[q] - low
                        if dx >= width + 16:
                            break
                        dy, dz = y[q] - y[p] + reach + 16, z[q] - z[p] + reach + 16
                        if 0 <= dx < width and 0 <= dy < width and 0 <= dz < width:
                            _share(lag, dx, dy, dz, weight[p] * weight[q])
        lags[pair] += lag[1 : 1 + side, 1 : 1 + side, 1 : 1 + side]


@numba.njit(nogil=True, cache=True, inline="always")
def _share(lag, dx, dy, dz, weight):  # type: ignore[no-untyped-def]
    """Share a pair among the eight lags around its displacement."""
    fx, fy, fz = dx & 15, dy & 15, dz & 15
    k, i, j = dz >> 4, dy >> 4, dx >> 4
    for part in range(2):
        plane = lag[k + part]
        share = weight * (fz if part else 16 - fz)
        plane[i, j] += share * ((16 - fy) * (16 - fx))
        plane[i, j + 1] += share * ((16 - fy) * fx)
        plane[i + 1, j] += share * (fy * (16 - fx))
        plane[i + 1, j + 1] += share * (fy * fx)
