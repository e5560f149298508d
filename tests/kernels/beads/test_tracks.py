"""Cleaning, joining and smoothing of bead tracks."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.kernels.beads.tracks import brackets, clean_track, positions_at, smooth_track


def track_of(tim, xyz=None, strength=None, max_gap=None):
    tim = np.asarray(tim, float)
    xyz = np.stack([tim, 2 * tim, -tim], axis=1) if xyz is None else xyz
    strength = np.ones(len(tim)) if strength is None else strength
    return clean_track(tim, xyz, strength, max_gap)


def test_failed_unknown_and_repeated_samples_are_left_out():
    tim = np.array([3.0, 1.0, 2.0, 2.0, np.nan, 5.0, 6.0])
    xyz = np.arange(21.0).reshape(7, 3)
    xyz[5, 1] = np.nan
    strength = np.array([1, 1, 1, 1, 1, 1, 0.0])
    track = clean_track(tim, xyz, strength, None)
    assert track.tim.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(track.xyz, xyz[[1, 2, 0]])


def test_interpolation_is_that_of_numpy_and_stops_at_gaps():
    track = track_of([0, 4, 8, 40, 44], max_gap=10)
    times = np.array([-1, 0, 1, 8.5, 20, 41, 44, 45.0])
    found = positions_at(track, brackets(track, times))
    inside = [1, 2, 5, 6]
    for axis in range(3):
        expected = np.interp(times[inside], track.tim, track.xyz[:, axis])
        np.testing.assert_allclose(found[inside, axis], expected)
    assert np.isnan(found[[0, 3, 4, 7]]).all()


def test_gaps_are_told_by_the_usual_interval():
    assert track_of(np.arange(0, 40, 4)).max_gap == 20
    assert track_of(np.arange(10)).max_gap == 10


@pytest.mark.parametrize("tim", [[], [1.0]])
def test_too_short_tracks_join_nothing(tim):
    track = track_of(tim)
    assert np.isnan(positions_at(track, brackets(track, np.array([1.0])))).all()
    assert len(smooth_track(track, 5.0).tim) == len(tim)


def test_smoothing_keeps_straight_lines_up_to_their_ends():
    track = track_of(np.arange(0, 200, 4))
    found = smooth_track(track, 12.0)
    np.testing.assert_allclose(found.xyz, track.xyz, atol=1e-9)


def test_smoothing_does_not_reach_over_gaps():
    tim = np.concatenate([np.arange(0, 100, 4), np.arange(200, 300, 4)])
    xyz = np.where(tim < 150, 0.0, 1.0)[:, np.newaxis].repeat(3, axis=1)
    found = smooth_track(track_of(tim, xyz, max_gap=20), 60.0)
    np.testing.assert_allclose(found.xyz, xyz, atol=1e-12)


def test_the_noise_after_smoothing_is_as_told():
    rng = np.random.default_rng(0)
    tim = np.sort(rng.uniform(0, 100, 30))
    tracks = [track_of(tim, rng.normal(size=(30, 3)), max_gap=50) for _ in range(3000)]
    found = [smooth_track(track, 8.0) for track in tracks]
    xyz = np.concatenate([track.xyz for track in found], axis=1)
    np.testing.assert_allclose(xyz.var(axis=1), found[0].white, rtol=0.08)
    shared = (xyz[1:] * xyz[:-1]).mean(axis=1)
    np.testing.assert_allclose(shared, found[0].shared, atol=0.03)
