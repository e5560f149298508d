"""Paths of tracks, and the table of all that is told."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.minflux.tracking.motion_classes import classify_motion
from mfxarray.minflux.tracking.table import track_table
from mfxarray.minflux.tracking.tracking import diffusion, speed
from mfxarray.testing import assert_chunk_invariant, assert_same_bits, raise_if_computes
from tests.minflux.track_data import track_data


def test_speed_equals_numpy():
    _, data = track_data(tracks=10, points=20, seed=1)
    found = speed(data).compute()
    place = data["position"].values.reshape(10, 20, 3)
    length = np.linalg.norm(np.diff(place, axis=1), axis=-1).sum(axis=1)
    net = np.linalg.norm(place[:, -1] - place[:, 0], axis=-1)
    np.testing.assert_allclose(found["path_length"], length, rtol=1e-9)
    np.testing.assert_allclose(found["net_displacement"], net, rtol=1e-9)
    np.testing.assert_allclose(found["duration"], 19e-3, rtol=1e-9)
    np.testing.assert_allclose(found["speed"], length / 19e-3, rtol=1e-9)
    np.testing.assert_allclose(found["net_speed"], net / 19e-3, rtol=1e-9)
    gyration = np.sqrt(place.var(axis=1).sum(axis=-1))
    np.testing.assert_allclose(found["radius_of_gyration"], gyration, rtol=1e-9)
    assert (found["turns"] == 18).all()
    assert found["speed"].attrs["units"] == "m/s"


def test_turns_of_driven_and_resting_particles():
    _, data = track_data(tracks=50, points=50, kind="directed", diffusion=1e-15, speed=1e-3)
    assert float(speed(data).compute()["persistence"].mean()) > 0.99
    _, data = track_data(tracks=200, points=50, kind="immobile")
    found = speed(data).compute()
    assert -0.5 < float(found["mean_cosine"].mean()) < -0.3


def test_single_localizations_have_no_speed():
    _, data = track_data(tracks=3, points=5)
    found = speed(data.isel(localization=[0, 5, 10]).chunk()).compute()
    assert np.isnan(found["speed"]).all()
    assert np.isnan(found["mean_cosine"]).all()
    assert (found["path_length"] == 0).all()
    with pytest.raises(ValueError, match="lag"):
        speed(data, lag=0)


def test_the_table_has_all_of_them():
    _, data = track_data(50, tracks=20, points=30, seed=1)
    found = track_table(data, method="mle", dimensions=2, gap=None).compute()
    rules = {"dimensions": 2, "gap": None}
    wanted = diffusion(data, "mle", **rules).compute()
    for name in ("D", "D_error", "localization_sigma", "steps"):
        np.testing.assert_array_equal(found[name], wanted[name])
    told = classify_motion(data, **rules).compute()
    np.testing.assert_array_equal(found["motion"], told["motion"])
    np.testing.assert_array_equal(found["speed"], speed(data, **rules).compute()["speed"])
    assert "model" not in found.dims
    assert all(found[name].dims == ("trace",) for name in found)
    plain = track_table(data, classes=False)
    assert "motion" not in plain
    assert [step["step"] for step in found.mfx.history] == ["track_table"]


def test_the_same_bits_for_every_chunking_and_lazy():
    inputs = [track_data(size, tracks=15, points=20, seed=1)[1] for size in (None, 11, 100)]
    assert_chunk_invariant(track_table, inputs)
    with raise_if_computes():
        track_table(inputs[1])
    assert_same_bits(speed(inputs[0]).compute(), speed(inputs[2]).compute())
