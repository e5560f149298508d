"""Distances in boxes against closed forms and points at random."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest

from mfxarray.kernels.clusters.box_distances import ball_size, closer_than, inside_balls


def test_rectangle_closed_form():
    a, b = 3e-6, 2e-6
    r = np.geomspace(1e-10, b, 60)
    wanted = (a * b * pi * r**2 - 4 * (a + b) * r**3 / 3 + r**4 / 2) / (a * b) ** 2
    for sides in ([a, b], [b, a]):
        np.testing.assert_allclose(closer_than(r, np.array(sides)), wanted, rtol=1e-12)


def test_box_closed_form():
    a, b, c = 3.0, 2.0, 1.5
    r = np.geomspace(1e-4, c, 20)
    wanted = (
        4
        * pi
        * (
            a * b * c * r**3 / 3
            - (a * b + b * c + c * a) * r**4 / 8
            + 2 * (a + b + c) * r**5 / (15 * pi)
            - r**6 / (24 * pi)
        )
        / (a * b * c) ** 2
    )
    np.testing.assert_allclose(closer_than(r, np.array([b, c, a])), wanted, rtol=1e-12)


@pytest.mark.parametrize("sides", [[1.0, 1.0], [10.0, 0.3], [2.0, 1.0, 0.2], [1.0, 1.0, 1.0]])
def test_points_at_random(sides):
    rng = np.random.default_rng(0)
    sides, n = np.array(sides), 400_000
    apart = (rng.random((n, len(sides))) - rng.random((n, len(sides)))) * sides
    r = np.linalg.norm(sides) * np.array([0.05, 0.2, 0.4, 0.6, 0.8, 0.95])
    wanted = (np.linalg.norm(apart, axis=1)[:, np.newaxis] < r).mean(axis=0)
    found = closer_than(r, sides)
    error = np.sqrt(found * (1 - found) / n) + 1e-9
    assert (np.abs(found - wanted) < 4.5 * error).all()
    ends = closer_than(np.array([0.0, np.linalg.norm(sides), 100.0]), sides)
    np.testing.assert_allclose(ends, [0, 1, 1], atol=1e-12)


@pytest.mark.parametrize("axes", [2, 3])
def test_balls_in_a_box(axes):
    rng = np.random.default_rng(1)
    low, high = np.array([-1.0, 0.0, 2.0])[:axes], np.array([2.0, 2.0, 3.5])[:axes]
    inside = low + rng.random((400_000, axes)) * (high - low)
    # some centres lie outside of the box
    centres = low - 0.3 + rng.random((8, axes)) * (high - low + 0.6)
    radius = np.array([0.05, 0.4, 1.0, 2.0, 9.0])
    found = inside_balls(centres, radius, low, high)
    size = (high - low).prod()
    for centre, row in zip(centres, found, strict=True):
        near = np.linalg.norm(inside - centre, axis=1)[:, np.newaxis] < radius
        np.testing.assert_allclose(row / size, near.mean(axis=0), atol=4e-3)
    np.testing.assert_allclose(found[:, -1], size, rtol=2e-3)
    middle = ((low + high) / 2)[np.newaxis]
    np.testing.assert_allclose(
        inside_balls(middle, np.array([0.0, 0.1]), low, high)[0],
        [0, ball_size(np.float64(0.1), axes)],
        rtol=1e-6,
        atol=1e-12,
    )


def test_an_empty_box():
    found = inside_balls(np.zeros((2, 2)), np.ones(3), np.ones(2), np.array([2.0, 0.5]))
    assert found.shape == (2, 3)
    assert not found.any()


def test_the_mean_over_the_box_is_the_distribution():
    # two ways to the same number
    sides = np.array([2.0, 1.0])
    nodes = (np.arange(200) + 0.5) / 200
    centres = np.stack(np.meshgrid(*(nodes * side for side in sides)), axis=-1).reshape(-1, 2)
    r = np.array([0.2, 0.9, 1.5, 2.1])
    mean = inside_balls(centres, r, np.zeros(2), sides).mean(axis=0) / sides.prod()
    np.testing.assert_allclose(mean, closer_than(r, sides), rtol=2e-4)
