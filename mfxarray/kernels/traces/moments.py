"""Count, mean and squared deviations per trace, the same bits however a trace is cut into pieces.

A trace is reduced in blocks of `BLOCK` rows counted from its first row; each block in row order
with the mean first and the deviations second, then block after block by the pairwise update of
Chan, Golub and LeVeque. Squares of positions are never summed: at 1e-5 m with spreads of 1e-9 m
that loses half the digits.

Moments are rows of ten numbers, see `Column`: one row a run of localizations.

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

__all__ = [
    "BLOCK",
    "Column",
    "Piece",
    "join_pieces",
    "merge_runs",
    "piece_of",
    "run_moments",
    "run_starts",
    "run_sums",
]

Array = np.ndarray[Any, Any]

# long enough that traces of real data are one block, short enough to carry as raw rows
BLOCK = 4096


class Column:
    """Where a moment stands in its row."""

    N = 0
    MEAN = slice(1, 4)  # of x, y, z
    MEAN_TIME = 4
    M2 = slice(5, 8)  # sums of squared deviations of x, y, z
    START = 8  # smallest time
    END = 9  # largest time
    WIDTH = 10


@dataclass(frozen=True)
class Piece:
    """What one chunk knows of a trace that goes on in other chunks.

    Attributes
    ----------
    head
        x, y, z, t of the rows up to the first block border, shape (row, 4).
    blocks
        Moments of the whole blocks that follow, shape (block, 10).
    tail
        Rows after the last whole block, shape (row, 4).
    closed
        Whether the piece reaches the first block border.
    """

    head: Array
    blocks: Array
    tail: Array
    closed: bool


def run_starts(key: Array) -> Array:
    """Return the rows at which a new run of equal values begins, shape (run,), int64."""
    starts = np.empty(_count_starts(key), np.int64)
    _fill_starts(key, starts)
    return starts


def run_moments(xyz: Array, tim: Array, starts: Array) -> Array:
    """Return the moments of runs of rows, shape (run, 10).

    Parameters
    ----------
    xyz
        Positions, shape (row, 3), float64.
    tim
        Times, shape (row,), float64.
    starts
        First row of each run, shape (run,); a run ends where the next one starts.
    """
    bounds = np.append(starts, len(xyz)).astype(np.int64)
    # a row in memory for each moment: each is a variable of its own later, and quick to work with
    out = np.empty((Column.WIDTH, len(starts)))
    _run_moments(np.ascontiguousarray(xyz), np.ascontiguousarray(tim), bounds, BLOCK, out)
    return out.T


def run_sums(values: Array, starts: Array) -> Array:
    """Return the sum of each run of integers, shape (run,), int64.

    Parameters
    ----------
    values
        Shape (row,).
    starts
        First row of each run, shape (run,); a run ends where the next one starts.

    Notes
    -----
    Twice as quick as ``np.add.reduceat``, which adds to int64 through a buffer.
    """
    bounds = np.append(starts, len(values)).astype(np.int64)
    out = np.empty(len(starts), np.int64)
    _run_sums(np.ascontiguousarray(values), bounds, out)
    return out


def piece_of(xyz: Array, tim: Array, offset: int) -> Piece:
    """Return a piece of a trace.

    Parameters
    ----------
    xyz, tim
        The rows of the trace in this chunk, shapes (row, 3) and (row,).
    offset
        Rows of the trace in earlier chunks.
    """

    def raw(start: int, stop: int) -> Array:
        return np.column_stack([xyz[start:stop], tim[start:stop]])

    border = -offset % BLOCK
    n_blocks = max(len(xyz) - border, 0) // BLOCK
    stop = border + n_blocks * BLOCK
    blocks = run_moments(xyz[border:stop], tim[border:stop], np.arange(n_blocks) * BLOCK)
    return Piece(raw(0, border), blocks, raw(stop, len(xyz)), len(xyz) >= border)


def join_pieces(pieces: Iterable[Piece]) -> Array:
    """Return the moments of one trace from its pieces in row order, shape (1, 10)."""
    blocks: list[Array] = []
    rows: list[Array] = []
    for piece in pieces:
        rows.append(piece.head)
        if piece.closed:
            blocks += [_reduced(rows), piece.blocks]
            rows = [piece.tail]
    everything = np.concatenate([*blocks, _reduced(rows)])
    return merge_runs(everything, np.zeros(len(everything), np.int64), 1)


def merge_runs(runs: Array, group: Array, n_groups: int) -> Array:
    """Return the moments of groups of runs, merged in the order in which the runs stand.

    Parameters
    ----------
    runs
        Moments of the runs, shape (run, 10).
    group
        Number of the group of each run, shape (run,), 0 to ``n_groups`` - 1; none stays empty.
    """
    out = np.zeros((n_groups, Column.WIDTH))
    _merge_runs(np.ascontiguousarray(runs), np.asarray(group, np.int64), out)
    return out


def _reduced(rows: list[Array]) -> Array:
    """Return the moments of less than a block of raw rows, none for no rows."""
    joined = np.concatenate(rows)
    return run_moments(joined[:, :3], joined[:, 3], np.arange(min(len(joined), 1)))


@njit(nogil=True, cache=True, error_model="numpy")
def _count_starts(key):  # type: ignore[no-untyped-def]
    count = min(len(key), 1)
    for row in range(1, len(key)):
        count += key[row] != key[row - 1]
    return count


@njit(nogil=True, cache=True, error_model="numpy")
def _fill_starts(key, starts):  # type: ignore[no-untyped-def]
    run = 0
    for row in range(len(key)):
        if row == 0 or key[row] != key[row - 1]:
            starts[run] = row
            run += 1


@njit(nogil=True, cache=True, error_model="numpy")
def _run_sums(values, bounds, out):  # type: ignore[no-untyped-def]
    for run in range(len(out)):
        total = np.int64(0)
        for value in values[bounds[run] : bounds[run + 1]]:
            total += np.int64(value)
        out[run] = total


@njit(nogil=True, cache=True, error_model="numpy")
def _run_moments(xyz, tim, bounds, block, out):  # type: ignore[no-untyped-def]
    own, more = np.empty((2, len(out)))
    for run in range(len(bounds) - 1):
        first, last = bounds[run], bounds[run + 1]
        _block_moments(xyz, tim, first, min(first + block, last), own)
        for start in range(first + block, last, block):
            _block_moments(xyz, tim, start, min(start + block, last), more)
            _merge(own, more)
        out[:, run] = own


@njit(nogil=True, cache=True, error_model="numpy")
def _block_moments(xyz, tim, start, stop, out):  # type: ignore[no-untyped-def]
    # four sums side by side, so that none waits for the one before; slices counted from 0, because
    # an index that may be negative costs a quarter of the time
    n = np.float64(stop - start)
    points, times = xyz[start:stop], tim[start:stop]
    x = y = z = t = 0.0
    low = high = times[0]
    for row in range(len(points)):
        x += points[row, 0]
        y += points[row, 1]
        z += points[row, 2]
        time = times[row]
        t += time
        low = time if time < low else low
        high = time if time > high else high
    x, y, z = x / n, y / n, z / n
    xx = yy = zz = 0.0
    for row in range(len(points)):
        dx, dy, dz = points[row, 0] - x, points[row, 1] - y, points[row, 2] - z
        xx += dx * dx
        yy += dy * dy
        zz += dz * dz
    out[0], out[1], out[2], out[3], out[4] = n, x, y, z, t / n
    out[5], out[6], out[7], out[8], out[9] = xx, yy, zz, low, high


@njit(nogil=True, cache=True, error_model="numpy")
def _merge(out, new):  # type: ignore[no-untyped-def]
    n, n_new = out[0], new[0]
    if n == 0:
        out[:] = new
        return
    total = n + n_new
    for axis in range(3):
        delta = new[1 + axis] - out[1 + axis]
        out[5 + axis] += new[5 + axis] + delta * delta * (n * n_new / total)
    for column in range(1, 5):
        out[column] += (new[column] - out[column]) * (n_new / total)
    out[0] = total
    out[8], out[9] = min(out[8], new[8]), max(out[9], new[9])


@njit(nogil=True, cache=True, error_model="numpy")
def _merge_runs(runs, group, out):  # type: ignore[no-untyped-def]
    for run in range(len(runs)):
        _merge(out[group[run]], runs[run])
