"""Sizes of clusters against numpy and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from mfxarray.kernels.clusters.cluster_shapes import cluster_shapes, ellipsoid_volumes


@pytest.mark.parametrize("axes", [2, 3])
def test_equals_numpy(axes):
    rng = np.random.default_rng(0)
    sizes = [1, 2, 3, 4, 30, 200]
    parts = [rng.normal(0, (5, 20, 9)[:axes], (n, axes)) * 1e-9 + 1e-5 for n in sizes]
    centroids, spreads, longest = cluster_shapes(np.concatenate(parts), np.cumsum([0, *sizes])[:-1])
    for row, part in enumerate(parts):
        np.testing.assert_allclose(centroids[row], part.mean(axis=0), rtol=1e-14)
        if len(part) == 1:
            assert np.isnan(spreads[row]).all()
            assert np.isnan(longest[row])
            continue
        singular = np.linalg.svd(part - part.mean(axis=0), compute_uv=False)
        wanted = np.zeros(axes)
        wanted[: len(singular)] = singular / np.sqrt(len(part) - 1)
        np.testing.assert_allclose(spreads[row], wanted, rtol=1e-8, atol=1e-16)
        assert longest[row] == pytest.approx(pdist(part).max(), rel=1e-9)


def test_the_longest_distance_of_many_shapes():
    rng = np.random.default_rng(1)
    for shape in range(200):
        points = rng.normal(size=(rng.integers(2, 40), 3)) * (1, rng.random(), shape % 2)
        if shape % 3 == 0:
            points = np.round(points, 1)
        found = cluster_shapes(points, np.array([0]))[2][0]
        assert found == pytest.approx(pdist(points).max(), rel=1e-12)


def test_equal_points_have_no_size():
    _, spreads, longest = cluster_shapes(np.full((5, 3), 1e-5), np.array([0]))
    assert (spreads == 0).all()
    assert longest[0] == 0


def test_volumes():
    spreads = np.array([[3.0, 2.0, 1.0], [3.0, 0.0, 0.0]])
    volumes = ellipsoid_volumes(spreads, np.array([4, 2]))
    assert volumes[0] == pytest.approx(8 * np.pi)
    assert np.isnan(volumes[1])
