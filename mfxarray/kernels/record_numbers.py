"""Which localization each record belongs to, decided with the memory of one record a thread.

A record begins a localization if it is the first of its thread, if its trace or its sequence is
another one than before, if its iteration number did not rise, or if the record before completed
the sequence. Each condition alone has a blind spot: completion misses aborted localizations,
completion and trace miss an aborted localization before another one of the same trace, and the
iteration number misses a change of trace with rising numbers.

Plain numpy, so that opening a file whose index is known does not wait for a compiler.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = [
    "MAX_ITERATIONS",
    "MAX_THREADS",
    "RecordKeys",
    "last_number",
    "number_records",
    "start_state",
]

Array = np.ndarray[Any, Any]

MAX_ITERATIONS = 256
MAX_THREADS = 256

# columns of the state
_SEEN, _TID, _SQI, _ITR, _FNL, _COUNT = 0, 1, 2, 3, 4, 5
_WIDTH = 6


@dataclass(frozen=True)
class RecordKeys:
    """The fields of records that decide about localizations, each contiguous, shape (n,).

    Attributes
    ----------
    keep
        Whether the record belongs to the view, bool.
    vld
        Whether the record passed its checks, bool.
    tid
        Trace, int64.
    thi
        Thread, uint8.
    sqi
        Sequence, int64.
    itr
        Iteration number, int64.
    fnl
        Whether the record completed the sequence, bool.
    """

    keep: Array
    vld: Array
    tid: Array
    thi: Array
    sqi: Array
    itr: Array
    fnl: Array

    def take(self, chosen: Array | slice) -> RecordKeys:
        """Return the keys of some of the records, in that order."""
        columns = (self.keep, self.vld, self.tid, self.thi, self.sqi, self.itr, self.fnl)
        return RecordKeys(*(np.ascontiguousarray(column[chosen]) for column in columns))


def start_state(localization: int) -> Array:
    """Return the state of `number_records` before the first record of a localization."""
    state = np.zeros(_WIDTH, np.int64)
    state[_COUNT] = localization
    return state


def last_number(state: Array) -> int:
    """Return the number of the localization of the last record that `number_records` saw."""
    return int(state[_COUNT]) - 1


def number_records(keys: RecordKeys, keep: Array, state: Array) -> Array:
    """Return the number of the localization of each record of one thread, -1 for dropped ones.

    Parameters
    ----------
    keys
        Records, shape (n,).
    keep
        Which of them count, bool.
    state
        From `start_state`; carries the last record from block to block.
    """
    numbers = np.full(len(keys.tid), -1, np.int64)
    kept = np.flatnonzero(keep)
    if not len(kept):
        return numbers
    columns = (keys.tid, keys.sqi, keys.itr, keys.fnl)
    # all records count in most files
    tid, sqi, itr, fnl = columns if len(kept) == len(keep) else (part[kept] for part in columns)
    begins = np.empty(len(kept), np.bool_)
    begins[1:] = (tid[1:] != tid[:-1]) | (sqi[1:] != sqi[:-1]) | (itr[1:] <= itr[:-1]) | fnl[:-1]
    same = state[_SEEN] and state[_TID] == tid[0] and state[_SQI] == sqi[0]
    begins[0] = not same or itr[0] <= state[_ITR] or state[_FNL]
    numbers[kept] = np.cumsum(begins) + last_number(state)
    state[:] = (1, tid[-1], sqi[-1], itr[-1], fnl[-1], numbers[kept[-1]] + 1)
    return numbers
