"""Clusters of tracks: made of their means, filtered by size, counted in every wash.

References
----------
minflux-analysis (Findeisen, Politi): ``summary_per_tid2``, ``filter_summary_loc`` and
``cluster_all_intersect`` of ``processlocalizations.py``; ``cluster_counts`` of
``tools_clusterstat.R``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from mfxarray.minflux.clusters.columns import cluster_columns, scope_of
from mfxarray.minflux.clusters.dbscan import dbscan
from mfxarray.provenance import record

__all__ = ["cluster_tracks", "filter_clusters", "wash_counts", "wash_overlap"]

Array = np.ndarray[Any, Any]


def cluster_tracks(
    summary: xr.Dataset, eps: float, *, eps_all: float | None = None, min_samples: int = 1
) -> xr.Dataset:
    """Return the table of tracks with ``cls_merged_meas`` and ``cls_merged_all``.

    Parameters
    ----------
    summary
        Result of `mfxarray.minflux.clusters.track_summary.track_summary`; ``ltr`` is clustered.
    eps
        Largest distance of neighbours, metres, within a wash.
    eps_all
        The same for all washes together; ``eps`` if not given.
    min_samples
        Least number of neighbours of a core point, itself included. With 1 clusters are what hangs
        together by steps of at most eps, and there is no noise.

    Returns
    -------
    xarray.Dataset
        A new table: ``cls_merged_meas``, clusters within each wash, and ``cls_merged_all``,
        clusters over all washes, -1 if there are no washes. Both int64.

    Notes
    -----
    Lazy, see `mfxarray.minflux.clusters.dbscan.dbscan`. Numbers of ``cls_merged_meas`` differ
    between washes; those of the seed begin at 0 in each.
    """
    given = [name for name in ("wash", "tid") if name in summary.coords]
    points = xr.Dataset(
        {"centroid": summary["ltr"].variable}, {name: summary[name].variable for name in given}
    ).rename(track="trace")
    several = "wash" in summary.coords
    own = dbscan(points, eps=eps, min_samples=min_samples, by="wash" if several else None)
    found = {"cls_merged_meas": ("track", own.data, {**_about(eps, min_samples), "scope": "wash"})}
    if several:
        wide = eps if eps_all is None else eps_all
        joint = dbscan(points, eps=wide, min_samples=min_samples)
        attrs = {**_about(wide, min_samples), "scope": "all"}
        found["cls_merged_all"] = ("track", joint.data, attrs)
    told = {"eps": eps, "eps_all": eps_all, "min_samples": min_samples}
    return summary.assign(found).assign_attrs(record(summary.attrs, "cluster_tracks", told))


def _about(eps: float, min_samples: int) -> dict[str, Any]:
    text = "cluster of the mean, -1 for none"
    return {"units": "1", "long_name": text, "eps_m": eps, "min_samples": min_samples}


def filter_clusters(
    table: xr.Dataset, column: str | xr.DataArray, least: int, *, scope: str | None = None
) -> xr.Dataset:
    """Return the rows whose cluster has enough members; the table that is given stays as it is.

    Parameters
    ----------
    table
        Tracks or traces.
    column
        Their clusters: the name of a variable, or an array. Rows without one are left out.
    least
        Members a cluster must have.
    scope
        "wash": members in the wash of the row; "all": members in all washes. If not given as the
        clusters were made, see `mfxarray.minflux.clusters.columns.scope_of`. The seed counts within
        the wash always, also clusters over all washes.

    Notes
    -----
    Computes clusters and washes; the rest stays lazy.
    """
    used = scope_of(table, column, scope)
    columns = cluster_columns(table, column, places=False)
    _, numbers = columns.clusters(used)
    kept = numbers >= 0
    counts = np.bincount(numbers[kept])
    kept[kept] = counts[numbers[kept]] >= least
    name = column if isinstance(column, str) else str(column.name)
    told = {"column": name, "least": least, "scope": used}
    chosen = table.isel({columns.dim: np.flatnonzero(kept)})
    return chosen.assign_attrs(record(table.attrs, "filter_clusters", told))


def wash_counts(table: xr.Dataset, column: str | xr.DataArray = "cls_merged_all") -> xr.Dataset:
    """Return how many tracks of each wash each cluster has.

    Parameters
    ----------
    table
        Tracks or traces.
    column
        Their clusters over all washes: the name of a variable, or an array; 0 is a cluster as any.

    Returns
    -------
    xarray.Dataset
        Dimensions ``cluster`` and ``wash``: ``tracks``, int64; and ``unclustered`` (wash): tracks
        without a cluster.

    Notes
    -----
    Computes clusters and washes.
    """
    columns = cluster_columns(table, column, places=False)
    names, numbers = columns.clusters("all")
    washes, wash = np.unique(columns.wash, return_inverse=True)
    matrix = np.zeros((len(names), len(washes)), np.int64)
    kept = numbers >= 0
    np.add.at(matrix, (numbers[kept], wash.ravel()[kept]), 1)
    rest = np.bincount(wash.ravel()[~kept], minlength=len(washes))
    about = {"units": "1", "long_name": "tracks of the cluster in the wash"}
    without = {"units": "1", "long_name": "tracks of the wash without a cluster"}
    return xr.Dataset(
        {
            "tracks": (("cluster", "wash"), matrix, about),
            "unclustered": ("wash", rest.astype(np.int64), without),
        },
        {"cluster": names[:, 1], "wash": washes},
        record(table.attrs, "wash_counts", {"column": str(getattr(column, "name", column))}),
    )


def wash_overlap(counts: xr.Dataset) -> xr.Dataset:
    """Return how much the washes share clusters, for each pair of any number of washes.

    Parameters
    ----------
    counts
        Result of `wash_counts`.

    Returns
    -------
    xarray.Dataset
        Dimensions ``wash`` and ``other``. ``clusters`` and ``tracks`` (wash): clusters with
        members in the wash, and all its tracks, clustered or not. ``shared_clusters`` (wash,
        other): clusters with members in both; ``shared_tracks``: tracks of the wash in these;
        ``cluster_fraction`` and ``track_fraction``: the same as parts of ``clusters`` and
        ``tracks``, NaN where these are 0. ``common_clusters``: with members in all washes.
        Of a wash with itself all its clusters are shared.

    Notes
    -----
    The two numbers that the seed gives for two washes are the fractions off the diagonal.
    """
    tracks = counts["tracks"].transpose("cluster", "wash").values
    present = (tracks > 0).astype(np.int64)
    shared = present.T @ present
    moved = tracks.T @ present
    clusters = present.sum(axis=0)
    total = tracks.sum(axis=0) + counts["unclustered"].values
    common = np.int64(present.all(axis=1).sum())
    pair = ("wash", "other")
    return xr.Dataset(
        {
            "clusters": ("wash", clusters, _text("clusters with members in the wash")),
            "tracks": ("wash", total, _text("tracks of the wash")),
            "shared_clusters": (pair, shared, _text("clusters with members in both washes")),
            "shared_tracks": (pair, moved, _text("tracks of the wash in shared clusters")),
            "cluster_fraction": (pair, _part(shared, clusters), _text("shared part of clusters")),
            "track_fraction": (
                pair,
                _part(moved, total),
                _text("part of tracks in shared clusters"),
            ),
            "common_clusters": ((), common, _text("clusters with members in all washes")),
        },
        {"wash": counts["wash"].values, "other": counts["wash"].values},
        record(counts.attrs, "wash_overlap", {}),
    )


def _text(meaning: str) -> dict[str, str]:
    return {"units": "1", "long_name": meaning}


def _part(counts: Array, of: Array) -> Array:
    found = np.full(counts.shape, np.nan)
    np.divide(counts, of[:, None], out=found, where=of[:, None] > 0)
    return found
