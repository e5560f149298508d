"""Traces split into emitters: the truth of simulations, every chunking, the seed's errors."""

from __future__ import annotations

import json
import warnings

import dask
import numpy as np
import pytest
import xarray as xr
from sklearn.cluster import DBSCAN
from sklearn.mixture import GaussianMixture

from mfxarray.minflux.clusters.split_limits import split_limits
from mfxarray.minflux.clusters.splitting import split_emitters, split_events
from mfxarray.minflux.traces.table import traces
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.minflux.cluster_samples import emitter_traces, washes_of_clusters
from tests.samples import four_chunkings, localizations_of

METHODS = ("dbscan", "gmm", "bayes")


def parts_of(ds, rows, method, **settings):
    return split_emitters(ds, method, **settings)["trace_part"].values.reshape(-1, rows)


def recovered(parts, true):
    """Part of traces with as many parts as emitters shone, and of rows in the right part there."""
    right, agree = 0, []
    for found, wanted in zip(parts, true, strict=True):
        n = len(np.unique(found[found >= 0]))
        if n == len(np.unique(wanted)):
            right += 1
            counts = [np.bincount(wanted[found == part]).max() for part in range(n)]
            agree.append(sum(counts) / len(wanted))
    return right / len(true), np.mean(agree)


# (emitters, apart, spread): least part of traces with the right number of parts by gmm, bayes
RATES = {
    (1, 0e-9, 2e-9): (0.97, 0.97),
    (1, 0e-9, 3e-9): (0.96, 0.97),
    (1, 0e-9, 4e-9): (0.96, 0.88),
    (2, 10e-9, 2e-9): (0.93, 0.94),
    (2, 20e-9, 3e-9): (0.95, 0.95),
    (2, 20e-9, 4e-9): (0.91, 0.94),
    (2, 40e-9, 4e-9): (0.94, 0.97),
    (2, 60e-9, 4e-9): (0.94, 0.97),
    (3, 20e-9, 3e-9): (0.95, 0.80),
    (3, 40e-9, 4e-9): (0.97, 0.90),
    (3, 60e-9, 4e-9): (0.97, 0.93),
}


@pytest.mark.parametrize("case", RATES)
@pytest.mark.parametrize("method", ["gmm", "bayes"])
def test_emitters_are_recovered(case, method):
    emitters, apart, spread = case
    ds, true, _ = emitter_traces(150, emitters, apart, spread, seed=1)
    right, agree = recovered(parts_of(ds, 30, method), true)
    assert right >= RATES[case][METHODS.index(method) - 1]
    assert agree >= 0.97


@pytest.mark.parametrize("apart", [40e-9, 60e-9])
def test_dbscan_recovers_emitters_that_are_farther_apart_than_eps(apart):
    ds, true, _ = emitter_traces(150, 2, apart, 4e-9, seed=2)
    right, agree = recovered(parts_of(ds, 30, "dbscan", eps=12e-9), true)
    assert right >= 0.97
    assert agree >= 0.98


@pytest.mark.parametrize("method", METHODS)
def test_means_and_fractions_are_those_of_the_emitters(method):
    ds, true, centres = emitter_traces(100, 2, 40e-9, 3e-9, rows=60, seed=3)
    parts = parts_of(ds, 60, method, eps=12e-9)
    place = ds["position"].values.reshape(100, 60, 3)
    errors, fractions = [], []
    for trace in range(100):
        for emitter in range(2):
            own = parts[trace] == np.bincount(parts[trace][true[trace] == emitter]).argmax()
            # the standard error of the truth's own mean is the unit
            n = (true[trace] == emitter).sum()
            off = place[trace][own].mean(axis=0) - centres[trace, emitter]
            errors.append(off / (3e-9 / np.sqrt(n)))
            fractions.append(own.mean() - (true[trace] == emitter).mean())
    assert np.std(errors) < 1.1
    assert np.abs(np.mean(errors)) < 0.2
    assert np.abs(fractions).mean() < 0.01


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("preset", [None, "seed"])
def test_same_labels_for_every_chunking(method, preset):
    ds = washes_of_clusters()
    rng = np.random.default_rng(0)
    ds = ds.assign(selected=("localization", rng.random(ds.sizes["localization"]) < 0.9))

    def operation(data):
        return split_emitters(data, method, preset=preset)[["trace_part", "tid2"]]

    assert_chunk_invariant(operation, four_chunkings(ds, "localization"))


@pytest.mark.parametrize("method", METHODS)
def test_same_labels_for_every_chunking_of_traces_that_come_back(method):
    ds, _, _ = emitter_traces(20, 2, 30e-9, 3e-9)
    mixed = ds.isel(localization=np.random.default_rng(4).permutation(ds.sizes["localization"]))
    assert_chunk_invariant(
        lambda data: split_emitters(data, method)[["trace_part", "tid2"]],
        four_chunkings(mixed, "localization"),
    )


@pytest.mark.parametrize("scheduler", ["sync", "threads"])
def test_same_labels_for_every_scheduler(scheduler):
    ds, _, _ = emitter_traces(20, 2, 30e-9, 3e-9)
    wanted = split_emitters(ds, "bayes")["tid2"].values
    with dask.config.set(scheduler=scheduler):
        found = split_emitters(ds.chunk(localization=77), "bayes")["tid2"].values
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.cluster
def test_same_labels_in_processes():
    from distributed import Client, LocalCluster

    ds, _, _ = emitter_traces(20, 2, 30e-9, 3e-9)
    wanted = split_emitters(ds, "gmm", preset="seed")["tid2"].values
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster),
    ):
        found = split_emitters(ds.chunk(localization=77), "gmm", preset="seed")["tid2"].values
    np.testing.assert_array_equal(found, wanted)


def test_bug_16_seeds_reproduce():
    # points without structure, so that starts matter
    rng = np.random.default_rng(5)
    ds = localizations_of(rng.random((900, 3)) * 1e-7, tid=np.repeat(np.arange(30), 30))
    settings = {"n_init": 1, "max_components": 6}
    one, two = (split_emitters(ds, "bayes", seed=1, **settings)["trace_part"] for _ in range(2))
    np.testing.assert_array_equal(one, two)
    other = split_emitters(ds, "bayes", seed=2, **settings)["trace_part"]
    assert (one != other).any()


def test_labels_do_not_depend_on_other_traces():
    ds = washes_of_clusters()
    whole = split_emitters(ds, "bayes")
    last = (ds["wash"] == 1).values
    alone = split_emitters(ds.isel(localization=last), "bayes")
    np.testing.assert_array_equal(alone["trace_part"], whole["trace_part"][last])


def test_lazy_but_for_the_counting_pass():
    ds = washes_of_clusters().chunk(localization=100)
    traces(ds)
    with raise_if_computes():
        split_emitters(ds, "gmm", preset="seed")


def test_dbscan_equals_sklearn_trace_by_trace():
    ds, _, _ = emitter_traces(40, 3, 15e-9, 4e-9, rows=20)
    parts = parts_of(ds, 20, "dbscan", eps=8e-9, min_localizations=4)
    for found, place in zip(parts, ds["position"].values.reshape(40, 20, 3), strict=True):
        oracle = DBSCAN(eps=8e-9, min_samples=4).fit(place).labels_
        assert len(set(zip(found, oracle, strict=True))) == len(np.unique(oracle))
        np.testing.assert_array_equal(found < 0, oracle < 0)


def test_gmm_chooses_as_many_components_as_sklearn():
    ds, _, _ = emitter_traces(15, 2, 25e-9, 4e-9, rows=60)
    parts = parts_of(ds, 60, "gmm", least_spread=0, min_localizations=1, n_init=5)
    same = []
    for found, place in zip(parts, ds["position"].values.reshape(15, 60, 3) * 1e9, strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fits = [
                GaussianMixture(k, covariance_type="diag", n_init=5, random_state=0).fit(place)
                for k in (1, 2, 3)
            ]
        best = min(fits, key=lambda fit: fit.bic(place)).predict(place)
        pairs = len(set(zip(found, best, strict=True)))
        same.append(pairs == len(np.unique(found)) == len(np.unique(best)))
    assert np.mean(same) >= 0.9


def seed_limits(ds):
    """The seed's limits by numpy."""
    place, names = ds["position"].values, ds["wash"].values * 1000 + ds["tid"].values
    spreads = [np.sqrt(place[names == n].var(axis=0).mean()) for n in np.unique(names)]
    wash = ds["wash"].values
    bright = [2 * np.median(ds["efo"].values[wash == w]) for w in np.unique(wash)]
    return np.quantile(spreads, 0.75), bright


def test_limits_equal_numpy():
    ds = washes_of_clusters()
    found = split_limits(ds.chunk(localization=90))
    spread, bright = seed_limits(ds)
    assert float(found["spread_limit"]) == pytest.approx(spread, rel=1e-9)
    np.testing.assert_allclose(found["efo_limit"], bright, rtol=1e-12)
    assert found["spread_limit"].attrs["units"] == "m"
    none = split_limits(ds, spread_quantile=0, efo_factor=np.inf)
    assert float(none["spread_limit"]) == 0


def test_the_seed_examines_a_quarter_of_the_traces_and_small_ones_never():
    ds = washes_of_clusters(rows=8)
    parts = split_emitters(ds, "gmm", preset="seed")["trace_part"].values.reshape(-1, 8)
    spreads = ds["position"].values.reshape(-1, 8, 3).std(axis=1)
    spreads = np.sqrt((spreads**2).mean(axis=1))
    examined = spreads >= np.quantile(spreads, 0.75)
    assert (parts[~examined] == 0).all()
    assert (parts[examined] != 0).any()
    small = split_emitters(ds.isel(localization=slice(0, None, 2)), "gmm", preset="seed")
    # 4 of 8 are fewer than 2 * 3
    assert (small["trace_part"] == 0).all()


def test_a_spread_at_the_limit_is_examined():
    ds, _, _ = emitter_traces(1, 2, 60e-9, 3e-9)
    found = split_emitters(ds, "dbscan", spread_quantile=1.0)["trace_part"]
    assert found.max() == 1


def test_bug_07_traces_need_not_be_contiguous():
    ds, _, _ = emitter_traces(10, 2, 50e-9, 3e-9, rows=20)
    order = np.arange(200).reshape(10, 20).T.ravel()
    whole = split_emitters(ds, "dbscan")["trace_part"].values
    woven = split_emitters(ds.isel(localization=order).chunk(localization=33), "dbscan")
    np.testing.assert_array_equal(woven["trace_part"], whole[order])


def test_bug_08_gmm_runs_with_the_efo_filter():
    ds = washes_of_clusters()
    efo = ds["efo"].where(ds["tid"] != 3, 1e7)
    found = split_emitters(ds.assign(efo=efo), "gmm", preset="seed")
    assert (found["trace_part"].values[ds["tid"].values == 3] == -1).all()


def test_bug_11_a_rejected_trace_has_no_number_and_numbers_have_no_gaps():
    ds = washes_of_clusters()
    efo = ds["efo"].where(ds["tid"] != 3, 1e7)
    found = split_emitters(ds.assign(efo=efo), "dbscan", preset="seed")
    ids, rejected = found["tid2"].values, ds["tid"].values == 3
    assert (ids[rejected] == -1).all()
    known = np.unique(ids[ids >= 0])
    np.testing.assert_array_equal(known, np.arange(len(known)))
    # one number, one part of one trace of one wash
    triples = np.column_stack([ds["wash"], ds["tid"], found["trace_part"]])[ids >= 0]
    assert len(np.unique(triples, axis=0)) == len(known)
    assert len(np.unique(np.column_stack([triples, ids[ids >= 0]]), axis=0)) == len(known)


def test_bug_11_more_than_ten_parts_do_not_collide():
    place = np.repeat(np.arange(15.0), 3)[:, None] * (1e-6, 0, 0)
    ds = localizations_of(np.concatenate([place, place]), tid=np.repeat([4, 5], 45))
    found = split_emitters(ds.chunk(localization=40), "dbscan")
    np.testing.assert_array_equal(found["tid2"], np.repeat(np.arange(30), 3))


def test_bug_22_trace_id_0_and_negative_ids_are_traces_as_any():
    ds, _, _ = emitter_traces(3, 2, 50e-9, 2e-9, rows=20)
    for ids in ([0, 1, 2], [-5, 0, 7], [1, 2, 3]):
        own = ds.assign_coords(tid=("localization", np.repeat(ids, 20)))
        found = split_emitters(own, "dbscan", preset="matlab")
        np.testing.assert_array_equal(np.unique(found["tid2"]), np.arange(6))
        np.testing.assert_array_equal(
            found["tid2"], split_emitters(ds, "dbscan", preset="matlab")["tid2"]
        )


def test_bug_31_flat_traces_spread_by_measured_axes():
    ds, true, _ = emitter_traces(150, 2, 20e-9, 3e-9, seed=6, flat=True)
    place = ds["position"].values.reshape(150, 30, 3)[..., :2]
    wanted = np.quantile(np.sqrt(place.var(axis=1).mean(axis=1)), 0.75)
    found = split_limits(ds.assign(wash=ds["tid"] * 0).set_coords("wash"))
    assert float(found["spread_limit"]) == pytest.approx(wanted, rel=1e-9)
    assert recovered(parts_of(ds, 30, "gmm"), true)[0] > 0.9


def test_masked_localizations_have_no_part():
    ds, _, _ = emitter_traces(10, 2, 50e-9, 3e-9)
    keep = np.random.default_rng(0).random(ds.sizes["localization"]) < 0.7
    found = split_emitters(ds.assign(selected=("localization", keep)), "dbscan")
    assert (found["trace_part"].values[~keep] == -1).all()
    assert (found["tid2"].values[~keep] == -1).all()
    alone = split_emitters(ds.isel(localization=keep), "dbscan")
    np.testing.assert_array_equal(found["tid2"][keep], alone["tid2"])


def test_split_events():
    ds, *_ = emitter_traces(30, 2, 50e-9, 3e-9, rows=12)
    found = split_emitters(ds.chunk(localization=100), "dbscan", eps=10e-9)
    parts = found["trace_part"].values.reshape(30, 12)
    wanted = [t for t in range(30) if len(np.unique(parts[t])) > 1]
    events = split_events(found)
    np.testing.assert_array_equal(events["tid"], wanted)
    np.testing.assert_array_equal(events["parts"], parts[wanted].max(axis=1) + 1)
    np.testing.assert_array_equal(events["n_rejected"], (parts[wanted] < 0).sum(axis=1))
    assert (events["n"] == 12).all()
    with pytest.raises(ValueError, match="split_emitters"):
        split_events(ds)


def test_provenance_is_json():
    ds, _, _ = emitter_traces(2)
    step = json.loads(split_emitters(ds, preset="seed").attrs["provenance"])[-1]
    assert step["parameters"]["spread_quantile"] == 0.75
    assert step["parameters"]["merge_distance"] is None
    assert "NaN" not in split_emitters(ds).attrs["provenance"]


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "kmeans"},
        {"preset": "other"},
        {"eps": 0.0},
        {"eps": np.inf},
        {"min_localizations": 0},
        {"max_components": 0},
        {"n_init": 0},
        {"split_factor": -1.0},
        {"spread_quantile": 75},
        {"efo_factor": 0.0},
        {"weight_prior": 0.0},
        {"least_spread": -1e-9},
        {"merge_distance": -1e-9},
        {"seed": -1},
    ],
)
def test_bad_parameters(settings):
    ds, _, _ = emitter_traces(2)
    with pytest.raises(ValueError, match=next(iter(settings))):
        split_emitters(ds, **settings)


def test_no_localizations():
    ds, _, _ = emitter_traces(2)
    none = split_emitters(ds.assign(selected=xr.zeros_like(ds["tid"], bool)), preset="seed")
    assert (none["tid2"] == -1).all()
