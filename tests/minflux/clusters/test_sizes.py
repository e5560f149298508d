"""Sizes of clusters against numpy and scipy, with the errors of the R scripts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist

from mfxarray.minflux.clusters.sizes import cluster_sizes, events_per_cluster, nearest_clusters
from mfxarray.minflux.clusters.statistics import cluster_tracks
from mfxarray.minflux.traces.table import traces
from tests.minflux.cluster_samples import washes_of_clusters
from tests.minflux.clusters.test_statistics import summary_of, table_with


@pytest.fixture(scope="module")
def table():
    return cluster_tracks(summary_of(), 20e-9, eps_all=25e-9).compute()


@pytest.mark.parametrize("column", ["cls_merged_meas", "cls_merged_all"])
def test_sizes_equal_numpy(table, column):
    found = cluster_sizes(table, column)
    labels, place, wash = (table[name].values for name in (column, "ltr", "wash"))
    np.testing.assert_array_equal(np.sort(found["label"]), np.unique(labels))
    assert {1, 2, 3} <= set(found["n"].values)
    for row, label in enumerate(found["label"].values):
        own = place[labels == label]
        one = found.isel(cluster=row)
        assert int(one["n"]) == len(own)
        np.testing.assert_allclose(one["centroid"], own.mean(axis=0), rtol=1e-12)
        if "n_wash" in found:
            counts = np.bincount(wash[labels == label], minlength=2)
            np.testing.assert_array_equal(one["n_wash"], counts)
        if len(own) == 1:
            continue
        values = np.linalg.svd(own - own.mean(axis=0), compute_uv=False) / np.sqrt(len(own) - 1)
        wanted = np.append(values, [0, 0, 0])[:3] * (np.arange(3) < len(own) - 1)
        np.testing.assert_allclose(one["pca"], wanted, rtol=1e-6, atol=1e-15)
        assert float(one["diameter"]) == pytest.approx(2 * wanted[0])
        assert float(one["longest_radius"]) == pytest.approx(pdist(own).max() / 2)
        assert float(one["max_diameter"]) == pytest.approx(pdist(own).max())
        if len(own) > 2:
            assert float(one["volume"]) == pytest.approx(
                4 / 3 * np.pi * wanted.prod(), rel=1e-5, abs=1e-33
            )
        else:
            assert np.isnan(one["volume"])


def test_sizes_of_single_members_are_nan(table):
    found = cluster_sizes(table, "cls_merged_meas")
    single = found["n"].values == 1
    assert single.any()
    for name in ("pca", "volume", "longest_radius", "diameter", "max_diameter"):
        assert np.isnan(found[name].values[single]).all()
    assert np.isfinite(found["pca"].values[~single]).all()


def test_bug_26_the_volume_of_an_image_is_x_times_y_times_z():
    place = np.array([[0.0, 0, 0], [2, 3, 7], [1, 1, 1]]) * 1e-6
    found = cluster_sizes(table_with([0, 0, 1], [0, 0, 0], place), "cls")
    assert float(found["image_volume"][0]) == pytest.approx(42e-18)
    assert float(found["image_area"][0]) == pytest.approx(6e-12)
    assert found["image_volume"].attrs["units"] == "m^3"


def test_images_of_washes(table):
    found = cluster_sizes(table, "cls_merged_meas")
    for number in (0, 1):
        own = table["ltr"].values[table["wash"].values == number]
        volume = float(found["image_volume"].sel(image=number))
        assert volume == pytest.approx(np.ptp(own, axis=0).prod())


def test_same_numbers_of_washes_are_apart_with_scope_wash():
    place = np.random.default_rng(0).random((6, 3))
    table = table_with([0, 0, 0, 0, 1, -1], [0, 0, 1, 1, 1, 1], place)
    apart = cluster_sizes(table, "cls", scope="wash")
    np.testing.assert_array_equal(apart["n"], [2, 2, 1])
    np.testing.assert_array_equal(apart["wash"], [0, 1, 1])
    joint = cluster_sizes(table, "cls", scope="all")
    np.testing.assert_array_equal(joint["n"], [4, 1])
    np.testing.assert_array_equal(joint["n_wash"], [[2, 2], [0, 1]])


def test_tables_of_traces():
    ds = washes_of_clusters(1)
    found = traces(ds)
    sizes = cluster_sizes(found, found["n"] * 0)
    assert int(sizes["n"][0]) == found.sizes["trace"]


@pytest.mark.parametrize("column", ["cls_merged_meas", "cls_merged_all"])
@pytest.mark.parametrize("least", [1, 3])
def test_bug_28_nearest_clusters_are_those_of_the_same_wash(table, column, least):
    sizes = cluster_sizes(table, column)
    found = nearest_clusters(sizes, least=least)
    enough = sizes["n"].values >= least
    distances = cdist(sizes["centroid"].values, sizes["centroid"].values)
    np.fill_diagonal(distances, np.inf)
    distances[:, ~enough] = np.inf
    if column == "cls_merged_meas":
        wash = sizes["wash"].values
        distances[wash[:, None] != wash] = np.inf
    wanted = np.where(enough, distances.min(axis=1), np.nan)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    assert found.attrs["units"] == "m"


def test_bug_23_a_lonely_cluster_has_no_nearest_one():
    place = np.zeros((4, 3))
    place[2:] += 1
    table = table_with([0, 0, 1, 1], [0, 0, 1, 1], place)
    lonely = nearest_clusters(cluster_sizes(table, "cls", scope="wash"), least=1)
    assert np.isnan(lonely).all()
    both = nearest_clusters(cluster_sizes(table, "cls", scope="all"), least=1)
    np.testing.assert_allclose(both, np.sqrt(3))


def test_clusters_at_the_same_place_are_no_distance_apart():
    table = table_with([0, 1, 2], [0, 0, 0], np.ones((3, 3)))
    assert (nearest_clusters(cluster_sizes(table, "cls"), least=1) == 0).all()


def test_events_are_weighted_by_the_size():
    table = table_with([0, 0, 0, 1, 1, 1, 2, 3, -1], [0] * 9)
    found = events_per_cluster(cluster_sizes(table, "cls"))
    np.testing.assert_array_equal(found["size"], [1, 3])
    np.testing.assert_array_equal(found["clusters"], [2, 2])
    np.testing.assert_array_equal(found["events"], [2, 6])
    np.testing.assert_allclose(found["fraction"], [0.25, 0.75])


def test_no_clusters():
    sizes = cluster_sizes(table_with([-1, -1], [0, 0]), "cls")
    assert sizes.sizes["cluster"] == 0
    assert nearest_clusters(sizes).size == 0
    assert events_per_cluster(sizes).sizes["size"] == 0
