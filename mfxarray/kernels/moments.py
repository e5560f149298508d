"""Count, mean and squared deviations per trace, the same bits however a trace is cut into pieces.

A trace is reduced in blocks of `BLOCK` rows counted from its first row; each block in row order
with the mean first and the deviations second, then block after block by the pairwise update of
Chan, Golub and LeVeque. Squares of positions are never summed: at 1e-5 m with spreads of 1e-9 m
that loses half the digits.

References
----------
Chan, Golub, LeVeque (1983), Algorithms for computing the sample variance. Am. Stat. 37, 242.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

__all__ = ["BLOCK", "Moments", "Piece", "join_pieces", "merge_runs", "piece_of", "run_moments"]

Array = np.ndarray[Any, Any]

# long enough that traces of real data are one block, short enough to carry as raw rows
BLOCK = 4096


@dataclass(frozen=True)
class Moments:
    """Moments of runs of rows.

    Attributes
    ----------
    n
        Rows, shape (run,).
    mean
        Shape (run, column).
    m2
        Sums of squared deviations from the mean, shape (run, column).
    low, high
        Smallest and largest value, shape (run, column).
    """

    n: Array
    mean: Array
    m2: Array
    low: Array
    high: Array

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self.n)

    def take(self, where: Any) -> Moments:
        """Return the runs at ``where`` (a slice or an index array)."""
        return Moments(*(part[where] for part in self._parts()))

    @staticmethod
    def concatenate(parts: Iterable[Moments]) -> Moments:
        """Return the runs of all parts, one after the other."""
        rows = zip(*(part._parts() for part in parts), strict=True)
        return Moments(*(np.concatenate(row) for row in rows))

    def _parts(self) -> tuple[Array, ...]:
        return self.n, self.mean, self.m2, self.low, self.high


@dataclass(frozen=True)
class Piece:
    """What one chunk knows of a trace that goes on in other chunks.

    Attributes
    ----------
    head
        Rows up to the first block border, shape (row, column).
    blocks
        Moments of the whole blocks that follow.
    tail
        Rows after the last whole block.
    closed
        Whether the piece reaches the first block border.
    """

    head: Array
    blocks: Moments
    tail: Array
    closed: bool


def run_moments(values: Array, starts: Array) -> Moments:
    """Return the moments of runs of rows.

    Parameters
    ----------
    values
        Shape (row, column), float64.
    starts
        First row of each run, shape (run,); a run ends where the next one starts.
    """
    bounds = np.append(starts, len(values)).astype(np.int64)
    n_runs, n_columns = len(starts), values.shape[1]
    mean, m2, low, high = (np.empty((n_runs, n_columns)) for _ in range(4))
    _run_moments(np.ascontiguousarray(values), bounds, BLOCK, mean, m2, low, high)
    return Moments(np.diff(bounds), mean, m2, low, high)


def piece_of(values: Array, offset: int) -> Piece:
    """Return a piece of a trace.

    Parameters
    ----------
    values
        The rows of the trace in this chunk, shape (row, column).
    offset
        Rows of the trace in earlier chunks.
    """
    border = -offset % BLOCK
    if len(values) < border:
        nothing = run_moments(values[:0], np.empty(0, np.int64))
        return Piece(values.copy(), nothing, values[:0].copy(), False)
    n_blocks = (len(values) - border) // BLOCK
    stop = border + n_blocks * BLOCK
    blocks = run_moments(values[border:stop], np.arange(n_blocks) * BLOCK)
    return Piece(values[:border].copy(), blocks, values[stop:].copy(), True)


def join_pieces(pieces: Iterable[Piece]) -> Moments:
    """Return the moments of one trace from its pieces in row order, a single run."""
    blocks: list[Moments] = []
    rows: list[Array] = []
    for piece in pieces:
        rows.append(piece.head)
        if piece.closed:
            _flush(rows, blocks)
            blocks.append(piece.blocks)
            rows = [piece.tail]
    _flush(rows, blocks)
    everything = Moments.concatenate(blocks)
    return merge_runs(everything, np.zeros(len(everything), np.int64), 1)


def merge_runs(runs: Moments, group: Array, n_groups: int) -> Moments:
    """Return the moments of groups of runs, merged in the order in which the runs stand.

    Parameters
    ----------
    runs
        Moments of the runs.
    group
        Number of the group of each run, shape (run,), 0 to ``n_groups`` - 1; none stays empty.
    """
    shape = (n_groups, runs.mean.shape[1])
    n = np.zeros(n_groups, np.int64)
    mean, m2 = np.zeros(shape), np.zeros(shape)
    low, high = np.full(shape, np.inf), np.full(shape, -np.inf)
    _merge_runs(runs.n, runs.mean, runs.m2, np.asarray(group, np.int64), n, mean, m2)
    np.minimum.at(low, group, runs.low)
    np.maximum.at(high, group, runs.high)
    return Moments(n, mean, m2, low, high)


def _flush(rows: list[Array], blocks: list[Moments]) -> None:
    joined = np.concatenate(rows)
    if len(joined):
        blocks.append(run_moments(joined, np.zeros(1, np.int64)))


@njit(nogil=True, cache=True, error_model="numpy")
def _run_moments(values, bounds, block, mean, m2, low, high):  # type: ignore[no-untyped-def]
    n_columns = values.shape[1]
    block_mean, block_m2 = np.empty(n_columns), np.empty(n_columns)
    for run in range(len(bounds) - 1):
        first, last = bounds[run], bounds[run + 1]
        for c in range(n_columns):
            mean[run, c] = m2[run, c] = 0.0
            low[run, c], high[run, c] = np.inf, -np.inf
        for start in range(first, last, block):
            stop = min(start + block, last)
            _block_moments(values, start, stop, block_mean, block_m2, low[run], high[run])
            _merge(start - first, mean[run], m2[run], stop - start, block_mean, block_m2)


@njit(nogil=True, cache=True, error_model="numpy")
def _block_moments(values, start, stop, mean, m2, low, high):  # type: ignore[no-untyped-def]
    n_columns = values.shape[1]
    mean[:] = 0.0
    m2[:] = 0.0
    for row in range(start, stop):
        for c in range(n_columns):
            value = values[row, c]
            mean[c] += value
            low[c] = min(low[c], value)
            high[c] = max(high[c], value)
    for c in range(n_columns):
        mean[c] /= stop - start
    for row in range(start, stop):
        for c in range(n_columns):
            deviation = values[row, c] - mean[c]
            m2[c] += deviation * deviation


@njit(nogil=True, cache=True, error_model="numpy")
def _merge(n, mean, m2, n_new, mean_new, m2_new):  # type: ignore[no-untyped-def]
    if n == 0:
        mean[:] = mean_new
        m2[:] = m2_new
        return
    total = n + n_new
    for c in range(len(mean)):
        delta = mean_new[c] - mean[c]
        mean[c] += delta * (n_new / total)
        m2[c] += m2_new[c] + delta * delta * (n * n_new / total)


@njit(nogil=True, cache=True, error_model="numpy")
def _merge_runs(run_n, run_mean, run_m2, group, n, mean, m2):  # type: ignore[no-untyped-def]
    for run in range(len(run_n)):
        g = group[run]
        _merge(n[g], mean[g], m2[g], run_n[run], run_mean[run], run_m2[run])
        n[g] += run_n[run]
