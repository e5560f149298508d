"""Density-based clusters (DBSCAN) of points in cells: core points, their components, the borders.

Two points are neighbours if the sum of their squared differences, added axis by axis, is at most
``eps * eps``, all in double precision; that is how scikit-learn decides.

References
----------
M. Ester, H.-P. Kriegel, J. Sander, X. Xu, "A density-based algorithm for discovering clusters",
KDD 1996. Cells in which all points are neighbours: A. Gunawan, "A faster algorithm for DBSCAN",
TU Eindhoven 2013.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mfxarray.kernels.clusters.cells import (
    Cells,
    around_cell,
    around_column,
    extents,
    make_cells,
    pointers,
)

__all__ = ["border_clusters", "cluster_cells", "components", "core_points"]

Array = np.ndarray[Any, Any]

# from so many pairs of points on, points far from the other cell are left out first
_MANY_PAIRS = 64


def cluster_cells(points: Array, eps: float, group: Array | None = None) -> Cells:
    """Return points in cells so narrow that all points of a cell are neighbours.

    Parameters
    ----------
    points
        Shape (point, axis), finite.
    eps
        Largest distance of neighbours.
    group
        As for `mfxarray.kernels.clusters.cells.make_cells`.
    """
    axes = int(np.count_nonzero(extents(points)))
    # the diagonal stays below eps by more than rounding can add
    side = eps / max(axes, 1) ** 0.5 * (1 - 1e-7)
    return make_cells(points, side, 2, group)


def core_points(cells: Cells, eps: float, min_samples: int, asked: Array) -> Array:
    """Return which of the asked points have ``min_samples`` neighbours, themselves included.

    Parameters
    ----------
    cells
        All points.
    eps, min_samples
        As for scikit-learn.
    asked
        Mask in the order of the cells; the others get False.

    Notes
    -----
    Counting stops when there are enough; points of a cell that holds enough are not looked at.
    """
    out = np.zeros(len(asked), np.bool_)
    _count(cells, eps * eps, min_samples, asked, out)
    return out


def components(core: Cells, eps: float) -> Array:
    """Return for each cell of core points the smallest number of a point connected to it.

    Core points are connected if they are neighbours; numbers are those before sorting.
    """
    firsts = core.order[core.firsts[:-1]]
    parent = np.arange(len(core.levels))
    # of two cells the later one looks at the earlier
    _join(core._replace(offsets=core.offsets[core.offsets <= 0]), eps * eps, parent)
    _roots(parent)
    smallest = np.full(len(parent), np.iinfo(np.int64).max)
    np.minimum.at(smallest, parent, firsts)
    return smallest[parent]


def border_clusters(
    others: Cells, core: Cells, component: Array, open_: Array, eps: float
) -> tuple[Array, Array, Array]:
    """Return the component of points that are no core points, -1 for noise.

    Parameters
    ----------
    others, core
        Points to place and core points, of one grid.
    component
        Result of `components` for ``core``.
    open_
        For each cell of ``core``, whether its component may yet get another number.
    eps
        Largest distance of neighbours.

    Returns
    -------
    component
        Smallest component with a neighbour, in the order of ``others``; -2 where it is still open
        because there are several and one of them is open.
    points, candidates
        All components of each of the latter, one pair each: place in ``others``, component.
    """
    return _place(others, core, component, open_, eps * eps)  # type: ignore[no-any-return]


@njit(nogil=True, cache=True, error_model="numpy")
def _count(cells, squared, enough, asked, out):  # type: ignore[no-untyped-def]
    walk, near, ends, starts, stops = pointers(cells)
    for column in range(len(cells.columns)):
        columns = around_column(cells.columns[column], cells, walk, near, ends)
        for cell in range(cells.column_firsts[column], cells.column_firsts[column + 1]):
            first, last = cells.firsts[cell], cells.firsts[cell + 1]
            if last - first >= enough:
                out[first:last] = asked[first:last]
                continue
            runs = around_cell(cells.levels[cell], cells, columns, near, ends, starts, stops)
            for point in range(first, last):
                if asked[point]:
                    out[point] = _enough(cells, point, starts, stops, runs, squared, enough)


@njit(nogil=True, cache=True, error_model="numpy")
def _enough(cells, point, starts, stops, runs, squared, enough):  # type: ignore[no-untyped-def]
    x, y, z = cells.x[point], cells.y[point], cells.z[point]
    found = 0
    for run in range(runs):
        for other in range(cells.firsts[starts[run]], cells.firsts[stops[run]]):
            dx, dy, dz = cells.x[other] - x, cells.y[other] - y, cells.z[other] - z
            # no branch, so that several are looked at at a time
            found += dx * dx + dy * dy + dz * dz <= squared
        if found >= enough:
            return True
    return False


@njit(nogil=True, cache=True, error_model="numpy")
def _join(core, squared, parent):  # type: ignore[no-untyped-def]
    walk, near, ends, starts, stops = pointers(core)
    for column in range(len(core.columns)):
        columns = around_column(core.columns[column], core, walk, near, ends)
        for cell in range(core.column_firsts[column], core.column_firsts[column + 1]):
            runs = around_cell(core.levels[cell], core, columns, near, ends, starts, stops)
            own = _root(parent, cell)
            for run in range(runs):
                for other in range(starts[run], min(stops[run], cell)):
                    root = _root(parent, other)
                    if root != own and _touch(core, cell, other, squared):
                        parent[max(own, root)] = min(own, root)
                        own = min(own, root)


@njit(nogil=True, cache=True, error_model="numpy")
def _root(parent, cell):  # type: ignore[no-untyped-def]
    while parent[cell] != cell:
        parent[cell] = parent[parent[cell]]
        cell = parent[cell]
    return cell


@njit(nogil=True, cache=True, error_model="numpy")
def _roots(parent):  # type: ignore[no-untyped-def]
    for cell in range(len(parent)):
        parent[cell] = _root(parent, cell)


@njit(nogil=True, cache=True, error_model="numpy")
def _touch(cells, one, other, squared):  # type: ignore[no-untyped-def]
    """Tell whether a point of one cell is a neighbour of a point of the other."""
    first, last = cells.firsts[other], cells.firsts[other + 1]
    begin, end = cells.firsts[one], cells.firsts[one + 1]
    if (end - begin) * (last - first) <= _MANY_PAIRS:
        for point in range(begin, end):  # noqa: SIM110, numba knows no generators
            if _near_cell(cells, point, cells, other, squared):
                return True
        return False
    box = _box(cells, first, last)
    for point in range(begin, end):
        x, y, z = cells.x[point], cells.y[point], cells.z[point]
        if _to_box(x, y, z, box) <= squared and _near_cell(cells, point, cells, other, squared):
            return True
    return False


@njit(nogil=True, cache=True, error_model="numpy")
def _box(cells, first, last):  # type: ignore[no-untyped-def]
    x, y, z = cells.x[first:last], cells.y[first:last], cells.z[first:last]
    return np.array([x.min(), x.max(), y.min(), y.max(), z.min(), z.max()])


@njit(nogil=True, cache=True, error_model="numpy")
def _to_box(x, y, z, box):  # type: ignore[no-untyped-def]
    """Return the squared distance to a box, never more than to a point in it."""
    dx = max(box[0] - x, x - box[1], 0.0)
    dy = max(box[2] - y, y - box[3], 0.0)
    dz = max(box[4] - z, z - box[5], 0.0)
    return dx * dx + dy * dy + dz * dz


@njit(nogil=True, cache=True, error_model="numpy")
def _place(others, core, component, open_, squared):  # type: ignore[no-untyped-def]
    out = np.full(len(others.order), -1, np.int64)
    points, candidates = np.empty(64, np.int64), np.empty(64, np.int64)
    filled = 0
    walk, near, ends, starts, stops = pointers(core)
    for column in range(len(others.columns)):
        columns = around_column(others.columns[column], core, walk, near, ends)
        for cell in range(others.column_firsts[column], others.column_firsts[column + 1]):
            runs = around_cell(others.levels[cell], core, columns, near, ends, starts, stops)
            for point in range(others.firsts[cell], others.firsts[cell + 1]):
                kept, some_open = filled, False
                for run in range(runs):
                    for other in range(starts[run], stops[run]):
                        number = component[other]
                        if not _is_new(candidates, kept, filled, number):
                            continue
                        if not _near_cell(others, point, core, other, squared):
                            continue
                        if filled == len(points):
                            points, candidates = _longer(points), _longer(candidates)
                        points[filled], candidates[filled] = point, number
                        filled += 1
                        some_open |= open_[other]
                if filled > kept:
                    out[point] = candidates[kept:filled].min()
                if some_open and filled > kept + 1:
                    out[point] = -2
                else:
                    filled = kept
    return out, points[:filled], candidates[:filled]


@njit(nogil=True, cache=True, error_model="numpy")
def _is_new(candidates, start, stop, number):  # type: ignore[no-untyped-def]
    for place in range(start, stop):  # noqa: SIM110, numba knows no generators
        if candidates[place] == number:
            return False
    return True


@njit(nogil=True, cache=True, error_model="numpy")
def _longer(values):  # type: ignore[no-untyped-def]
    out = np.empty(2 * len(values), values.dtype)
    out[: len(values)] = values
    return out


@njit(nogil=True, cache=True, error_model="numpy")
def _near_cell(others, point, core, cell, squared):  # type: ignore[no-untyped-def]
    x, y, z = others.x[point], others.y[point], others.z[point]
    for near in range(core.firsts[cell], core.firsts[cell + 1]):
        dx, dy, dz = core.x[near] - x, core.y[near] - y, core.z[near] - z
        if dx * dx + dy * dy + dz * dz <= squared:
            return True
    return False
