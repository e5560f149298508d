"""Points by place: strips with margins give what all points at once give."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest
from scipy.spatial import cKDTree

import mfxarray as mfx
from mfxarray.chunked.strips import Cut, Strip, cut_strips, sum_over_strips, values_by_strips
from mfxarray.testing import raise_if_computes

REACH = 0.05


def neighbours(strip: Strip, *, reach: float = REACH) -> np.ndarray:
    tree = cKDTree(strip.points)
    return np.array(
        tree.query_ball_point(strip.points[strip.own], reach, return_length=True), np.int64
    ).reshape(-1)


def truth(points: np.ndarray, used: np.ndarray, reach: float = REACH) -> np.ndarray:
    out = np.full(len(points), -1)
    if used.any():
        tree = cKDTree(points[used])
        out[used] = tree.query_ball_point(points[used], reach, return_length=True)
    return out


def cut_of(
    points: np.ndarray, used: np.ndarray, chunk: int, *columns: np.ndarray, **choices: object
) -> Cut:
    return cut_strips(
        da.from_array(used, chunk),
        da.from_array(points, (chunk, -1)),
        [da.from_array(column, chunk) for column in columns],
        **{"halo": REACH, **choices},
    )


@pytest.fixture(scope="module")
def cloud() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    points, used = rng.random((3000, 3)), rng.random(3000) < 0.8
    points[~used] = np.nan
    return points, used


@pytest.mark.parametrize("chunk", [3000, 700, 97])
@pytest.mark.parametrize("strips", [None, 1, 3, 40])
@pytest.mark.parametrize("disk", [True, False])
def test_neighbours_are_all_seen(
    cloud: tuple[np.ndarray, np.ndarray], chunk: int, strips: int | None, disk: bool
) -> None:
    cut = cut_of(*cloud, chunk, strips=strips, disk=disk)
    found = values_by_strips(neighbours, cut, dtype=np.int64, fill=-1)
    assert found.chunks == (cut.chunks,)
    np.testing.assert_array_equal(found.compute(), truth(*cloud))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_longest_axis_is_cut(cloud: tuple[np.ndarray, np.ndarray], axis: int) -> None:
    points = cloud[0].copy()
    points[:, axis] *= 3
    cut = cut_of(points, cloud[1], 500, strips=4)
    strips = dask.threaded.get(cut.tasks | _layers(cut), cut.keys)
    assert {strip.axis for strip in strips} == {axis}
    counts = [int(strip.own.sum()) for strip in strips]
    assert sum(counts) == cloud[1].sum()
    assert max(counts) < 2 * min(counts)


def _layers(cut: Cut) -> dict[object, object]:
    found: dict[object, object] = {}
    for array in cut.inputs:
        found |= dict(array.__dask_graph__())
    return found


def test_points_at_the_very_distance_are_in_the_margin() -> None:
    # a grid with the reach as its step: every neighbour is at exactly that distance or just off it
    step = 0.1
    grid = np.stack(np.meshgrid(*[np.arange(12) * step] * 2, indexing="ij"), -1).reshape(-1, 2)
    used = np.ones(len(grid), bool)
    work = partial(neighbours, reach=step)
    for strips in (2, 5, 11, 60):
        cut = cut_of(grid, used, 50, halo=step, strips=strips)
        found = values_by_strips(work, cut, dtype=np.int64, fill=-1).compute()
        np.testing.assert_array_equal(found, truth(grid, used, step))


def test_equal_points_and_more_strips_than_points() -> None:
    points = np.repeat([[0.5, 0.5, 0.5]], 7, axis=0)
    cut = cut_of(points, np.ones(7, bool), 2, strips=20)
    found = values_by_strips(neighbours, cut, dtype=np.int64, fill=-1).compute()
    np.testing.assert_array_equal(found, np.full(7, 7))


def test_nothing_used() -> None:
    points = np.full((10, 3), np.nan)
    cut = cut_of(points, np.zeros(10, bool), 4, strips=3)
    found = values_by_strips(lambda strip: np.zeros(0, np.int64), cut, dtype=np.int64, fill=-1)
    np.testing.assert_array_equal(found.compute(), np.full(10, -1))


def test_columns_and_rows_travel(cloud: tuple[np.ndarray, np.ndarray]) -> None:
    numbers = np.arange(3000) * 2
    cut = cut_of(*cloud, 400, numbers, strips=5)

    def pair(strip: Strip) -> np.ndarray:
        assert (np.diff(strip.rows) > 0).all()
        return np.stack([strip.rows[strip.own], strip.columns[0][strip.own]], axis=1)

    found = values_by_strips(pair, cut, dtype=np.int64, fill=-1, width=2).compute()
    rows = np.flatnonzero(cloud[1])
    np.testing.assert_array_equal(found[rows], np.stack([rows, rows * 2], axis=1))
    assert (found[~cloud[1]] == -1).all()


@pytest.mark.parametrize("strips", [1, 4, 13])
def test_sums(cloud: tuple[np.ndarray, np.ndarray], strips: int) -> None:
    cut = cut_of(*cloud, 700, strips=strips)

    def histogram(strip: Strip) -> np.ndarray:
        return np.bincount(neighbours(strip), minlength=64)[:64]

    found = sum_over_strips(histogram, cut, shape=(64,), dtype=np.int64).compute()
    all_of_them = truth(*cloud)
    np.testing.assert_array_equal(found, np.bincount(all_of_them[cloud[1]], minlength=64)[:64])


def test_building_computes_nothing(cloud: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    with raise_if_computes(), mfx.set_options(scratch_folder=tmp_path):
        cut = cut_of(*cloud, 700, strips=4, disk=True)
        found = values_by_strips(neighbours, cut, dtype=np.int64, fill=-1)
    assert not list(tmp_path.iterdir())
    found.compute()
    assert len(list(tmp_path.iterdir())) == 1


def test_the_scheduler_does_not_matter(cloud: tuple[np.ndarray, np.ndarray]) -> None:
    cut = cut_of(*cloud, 300, strips=6)
    found = values_by_strips(neighbours, cut, dtype=np.int64, fill=-1)
    alone = found.compute(scheduler="synchronous")
    np.testing.assert_array_equal(alone, found.compute(scheduler="threads"))
    np.testing.assert_array_equal(alone, found.compute(scheduler="processes", num_workers=1))
