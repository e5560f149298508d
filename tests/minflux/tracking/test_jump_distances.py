"""Histograms of jumps, and the populations in them."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.errors import DataError
from mfxarray.minflux.tracking.tracking import jump_distances
from mfxarray.testing import assert_chunk_invariant
from tests.minflux.track_data import ERROR, D, track_data


def test_counts_equal_numpy():
    _, data = track_data(tracks=30, points=20, seed=1)
    for lag in (1, 3):
        found = jump_distances(data, lag=lag)
        place = data["position"].values.reshape(30, 20, 3)
        jump = np.linalg.norm(place[:, lag:] - place[:, :-lag], axis=-1).ravel()
        wanted = np.histogram(jump, found["distance_edge"])[0]
        np.testing.assert_array_equal(found["counts"].sum("time_bin"), wanted)
        assert int(found["counts"].sum() + found["beyond"].sum()) == int(found["n"]) == len(jump)


def test_no_jump_over_a_cut_nor_of_trimmed_ends():
    _, data = track_data(tracks=30, points=20, seed=1)
    kept = data.isel(localization=np.arange(600) % 20 != 9).chunk()
    assert int(jump_distances(kept, gap=1.5)["n"]) == 30 * (18 - 1)
    assert int(jump_distances(kept)["n"]) == 30 * 18
    assert int(jump_distances(kept, trim=2)["n"]) == 30 * 14


def test_one_population():
    truth, data = track_data(tracks=1500, points=30, exposure=1.0, missed=0.1, seed=2)
    found = jump_distances(data, localization_sigma=ERROR, blur_time=truth.blur * 1e-3)
    assert int(found["components"]) == 1
    assert abs(float(found["D"][0]) - D) < 4 * float(found["D_error"][0])
    assert float(found["D"][0]) == pytest.approx(D, rel=0.02)
    assert float(found["expected"].sum()) == pytest.approx(float(found["counts"].sum()), rel=1e-3)
    assert found["counts"].sizes["time_bin"] > 1


@pytest.mark.parametrize("dimensions", [2, 3])
def test_two_populations(dimensions):
    _, data = track_data(
        tracks=2000, points=20, diffusion=(2e-13, 2e-12), dimensions=dimensions, seed=3
    )
    found = jump_distances(data, localization_sigma=ERROR)
    assert int(found["components"]) == 2
    np.testing.assert_allclose(found["D"], [2e-13, 2e-12], rtol=0.04)
    np.testing.assert_allclose(found["fraction"], 0.5, atol=0.02)
    assert (np.abs(found["D"] - [2e-13, 2e-12]) < 4 * found["D_error"]).all()
    assert float(found["bic"][1]) < float(found["bic"][0])
    assert jump_distances(data, populations=1).sizes["component"] == 1


def test_chi_squared_of_the_fit():
    _, data = track_data(tracks=2000, points=20, seed=4, error=0.0)
    found = jump_distances(data, bins=40)
    counts, expected = found["counts"].sum("time_bin"), found["expected"].sum("component")
    enough = expected.values > 10
    chi2 = float((((counts - expected) ** 2 / expected)[enough]).sum())
    assert chi2 < enough.sum() + 4 * np.sqrt(2 * enough.sum())


def test_the_same_bits_for_every_chunking():
    inputs = [track_data(size, tracks=30, points=20, seed=1)[1] for size in (None, 7, 250)]
    assert_chunk_invariant(jump_distances, inputs)


def test_without_jumps():
    _, data = track_data(tracks=5, points=2)
    with pytest.raises(DataError, match="jump"):
        jump_distances(data, lag=2)
    with pytest.raises(DataError, match="jump"):
        jump_distances(data.isel(localization=[]).chunk())


@pytest.mark.parametrize(
    "wrong", [{"lag": 0}, {"populations": 3}, {"localization_sigma": -1.0}, {"bins": 2}]
)
def test_parameters_out_of_range(wrong):
    _, data = track_data(tracks=2, points=5)
    with pytest.raises(ValueError, match="must"):
        jump_distances(data, **wrong)
