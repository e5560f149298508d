"""Aggregation against a plain loop that follows the rule, and weighted means against numpy."""

from __future__ import annotations

import numpy as np
import pytest

import mfxarray as mfx
from mfxarray.chunked import trace_rows
from mfxarray.minflux.filtering.filters import filter_localizations
from mfxarray.minflux.traces.aggregation import aggregate, weighted_trace_means
from mfxarray.minflux.traces.table import traces
from mfxarray.schema import CFR_NOT_MEASURED
from mfxarray.testing import assert_chunk_invariant, assert_same_bits, raise_if_computes
from tests.samples import four_chunkings, localization_file


@pytest.fixture(scope="module")
def ds(tmp_path_factory):
    return mfx.open_minflux(localization_file(tmp_path_factory.mktemp("a")), chunk_bytes=300_000)


def columns_of(ds, photons):
    xyz = ds["position"][:, -1].values
    used = np.flatnonzero(ds["vld"].values & np.isfinite(xyz).all(axis=1))
    cfr = ds["cfr"][:, ds.attrs["cfr_iteration"]].values
    return {
        "tid": ds["tid"].values[used],
        "tim": ds["tim"].values[used],
        "photons": photons[used],
        "xyz": xyz[used],
        "efo": ds["efo"][:, -1].values[used],
        "cfr": np.where(cfr == CFR_NOT_MEASURED, np.nan, cfr)[used],
    }


def by_loop(rows, threshold, first=False):
    """One dict a point; a loop over traces and their rows."""
    points = []
    names, begins = np.unique(rows["tid"], return_index=True)
    for name in names[np.argsort(begins)]:
        own = np.flatnonzero(rows["tid"] == name)
        group = []
        made = []
        for row in own:
            group.append(row)
            if rows["photons"][group].sum() >= threshold:
                made.append(group)
                group = []
        if group:
            made.append(group)
        for place, members in enumerate(made):
            weights = rows["photons"][members].astype(float)
            points.append(
                {
                    "tid": name,
                    "n": len(members),
                    "eco": weights.sum(),
                    "position": np.average(rows["xyz"][members], axis=0, weights=weights),
                    "tim": rows["tim"][members[0]]
                    if first
                    else np.average(rows["tim"][members], weights=weights),
                    "bot": place == 0,
                    "eot": place == len(made) - 1,
                    "efo": rows["efo"][members].mean(),
                    "cfr": np.nanmean(rows["cfr"][members]),
                }
            )
    return {name: np.array([point[name] for point in points]) for name in points[0]}


@pytest.mark.parametrize("threshold", [1, 700, 2500, 1e9])
@pytest.mark.parametrize("count", ["last", "all"])
def test_equals_a_loop(ds, threshold, count, monkeypatch):
    monkeypatch.setattr(trace_rows, "TABLE_ROWS", 40)
    found = aggregate(ds, threshold, count=count)
    assert len(found.chunks["localization"]) > 1
    found = found.compute()
    wanted = by_loop(columns_of(ds, ds.mfx.photons(count).values), threshold)
    for name in ("tid", "n", "eco", "bot", "eot"):
        np.testing.assert_array_equal(found[name], wanted[name])
    for name in ("position", "tim", "efo", "cfr"):
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-12)
    assert found["eco"].dtype == np.int64
    assert found["tid"].dtype == ds["tid"].dtype
    assert found["vld"].all()


def test_times_of_older_versions(ds):
    found = aggregate(ds, 900, count="last", time="first").compute()
    wanted = by_loop(columns_of(ds, ds.mfx.photons("last").values), 900, first=True)
    np.testing.assert_array_equal(found["tim"], wanted["tim"])


def test_the_relocalised_photons_are_the_default(ds):
    found = aggregate(ds, 900)
    given = aggregate(ds, 900, count=ds.mfx.photons("relocalised"))
    assert_same_bits(found.compute(), given.compute())
    assert found.attrs["aggregated"] is True


def test_no_photon_is_lost(ds):
    whole = traces(ds).compute()
    found = traces(aggregate(ds, 700, count="all")).compute()
    np.testing.assert_array_equal(found["tid"], whole["tid"])
    np.testing.assert_array_equal(found["photons"], whole["photons"])
    joined = aggregate(ds, 1e12, count="all").compute()
    np.testing.assert_array_equal(joined["n"], whole["n"])
    weighted = weighted_trace_means(ds, "all").compute()
    np.testing.assert_array_equal(joined["position"], weighted["centroid_weighted"])
    np.testing.assert_array_equal(joined["tim"], weighted["mean_time_weighted"])


def test_weights_of_ones_are_plain_means(ds):
    ones = ds["tim"] * 0 + 1
    found = weighted_trace_means(ds, ones).compute()
    np.testing.assert_allclose(found["centroid_weighted"], found["centroid"], rtol=1e-12)
    np.testing.assert_allclose(found["mean_time_weighted"], found["mean_time"], rtol=1e-12)


def test_rows_out_of_order_in_time(ds):
    order = np.arange(ds.sizes["localization"])[::-1]
    turned = ds.compute().isel(localization=order).chunk(localization=300)
    one = aggregate(ds, 900, count="last").compute()
    two = aggregate(turned, 900, count="last").compute()
    one, two = (part.sortby(["tid", "tim"]) for part in (one, two))
    np.testing.assert_array_equal(one["eco"], two["eco"])
    np.testing.assert_array_equal(one["position"], two["position"])


def test_every_chunking_gives_the_same(ds):
    chunkings = four_chunkings(ds, "localization")
    assert_chunk_invariant(lambda data: aggregate(data, 700, count="all"), chunkings)
    assert_chunk_invariant(lambda data: weighted_trace_means(data), chunkings)


def test_washes_and_filters(ds):
    wash = (np.arange(ds.sizes["localization"]) >= 1500).astype("i4")
    data = filter_localizations(
        ds.assign(wash=("localization", wash)), bounds={"efo": (15_000, None)}
    )
    found = aggregate(data, 700, count="last").compute()
    assert found["wash"].dtype == np.int32
    assert set(found["wash"].values) == {0, 1}
    assert int(found["n"].sum()) == int((data["selected"] & data["vld"]).sum())


def test_lazy_once_counted(ds):
    found = aggregate(ds, 700, count="last")
    with raise_if_computes():
        assert found["position"].chunks is not None
    none = aggregate(filter_localizations(ds, bounds={"efo": (1e12, None)}), 700, count="last")
    assert none.compute().sizes["localization"] == 0


def test_what_cannot_be(ds):
    with pytest.raises(ValueError, match="photons must be"):
        aggregate(ds, 0)
    with pytest.raises(ValueError, match="time must be"):
        aggregate(ds, 5, time="mean")
    with pytest.raises(ValueError, match="which must be"):
        aggregate(ds, 5, count="some")
    with pytest.raises(ValueError, match="one number a localization"):
        aggregate(ds, 5, count=ds["position"])
