"""The most frequent label of groups against a count of each."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mfxarray.kernels.clusters.grouped_modes import dense_ranks, grouped_modes

ROWS = st.lists(st.tuples(st.integers(-2, 4), st.integers(-1, 3)), max_size=40)


@given(ROWS)
def test_equals_a_count(rows):
    groups, labels = np.array(rows, np.int64).reshape(-1, 2).T
    found_groups, modes = grouped_modes(groups, labels)
    wanted = {}
    for name in sorted(set(groups.tolist())):
        counts = Counter(labels[groups == name].tolist())
        most = max(counts.values())
        tied = [label for label, count in counts.items() if count == most]
        wanted[name] = min(tied, key=lambda label: (label < 0, label))
    assert dict(zip(found_groups.tolist(), modes.tolist(), strict=True)) == wanted


@given(ROWS)
def test_groups_of_two_columns(rows):
    groups, labels = np.array(rows, np.int64).reshape(-1, 2).T
    two = np.column_stack([groups, groups * 0 + 7])
    names, modes = grouped_modes(two, labels)
    plain, wanted = grouped_modes(groups, labels)
    np.testing.assert_array_equal(names[:, 0], plain)
    np.testing.assert_array_equal(modes, wanted)


def test_ties():
    groups = np.array([0, 0, 1, 1, 2, 2, 2])
    labels = np.array([-1, 5, 4, 2, -1, -1, 0])
    np.testing.assert_array_equal(grouped_modes(groups, labels)[1], [5, 2, -1])


def test_ranks():
    starts = np.array([0, 4, 6])
    groups = np.array([9, 5, 9, 7, 3, 3, 8, 2])
    wanted = np.array([1, 1, 1, 0, 0, 0, 1, 1], bool)
    ranks, counts = dense_ranks(starts, groups, wanted)
    np.testing.assert_array_equal(ranks, [1, 0, 1, -1, -1, -1, 1, 0])
    np.testing.assert_array_equal(counts, [2, 0, 2])
    assert not len(dense_ranks(starts[:0], groups[:0], wanted[:0])[0])
