"""Density-based clusters (DBSCAN) of the points of a trace: of few, each pair is looked at.

Two points are neighbours if the sum of their squared differences, added axis by axis, is at most
``eps * eps``, all in double precision; that is how scikit-learn decides.

References
----------
M. Ester, H.-P. Kriegel, J. Sander, X. Xu, "A density-based algorithm for discovering clusters",
KDD 1996.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mfxarray.kernels.clusters.cells import some
from mfxarray.kernels.clusters.dbscan import border_clusters, cluster_cells, components, core_points

__all__ = ["label_dense", "label_many"]

Array = np.ndarray[Any, Any]

# what is this much farther along one axis is no neighbour, whatever the squares are rounded to
_SURELY = 1.0 + 1e-9


def label_many(points: Array, eps: float, least: int) -> Array:
    """Return the same labels as `label_dense` of many points, which are sorted into cells first."""
    cells = cluster_cells(points, eps)
    core = core_points(cells, eps, least, np.ones(len(points), bool))
    members, labels = some(cells, core), np.full(len(points), -1, np.int64)
    component = components(members, eps)
    labels[members.order] = np.repeat(component, np.diff(members.firsts))
    if len(component) and not core.all():
        others = some(cells, ~core)
        closed = np.zeros(len(component), bool)
        labels[others.order] = border_clusters(others, members, component, closed, eps)[0]
    return labels


@njit(nogil=True, cache=True, error_model="numpy")
def label_dense(points, eps, least, labels):  # type: ignore[no-untyped-def]
    """Fill labels, shape (point,): the smallest number of a core point of the cluster, or -1.

    A point that is no core point belongs to the cluster of the smallest such number that has a
    neighbour of it. Points are compared along the first axis first, so this takes the square of
    how many lie within ``eps`` of each other along it.
    """
    n = len(points)
    order = np.argsort(points[:, 0], kind="mergesort")
    sorted_points = points[order]
    core = _cores(sorted_points, eps, least)
    parent = np.arange(n)
    # roots are the smallest numbers before sorting
    for place in range(n):
        if core[place]:
            stop = _reach(sorted_points, place, eps)
            for other in range(place + 1, stop):
                if core[other] and _near(sorted_points, place, other, eps):
                    _join(parent, order[place], order[other])
    labels[:] = -1
    for place in range(n):
        if core[place]:
            labels[order[place]] = _root(parent, order[place])
    _place_borders(sorted_points, order, core, eps, labels)


@njit(nogil=True, cache=True, error_model="numpy")
def _cores(points, eps, least):  # type: ignore[no-untyped-def]
    counts = np.ones(len(points), np.int64)
    for place in range(len(points)):
        for other in range(place + 1, _reach(points, place, eps)):
            if _near(points, place, other, eps):
                counts[place] += 1
                counts[other] += 1
    return counts >= least


@njit(nogil=True, cache=True, error_model="numpy")
def _place_borders(points, order, core, eps, labels):  # type: ignore[no-untyped-def]
    for place in range(len(points)):
        for other in range(place + 1, _reach(points, place, eps)):
            if core[place] != core[other] and _near(points, place, other, eps):
                border, inner = (other, place) if core[place] else (place, other)
                own, new = labels[order[border]], labels[order[inner]]
                if own < 0 or new < own:
                    labels[order[border]] = new


@njit(nogil=True, cache=True, error_model="numpy")
def _reach(points, place, eps):  # type: ignore[no-untyped-def]
    """Return the first of the sorted points that is too far along the first axis."""
    stop = place + 1
    while stop < len(points) and points[stop, 0] - points[place, 0] <= eps * _SURELY:
        stop += 1
    return stop


@njit(nogil=True, cache=True, error_model="numpy")
def _near(points, one, other, eps):  # type: ignore[no-untyped-def]
    total = 0.0
    for axis in range(points.shape[1]):
        step = points[other, axis] - points[one, axis]
        total += step * step
    return total <= eps * eps


@njit(nogil=True, cache=True, error_model="numpy")
def _join(parent, one, other):  # type: ignore[no-untyped-def]
    one, other = _root(parent, one), _root(parent, other)
    if one < other:
        parent[other] = one
    else:
        parent[one] = other


@njit(nogil=True, cache=True, error_model="numpy")
def _root(parent, point):  # type: ignore[no-untyped-def]
    while parent[point] != point:
        parent[point] = parent[parent[point]]
        point = parent[point]
    return point
