"""The nearest points out of core, searched from strip to strip.

Nobody knows beforehand how far the nearest point is. A strip first searches among its own points;
then it reads on beyond both its edges, at most another strip's points at a time and only as far as
the best that it knows, until nothing nearer can come. That is exact and needs no margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from mfxarray.chunked.scratch import Sorted
from mfxarray.chunked.strips import Cut, Strip, cut_strips, points_between, rows_from_strips
from mfxarray.kernels.clusters.cells import number_groups
from mfxarray.kernels.clusters.neighbours import make_forest, search_nearest

__all__ = ["IS_SEARCHED", "SEARCHES", "nearest"]

Array = np.ndarray[Any, Any]

# what a point does where some are searched for and others search; both may be
SEARCHES, IS_SEARCHED = 1, 2

_NOBODY = np.iinfo(np.int64).max
_STRIP_ROWS = 500_000
# so many neighbours are kept for each point of a strip of that size
_MANY = 16


def nearest(
    used: da.Array,
    position: da.Array,
    groups: Sequence[da.Array] = (),
    roles: da.Array | None = None,
    *,
    k: int = 1,
    strips: int | None = None,
) -> da.Array:
    """Return distance and row of the k-th nearest other point of the same group.

    Parameters
    ----------
    used, position, groups, strips
        As for `mfxarray.chunked.dbscan.dbscan`.
    roles
        Shape (row,), uint8: sum of `SEARCHES` and `IS_SEARCHED`; all points do both by default.
    k
        1 for the nearest.

    Returns
    -------
    dask.array.Array
        Shape (row, 2), float64: distance, in the unit of the positions, and row. NaN and -1 where
        there is none, or the row does not search. Of equally near points the lowest row counts.

    Notes
    -----
    In memory are the strips at work, each with one more at a time. Points of a group that are far
    from each other along the axis that is cut make a strip read all that lies between.
    """
    number = strips or max(1, -(-len(used) * max(k, _MANY) // (_MANY * _STRIP_ROWS)))
    columns = [*groups, *([] if roles is None else [roles])]
    cut = cut_strips(used, position, columns, halo=0.0, strips=number)
    name, tasks = f"nearest-{tokenize(cut.name, k, len(groups), roles is None)}", dict(cut.tasks)
    n_groups = len(groups)
    extents = f"{name}-extents"
    tasks |= _extent_tasks(extents, cut, n_groups if columns else None)
    needs = (cut.parts, cut.edges, cut.axis, extents)
    work = partial(_nearest_of_strip, n_groups=n_groups, k=k)
    found = [(partial(work, number=strip), *needs) for strip in range(number)]
    rows = rows_from_strips(name, cut, tasks, found, dtype=float, fill=np.nan, width=2)
    return da.map_blocks(_without_rows, rows, dtype=float, meta=np.empty((0, 0)))


def _without_rows(found: Array) -> Array:
    out = found.copy()
    out[np.isnan(out[:, 1]), 1] = -1
    return out


@dataclass(frozen=True)
class _Extents:
    """How far the points that are searched reach along the axis that is cut, for each group."""

    keys: tuple[Array, ...]
    low: Array
    high: Array


def _extent_tasks(name: str, cut: Cut, n_groups: int | None) -> dict[Any, Any]:
    """Return the tasks that find extents; of all points alike nothing needs to be found."""
    if n_groups is None:
        return {name: (_everywhere,)}
    blocks = range(len(cut.chunks))
    tasks: dict[Any, Any] = {
        f"{name}-{block}": (_extents, f"{cut.name}-part-{block}", cut.axis, n_groups)
        for block in blocks
    }
    return {**tasks, name: (_joined, [f"{name}-{block}" for block in blocks])}


def _everywhere() -> _Extents:
    return _Extents((), np.array([-np.inf]), np.array([np.inf]))


def _extents(part: Sorted, axis: int, n_groups: int) -> _Extents:
    strip = points_between([part], axis, -np.inf, np.inf)
    searched = _role(strip, n_groups, IS_SEARCHED)
    keys = tuple(column[searched] for column in strip.columns[:n_groups])
    place = strip.points[searched, axis]
    return _joined([_Extents(keys, place, place)])


def _joined(parts: list[_Extents]) -> _Extents:
    low = np.concatenate([part.low for part in parts])
    high = np.concatenate([part.high for part in parts])
    keys = [np.concatenate(column) for column in zip(*(part.keys for part in parts), strict=True)]
    group = number_groups(keys)
    if group is None:
        group = np.zeros(len(low), np.int64)
    _, firsts = np.unique(group, return_index=True)
    lows, highs = np.full(len(firsts), np.inf), np.full(len(firsts), -np.inf)
    np.minimum.at(lows, group, low)
    np.maximum.at(highs, group, high)
    return _Extents(tuple(key[firsts] for key in keys), lows, highs)


def _role(strip: Strip, n_groups: int, role: int) -> Array:
    if len(strip.columns) == n_groups:
        return np.ones(len(strip.rows), bool)
    return (strip.columns[n_groups] & role) > 0


@dataclass(frozen=True)
class _Search:
    """Points that search, and the nearest that they know.

    Attributes
    ----------
    points, rows, keys, place
        Where they are, their rows and groups, and their place along the axis that is cut.
    low, high
        How far the points of their group that are searched reach.
    squared, found
        Of the nearest so far, as `mfxarray.kernels.clusters.neighbours.search_nearest` keeps them.
    """

    points: Array
    rows: Array
    keys: tuple[Array, ...]
    place: Array
    low: Array
    high: Array
    squared: Array
    found: Array

    def look(self, strip: Strip, chosen: Array) -> None:
        """Search some points' neighbours in a strip."""
        n_groups = len(self.keys)
        searched = _role(strip, n_groups, IS_SEARCHED)
        targets, asking = int(searched.sum()), np.flatnonzero(chosen)
        if not targets or not len(asking):
            return
        keys = [
            np.concatenate([column[searched], key[asking]])
            for column, key in zip(strip.columns, self.keys, strict=False)
        ]
        group = number_groups(keys)
        if group is None:
            group = np.zeros(targets + len(asking), np.int64)
        groups = int(group.max()) + 1
        forest = make_forest(strip.points[searched], strip.rows[searched], group[:targets], groups)
        squared, found = self.squared[asking], self.found[asking]
        whom = (self.points[asking], self.rows[asking], group[targets:])
        search_nearest(forest, *whom, squared, found)
        self.squared[asking], self.found[asking] = squared, found


def _nearest_of_strip(
    parts: list[Sorted],
    edges: Array,
    axis: int,
    extents: _Extents,
    *,
    number: int,
    n_groups: int,
    k: int,
) -> tuple[Array, Array]:
    low, high = float(edges[number]), float(edges[number + 1])
    strip = points_between(parts, axis, low, high)
    search = _begin(strip, extents, _role(strip, n_groups, SEARCHES), n_groups, k)
    search.look(strip, np.ones(len(search.rows), bool))
    for below in (True, False):
        _read_on(search, parts, edges, axis, low if below else high, below)
    distance, row = np.sqrt(search.squared[:, -1]), search.found[:, -1].astype(float)
    nobody = search.found[:, -1] == _NOBODY
    return search.rows, np.stack([np.where(nobody, np.nan, value) for value in (distance, row)], 1)


def _begin(strip: Strip, extents: _Extents, asking: Array, n_groups: int, k: int) -> _Search:
    keys = tuple(column[asking] for column in strip.columns[:n_groups])
    points, rows = strip.points[asking], strip.rows[asking]
    low, high = np.full(len(rows), np.inf), np.full(len(rows), -np.inf)
    known = len(extents.low)
    if known:
        both = [np.concatenate(pair) for pair in zip(extents.keys, keys, strict=True)]
        group = number_groups(both)
        if group is None:
            low[:], high[:] = extents.low[0], extents.high[0]
        else:
            lows, highs = np.full(group.max() + 1, np.inf), np.full(group.max() + 1, -np.inf)
            lows[group[:known]], highs[group[:known]] = extents.low, extents.high
            low, high = lows[group[known:]], highs[group[known:]]
    squared = np.full((len(rows), k), np.inf)
    found = np.full((len(rows), k), _NOBODY)
    return _Search(points, rows, keys, points[:, strip.axis], low, high, squared, found)


def _read_on(
    search: _Search, parts: list[Sorted], edges: Array, axis: int, edge: float, below: bool
) -> None:
    """Search beyond an edge until nothing nearer can come."""
    while np.isfinite(edge):
        off = search.place - edge
        # equally near points count too: theirs may be the lower row
        chosen = off * off <= search.squared[:, -1]
        chosen &= (search.low < edge) if below else (search.high >= edge)
        if not chosen.any():
            return
        reach = np.sqrt(search.squared[chosen, -1]) * (1 + 1e-9)
        place = search.place[chosen]
        if below:
            wanted = np.maximum(place - reach, search.low[chosen])
            start = max(edges[edges < edge].max(), (wanted - _slack(wanted)).min())
            search.look(points_between(parts, axis, start, edge), chosen)
            edge = start
        else:
            wanted = np.minimum(place + reach, search.high[chosen])
            stop = min(edges[edges > edge].min(), (wanted + _slack(wanted)).max())
            search.look(points_between(parts, axis, edge, stop), chosen)
            edge = stop


def _slack(place: Array) -> Array:
    """Return what rounding may hide at a place, more than nothing everywhere."""
    return 4 * np.spacing(np.abs(place)) + 1e-150
