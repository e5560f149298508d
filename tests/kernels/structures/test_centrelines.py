"""Centrelines against lines of numpy, widths against their truth."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.kernels.structures.centrelines import centreline, half_width, principal_frame


def test_a_straight_line_is_that_of_least_squares():
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(-50, 50, 40))
    places = np.column_stack([x, 0.3 * x + rng.normal(0, 2, 40)])
    height, slope, leverage = centreline(places, np.inf)
    fitted = np.polyfit(*places.T, 1)
    np.testing.assert_allclose(slope, fitted[0], rtol=1e-9)
    np.testing.assert_allclose(height, np.polyval(fitted, x), atol=1e-9)
    apart = x - x.mean()
    np.testing.assert_allclose(leverage, 1 / 40 + apart**2 / (apart**2).sum(), rtol=1e-9)


@pytest.mark.parametrize("window", [5.0, 20.0])
def test_a_moving_line_is_weighted_least_squares(window):
    rng = np.random.default_rng(1)
    x = np.sort(rng.uniform(0, 100, 60))
    places = np.column_stack([x, np.sin(x / 20) * 10 + rng.normal(0, 1, 60)])
    height, slope, leverage = centreline(places, window)
    for row in (0, 17, 59):
        step = x - x[row]
        weight = np.exp(-0.5 * (step / window) ** 2) * (np.abs(step) <= 4 * window)
        design = np.column_stack([np.ones(60), step])
        hat = np.linalg.solve(design.T @ (weight[:, None] * design), (weight[:, None] * design).T)
        np.testing.assert_allclose([height[row], slope[row]], hat @ places[:, 1], rtol=1e-8)
        # variance of y - line: 1 - 2 h + sum of squares
        assert leverage[row] == pytest.approx(2 * hat[0, row] - (hat[0] ** 2).sum(), rel=1e-8)


def test_lone_points_and_points_at_one_place():
    height, slope, leverage = centreline(np.array([[0.0, 1], [0, 3], [1e9, 7]]), 1.0)
    np.testing.assert_allclose(height, [2, 2, 7])
    np.testing.assert_allclose(slope, 0)
    np.testing.assert_allclose(leverage, [0.5, 0.5, 1])


@pytest.mark.parametrize("angle", [0.0, 0.7, np.pi / 2, 2.5, -1.0])
def test_the_frame_follows_the_points(angle):
    rng = np.random.default_rng(2)
    own = np.column_stack([rng.normal(0, 50, 200), rng.normal(0, 3, 200)])
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    points = own @ turn + 1e4
    origin, axes, places = principal_frame(points)
    np.testing.assert_allclose(axes @ axes.T, np.eye(2), atol=1e-12)
    assert abs(axes[0] @ turn[0]) > 0.999
    assert axes[0, 0] > 0 or axes[0, 1] > 0
    np.testing.assert_allclose(places, (points - origin) @ axes.T, atol=1e-9)
    np.testing.assert_allclose(places.mean(axis=0), 0, atol=1e-9)


@pytest.mark.parametrize("smoothing", [0.0, 2.0, 6.0])
def test_the_full_width_of_a_gaussian(smoothing):
    at = np.arange(-80, 80) + 0.5
    counts = np.exp(-0.5 * (at / 10) ** 2)
    assert half_width(counts, 1.0, smoothing) == pytest.approx(23.548, rel=2e-3)


def test_widths_of_other_profiles():
    assert half_width(np.array([0, 4, 1, 4, 0]), 2.0) == pytest.approx(6.0)
    assert half_width(np.array([0, 0, 3, 0, 0]), 2.0) == pytest.approx(2.0)
    assert np.isnan(half_width(np.zeros(5), 2.0))
