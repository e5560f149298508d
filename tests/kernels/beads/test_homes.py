"""Homes of beads from differences, with beads that come and go."""

from __future__ import annotations

import numpy as np

from mfxarray.kernels.beads.homes import bead_groups, best_shift, differences, solve_homes
from mfxarray.kernels.beads.tracks import clean_track

HOMES = np.random.default_rng(1).uniform(0, 1e-5, (4, 3))


def motion(tim):
    return np.stack([1e-9 * tim, -2e-9 * tim, 5e-10 * tim], axis=1)


def tracks_of(parts, noise=0.0, homes=HOMES):
    rng = np.random.default_rng(2)
    found = []
    for home, (start, stop) in zip(homes, parts, strict=True):
        tim = np.arange(start, stop, 4.0) + rng.uniform(0, 1)
        xyz = home + motion(tim) + noise * rng.normal(size=(len(tim), 3))
        found.append(clean_track(tim, xyz, np.ones(len(tim)), None))
    return found


def centred(homes):
    return homes - homes.mean(axis=0)


def test_drift_does_not_reach_the_homes():
    found = solve_homes([differences(tracks_of([(0, 400)] * 4), 1e-7)])
    np.testing.assert_allclose(found, centred(HOMES), atol=1e-14)


def test_nor_do_beads_that_come_and_go():
    step = differences(tracks_of([(0, 400), (0, 200), (100, 300), (250, 400)]), 1e-7)
    np.testing.assert_allclose(solve_homes([step]), centred(HOMES), atol=1e-14)
    assert step.count[1, 3] == 0


def test_washes_complete_each_other():
    first = differences(tracks_of([(0, 400), (0, 400), (0, 0), (0, 0)]), 1e-7)
    second = differences(tracks_of([(0, 0), (0, 400), (0, 400), (0, 400)]), 1e-7)
    np.testing.assert_allclose(solve_homes([first, second]), centred(HOMES), atol=1e-14)


def test_beads_that_are_never_there_together_are_not_linked():
    step = differences(tracks_of([(0, 100), (0, 100), (200, 300), (200, 300)]), 1e-7)
    groups = bead_groups(step.count)
    assert groups[0] == groups[1] != groups[2] == groups[3]


def test_samples_far_off_do_not_count():
    tracks = tracks_of([(0, 400)] * 2, homes=HOMES[:2])
    tracks[0].xyz[60:] += 1e-6
    step = differences(tracks, 1e-7)
    np.testing.assert_allclose(step.mean[0, 1], HOMES[0] - HOMES[1], atol=1e-14)


def test_the_largest_set_that_moved_together():
    moved = HOMES + np.array([3e-7, 0, 0])
    moved[2] += [0, 5e-7, 0]
    kept, certain = best_shift(HOMES, moved, 4e-8)
    assert kept.tolist() == [True, True, False, True]
    assert certain


def test_two_against_two_is_not_certain():
    moved = HOMES.copy()
    moved[2:] += 5e-7
    assert not best_shift(HOMES, moved, 4e-8)[1]
    assert not best_shift(HOMES[:2], HOMES[:2] + np.array([[0, 0, 0], [5e-7, 0, 0]]), 4e-8)[1]
