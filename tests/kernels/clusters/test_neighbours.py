"""Counts and nearest points against all pairs and scipy."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.spatial import cKDTree

from mfxarray.kernels.clusters.neighbours import count_within, make_forest, search_nearest
from tests.point_clouds import KINDS, all_pairs, points_of_kind

NOBODY = np.iinfo(np.int64).max


def nearest(
    points: np.ndarray, group: np.ndarray, k: int = 1, rows: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    known = np.arange(len(points)) if rows is None else rows
    forest = make_forest(points, known, group, int(group.max(initial=0)) + 1)
    squared, found = np.full((len(points), k), np.inf), np.full((len(points), k), NOBODY)
    search_nearest(forest, points, known, group, squared, found)
    return squared, found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_nearest_of_all_pairs(kind: str, axes: int) -> None:
    rng = np.random.default_rng(axes)
    points, rows = points_of_kind(kind, 300, axes, rng), rng.permutation(1000)[:300]
    for groups, k in ((1, 1), (4, 1), (4, 6), (200, 2)):
        group = rng.integers(0, groups, 300)
        pairs = all_pairs(points)
        pairs[(group[:, np.newaxis] != group) | np.eye(300, dtype=bool)] = np.inf
        names = np.where(np.isinf(pairs), NOBODY, rows)
        order = np.lexsort((names, pairs), axis=1)[:, :k]
        squared, found = nearest(points, group, k, rows)
        np.testing.assert_array_equal(squared, np.take_along_axis(pairs, order, axis=1))
        np.testing.assert_array_equal(found, np.take_along_axis(names, order, axis=1))


def test_several_searches_one_after_the_other() -> None:
    rng = np.random.default_rng(0)
    points, rows = rng.integers(0, 5, (400, 2)) * 1.0, np.arange(400)
    group = np.zeros(400, np.int64)
    squared, found = np.full((400, 3), np.inf), np.full((400, 3), NOBODY)
    for part in np.array_split(rng.permutation(400), 5):
        forest = make_forest(points[part], rows[part], group[part], 1)
        search_nearest(forest, points, rows, group, squared, found)
    wanted = nearest(points, group, 3)
    np.testing.assert_array_equal(squared, wanted[0])
    np.testing.assert_array_equal(found, wanted[1])


def test_many_points_as_scipy() -> None:
    rng = np.random.default_rng(1)
    points = np.concatenate([rng.random((5000, 3)), rng.normal(size=(5000, 3)) * 1e-6])
    squared, found = nearest(points, np.zeros(len(points), np.int64))
    distance, row = cKDTree(points).query(points, 2)
    np.testing.assert_allclose(np.sqrt(squared[:, 0]), distance[:, 1], rtol=1e-15)
    np.testing.assert_array_equal(found[:, 0], row[:, 1])


def test_equal_points_do_not_take_the_square_of_their_number() -> None:
    points, group = np.zeros((40_000, 3)), np.zeros(40_000, np.int64)
    nearest(points[:100], group[:100])
    started = time.process_time()
    squared, found = nearest(points, group, rows=np.random.default_rng(0).permutation(40_000))
    assert time.process_time() - started < 3
    assert (squared == 0).all()
    assert np.unique(found).tolist() == [0, 1]


def test_nobody() -> None:
    squared, found = nearest(np.zeros((1, 3)), np.zeros(1, np.int64), 2)
    assert np.isinf(squared).all()
    assert (found == NOBODY).all()
    assert nearest(np.empty((0, 3)), np.empty(0, np.int64))[0].shape == (0, 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("radius", [0.1, 0.125, 3.0])
def test_counts_of_all_pairs(kind: str, radius: float) -> None:
    rng = np.random.default_rng(2)
    points, group, asked = (
        points_of_kind(kind, 300, 3, rng),
        rng.integers(0, 3, 300),
        rng.random(300) < 0.5,
    )
    near = all_pairs(points) <= radius * radius
    np.testing.assert_array_equal(count_within(points, radius), near.sum(axis=1) - 1)
    same = near & (group[:, np.newaxis] == group)
    wanted = np.where(asked, same.sum(axis=1) - 1, 0)
    np.testing.assert_array_equal(count_within(points, radius, asked, group), wanted)
    assert count_within(points[:0], radius).shape == (0,)
