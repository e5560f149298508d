"""Points of rings against all pairs."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.kernels.structures.ring_members import (
    distinct_rings,
    inside_rings,
    nearest_centres,
    ring_members,
)


@pytest.mark.parametrize("seed", range(5))
def test_the_nearest_line_within_the_margin(seed):
    rng = np.random.default_rng(seed)
    xy, centres = rng.uniform(0, 500, (400, 2)), rng.uniform(0, 500, (20, 2))
    radii = rng.uniform(30, 80, 20)
    found = ring_members(xy, centres, radii, 12.0)
    off = np.abs(np.hypot(*(xy[:, None] - centres[None]).transpose(2, 0, 1)) - radii)
    best = off.argmin(axis=1)
    np.testing.assert_array_equal(found, np.where(off.min(axis=1) <= 12.0, best, -1))


def test_of_equal_rings_the_first():
    same = np.zeros((2, 2))
    assert ring_members(np.array([[1.0, 0.0]]), same, np.ones(2), 0.1).tolist() == [0]


def test_nothing():
    none = np.empty((0, 2))
    assert ring_members(np.ones((3, 2)), none, np.empty(0), 1.0).tolist() == [-1] * 3
    assert ring_members(none, np.ones((1, 2)), np.ones(1), 1.0).tolist() == []
    assert nearest_centres(np.ones((2, 3)), np.empty((0, 3)), 1.0, 1.0).tolist() == [-1] * 2
    assert distinct_rings(none, np.empty(0), np.empty(0)).tolist() == []


def test_nearest_centres_above_and_below():
    centres = np.array([[0.0, 0, 0], [100, 0, 0]])
    points = np.array([[1.0, 0, 50], [1, 0, -50], [1, 0, -500], [99, 0, 0], [50, 90, 0]])
    assert nearest_centres(points, centres, 60.0, 100.0).tolist() == [0, 0, -1, 1, -1]
    assert nearest_centres(points, centres, 60.0, np.inf).tolist() == [0, 0, 0, 1, -1]
    assert nearest_centres(points[:, :2], centres, 60.0, np.inf).tolist() == [0, 0, 0, 1, -1]


def test_of_overlapping_rings_the_heavier():
    centres = np.array([[0.0, 0], [30, 0], [200, 0], [255, 0]])
    radii = np.array([50.0, 50, 50, 50])
    weights = np.array([5, 6, 7, 7])
    assert distinct_rings(centres, radii, weights).tolist() == [False, True, True, True]
    # the light one goes even if what it overlaps is not the heaviest
    chain = np.array([[0.0, 0], [40, 0], [80, 0]])
    assert distinct_rings(chain, radii[:3], np.array([3, 2, 1])).tolist() == [True, False, True]


def test_inside_rings():
    centres, radii = np.array([[0.0, 0], [100, 0]]), np.array([20.0, -5.0])
    xy = np.array([[0.0, 0], [19.9, 0], [20.1, 0], [100, 0]])
    assert inside_rings(xy, centres, radii).tolist() == [0, 0, -1, -1]
    assert inside_rings(xy, centres[:0], radii[:0]).tolist() == [-1] * 4
