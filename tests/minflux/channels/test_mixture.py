"""Channels: recovered fluorophores, the same labels for every chunking, what does not enter."""

from __future__ import annotations

import warnings

import dask
import numpy as np
import pytest
import xarray as xr
from sklearn.mixture import GaussianMixture

import mfxarray as mfx
from mfxarray.errors import DataError
from mfxarray.minflux.channels.mixture import (
    assign_channels,
    choose_components,
    fit_mixture,
    photon_weighted,
)
from mfxarray.minflux.filtering.filters import compact, filter_localizations
from mfxarray.minflux.traces.table import traces
from mfxarray.provenance import history
from mfxarray.schema import CFR_NOT_MEASURED
from mfxarray.stores.zarr_store import open_zarr, write_zarr
from mfxarray.testing import assert_chunk_invariant, assert_same_bits, raise_if_computes
from tests.samples import four_chunkings, localization_file, localizations_of

MEANS, WIDTHS, FRACTIONS = (0.30, 0.70), (0.05, 0.06), (0.35, 0.65)


def runs(n_traces, means=MEANS, widths=WIDTHS, fractions=FRACTIONS, seed=0, mean_length=6):
    """Localizations of traces, each of one fluorophore, and the fluorophore of each row."""
    rng = np.random.default_rng(seed)
    species = rng.choice(len(means), n_traces, p=fractions)
    lengths = rng.geometric(1 / mean_length, n_traces)
    part = np.repeat(species, lengths)
    values = np.array(means)[part] + np.array(widths)[part] * rng.standard_normal(len(part))
    ds = localizations_of(
        rng.random((len(part), 3)) * 1e-6,
        tid=np.repeat(np.arange(n_traces), lengths),
        dcr=np.clip(values, 0, 1),
        eco=rng.integers(50, 200, len(part)),
        vld=rng.random(len(part)) > 0.03,
    )
    return ds.chunk(localization=997), part


@pytest.fixture(scope="module")
def two():
    return runs(1600)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    path = localization_file(tmp_path_factory.mktemp("channels"), localizations=2000)
    return mfx.open_minflux(path, chunk_bytes=300_000)


def used(ds):
    return ds["vld"].values


def within_errors(fit, mixture, times=4.0):
    for name, wanted in zip(("mean", "width", "fraction"), mixture, strict=True):
        error = fit[f"{name}_error"].values
        assert (error > 0).all()
        assert (np.abs(fit[name].values - wanted) < times * error).all(), name


def test_two_fluorophores_are_recovered(two):
    ds, part = two
    fit = fit_mixture(ds, per="localization").load()
    share = np.bincount(part[used(ds)]) / used(ds).sum()
    within_errors(fit, (MEANS, WIDTHS, share))
    assert bool(fit.exact)
    assert bool(fit.converged)
    assert int(fit.n) == used(ds).sum() == fit.counts.sum()
    assert float(fit.rmse_relative) < 0.05
    named = assign_channels(ds, fit, per="localization").compute()
    right = (named.channel.values == part)[used(ds)]
    assert 1 - right.mean() == pytest.approx(float(fit.misassigned), abs=0.003)
    assert (named.channel.values[~used(ds)] == -1).all()
    assert np.isnan(named.channel_probability.values[~used(ds)]).all()


def test_three_fluorophores_are_recovered():
    mixture = ((0.2, 0.5, 0.8), (0.04, 0.05, 0.03), (0.2, 0.5, 0.3))
    ds, part = runs(1500, *mixture)
    fit = choose_components(ds, most=4).load()
    assert int(fit.components) == 3
    share = np.bincount(part[used(ds)]) / used(ds).sum()
    within_errors(fit.isel(component=slice(3)), (mixture[0], mixture[1], share))
    assert np.isnan(fit["mean"].values[3:]).all()
    assert np.isfinite(fit.boundary.values).sum() == 2
    assert np.argmin(fit.tried_bic.values) == 2
    named = assign_channels(ds, fit).compute()
    assert set(np.unique(named.channel)) <= {-1, 0, 1, 2}
    assert (named.channel.values == part)[used(ds)].mean() > 0.99


def test_equals_scikit_learn(two):
    ds, _ = two
    for per in ("localization", "trace"):
        values = ds.dcr.values[used(ds)]
        if per == "trace":
            tid = ds.tid.values[used(ds)]
            values = np.bincount(tid, values)[np.unique(tid)] / np.bincount(tid)[np.unique(tid)]
        theirs = GaussianMixture(2, tol=1e-11, max_iter=3000, reg_covar=0, random_state=0)
        theirs.fit(values[:, None])
        fit = fit_mixture(ds, per=per).load()
        assert int(fit.n) == len(values)
        wanted = theirs.score(values[:, None]) * len(values)
        np.testing.assert_allclose(float(fit.log_likelihood), wanted, rtol=1e-6)
        np.testing.assert_allclose(float(fit.bic), theirs.bic(values[:, None]), rtol=1e-6)
        order = np.argsort(theirs.means_[:, 0])
        named = assign_channels(ds, fit, per="localization", min_confidence=0)
        chance = theirs.predict_proba(ds.dcr.values[:, None])[:, order]
        sure = used(ds) & (np.abs(chance[:, 0] - 0.5) > 1e-3)
        np.testing.assert_array_equal(named.channel.values[sure], chance.argmax(axis=1)[sure])
        np.testing.assert_allclose(
            named.channel_probability.values[sure], chance.max(axis=1)[sure], atol=2e-4
        )


@pytest.mark.parametrize(
    ("per", "statistic", "max_exact"),
    [
        ("trace", "mean", 200_000),
        ("trace", "median", 100),
        ("localization", "mean", 200_000),
        ("localization", "mean", 100),
    ],
)
def test_same_bits_for_every_chunking(simulated, per, statistic, max_exact):
    def fit_of(ds):
        return fit_mixture(ds, per=per, statistic=statistic, max_exact=max_exact)

    def named(ds):
        found = assign_channels(ds, fit_of(ds), per=per)
        return found[["channel", "channel_probability"]]

    chunkings = four_chunkings(simulated, "localization")
    assert_chunk_invariant(fit_of, chunkings)
    assert_chunk_invariant(named, chunkings)


@pytest.mark.parametrize("vote", ["majority", "mean", "median"])
def test_votes_are_the_same_for_every_chunking(simulated, vote):
    fit = fit_mixture(simulated, per="localization").load()
    assert_chunk_invariant(
        lambda ds: assign_channels(ds, fit, vote=vote)[["channel", "channel_probability"]],
        four_chunkings(simulated, "localization"),
    )


def test_schedulers_and_seeds(simulated):
    found = []
    for scheduler, seed in (("sync", 3), ("threads", 3), ("threads", 4)):
        with dask.config.set(scheduler=scheduler):
            found.append(choose_components(simulated, most=3, seed=seed).compute())
    assert_same_bits(found[0], found[1])
    np.testing.assert_allclose(found[2]["mean"], found[0]["mean"], rtol=1e-4)


def test_nothing_is_computed_before(simulated):
    ds = compact(filter_localizations(simulated, bounds={"efo": (1e4, None)}))
    with raise_if_computes():
        for per in ("localization", "trace"):
            fit = choose_components(ds, "dcr_pooled", per=per)
            named = assign_channels(ds, fit, per=per)
            assert fit["mean"].chunks is not None
            assert named.channel.dtype == np.int64
    assert named.channel.shape == ds.tid.shape


def test_a_lazy_fit_gives_the_same_channels(simulated):
    for per in ("trace", "localization"):
        fit = fit_mixture(simulated, per=per)
        one, other = (assign_channels(simulated, f, per=per) for f in (fit, fit.compute()))
        wanted = ["channel", "channel_probability"]
        assert_same_bits(one[wanted].compute(), other[wanted].compute())


def test_a_trace_has_one_channel(two):
    ds, part = two
    for vote in ("majority", "mean", "median"):
        fit = fit_mixture(ds, per="localization" if vote == "majority" else "trace").load()
        named = assign_channels(ds, fit, vote=vote).compute()
        table = named.to_dataframe()[["tid", "channel", "vld"]]
        assert (table[table.vld].groupby("tid").channel.nunique() == 1).all()
        right = (named.channel.values == part)[used(ds)]
        assert right.mean() > 0.995


def test_majority_counts_what_has_no_channel():
    values = [0.2, 0.21, 0.5, 0.8, 0.2, 0.5, 0.5, 0.21, np.nan, 0.8]
    ds = localizations_of(
        np.zeros((10, 3)), tid=np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 3]), dcr=np.array(values)
    )
    windows = {"windows": [(0.0, 0.3), (0.7, 1.0)], "vote": "majority"}
    named = assign_channels(ds, **windows)
    np.testing.assert_array_equal(named.channel, [0, 0, 0, -1, -1, -1, -1, -1, -1, 1])
    np.testing.assert_allclose(named.channel_probability[:8:4], [2 / 3, 0.5])
    loose = assign_channels(ds, agreement=0.3, **windows)
    np.testing.assert_array_equal(loose.channel, [0, 0, 0, -1, -1, 0, 0, 0, 0, 1])


def test_thresholds_by_hand():
    values = np.array([0.1, 0.55, 0.549, 0.9, np.nan, 1.2, -1 / 32768])
    ds = localizations_of(np.zeros((7, 3)), dcr=values)
    named = assign_channels(ds, thresholds=[0.55], per="localization")
    np.testing.assert_array_equal(named.channel, [0, 1, 0, 1, -1, -1, -1])
    np.testing.assert_array_equal(named.channel_probability, [1, 1, 1, 1] + [np.nan] * 3)
    three = assign_channels(ds, thresholds=[0.2, 0.6], per="localization")
    np.testing.assert_array_equal(three.channel[:4], [0, 1, 1, 2])
    windows = assign_channels(ds, windows=[(0.5, 0.6), (0.0, 0.55)], per="localization")
    np.testing.assert_array_equal(windows.channel[:4], [1, 0, 0, -1])


def test_windows_in_time(two):
    ds, _ = two
    end = float(ds.tim[-1])
    named = assign_channels(
        ds, field="tim", windows=[(0, end / 2), (end / 2, end)], per="localization"
    )
    wanted = np.where(used(ds), (ds.tim.values > end / 2).astype(int), -1)
    np.testing.assert_array_equal(named.channel, wanted)


def test_thresholds_of_the_fit_rise_with_the_value():
    mixture = ((0.4, 0.6), (0.02, 0.12), (0.5, 0.5))
    ds, _ = runs(3000, *mixture)
    fit = fit_mixture(ds, per="localization").load()
    boundary = float(fit.boundary[0])
    near = ds.dcr.values < 0.25
    likeliest = assign_channels(ds, fit, per="localization").channel.values
    assert (likeliest[near & used(ds)] == 1).all()
    named = assign_channels(
        ds, fit, thresholds="boundaries", per="localization", min_confidence=0
    ).compute()
    wanted = np.where(used(ds), ds.dcr.values >= boundary, -1)
    np.testing.assert_array_equal(named.channel, wanted)
    assert named.channel_probability.values[near & used(ds)].max() < 0.5
    sure = assign_channels(ds, fit, thresholds="boundaries", per="localization").channel.values
    assert (sure[near] == -1).all()
    lazy = assign_channels(
        ds, fit_mixture(ds, per="localization"), thresholds="boundaries", min_confidence=0
    )
    assert set(np.unique(lazy.channel)) <= {-1, 0, 1}


def test_min_confidence(two):
    ds, part = two
    fit = fit_mixture(ds, per="localization").load()
    loose, strict = (
        assign_channels(ds, fit, per="localization", min_confidence=p).compute()
        for p in (0.5, 0.99)
    )
    assert_same_bits(loose.channel_probability, strict.channel_probability)
    kept = strict.channel.values >= 0
    np.testing.assert_array_equal(kept, strict.channel_probability.values >= 0.99)
    assert kept.sum() < (loose.channel.values >= 0).sum()
    assert (strict.channel.values == part)[kept].mean() > 0.999


def test_what_was_not_measured_does_not_enter(two):
    ds, _ = two
    rng = np.random.default_rng(2)
    bad = rng.choice(ds.sizes["localization"], 900, replace=False)
    values = ds.dcr.values.copy()
    values[bad] = np.resize([np.nan, np.inf, -np.inf, CFR_NOT_MEASURED, 2.0, -5.0], 900)
    spoilt = ds.assign(dcr=("localization", values)).chunk(localization=500)
    clean = ds.isel(localization=np.setdiff1d(np.arange(len(values)), bad))
    for per in ("localization", "trace"):
        one, other = (fit_mixture(one, per=per).compute() for one in (spoilt, clean))
        assert_same_bits(one, other)
    named = assign_channels(spoilt, one, per="localization").compute()
    assert (named.channel.values[bad] == -1).all()


def test_masked_and_other_fields(two):
    ds, _ = two
    masked = filter_localizations(ds, bounds={"eco": (100, None)})
    fit = fit_mixture(masked, per="localization").compute()
    assert int(fit.n) == (used(ds) & (ds.eco.values >= 100)).sum()
    cfr = np.where(np.arange(ds.sizes["localization"]) % 3 == 0, CFR_NOT_MEASURED, ds.dcr.values)
    other = ds.assign(
        cfr=("localization", cfr), efo=("localization", cfr * 1e5, {"units": "Hz"})
    ).chunk(localization=500)
    fit = fit_mixture(other, "cfr", per="localization").compute()
    assert int(fit.n) == (used(ds) & (cfr > 0)).sum()
    assert fit_mixture(other, "efo")["mean"].attrs["units"] == "Hz"


def test_bins_are_near_the_values(two):
    ds, _ = two
    exact, bins = (fit_mixture(ds, per="localization", max_exact=n).load() for n in (10**6, 10))
    assert bool(exact.exact)
    assert not bool(bins.exact)
    width = float(bins.edges[1] - bins.edges[0])
    for name in ("mean", "width", "fraction"):
        np.testing.assert_allclose(bins[name], exact[name], atol=width**2 / 0.05)
    np.testing.assert_allclose(bins.boundary, exact.boundary, atol=1e-4)
    np.testing.assert_allclose(bins.mean_error, exact.mean_error, rtol=0.02)
    assert_same_bits(bins.counts, exact.counts)


def test_weights_count(two):
    ds, part = two
    fit = fit_mixture(ds, weights="n").load()
    assert int(fit.n) == len(np.unique(ds.tid.values[used(ds)]))
    assert int(fit.weight) == used(ds).sum()
    share = np.bincount(part[used(ds)]) / used(ds).sum()
    np.testing.assert_allclose(fit.fraction, share, atol=0.003)
    photons = fit_mixture(ds, weights="eco", per="localization").load()
    assert int(photons.weight) == ds.eco.values[used(ds)].sum()
    with pytest.raises(ValueError, match="whole numbers"):
        fit_mixture(ds, weights="dcr")
    with pytest.raises(ValueError, match="per='trace'"):
        fit_mixture(ds, weights="n", per="localization")


def test_a_table_of_traces(simulated):
    table = traces(simulated)
    fit = fit_mixture(table, "dcr_median").load()
    same = fit_mixture(simulated, "dcr", statistic="median").load()
    np.testing.assert_array_equal(fit["mean"], same["mean"])
    named = assign_channels(table, fit)
    assert named.channel.dims == ("trace",)
    rows = assign_channels(simulated, same).compute()
    by_tid = dict(zip(named.tid.values.tolist(), named.channel.values.tolist(), strict=True))
    kept = rows.channel.values >= 0
    tids = rows.tid.values[kept].tolist()
    assert [by_tid[tid] for tid in tids] == rows.channel.values[kept].tolist()
    with pytest.raises(ValueError, match="one by one"):
        assign_channels(table, fit, vote="majority")
    with pytest.raises(ValueError, match="no field 'dcr' in the table"):
        fit_mixture(table)


def plain_weighted(ds, numbers):
    dcr, eco, position = (ds[name].values for name in ("dcr", "eco", "position"))
    found = []
    for row in range(len(eco)):
        total = weight = 0.0
        for k in numbers:
            value, photons = dcr[row, k], eco[row, k]
            if np.isfinite(position[row, k]).all() and photons > 0 and 0 <= value <= 1:
                total, weight = total + value * photons, weight + photons
        found.append(total / weight if weight else np.nan)
    return np.array(found)


def test_photon_weighted(simulated):
    small = simulated.isel(localization=slice(0, 700)).compute()
    small["dcr"][5, 8] = CFR_NOT_MEASURED
    small["eco"][6, 8:] = 0
    ds = small.chunk(localization=100)
    found = photon_weighted(ds, iterations=(8, 9))
    assert found.attrs["iterations"] == [8, 9]
    wanted = plain_weighted(small, (8, 9))
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    assert np.isnan(found[6])
    inferred = photon_weighted(ds)
    assert inferred.attrs["decided_by"] == "inferred from the data"
    last = photon_weighted(ds, iterations=(9,)).values
    known = np.isfinite(last)
    np.testing.assert_allclose(last[known], small.dcr.values[known, 9], rtol=1e-12)
    assert_chunk_invariant(photon_weighted, [small.chunk(localization=n) for n in (700, 100, 33)])
    assert history(found.attrs)[-1]["step"] == "photon_weighted"


def test_pooled_values_are_sharper(simulated):
    last, pooled = (
        fit_mixture(simulated, field, per="localization").load() for field in ("dcr", "dcr_pooled")
    )
    assert (pooled.width < 0.85 * last.width).all()
    np.testing.assert_allclose(pooled["mean"], [0.38, 0.62], atol=0.005)
    named = simulated.assign(dcr_pooled=photon_weighted(simulated))
    assert_same_bits(fit_mixture(named, "dcr_pooled", per="localization").compute(), pooled)


def test_one_fluorophore_is_one_component():
    ds, _ = runs(500, (0.5,), (0.05,), (1.0,))
    fit = choose_components(ds).load()
    assert int(fit.components) == 1
    named = assign_channels(ds, fit).channel.values
    assert (named[used(ds)] == 0).all()


def test_shapes_are_not_taken_for_fluorophores():
    # means of short and of long traces: one fluorophore, but no Gaussian
    ds, _ = runs(2000, (0.5,), (0.1,), (1.0,))
    every, apart = (
        choose_components(ds, per="trace", separated=one).load() for one in (False, True)
    )
    assert int(every.components) > 1
    assert int(apart.components) == 1
    assert_same_bits(every.tried_bic, apart.tried_bic)


def test_store_keeps_fit_and_channels(two, tmp_path):
    ds, _ = two
    fit = fit_mixture(ds, per="localization").compute()
    named = assign_channels(ds, fit)
    write_zarr(named, tmp_path / "named.zarr")
    again = open_zarr(tmp_path / "named.zarr")
    assert_same_bits(again.channel.compute(), named.channel.compute())
    steps = history(again.attrs)
    assert steps[-1]["step"] == "assign_channels"
    assert steps[-1]["others"]["fit"][-1]["step"] == "mixture"


def test_too_few_values():
    ds = localizations_of(np.zeros((4, 3)), dcr=np.full(4, 0.5))
    with pytest.raises(DataError, match="different values"):
        fit_mixture(ds).compute()
    nothing = ds.assign(dcr=("localization", np.full(4, np.nan)))
    with pytest.raises(DataError, match="than the 0 that"):
        fit_mixture(nothing, per="localization").compute()
    few = ds.assign(dcr=("localization", np.array([0.1, 0.2, 0.8, 0.8])))
    assert int(choose_components(few, most=6).components) <= 3


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"components": 0}, "1 to 20"),
        ({"components": 2.0}, "1 to 20"),
        ({"per": "wash"}, "per must be"),
        ({"statistic": "mode"}, "statistic must be"),
        ({"bins": 100}, "multiple of 64"),
        ({"starts": 0}, "starts"),
        ({"seed": -1}, "seed"),
        ({"least_width": 0.0}, "least_width"),
        ({"field": "dcrr"}, "no field 'dcrr'"),
        ({"field": "position"}, "one value a localization"),
    ],
)
def test_wrong_fits(two, wrong, what):
    with pytest.raises(ValueError, match=what):
        fit_mixture(two[0], **wrong)


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({}, "give a fit"),
        ({"thresholds": [0.5], "windows": [(0, 1)]}, "not both"),
        ({"thresholds": [0.6, 0.5]}, "rising"),
        ({"thresholds": [np.nan]}, "rising"),
        ({"thresholds": "boundaries"}, "of a fit"),
        ({"windows": [(0.5, 0.1)]}, "low <= high"),
        ({"windows": [0.5, 0.1]}, "pairs"),
        ({"thresholds": [0.5], "per": "wash"}, "per must be"),
        ({"thresholds": [0.5], "vote": "mode"}, "vote must be"),
        ({"thresholds": [0.5], "min_confidence": 2}, "shares"),
        ({"thresholds": [0.5], "agreement": -1}, "shares"),
        ({"fit": xr.Dataset()}, "result of fit_mixture"),
    ],
)
def test_wrong_channels(two, wrong, what):
    with pytest.raises(ValueError, match=what):
        assign_channels(two[0], **wrong)


def test_more_channels_than_components(two):
    fit = fit_mixture(two[0], per="localization").load()
    with pytest.raises(ValueError, match="a component for every channel"):
        assign_channels(two[0], fit, thresholds=[0.2, 0.4, 0.6])


def test_no_boundary_to_take():
    ds, _ = runs(500, (0.5, 0.52), (0.02, 0.2), (0.9, 0.1))
    fit = fit_mixture(ds, per="localization").load()
    assert np.isnan(fit.boundary).all()
    with pytest.raises(ValueError, match="nothing separates"):
        assign_channels(ds, fit, thresholds="boundaries", per="localization").channel.compute()


def test_no_localization():
    ds = localizations_of(np.empty((0, 3)), dcr=np.empty(0)).chunk(localization=10)
    named = assign_channels(ds, thresholds=[0.5], per="localization")
    assert named.channel.shape == (0,)


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["2D_ValidOnly.npy", "3D_ValidOnly.npy"])
def test_real_files(data_dir, name):
    # one fluorophore: nothing separates two components of the traces
    ds = mfx.open_minflux(data_dir / "minflux" / name, chunk_bytes=2_000_000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = fit_mixture(ds, "dcr_pooled").load()
    assert np.isnan(fit.boundary).all()
    assert 0.57 < float((fit["mean"] * fit.fraction).sum()) < 0.60
    assert int(choose_components(ds, "dcr_pooled", per="trace").components) == 1
    named = assign_channels(ds, fit).channel.values
    assert set(named) <= {-1, 0, 1}
    assert len(named) == ds.sizes["localization"]
