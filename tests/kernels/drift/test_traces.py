"""Traces as points, each place of a window weighing about one."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from mfxarray.kernels.drift.points import Lattice, Windows
from mfxarray.kernels.drift.traces import MOST_NEAR, Traces, near_counts, trace_table


def test_near_counts_are_those_of_a_tree():
    rng = np.random.default_rng(0)
    position, number = rng.uniform(0, 300e-9, (400, 3)), rng.integers(-1, 3, 400)
    found = near_counts(position, number, 30e-9)
    expected = np.ones(400, int)
    for window in range(3):
        own = number == window
        tree = cKDTree(position[own])
        expected[own] = tree.query_ball_point(position[own], 30e-9, return_length=True)
    np.testing.assert_array_equal(found, expected)


def test_a_site_visited_often_weighs_as_one():
    rng = np.random.default_rng(1)
    often = rng.normal(0, 1e-9, (200, 3))
    once = np.array([[500e-9, 0.0, 0.0]])
    traces = Traces(np.concatenate([often, once]), np.full(201, 5.0))
    table = trace_table(traces, Windows(0.0, 10.0, 1, True), Lattice(1e-9, 2, 8), 10e-9)
    near = table[:, 2] < 250
    # no trace weighs less than one of the most that are told apart
    assert table[near, 1].sum() <= 200 * max(MOST_NEAR // 64, 1)
    assert table[~near, 1].sum() == MOST_NEAR
    ten = Traces(often[:10], np.full(10, 5.0))
    own = trace_table(ten, Windows(0.0, 10.0, 1, True), Lattice(1e-9, 2, 8), 20e-9)
    assert abs(own[:, 1].sum() - MOST_NEAR) <= 10


def test_centroids_of_weighted_traces_are_theirs():
    position = np.array([[0.3e-9, 0.7e-9, 0.0], [100.5e-9, 50.25e-9, 0.0]])
    traces = Traces(position, np.zeros(2))
    table = trace_table(traces, Windows(0.0, 1.0, 1, True), Lattice(1e-9, 2, 8), 5e-9)
    for axis in (0, 1):
        at = np.sort(table[:, 2 + axis] + table[:, 4 + axis] / table[:, 1] / 16)
        np.testing.assert_allclose(at * 1e-9, np.sort(position[:, axis]), atol=0.04e-9)


def test_moved_and_within():
    traces = Traces(np.array([[1.0, 2.0, 3.0], [9.0, 2.0, 3.0]]), np.array([0.0, 1.0]))
    assert traces.moved(np.ones((2, 3))).position.tolist() == [[0, 1, 2], [8, 1, 2]]
    assert traces.within(((0.0, 5.0),)).time.tolist() == [0.0]
    assert len(traces.within(()).time) == 2
