"""Where the localizations of flat records begin, counted and marked thread by thread in one pass.

The rule is that of `record_numbers`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numba import njit

from mfxarray.kernels.record_numbers import MAX_ITERATIONS, MAX_THREADS, RecordKeys

__all__ = ["Scan"]

Array = np.ndarray[Any, Any]

# a mark waits for the start of a trace, but not for ever
_PATIENCE = 4

# columns of the state of a thread
_SEEN, _TID, _SQI, _ITR, _FNL, _VLD = 0, 1, 2, 3, 4, 5
_COUNT, _MARK_COUNT, _MARK_ROW, _RUNS, _FALLS, _END, _KEPT = 6, 7, 8, 9, 10, 11, 12
_WIDTH = 13


@dataclass
class Scan:
    """What one pass over the records found; blocks are given in order to `feed`.

    Attributes
    ----------
    step
        Wished localizations between marks.
    row_step
        Wished rows between marks, for tables that are mostly invalid.
    state
        Per thread: the last record, and counts.
    ended
        Localizations whose last record is valid, by the iteration number of that record.
    top
        Largest iteration number of all records, kept or not; -1 for none.
    marks
        Blocks of rows (thread, localization of the thread, row, whether a trace begins there).
    """

    step: int
    row_step: int
    state: Array = field(default_factory=lambda: np.zeros((MAX_THREADS, _WIDTH), np.int64))
    ended: Array = field(default_factory=lambda: np.zeros(MAX_ITERATIONS, np.int64))
    top: int = -1
    marks: list[Array] = field(default_factory=list)

    def feed(self, keys: RecordKeys, first_row: int) -> int:
        """Go on with a block whose first record is ``first_row``.

        Returns
        -------
        int
            Place in the block of the first record whose iteration number is not in 0 to 255,
            where the pass stopped; -1 where there is none.
        """
        # room for a mark at each record costs nothing: memory that is not touched is not taken
        marks = np.empty((len(keys.tid) + 1, 4), np.int64)
        count, top, bad = _scan(
            keys.keep,
            keys.vld,
            keys.tid,
            keys.thi,
            keys.sqi,
            keys.itr,
            keys.fnl,
            first_row,
            self.step,
            self.row_step,
            self.state,
            self.ended,
            marks,
        )
        self.top = max(self.top, int(top))
        self.marks.append(marks[:count].copy())
        return int(bad)

    @property
    def threads(self) -> Array:
        """Numbers of the threads that have records, ascending."""
        return np.flatnonzero(self.state[:, _SEEN])

    @property
    def counts(self) -> Array:
        """Localizations of these threads."""
        return self.state[self.threads, _COUNT]

    @property
    def ends(self) -> Array:
        """Row after the last one of these threads."""
        return self.state[self.threads, _END]

    @property
    def n_kept(self) -> int:
        """Number of records that count."""
        return int(self.state[:, _KEPT].sum())

    @property
    def n_runs(self) -> int:
        """Number of runs of records of one trace, in all threads."""
        return int(self.state[:, _RUNS].sum())

    @property
    def falls(self) -> bool:
        """Whether the trace number fell somewhere within a thread."""
        return bool(self.state[:, _FALLS].any())

    def n_complete(self) -> int:
        """Return how many localizations end, valid, with the last iteration of all."""
        if self.top < 0:
            return 0
        last = self.state[self.threads]
        still_open = (last[:, _ITR] == self.top) & (last[:, _VLD] == 1)
        return int(self.ended[self.top]) + int(np.count_nonzero(still_open))


@njit(nogil=True, cache=True)
def _begins(last, tid, sqi, itr):  # type: ignore[no-untyped-def]
    return (
        last[_SEEN] == 0
        or last[_TID] != tid
        or last[_SQI] != sqi
        or itr <= last[_ITR]
        or last[_FNL] != 0
    )


@njit(nogil=True, cache=True)
def _scan(  # type: ignore[no-untyped-def]
    keep, vld, tid, thi, sqi, itr, fnl, first_row, step, row_step, states, ended, marks
):
    count = 0
    top = -1
    for row in range(len(tid)):
        number = itr[row]
        if number < 0 or number >= MAX_ITERATIONS:
            return count, top, row
        top = max(top, number)
        if not keep[row]:
            continue
        state = states[thi[row]]
        if _begins(state, tid[row], sqi[row], number):
            count += _begin(
                state, thi[row], tid[row], first_row + row, step, row_step, marks[count]
            )
            if state[_SEEN] and state[_VLD]:
                ended[state[_ITR]] += 1
        state[_SEEN] = 1
        state[_TID] = tid[row]
        state[_SQI] = sqi[row]
        state[_ITR] = number
        state[_FNL] = fnl[row]
        state[_VLD] = vld[row]
        state[_END] = first_row + row + 1
        state[_KEPT] += 1
    return count, top, -1


@njit(nogil=True, cache=True)
def _begin(state, thread, tid, row, step, row_step, mark):  # type: ignore[no-untyped-def]
    """Count a localization, and mark it where it is time to: returns 1 if it did."""
    first = state[_SEEN] == 0
    starts_trace = first or state[_TID] != tid
    if starts_trace:
        state[_RUNS] += 1
        state[_FALLS] += not first and tid < state[_TID]
    number = state[_COUNT]
    state[_COUNT] += 1
    since = number - state[_MARK_COUNT]
    rows = row - state[_MARK_ROW]
    due = since >= step or rows >= row_step
    overdue = since >= _PATIENCE * step or rows >= _PATIENCE * row_step
    if not (first or overdue or (due and starts_trace)):
        return 0
    state[_MARK_COUNT] = number
    state[_MARK_ROW] = row
    mark[0] = thread
    mark[1] = number
    mark[2] = row
    mark[3] = starts_trace
    return 1
