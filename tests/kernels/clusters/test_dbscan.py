"""Steps of clustering, each against all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components

from mfxarray.kernels.clusters.cells import some
from mfxarray.kernels.clusters.dbscan import border_clusters, cluster_cells, components, core_points
from tests.point_clouds import KINDS, all_pairs, points_of_kind

EPS = 0.1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("min_samples", [1, 3, 8])
def test_core_points(kind: str, min_samples: int) -> None:
    points = points_of_kind(kind, 250, 3, np.random.default_rng(0))
    cells = cluster_cells(points, EPS)
    wanted = (all_pairs(points) <= EPS * EPS).sum(axis=1) >= min_samples
    found = core_points(cells, EPS, min_samples, np.ones(250, bool))
    np.testing.assert_array_equal(found, wanted[cells.order])
    asked = np.arange(250) % 3 == 0
    np.testing.assert_array_equal(core_points(cells, EPS, min_samples, asked), found & asked)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axes", [2, 3])
def test_components(kind: str, axes: int) -> None:
    points = points_of_kind(kind, 400, axes, np.random.default_rng(1))
    cells = cluster_cells(points, EPS)
    part = connected_components(all_pairs(points) <= EPS * EPS)[1]
    first = np.array([np.flatnonzero(part == number)[0] for number in part])
    found = np.repeat(components(cells, EPS), np.diff(cells.firsts))
    np.testing.assert_array_equal(found, first[cells.order])


def test_large_cells_side_by_side() -> None:
    # piles of many points just too far apart, and one pair that is not
    rng = np.random.default_rng(2)
    left, right = rng.random((2, 3000, 2)) * 0.02
    points = np.concatenate([left, right + np.array([0.1201, 0.0])])
    cells = cluster_cells(points, EPS)
    assert len(set(components(cells, EPS))) == 2
    points = np.concatenate([points, [[0.06, 0.0]]])
    assert set(components(cluster_cells(points, EPS), EPS)) == {0}


def test_borders_and_those_left_open() -> None:
    # clusters at 0 and 1, one border point between, one near the second only, one far off
    core = np.array([[0.0, 0.0], [0.19, 0.0]])
    others = np.array([[0.095, 0.0], [0.25, 0.0], [1.0, 0.0]])
    cells = cluster_cells(np.concatenate([core, others]), EPS)
    members, rest = some(cells, cells.order < 2), some(cells, cells.order >= 2)
    component = components(members, EPS)
    for opened, wanted in [((), [0, 1, -1]), ((0,), [-2, 1, -1]), ((0, 1), [-2, 1, -1])]:
        left_open = np.isin(component, opened)
        number, places, candidates = border_clusters(rest, members, component, left_open, EPS)
        found = np.empty(3, np.int64)
        found[rest.order - 2] = number
        assert found.tolist() == wanted
        pairs = sorted(zip(rest.order[places].tolist(), candidates.tolist(), strict=True))
        assert pairs == ([(2, 0), (2, 1)] if opened else [])


def test_many_borders_left_open() -> None:
    core = np.array([[0.0, 0.0], [0.19, 0.0]])
    others = np.column_stack([np.full(500, 0.095), np.linspace(-0.02, 0.02, 500)])
    cells = cluster_cells(np.concatenate([core, others]), EPS)
    members, rest = some(cells, cells.order < 2), some(cells, cells.order >= 2)
    component = components(members, EPS)
    number, places, _ = border_clusters(rest, members, component, np.ones(2, bool), EPS)
    assert (number == -2).all()
    np.testing.assert_array_equal(places, np.repeat(np.arange(500), 2))
