"""The common motion against a direct evaluation, and its variance against many repetitions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mfxarray.kernels.beads.motion import common_motion
from mfxarray.kernels.beads.noise import bead_noise, residuals, without_strays
from mfxarray.kernels.beads.tracks import clean_track, smooth_track

HOMES = np.random.default_rng(1).uniform(0, 1e-5, (3, 3))
TIMES = [
    np.arange(0, 120, 4.0),
    np.arange(1.3, 80, 4.0),
    np.concatenate([np.arange(2.6, 30, 4.0), np.arange(62, 120, 4.0)]),
]


def path(tim):
    return np.stack([1e-9 * tim, -2e-9 * tim, 5e-10 * tim], axis=-1)


def tracks_of(noise=0.0, rng=None, slow=0.0):
    rng = np.random.default_rng(0) if rng is None else rng
    return [
        clean_track(
            tim,
            home + path(tim) + noise * rng.normal(size=(len(tim), 3)) + slow * rng.normal(size=3),
            np.ones(len(tim)),
            15.0,
        )
        for tim, home in zip(TIMES, HOMES, strict=True)
    ]


def direct(tracks, times):
    """Mean over the beads that are there, each interpolated by numpy."""
    out = []
    for time in times:
        told = []
        for track, home in zip(tracks, HOMES, strict=True):
            after = np.searchsorted(track.tim, time, "right")
            if 0 < after < len(track.tim) and track.tim[after] - track.tim[after - 1] <= 15:
                told.append([np.interp(time, track.tim, c) for c in track.xyz.T] - home)
        out.append(np.mean(told, axis=0) if told else np.full(3, np.nan))
    return np.array(out)


@pytest.mark.parametrize("noise", [0.0, 1e-9])
def test_equals_the_mean_of_what_numpy_interpolates(noise):
    tracks = tracks_of(noise)
    times = np.random.default_rng(4).uniform(-5, 125, 400)
    found, _ = common_motion(tracks, HOMES, 1).at(times)
    np.testing.assert_allclose(found, direct(tracks, times), atol=1e-18)


def test_beads_that_come_and_go_shift_nothing():
    motion = common_motion(tracks_of(), HOMES, 1)
    times = np.linspace(*motion.window, 500)
    np.testing.assert_allclose(motion.at(times)[0], path(times), atol=1e-18)


def test_too_few_beads_tell_nothing():
    motion = common_motion(tracks_of(), HOMES, 2)
    known = np.isfinite(motion.at(np.array([10.0, 50.0, 90.0, 119.0]))[0][:, 0])
    assert known.tolist() == [True, True, True, False]
    nothing = common_motion(tracks_of(), HOMES, 4)
    assert np.isnan(nothing.window).all()
    assert np.isnan(nothing.at(np.array([10.0]))[0]).all()
    assert np.isnan(common_motion([], np.zeros((0, 3)), 1).at(np.array([1.0]))[0]).all()


@pytest.mark.parametrize("smooth", [None, 9.0])
def test_the_variance_is_that_of_repetitions(smooth):
    rng = np.random.default_rng(5)
    times = np.array([0.0, 1.0, 5.1, 6.7, 35.0, 70.2, 100.0, 115.5])
    found = []
    for _ in range(1500):
        tracks = tracks_of(1e-9, rng)
        if smooth:
            tracks = [smooth_track(track, smooth) for track in tracks]
        motion = common_motion(tracks, HOMES, 1)
        found.append(motion.at(times)[0] - path(times))
    told = replace(motion, white_variance=np.full(3, 1e-18)).at(times)[1]
    measured = np.mean(np.square(found), axis=(0, 2))
    np.testing.assert_allclose(measured, told[:, 0], rtol=0.1)


def test_the_noise_of_beads_comes_back():
    rng = np.random.default_rng(6)
    found = [bead_noise(tracks_of(1e-9, rng), HOMES) for _ in range(200)]
    assert np.mean([noise.white for noise in found]) == pytest.approx(1e-18, rel=0.05)
    wander = [bead_noise(tracks_of(1e-9, rng, slow=2e-9), HOMES) for _ in range(400)]
    assert np.mean([noise.white for noise in wander]) == pytest.approx(1e-18, rel=0.1)
    assert np.mean([noise.slow for noise in wander]) == pytest.approx(4e-18, rel=0.15)


def test_one_bead_tells_only_what_changes_from_sample_to_sample():
    tim = np.arange(0, 8000, 4.0)
    xyz = path(tim) + 1e-9 * np.random.default_rng(0).normal(size=(len(tim), 3))
    noise = bead_noise([clean_track(tim, xyz, np.ones(len(tim)), None)], np.zeros((1, 3)))
    assert noise.from_one_bead
    np.testing.assert_allclose(noise.white, 1e-18, rtol=0.15)
    assert np.isnan(residuals(tracks_of()[:1], HOMES[:1])[0]).all()


def test_stray_samples_are_found_where_two_others_tell():
    tracks = tracks_of()
    tracks[0].xyz[3] += 1e-6
    cleaned = without_strays(tracks, HOMES, 1e-7)
    assert TIMES[0][3] not in cleaned[0].tim
    assert len(cleaned[0].tim) == len(tracks[0].tim) - 1
    assert cleaned[1] is tracks[1]
    assert cleaned[2] is tracks[2]


def test_two_beads_that_contradict_each_other_are_both_doubted():
    tracks = tracks_of()[:2]
    tracks[0].xyz[tracks[0].tim > 40] += 1e-6
    cleaned = without_strays(tracks, HOMES[:2], 1e-7)
    assert not (cleaned[1].tim > 44).any()
    # nor is the first one trusted when it is the only one left
    assert not (cleaned[0].tim > 44).any()
    assert cleaned[0].tim[0] == tracks[0].tim[0]


def test_undoing_a_turn():
    turn = Rotation.from_rotvec([0.1, -0.2, 0.3]).as_matrix()
    pivot = HOMES.mean(axis=0)
    motion = replace(common_motion(tracks_of(), HOMES, 1), rotation=turn, pivot=pivot)
    truth = np.random.default_rng(8).uniform(0, 1e-5, (50, 3))
    times = np.linspace(*motion.window, 50)
    seen = (truth - pivot) @ turn.T + pivot + path(times)
    np.testing.assert_allclose(motion.undo(seen, times)[0], truth, atol=1e-18)
    shifted = motion.shifted(np.array([1e-7, 2e-7, 3e-7]))
    np.testing.assert_allclose(
        shifted.undo(seen, times)[0], truth + np.array([1e-7, 2e-7, 3e-7]), atol=1e-18
    )
