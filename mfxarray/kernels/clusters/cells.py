"""Points sorted into a grid of cells, so that what is near a point lies in a few runs of points.

Cells that differ in their number along the last axis alone make a column. Only occupied cells and
columns are kept, so memory is linear in the points whatever the field is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from mfxarray.kernels.clusters.digit_sort import sorted_order

__all__ = [
    "Cells",
    "around_cell",
    "around_column",
    "extents",
    "make_cells",
    "number_groups",
    "pointers",
    "some",
]

Array = np.ndarray[Any, Any]

# rounding of a cell number stays far below the 1e-8 that callers leave at its edge
_MOST_CELLS = 2.0**23
_MOST_CODES = 2**62


class Cells(NamedTuple):
    """Points in the order of their cells, and the cells in the order of their columns.

    Attributes
    ----------
    order
        Number of each point before sorting, shape (point,); ascending within a cell.
    x, y, z
        Coordinates in this order; axes that are not there are 0.
    firsts
        First point of each cell and the number of points, shape (cell + 1,).
    levels
        Number of each cell in its column, ascending there, shape (cell,).
    column_firsts
        First cell of each column and the number of cells, shape (column + 1,).
    columns
        Code of each column, ascending, shape (column,).
    offsets
        What to add to the code of a column for the middle of each row of columns around it.
    reach
        How many cells away, along each axis, neighbours may lie.
    """

    order: Array
    x: Array
    y: Array
    z: Array
    firsts: Array
    levels: Array
    column_firsts: Array
    columns: Array
    offsets: Array
    reach: int


def make_cells(points: Array, side: float, reach: int, group: Array | None = None) -> Cells:
    """Return points sorted into cells.

    Parameters
    ----------
    points
        Shape (point, axis) with 1 to 3 axes, finite.
    side
        Width of a cell. Points of a cell differ by less than ``side * (1 + 1e-8)`` in each axis.
    reach
        Points that differ by less than ``reach * side * (1 - 1e-8)`` lie at most so many cells
        apart.
    group
        Shape (point,), from 0 as `number_groups` gives them; points of different groups are never
        near each other.

    Notes
    -----
    Cells far apart are numbered as if they were less far, so no field is too large for the codes.
    Costs a stable sort by digits.
    """
    spans = extents(points)
    # the longest axis is the last; one in which all are equal tells nothing
    axes = [axis for axis in np.argsort(spans, kind="stable").tolist() if spans[axis] > 0] or [0]
    numbers = [_along_axis(points[:, axis], side, reach) for axis in axes]
    levels = numbers.pop()
    codes, offsets = _codes(numbers or [np.zeros(len(points), np.int64)], group, reach)
    order = sorted_order(codes, sorted_order(levels))
    levels, codes = levels[order], codes[order]
    firsts = _starts((np.diff(codes) != 0) | (np.diff(levels) != 0), len(points))
    codes = codes[firsts[:-1]]
    column_firsts = _starts(np.diff(codes) != 0, len(codes))
    placed = points.take(order, axis=0)
    x, y, z = (
        placed[:, axis].copy() if axis < points.shape[1] else np.zeros(len(points))
        for axis in range(3)
    )
    columns = codes[column_firsts[:-1]]
    return Cells(
        order, x, y, z, firsts, levels[firsts[:-1]], column_firsts, columns, offsets, reach
    )


def extents(points: Array) -> Array:
    """Return the difference of largest and smallest coordinate, shape (axis,); 0 for no points."""
    # numpy is slow along the first of two axes
    return np.array([np.ptp(column) if len(column) else 0.0 for column in points.T])


def some(cells: Cells, chosen: Array) -> Cells:
    """Return the cells with some of their points, chosen by a mask in the order of the cells."""
    firsts = _before(chosen)[cells.firsts]
    left = np.diff(firsts) > 0
    column_firsts = _before(left)[cells.column_firsts]
    there = np.diff(column_firsts) > 0
    return Cells(
        cells.order[chosen],
        cells.x[chosen],
        cells.y[chosen],
        cells.z[chosen],
        np.append(firsts[:-1][left], firsts[-1]),
        cells.levels[left],
        np.append(column_firsts[:-1][there], column_firsts[-1]),
        cells.columns[there],
        cells.offsets,
        cells.reach,
    )


def number_groups(keys: Sequence[Array]) -> Array | None:
    """Return a number from 0 for each point, equal where all keys are equal; None without keys."""
    group: Array | None = None
    for key in keys:
        number = np.unique(key, return_inverse=True)[1].reshape(-1)
        if group is not None:
            both = group * (number.max(initial=0) + 1) + number
            number = np.unique(both, return_inverse=True)[1].reshape(-1)
        group = number
    return group


def _before(chosen: Array) -> Array:
    """Return how many are chosen before each place, and in all."""
    return np.concatenate([[0], np.cumsum(chosen)])


def _starts(changes: Array, length: int) -> Array:
    """Return where runs start, and the length."""
    inner = np.flatnonzero(changes) + 1
    return np.concatenate([[0], inner, [length]]) if length else np.zeros(1, np.int64)


def _along_axis(places: Array, side: float, reach: int) -> Array:
    """Return the number of the cell of each place along one axis."""
    if not len(places):
        return np.empty(0, np.int64)
    low, high = places.min(), places.max()
    if (high - low) / side < _MOST_CELLS:
        return ((places - low) / side).astype(np.int64)
    ordered = np.sort(places)
    # what lies so far apart is never near each other
    cuts = np.flatnonzero(np.diff(ordered) > (reach + 1) * side) + 1
    begins = ordered[np.append(0, cuts)]
    ends = ordered[np.append(cuts, len(ordered)) - 1]
    widths = ((ends - begins) / side).astype(np.int64) + 1 + reach
    piece = np.searchsorted(begins, places, side="right") - 1
    return (np.cumsum(widths) - widths)[piece] + ((places - begins[piece]) / side).astype(np.int64)


def _codes(numbers: list[Array], group: Array | None, reach: int) -> tuple[Array, Array]:
    """Return one code for the column of each point, and the offsets of the rows around it."""
    codes = np.zeros(len(numbers[0]), np.int64) if group is None else group.astype(np.int64)
    offsets = np.zeros(1, np.int64)
    for place, number in enumerate(numbers):
        # empty cells at the end, so that no neighbour wraps around
        size = int(number.max(initial=0)) + 1 + reach
        if (int(codes.max(initial=0)) + 1) * size > _MOST_CODES:
            codes = _close_up(codes, reach)
        codes = codes * size + number
        if place:
            # the nearest first
            offsets = np.array(sorted(range(-reach, reach + 1), key=abs)) * size
    return codes, offsets


def _close_up(codes: Array, reach: int) -> Array:
    """Return codes in the same order with gaps just wide enough to stay gaps."""
    known, place = np.unique(codes, return_inverse=True)
    gaps = np.minimum(np.diff(known), reach + 1)
    return np.concatenate([[0], np.cumsum(gaps)])[place.reshape(-1)]


@njit(nogil=True, cache=True, error_model="numpy")
def pointers(cells):  # type: ignore[no-untyped-def]
    """Return room for `around_column` and `around_cell`: walk, near, ends, starts, stops."""
    rows = len(cells.offsets)
    most = rows * (2 * cells.reach + 1)
    return (
        np.zeros(rows, np.int64),
        np.empty(most, np.int64),
        np.empty(most, np.int64),
        np.empty(most, np.int64),
        np.empty(most, np.int64),
    )


@njit(nogil=True, cache=True, error_model="numpy")
def around_column(code, cells, walk, near, ends):  # type: ignore[no-untyped-def]
    """Return how many columns lie around one; their first and last cells go to near and ends.

    Codes must come in ascending order: ``walk`` remembers how far they are.
    """
    found = 0
    for row in range(len(cells.offsets)):
        low = code + cells.offsets[row] - cells.reach
        column = walk[row]
        while column < len(cells.columns) and cells.columns[column] < low:
            column += 1
        walk[row] = column
        while column < len(cells.columns) and cells.columns[column] <= low + 2 * cells.reach:
            near[found] = cells.column_firsts[column]
            ends[found] = cells.column_firsts[column + 1]
            found += 1
            column += 1
    return found


@njit(nogil=True, cache=True, error_model="numpy")
def around_cell(level, cells, columns, near, ends, starts, stops):  # type: ignore[no-untyped-def]
    """Return how many runs of cells lie around one; they go from starts to before stops.

    Levels must come in ascending order for one column: ``near`` remembers how far they are.
    """
    found = 0
    for column in range(columns):
        start = near[column]
        while start < ends[column] and cells.levels[start] < level - cells.reach:
            start += 1
        near[column] = start
        stop = start
        while stop < ends[column] and cells.levels[stop] <= level + cells.reach:
            stop += 1
        if stop > start:
            starts[found], stops[found] = start, stop
            found += 1
    return found
