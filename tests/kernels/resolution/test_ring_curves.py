"""Smoothing against SciPy, thresholds against the published formulas, crossings by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal, stats

from mfxarray.kernels.resolution.ring_curves import (
    correlation,
    crossing,
    mean_interval,
    smoothed,
    threshold_curve,
)


@pytest.mark.parametrize("window", [1, 3, 7, 11])
@pytest.mark.parametrize("first", [0, 1, 3])
def test_smoothing_is_that_of_savitzky_and_golay(window, first):
    curve = np.random.default_rng(0).random((3, 40))
    expected = curve.copy()
    if window > 1:
        expected[:, first:] = signal.savgol_filter(curve[:, first:], window, 1)
    np.testing.assert_allclose(smoothed(curve, window, first), expected, atol=1e-14)


def test_a_straight_line_stays_and_nothing_is_changed_in_place():
    curve = np.linspace(1, 0, 20)
    before = curve.copy()
    np.testing.assert_allclose(smoothed(curve, 7, 1), before, atol=1e-14)
    np.testing.assert_array_equal(curve, before)


@pytest.mark.parametrize("rings", [2, 3, 4, 6])
def test_short_curves_get_short_windows(rings):
    curve = np.linspace(1, 0, rings) ** 2
    window = rings - 1 + rings % 2
    expected = signal.savgol_filter(curve, window, 1) if window > 1 else curve
    np.testing.assert_allclose(smoothed(curve, 7, 0), expected, atol=1e-14)


def test_correlation_of_an_empty_half_is_unknown():
    sums = np.array([[[2.0, 0.0], [4.0, 0.0], [4.0, 1.0]]])
    np.testing.assert_array_equal(correlation(sums), [[0.5, np.nan]])


def test_thresholds():
    n = np.array([8.0, 200.0, 2000.0])
    root = np.sqrt(n / 2)
    half = (0.2071 + 1.9102 / root) / (1.2071 + 0.9102 / root)
    one = (0.5 + 2.4142 / root) / (1.5 + 1.4142 / root)
    np.testing.assert_allclose(threshold_curve("half-bit", n), half, atol=1e-4)
    np.testing.assert_allclose(threshold_curve("one-bit", n), one, atol=1e-4)
    np.testing.assert_allclose(threshold_curve("three-sigma", n), np.minimum(3 / np.sqrt(n), 1))
    np.testing.assert_array_equal(threshold_curve(1 / 7, n), 1 / 7)
    assert (threshold_curve("half-bit", np.array([0.0, 1.0])) == 1).all()


def test_the_crossing_lies_between_rings():
    curve = np.array([[1.0, 0.8, 0.4, 0.2, 0.0, 0.5], [1.0, 0.9, 0.8, 0.1, 0.0, 0.0]])
    found = crossing(curve, np.full(6, 0.3), 10.0, interpolate=True)
    np.testing.assert_allclose(found, [1 / 25, 1 / (20 + 50 / 7)])


def test_the_seed_takes_the_ring():
    curve = np.array([[1.0, 0.8, 0.4, 0.2, 0.0], [1.0, 0.9, 0.8, 0.8, 0.8], [0.0, 0.1, 0, 0, 0]])
    found = crossing(curve, np.full(5, 0.3), 10.0, interpolate=False)
    np.testing.assert_allclose(found, [1 / 30, 1 / 40, 1 / 10])


def test_what_does_not_cross_is_unknown():
    never, at_once, empty = np.full(5, 0.9), np.array([1.0, 0.1, 0, 0, 0]), np.full(5, np.nan)
    limit = np.full(5, 0.3)
    found = crossing(np.stack([never, at_once, empty]), limit, 10.0, interpolate=True)
    assert np.isnan(found).all()
    assert np.isnan(crossing(empty, limit, 10.0, interpolate=False))


def test_the_interval_is_that_of_student():
    values = np.random.default_rng(1).normal(7, 0.3, (4, 8))
    mean, low, high = mean_interval(values, 0.95).T
    expected = stats.t.interval(0.95, 7, values.mean(1), stats.sem(values, axis=1))
    np.testing.assert_allclose([low, high], expected)
    np.testing.assert_allclose(mean, values.mean(axis=1))
    one = mean_interval(values[:, :1], 0.95)
    assert np.isnan(one[:, 1:]).all()
    assert np.isfinite(one[:, 0]).all()
