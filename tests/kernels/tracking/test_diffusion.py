"""Covariance-based estimates: unbiased, with the variance that is known."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.kernels.tracking.diffusion import _form_variances, covariance_estimates
from mfxarray.kernels.tracking.displacements import step_sums, steps_of
from mfxarray.kernels.tracking.track_points import TrackRules
from tests.kernels.track_samples import covariance_of, pieces, random_tracks


def estimates(tracks, blur=0.0, known=np.nan):
    time = np.full(len(tracks.axes), blur)
    return covariance_estimates(steps_of(tracks), step_sums(tracks), time, known)


def test_the_formula_of_vestergaard():
    tracks = random_tracks((30,))
    (_, place), *_ = pieces(tracks, 0)
    step, blur = np.diff(place, axis=0), 1 / 6
    squares, products = (step**2).mean(), (step[1:] * step[:-1]).mean()
    found = estimates(tracks, blur)[0]
    np.testing.assert_allclose(found[0], squares / 2 + products, rtol=1e-8)
    np.testing.assert_allclose(found[2], blur * squares + (2 * blur - 1) * products, rtol=1e-8)
    known = estimates(tracks, blur, 0.1)[0]
    np.testing.assert_allclose(known[0], (squares - 0.2) / (2 * (1 - 2 * blur)), rtol=1e-8)


@pytest.mark.parametrize("ratio", [0.0, 0.5, 4.0])
def test_the_variance_of_vestergaard(ratio):
    # with regular times: D^2 ((6 + 4e + 2e^2) / N + 4 (1 + e)^2 / N^2)
    n, blur = 2001, 1 / 6
    steps = steps_of(random_tracks((n + 1,)))
    time = np.array([float(n)])
    model = (np.array([blur]), np.ones(1), np.array([ratio]))
    form = (1 / (2 * time), np.array([n / (2 * (n - 1) * n)]))
    found = _form_variances(steps, model, *form)[0]
    e = ratio - 2 * blur
    wanted = (6 + 4 * e + 2 * e**2) / n + 4 * (1 + e) ** 2 / n**2
    np.testing.assert_allclose(found, wanted, rtol=3e-3)


def test_the_variance_of_any_times_and_segments_equals_that_of_matrices():
    tracks = random_tracks((25,), rules=TrackRules(gap=1.6), jitter=0.5)
    steps, sums = steps_of(tracks), step_sums(tracks)
    parts = list(pieces(tracks, 0))
    assert len(parts) > 2
    d, s, blur = 0.7, 0.3, 0.1
    number, pairs, time = sums[0, 2], sums[0, 3], sums[0, 4]
    total = 0.0
    for own, _ in parts:
        if len(own) < 2:
            continue
        covariance = covariance_of(own, d, s, blur)
        form = np.eye(len(own) - 1) / (2 * time)
        beside = np.diag(np.full(len(own) - 2, number / (2 * pairs * time)), 1)
        form = form + beside + beside.T
        total += 2 * np.trace(form @ covariance @ form @ covariance)
    model = tuple(np.array([value]) for value in (blur, d, s))
    form = (np.array([1 / (2 * time)]), np.array([number / (2 * pairs * time)]))
    np.testing.assert_allclose(_form_variances(steps, model, *form)[0], total, rtol=1e-10)


@pytest.mark.parametrize("jitter", [0.0, 0.6])
def test_unbiased_for_short_tracks(jitter):
    found = estimates(random_tracks([6] * 20000, jitter=jitter, blur=0.1), 0.1)
    error = found.std(axis=0) / np.sqrt(len(found))
    assert abs(found[:, 0].mean() - 0.5) < 4 * error[0]
    assert abs(found[:, 2].mean() - 0.25) < 4 * error[2]


def test_coverage_of_the_errors():
    found = estimates(random_tracks([200] * 1500, jitter=0.3))
    for at, truth in ((0, 0.5), (2, 0.25)):
        off = np.abs(found[:, at] - truth) / np.sqrt(found[:, at + 1])
        assert abs((off < 1).mean() - 0.683) < 0.04
        assert abs((off < 1.96).mean() - 0.95) < 0.02


def test_too_few_steps():
    found = estimates(random_tracks((1, 2, 3)))
    assert np.isnan(found[:2]).all()
    assert np.isfinite(found[2]).all()
    assert np.isfinite(estimates(random_tracks((2,)), known=0.1)[0, 0])
