"""Simulated tracks hold what their truth says."""

from __future__ import annotations

import numpy as np
import pytest

import mfxarray as mfx
from mfxarray.simulate.minflux_tracks import KINDS, simulate_tracks, write_tracks


def paths(**settings):
    found = simulate_tracks(**settings)
    n = len(found.kind)
    return found, found.position.reshape(n, -1, 3)


def test_free_steps_have_the_covariance_of_berglund():
    for exposure in (0.0, 0.5, 1.0):
        found, places = paths(tracks=4000, points=20, error=20e-9, exposure=exposure, seed=1)
        # of an exposure over a share f of the frame R is f / 6 times that share
        steps = np.diff(places[..., :2], axis=1)
        assert found.blur == exposure / 6
        lost = 2 * 5e-13 * 1e-3 * found.blur
        variance, product = 2 * 5e-13 * 1e-3 - 2 * lost + 8e-16, lost - 4e-16
        np.testing.assert_allclose((steps**2).mean(), variance, rtol=0.02)
        np.testing.assert_allclose(
            (steps[:, 1:] * steps[:, :-1]).mean(), product, rtol=0.05, atol=4e-18
        )


def test_walls():
    _, places = paths(tracks=500, points=200, kind="confined", error=0.0, radius=60e-9)
    own = places[..., :2]
    # evenly spread over a disc: the variance along an axis is a quarter of the squared radius
    spread = (own - own.mean(axis=1, keepdims=True)).var()
    np.testing.assert_allclose(spread, 60e-9**2 / 4, rtol=0.06)
    reach = np.ptp(own, axis=1).max()
    assert reach <= 120e-9


def test_drift_and_rest():
    _, places = paths(tracks=200, points=100, kind="directed", diffusion=1e-14, speed=2e-5)
    went = np.linalg.norm(places[:, -1] - places[:, 0], axis=1)
    np.testing.assert_allclose(went.mean(), 2e-5 * 99e-3, rtol=0.01)
    _, places = paths(tracks=20, points=50, kind="immobile", error=0.0)
    assert not np.ptp(places, axis=1).any()


def test_kinds_take_turns_and_points_get_lost():
    found = simulate_tracks(tracks=50, points=40, kind=KINDS, missed=0.3, jitter=0.2)
    assert found.kind.tolist() == np.resize(np.arange(4), 50).tolist()
    assert 0.65 < len(found.tim) / 2000 < 0.75
    assert (np.diff(found.tim) > 0).all()
    assert not found.position[:, 2].any()
    assert simulate_tracks(dimensions=3).position[:, 2].any()


def test_lengths():
    found = simulate_tracks(tracks=3000, points=10, same_length=False)
    lengths = np.bincount(found.tid)
    assert lengths.min() == 2
    assert abs(lengths.mean() - 10) < 0.6


def test_a_file_that_opens(tmp_path):
    path = tmp_path / "tracks.npy"
    found = write_tracks(path, tracks=10, points=20, error=(1e-9, 2e-9, 3e-9), seed=4)
    data = mfx.open_minflux(path)
    np.testing.assert_array_equal(data["tim"], found.tim)
    np.testing.assert_array_equal(data["tid"], found.tid)
    np.testing.assert_array_equal(data["position"][:, -1], found.position)
    again = simulate_tracks(tracks=10, points=20, error=(1e-9, 2e-9, 3e-9), seed=4)
    np.testing.assert_array_equal(again.position, found.position)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "bent"},
        {"kind": ()},
        {"dimensions": 1},
        {"points": 1},
        {"frame": 0.0},
        {"missed": 1.0},
        {"exposure": 1.5},
        {"diffusion": -1.0},
        {"radius": 0.0},
    ],
)
def test_parameters_out_of_range(wrong):
    with pytest.raises(ValueError, match=r"must|are|not"):
        simulate_tracks(**wrong)
