"""Tables of points on the lattice: sums are exact, the order does not matter."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.kernels.drift.points import (
    STEPS,
    Lattice,
    Windows,
    join_tables,
    make_table,
    rows_of_strips,
)


def points(n=500, dimensions=2, seed=0):
    rng = np.random.default_rng(seed)
    position = rng.uniform(-50e-9, 50e-9, (n, 3))
    return position, rng.integers(-1, 4, n).astype(np.int32)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_localizations_and_centroids_are_kept(dimensions):
    position, number = points()
    lattice = Lattice(10e-9, dimensions, 3)
    table = make_table(position, number, lattice)
    assert table.dtype == np.int32
    assert table[:, 1].sum() == (number >= 0).sum()
    assert (table[:, 1] > 1).any()
    for window in range(4):
        own = table[table[:, 0] == window]
        place = position[number == window]
        d = dimensions
        steps = own[:, 2 : 2 + d].astype(float) * STEPS * own[:, [1]] + own[:, 2 + d :]
        found = steps.sum(axis=0) / own[:, 1].sum() * lattice.pixel / STEPS
        np.testing.assert_allclose(found, place[:, :d].mean(axis=0), atol=0.05e-9)
    # one row a window and pixel
    assert len(np.unique(table[:, [0, *range(2, 2 + d)]], axis=0)) == len(table)


def test_parts_join_to_the_same_table_in_any_order():
    position, number = points()
    lattice = Lattice(10e-9, 3, 3)
    whole = make_table(position, number, lattice)
    cuts = [slice(300, 500), slice(0, 120), slice(120, 300)]
    parts = [make_table(position[cut], number[cut], lattice) for cut in cuts]
    np.testing.assert_array_equal(join_tables(parts, lattice), whole)


def test_sorted_by_strip_window_and_x():
    position, number = points(2000)
    lattice = Lattice(2e-9, 2, 5)
    table = make_table(position, number, lattice)
    keys = np.stack([table[:, 3] // 5, table[:, 0], table[:, 2]], axis=1).tolist()
    assert keys == sorted(keys)
    part = rows_of_strips(table, lattice, -2, 1)
    inside = (table[:, 3] >= -10) & (table[:, 3] < 5)
    np.testing.assert_array_equal(part, table[inside])
    assert np.shares_memory(part, table)


def test_nothing_inside_is_an_empty_table():
    position, number = points(5)
    lattice = Lattice(2e-9, 2, 5)
    table = make_table(position, np.full_like(number, -1), lattice)
    assert table.shape == (0, lattice.columns)
    assert len(join_tables([table, table], lattice)) == 0


def test_far_positions_are_refused():
    lattice = Lattice(1e-9, 2, 5)
    with pytest.raises(ValueError, match="too far from 0"):
        make_table(np.array([[1.0, 0, 0]]), np.zeros(1, np.int32), lattice)


def test_a_field_of_too_many_pixels_is_refused():
    corners = np.array([[-0.1, -0.1, -0.1], [0.1, 0.1, 0.1]])
    with pytest.raises(ValueError, match="too large for a pixel"):
        make_table(corners, np.array([0, 1], np.int32), Lattice(2e-9, 3, 5))


def test_windows_are_half_open_and_the_last_one_closed_if_wished():
    tim = np.array([-0.1, 0.0, 9.99, 10.0, 29.9, 30.0, 30.1, np.nan])
    open_ended = Windows(0.0, 10.0, 3, False)
    np.testing.assert_array_equal(open_ended.number_of(tim), [-1, 0, 0, 1, 2, -1, -1, -1])
    closed = Windows(0.0, 10.0, 3, True)
    np.testing.assert_array_equal(closed.number_of(tim), [-1, 0, 0, 1, 2, 2, -1, -1])
    assert closed.stop == 30.0
