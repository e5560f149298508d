"""Streams of random numbers: reproducible, apart from each other, even."""

from __future__ import annotations

import numpy as np
from scipy import stats

from mfxarray.kernels.clusters.kmeans import kmeans_start, random_start
from mfxarray.kernels.clusters.streams import begin_stream, next_uniform, stream_names


def numbers_of(name, count):
    state = np.empty(1, np.uint64)
    begin_stream(name, state)
    return np.array([next_uniform(state) for _ in range(count)])


def test_streams_are_reproducible_and_apart():
    names = stream_names(3, np.array([0, 0, 1, -1]), np.array([1, 2, 1, 1]))
    streams = [numbers_of(name, 50) for name in names]
    np.testing.assert_array_equal(streams[0], numbers_of(names[0], 50))
    for one in range(4):
        for other in range(one):
            assert not np.isin(streams[one], streams[other]).any()
    other_seed = stream_names(4, np.array([0]), np.array([1]))[0]
    assert not np.isin(numbers_of(other_seed, 50), streams[0]).any()


def test_numbers_are_even_within_and_over_streams():
    within = numbers_of(stream_names(0, np.zeros(1, int))[0], 20_000)
    firsts = [numbers_of(name, 1)[0] for name in stream_names(0, np.arange(20_000))]
    for values in (within, firsts):
        assert stats.kstest(values, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(within[1:], within[:-1])[0, 1]) < 0.03


def test_starts_are_responsibilities():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(c, 1, (20, 2)) for c in (0, 50, 100)])
    resp, state = np.empty((60, 3)), np.array([5], np.uint64)
    kmeans_start(x, resp, state)
    np.testing.assert_array_equal(resp.sum(axis=1), 1)
    # three groups far apart are found
    np.testing.assert_array_equal(np.sort(resp.sum(axis=0)), [20, 20, 20])
    assert (resp.reshape(3, 20, 3).max(axis=1).sum(axis=1) == 1).all()
    random_start(resp, state)
    np.testing.assert_allclose(resp.sum(axis=1), 1)
    assert (resp > 0).all()


def test_starts_of_equal_points():
    resp = np.empty((4, 3))
    kmeans_start(np.ones((4, 2)), resp, np.zeros(1, np.uint64))
    np.testing.assert_array_equal(resp.sum(axis=1), 1)
