"""Two levels against every possible split."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfxarray.kernels.tracking.two_levels import LevelColumn, two_levels


@given(st.lists(st.integers(-50, 50), min_size=3, max_size=15))
@settings(max_examples=200, deadline=None)
def test_no_split_is_better(values):
    own = np.sort(np.array(values, float))
    row = two_levels(np.array(values, float), np.array([0]))[0]
    splits = [(own[:n], own[n:]) for n in range(1, len(own))]
    best = min(sum(((part - part.mean()) ** 2).sum() for part in split) for split in splits)
    assert row[LevelColumn.SPREAD] ** 2 * (len(own) - 2) == pytest.approx(best, abs=1e-9)
    assert row[LevelColumn.N_LOW] + row[LevelColumn.N_HIGH] == len(own)
    below = own[: int(row[LevelColumn.N_LOW])]
    assert row[LevelColumn.LOW] == pytest.approx(below.mean(), abs=1e-12)


def test_two_rings():
    rng = np.random.default_rng(0)
    low, high = rng.normal(-25, 3, 40), rng.normal(25, 3, 20)
    values = np.concatenate([high, [np.nan], low])
    row = two_levels(values + 1e5, np.array([0]))[0]
    np.testing.assert_allclose(row[:2] - 1e5, [low.mean(), high.mean()], atol=1e-9)
    assert row[3:].tolist() == [40, 20]
    assert row[LevelColumn.SPREAD] == pytest.approx(3, rel=0.3)


def test_too_few_values():
    assert np.isnan(two_levels(np.array([1.0, 2.0, np.nan]), np.array([0]))).all()
    assert two_levels(np.empty(0), np.empty(0, np.int64)).shape == (0, LevelColumn.WIDTH)


def test_clusters_are_apart():
    values = np.array([0.0, 0, 10, 5, 5, 5, 6])
    table = two_levels(values, np.array([0, 3]))
    np.testing.assert_allclose(table[:, :2], [[0, 10], [5, 6]])
