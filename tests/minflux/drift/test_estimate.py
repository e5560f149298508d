"""The drift of simulated rings against its truth, for every chunking and number of workers."""

from __future__ import annotations

import dask
import numpy as np
import pytest

from mfxarray.kernels.drift.solve import solve_windows
from mfxarray.minflux.drift.estimate import estimate_drift
from mfxarray.provenance import history
from mfxarray.testing import assert_same_bits
from tests.minflux.drift_samples import NM, dataset, drifting, rms_error


@pytest.mark.parametrize("amplitude", [5, 200])
@pytest.mark.parametrize("shape", ["wave", "line"])
def test_known_drifts_in_2d_come_back(amplitude, shape):
    ds, drift = drifting(amplitude, 2, seed=1, shape=shape)
    found = estimate_drift(ds)
    # asked for: 2 nm
    assert (rms_error(found, drift, 2) < 0.6).all()
    assert (found["drift"].sel(axis="z") == 0).all()


@pytest.mark.parametrize(
    "amplitude", [50, pytest.param(5, marks=pytest.mark.slow), pytest.param(200)]
)
def test_known_drifts_in_3d_come_back(amplitude):
    ds, drift = drifting(amplitude, 3, seed=2)
    found = estimate_drift(ds, uncertainty=False)
    # asked for: 4 nm
    assert (rms_error(found, drift, 3) < 0.6).all()


@pytest.mark.parametrize("preset", ["default", "seed", "paint21"])
@pytest.mark.parametrize("pixels", [300, 301, 302, 303])
def test_static_data_of_any_size_have_no_ramp(preset, pixels):
    ds, _ = drifting(0.0, 2, traces=1500, field_um=2e-3 * pixels, seed=pixels)
    found = estimate_drift(ds, preset=preset, window=1000.0, uncertainty=False)
    slope = np.polyfit(found["window_time"], found["window_drift"][:, :2] / NM, 1)[0]
    # the wrong centre made ramps of 3 to 4 nm
    assert (np.abs(slope * 10_000) < 1.0).all()


def test_the_uncertainty_is_that_of_the_errors():
    errors, told = [], []
    for seed in range(4):
        ds, drift = drifting(30, 2, traces=1500, field_um=2.0, seed=seed)
        found = estimate_drift(ds, window=1000.0)
        errors.append(rms_error(found, drift, 2))
        told.append(found["window_uncertainty"].values[:, :2].mean(axis=0) / NM)
    ratio = np.sqrt(np.mean(np.square(told)) / np.mean(np.square(errors)))
    assert 0.6 < ratio < 1.8


def test_any_chunks_and_workers_give_the_same_bits():
    ds, _ = drifting(40, 2, traces=1500, field_um=2.0, seed=5)
    whole = estimate_drift(ds, window=1500.0)
    for chunks in (len(ds["tim"]), 4000, 1777):
        cut = ds.chunk(localization=chunks)
        for workers in (1, 2, 4):
            with dask.config.set(scheduler="threads", num_workers=workers):
                assert_same_bits(estimate_drift(cut, window=1500.0), whole)


def test_many_bands_and_batches_give_the_same_bits(monkeypatch):
    ds, _ = drifting(40, 2, traces=1500, field_um=2.0, seed=5)
    whole = estimate_drift(ds, window=1500.0)
    monkeypatch.setattr("mfxarray.chunked.drift._BAND_ROWS", 700)
    monkeypatch.setattr("mfxarray.chunked.drift._LAG_BYTES", 60_000)
    assert_same_bits(estimate_drift(ds.chunk(localization=5000), window=1500.0), whole)
    # tables that do not fit: a pass for every few bands
    monkeypatch.setattr("mfxarray.chunked.drift._HELD_ROWS", 3000)
    assert_same_bits(estimate_drift(ds.chunk(localization=5000), window=1500.0), whole)


def test_3d_batches_give_the_same_bits(monkeypatch):
    ds, _ = drifting(40, 3, traces=600, field_um=1.0, seed=5)
    whole = estimate_drift(ds, window=2500.0)
    monkeypatch.setattr("mfxarray.chunked.drift._BAND_ROWS", 900)
    monkeypatch.setattr("mfxarray.chunked.drift._LAG_BYTES", 1)
    assert_same_bits(estimate_drift(ds.chunk(localization=2000), window=2500.0), whole)


def test_the_seed_s_cost_is_minimised_by_its_preset():
    ds, _ = drifting(20, 2, traces=2500, field_um=3.0, seed=7)
    found = estimate_drift(ds, preset="seed", window=900.0, uncertainty=False)
    n = found.sizes["window"]
    assert n == int(np.ptp(ds["tim"].values) // 900)
    pairs = np.stack([found["pair_first"], found["pair_second"]], axis=1)
    distance = pairs[:, 1] - pairs[:, 0]
    weights = np.linspace(1, 0.5, n)[distance - 1]
    np.testing.assert_array_equal(found["pair_weight"], weights)
    expected = solve_windows(pairs, found["pair_shift"].values, weights, n, 0.1)
    np.testing.assert_allclose(found["window_drift"], expected, rtol=1e-8, atol=1e-8 * NM)
    # only the whole windows are used, their times are mean times
    inside = (ds["tim"].values - ds["tim"].values.min()) < 900
    assert found["window_time"].values[0] == pytest.approx(ds["tim"].values[inside].mean(), rel=0.1)


def test_a_large_field_needs_no_more_than_its_points():
    """Two distant parts: an image between them would have 1e10 pixels."""
    near, drift = drifting(30, 2, traces=1500, field_um=1.5, seed=8)
    position = near["position"].values.copy()
    position[near["tid"].values % 2 == 1] += [2e-4, 2e-4, 0.0]
    far = dataset(position, near["tim"].values, near["tid"].values)
    found = estimate_drift(far, window=1500.0, uncertainty=False)
    assert (rms_error(found, drift, 2) < 1.0).all()


def test_masked_and_invalid_localizations_never_count():
    ds, _ = drifting(20, 2, traces=1500, field_um=2.0, seed=9)
    keep = ds["tid"].values % 3 > 0
    fewer = ds.isel(localization=keep)
    expected = estimate_drift(fewer, window=2000.0)["window_drift"]
    spoiled = ds.copy(deep=True)
    spoiled["position"].values[~keep] = np.nan
    masked = ds.assign(vld=("localization", keep))
    for data in (spoiled, masked, ds.assign(selected=("localization", keep))):
        found = estimate_drift(data, window=2000.0)["window_drift"]
        np.testing.assert_array_equal(found, expected)


def test_the_record_tells_the_parameters():
    ds, _ = drifting(20, 2, traces=800, field_um=1.0)
    found = estimate_drift(ds, preset="paint21", window=3000.0, roughness=0.05)
    step = history(found.attrs)[-1]
    assert step["step"] == "estimate_drift"
    assert step["parameters"]["preset"] == "paint21"
    assert step["parameters"]["roughness"] == 0.05
    assert step["parameters"]["pixel"] == 2e-9
    assert found["drift"].dims == ("time", "axis")
    assert {found[name].attrs["units"] for name in ("drift", "pair_shift")} == {"m"}
    assert found["time"].attrs["units"] == "s"


def test_what_is_refused():
    ds, _ = drifting(20, 2, traces=300, field_um=1.0)
    with pytest.raises(ValueError, match="needs at least 2"):
        estimate_drift(ds, window=9000.0)
    with pytest.raises(ValueError, match="fewer than 5 traces"):
        estimate_drift(ds, window=20.0)
    with pytest.raises(ValueError, match="fewer than 10 localizations"):
        estimate_drift(ds, window=100.0, preset="seed")
    with pytest.raises(ValueError, match="dimensions must be 2 or 3"):
        estimate_drift(ds, dimensions=1)
    with pytest.raises(ValueError, match="no parameter 'pixels'"):
        estimate_drift(ds, pixels=3)
    with pytest.raises(ValueError, match="preset must be one of default, seed, paint21"):
        estimate_drift(ds, preset="vendor")
    with pytest.raises(ValueError, match="no localization is left"):
        estimate_drift(ds.assign(selected=("localization", np.zeros(len(ds["tim"]), bool))))


def without_structure():
    rng = np.random.default_rng(0)
    position = rng.uniform(0, 2e-6, (2000, 3)) * [1, 1, 0]
    return dataset(position, np.linspace(0, 1000, 2000), np.arange(2000))


@pytest.mark.parametrize("window", [200.0, None])
def test_windows_without_common_structure_are_refused(window):
    with pytest.raises(ValueError, match=r"no structure in common with the others.*longer window"):
        estimate_drift(without_structure(), window=window)


def test_a_drift_of_localizations_tells_that_it_is_chance():
    """The seed finds a drift in noise; its significance and uncertainty say what it is."""
    found = estimate_drift(without_structure(), preset="seed", window=200.0, coarse=())
    assert found["window_significance"].max() < 3
    drift = np.abs(found["window_drift"].values[:, :2])
    assert (found["window_uncertainty"].values[:, :2] > drift / 3).all()
    ds, _ = drifting(20, 2, traces=1500, field_um=2.0, seed=9)
    sure = estimate_drift(ds, preset="seed", window=2000.0, uncertainty=False)
    assert sure["window_significance"].min() > 10
    assert "window_uncertainty" not in sure


def test_pairs_tell_their_significance():
    ds, _ = drifting(20, 2, traces=1500, field_um=2.0, seed=9)
    found = estimate_drift(ds, window=2000.0)
    assert found["pair_significance"].min() > 10
    assert (found["pair_places"] > 10 * found["pair_expected"]).all()
    assert (found["pair_weight"] > 0).all()


def test_windows_are_halved_where_the_drift_bends():
    ds, drift = drifting(80, 2, traces=800, field_um=1.0, seed=3)
    still, _ = drifting(0, 2, traces=800, field_um=1.0, seed=3)
    found, unmoved = estimate_drift(ds), estimate_drift(still)
    assert found.sizes["window"] > unmoved.sizes["window"] == 4
    assert (rms_error(found, drift, 2) < 1.0).all()


def test_the_uncertainty_grows_beyond_the_windows():
    ds, _ = drifting(20, 2, traces=1500, field_um=2.0)
    found = estimate_drift(ds, window=1000.0)
    x = found["drift_uncertainty"].sel(axis="x").values
    assert x[-1] > 1.3 * np.median(x)
    inside = np.searchsorted(found["time"], found["window_time"].values[4])
    own = found["window_uncertainty"].values[4, 0]
    assert x[inside] == pytest.approx(own, rel=0.15)


def test_an_empty_window_is_named():
    ds, _ = drifting(20, 2, traces=800, field_um=1.0)
    pause = (ds["tim"].values > 4000) & (ds["tim"].values < 6000)
    with pytest.raises(ValueError, match=r"5 \(4994 s to 5993 s: 0\)"):
        estimate_drift(ds.isel(localization=~pause), window=1000.0)
