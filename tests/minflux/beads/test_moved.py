"""Beads that moved on their own are found before anything is fitted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mfxarray.kernels.beads.tracks import clean_track
from mfxarray.minflux.beads.moved import WashTracks, catalogue, without_moved

PLACES = np.random.default_rng(3).uniform(0, 2e-5, (5, 3))
NAMES = "abcde"


def part(places, names=NAMES):
    tim = np.arange(5.0)
    tracks = {
        name: clean_track(tim, np.tile(place, (5, 1)), np.ones(5), None)
        for name, place in zip(names, places, strict=True)
    }
    return WashTracks(tracks, {})


def moved_in(parts, turning="none", reference=0):
    found = without_moved(parts, 4e-8, reference, turning=turning)
    return [sorted(one.left_out) for one in found]


def test_a_jump_of_the_stage_moves_no_bead():
    assert moved_in([part(PLACES), part(PLACES + 5e-7)]) == [[], []]


def test_one_that_moved_is_left_out_with_its_reason():
    other = PLACES + 5e-7
    other[3] += [6e-8, 0, 0]
    parts = without_moved([part(PLACES), part(other)], 4e-8, 0, turning="none")
    assert catalogue(parts) == list(NAMES)
    assert sorted(parts[1].tracks) == list("abce")
    assert "40 nm" in parts[1].left_out["d"]
    assert moved_in([part(other), part(PLACES)], reference=1) == [["d"], []]


def test_new_beads_are_known_from_then_on():
    third = PLACES.copy()
    third[4] += 1e-6
    parts = [part(PLACES[:3], "abc"), part(PLACES[1:] - 3e-7, "bcde"), part(third)]
    assert moved_in(parts) == [[], [], ["e"]]


def test_a_turn_is_no_movement_where_it_is_allowed():
    turned = Rotation.from_euler("z", 0.05).apply(PLACES)
    assert moved_in([part(PLACES), part(turned)], "z") == [[], []]
    with pytest.raises(ValueError, match="do not tell which"):
        moved_in([part(PLACES), part(turned)])


def test_two_against_two_is_refused():
    other = PLACES[:4].copy()
    other[2:] += 3e-7
    with pytest.raises(ValueError, match="wash 1 stand differently"):
        moved_in([part(PLACES[:4], "abcd"), part(other, "abcd")])
