"""The sequential rule, by hand and against plain Python, for every cut into blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfxarray.kernels.record_numbers import (
    RecordKeys,
    last_number,
    number_records,
    start_state,
)
from tests.kernels.record_samples import keys_of, plain, some_keys


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


@settings(max_examples=60, deadline=None)
@given(some_keys(), st.integers(1, 41))
def test_numbers_equal_plain_python_for_every_block_size(keys, size):
    assert numbered(keys, size=size) == plain(keys)


def test_the_last_number():
    state = start_state(7)
    assert last_number(state) == 6
    number_records(keys_of(3), np.ones(3, bool), state)
    assert last_number(state) == 9
