"""Pairs of points of several channels: how many at each distance, and who has whom near by.

All numbers are integers, so sums over parts of the points do not depend on the parts. Points may
carry several labels at once, one a column: neighbours are then searched once for all of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mfxarray.kernels.clusters.cells import Cells, around_cell, around_column, make_cells, pointers
from mfxarray.kernels.resolution.halves import split_words

__all__ = ["count_neighbours", "count_pairs", "hashed_labels", "hashed_words"]

Array = np.ndarray[Any, Any]


def count_pairs(
    points: Array,
    labels: Array,
    own: Array,
    edges: Array,
    channels: int,
    margin: Array | None = None,
) -> Array:
    """Return the number of pairs of points at each distance, within and across channels.

    Parameters
    ----------
    points
        Shape (point, axis), finite.
    labels
        Channels from 0, shape (point, column), uint8; one count a column.
    own
        Shape (point,), bool. A pair counts if the first of its points is own.
    edges
        Of the bins of distance, ascending from 0; a distance at the upper edge belongs to the next
        bin. Distances are square roots of squared differences added axis by axis.
    channels
        Number of channels.
    margin
        Distance of each point to the border, shape (point,). If given pairs count twice, once for
        each point, where that point's margin is at least the upper edge of the bin.

    Returns
    -------
    numpy.ndarray
        Shape (column, channel, channel, bin), int64. Without ``margin`` symmetric: pairs of one
        point in each channel; within a channel each pair counts once. With it the first channel is
        that of the point whose margin was asked for.

    Notes
    -----
    Costs all pairs within 2.5 times the last edge, several at a time; no list of pairs is made.
    """
    bins = len(edges) - 1
    out = np.zeros((labels.shape[1], channels, channels, bins), np.int64)
    if len(points):
        cells = _cells(points, edges[-1])
        depth = np.zeros(0) if margin is None else margin[cells.order]
        _count_pairs(cells, labels[cells.order], own[cells.order], edges, depth, out)
    if margin is not None:
        return out
    across = np.swapaxes(out, 1, 2).copy()
    across[:, np.arange(channels), np.arange(channels)] = 0
    return out + across


def count_neighbours(
    points: Array, labels: Array, own: Array, distance: float, channels: int
) -> Array:
    """Return how many own points of each channel have another of each channel near by.

    Parameters
    ----------
    points, labels, own, channels
        As for `count_pairs`.
    distance
        Near is what is closer than this.

    Returns
    -------
    numpy.ndarray
        Shape (column, channel, channel), int64: points of the first that have one of the second.
    """
    out = np.zeros((labels.shape[1], channels, channels), np.int64)
    if len(points):
        cells = _cells(points, distance)
        _count_neighbours(cells, labels[cells.order], own[cells.order], distance, out)
    return out


def hashed_words(seed: int, repeat: int, rows: Array, *, stream: int = 0) -> Array:
    """Return 64 random bits for each row, which depend on seed, repeat, stream and row alone."""
    shape = len(rows)
    names = [np.full(shape, stream, np.int64), np.full(shape, repeat, np.int64), rows]
    return split_words(seed, names)


def hashed_labels(seed: int, rows: Array, limits: Array, first: int = 1) -> Array:
    """Return the channels that rows have after channels were dealt out anew.

    Parameters
    ----------
    seed
        Of the hash.
    rows
        Shape (row,).
    limits
        Words below which rows get channel 0, 1, ..., ascending; shape (repeat, channel - 1).
    first
        Number of the first repeat.

    Returns
    -------
    numpy.ndarray
        Shape (row, repeat), uint8.
    """
    out = np.empty((len(rows), len(limits)), np.uint8)
    for column, limit in enumerate(limits):
        words = hashed_words(seed, first + column, rows)
        out[:, column] = np.searchsorted(limit, words, side="right")
    return out


def _cells(points: Array, distance: float) -> Cells:
    # two cells of half the distance reach as far, with fewer points to look at
    return make_cells(points, distance / 2 * (1 + 1e-7), 2)


@njit(nogil=True, cache=True, error_model="numpy")
def _count_pairs(cells, labels, own, edges, margin, out):  # type: ignore[no-untyped-def]
    walk, near, ends, starts, stops = pointers(cells)
    for column in range(len(cells.columns)):
        columns = around_column(cells.columns[column], cells, walk, near, ends)
        for cell in range(cells.column_firsts[column], cells.column_firsts[column + 1]):
            runs = around_cell(cells.levels[cell], cells, columns, near, ends, starts, stops)
            for point in range(cells.firsts[cell], cells.firsts[cell + 1]):
                if own[point]:
                    for run in range(runs):
                        first, last = cells.firsts[starts[run]], cells.firsts[stops[run]]
                        _pairs_of(cells, point, first, last, labels, edges, margin, out)


@njit(nogil=True, cache=True, error_model="numpy")
def _pairs_of(cells, point, first, last, labels, edges, margin, out):  # type: ignore[no-untyped-def]
    x, y, z, row = cells.x[point], cells.y[point], cells.z[point], cells.order[point]
    furthest = edges[-1] * (1 + 1e-9)
    most = furthest * furthest
    for other in range(first, last):
        dx, dy, dz = cells.x[other] - x, cells.y[other] - y, cells.z[other] - z
        squared = dx * dx + dy * dy + dz * dz
        if squared > most or cells.order[other] <= row:
            continue
        place = _bin_of(np.sqrt(squared), edges)
        if place < 0:
            continue
        for repeat in range(labels.shape[1]):
            one, two = labels[point, repeat], labels[other, repeat]
            if len(margin) == 0:
                out[repeat, one, two, place] += 1
                continue
            out[repeat, one, two, place] += margin[point] >= edges[place + 1]
            out[repeat, two, one, place] += margin[other] >= edges[place + 1]


@njit(nogil=True, cache=True, error_model="numpy")
def _bin_of(distance, edges):  # type: ignore[no-untyped-def]
    bins = len(edges) - 1
    if distance >= edges[bins]:
        return -1
    # bins are about equally wide; the edges themselves decide
    place = min(int(distance * (bins / edges[bins])), bins - 1)
    while distance < edges[place]:
        place -= 1
    while distance >= edges[place + 1]:
        place += 1
    return place


@njit(nogil=True, cache=True, error_model="numpy")
def _count_neighbours(cells, labels, own, distance, out):  # type: ignore[no-untyped-def]
    walk, near, ends, starts, stops = pointers(cells)
    seen = np.zeros(out.shape[:2], np.bool_)
    for column in range(len(cells.columns)):
        columns = around_column(cells.columns[column], cells, walk, near, ends)
        for cell in range(cells.column_firsts[column], cells.column_firsts[column + 1]):
            runs = around_cell(cells.levels[cell], cells, columns, near, ends, starts, stops)
            for point in range(cells.firsts[cell], cells.firsts[cell + 1]):
                if not own[point]:
                    continue
                seen[:] = False
                for run in range(runs):
                    first, last = cells.firsts[starts[run]], cells.firsts[stops[run]]
                    _see(cells, point, first, last, labels, distance, seen)
                for repeat in range(labels.shape[1]):
                    for channel in range(out.shape[1]):
                        out[repeat, labels[point, repeat], channel] += seen[repeat, channel]


@njit(nogil=True, cache=True, error_model="numpy")
def _see(cells, point, first, last, labels, distance, seen):  # type: ignore[no-untyped-def]
    x, y, z = cells.x[point], cells.y[point], cells.z[point]
    for other in range(first, last):
        dx, dy, dz = cells.x[other] - x, cells.y[other] - y, cells.z[other] - z
        if np.sqrt(dx * dx + dy * dy + dz * dz) < distance and other != point:
            for repeat in range(labels.shape[1]):
                seen[repeat, labels[other, repeat]] = True
