"""Neighbours of points: how many lie within a radius, and the nearest few.

The nearest are found in balanced trees, one a group, that halve points along their longest side.
Unlike a grid they stay quick where density varies by orders of magnitude.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from mfxarray.kernels.clusters.cells import around_cell, around_column, pointers
from mfxarray.kernels.clusters.dbscan import cluster_cells
from mfxarray.kernels.clusters.digit_sort import sorted_order

__all__ = ["Forest", "count_within", "make_forest", "search_nearest"]

Array = np.ndarray[Any, Any]

# points that are looked at one by one
_LEAF = 12
_DEPTH = 128


class Forest(NamedTuple):
    """Balanced trees of points, one a group; a range of points is halved at its middle.

    Attributes
    ----------
    points
        Shape (point, 3), in the order of the trees; axes that are not there are 0.
    rows
        Number of each point, shape (point,).
    axis, split
        For each middle along which axis its range is halved, and at which coordinate.
    least
        For each middle the smallest row of its range.
    starts
        First point of each group and the number of points, shape (group + 1,).
    """

    points: Array
    rows: Array
    axis: Array
    split: Array
    least: Array
    starts: Array


def count_within(
    points: Array, radius: float, asked: Array | None = None, group: Array | None = None
) -> Array:
    """Return how many other points lie at most ``radius`` away, shape (point,), int64.

    Parameters
    ----------
    points
        Shape (point, axis), finite.
    radius
        Largest distance; compared as in `mfxarray.kernels.clusters.dbscan`.
    asked
        Which points need the count, shape (point,), bool, all by default; the others get 0.
    group
        Shape (point,), from 0; only points of the own group are counted.

    Notes
    -----
    Costs the number of pairs, several at a time; no list of neighbours is made.
    """
    cells = cluster_cells(points, radius, group)
    wanted = np.ones(len(points), np.bool_) if asked is None else asked[cells.order]
    counts, out = np.zeros(len(points), np.int64), np.zeros(len(points), np.int64)
    _count(cells, radius * radius, wanted, counts)
    out[cells.order] = counts
    return out


@njit(nogil=True, cache=True, error_model="numpy")
def _count(cells, squared, asked, out):  # type: ignore[no-untyped-def]
    walk, near, ends, starts, stops = pointers(cells)
    for column in range(len(cells.columns)):
        columns = around_column(cells.columns[column], cells, walk, near, ends)
        for cell in range(cells.column_firsts[column], cells.column_firsts[column + 1]):
            runs = around_cell(cells.levels[cell], cells, columns, near, ends, starts, stops)
            for point in range(cells.firsts[cell], cells.firsts[cell + 1]):
                if asked[point]:
                    out[point] = _within(cells, point, starts, stops, runs, squared) - 1


@njit(nogil=True, cache=True, error_model="numpy")
def _within(cells, point, starts, stops, runs, squared):  # type: ignore[no-untyped-def]
    x, y, z = cells.x[point], cells.y[point], cells.z[point]
    found = 0
    for run in range(runs):
        for other in range(cells.firsts[starts[run]], cells.firsts[stops[run]]):
            dx, dy, dz = cells.x[other] - x, cells.y[other] - y, cells.z[other] - z
            found += dx * dx + dy * dy + dz * dz <= squared
    return found


def make_forest(points: Array, rows: Array, group: Array, groups: int) -> Forest:
    """Return points in trees.

    Parameters
    ----------
    points
        Shape (point, axis), finite.
    rows
        Number of each point, shape (point,); of equally near ones the smallest is found.
    group
        Shape (point,), from 0 to below ``groups``.
    """
    order = sorted_order(group)
    placed = np.zeros((len(points), 3))
    placed[:, : points.shape[1]] = points[order]
    starts = np.searchsorted(group[order], np.arange(groups + 1))
    kept = rows[order]
    axis, split = np.zeros(len(points), np.int8), np.zeros(len(points))
    least = np.zeros(len(points), np.int64)
    _grow(placed, kept, starts, axis, split, least)
    return Forest(placed, kept, axis, split, least, starts)


def search_nearest(
    forest: Forest, points: Array, rows: Array, group: Array, squared: Array, found: Array
) -> None:
    """Put the nearest points of a forest among those that were found before.

    Parameters
    ----------
    forest
        Where to search.
    points, rows, group
        Whose neighbours to search, shape (point, axis) and (point,) twice; a point of the forest
        with the same row is the point itself, and not its neighbour.
    squared, found
        Squared distances and rows of the nearest so far, ascending by both, shape (point, k);
        changed in place. Infinite and the largest integer where there are none.

    Notes
    -----
    Quickest if points that follow each other are near each other.
    """
    placed = np.zeros((len(points), 3))
    placed[:, : points.shape[1]] = points
    _search(forest, placed, rows, group, squared, found)


@njit(nogil=True, cache=True, error_model="numpy")
def _grow(points, rows, starts, axis, split, least):  # type: ignore[no-untyped-def]
    stack = np.empty((_DEPTH, 2), np.int64)
    for group in range(len(starts) - 1):
        stack[0, 0], stack[0, 1] = starts[group], starts[group + 1]
        height = 1
        while height:
            height -= 1
            first, last = stack[height, 0], stack[height, 1]
            if last <= first:
                continue
            middle = (first + last) // 2
            least[middle] = rows[first:last].min()
            if last - first > _LEAF:
                axis[middle] = _longest(points, first, last)
                _halve(points, rows, first, last, middle, axis[middle])
                split[middle] = points[middle, axis[middle]]
                stack[height, 0], stack[height, 1] = first, middle
                stack[height + 1, 0], stack[height + 1, 1] = middle, last
                height += 2


@njit(nogil=True, cache=True, error_model="numpy")
def _longest(points, first, last):  # type: ignore[no-untyped-def]
    best, longest = 0, -1.0
    for axis in range(3):
        low = high = points[first, axis]
        for point in range(first + 1, last):
            low, high = min(low, points[point, axis]), max(high, points[point, axis])
        if high - low > longest:
            best, longest = axis, high - low
    return best


@njit(nogil=True, cache=True, error_model="numpy")
def _halve(points, rows, first, last, middle, axis):  # type: ignore[no-untyped-def]
    """Order points so that none before the middle is larger along an axis, and none after smaller.

    Hoare's selection, with the median of three as the pivot.
    """
    low, high = first, last - 1
    while low < high:
        a, b, c = points[low, axis], points[(low + high) // 2, axis], points[high, axis]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = low, high
        while i <= j:
            while points[i, axis] < pivot:
                i += 1
            while points[j, axis] > pivot:
                j -= 1
            if i <= j:
                for k in range(3):
                    points[i, k], points[j, k] = points[j, k], points[i, k]
                rows[i], rows[j] = rows[j], rows[i]
                i += 1
                j -= 1
        if middle <= j:
            high = j
        elif middle >= i:
            low = i
        else:
            return


@njit(nogil=True, cache=True, error_model="numpy")
def _search(forest, points, rows, group, squared, found):  # type: ignore[no-untyped-def]
    ranges, bounds = np.empty((_DEPTH, 2), np.int64), np.empty(_DEPTH)
    worst = squared.shape[1] - 1
    for point in range(len(points)):
        own = (points[point, 0], points[point, 1], points[point, 2])
        best, names = squared[point], found[point]
        ranges[0, 0] = forest.starts[group[point]]
        ranges[0, 1] = forest.starts[group[point] + 1]
        bounds[0] = 0.0
        height = 1
        while height:
            height -= 1
            first, last, bound = ranges[height, 0], ranges[height, 1], bounds[height]
            if last <= first or bound > best[worst]:
                continue
            middle = (first + last) // 2
            if bound == best[worst] and forest.least[middle] >= names[worst]:
                continue
            if last - first <= _LEAF:
                for other in range(first, last):
                    _try(forest, other, own, rows[point], best, names)
                continue
            above = own[forest.axis[middle]] - forest.split[middle]
            far = max(bound, above * above)
            # the nearer half lies on top, of equally near ones that with the smaller row
            left = above < 0
            if above == 0:
                children = (first + middle) // 2, (middle + last) // 2
                left = forest.least[children[0]] < forest.least[children[1]]
            if left:
                ranges[height, 0], ranges[height, 1] = middle, last
                ranges[height + 1, 0], ranges[height + 1, 1] = first, middle
            else:
                ranges[height, 0], ranges[height, 1] = first, middle
                ranges[height + 1, 0], ranges[height + 1, 1] = middle, last
            bounds[height], bounds[height + 1] = far, bound
            height += 2


@njit(nogil=True, cache=True, error_model="numpy")
def _try(forest, other, own, row, best, names):  # type: ignore[no-untyped-def]
    name = forest.rows[other]
    dx, dy = forest.points[other, 0] - own[0], forest.points[other, 1] - own[1]
    dz = forest.points[other, 2] - own[2]
    squared = dx * dx + dy * dy + dz * dz
    place = len(best) - 1
    if name == row or squared > best[place] or (squared == best[place] and name >= names[place]):
        return
    while place and (best[place - 1], names[place - 1]) > (squared, name):
        best[place], names[place] = best[place - 1], names[place - 1]
        place -= 1
    best[place], names[place] = squared, name
