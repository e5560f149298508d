"""Likelihoods against those of dense covariances."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from mfxarray.kernels.tracking.diffusion_likelihood import (
    likelihood_derivatives,
    likelihood_estimates,
)
from mfxarray.kernels.tracking.displacements import step_sums, steps_of
from mfxarray.kernels.tracking.track_points import TrackRules
from tests.kernels.track_samples import covariance_of, pieces, random_tracks


def dense(tracks, track, d, s, blur):
    """Return the log likelihood of the steps of a track."""
    total = 0.0
    for time, place in pieces(tracks, track):
        if len(time) > 1:
            covariance = covariance_of(time, d, s, blur)
            law = stats.multivariate_normal(np.zeros(len(time) - 1), covariance)
            total += sum(law.logpdf(step) for step in np.diff(place, axis=0).T)
    return total


def cut_tracks():
    return random_tracks((12, 30, 1, 5), rules=TrackRules(gap=1.6), jitter=0.5)


def estimates(tracks, blur=0.0, known=np.nan):
    time = np.full(len(tracks.axes), blur)
    return likelihood_estimates(steps_of(tracks), step_sums(tracks), time, known)


@pytest.mark.parametrize(("d", "s", "blur"), [(0.5, 0.3, 0.0), (0.2, 0.0, 0.1), (0.0, 1.0, 0.1)])
def test_values_and_derivatives(d, s, blur):
    tracks = cut_tracks()
    found = likelihood_derivatives(steps_of(tracks), np.full(4, blur), d, s)
    h = 1e-4
    for track in range(4):
        at = {
            (i, j): dense(tracks, track, d + i * h, s + j * h, blur)
            for i in (-1, 0, 1)
            for j in (-1, 0, 1)
            # neither is below 0
            if d + i * h >= 0 and s + j * h >= 0
        }
        np.testing.assert_allclose(found[track, 0], at[0, 0], rtol=1e-10, atol=1e-12)
        if d and s:
            slopes = [(at[1, 0] - at[-1, 0]) / (2 * h), (at[0, 1] - at[0, -1]) / (2 * h)]
            np.testing.assert_allclose(found[track, 1:3], slopes, rtol=1e-5, atol=1e-6)
            middle = 2 * at[0, 0]
            mixed = at[1, 1] + at[-1, -1] - at[1, -1] - at[-1, 1]
            bends = [at[1, 0] + at[-1, 0] - middle, mixed / 4, at[0, 1] + at[0, -1] - middle]
            np.testing.assert_allclose(
                found[track, 3:], np.array(bends) / h**2, rtol=1e-3, atol=1e-3
            )


@pytest.mark.parametrize("seed", range(6))
def test_no_better_place_is_found_by_scipy(seed):
    tracks = random_tracks((25,), seed=seed, jitter=0.3)
    found = estimates(tracks, 0.1)[0]

    def misfit(free):
        d, s = np.exp(free)
        return -dense(tracks, 0, d, s, 0.1)

    starts = [(-1.0, -1.0), (-4.0, 0.0), (0.0, -6.0)]
    best = min(optimize.minimize(misfit, start, method="Nelder-Mead").fun for start in starts)
    assert -dense(tracks, 0, found[0], found[2], 0.1) <= best + 1e-4


def test_with_the_error_known():
    tracks = random_tracks((40,))
    found = estimates(tracks, 0.05, 0.25)[0]
    best = optimize.minimize_scalar(
        lambda d: -dense(tracks, 0, d, 0.25, 0.05), bounds=(1e-6, 5), options={"xatol": 1e-8}
    )
    np.testing.assert_allclose(found[0], best.x, rtol=1e-4)
    assert found[2] == 0.25
    assert found[3] == 0


def test_coverage_of_the_errors():
    found = estimates(random_tracks([150] * 1200))
    for at, truth in ((0, 0.5), (2, 0.25)):
        off = np.abs(found[:, at] - truth) / np.sqrt(found[:, at + 1])
        assert abs((off < 1).mean() - 0.683) < 0.045
        assert abs((off < 1.96).mean() - 0.95) < 0.025


def test_at_the_bounds():
    # about half of the tracks at rest, and half of those without error, are at the bound
    for more, at in (({"diffusion": 0.0}, 0), ({"sigma": 0.0}, 2)):
        found = estimates(random_tracks([60] * 200, seed=3, **more))
        assert (found[:, [0, 2]] >= 0).all()
        share = (found[:, at] < 1e-6).mean()
        assert 0.3 < share < 0.8
        assert np.isfinite(found).all()
    assert np.isnan(estimates(random_tracks((1, 2)))).all()
