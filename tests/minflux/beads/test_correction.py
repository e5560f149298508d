"""The correction of the instrument's software, against its model evaluated directly."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from mfxarray.minflux.beads.correction import correct_by_beads
from mfxarray.provenance import history
from mfxarray.testing import raise_if_computes
from tests.minflux.wash_samples import washes_and_beads

QUIET = {"washes": 1, "failed": 0.0, "seed": 6}


def test_the_drift_is_taken_off_and_is_nothing_at_the_reference():
    truth, washes, beads = washes_and_beads(**QUIET, bead_noise_m=0.1e-9)
    with raise_if_computes():
        result = correct_by_beads(washes[0], beads[0], reference_time=1000.0)
    order = np.argsort(truth[0].tim)
    columns = truth[0].displacement[order].T
    start = [np.interp(1000.0, truth[0].tim[order], column) for column in columns]
    error = result["position_bead_corrected"].values - truth[0].truth - start
    # the noise of four beads at the reference time, and 2 nm a localization over 1900 of them
    assert np.abs(np.nanmean(error, axis=0)).max() < 4 * np.hypot(0.05e-9, 2e-9 / np.sqrt(1900))
    assert np.nanstd(error) < 2.1e-9
    np.testing.assert_array_equal(result["position"], washes[0]["position"])


def test_follows_the_published_model():
    truth, washes, beads = washes_and_beads(**QUIET)
    result = correct_by_beads(washes[0], beads[0], reference_time=100.0)
    grid = np.arange(0, 1996, 4.0)
    told = []
    for track in truth[0].beads:
        step = np.stack([np.interp(grid, track.tim, c) for c in track.position.T], axis=1)
        told.append(gaussian_filter1d(step - track.position[0], 1.2, axis=0))
    mean = np.mean(told, axis=0)
    drift = np.stack([np.interp(truth[0].tim, grid, c) for c in mean.T], axis=1)
    start = np.array([np.interp(100.0, grid, c) for c in mean.T])
    expected = truth[0].position - (drift - start)
    inside = (truth[0].tim > 30) & (truth[0].tim < 1960)
    difference = (result["position_bead_corrected"].values - expected)[inside]
    # resampling to a grid smooths a little more; beads have 1 nm of noise here
    assert difference.std() < 0.25e-9


def test_the_reference_is_the_first_time_with_all_beads():
    _, washes, beads = washes_and_beads(**QUIET)
    step = history(correct_by_beads(washes[0], beads[0]).attrs)[-1]
    assert step["step"] == "correct_by_beads"
    assert step["parameters"]["reference_time"] == 3.0


def test_only_chosen_beads_and_wrong_parameters():
    _, washes, beads = washes_and_beads(**QUIET)
    beads[0]["used"][:] = False
    with pytest.raises(ValueError, match="no bead that can be used"):
        correct_by_beads(washes[0], beads[0])
    assert correct_by_beads(washes[0], beads[0], used_only=False)
    with pytest.raises(ValueError, match="smooth_samples"):
        correct_by_beads(washes[0], beads[0], smooth_samples=-1.0)
    with pytest.raises(ValueError, match="not at 9999"):
        correct_by_beads(washes[0], beads[0], reference_time=9999.0, used_only=False)
