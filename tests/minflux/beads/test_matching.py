"""The same beads found again, by name and by the figure they form."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.kernels.beads.tracks import clean_track
from mfxarray.minflux.beads.beads import BeadRules, bead_tracks
from mfxarray.minflux.beads.matching import match_beads
from tests.minflux.wash_samples import washes_and_beads

PLACES = np.random.default_rng(3).uniform(0, 2e-5, (6, 3))


def wash(places, names):
    tim = np.arange(5.0)
    return {
        name: clean_track(tim, np.tile(place, (5, 1)), np.ones(5), None)
        for name, place in zip(names, places, strict=True)
    }


def test_names_that_differ_by_zeros():
    found = match_beads([wash(PLACES[:2], ["R1", "R10"]), wash(PLACES[:2], ["R01", "R010"])])
    assert found[1] == {"R01": "R1", "R010": "R10"}
    both = match_beads([wash(PLACES[:2], ["R1", "R01"])])
    assert len(set(both[0].values())) == 2


@pytest.mark.parametrize("seed", range(4))
def test_renamed_beads_by_geometry(seed):
    truth, _, beads = washes_and_beads(seed=seed, washes=4, beads=6, renamed=True, traces=5)
    tracks = [bead_tracks(one, BeadRules()) for one in beads]
    found = match_beads(tracks, by="geometry")
    first = dict(zip((t.name for t in truth[0].beads), truth[0].bead_numbers, strict=True))
    for one, names in zip(truth, found, strict=True):
        for track, number in zip(one.beads, one.bead_numbers, strict=True):
            assert first[names[track.name]] == number


def test_beads_that_only_later_washes_share():
    first = wash(PLACES[:4], "abcd")
    second = wash(PLACES[2:] + 4e-7, "efgh")
    third = wash(PLACES[[4, 5, 3]] - 3e-7, "xyz")
    found = match_beads([first, second, third], by="geometry")
    assert found[1] == {"e": "c", "f": "d", "g": "g", "h": "h"}
    assert found[2] == {"x": "g", "y": "h", "z": "d"}


def test_new_beads_get_names_of_their_own():
    found = match_beads([wash(PLACES[:3], "abc"), wash(PLACES[:4], "bcda")], by="geometry")
    assert found[1] == {"b": "a", "c": "b", "d": "c", "a": "a (wash 1)"}


@pytest.mark.parametrize(
    ("here", "message"),
    [
        (PLACES[:1], "one bead fits"),
        (PLACES[3:6], "nowhere"),
    ],
)
def test_no_fit_is_refused(here, message):
    with pytest.raises(ValueError, match=message):
        match_beads([wash(PLACES[:3], "abc"), wash(here, "xyz"[: len(here)])], by="geometry")


def test_figures_that_fit_in_two_ways_are_refused():
    row = np.arange(4)[:, None] * [1e-6, 0, 0]
    with pytest.raises(ValueError, match="several ways"):
        match_beads([wash(row, "abcd"), wash(row[:3], "xyz")], by="geometry")


def test_the_reference_gives_the_names():
    found = match_beads(
        [wash(PLACES[:3], "abc"), wash(PLACES[:3], "xyz")], by="geometry", reference=1
    )
    assert found == ({"a": "x", "b": "y", "c": "z"}, {"x": "x", "y": "y", "z": "z"})


def test_unknown_way():
    with pytest.raises(ValueError, match="by must be"):
        match_beads([wash(PLACES, "abcdef")], by="luck")
