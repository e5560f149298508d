"""DBSCAN out of core: exact clusters from strips, joined over their edges.

A strip sees all points within twice eps of it, so it knows exactly which points within eps of it
are core points and how these hang together in the strip. What crosses an edge is told twice, by
both its strips, under a name that both find: the first row of what hangs together within eps of
the edge. One small task joins these names and counts the clusters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mfxarray.chunked.scratch import Sorted
from mfxarray.chunked.strips import Keep, Strip, cut_strips, keep_rows, rows_from_strips
from mfxarray.kernels.clusters.cells import Cells, number_groups, some
from mfxarray.kernels.clusters.dbscan import border_clusters, cluster_cells, components, core_points

__all__ = ["dbscan"]

Array = np.ndarray[Any, Any]

_ONE = np.uint64(1)


@dataclass(frozen=True)
class _Report:
    """What joining needs of a strip; clusters are named by the row of a core point.

    Attributes
    ----------
    names
        Of the clusters of which the strip has core points of its own.
    links
        Pairs of names of one cluster, shape (pair, 2).
    borders
        Pairs of the row of a point that is no core point, and one of the clusters it is near.
    """

    names: Array
    links: Array
    borders: Array


@dataclass(frozen=True)
class _Found:
    """Own rows of a strip; for each the name of its cluster, -1, or -2 - row if that is open."""

    rows: Array
    values: Array
    report: _Report


@dataclass(frozen=True)
class _Joined:
    """Final names of clusters, and how they are numbered.

    Attributes
    ----------
    changed, into
        Names, ascending, and what they became.
    bits, before
        One bit for each row of the data, set for names, in words of 64; how many are set in the
        words before each.
    rows, clusters
        Rows left open, ascending, and the names of their clusters.
    """

    changed: Array
    into: Array
    bits: Array
    before: Array
    rows: Array
    clusters: Array

    def number(self, names: Array) -> Array:
        """Return how many names are smaller."""
        word, place = names >> 6, (names & 63).astype(np.uint64)
        below = self.bits[word] & ((_ONE << place) - _ONE)
        return self.before[word] + np.bitwise_count(below)


def dbscan(
    used: da.Array,
    position: da.Array,
    groups: Sequence[da.Array] = (),
    *,
    eps: float,
    min_samples: int,
    strips: int | None = None,
    disk: bool | None = None,
) -> da.Array:
    """Return the cluster of each row, -1 for noise and for rows that are not used, int64.

    Parameters
    ----------
    used, position, strips, disk
        As for `mfxarray.chunked.strips.cut_strips`.
    groups
        Shape (row,) each, chunked alike; only points whose values are all equal are neighbours.
    eps
        Largest distance of neighbours, in the unit of the positions.
    min_samples
        Least number of neighbours of a core point, itself included.

    Notes
    -----
    Clusters are numbered by their first core row; a point that is no core point goes to the lowest
    cluster among its core neighbours. Both are what scikit-learn does.

    In memory are the strips at work with twice eps on both sides, about 250 bytes a point. Until
    clusters are joined 8 bytes wait for each of them, afterwards a quarter of a byte a row.
    """
    cut = cut_strips(used, position, groups, halo=2 * eps, strips=strips, disk=disk)
    name, tasks = f"dbscan-{tokenize(cut.name, eps, min_samples)}", dict(cut.tasks)
    find = partial(_kept, how=Keep(cut.scratch, np.int64), eps=eps, min_samples=min_samples)
    values, reports = [], []
    for number, key in enumerate(cut.keys):
        # all of a strip in one task, so that only files and names wait
        tasks[f"{name}-found-{number}"] = (find, cut.tasks[key], f"{name}-found-{number}.bin")
        values.append((itemgetter(0), f"{name}-found-{number}"))
        reports.append((itemgetter(1), f"{name}-found-{number}"))
    tasks[f"{name}-joined"] = (_join, reports, used.shape[0])
    take = (_number, f"{name}-joined")
    return rows_from_strips(name, cut, tasks, values, take=take, dtype=np.int64, fill=-1)


def _kept(
    strip: Strip, name: str, *, how: Keep, eps: float, min_samples: int
) -> tuple[Sorted, _Report]:
    found = _of_strip(strip, eps=eps, min_samples=min_samples)
    return keep_rows((found.rows, found.values), name, how=how), found.report


def _of_strip(strip: Strip, *, eps: float, min_samples: int) -> _Found:
    cells = cluster_cells(strip.points, eps, number_groups(strip.columns))
    place = (cells.x, cells.y, cells.z)[strip.axis]
    # edges are compared by differences, which rounding changes in proportion only
    reach = eps * (1 + 1e-9)
    known = (place - strip.low >= -reach) & (place - strip.high <= reach)
    core = core_points(cells, eps, min_samples, known)
    members = some(cells, core)
    component = components(members, eps)
    named = _per_point(members, component)
    bands = [np.abs(place[core] - edge) <= reach for edge in (strip.low, strip.high)]
    links = [_links(strip, members, band, named, eps) for band in bands]
    open_ = np.zeros(len(core), bool)
    open_[named[bands[0] | bands[1]]] = True
    values = np.full(len(core), -1, np.int64)
    values[members.order] = strip.rows[named]
    others = some(cells, strip.own[cells.order] & ~core)
    placed, borders = _borders(strip, others, members, component, open_[component], eps)
    values[others.order] = placed
    report = _Report(_names(strip, members, component), np.concatenate(links), borders)
    return _Found(strip.rows[strip.own], values[strip.own], report)


def _borders(
    strip: Strip, others: Cells, members: Cells, component: Array, open_: Array, eps: float
) -> tuple[Array, Array]:
    """Return the values of points that are no core points, and what those left open may be."""
    number, points, candidates = border_clusters(others, members, component, open_, eps)
    rows = strip.rows[others.order]
    values = np.where(number == -2, -2 - rows, -1)
    found = number >= 0
    values[found] = strip.rows[number[found]]
    return values, np.stack([rows[points], strip.rows[candidates]], axis=1)


def _names(strip: Strip, members: Cells, component: Array) -> Array:
    """Return the names of the clusters of which the strip has core points of its own."""
    if not len(component):
        return np.empty(0, np.int64)
    own = np.logical_or.reduceat(strip.own[members.order], members.firsts[:-1])
    first = np.zeros(len(strip.rows), bool)
    first[component[own]] = True
    return strip.rows[first]


def _per_point(cells: Cells, values: Array) -> Array:
    """Return the value of the cell of each point."""
    return np.repeat(values, np.diff(cells.firsts))


def _links(strip: Strip, members: Cells, band: Array, named: Array, eps: float) -> Array:
    """Return the names that core points near an edge have there, and in the strip."""
    if not band.any():
        return np.empty((0, 2), np.int64)
    near = some(members, band)
    there = _per_point(near, components(near, eps))
    pairs = strip.rows[np.stack([there, named[band]], axis=1)]
    # most clusters end at the edge: they have one name
    return np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)


def _join(reports: list[_Report], rows: int) -> _Joined:
    """Return the final names: the first row of all core points that hang together."""
    links = np.concatenate([report.links for report in reports])
    changed, places = np.unique(links, return_inverse=True)
    into = _first_of_linked(changed, places.reshape(-1, 2))
    bits = np.zeros((rows >> 6) + 1, np.uint64)
    for report in reports:
        _mark(bits, report.names)
    gone = changed[changed != into]
    np.bitwise_and.at(bits, gone >> 6, ~(_ONE << (gone & 63).astype(np.uint64)))
    borders = np.concatenate([report.borders for report in reports])
    clusters = _renamed(borders[:, 1], changed, into)
    order = np.lexsort((clusters, borders[:, 0]))
    open_, firsts = np.unique(borders[order, 0], return_index=True)
    counts = np.bitwise_count(bits).astype(np.int64)
    before = np.cumsum(counts) - counts
    return _Joined(changed, into, bits, before, open_, clusters[order][firsts])


def _first_of_linked(names: Array, links: Array) -> Array:
    """Return the smallest of the names that each of them is linked to, by way of others too."""
    if not len(names):
        return names
    graph = coo_array((np.ones(len(links), bool), links.T), shape=(len(names), len(names)))
    part = connected_components(graph, directed=False)[1]
    # names ascend, so the first of each is the smallest
    return names[np.unique(part, return_index=True)[1][part]]


def _mark(bits: Array, names: Array) -> None:
    np.bitwise_or.at(bits, names >> 6, _ONE << (names & 63).astype(np.uint64))


def _renamed(names: Array, changed: Array, into: Array) -> Array:
    if not len(changed):
        return names
    place = np.minimum(np.searchsorted(changed, names), len(changed) - 1)
    return np.where(changed[place] == names, into[place], names)


def _number(values: Array, joined: _Joined) -> Array:
    """Return the numbers of clusters for their names."""
    found = values.copy()
    left = values <= -2
    found[left] = joined.clusters[np.searchsorted(joined.rows, -2 - values[left])]
    member = found >= 0
    found[member] = joined.number(_renamed(found[member], joined.changed, joined.into))
    return found
