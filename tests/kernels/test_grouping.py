"""The sequential rule, by hand and against plain Python, for every cut into blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfxarray.kernels.grouping import (
    MAX_ITERATIONS,
    RecordKeys,
    Scan,
    last_number,
    number_records,
    start_state,
)


def keys_of(n, **columns) -> RecordKeys:
    kinds = {"keep": bool, "vld": bool, "tid": "i8", "thi": "u1", "sqi": "i8", "itr": "i8"}
    kinds |= {"fnl": bool}
    default = {"keep": True, "vld": True}
    made = {}
    for name, kind in kinds.items():
        value = columns.get(name, default.get(name, 0))
        made[name] = np.ascontiguousarray(np.broadcast_to(np.asarray(value, kind), n))
    return RecordKeys(**made)


def numbered(keys: RecordKeys, keep=None, size=None) -> list[int]:
    n = len(keys.tid)
    keep = keys.keep if keep is None else keep
    state = start_state(0)
    found = []
    for start in range(0, n, size or max(n, 1)):
        part = slice(start, start + (size or n))
        found += number_records(keys.take(part), keep[part], state).tolist()
    return found


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"itr": [0, 1, 2, 3, 4], "fnl": [0, 0, 0, 0, 1]}, [0, 0, 0, 0, 0]),
        # head-started tail after a whole one
        ({"itr": [0, 1, 2, 1, 2]}, [0, 0, 0, 1, 1]),
        # tracking: the same single iteration again and again; a strict test would give one
        ({"itr": [0, 1, 3, 3, 3]}, [0, 0, 0, 1, 2]),
        # aborted, then the next of the same trace: rising numbers fall back
        ({"itr": [0, 1, 0, 1, 2]}, [0, 0, 1, 1, 1]),
        # another trace with a rising number
        ({"itr": [0, 1, 2, 3], "tid": [5, 5, 6, 6]}, [0, 0, 1, 1]),
        # completed at a number below the one that follows
        ({"itr": [0, 1, 2, 3], "fnl": [0, 1, 0, 1]}, [0, 0, 1, 1]),
        # another sequence
        ({"itr": [0, 1, 2, 3], "sqi": [0, 0, 1, 1]}, [0, 0, 1, 1]),
        # traces without their head
        ({"itr": [3, 3, 3], "tid": [1, 2, 3]}, [0, 1, 2]),
        # dropped records neither begin nor end anything
        ({"itr": [0, 7, 1], "keep": [1, 0, 1], "tid": [1, 9, 1]}, [0, -1, 0]),
    ],
)
def test_rule_by_hand(columns, expected):
    keys = keys_of(len(expected), **columns)
    assert numbered(keys) == expected
    for size in range(1, len(expected)):
        assert numbered(keys, size=size) == expected


def plain(keys: RecordKeys) -> list[int]:
    found, number, last = [], -1, None
    for row in range(len(keys.tid)):
        if not keys.keep[row]:
            found.append(-1)
            continue
        here = [int(column[row]) for column in (keys.tid, keys.sqi, keys.itr, keys.fnl)]
        if last is None or here[:2] != last[:2] or here[2] <= last[2] or last[3]:
            number += 1
        found.append(number)
        last = here
    return found


@st.composite
def some_keys(draw):
    n = draw(st.integers(0, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return keys_of(
        n,
        keep=rng.random(n) < 0.8,
        vld=rng.random(n) < 0.8,
        tid=np.sort(rng.integers(0, 5, n)),
        thi=rng.integers(0, draw(st.integers(1, 3)), n),
        sqi=rng.random(n) < 0.1,
        itr=rng.integers(0, 5, n),
        fnl=rng.random(n) < 0.2,
    )


@settings(max_examples=60, deadline=None)
@given(some_keys(), st.integers(1, 41))
def test_numbers_equal_plain_python_for_every_block_size(keys, size):
    assert numbered(keys, size=size) == plain(keys)


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


def test_the_last_number():
    state = start_state(7)
    assert last_number(state) == 6
    number_records(keys_of(3), np.ones(3, bool), state)
    assert last_number(state) == 9
