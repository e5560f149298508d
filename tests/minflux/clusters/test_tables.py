"""Tables against the distance of neighbours, against pandas and plain counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mfxarray.minflux.clusters.statistics import cluster_tracks
from mfxarray.minflux.clusters.tables import colocalization_by_eps, size_statistics, sizes_by_eps
from mfxarray.minflux.clusters.track_summary import track_summary
from tests.minflux.cluster_samples import washes_of_clusters
from tests.minflux.clusters.test_statistics import summary_of

EPS = [10e-9, 20e-9, 40e-9]


@pytest.fixture(scope="module")
def summary():
    return summary_of(3).compute()


@pytest.mark.parametrize("scope", ["wash", "all"])
def test_statistics_equal_pandas(summary, scope):
    tables = sizes_by_eps(summary, EPS, scope=scope)
    found = size_statistics(tables)
    for eps in EPS:
        columns = ("n", "diameter", "max_diameter")
        frame = pd.DataFrame({name: tables[eps][name].values for name in columns})
        frame["wash"] = tables[eps]["wash"].values if scope == "wash" else 0
        for wash, own in frame.groupby("wash"):
            one = found.sel(eps=eps, **({"wash": wash} if scope == "wash" else {}))
            for name, least in (("diameter", 3), ("max_diameter", 2)):
                values = own.loc[own["n"] >= least, name]
                wanted = [values.mean(), values.std(), *values.quantile([0.25, 0.5, 0.75])]
                np.testing.assert_allclose(one[name], wanted, rtol=1e-12)
            assert int(one["clusters"]) == (own["n"] >= 3).sum()
            assert int(one["clusters_all"]) == len(own)
    assert found["image_volume"].dims == (("eps", "wash") if scope == "wash" else ("eps",))


def test_bug_27_the_mean_of_longest_diameters_is_their_own(summary):
    found = size_statistics(sizes_by_eps(summary, EPS), least=2)
    means = found.sel(statistic="mean")
    # of the same clusters the longest distance is never below the spread along one axis
    assert (means["max_diameter"] != means["diameter"]).all()


def test_washes_without_clusters_have_no_statistics(summary):
    few = summary.assign(cls=summary["cls_all"])
    found = size_statistics(sizes_by_eps(few, [1e-12]))
    assert np.isnan(found["diameter"]).all()
    assert (found["clusters"] == 0).all()
    assert (found["clusters_all"] > 0).all()


def test_colocalization_equals_plain_counts(summary):
    found = colocalization_by_eps(summary, EPS, least=3)
    for eps in EPS:
        labels = cluster_tracks(summary, eps)["cls_merged_all"].values
        wash = summary["wash"].values
        members = [np.bincount(wash[labels == name], minlength=3) for name in np.unique(labels)]
        counted = [m for m in members if m.sum() >= 3]
        mixed = [m for m in counted if (m > 0).sum() > 1]
        one = found.sel(eps=eps)
        assert int(one["clusters"]) == len(counted)
        assert int(one["clusters_mixed"]) == len(mixed)
        np.testing.assert_array_equal(one["tracks"], np.sum(counted, axis=0))
        np.testing.assert_array_equal(one["tracks_mixed"], np.sum(mixed, axis=0))
        np.testing.assert_array_equal(one["tracks_alone"], one["tracks"] - one["tracks_mixed"])
        alone = [sum(1 for m in counted if m[w] > 0 and m.sum() == m[w]) for w in range(3)]
        np.testing.assert_array_equal(one["clusters_alone"], alone)
        np.testing.assert_allclose(
            one["fraction_mixed"], np.sum(mixed, axis=0) / np.sum(counted, axis=0)
        )


def test_the_same_places_in_two_washes_are_shared_and_far_ones_are_not():
    ds = washes_of_clusters(1)
    summary = track_summary(ds).compute()
    double = summary.isel(track=np.tile(np.arange(summary.sizes["track"]), 2))
    wash = np.repeat([0, 1], summary.sizes["track"])
    same = double.assign_coords(wash=("track", wash))
    assert (colocalization_by_eps(same, [1e-9], least=1)["fraction_mixed"] == 1).all()
    far = same.assign(ltr=same["ltr"] + same["wash"] * 1e-3)
    apart = colocalization_by_eps(far, [20e-9], least=1)
    assert (apart["fraction_mixed"] == 0).all()
    assert int(apart["clusters_alone"].sum()) == int(apart["clusters"][0])
    none = colocalization_by_eps(far, [1e-12], least=3)
    assert np.isnan(none["fraction_mixed"]).all()


def test_bad_parameters(summary):
    with pytest.raises(ValueError, match="scope"):
        sizes_by_eps(summary, scope="x")
    with pytest.raises(ValueError, match="at least one"):
        size_statistics({})
    with pytest.raises(ValueError, match="at least one"):
        colocalization_by_eps(summary, [])
    with pytest.raises(ValueError, match="no washes"):
        colocalization_by_eps(summary.drop_vars("wash"))
