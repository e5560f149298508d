"""Lines through mean squared displacements."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.kernels.tracking.diffusion_msd import line_weights, msd_covariance, msd_estimates
from mfxarray.kernels.tracking.displacements import lag_sums
from tests.kernels.track_samples import random_tracks


def estimates(tracks, lags=8, choice=0, weighted=False, blur=0.0):
    n = np.diff(tracks.bounds)
    time = np.full(len(n), blur)
    return msd_estimates(lag_sums(tracks, lags), n, tracks.dimensions, time, choice, weighted)


def test_the_covariance_of_qian_without_error():
    # the variance of the mean squared displacement of one axis, in units of its square
    count, lags = 30, 14
    found = np.diag(msd_covariance(count, lags, 0.5, 0.0, 1.0))
    n, k = np.arange(1, lags + 1), count - np.arange(1, lags + 1)
    wanted = (4 * n**2 * k + 2 * k + n - n**3) / (6 * n * k**2) * 2 * n**2
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_the_covariance_by_monte_carlo():
    rng = np.random.default_rng(1)
    n, lags = 12, 5
    places = np.cumsum(rng.normal(size=(60000, n)), axis=1) + 0.8 * rng.normal(size=(60000, n))
    curves = [((places[:, k:] - places[:, :-k]) ** 2).mean(axis=1) for k in range(1, lags + 1)]
    np.testing.assert_allclose(np.cov(curves), msd_covariance(n, lags, 0.5, 0.64, 1.0), rtol=0.05)


def test_weights_of_a_line_equal_polyfit():
    rng = np.random.default_rng(2)
    times, values, weights = rng.random((3, 6))
    slope, height = line_weights(times, weights)
    wanted = np.polyfit(times, values, 1, w=np.sqrt(weights))
    np.testing.assert_allclose([slope @ values, height @ values], wanted)


@pytest.mark.parametrize("weighted", [False, True])
def test_unbiased_with_a_number_of_points_that_is_given(weighted):
    tracks = random_tracks([40] * 3000, jitter=0.3, blur=0.1)
    found = estimates(tracks, choice=4, weighted=weighted, blur=0.1)
    assert (found[:, 4] == 4).all()
    error = found.std(axis=0) / np.sqrt(len(found))
    # weights that come of the data lean towards points that are low by chance
    allowed = 0.02 if weighted else 0.0
    assert abs(found[:, 0].mean() / 0.5 - 1) < 4 * error[0] / 0.5 + allowed
    assert abs(found[:, 2].mean() / 0.25 - 1) < 4 * error[2] / 0.25 + 2 * allowed


def test_the_errors_cover():
    found = estimates(random_tracks([200] * 1000))
    off = np.abs(found[:, 0] - 0.5) / np.sqrt(found[:, 1])
    assert abs((off < 1).mean() - 0.683) < 0.06
    assert abs((off < 1.96).mean() - 0.95) < 0.03


def test_more_points_for_more_error():
    few = estimates(random_tracks([200] * 50, sigma=0.1), 16)[:, 4].mean()
    many = estimates(random_tracks([200] * 50, sigma=3.0), 16)[:, 4].mean()
    assert few < 2.3
    assert many > 5


def test_too_few_points():
    found = estimates(random_tracks((1, 2, 3)))
    assert np.isnan(found[:2]).all()
    assert found[2, 4] == 2
    assert np.isnan(estimates(random_tracks((4,)), choice=5)).all()
