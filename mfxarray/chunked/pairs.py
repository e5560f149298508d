"""Pairs of points out of core: counted strip by strip, exact for every chunking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import Any

import dask.array as da
import numpy as np
from dask.base import compute
from dask.delayed import delayed

from mfxarray.chunked.dealing import Dealing
from mfxarray.chunked.strips import Strip, cut_strips, sum_over_strips
from mfxarray.kernels.clusters.pair_counts import count_neighbours, count_pairs

__all__ = [
    "Marked",
    "gathered",
    "inner_points",
    "neighbour_work",
    "pair_counts",
    "pair_work",
]

Array = np.ndarray[Any, Any]
Work = Callable[[Strip], Array]


@dataclass(frozen=True)
class Marked:
    """Points with a channel each.

    Attributes
    ----------
    used
        Shape (point,), bool.
    position
        Shape (point, axis), finite where used.
    channel
        Shape (point,), uint8, from 0.
    """

    used: da.Array
    position: da.Array
    channel: da.Array

    def total(self, work: Work, reach: float, shape: tuple[int, ...]) -> Array:
        """Return the sum of what ``work`` finds in strips with a margin of ``reach``, computed."""
        cut = cut_strips(self.used, self.position, [self.channel], halo=reach)
        return np.asarray(sum_over_strips(work, cut, shape=shape, dtype=np.int64).compute())

    def moved(self, move: Callable[[Array, Array, Array], Array]) -> Marked:
        """Return points elsewhere: ``move`` takes positions, channels and rows to positions."""
        rows = da.arange(self.used.shape[0], chunks=self.used.chunks)
        moved = da.map_blocks(
            partial(_moved, move=move),
            self.position,
            self.channel[:, None],
            rows[:, None],
            dtype=float,
            meta=np.empty((0, 0)),
        )
        return replace(self, position=moved)


def _moved(position: Array, channel: Array, rows: Array, *, move: Any) -> Array:
    return np.asarray(move(position, channel[:, 0], rows[:, 0]))


def pair_counts(
    marked: Marked,
    edges: Array,
    channels: int,
    border: tuple[Array, Array] | None = None,
    strips: int | None = None,
) -> da.Array:
    """Return the number of pairs, shape (channel, channel, bin), int64, lazy.

    Parameters
    ----------
    marked
        The points.
    edges, channels
        As for `mfxarray.kernels.clusters.pair_counts.count_pairs`.
    border
        Lowest and highest corner of the field, if only points count that are so far inside.
    strips
        How many; by default one for half a million points.
    """
    cut = cut_strips(
        marked.used, marked.position, [marked.channel], halo=float(edges[-1]), strips=strips
    )
    work = pair_work(edges, channels, border)
    shape = (1, channels, channels, len(edges) - 1)
    return sum_over_strips(work, cut, shape=shape, dtype=np.int64)[0]


def inner_points(
    marked: Marked, edges: Array, channels: int, border: tuple[Array, Array]
) -> da.Array:
    """Return how many points are at least the upper edge of each bin inside the border, lazy.

    Parameters
    ----------
    marked, edges, channels, border
        As for `pair_counts`.

    Returns
    -------
    dask.array.Array
        Shape (channel, bin), int64.
    """
    shape = (channels, len(edges) - 1)
    look = delayed(partial(_inner, edges=edges, border=border, shape=shape))
    rows = len(marked.used.chunks[0])
    blocks = [
        array.to_delayed().reshape(rows) for array in (marked.used, marked.position, marked.channel)
    ]
    parts = [look(*block) for block in zip(*blocks, strict=True)]
    return da.from_delayed(reduce(delayed(np.add), parts), shape, np.int64)


def _inner(
    used: Array,
    position: Array,
    channel: Array,
    *,
    edges: Array,
    border: tuple[Array, Array],
    shape: tuple[int, int],
) -> Array:
    bins = np.searchsorted(edges[1:], _margin(position[used], *border), side="right")
    found = np.zeros((shape[0], shape[1] + 1), np.int64)
    np.add.at(found, (channel[used], bins), 1)
    # a point that reaches some edges reaches all below
    return np.cumsum(found[:, ::-1], axis=1)[:, ::-1][:, 1:]


def _margin(points: Array, low: Array, high: Array) -> Array:
    """Return the distance of points to the border."""
    return np.asarray(np.minimum(points - low, high - points).min(axis=1))


def pair_work(
    edges: Array,
    channels: int,
    border: tuple[Array, Array] | None = None,
    dealing: Dealing | None = None,
) -> Work:
    """Return what counts the pairs of a strip, of true channels and of those dealt anew."""
    return partial(_pairs, edges=edges, channels=channels, border=border, dealing=dealing)


def neighbour_work(distance: float, channels: int, dealing: Dealing | None = None) -> Work:
    """Return what counts the points of a strip that have others near by."""
    return partial(_neighbours, distance=distance, channels=channels, dealing=dealing)


def _pairs(
    strip: Strip,
    *,
    edges: Array,
    channels: int,
    border: tuple[Array, Array] | None,
    dealing: Dealing | None,
) -> Array:
    margin = None if border is None else _margin(strip.points, *border)
    return count_pairs(strip.points, _labels(strip, dealing), strip.own, edges, channels, margin)


def _neighbours(strip: Strip, *, distance: float, channels: int, dealing: Dealing | None) -> Array:
    return count_neighbours(strip.points, _labels(strip, dealing), strip.own, distance, channels)


def _labels(strip: Strip, dealing: Dealing | None) -> Array:
    channel = strip.columns[0]
    return channel[:, None] if dealing is None else dealing.labels(channel, strip.rows)


def gathered(marked: Marked) -> Strip:
    """Return all used points as a single strip, in memory."""
    used, position, channel = compute(marked.used, marked.position, marked.channel)
    rows = np.flatnonzero(used)
    points = np.ascontiguousarray(position[rows], float)
    own = np.ones(len(rows), bool)
    return Strip(points, rows, own, (channel[rows],), -np.inf, np.inf, 0)
