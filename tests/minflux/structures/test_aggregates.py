"""Aggregates against numpy, and leaving them out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist

import mfxarray as mfx
from mfxarray.minflux.clusters.dbscan import dbscan
from mfxarray.minflux.filtering.files import load_filters, save_filters
from mfxarray.minflux.filtering.masks import mask_localizations
from mfxarray.minflux.structures.aggregates import (
    OutsideClusters,
    find_aggregates,
    outside_aggregates,
)
from mfxarray.minflux.traces.table import traces
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.samples import four_chunkings, localizations_of


@pytest.fixture(scope="module")
def ds():
    """Thirty molecules of 6 localizations, a bead of 300 that lasts, a wide crowd of 300."""
    rng = np.random.default_rng(0)
    homes = rng.uniform(0, 2e-6, (30, 3))
    place = np.concatenate(
        [
            np.repeat(homes, 6, axis=0) + rng.normal(0, 3e-9, (180, 3)),
            rng.normal(0, 8e-9, (300, 3)) + 5e-6,
            rng.normal(0, 60e-9, (300, 3)) - 5e-6,
        ]
    )
    cluster = np.concatenate([np.repeat(np.arange(30), 6), np.full(300, 30), np.full(300, 31)])
    cluster[0] = -1
    tid = np.concatenate([np.repeat(np.arange(30), 6), 30 + np.repeat(np.arange(60), 10)])
    order = rng.permutation(len(place))
    return localizations_of(place[order], cluster=cluster[order], tid=tid[order])


def test_equals_numpy(ds):
    table = find_aggregates(ds)
    for row, label in enumerate(table["label"].values):
        own = ds["position"].values[ds["cluster"].values == label]
        tim = ds["tim"].values[ds["cluster"].values == label]
        off = own - own.mean(axis=0)
        wanted = {
            "localizations": len(own),
            "points": len(own),
            "radius": np.sqrt((off**2).sum(axis=1).mean()),
            "extent": pdist(own).max(),
            "start": tim.min(),
            "end": tim.max(),
            "duration": np.ptp(tim),
        }
        for name, value in wanted.items():
            assert table[name].values[row] == pytest.approx(value, rel=1e-9), name
        np.testing.assert_allclose(table["centroid"].values[row], own.mean(axis=0), rtol=1e-12)


def test_only_the_bead_is_an_aggregate(ds):
    table = find_aggregates(ds)
    assert table["label"].values[table["aggregate"].values].tolist() == [30]
    assert not find_aggregates(ds, duration=1e6)["aggregate"].any()
    assert find_aggregates(ds, radius=1e-6)["aggregate"].sum() == 2
    assert find_aggregates(ds, localizations=5)["aggregate"].sum() == 31
    gates = [table[f"gate_{name}"] for name in ("localizations", "radius", "duration")]
    np.testing.assert_array_equal(table["aggregate"], gates[0] & gates[1] & gates[2])


def test_traces_count_their_localizations(ds):
    kept = ds.sortby("tid")
    table = traces(kept).compute()
    table = table.assign(cluster=dbscan(table, eps=30e-9, min_samples=5))
    found = find_aggregates(table, duration=10.0)
    bead = found.isel(cluster=found["aggregate"].values)
    assert bead["localizations"].values.tolist() == [300]
    assert bead["points"].values.tolist() == [30]
    assert bead["duration"].item() > 10
    bare = table[["centroid", "cluster"]]
    assert np.isnan(find_aggregates(bare)["duration"]).all()
    assert not find_aggregates(bare, localizations=20, duration=1.0)["aggregate"].any()
    assert find_aggregates(bare, localizations=20)["aggregate"].sum() == 1


def test_leaving_them_out(ds, tmp_path):
    condition = outside_aggregates(find_aggregates(ds))
    assert condition == OutsideClusters("cluster", (30,))
    with raise_if_computes():
        masked = mask_localizations(ds.chunk(localization=100), {"aggregates": condition})
    np.testing.assert_array_equal(masked["selected"], ds["cluster"] != 30)
    np.testing.assert_array_equal(masked["mask_aggregates"], masked["selected"])
    assert 30 not in find_aggregates(masked)["label"]
    save_filters({"aggregates": condition}, tmp_path / "filters.toml")
    assert dict(load_filters(tmp_path / "filters.toml")) == {"aggregates": condition}


def test_same_for_every_chunking(ds):
    assert_chunk_invariant(find_aggregates, four_chunkings(ds, "localization"))


def test_wrong_parameters(ds):
    with pytest.raises(ValueError, match="above 0"):
        find_aggregates(ds, localizations=0)
    with pytest.raises(ValueError, match="no clusters 'other'"):
        mask_localizations(ds, {"a": OutsideClusters("other", (1,))})


@pytest.mark.realdata
def test_a_real_file(data_dir):
    table = traces(mfx.open_minflux(data_dir / "minflux" / "2D_ValidOnly.npy")).compute()
    table = table.assign(cluster=dbscan(table, eps=20e-9, min_samples=1))
    found = find_aggregates(table)
    assert int(found["localizations"].sum()) == 12580
    # few are seen so often
    assert found["aggregate"].sum() < 10
