"""Kinds of motion of simulated tracks."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.minflux.tracking.tracking import MOTIONS, classify_motion
from mfxarray.simulate.minflux_tracks import KINDS
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.minflux.track_data import ERROR, D, track_data

LONG = {"tracks": 160, "points": 120, "radius": 60e-9, "speed": 4e-5, "seed": 1}


@pytest.fixture(scope="module")
def mixed():
    truth, data = track_data(kind=KINDS, missed=0.05, jitter=0.1, **LONG)
    return truth, classify_motion(data).compute()


def test_names_are_those_of_the_simulator():
    assert MOTIONS == KINDS


def test_nearly_all_are_told_rightly(mixed):
    truth, found = mixed
    right = found["motion"].values == truth.kind
    for kind, name in enumerate(KINDS):
        assert right[truth.kind == kind].mean() >= 0.95, name
    assert found["motion"].attrs["names"] == list(MOTIONS)
    assert (found["margin"].values[right] > -2.0).all()
    np.testing.assert_array_equal(found["model"], MOTIONS)


def test_parameters_of_each_kind(mixed):
    truth, found = mixed
    confined = found.isel(trace=(truth.kind == 2) & (found["motion"].values == 2))
    assert float(np.median(confined["confinement_radius"])) == pytest.approx(60e-9, rel=0.07)
    assert float(np.median(confined["confinement_time"])) == pytest.approx(
        60e-9**2 / 4 / D, rel=0.35
    )
    driven = found.isel(trace=(truth.kind == 3) & (found["motion"].values == 3))
    assert float(driven["drift_speed"].mean()) == pytest.approx(4e-5, rel=0.02)
    assert float(np.median(driven["D"])) == pytest.approx(D, rel=0.1)
    still = found.isel(trace=found["motion"].values == 0)
    assert (still["D"] == 0).all()
    assert float(np.median(still["localization_sigma"])) == pytest.approx(ERROR, rel=0.03)
    others = found.isel(trace=found["motion"].values == 1)
    assert np.isnan(others["confinement_radius"]).all()
    assert np.isnan(others["drift_speed"]).all()
    assert found["confinement_radius"].attrs["units"] == "m"


def test_free_motion_is_seldom_taken_for_more():
    _, data = track_data(tracks=600, points=40, seed=7)
    motion = classify_motion(data).compute()["motion"].values
    assert ((motion == 2) | (motion == 3)).mean() < 0.06
    strict = classify_motion(data, margin=6.0).compute()["motion"].values
    assert ((strict == 2) | (strict == 3)).mean() < 0.02


def test_three_dimensions():
    truth, data = track_data(kind=KINDS, dimensions=3, **LONG)
    found = classify_motion(data).compute()
    assert (found["motion"].values == truth.kind).mean() > 0.95
    confined = found.isel(trace=(truth.kind == 2) & (found["motion"].values == 2))
    assert float(np.median(confined["confinement_radius"])) == pytest.approx(60e-9, rel=0.07)


def test_short_tracks_are_not_told():
    _, data = track_data(tracks=20, points=9)
    found = classify_motion(data).compute()
    assert (found["motion"] == -1).all()
    assert np.isnan(found["D"]).all()
    assert (classify_motion(data, least=8).compute()["motion"] >= 0).all()


def test_the_same_bits_for_every_chunking_and_lazy():
    inputs = [track_data(size, tracks=12, points=30, seed=1)[1] for size in (None, 11, 100)]
    assert_chunk_invariant(classify_motion, inputs)
    with raise_if_computes():
        classify_motion(inputs[0])


@pytest.mark.parametrize("wrong", [{"least": 3}, {"margin": -1.0}, {"trim": 0.5}])
def test_parameters_out_of_range(wrong):
    _, data = track_data(tracks=2, points=5)
    with pytest.raises(ValueError, match="must"):
        classify_motion(data, **wrong)
