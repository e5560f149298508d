"""Voronoi cells against polygons, hulls and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import ConvexHull, Voronoi

from mfxarray.kernels.clusters.voronoi import cell_sizes


@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("scale", [1.0, 1e-8])
def test_hulls_of_cells(axes: int, scale: float) -> None:
    points = np.random.default_rng(axes).random((200, axes))
    size, together = cell_sizes(points * scale + 1e-5)
    found = Voronoi(points)
    for point, region in enumerate(found.point_region):
        corners = found.regions[region]
        wanted = np.inf if -1 in corners else ConvexHull(found.vertices[corners]).volume
        np.testing.assert_allclose(size[point], wanted * scale**axes, rtol=1e-5)
    assert (together == 1).all()
    assert np.isfinite(size).sum() > 50


@pytest.mark.parametrize("axes", [2, 3])
def test_a_lattice(axes: int) -> None:
    # corners of many cells meet here
    grid = np.stack(np.meshgrid(*[np.arange(7) * 2.0] * axes, indexing="ij"), -1).reshape(-1, axes)
    size, _ = cell_sizes(grid)
    inside = ((grid > 0) & (grid < 12)).all(axis=1)
    np.testing.assert_allclose(size[inside], 2.0**axes)
    assert np.isinf(size[~inside]).all()


def test_equal_points_share_a_cell() -> None:
    points = np.random.default_rng(0).random((60, 2))
    alone, _ = cell_sizes(points)
    size, together = cell_sizes(np.concatenate([points, points[:5]]))
    np.testing.assert_allclose(size[:60], alone)
    np.testing.assert_allclose(size[60:], alone[:5])
    assert together.tolist() == [2] * 5 + [1] * 55 + [2] * 5


@pytest.mark.parametrize(
    "points", [np.zeros((4, 2)), np.zeros((1, 3)), np.arange(20.0).reshape(10, 2), np.eye(2)]
)
def test_no_cell_has_an_end(points: np.ndarray) -> None:
    assert np.isinf(cell_sizes(points)[0]).all()


def test_no_points() -> None:
    assert cell_sizes(np.empty((0, 2)))[0].shape == (0,)
