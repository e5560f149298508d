"""Displacements of close pairs against all pairs counted with numpy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mfxarray.kernels.drift.lags import Search, count_lags
from mfxarray.kernels.drift.points import STEPS, Lattice, make_table


def sample(dimensions, n=400, windows=4, seed=0):
    rng = np.random.default_rng(seed)
    position = rng.uniform(-60e-9, 60e-9, (n, 3))
    number = rng.integers(0, windows, n).astype(np.int32)
    lattice = Lattice(2e-9, dimensions, 4)
    return make_table(position, number, lattice), lattice


def every_pair(table, lattice, search):
    """Return the same counts, all pairs of points one by one."""
    d, n = lattice.dimensions, 2 * search.reach + 1
    count = table[:, 1]
    mean = np.floor((table[:, 2 + d :] + count[:, None] / 2) / count[:, None])
    fine = table[:, 2 : 2 + d] * STEPS + np.minimum(mean, STEPS - 1)
    found = np.zeros((len(search.pairs()), *([n] * d)), np.int64)
    for number, (a, b) in enumerate(search.pairs()):
        one, two = table[:, 0] == a, table[:, 0] == b
        # positions are x, y, z; lags z, y, x
        delta = (fine[two][None] - fine[one][:, None])[..., ::-1].reshape(-1, d)
        weights = (count[one][:, None].astype(np.int64) * count[two][None]).ravel()
        for corner in itertools.product((0, 1), repeat=d):
            whole = np.floor(delta / STEPS) + corner
            share = (STEPS - np.abs(delta - whole * STEPS)).prod(axis=1).astype(np.int64)
            place = (whole + search.reach).astype(int)
            inside = ((place >= 0) & (place < n)).all(axis=1)
            np.add.at(found[number], tuple(place[inside].T), (weights * share)[inside])
    return found if d == 3 else found[:, None]


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("distance", [1, 4])
def test_equals_all_pairs(dimensions, distance):
    table, lattice = sample(dimensions)
    search = Search(7, 4, distance)
    found = count_lags(table, lattice, search, (-50, 50))
    np.testing.assert_array_equal(found, every_pair(table, lattice, search))
    assert found.sum() > 100


@pytest.mark.parametrize("dimensions", [2, 3])
def test_bands_add_up(dimensions):
    table, lattice = sample(dimensions)
    search = Search(7, 4, 4)
    whole = count_lags(table, lattice, search, (-50, 50))
    around = search.strips(lattice)
    strips = table[:, 3] // lattice.strip
    total = np.zeros_like(whole)
    for first, stop in [(-50, -2), (-2, 0), (0, 3), (3, 50)]:
        near = table[(strips >= first - around) & (strips < stop + around)]
        total += count_lags(near, lattice, search, (first, stop))
    np.testing.assert_array_equal(total, whole)


def test_batches_of_windows_are_parts_of_the_whole():
    table, lattice = sample(2)
    search = Search(7, 4, 4)
    whole = count_lags(table, lattice, search, (-50, 50))
    parts = [count_lags(table, lattice, search, (-50, 50), a, a + 1) for a in range(4)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_the_place_of_the_field_does_not_matter():
    rng = np.random.default_rng(4)
    position, number = rng.uniform(0, 80e-9, (200, 3)), rng.integers(0, 2, 200).astype(np.int32)
    lattice, search = Lattice(2e-9, 2, 4), Search(7, 2, 2)
    lags = [
        count_lags(make_table(position + move, number, lattice), lattice, search, strips)
        for move, strips in [(0.0, (-50, 50)), (-2.048e-5, (-2700, -2500))]
    ]
    np.testing.assert_array_equal(*lags)


def test_without_points_nothing_is_counted():
    lattice = Lattice(2e-9, 2, 4)
    empty = np.zeros((0, lattice.columns), np.int32)
    assert not count_lags(empty, lattice, Search(3, 3, 3), (0, 5)).any()
    assert len(count_lags(empty, lattice, Search(3, 3, 3), (0, 5), 2, 3)) == 0


def test_pairs_are_within_the_distance():
    np.testing.assert_array_equal(Search(1, 3, 1).pairs(), [[0, 1], [1, 2]])
    assert len(Search(1, 10, 10).pairs()) == 45
