"""Simulated washes hold what their truth says."""

from __future__ import annotations

import numpy as np
import pytest

import mfxarray as mfx
from mfxarray.simulate.minflux_washes import simulate_bead_washes, write_bead_washes


def test_beads_and_localizations_share_one_motion():
    for wash in simulate_bead_washes(bead_noise_m=0.0, precision_m=0.0, failed=0.0):
        np.testing.assert_allclose(
            wash.position - wash.truth, wash.displacement, rtol=0, atol=1e-19
        )
        for track in wash.beads:
            moved = np.stack([np.interp(wash.tim, track.tim, c) for c in track.position.T], axis=1)
            home = moved - wash.displacement
            inside = (wash.tim > 5) & (wash.tim < 1990)
            assert np.ptp(home[inside], axis=0).max() < 1e-11


def test_the_same_emitters_and_jumps_of_the_wanted_size():
    first, second = simulate_bead_washes(washes=2, drift_m=0.0)
    jump = (second.displacement - first.displacement[:1])[0]
    assert np.linalg.norm(jump) == pytest.approx(400e-9)
    places = [dict(zip(w.emitter, map(tuple, w.truth), strict=True)) for w in (first, second)]
    assert places[0] == places[1]


def test_lost_renamed_moved_and_flat():
    plain = simulate_bead_washes(washes=2)
    lost = simulate_bead_washes(washes=2, lost={1: (0,)}, ends={(0, 1): 0.5})
    assert [track.name for track in lost[1].beads] == ["R2", "R3", "R4"]
    assert lost[0].beads[1].tim[-1] <= 1000 < plain[0].beads[1].tim[-1]
    renamed = simulate_bead_washes(washes=2, renamed=True)
    names = [{track.name for track in wash.beads} for wash in renamed]
    assert not names[0] & names[1]
    moved = simulate_bead_washes(washes=2, moved={(1, 2): (5e-7, 0.0, 0.0)})
    step = moved[1].beads[2].position - plain[1].beads[2].position
    np.testing.assert_allclose(np.nanmean(step, axis=0), [5e-7, 0, 0], atol=1e-15)
    flat = simulate_bead_washes(depth_m=0.0)
    assert all((wash.position[:, 2] == 0).all() for wash in flat)


def test_files(tmp_path):
    truth = write_bead_washes(tmp_path, washes=2, traces=20)
    for number, wash in enumerate(truth):
        tree = mfx.open_minflux_tree(tmp_path / f"wash{number}.zarr")
        (node,) = tree.children.values()
        rows = node["localizations"].to_dataset()
        np.testing.assert_array_equal(rows["position_uncorrected"][:, -1], wash.position)
        np.testing.assert_array_equal(rows["tid"], wash.tid)
        beads = node["beads"].to_dataset()
        assert beads["bead"].values.tolist() == [track.name for track in wash.beads]
        found = beads["position"].values[0, : len(wash.beads[0].tim)]
        np.testing.assert_allclose(found, wash.beads[0].position, atol=1e-12)


def test_wrong_settings():
    with pytest.raises(ValueError, match="above 0"):
        simulate_bead_washes(beads=0)
