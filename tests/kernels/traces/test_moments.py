"""Moments of runs against numpy, and the same bits for every cut."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfxarray.kernels.traces.moments import (
    BLOCK,
    Column,
    join_pieces,
    merge_runs,
    piece_of,
    run_moments,
    run_starts,
    run_sums,
)


def values_of(n, seed=0):
    rng = np.random.default_rng(seed)
    return 1e-5 + 1e-9 * rng.normal(size=(n, 3)), rng.random(n)


def check(row, xyz, tim):
    assert row[Column.N] == len(xyz)
    np.testing.assert_allclose(row[Column.MEAN], xyz.mean(0), rtol=1e-14)
    np.testing.assert_allclose(row[Column.M2], xyz.var(0) * len(xyz), rtol=1e-9, atol=0)
    np.testing.assert_allclose(row[Column.MEAN_TIME], tim.mean(), rtol=1e-14)
    assert row[Column.START] == tim.min()
    assert row[Column.END] == tim.max()


def test_runs_equal_numpy():
    xyz, tim = values_of(1000)
    starts = np.array([0, 1, 10, 500, 999])
    found = run_moments(xyz, tim, starts)
    for row, part, times in zip(
        found, np.split(xyz, starts[1:]), np.split(tim, starts[1:]), strict=True
    ):
        check(row, part, times)


def test_spread_survives_a_large_offset():
    # sums of squares would lose half the digits here
    xyz = np.full((10_000, 3), 1e-5)
    xyz[::2] += 1e-12
    found = run_moments(xyz, np.zeros(10_000), np.array([0]))[0]
    assert found[Column.M2][0] / found[Column.N] == pytest.approx(0.25e-24, rel=1e-4)


def test_a_long_run_is_merged_from_blocks():
    xyz, tim = values_of(3 * BLOCK + 17)
    check(run_moments(xyz, tim, np.array([0]))[0], xyz, tim)


def test_nothing():
    found = run_moments(np.empty((0, 3)), np.empty(0), np.empty(0, np.int64))
    assert found.shape == (0, Column.WIDTH)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_pieces_give_the_same_bits(data):
    n = data.draw(st.sampled_from([1, 5, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 100]))
    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=6)))
    xyz, tim = values_of(n, seed=n)
    pieces = [
        piece_of(xyz[start:stop], tim[start:stop], start)
        for start, stop in pairwise([0, *cuts, n])
        if stop > start
    ]
    assert join_pieces(pieces).tobytes() == run_moments(xyz, tim, np.array([0])).tobytes()


def test_a_piece_keeps_no_block_alive():
    xyz, tim = values_of(10 * BLOCK)
    piece = piece_of(xyz, tim, 5)
    assert not np.shares_memory(piece.head, xyz)
    assert not np.shares_memory(piece.tail, xyz)
    assert len(piece.head) + len(piece.tail) < 2 * BLOCK


def test_groups_of_runs():
    xyz, tim = values_of(90)
    runs = run_moments(xyz, tim, np.array([0, 30, 60]))
    found = merge_runs(runs, np.array([1, 0, 1]), 2)
    check(found[0], xyz[30:60], tim[30:60])
    check(found[1], np.delete(xyz, slice(30, 60), 0), np.delete(tim, slice(30, 60)))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 2), max_size=30), st.sampled_from(["i4", "i8", "u4"]))
def test_starts_of_runs(values, dtype):
    key = np.array(values, dtype)
    wanted = [row for row in range(len(key)) if row == 0 or key[row] != key[row - 1]]
    assert run_starts(key).tolist() == wanted


@pytest.mark.parametrize("dtype", ["u1", "i4", "u4", "i8"])
def test_sums_of_runs(dtype):
    values = np.random.default_rng(0).integers(0, 200, 60).astype(dtype)
    values[:3] = np.iinfo(dtype).max // 4
    starts = np.array([0, 1, 7, 59])
    found = run_sums(values, starts)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, np.add.reduceat(values.astype(np.int64), starts))
    np.testing.assert_array_equal(run_sums(np.repeat(values, 2)[::2], starts), found)
    assert run_sums(values[:0], starts[:0]).shape == (0,)
