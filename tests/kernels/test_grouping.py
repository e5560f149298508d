"""The pass that counts and marks localizations, against the rule in plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfxarray.kernels.grouping import Scan
from mfxarray.kernels.record_numbers import MAX_ITERATIONS
from tests.kernels.record_samples import keys_of, plain, some_keys


@settings(max_examples=60, deadline=None)
@given(some_keys(), st.integers(1, 41), st.integers(1, 5))
def test_scan_counts_each_thread_by_itself(keys, size, step):
    scan = Scan(step, 64 * step)
    for start in range(0, len(keys.tid), size):
        assert scan.feed(keys.take(slice(start, start + size)), start) == -1
    assert scan.top == max(keys.itr.tolist(), default=-1)
    assert scan.n_kept == keys.keep.sum()
    assert scan.threads.tolist() == sorted(set(keys.thi[keys.keep].tolist()))
    complete = 0
    for thread, count, end in zip(scan.threads, scan.counts, scan.ends, strict=True):
        mine = np.flatnonzero(keys.keep & (keys.thi == thread))
        numbers = plain(keys.take(mine))
        assert count == numbers[-1] + 1
        assert end == mine[-1] + 1
        lasts = dict(zip(numbers, mine, strict=True))
        complete += sum(keys.itr[row] == scan.top and keys.vld[row] for row in lasts.values())
        firsts = dict(zip(reversed(numbers), reversed(mine.tolist()), strict=True))
        marks = [mark for mark in np.concatenate(scan.marks).tolist() if mark[0] == thread]
        assert marks[0][1:] == [0, mine[0], 1]
        for _, number, row, _trace in marks:
            assert firsts[number] == row
        between = np.diff([mark[1] for mark in marks] + [int(count)])
        assert (between <= 4 * step).all()
    assert scan.n_complete() == complete


def test_marks_prefer_starts_of_traces_but_do_not_wait_for_ever():
    short = keys_of(30, tid=np.arange(30) // 5)
    scan = Scan(4, 10**6)
    scan.feed(short, 100)
    assert scan.marks[0][:, 1].tolist() == [0, 5, 10, 15, 20, 25]
    assert scan.marks[0][:, 2].tolist() == [100, 105, 110, 115, 120, 125]
    assert scan.marks[0][:, 3].all()
    long = Scan(4, 10**6)
    long.feed(keys_of(40), 0)
    assert long.marks[0][:, 1].tolist() == [0, 16, 32]
    assert long.marks[0][:, 3].tolist() == [1, 0, 0]


def test_marks_come_by_rows_where_few_records_count():
    keep = np.zeros(1000, bool)
    keep[::100] = True
    scan = Scan(1000, 200)
    scan.feed(keys_of(1000, keep=keep, tid=np.arange(1000)), 0)
    assert scan.marks[0][:, 2].tolist() == [0, 200, 400, 600, 800]


@pytest.mark.parametrize("number", [-1, MAX_ITERATIONS, 2**40, -(2**63)])
def test_scan_stops_at_an_impossible_iteration(number):
    itr = np.zeros(5, np.int64)
    itr[3] = number
    assert Scan(4, 100).feed(keys_of(5, itr=itr), 0) == 3
    # dropped records are looked at too
    assert Scan(4, 100).feed(keys_of(5, itr=itr, keep=False), 0) == 3


def test_falls_and_runs():
    scan = Scan(4, 100)
    scan.feed(keys_of(6, tid=[1, 1, 3, 2, 2, 1]), 0)
    assert (scan.n_runs, scan.falls) == (4, True)
    scan = Scan(4, 100)
    # each thread rises
    scan.feed(keys_of(6, tid=[5, 1, 5, 2, 6, 3], thi=[0, 1, 0, 1, 0, 1]), 0)
    assert (scan.n_runs, scan.falls) == (5, False)
