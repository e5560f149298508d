"""Pictures of clusters: what is drawn, what is told."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.minflux.clusters.statistics import cluster_tracks
from mfxarray.minflux.clusters.tables import colocalization_by_eps, sizes_by_eps
from mfxarray.minflux.clusters.track_summary import track_summary
from mfxarray.minflux.traces.table import traces
from mfxarray.plot import cluster_maps as maps
from mfxarray.plot.cluster_maps import cluster_map
from mfxarray.plot.clusters import clusters_page, shared_clusters
from mfxarray.plot.figures import save
from tests.minflux.cluster_samples import washes_of_clusters

EPS = [20e-9, 30e-9, 40e-9]


@pytest.fixture(scope="module")
def ds():
    return washes_of_clusters(clusters=15)


@pytest.fixture(scope="module")
def summary(ds):
    return cluster_tracks(track_summary(ds), 25e-9).compute()


def drawn(place):
    """All points of a panel."""
    return np.concatenate([part.get_offsets() for part in place.collections])


def test_a_map_shows_every_point_once_at_its_place(ds, summary, tmp_path):
    figure = cluster_map(summary, "cls_merged_all", title="tracks")
    whole, part = figure.axes
    shown = drawn(whole)
    unit = 1e9 if "nm" in whole.get_xlabel() else 1e6
    np.testing.assert_allclose(
        np.sort(shown[:, 0]), np.sort(summary["ltr"].values[:, 0] * unit), rtol=1e-12
    )
    clusters = len(np.unique(summary["cls_merged_all"]))
    assert whole.get_title() == f"tracks: {clusters} clusters, 0 points in none"
    # the largest cluster is wholly in the second panel
    labels = summary["cls_merged_all"].values
    unit = 1e9 if "nm" in part.get_xlabel() else 1e6
    largest = summary["ltr"].values[labels == np.bincount(labels).argmax(), :2] * unit
    (left, right), (low, high) = part.get_xlim(), part.get_ylim()
    inside = (largest >= (left, low)).all() and (largest <= (right, high)).all()
    assert inside
    save(figure, tmp_path / "map.png")


def test_clusters_have_colours_of_their_own_and_noise_is_grey(ds):
    labels = ds["tid"] % 3 - 1
    whole = cluster_map(ds.chunk(localization=50), labels).axes[0]
    noise, rest = whole.collections
    assert len(np.unique(noise.get_facecolors(), axis=0)) == 1
    assert np.ptp(noise.get_facecolors()[0, :3]) < 1e-12
    assert len(np.unique(rest.get_facecolors(), axis=0)) == 2
    assert "points in none" in whole.get_title()


def test_maps_of_traces_along_other_axes(ds):
    table = traces(ds)
    figure = cluster_map(table, table["n"] * 0, axes=("x", "z"))
    assert figure.axes[0].get_ylabel().startswith("z / ")


def test_of_many_points_a_part_is_drawn_and_told(ds, monkeypatch):
    monkeypatch.setattr(maps, "_MOST_POINTS", 100)
    figure = cluster_map(ds, ds["tid"] * 0)
    assert len(drawn(figure.axes[0])) <= 100
    assert "one point in" in figure.axes[0].get_title()


@pytest.mark.parametrize("axes", [("x",), ("x", "q")])
def test_bad_axes(ds, axes):
    with pytest.raises(ValueError, match="axes"):
        cluster_map(ds, "tid", axes=axes)


def test_nothing_to_draw(ds):
    with pytest.raises(ValueError, match="no point"):
        cluster_map(ds.assign(selected=ds["tid"] < -5), "tid")


@pytest.mark.parametrize("scope", ["wash", "all"])
def test_a_page(summary, scope, tmp_path):
    tables = sizes_by_eps(summary, EPS, scope=scope)
    figure = clusters_page(tables, title="a $b$_{ page")
    assert len(figure.axes) == 6
    for place in figure.axes:
        assert place.get_xlabel()
        assert place.get_ylabel()
    counts = figure.axes[2].lines
    assert len(counts) == (4 if scope == "wash" else 2)
    first = tables[EPS[0]]["n"].values
    own = first if scope == "all" else first[tables[EPS[0]]["wash"].values == 0]
    assert counts[0].get_ydata()[0] == (own >= 3).sum()
    assert counts[1].get_ydata()[0] == len(own)
    # shares of events are of all
    for line in figure.axes[4].lines:
        assert np.sum(line.get_ydata()) == pytest.approx(100)
    assert "30 nm" in figure.axes[3].get_xlabel()
    save(figure, tmp_path / "page.png")


def test_quartiles_of_violins_are_those_of_the_sizes(summary):
    tables = sizes_by_eps(summary, EPS, scope="all")
    place = clusters_page(tables).axes[0]
    values = tables[EPS[1]]["diameter"].values[tables[EPS[1]]["n"].values >= 3] * 1e9
    levels = [line.get_ydata()[0] for line in place.lines]
    for quartile in np.quantile(values, [0.25, 0.5, 0.75]):
        assert np.isclose(levels, quartile).any()


def test_pages_of_little(summary, tmp_path):
    save(clusters_page(sizes_by_eps(summary, [1e-12])), tmp_path / "none.png")
    save(clusters_page(sizes_by_eps(summary, [1e-3]), eps=1e-3), tmp_path / "one.png")
    with pytest.raises(ValueError, match="at least one"):
        clusters_page({})
    with pytest.raises(ValueError, match="no table for eps"):
        clusters_page(sizes_by_eps(summary, EPS), eps=1e-6)


def test_shared_clusters(summary, tmp_path):
    table = colocalization_by_eps(summary, EPS)
    figure = shared_clusters(table, title="two washes")
    tracks, clusters = figure.axes
    wanted = 100 * table["fraction_mixed"].values
    np.testing.assert_allclose([line.get_ydata() for line in tracks.lines], wanted.T)
    total = np.sum([line.get_ydata() for line in clusters.lines], axis=0)
    np.testing.assert_allclose(total, 100)
    save(figure, tmp_path / "shared.png")
