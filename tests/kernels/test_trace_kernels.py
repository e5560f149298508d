"""Small kernels of traces against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from mfxarray.kernels.traces.aggregation import group_starts, weighted_means
from mfxarray.kernels.traces.density import neighbour_density
from mfxarray.kernels.traces.known import known_rows
from mfxarray.kernels.traces.moments import run_moments
from mfxarray.kernels.traces.settling import first_settled
from mfxarray.kernels.traces.spreads import trace_spreads


@pytest.mark.parametrize("width", [2, 3])
def test_known_rows(width):
    rng = np.random.default_rng(0)
    position, selected = rng.normal(size=(500, width)), rng.random(500) < 0.7
    position[rng.random(position.shape) < 0.1] = np.nan
    position[0] = np.inf
    wanted = selected & ~np.isnan(position).any(axis=1)
    np.testing.assert_array_equal(known_rows(selected, position), wanted)
    np.testing.assert_array_equal(known_rows(selected, np.asfortranarray(position)), wanted)
    assert known_rows(selected[:0], position[:0]).shape == (0,)


@pytest.mark.parametrize("flat", [False, True])
def test_density_of_all_pairs(flat):
    rng = np.random.default_rng(1)
    points = rng.random((600, 3)) * [3.0, 5.0, 0.0 if flat else 2.0]
    points[:3] = points[3]
    wanted = np.exp(-4 * np.log(2) * (cdist(points, points) / 0.3) ** 2).sum(axis=1) - 1
    np.testing.assert_allclose(neighbour_density(points, 0.3), wanted, atol=600 * 1e-7)
    assert neighbour_density(points[:0], 0.3).shape == (0,)
    assert neighbour_density(points[:1], 0.3).tolist() == [0.0]


def test_density_far_apart_and_all_in_one_cell():
    points = np.array([[0, 0, 0], [1e-3, 1e-3, 1e-3], [1e-3 + 1e-9, 1e-3, 1e-3]])
    found = neighbour_density(points, 2e-9)
    np.testing.assert_allclose(found, [0, 0.5, 0.5], rtol=1e-6)
    np.testing.assert_allclose(neighbour_density(points, 1.0), 2, rtol=1e-4)


def test_density_depends_neither_on_order_nor_on_far_points():
    rng = np.random.default_rng(5)
    points, group = rng.random((800, 3)), rng.integers(0, 2, 800)
    all_of_them = neighbour_density(points, 0.2)
    order = rng.permutation(800)
    np.testing.assert_array_equal(neighbour_density(points[order], 0.2), all_of_them[order])
    asked = points[:, 0] < 0.2
    near = points[:, 0] < 0.2 + 2.5 * 0.2
    np.testing.assert_array_equal(
        neighbour_density(points[near], 0.2, asked[near]), np.where(asked, all_of_them, 0)[near]
    )
    apart = neighbour_density(points, 0.2, group=group)
    for number in range(2):
        one = group == number
        np.testing.assert_array_equal(apart[one], neighbour_density(points[one], 0.2))


def test_where_runs_settle():
    rng = np.random.default_rng(2)
    xyz = rng.normal(size=(40, 3)) * 1e-9
    xyz[[0, 1, 20]] += 1e-6
    starts = np.array([0, 20, 39])
    found = first_settled(xyz, starts, 3e-7)
    for number, part in enumerate(np.split(xyz, starts[1:])):
        close = cdist(part, part).mean(axis=1) < 3e-7
        assert found[number] == (np.argmax(close) if close.any() else len(part))
    assert found.tolist() == [2, 1, 0]


def groups_by_hand(photons, threshold):
    starts, gathered = [0], 0
    for row, count in enumerate(photons):
        gathered += count
        if gathered >= threshold and row + 1 < len(photons):
            starts.append(row + 1)
            gathered = 0
    return starts


@pytest.mark.parametrize("threshold", [1, 300, 10_000])
def test_groups(threshold):
    rng = np.random.default_rng(3)
    lengths = rng.integers(1, 20, 30)
    starts = np.cumsum(lengths) - lengths
    photons = rng.integers(0, 200, lengths.sum())
    found, counts = group_starts(photons, starts, threshold)
    by_hand = [groups_by_hand(part, threshold) for part in np.split(photons, starts[1:])]
    assert counts.tolist() == [len(part) for part in by_hand]
    wanted = [start + first for start, part in zip(starts, by_hand, strict=True) for first in part]
    assert found.tolist() == wanted


def test_weighted_means():
    rng = np.random.default_rng(4)
    columns, weights = 1e-5 + rng.normal(size=(60, 2)) * 1e-9, rng.random(60)
    starts = np.array([0, 1, 30])
    columns[40, 0] = np.nan
    weights[0], columns[1:3, 1] = 0.0, np.nan
    found = weighted_means(columns, weights, starts)
    for run, (start, stop) in enumerate([(0, 1), (1, 30), (30, 60)]):
        for column in range(2):
            values = columns[start:stop, column].astype(np.longdouble)
            known = ~np.isnan(values)
            own = weights[start:stop][known] if start else np.ones(known.sum())
            wanted = (values[known] * own).sum() / own.sum()
            np.testing.assert_allclose(found[run, column], float(wanted), rtol=1e-15)
    assert np.isnan(weighted_means(np.full((2, 1), np.nan), np.ones(2), np.zeros(1, int))).all()


@pytest.mark.parametrize("axes", [None, (0, 1), (2,)])
@pytest.mark.parametrize(("ddof", "single", "least"), [(0, np.nan, 1), (1, np.nan, 1), (1, 0.0, 3)])
def test_spreads(axes, ddof, single, least):
    rng = np.random.default_rng(5)
    lengths = np.array([1, 2, 3, 17, 40])
    starts = np.cumsum(lengths) - lengths
    xyz = rng.normal(size=(lengths.sum(), 3)) * 1e-9 + 1e-5
    xyz[:, 2] = 3.3e-6  # never measured
    moments = run_moments(xyz, np.zeros(len(xyz)), starts)
    spread, pooled, error, pooled_error = trace_spreads(moments, ddof, single, least, axes)
    for trace, part in enumerate(np.split(xyz, starts[1:])):
        n = len(part)
        wanted = part.std(axis=0, ddof=ddof) if n > ddof else np.full(3, single)
        np.testing.assert_allclose(spread[trace], wanted, rtol=1e-9, atol=1e-20)
        both = np.sqrt((wanted[list(axes or (0, 1))] ** 2).mean()) if n > 1 else wanted[0]
        np.testing.assert_allclose(pooled[trace], both, rtol=1e-9, atol=1e-20)
        root = np.sqrt(n) if n >= least else np.nan
        np.testing.assert_allclose(error[trace], spread[trace] / root, rtol=1e-15)
        np.testing.assert_allclose(pooled_error[trace], pooled[trace] / root, rtol=1e-15)
