"""Clusters of strips against scikit-learn: the same number for every point."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfxarray.chunked.dbscan import dbscan
from mfxarray.testing import raise_if_computes
from tests.point_clouds import (
    KINDS,
    as_chunks,
    labels_of_pairs,
    labels_of_sklearn,
    points_of_kind,
)


def labels(
    points: np.ndarray, used: np.ndarray, chunk: int, *groups: np.ndarray, **choices: object
) -> np.ndarray:
    given_ = np.where(used[:, np.newaxis], points, np.nan)
    columns = [as_chunks(group, chunk) for group in groups]
    found = dbscan(as_chunks(used, chunk), as_chunks(given_, chunk), columns, **choices)
    return found.compute(scheduler="synchronous")


SETS = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(KINDS),
        "n": st.integers(1, 120),
        "axes": st.sampled_from([2, 3]),
        "seed": st.integers(0, 2**32 - 1),
        "eps": st.sampled_from([0.1, 0.1, 0.125, 0.05, 0.2, 0.1 * 2**0.5, 0.5, 1e3]),
        "min_samples": st.integers(1, 6),
        "offset": st.sampled_from([0.0, 0.0, 1.0, -3.0, 1e4]),
        "left_out": st.sampled_from([0.0, 0.0, 0.2]),
        "strips": st.integers(1, 9),
        "chunk": st.integers(7, 130),
    }
)


def check(one: dict) -> None:
    rng = np.random.default_rng(one["seed"])
    points = points_of_kind(one["kind"], one["n"], one["axes"], rng) + one["offset"]
    used = rng.random(one["n"]) >= one["left_out"]
    wanted = np.full(one["n"], -1)
    wanted[used] = labels_of_sklearn(points[used], one["eps"], one["min_samples"])
    choices = {name: one[name] for name in ("eps", "min_samples", "strips")}
    np.testing.assert_array_equal(labels(points, used, one["chunk"], **choices), wanted)


@given(SETS)
@settings(max_examples=200, deadline=None)
def test_as_scikit_learn(one: dict) -> None:
    check(one)


@pytest.mark.slow
@given(SETS)
@settings(max_examples=1000, deadline=None)
def test_as_scikit_learn_a_thousand_times(one: dict) -> None:
    check(one)


@given(SETS, st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_groups_are_apart(one: dict, groups: int) -> None:
    rng = np.random.default_rng(one["seed"])
    points = points_of_kind(one["kind"], one["n"], one["axes"], rng)
    first, second = rng.integers(-1, groups, (2, one["n"]))
    choices = {name: one[name] for name in ("eps", "min_samples")}
    used = np.ones(one["n"], bool)
    found = labels(points, used, one["chunk"], first, second, strips=one["strips"], **choices)
    wanted = labels_of_pairs(points, group=first * 10 + second, **choices)
    np.testing.assert_array_equal(found, wanted)


def test_the_rule_at_the_last_bit() -> None:
    # 3-4-5 triangles on a grid whose step is not exact: some distances are just above 5 steps
    step = 0.1
    grid = np.stack(np.meshgrid(np.arange(9), np.arange(9)), -1).reshape(-1, 2) * step
    eps = 5 * step
    used = np.ones(len(grid), bool)
    for min_samples in (1, 20, 40, 50):
        found = labels(grid, used, 20, eps=eps, min_samples=min_samples, strips=3)
        np.testing.assert_array_equal(found, labels_of_pairs(grid, eps, min_samples))


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("eps", [0.02, 0.05, 0.2, 10.0])
def test_strips_chunks_and_files_change_nothing(axes: int, eps: float) -> None:
    rng = np.random.default_rng(axes)
    points = rng.random((3000, axes)) * [4.0, 1.0, 0.3][:axes]
    used = rng.random(3000) < 0.9
    wanted = np.full(3000, -1)
    wanted[used] = labels_of_sklearn(points[used], eps, 4)
    for chunk, strips, disk in [(3000, 1, False), (700, 5, True), (211, 40, False)]:
        found = labels(points, used, chunk, eps=eps, min_samples=4, strips=strips, disk=disk)
        np.testing.assert_array_equal(found, wanted)


def test_a_cluster_along_all_strips_and_borders_between_clusters() -> None:
    # a snake that leaves and enters every strip, and points between its windings
    along = np.linspace(0, 12 * np.pi, 2400)
    snake = np.stack([np.sin(along), along / 40], axis=1)
    points = np.concatenate([snake, snake[::40] + np.array([0.0, 0.011])])[
        np.random.default_rng(0).permutation(2460)
    ]
    used = np.ones(len(points), bool)
    for eps, min_samples in [(0.0199, 3), (0.012, 3), (0.08, 5)]:
        wanted = labels_of_sklearn(points, eps, min_samples)
        for strips in (1, 13, 64):
            found = labels(points, used, 999, eps=eps, min_samples=min_samples, strips=strips)
            np.testing.assert_array_equal(found, wanted)


def test_borders_whose_clusters_join_beyond_the_strip() -> None:
    # two clusters are one by a bridge far off; a border point lies between both and a third
    rng = np.random.default_rng(3)
    for _ in range(4):
        points = rng.random((150, 2)) * [6.0, 0.5]
        for min_samples in (5, 6, 7):
            wanted = labels_of_sklearn(points, 0.2, min_samples)
            found = labels(
                points, np.ones(150, bool), 40, eps=0.2, min_samples=min_samples, strips=25
            )
            np.testing.assert_array_equal(found, wanted)


def test_many_equal_points_are_quick() -> None:
    points = np.repeat([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.05]], 40_000, axis=0)
    found = labels(points, np.ones(len(points), bool), 30_000, eps=0.1, min_samples=5, strips=3)
    np.testing.assert_array_equal(found, np.repeat([0, 1, 1], 40_000))


def test_a_field_too_large_for_one_number_a_cell() -> None:
    rng = np.random.default_rng(5)
    points = rng.integers(-4, 5, (600, 3)) * 0.25 + rng.normal(scale=0.01, size=(600, 3))
    points[::7] += 0.05
    eps = 1e-9
    near = points[::2] + np.array([0.0, 0.5e-9, 0.0])
    both = np.concatenate([points, near])
    wanted = labels_of_sklearn(both, eps, 2)
    assert wanted.max() == 299
    for strips in (1, 6):
        found = labels(both, np.ones(len(both), bool), 200, eps=eps, min_samples=2, strips=strips)
        np.testing.assert_array_equal(found, wanted)


def test_nothing_used_and_one_point() -> None:
    points = np.zeros((5, 3))
    nobody = np.zeros(5, bool)
    assert (labels(points, nobody, 2, eps=1.0, min_samples=1, strips=3) == -1).all()
    one = nobody.copy()
    one[3] = True
    assert labels(points, one, 2, eps=1.0, min_samples=1).tolist() == [-1, -1, -1, 0, -1]
    assert (labels(points, one, 2, eps=1.0, min_samples=2) == -1).all()


def test_schedulers_and_laziness() -> None:
    rng = np.random.default_rng(2)
    points = da.from_array(rng.random((4000, 3)), (600, 3))
    used = da.ones(4000, chunks=600, dtype=bool)
    with raise_if_computes():
        found = dbscan(used, points, eps=0.06, min_samples=4, strips=7)
    assert found.chunks == used.chunks
    assert found.dtype == np.int64
    alone = found.compute(scheduler="synchronous")
    assert alone.max() > 5
    with dask.config.set(num_workers=2):
        np.testing.assert_array_equal(found.compute(scheduler="threads"), alone)
