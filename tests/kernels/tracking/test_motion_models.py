"""Likelihoods of kinds of motion against dense covariances."""

from __future__ import annotations

import numpy as np
from scipy import stats

from mfxarray.kernels.tracking.diffusion_likelihood import likelihood_estimates
from mfxarray.kernels.tracking.displacements import step_sums, steps_of
from mfxarray.kernels.tracking.motion_models import ModelColumn, motion_models
from mfxarray.kernels.tracking.track_points import TrackRules, tracks_of
from tests.kernels.track_samples import NEVER, covariance_of, pieces, random_tracks


def by_matrices(tracks, track, covariance_of_places, drift=(0.0, 0.0, 0.0)):
    total = 0.0
    for time, place in pieces(tracks, track):
        if len(time) > 1:
            to_steps = np.diff(np.eye(len(time)), axis=0)
            law = to_steps @ covariance_of_places(time) @ to_steps.T
            own = place - np.asarray(drift)[: place.shape[1]] * time[:, None]
            total += sum(
                stats.multivariate_normal(np.zeros(len(law)), law).logpdf(step)
                for step in np.diff(own, axis=0).T
            )
    return total


def trap(variance, d, s):
    return lambda time: (
        variance * np.exp(-np.abs(np.subtract.outer(time, time)) * d / variance)
        + s * np.eye(len(time))
    )


def free(d, s):
    return lambda time: (
        2 * d * np.minimum.outer(time - time[0], time - time[0]) + s * np.eye(len(time))
    )


def test_likelihoods_are_those_of_the_parameters_found():
    tracks = random_tracks((15, 40), rules=TrackRules(gap=1.7), jitter=0.5)
    found = motion_models(steps_of(tracks), 4)
    for track, row in enumerate(found):
        logs = row[ModelColumn.LOGS]
        still = by_matrices(tracks, track, free(0.0, row[ModelColumn.ERROR_IMMOBILE]))
        np.testing.assert_allclose(logs[0], still, rtol=1e-8)
        moving = free(row[ModelColumn.FREE_D], row[ModelColumn.ERROR_FREE])
        np.testing.assert_allclose(logs[1], by_matrices(tracks, track, moving), rtol=1e-8)
        variance, d, s = row[[ModelColumn.VARIANCE, ModelColumn.CONFINED_D, 8]]
        np.testing.assert_allclose(
            logs[2], by_matrices(tracks, track, trap(variance, d, s)), rtol=1e-8
        )
        driven = free(row[ModelColumn.DIRECTED_D], row[ModelColumn.ERROR_DIRECTED])
        drift = row[ModelColumn.VELOCITY]
        np.testing.assert_allclose(logs[3], by_matrices(tracks, track, driven, drift), rtol=1e-8)
        assert logs[3] >= logs[1] - 1e-6
        assert logs[1] >= logs[0] - 1e-9


def test_free_equals_the_likelihood_without_blur():
    tracks = random_tracks((20, 50), jitter=0.2)
    steps = steps_of(tracks)
    found = motion_models(steps, 4)
    wanted = likelihood_estimates(steps, step_sums(tracks), np.zeros(2), np.nan)
    np.testing.assert_allclose(found[:, ModelColumn.FREE_D], wanted[:, 0], rtol=1e-3)


def test_a_trap_is_found():
    rng = np.random.default_rng(4)
    time = np.arange(400.0)
    law = np.linalg.cholesky(trap(4.0, 1.0, 0.2)(time))
    xyz = (law @ rng.normal(size=(400, 60))).T.reshape(20, 3, 400).transpose(0, 2, 1)
    tracks = tracks_of(np.tile(time, 20), xyz.reshape(-1, 3), np.arange(20) * 400, NEVER)
    found = motion_models(steps_of(tracks), 4)
    assert (found[:, 2] > found[:, 1] + 10).all()
    assert abs(found[:, ModelColumn.VARIANCE].mean() / 4 - 1) < 0.05
    assert abs(found[:, ModelColumn.CONFINED_D].mean() - 1) < 0.05
    assert abs(found[:, ModelColumn.ERROR_CONFINED].mean() - 0.2) < 0.03


def test_a_drift_is_found_with_its_error():
    tracks = random_tracks([50] * 300, seed=5)
    moved = tracks.xyz + np.array([0.7, -0.2, 0.0]) * tracks.tim[:, None]
    driven = tracks_of(tracks.tim, moved, tracks.bounds[:-1], NEVER)
    found = motion_models(steps_of(driven), 4)
    off = found[:, ModelColumn.VELOCITY] - (0.7, -0.2, 0.0)
    error = found[:, ModelColumn.VELOCITY_ERROR, None]
    assert abs((off / error).std() - 1) < 0.1
    assert abs(off.mean()) < 4 * off.std() / np.sqrt(off.size)


def test_short_ones_are_left_out():
    found = motion_models(steps_of(random_tracks((1, 5, 6))), 5)
    assert np.isnan(found[:2]).all()
    assert np.isfinite(found[2]).all()


def test_the_oracle_of_steps_agrees_with_places():
    time = np.array([0.0, 1.0, 2.5, 3.0])
    to_steps = np.diff(np.eye(4), axis=0)
    np.testing.assert_allclose(
        to_steps @ free(0.4, 0.2)(time) @ to_steps.T, covariance_of(time, 0.4, 0.2)
    )
