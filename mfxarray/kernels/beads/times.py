"""Mean time of every trace, exact in integers, so that no cut into pieces changes a bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["TimeSums", "join_sums", "mean_times", "time_sums", "times_of_rows"]

Array = np.ndarray[Any, Any]

# 7.5 ns; a trace may have 7e10 rows x seconds before 64 bits are too few
_TICKS_PER_S = float(2**27)


@dataclass(frozen=True)
class TimeSums:
    """Traces of a piece, in order of their ids.

    Attributes
    ----------
    ids
        Shape (trace,), int64.
    count
        Rows, shape (trace,), int64.
    start
        Some tick near the times of the trace, shape (trace,), int64.
    ticks
        Sum of ticks after ``start``, shape (trace,), int64.
    """

    ids: Array = field(repr=False)
    count: Array = field(repr=False)
    start: Array = field(repr=False)
    ticks: Array = field(repr=False)


def time_sums(tid: Array, tim: Array, used: Array) -> TimeSums:
    """Return the sums of the used rows.

    Parameters
    ----------
    tid, tim, used
        Shapes (row,); rows whose time is not finite are left out.
    """
    used = used & np.isfinite(tim)
    if not used.all():
        tid, tim = tid[used], tim[used]
    if not len(tid):
        return TimeSums(*np.zeros((4, 0), np.int64))
    ticks = np.rint(tim * _TICKS_PER_S).astype(np.int64)
    first = np.flatnonzero(np.concatenate([[True], tid[1:] != tid[:-1]]))
    count = np.diff(np.append(first, len(tid)))
    start = ticks[first]
    # seen from the start of the trace, so that sums of long traces stay within 64 bits
    sums = np.add.reduceat(ticks - np.repeat(start, count), first)
    return _merged(tid[first].astype(np.int64), count, start, sums)


def join_sums(parts: Sequence[TimeSums]) -> TimeSums:
    """Return the sums of all pieces together."""
    columns = ("ids", "count", "start", "ticks")
    return _merged(*(np.concatenate([getattr(part, name) for part in parts]) for name in columns))


def _merged(ids: Array, count: Array, start: Array, ticks: Array) -> TimeSums:
    order = np.argsort(ids, kind="stable")
    ids, count, start, ticks = (column[order] for column in (ids, count, start, ticks))
    first = np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]])) if len(ids) else order
    if len(first) == len(ids):
        return TimeSums(ids, count, start, ticks)
    origin = start[first]
    pieces = np.diff(np.append(first, len(ids)))
    moved = ticks + count * (start - np.repeat(origin, pieces))
    return TimeSums(
        ids[first], np.add.reduceat(count, first), origin, np.add.reduceat(moved, first)
    )


def mean_times(sums: TimeSums) -> Array:
    """Return the mean time of every trace, seconds, shape (trace,)."""
    whole, rest = np.divmod(sums.ticks, sums.count)
    return np.asarray(((sums.start + whole) + rest / sums.count) / _TICKS_PER_S)


def times_of_rows(tid: Array, ids: Array, means: Array) -> Array:
    """Return the mean time of the trace of every row, NaN where the trace has none.

    Parameters
    ----------
    tid
        Shape (row,).
    ids, means
        Traces in order of their ids, shape (trace,).
    """
    if not len(tid) or not len(ids):
        return np.full(len(tid), np.nan)
    first = np.flatnonzero(np.concatenate([[True], tid[1:] != tid[:-1]]))
    wanted = tid[first].astype(np.int64)
    place = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    found = np.where(ids[place] == wanted, means[place], np.nan)
    return np.repeat(found, np.diff(np.append(first, len(tid))))
