"""Pairs of windows that contradict the others do not count."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mfxarray.kernels.drift.graph import agree, groups_of, solve_partly


def pairs_of(n):
    return np.array([(a, b) for a in range(n) for b in range(a + 1, n)])


def test_groups_are_connected_components():
    rng = np.random.default_rng(0)
    for _ in range(30):
        pairs = rng.integers(0, 12, (7, 2))
        graph = coo_array((np.ones(7), pairs.T), shape=(12, 12))
        n, expected = connected_components(graph, directed=False)
        found = groups_of(pairs, 12)
        assert len(np.unique(found)) == n
        assert len(np.unique(np.stack([found, expected]), axis=1).T) == n


def test_wrong_pairs_are_left_out():
    rng = np.random.default_rng(1)
    truth = rng.normal(0, 20, (8, 3))
    truth -= truth.mean(axis=0)
    pairs = pairs_of(8)
    shifts = truth[pairs[:, 1]] - truth[pairs[:, 0]]
    wrong = [3, 11, 20]
    shifts[wrong] += [[60.0, 0, 0], [0, -45.0, 0], [30.0, 30.0, 30.0]]
    values, weights = agree(pairs, shifts, np.ones(28), np.full(28, 4.0), 8)
    np.testing.assert_allclose(values, truth, atol=1e-9)
    assert np.flatnonzero(weights == 0).tolist() == wrong


def test_pairs_that_agree_all_count():
    truth = np.arange(15.0).reshape(5, 3)
    pairs = pairs_of(5)
    shifts = truth[pairs[:, 1]] - truth[pairs[:, 0]] + 0.5
    _, weights = agree(pairs, shifts, np.ones(10), np.full(10, 4.0), 5)
    assert (weights == 1).all()


def test_windows_apart_take_what_is_near():
    pairs = np.array([[0, 1], [1, 2], [3, 4]])
    shifts = np.array([[10.0, 0, 0], [10.0, 0, 0], [99.0, 0, 0]])
    found = solve_partly(pairs, shifts, np.ones(3), 5)[:, 0]
    np.testing.assert_allclose(found - found[0], [0, 10, 20, 20, 20])
    assert found.mean() == 0
    np.testing.assert_array_equal(solve_partly(pairs, shifts, np.zeros(3), 5), 0.0)
