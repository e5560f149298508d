"""How large clusters of tracks are, and how far from each other.

References
----------
minflux-analysis (Findeisen, Politi): ``cluster_size`` and ``cluster_stats`` of
``tools_clusterstat.R``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from scipy.spatial import cKDTree

from mfxarray.kernels.clusters.cluster_shapes import cluster_shapes, ellipsoid_volumes
from mfxarray.minflux.clusters.columns import ClusterColumns, cluster_columns, scope_of
from mfxarray.provenance import record

__all__ = ["cluster_sizes", "events_per_cluster", "nearest_clusters"]

Array = np.ndarray[Any, Any]


def cluster_sizes(
    table: xr.Dataset, column: str | xr.DataArray = "cls_merged_meas", *, scope: str | None = None
) -> xr.Dataset:
    """Return a table with one row a cluster: members, centroid, and sizes.

    Parameters
    ----------
    table
        Tracks, of which ``ltr`` counts, or traces, of which the centroid does.
    column
        Their clusters: the name of a variable, or an array.
    scope
        "wash": clusters within each wash; "all": over all. If not given as the clusters were made,
        see `mfxarray.minflux.clusters.columns.scope_of`.

    Returns
    -------
    xarray.Dataset
        Dimensions ``cluster``, ``axis``, ``component`` and ``image``. ``label``; ``n``; with
        scope "wash" the coordinate ``wash``, with "all" ``n_wash`` (cluster, wash): members in each
        wash. ``centroid`` (m); ``pca`` (cluster, component): sample standard deviations along the
        principal axes (m), the largest first, NaN for single members; ``volume`` (m^3): of the
        ellipsoid with these as semi-axes, NaN below 3 members; ``longest_radius`` (m): half of the
        longest distance of members, NaN for single ones. ``diameter`` and ``max_diameter`` (m):
        twice the first component and twice the longest radius. ``image_volume`` (m^3) and
        ``image_area`` (m^2) along ``image``, the washes with scope "wash", else one: products of
        the ranges of all rows along x, y, z and along x, y.

    Notes
    -----
    Computes positions, clusters and washes: 40 bytes a row. The R scripts give 0 for sizes of
    single members, and take the range along x twice for the volume of the image.
    """
    used = scope_of(table, column, scope)
    columns = cluster_columns(table, column)
    names, numbers = columns.clusters(used)
    rows = np.flatnonzero((numbers >= 0) & np.isfinite(columns.place).all(axis=1))
    rows = rows[np.argsort(numbers[rows], kind="stable")]
    members, starts = np.unique(numbers[rows], return_index=True)
    names = names[members]
    counts = np.diff(np.append(starts, len(rows))).astype(np.int64)
    centroid, pca, longest = cluster_shapes(columns.place[rows], starts)
    fields: dict[str, Any] = {
        "label": ("cluster", names[:, 1], _about("1", "number of the cluster")),
        "n": ("cluster", counts, _about("1", "members")),
        "centroid": (("cluster", "axis"), centroid, _about("m", "mean position of members")),
        "pca": (("cluster", "component"), pca, _about("m", "spread along principal axes")),
        "volume": ("cluster", ellipsoid_volumes(pca, counts), _about("m^3", "ellipsoid volume")),
        "longest_radius": ("cluster", longest / 2, _about("m", "half of the longest distance")),
        "diameter": ("cluster", 2 * pca[:, 0], _about("m", "twice the largest spread")),
        "max_diameter": ("cluster", longest, _about("m", "longest distance of members")),
    }
    coords: dict[str, Any] = {"axis": list("xyz"), "component": [1, 2, 3]}
    if used == "wash":
        coords["wash"] = ("cluster", names[:, 0])
    else:
        washes, wash = np.unique(columns.wash, return_inverse=True)
        matrix = np.zeros((len(names), len(washes)), np.int64)
        place = np.searchsorted(members, numbers[rows])
        np.add.at(matrix, (place, wash.ravel()[rows]), 1)
        fields["n_wash"] = (("cluster", "wash"), matrix, _about("1", "members in the wash"))
        coords["wash"] = washes
    coords["image"], images = _images(columns, used)
    fields |= images
    name = column if isinstance(column, str) else str(column.name)
    attrs = record(table.attrs, "cluster_sizes", {"column": name, "scope": used})
    return xr.Dataset(fields, coords, {**attrs, "scope": used})


def _about(units: str, meaning: str) -> dict[str, str]:
    return {"units": units, "long_name": meaning}


def _images(columns: ClusterColumns, scope: str) -> tuple[Array, dict[str, Any]]:
    """Return the images, and area and volume of the box around the rows of each."""
    groups = columns.wash if scope == "wash" else np.zeros_like(columns.wash)
    known = np.isfinite(columns.place).all(axis=1)
    names = np.unique(groups)
    ranges = np.full((len(names), 3), np.nan)
    for place, name in enumerate(names):
        own = columns.place[known & (groups == name)]
        if len(own):
            ranges[place] = np.ptp(own, axis=0)
    return names, {
        "image_volume": ("image", ranges.prod(axis=1), _about("m^3", "box around all tracks")),
        "image_area": ("image", ranges[:, :2].prod(axis=1), _about("m^2", "box around all tracks")),
    }


def nearest_clusters(sizes: xr.Dataset, *, least: int = 3) -> xr.DataArray:
    """Return the distance from each cluster's centroid to the nearest one of another cluster.

    Parameters
    ----------
    sizes
        Result of `cluster_sizes`. With scope "wash" neighbours are those of the same wash.
    least
        Members that a cluster must have, to have and to be a neighbour.

    Returns
    -------
    xarray.DataArray
        Shape (cluster,), m; NaN for clusters with fewer members, and for lonely ones.
    """
    centroid, enough = sizes["centroid"].values, sizes["n"].values >= least
    within = sizes["wash"].dims == ("cluster",)
    groups = sizes["wash"].values if within else np.zeros(len(centroid), np.int64)
    found = np.full(len(centroid), np.nan)
    for name in np.unique(groups[enough]):
        own = np.flatnonzero(enough & (groups == name))
        if len(own) > 1:
            distances, _ = cKDTree(centroid[own]).query(centroid[own], k=2)
            found[own] = np.asarray(distances)[:, 1]
    attrs = {"units": "m", "long_name": "distance of the nearest cluster", "least": least}
    coords = {"wash": sizes["wash"]} if within else {}
    return xr.DataArray(found, coords, ("cluster",), "nearest_distance", attrs)


def events_per_cluster(sizes: xr.Dataset) -> xr.Dataset:
    """Return how many members are in clusters of each size: sizes weighted by themselves.

    Parameters
    ----------
    sizes
        Result of `cluster_sizes`.

    Returns
    -------
    xarray.Dataset
        Along ``size``, the numbers of members that occur: ``clusters`` of that size, ``events`` in
        these, and ``fraction`` of all events.
    """
    size, clusters = np.unique(sizes["n"].values, return_counts=True)
    events = size * clusters
    fraction = events / max(int(events.sum()), 1)
    return xr.Dataset(
        {
            "clusters": ("size", clusters, _about("1", "clusters of the size")),
            "events": ("size", events, _about("1", "members of clusters of the size")),
            "fraction": ("size", fraction, _about("1", "part of all members")),
        },
        {"size": ("size", size, _about("1", "members of a cluster"))},
        record(sizes.attrs, "events_per_cluster", {}),
    )
