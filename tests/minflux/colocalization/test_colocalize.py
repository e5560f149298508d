"""Joint clusters of channels against sklearn, pandas and what was simulated."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.spatial import cKDTree
from sklearn.cluster import DBSCAN

from mfxarray.minflux.colocalization.channel_distances import channel_distances
from mfxarray.minflux.colocalization.colocalize import class_name, clusters_table, colocalize
from mfxarray.minflux.traces.table import traces
from mfxarray.provenance import history
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.minflux.pattern_samples import channels_of, poisson, shared_sites, thomas
from tests.samples import four_chunkings, localizations_of


@pytest.fixture(scope="module")
def data() -> xr.Dataset:
    rng = np.random.default_rng(0)
    sides = (2e-6, 2e-6, 0.3e-6)
    first = np.concatenate([thomas(25, 14, 6e-9, sides, rng), poisson(60, sides, rng)])
    picked = first[rng.choice(len(first), 150)] + rng.normal(scale=5e-9, size=(150, 3))
    second = np.concatenate([picked, thomas(12, 12, 14e-9, sides, rng)])
    third = thomas(10, 9, 6e-9, sides, rng)
    found = channels_of(first, second, third, rng=rng)
    mask = rng.random(found.sizes["localization"]) < 0.95
    return found.assign(selected=("localization", mask))


def brute_table(data: xr.Dataset, eps: float, min_samples: int) -> pd.DataFrame:
    used = data["selected"].values
    points = data["position"].values[used]
    labels = DBSCAN(eps=eps, min_samples=min_samples, algorithm="kd_tree").fit_predict(points)
    frame = pd.DataFrame(points, columns=list("xyz"))
    frame["cluster"], frame["channel"] = labels, data["channel"].values[used]
    return frame[frame["cluster"] >= 0]


def test_clusters_against_sklearn_and_pandas(data):
    frame = brute_table(data, 20e-9, 3)
    groups = frame.groupby("cluster")
    counts = pd.crosstab(frame["cluster"], frame["channel"]).values
    found = colocalize(data, eps=20e-9, max_size=25e-9, min_localizations=8)
    np.testing.assert_array_equal(found["cluster"], groups.size().index)
    np.testing.assert_array_equal(found["counts"], counts)
    np.testing.assert_array_equal(found["n"], groups.size())
    np.testing.assert_allclose(found["position"], groups[list("xyz")].mean(), rtol=1e-12)
    spread = groups[list("xyz")].std(ddof=1).values
    np.testing.assert_allclose(found["spread"], spread, rtol=1e-6, atol=1e-16)
    size = np.sqrt((spread**2).sum(axis=1))
    np.testing.assert_allclose(found["size"], size, rtol=1e-6)
    kept = (size < 25e-9) & (groups.size().values > 8)
    np.testing.assert_array_equal(found["kept"], kept)
    assert 0 < kept.sum() < len(kept)
    bits = (counts > 0) @ [1, 2, 4]
    np.testing.assert_array_equal(found["mixture"], bits)


def test_fractions_by_hand(data):
    found = colocalize(data, eps=20e-9, max_size=None, min_localizations=5)
    counts = found["counts"].values[found["kept"].values]
    assert len(counts) == (found["n"].values > 5).sum()
    for one, two in np.ndindex(3, 3):
        both = (counts[:, one] > 0) & (counts[:, two] > 0)
        cell = found.isel(channel=one, other=two)
        assert cell["clusters"] == (counts[:, one] > 0).sum()
        assert cell["shared_clusters"] == both.sum()
        assert cell["shared_points"] == counts[both, one].sum()
        np.testing.assert_allclose(
            cell["cluster_fraction"], both.sum() / (counts[:, one] > 0).sum()
        )
        np.testing.assert_allclose(
            cell["point_fraction"], counts[both, one].sum() / counts[:, one].sum()
        )
    used = data["selected"].values
    np.testing.assert_array_equal(found["points"], np.bincount(data["channel"].values[used]))
    names = found["class"].values.tolist()
    for name, clusters, points in zip(
        names, found["class_clusters"].values, found["class_points"].values, strict=True
    ):
        own = np.array([class_name(b, "012") == name for b in (counts > 0) @ [1, 2, 4]])
        assert (clusters, points) == (own.sum(), counts[own].sum())
    assert found["class_clusters"].sum() == len(counts)


def test_simulated_sites_are_found():
    data, sites = shared_sites((20, 30), 25, np.random.default_rng(1))
    found = colocalize(data)
    # single points may be left without a cluster, sites are not
    np.testing.assert_array_equal(found["class"], ["0", "1", "0+1"])
    np.testing.assert_array_equal(found["class_clusters"], [20, 30, 25])
    np.testing.assert_allclose(found["cluster_fraction"], [[1, 25 / 45], [25 / 55, 1]])
    distance, _ = cKDTree(sites).query(found["position"].values[:, :2])
    assert distance.max() < 6e-9


def test_gates_are_strict():
    # the sample deviations of 2 points 20 nm apart along one axis: 20 / sqrt(2) nm
    square = np.array([[0, 0, 0], [20, 0, 0], [500, 0, 0], [500, 0, 0], [500, 0, 0]]) * 1e-9
    data = localizations_of(square, channel=np.array([0, 1, 0, 1, 1]))
    size = 20e-9 / np.sqrt(2)
    settings = {"eps": 25e-9, "min_samples": 1, "dimensions": 3}
    found = colocalize(data, min_localizations=1, max_size=size * 1.0001, **settings)
    np.testing.assert_allclose(found["size"], [size, 0], rtol=1e-12)
    assert found["kept"].values.tolist() == [True, True]
    found = colocalize(data, min_localizations=2, max_size=1, **settings)
    assert found["kept"].values.tolist() == [False, True]
    found = colocalize(data, min_localizations=1, max_size=size * 0.9999, **settings)
    assert found["kept"].values.tolist() == [False, True]


def test_single_points_have_no_size():
    data = localizations_of(np.eye(3) * 1e-6, channel=np.array([0, 1, 0]))
    found = colocalize(data, min_samples=1, min_localizations=0)
    assert np.isnan(found["size"]).all()
    assert not found["kept"].any()
    assert np.isnan(found["cluster_fraction"]).all()
    assert colocalize(data, min_samples=1, min_localizations=0, max_size=None)["kept"].all()


def test_no_clusters(data):
    found = colocalize(data, eps=1e-12)
    assert found.sizes["cluster"] == 0
    assert found["class_clusters"].sum() == 0
    assert clusters_table(found).empty


def test_a_list_a_table_and_a_name(data):
    parts = [data.isel(localization=data["channel"].values == one) for one in range(3)]
    order = np.argsort(data["channel"].values, kind="stable")
    sorted_data = data.isel(localization=order)
    one, two = colocalize(parts, eps=20e-9), colocalize(sorted_data, eps=20e-9)
    for name in ("counts", "size", "shared_points", "kept"):
        np.testing.assert_array_equal(one[name], two[name])
    table = traces(data.rename(channel="wash"))
    from_table = colocalize(table, "wash", eps=20e-9)
    from_rows = colocalize(data, eps=20e-9)
    # each trace has one localization here
    assert from_table["counts"].values.sum() == from_rows["counts"].values.sum()
    assert from_table.attrs["of"] == "trace"


def test_the_table(data):
    found = colocalize(data, eps=20e-9)
    rows = clusters_table(found)
    assert list(rows.columns[:7]) == ["cluster", "class", "kept", "n", "n_0", "n_1", "n_2"]
    np.testing.assert_array_equal(rows[["n_0", "n_1", "n_2"]], found["counts"])
    np.testing.assert_allclose(rows["size_nm"], found["size"] * 1e9)
    np.testing.assert_allclose(rows["z_nm"], found["position"].values[:, 2] * 1e9)
    assert set(rows["class"]) <= {"0", "1", "2", "0+1", "0+2", "1+2", "0+1+2"}
    assert history(found.attrs)[-1]["parameters"]["min_localizations"] == 10


def test_every_chunking_gives_the_same(data):
    inputs = four_chunkings(data, "localization")
    assert_chunk_invariant(lambda one: colocalize(one, eps=20e-9), inputs)
    assert_chunk_invariant(channel_distances, inputs)


def test_distances_to_every_channel(data):
    found = channel_distances(data)
    used = data["selected"].values
    points, channel = data["position"].values, data["channel"].values
    rows = np.flatnonzero(used)
    for other in range(3):
        theirs = rows[channel[rows] == other]
        distance, place = cKDTree(points[theirs]).query(points[rows], 2)
        own = channel[rows] == other
        wanted = np.where(own, distance[:, 1], distance[:, 0])
        neighbour = theirs[np.where(own, place[:, 1], place[:, 0])]
        np.testing.assert_allclose(found["distance"].values[rows, other], wanted, rtol=1e-13)
        np.testing.assert_array_equal(found["neighbour"].values[rows, other], neighbour)
    assert np.isnan(found["distance"].values[~used]).all()
    np.testing.assert_array_equal(found["channel"], np.where(used, channel, -1))
    some = channel_distances(data, values=[2, 0])
    np.testing.assert_array_equal(some["other"], [2, 0])
    expected = np.where(used & (channel != 1), np.array([1, -1, 0])[channel], -1)
    np.testing.assert_array_equal(some["channel"], expected)


def test_distances_stay_lazy(data):
    found = channel_distances(data.chunk(localization=100))
    assert found["distance"].chunks is not None
    assert found["distance"].attrs["units"] == "m"
    with raise_if_computes():
        _ = found["distance"] + 1


def test_refuses(data):
    one = data.assign(channel=data["channel"] * 0)
    with pytest.raises(ValueError, match="1 channels have points, and 2"):
        colocalize(one)
    with pytest.raises(ValueError, match="max_size"):
        colocalize(data, max_size=0)
    with pytest.raises(ValueError, match="min_localizations"):
        colocalize(data, min_localizations=-1)
    with pytest.raises(ValueError, match="eps"):
        colocalize(data, eps=0)
    with pytest.raises(ValueError, match="channel or wash"):
        colocalize(data.drop_vars("channel"))
