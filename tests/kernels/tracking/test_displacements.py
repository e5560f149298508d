"""Sums over pairs against plain double loops."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from mfxarray.kernels.tracking.displacements import (
    StepColumn,
    bin_sums,
    frame_times,
    jumps,
    lag_sums,
    step_sums,
    steps_of,
)
from mfxarray.kernels.tracking.track_points import TrackRules
from tests.kernels.track_samples import pieces, random_tracks

LENGTHS = (1, 2, 3, 17, 40, 5)


def cut_tracks(**more):
    return random_tracks(LENGTHS, rules=TrackRules(gap=1.6), jitter=0.5, **more)


def test_cuts_are_there():
    assert step_sums(cut_tracks())[:, StepColumn.SEGMENTS].max() > 2


def test_lag_sums_equal_loops():
    tracks, lags = cut_tracks(), 6
    wanted = np.zeros((len(LENGTHS), lags, 3))
    for track in range(len(LENGTHS)):
        for time, place in pieces(tracks, track):
            for one, two in combinations(range(len(time)), 2):
                if two - one <= lags:
                    square = ((place[two] - place[one]) ** 2).sum()
                    wanted[track, two - one - 1] += (1, time[two] - time[one], square)
    np.testing.assert_allclose(lag_sums(tracks, lags), wanted, rtol=1e-12)


@pytest.mark.parametrize("width", [0.3, 1.0, 2.7])
def test_bin_sums_equal_loops(width):
    tracks, lags = cut_tracks(), 7
    wanted = np.zeros((len(LENGTHS), lags, 3))
    for track in range(len(LENGTHS)):
        for time, place in pieces(tracks, track):
            for one, two in combinations(range(len(time)), 2):
                number = int(np.floor((time[two] - time[one]) / width + 0.5))
                if 1 <= number <= lags:
                    square = ((place[two] - place[one]) ** 2).sum()
                    wanted[track, number - 1] += (1, time[two] - time[one], square)
    np.testing.assert_allclose(bin_sums(tracks, lags, width), wanted, rtol=1e-12)


def test_step_sums_equal_loops():
    tracks = cut_tracks()
    found = step_sums(tracks)
    for track, n in enumerate(LENGTHS):
        parts = [(time, np.diff(place, axis=0)) for time, place in pieces(tracks, track)]
        assert found[track, StepColumn.N] == n
        assert found[track, StepColumn.SEGMENTS] == len(parts)
        assert found[track, StepColumn.STEPS] == sum(len(step) for _, step in parts)
        assert found[track, StepColumn.PAIRS] == sum(max(len(s) - 1, 0) for _, s in parts)
        np.testing.assert_allclose(found[track, 4], sum(np.ptp(time) for time, _ in parts))
        squares = sum((step**2).sum() for _, step in parts)
        products = sum((step[1:] * step[:-1]).sum() for _, step in parts)
        np.testing.assert_allclose(found[track, StepColumn.SQUARES].sum(), squares, atol=1e-12)
        np.testing.assert_allclose(found[track, StepColumn.PRODUCTS].sum(), products, atol=1e-12)


def test_steps():
    tracks = cut_tracks()
    steps, sums = steps_of(tracks), step_sums(tracks)
    np.testing.assert_array_equal(np.diff(steps.bounds), sums[:, StepColumn.STEPS])
    assert steps.follows.sum() == sums[:, StepColumn.PAIRS].sum()
    for track in range(len(LENGTHS)):
        own = slice(steps.bounds[track], steps.bounds[track + 1])
        wanted = [np.diff(place, axis=0) for _, place in pieces(tracks, track)]
        axes = tracks.axes[track]
        np.testing.assert_array_equal(steps.step[own][:, axes], np.concatenate(wanted))
        assert not steps.step[own][:, ~axes].any()
        middle = frame_times(steps)[track]
        if len(steps.time[own]):
            assert middle == np.median(steps.time[own])
        else:
            assert np.isnan(middle)


@pytest.mark.parametrize("lag", [1, 3])
def test_jumps_equal_loops(lag):
    tracks = cut_tracks()
    time, square, counts = jumps(tracks, lag)
    at = 0
    for track in range(len(LENGTHS)):
        for own, place in pieces(tracks, track):
            for row in range(lag, len(own)):
                assert time[at] == own[row] - own[row - lag]
                np.testing.assert_allclose(square[at], ((place[row] - place[row - lag]) ** 2).sum())
                at += 1
        assert counts[: track + 1].sum() == at
    assert at == len(time)
