"""Shifts of correlations whose truth is known, and the seed's own route through an image."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from mfxarray.kernels.drift.lags import Search, count_lags
from mfxarray.kernels.drift.points import Lattice, make_table
from mfxarray.kernels.drift.shifts import Peak, find_shifts, margin_of

PEAK = Peak(3.0, 10.0, 20, 20, False)


def correlated(position, shift, dimensions=2, pixel=2e-9, peak=PEAK):
    """Return the lags of points against the same points, shifted."""
    lattice = Lattice(pixel, dimensions, 8)
    number = np.repeat([0, 1], len(position)).astype(np.int32)
    both = np.concatenate([position, position + shift])
    search = Search(peak.search + margin_of(peak), 2, 2)
    return count_lags(make_table(both, number, lattice), lattice, search, (-2000, 2000))


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_shift_comes_back(dimensions):
    rng = np.random.default_rng(0)
    position = rng.uniform(0, 2e-6, (400, 3))
    shift = np.array([7.3e-9, -11.9e-9, 5.1e-9 if dimensions == 3 else 0.0])
    peak = Peak(3.0, 8.0, 16, 40, True)
    shifts, quality = find_shifts(correlated(position, shift, dimensions, peak=peak), peak)
    np.testing.assert_allclose(shifts[0] * 2, shift * 1e9, atol=0.15)
    assert quality[0, 0] > 0.7
    assert 300 <= quality[0, 1] < 600


def test_no_shift_is_found_without_one():
    rng = np.random.default_rng(1)
    position = rng.uniform(0, 1e-6, (5000, 3))
    shifts, _ = find_shifts(correlated(position, 0.0), PEAK)
    np.testing.assert_allclose(shifts, 0.0, atol=1e-6)


def test_equals_the_route_through_images():
    """The seed: stamps in images, a correlation of all pixels, the centroid of a crop."""
    rng = np.random.default_rng(2)
    sites = rng.uniform(60, 340, (60, 2))
    first, second = (sites[rng.integers(0, 60, 300)] + rng.normal(0, 1.2, (300, 2)) for _ in "ab")
    second += [2.3, -1.7]
    images = [stamped(points, 400, 3.0) for points in (first, second)]
    crop = scipy.signal.fftconvolve(images[1], images[0][::-1, ::-1])[399 - 20 : 420, 379:420]
    expected = centroid(crop - crop.min(), 10.0, 20)
    lattice, search = Lattice(1e-9, 2, 8), Search(20 + margin_of(PEAK), 2, 2)
    points = np.concatenate([first, second]) * 1e-9
    number = np.repeat([0, 1], 300).astype(np.int32)
    lags = count_lags(make_table(points, number, lattice), lattice, search, (0, 60))
    shifts, _ = find_shifts(lags, PEAK)
    np.testing.assert_allclose(shifts[0, :2], expected, atol=0.01)


def stamped(points, size, fwhm):
    """Return an image (y, x) of Gaussians of height 1 at x, y."""
    grid = np.arange(size)
    each = [
        np.exp(-4 * np.log(2) * (grid[None] - points[:, [axis]]) ** 2 / fwhm**2) for axis in (0, 1)
    ]
    return each[1].T @ each[0]


def centroid(crop, width, iterations):
    """Return the centroid (x, y) under a Gaussian weight that follows it."""
    g = np.arange(len(crop)) - len(crop) // 2
    gy, gx = np.meshgrid(g, g, indexing="ij")
    x = y = 0.0
    for _ in range(iterations):
        weight = crop * np.exp(-4 * np.log(2) * ((gx - x) ** 2 + (gy - y) ** 2) / width**2)
        x, y = (gx * weight).sum() / weight.sum(), (gy * weight).sum() / weight.sum()
    return np.array([x, y])


@pytest.mark.parametrize("deep", [False, True])
def test_no_pairs_or_flat_ones_have_no_shift(deep):
    side = 2 * (PEAK.search + margin_of(PEAK)) + 1
    lags = np.zeros((1, side if deep else 1, side, side), np.int64)
    shifts, quality = find_shifts(lags, PEAK)
    assert np.isnan(shifts).all()
    assert (quality == 0).all()


def test_two_peaks_have_little_quality():
    rng = np.random.default_rng(3)
    position = rng.uniform(0, 2e-6, (300, 3))
    twice = np.concatenate([position, position + np.array([30e-9, 0, 0])])
    good = find_shifts(correlated(position, 0.0), PEAK)[1][0, 0]
    bad = find_shifts(correlated(twice, 0.0), PEAK)[1][0, 0]
    assert good > 0.7
    assert bad < 0.6


def test_far_shifts_are_found_from_the_maximum():
    rng = np.random.default_rng(5)
    position = rng.uniform(0, 2e-6, (400, 3))
    peak = Peak(3.0, 10.0, 20, 20, True)
    shifts, _ = find_shifts(correlated(position, [34e-9, 0, 0], peak=peak), peak)
    assert abs(shifts[0, 0] - 17) < 0.5
