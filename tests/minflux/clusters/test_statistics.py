"""Clusters of tracks against scikit-learn, counts against pandas, the seed's errors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist
from sklearn.cluster import DBSCAN

from mfxarray.minflux.clusters.columns import scope_of
from mfxarray.minflux.clusters.statistics import (
    cluster_tracks,
    filter_clusters,
    wash_counts,
    wash_overlap,
)
from mfxarray.minflux.clusters.track_summary import track_summary
from mfxarray.testing import assert_same_bits, raise_if_computes
from tests.minflux.cluster_samples import washes_of_clusters


def summary_of(washes=2, **settings):
    return track_summary(washes_of_clusters(washes, **settings), ddof=0)


@pytest.fixture(scope="module")
def table():
    return cluster_tracks(summary_of(), 20e-9, eps_all=25e-9).compute()


def table_with(labels, wash, place=None):
    """A table of tracks with given clusters."""
    place = np.zeros((len(labels), 3)) if place is None else np.asarray(place, float)
    fields = {"ltr": (("track", "axis"), place), "cls": ("track", np.asarray(labels))}
    return xr.Dataset(fields, {"wash": ("track", np.asarray(wash)), "axis": list("xyz")})


def same_partition(one, other):
    pairs = set(zip(np.asarray(one).tolist(), np.asarray(other).tolist(), strict=True))
    return len(pairs) == len(np.unique(one)) == len(np.unique(other))


def test_clusters_equal_sklearn(table):
    place, wash = table["ltr"].values, table["wash"].values
    joint = DBSCAN(eps=25e-9, min_samples=1).fit(place).labels_
    assert same_partition(table["cls_merged_all"], joint)
    for number in (0, 1):
        own = DBSCAN(eps=20e-9, min_samples=1).fit(place[wash == number]).labels_
        assert same_partition(table["cls_merged_meas"].values[wash == number], own)
    meas = table["cls_merged_meas"].values
    assert not set(meas[wash == 0]) & set(meas[wash == 1])


def test_min_samples_of_one_is_connected_components(table):
    place = table["ltr"].values
    _, wanted = connected_components(cdist(place, place) <= 25e-9)
    assert same_partition(table["cls_merged_all"], wanted)


def test_noise_where_it_is_asked_for():
    summary = summary_of().compute()
    found = cluster_tracks(summary, 12e-9, min_samples=3)
    oracle = DBSCAN(eps=12e-9, min_samples=3).fit(summary["ltr"].values).labels_
    np.testing.assert_array_equal(found["cls_merged_all"] < 0, oracle < 0)
    assert (oracle < 0).any()


def test_with_one_wash_there_are_no_joint_clusters():
    ds = washes_of_clusters(1).drop_vars("wash")
    found = cluster_tracks(track_summary(ds), 20e-9)
    assert (found["cls_merged_all"] == -1).all()
    assert (found["cls_merged_meas"] >= 0).all()


def test_nothing_is_changed_in_place_and_nothing_computed():
    summary = summary_of()
    before = summary.compute()
    with raise_if_computes():
        cluster_tracks(summary.chunk(track=20), 20e-9)
    assert_same_bits(summary.compute(), before)


def test_scopes(table):
    assert scope_of(table, "cls_merged_meas", None) == "wash"
    assert scope_of(table, "cls_merged_all", None) == "all"
    assert scope_of(table, "cls_meas", None) == "wash"
    assert scope_of(table, table["cls_all"], None) == "all"
    assert scope_of(table, "cls_merged_meas", "all") == "all"


@pytest.mark.parametrize("scope", ["wash", "all"])
@pytest.mark.parametrize("least", [1, 2, 4])
def test_bug_14_filters_equal_pandas_and_do_not_mutate(table, scope, least):
    before = table.copy(deep=True)
    found = filter_clusters(table, "cls_merged_all", least, scope=scope)
    frame = pd.DataFrame({name: table[name].values for name in ("tid2", "wash", "cls_merged_all")})
    by = ["wash", "cls_merged_all"] if scope == "wash" else ["cls_merged_all"]
    wanted = frame[frame.groupby(by)["tid2"].transform("size") >= least]
    np.testing.assert_array_equal(found["tid2"], wanted["tid2"])
    assert_same_bits(table, before)
    found["ltr"].values[:] = 0
    assert_same_bits(table, before)


def test_filters_leave_noise_out_and_stay_lazy():
    table = table_with([-1, 0, -1, 0, -1, 1], [0] * 6)
    assert filter_clusters(table, "cls", 1).sizes["track"] == 3
    np.testing.assert_array_equal(filter_clusters(table, "cls", 2)["cls"], [0, 0])
    lazy = filter_clusters(table.chunk(track=2), "cls", 2)
    assert lazy["ltr"].chunks is not None
    array = table["cls"] * 0
    assert filter_clusters(table, array, 6).sizes["track"] == 6


def test_same_numbers_in_different_washes_are_different_clusters_of_a_wash():
    table = table_with([0, 0, 0, 1], [0, 0, 1, 1])
    assert filter_clusters(table, "cls", 2, scope="wash").sizes["track"] == 2
    assert filter_clusters(table, "cls", 2, scope="all").sizes["track"] == 3


def test_counts_equal_pandas(table):
    found = wash_counts(table)
    wanted = pd.crosstab(table["cls_merged_all"].values, table["wash"].values)
    np.testing.assert_array_equal(found["tracks"], wanted)
    np.testing.assert_array_equal(found["cluster"], wanted.index)
    np.testing.assert_array_equal(found["wash"], wanted.columns)
    assert (found["unclustered"] == 0).all()


def test_bug_13_cluster_0_counts_in_the_intersection():
    # cluster 0 in both washes, 1 and 2 in one each; a track of wash 1 in none
    found = wash_overlap(wash_counts(table_with([0, 0, 1, 0, 2, -1], [0, 0, 0, 1, 1, 1]), "cls"))
    np.testing.assert_array_equal(found["shared_clusters"], [[2, 1], [1, 2]])
    np.testing.assert_array_equal(found["shared_tracks"], [[3, 2], [1, 2]])
    np.testing.assert_allclose(found["cluster_fraction"].values[[0, 1], [1, 0]], [1 / 2, 1 / 2])
    np.testing.assert_allclose(found["track_fraction"].values[[0, 1], [1, 0]], [2 / 3, 1 / 3])
    np.testing.assert_array_equal(found["tracks"], [3, 3])
    assert int(found["common_clusters"]) == 1


def test_bug_13_any_number_of_washes_as_sets():
    table = cluster_tracks(summary_of(4), 15e-9).compute()
    found = wash_overlap(wash_counts(table))
    labels, wash = table["cls_merged_all"].values, table["wash"].values
    sets = [set(labels[wash == number]) for number in range(4)]
    for one in range(4):
        for other in range(4):
            both = sets[one] & sets[other]
            assert found["shared_clusters"].values[one, other] == len(both)
            rows = np.isin(labels[wash == one], list(both)).sum()
            assert found["shared_tracks"].values[one, other] == rows
    assert int(found["common_clusters"]) == len(set.intersection(*sets))


def test_bug_13_nothing_is_divided_by_zero():
    empty = wash_overlap(wash_counts(table_with([-1, -1, 0], [0, 0, 1]), "cls"))
    np.testing.assert_array_equal(empty["clusters"], [0, 1])
    assert np.isnan(empty["cluster_fraction"].values[0]).all()
    assert (empty["track_fraction"].values[0] == 0).all()
    none = wash_overlap(wash_counts(table_with([-1], [0]), "cls"))
    assert np.isnan(none["cluster_fraction"].values).all()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda t: filter_clusters(t, "none", 1), "no clusters"),
        (lambda t: filter_clusters(t, "cls", 1, scope="x"), "scope must"),
        (lambda t: wash_counts(t.rename(track="row"), "cls"), "track_summary"),
        (lambda t: wash_counts(t, xr.DataArray([1, 2], dims="track", name="a")), "one number"),
        (lambda t: cluster_tracks(t, 0.0), "eps"),
    ],
)
def test_bad_parameters(call, text):
    with pytest.raises(ValueError, match=text):
        call(table_with([0, 0, 1], [0, 0, 1]))
