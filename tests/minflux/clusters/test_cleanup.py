"""Clean-up of clusters against a plain loop over tracks."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import xarray as xr

from mfxarray.minflux.clusters.cleanup import clean_clusters
from mfxarray.minflux.clusters.dbscan import dbscan
from mfxarray.minflux.clusters.splitting import split_emitters
from mfxarray.minflux.traces.table import traces
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.minflux.cluster_samples import washes_of_clusters
from tests.samples import four_chunkings


@pytest.fixture(scope="module")
def ds():
    split = split_emitters(washes_of_clusters(), "dbscan", eps=6e-9)
    rng = np.random.default_rng(0)
    labels = rng.integers(-1, 4, split.sizes["localization"])
    labels[split["tid2"].values % 5 == 0] = -1
    return split.assign(cluster=("localization", labels, {"scope": "all"}))


def by_loop(ds, unclustered):
    ids, labels = ds["tid2"].values, ds["cluster"].values
    out = np.full(len(ids), -1)
    for track in range(ids.max() + 1):
        counts = Counter(labels[ids == track].tolist())
        most = max(counts.values())
        tied = [label for label, count in counts.items() if count == most]
        out[ids == track] = min(tied, key=lambda label: (label < 0, label))
    following = out.max() + 1
    for track in range(ids.max() + 1):
        if unclustered == "own" and out[ids == track][0] < 0:
            out[ids == track] = following
            following += 1
    return out


@pytest.mark.parametrize("unclustered", ["own", "noise"])
def test_equals_a_loop(ds, unclustered):
    assert (ds["tid2"] < 0).any()
    lazy = ds.chunk(localization=77)
    traces(lazy)
    with raise_if_computes():
        found = clean_clusters(lazy, unclustered=unclustered)
    np.testing.assert_array_equal(found, by_loop(ds, unclustered))
    assert found.dtype == np.int64
    assert found.name == "cluster"
    assert found.attrs["scope"] == "all"


def test_same_for_every_chunking(ds):
    assert_chunk_invariant(clean_clusters, four_chunkings(ds, "localization"))


def test_every_track_is_in_one_cluster_and_own_clusters_hold_one_track(ds):
    found = clean_clusters(ds).values
    ids = ds["tid2"].values
    pairs = np.unique(np.column_stack([ids, found])[ids >= 0], axis=0)
    assert len(pairs) == ids.max() + 1
    own = pairs[pairs[:, 1] > 3, 1]
    assert len(own) > 3
    np.testing.assert_array_equal(own, np.arange(own.min(), own.min() + len(own)))
    assert (found[ids < 0] == -1).all()


def test_clusters_of_washes_stay_apart(ds):
    labels = dbscan(ds.assign(selected=ds["tid2"] >= 0), eps=15e-9, by="wash")
    found = clean_clusters(ds, labels).values
    kept = found >= 0
    washes = [set(found[kept & (ds["wash"].values == wash)]) for wash in (0, 1)]
    assert not washes[0] & washes[1]


def test_without_parts_traces_are_tracks():
    ds = washes_of_clusters(rows=4)
    labels = xr.DataArray(
        np.tile([2, 2, -1, 5], ds.sizes["localization"] // 4), dims="localization"
    )
    assert (clean_clusters(ds, labels) == 2).all()


def test_nothing_but_noise(ds):
    none = ds.assign(cluster=xr.full_like(ds["tid2"], -1))
    found = clean_clusters(none)
    np.testing.assert_array_equal(found, ds["tid2"])


@pytest.mark.parametrize(
    ("labels", "settings"),
    [
        ("other", {}),
        ("cluster", {"unclustered": "x"}),
        (xr.DataArray(np.zeros(3), dims="localization"), {}),
    ],
)
def test_bad_parameters(ds, labels, settings):
    with pytest.raises(ValueError, match=r"no variable|unclustered must|one number"):
        clean_clusters(ds, labels, **settings)
