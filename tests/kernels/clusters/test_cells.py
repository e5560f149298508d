"""Cells: every point once, and whatever is near lies in the runs around."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from mfxarray.kernels.clusters.cells import (
    Cells,
    around_cell,
    around_column,
    extents,
    make_cells,
    number_groups,
    pointers,
    some,
)
from tests.point_clouds import KINDS, all_pairs, points_of_kind


@njit
def pairs_of(one, other, out):
    """Mark which points of the other cells are looked at for each point."""
    walk, near, ends, starts, stops = pointers(other)
    for column in range(len(one.columns)):
        columns = around_column(one.columns[column], other, walk, near, ends)
        for cell in range(one.column_firsts[column], one.column_firsts[column + 1]):
            runs = around_cell(one.levels[cell], other, columns, near, ends, starts, stops)
            for point in range(one.firsts[cell], one.firsts[cell + 1]):
                for run in range(runs):
                    for k in range(other.firsts[starts[run]], other.firsts[stops[run]]):
                        out[one.order[point], other.order[k]] += 1


def looked_at(one: Cells, other: Cells, n: int) -> np.ndarray:
    out = np.zeros((n, n), np.int64)
    pairs_of(one, other, out)
    return out


def cell_of_points(cells: Cells) -> np.ndarray:
    out = np.empty(len(cells.order), np.int64)
    out[cells.order] = np.repeat(np.arange(len(cells.levels)), np.diff(cells.firsts))
    return out


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("reach", [1, 2])
def test_what_is_near_is_looked_at_once(kind: str, axes: int, reach: int) -> None:
    points = points_of_kind(kind, 150, axes, np.random.default_rng(axes)) + 1.0
    radius = 0.1
    cells = make_cells(points, radius / reach * (1 + 1e-7), reach)
    np.testing.assert_array_equal(np.sort(cells.order), np.arange(150))
    np.testing.assert_array_equal(
        np.stack([cells.x, cells.y, cells.z], axis=1)[:, :axes], points[cells.order]
    )
    seen = looked_at(cells, cells, 150)
    assert seen.max() == 1
    assert seen[np.sqrt(all_pairs(points)) <= radius].all()


@pytest.mark.parametrize("kind", KINDS)
def test_points_of_a_cell_are_near_and_keep_their_order(kind: str) -> None:
    points = points_of_kind(kind, 300, 3, np.random.default_rng(1))
    cells = make_cells(points, 0.1, 2)
    which = cell_of_points(cells)
    for cell in range(len(cells.levels)):
        members = np.flatnonzero(which == cell)
        assert np.ptp(points[members], axis=0).max() < 0.1 * (1 + 1e-8)
        first, last = cells.firsts[cell], cells.firsts[cell + 1]
        np.testing.assert_array_equal(cells.order[first:last], members)


def test_fields_of_any_size() -> None:
    # 1e30 cells on a plain grid
    rng = np.random.default_rng(2)
    homes = rng.random((400, 3)) * [1.0, 2.0, 3.0]
    points = np.concatenate([homes, homes + rng.normal(scale=3e-11, size=(400, 3))])
    group = rng.integers(0, 2, 800)
    cells = make_cells(points, 1e-10, 2)
    seen = looked_at(cells, cells, 800)
    near = np.sqrt(all_pairs(points)) <= 2e-10 * (1 - 1e-7)
    assert near.sum() > 1400
    assert seen[near].all()
    assert seen.sum() < 3000
    apart = looked_at(*[make_cells(points, 1e-10, 2, group)] * 2, 800)
    same = group[:, np.newaxis] == group
    assert not apart[~same].any()
    assert apart[near & same].all()


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_groups_never_meet(axes: int) -> None:
    rng = np.random.default_rng(3)
    points, group = rng.random((200, axes)), rng.integers(0, 5, 200)
    cells = make_cells(points, 0.3, 2, group)
    seen = looked_at(cells, cells, 200)
    same = group[:, np.newaxis] == group
    assert not seen[~same].any()
    assert seen[same & (np.sqrt(all_pairs(points)) < 0.6)].all()


def test_some_points() -> None:
    rng = np.random.default_rng(4)
    points = rng.random((300, 3))
    cells = make_cells(points, 0.08, 2)
    chosen = rng.random(300) < 0.3
    few = some(cells, chosen)
    np.testing.assert_array_equal(few.order, cells.order[chosen])
    assert (np.diff(few.firsts) > 0).all()
    assert (np.diff(few.column_firsts) > 0).all()
    everything = looked_at(cells, cells, 300)
    kept = np.zeros(300, bool)
    kept[few.order] = True
    np.testing.assert_array_equal(looked_at(few, few, 300), everything * kept * kept[:, np.newaxis])
    np.testing.assert_array_equal(looked_at(few, cells, 300), everything * kept[:, np.newaxis])
    none = some(cells, np.zeros(300, bool))
    assert len(none.order) == len(none.levels) == len(none.columns) == 0
    assert looked_at(cells, none, 300).sum() == 0


def test_no_points() -> None:
    cells = make_cells(np.empty((0, 3)), 1.0, 2)
    assert cells.firsts.tolist() == [0]
    assert cells.column_firsts.tolist() == [0]
    assert extents(np.empty((0, 2))).tolist() == [0, 0]


def test_numbers_of_groups() -> None:
    assert number_groups([]) is None
    one, two = np.array([5, 5, -1, 5]), np.array([2**40, 7, 7, 2**40])
    np.testing.assert_array_equal(number_groups([one]), [1, 1, 0, 1])
    np.testing.assert_array_equal(number_groups([one, two]), [2, 1, 0, 2])
    assert number_groups([one[:0]]).shape == (0,)
