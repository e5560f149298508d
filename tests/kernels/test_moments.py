"""Moments of runs against numpy, and the same bits for every cut."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfxarray.kernels.moments import BLOCK, Moments, join_pieces, merge_runs, piece_of, run_moments


def values_of(n, seed=0):
    rng = np.random.default_rng(seed)
    return 1e-5 + 1e-9 * rng.normal(size=(n, 4))


def equal(first: Moments, second: Moments) -> bool:
    return all(
        np.array_equal(getattr(first, name), getattr(second, name))
        for name in ("n", "mean", "m2", "low", "high")
    )


def test_runs_equal_numpy():
    values = values_of(1000)
    starts = np.array([0, 1, 10, 500, 999])
    found = run_moments(values, starts)
    for row, part in enumerate(np.split(values, starts[1:])):
        assert found.n[row] == len(part)
        np.testing.assert_allclose(found.mean[row], part.mean(0), rtol=1e-15)
        np.testing.assert_allclose(found.m2[row], part.var(0) * len(part), rtol=1e-9, atol=0)
        np.testing.assert_array_equal(found.low[row], part.min(0))
        np.testing.assert_array_equal(found.high[row], part.max(0))


def test_spread_survives_a_large_offset():
    # sums of squares would lose half the digits here
    values = np.full((10_000, 1), 1e-5)
    values[::2] += 1e-12
    found = run_moments(values, np.array([0]))
    assert found.m2[0, 0] / found.n[0] == pytest.approx(0.25e-24, rel=1e-4)


def test_a_long_run_is_merged_from_blocks():
    values = values_of(3 * BLOCK + 17)
    found = run_moments(values, np.array([0]))
    np.testing.assert_allclose(found.mean[0], values.mean(0), rtol=1e-14)
    np.testing.assert_allclose(found.m2[0], values.var(0) * len(values), rtol=1e-9)


def test_nothing():
    found = run_moments(np.empty((0, 3)), np.empty(0, np.int64))
    assert len(found) == 0
    assert found.mean.shape == (0, 3)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_pieces_give_the_same_bits(data):
    n = data.draw(st.sampled_from([1, 5, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 100]))
    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=6)))
    values = values_of(n, seed=n)
    bounds = [0, *cuts, n]
    pieces = [
        piece_of(values[start:stop], start) for start, stop in pairwise(bounds) if stop > start
    ]
    assert equal(join_pieces(pieces), run_moments(values, np.array([0])))


def test_a_piece_keeps_no_block_alive():
    values = values_of(10 * BLOCK)
    piece = piece_of(values, 5)
    assert piece.head.base is None
    assert piece.tail.base is None
    assert piece_of(values[:3], 5).head.base is None


def test_groups_of_runs():
    values = values_of(90)
    runs = run_moments(values, np.array([0, 30, 60]))
    found = merge_runs(runs, np.array([1, 0, 1]), 2)
    both = np.concatenate([values[:30], values[60:]])
    assert found.n.tolist() == [30, 60]
    np.testing.assert_allclose(found.mean[1], both.mean(0), rtol=1e-15)
    np.testing.assert_allclose(found.m2[1], both.var(0) * 60, rtol=1e-9)
    np.testing.assert_array_equal(found.low[1], both.min(0))


def test_take_and_concatenate():
    runs = run_moments(values_of(40), np.array([0, 10, 20]))
    assert equal(Moments.concatenate([runs.take(slice(0, 1)), runs.take([1, 2])]), runs)
