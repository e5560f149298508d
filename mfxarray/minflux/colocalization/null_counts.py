"""Colocalization counted again and again: channels dealt anew, shifted, or placed at random."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import dask.array as da
import numpy as np

from mfxarray.chunked.dealing import Dealing, deal
from mfxarray.chunked.group_rows import by_group
from mfxarray.chunked.pairs import Marked, gathered, neighbour_work, pair_work
from mfxarray.chunked.strips import Strip
from mfxarray.kernels.clusters.pair_counts import hashed_words
from mfxarray.minflux.colocalization.channel_points import ChannelPoints
from mfxarray.minflux.colocalization.joint_clusters import Gates, joint_labels, numbers_of_clusters

__all__ = ["NULLS", "ClusterCount", "PointCount", "simulated"]

Array = np.ndarray[Any, Any]

NULLS = ("permute", "shift", "csr")

# so many points are held in memory over all repeats
_IN_MEMORY = 500_000
_UNIT = 2.0**-53


@dataclass(frozen=True)
class PointCount:
    """Counts pairs of points, or points that have others near by.

    Attributes
    ----------
    channels
        Number of channels.
    edges
        Of the bins of distance; of neighbours the last one counts.
    neighbours
        Count points rather than pairs.
    """

    channels: int
    edges: Array
    neighbours: bool = False

    def of(self, points: Marked | Strip, dealing: Dealing | None, columns: int) -> Array:
        """Return numbers, shape (column, channel, channel), and a bin for pairs."""
        reach = float(self.edges[-1])
        if self.neighbours:
            work = neighbour_work(reach, self.channels, dealing)
        else:
            work = pair_work(self.edges, self.channels, dealing=dealing)
        if isinstance(points, Strip):
            return work(points)
        bins = () if self.neighbours else (len(self.edges) - 1,)
        return points.total(work, reach, (columns, self.channels, self.channels, *bins))


@dataclass(frozen=True)
class ClusterCount:
    """Counts joint clusters that have points of both channels.

    Attributes
    ----------
    channels
        Number of channels.
    gates
        Which clusters count.
    """

    channels: int
    gates: Gates

    def of(self, points: Marked | Strip, dealing: Dealing | None, columns: int) -> Array:
        """Return numbers, shape (column, channel, channel)."""
        marked = _marked(points) if isinstance(points, Strip) else points
        work = partial(_mixed, channels=self.channels, gates=self.gates, dealing=dealing)
        parts = by_group(joint_labels(marked, self.gates), [marked.position, marked.channel], work)
        return np.asarray(np.sum(parts, axis=0))


def simulated(
    found: ChannelPoints, null: str, statistic: PointCount | ClusterCount, repeats: int, seed: int
) -> Array:
    """Return true numbers and those of repeats, shape (1 + repeat, channel, channel, ...).

    Parameters
    ----------
    found
        The points.
    null
        One of `NULLS`, see `mfxarray.minflux.colocalization.nulls.coloc_null`.
    statistic
        What is counted.
    repeats, seed
        How many, and of the hash.
    """
    marked = found.marked
    few = int(found.counts.sum()) <= _IN_MEMORY and len(marked.used) <= 4 * _IN_MEMORY
    if null == "permute":
        dealing = deal(marked.used, found.counts, seed, repeats)
        # clusters are asked once, and need the true rows of the points
        once = isinstance(statistic, ClusterCount) or not few
        return statistic.of(marked if once else gathered(marked), dealing, 1 + repeats)
    points = gathered(marked) if few else marked
    counts = [statistic.of(points, None, 1)]
    for repeat in range(1, repeats + 1):
        move = partial(_MOVES[null], found.low, found.high, seed, repeat)
        counts.append(statistic.of(_moved(points, move), None, 1))
    return np.concatenate(counts)


def _moved(points: Marked | Strip, move: Callable[[Array, Array, Array], Array]) -> Marked | Strip:
    if isinstance(points, Marked):
        return points.moved(move)
    return replace(points, points=move(points.points, points.columns[0], points.rows))


def _marked(strip: Strip) -> Marked:
    arrays = strip.own, strip.points, strip.columns[0]
    return Marked(*(da.from_array(one, chunks=-1) for one in arrays))


def _mixed(
    group: Array,
    rows: Array,
    position: Array,
    channel: Array,
    *,
    channels: int,
    gates: Gates,
    dealing: Dealing | None,
) -> Array:
    clusters, places = numbers_of_clusters(group, position, channel, channels, gates)
    labels = channel[:, None] if dealing is None else dealing.labels(channel, rows)
    found = np.zeros((labels.shape[1], channels, channels), np.int64)
    for column in range(labels.shape[1]):
        present = np.zeros((len(clusters["n"]), channels), np.int64)
        present[places, labels[:, column]] = 1
        kept = present[clusters["kept"]]
        found[column] = kept.T @ kept
    return found


def _shifted(
    low: Array, high: Array, seed: int, repeat: int, points: Array, channel: Array, rows: Array
) -> Array:
    """Return points with each channel but the first shifted round the field."""
    sides, out = high - low, points.copy()
    for axis in range(points.shape[1]):
        names = np.arange(int(channel.max(initial=0)) + 1)
        by = _uniform(seed, repeat, names, axis) * sides[axis]
        by[0] = 0.0
        moved = low[axis] + np.mod(points[:, axis] - low[axis] + by[channel], sides[axis])
        out[:, axis] = np.where(channel > 0, moved, points[:, axis])
    return out


def _scattered(
    low: Array, high: Array, seed: int, repeat: int, points: Array, channel: Array, rows: Array
) -> Array:
    """Return points anywhere in the field."""
    out = np.empty_like(points)
    for axis in range(points.shape[1]):
        out[:, axis] = low[axis] + _uniform(seed, repeat, rows, axis) * (high[axis] - low[axis])
    return out


_MOVES = {"shift": _shifted, "csr": _scattered}


def _uniform(seed: int, repeat: int, names: Array, axis: int) -> Array:
    words = hashed_words(seed, repeat, names, stream=1 + axis)
    return (words >> np.uint64(11)).astype(float) * _UNIT
