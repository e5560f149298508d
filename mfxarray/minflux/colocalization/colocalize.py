"""Colocalization of channels: joint clusters, and which channels are in them.

References
----------
minflux-analysis (Politi): ``minflux_colocalization_analysis`` (it does not run as it is), and the
notebook ``plot_stats_clusters_mwash_CC.Rmd``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from mfxarray.chunked.group_rows import by_group
from mfxarray.minflux.colocalization.channel_points import (
    ChannelPoints,
    Region,
    about,
    channel_points,
    chosen,
    source_of,
)
from mfxarray.minflux.colocalization.joint_clusters import Gates, joint_labels, numbers_of_clusters
from mfxarray.provenance import record

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["class_name", "clusters_table", "colocalize"]

Array = np.ndarray[Any, Any]

_AXES = ("x", "y", "z")


def colocalize(
    ds: xr.Dataset | Sequence[xr.Dataset],
    channels: str | None = None,
    *,
    eps: float = 10e-9,
    min_samples: int = 3,
    max_size: float | None = 30e-9,
    min_localizations: int = 10,
    values: Sequence[int] | None = None,
    region: Region | None = None,
    dimensions: int | None = None,
) -> xr.Dataset:
    """Return the joint clusters of all channels, and how much the channels share them.

    Parameters
    ----------
    ds
        Localizations (those count that are valid and selected) or a table of traces, or a list of
        such, a channel each.
    channels
        Integers along the points, below 0 for none: "channel" or else "wash" by default.
    eps, min_samples
        Of the clusters, as for `mfxarray.minflux.clusters.dbscan.dbscan`.
    max_size
        Clusters count whose size is below, metres; larger ones are aggregates of several. None for
        any.
    min_localizations
        Clusters count that have more points. Of traces 0 may be wanted.
    values, region, dimensions
        As for `mfxarray.minflux.colocalization.pair_correlation.pair_correlation`.

    Returns
    -------
    xarray.Dataset
        In memory. Along ``cluster``: ``n``, ``counts`` (cluster, channel), ``position`` and
        ``spread`` (cluster, axis), ``size`` (m): root of the summed sample variances along the
        axes; ``kept``; ``mixture``: 2 to the power of its place for each channel that is in it.

        Of the clusters kept, along ``channel`` and ``other``: ``clusters`` with points of the
        channel, ``shared_clusters`` with points of both, ``shared_points``: points of the channel
        in these, and as parts ``cluster_fraction`` and ``point_fraction``, the latter of the
        points of the channel in kept clusters (``clustered_points``); ``points`` in all. Along
        ``class`` ("0", "1", "0+1"): ``class_clusters``, ``class_points``.

    Raises
    ------
    ValueError
        For parameters that nothing can fulfil, or if less than two channels have points.

    Notes
    -----
    Exact and the same bits for every chunking: clusters as by `dbscan`, and each cluster is brought
    together from all chunks. In memory are parts of half a million points, and 16 numbers a
    cluster.

    The same protein in two channels gives the most that can be expected.
    """
    gates = Gates(eps, min_samples, max_size, min_localizations)
    found = channel_points(
        ds, channels, values=values, region=region, dimensions=dimensions, least=2
    )
    clusters = _clusters(found, gates)
    told = {**vars(gates), **chosen(channels, values, region, dimensions)}
    attrs, others = source_of(ds)
    attrs = record(attrs, "colocalize", told, others=others or None)
    shared = _shared(clusters, found.counts)
    names = [str(one) for one in found.ids.tolist()]
    fields = {**_cluster_fields(clusters), **_shared_fields(shared), **_classes(clusters, names)}
    coords = {
        "cluster": ("cluster", clusters["label"], about("1", "number of the cluster")),
        "channel": found.ids,
        "other": found.ids,
        "axis": list(_AXES[: found.axes]),
    }
    return xr.Dataset(fields, coords, {**attrs, "of": found.dim, "dimensions": found.axes})


def clusters_table(found: xr.Dataset) -> pd.DataFrame:
    """Return one row a cluster, units in the names of the columns; lengths in nm.

    Parameters
    ----------
    found
        Result of `colocalize`.

    Returns
    -------
    pandas.DataFrame
        ``cluster``, ``class``, ``kept``, ``n``, ``n_<channel>``, ``size_nm``, ``x_nm``,
        ``spread_x_nm`` and so on.
    """
    import pandas as pd

    ids = found["channel"].values.tolist()
    names = [str(one) for one in ids]
    columns: dict[str, Any] = {
        "cluster": found["cluster"].values,
        "class": [class_name(one, names) for one in found["mixture"].values.tolist()],
        "kept": found["kept"].values,
        "n": found["n"].values,
    }
    counts = found["counts"].transpose("cluster", "channel").values
    columns |= {f"n_{name}": counts[:, place] for place, name in enumerate(names)}
    columns["size_nm"] = found["size"].values * 1e9
    for field, start in (("position", ""), ("spread", "spread_")):
        for axis in found["axis"].values.tolist():
            columns[f"{start}{axis}_nm"] = found[field].sel(axis=axis).values * 1e9
    return pd.DataFrame(columns)


def class_name(mixture: int, names: Sequence[str]) -> str:
    """Return the channels of a class, "0+1" for example."""
    return "+".join(name for place, name in enumerate(names) if mixture >> place & 1)


def _clusters(found: ChannelPoints, gates: Gates) -> dict[str, Array]:
    marked = found.marked
    labels = joint_labels(marked, gates)
    work = partial(_part, channels=found.channels, gates=gates)
    parts = by_group(labels, [marked.position, marked.channel], work)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _part(
    group: Array, rows: Array, position: Array, channel: Array, *, channels: int, gates: Gates
) -> dict[str, Array]:
    return numbers_of_clusters(group, position, channel, channels, gates)[0]


def _shared(clusters: dict[str, Array], points: Array) -> dict[str, Array]:
    counts = clusters["counts"][clusters["kept"]]
    present = (counts > 0).astype(np.int64)
    both, moved = present.T @ present, counts.T @ present
    each, clustered = present.sum(axis=0), counts.sum(axis=0)
    return {
        "points": points,
        "clustered_points": clustered,
        "clusters": each,
        "shared_clusters": both,
        "shared_points": moved,
        "cluster_fraction": _part_of(both, each),
        "point_fraction": _part_of(moved, clustered),
    }


def _part_of(counts: Array, of: Array) -> Array:
    found = np.full(counts.shape, np.nan)
    np.divide(counts, of[:, None], out=found, where=of[:, None] > 0)
    return found


_CLUSTER = {
    "n": ((), "1", "points of the cluster"),
    "counts": (("channel",), "1", "points of the channel in the cluster"),
    "position": (("axis",), "m", "mean position"),
    "spread": (("axis",), "m", "sample standard deviation along the axis"),
    "size": ((), "m", "root of the summed variances along the axes"),
    "kept": ((), "1", "passes the gates of size and number"),
}


_SHARED = {
    "points": ((), "points of the channel"),
    "clustered_points": ((), "points of the channel in kept clusters"),
    "clusters": ((), "kept clusters with points of the channel"),
    "shared_clusters": (("other",), "kept clusters with points of both channels"),
    "shared_points": (("other",), "points of the channel in shared clusters"),
    "cluster_fraction": (("other",), "shared part of the clusters of the channel"),
    "point_fraction": (("other",), "part of clustered points that is in shared clusters"),
}


def _cluster_fields(clusters: dict[str, Array]) -> dict[str, Any]:
    fields: dict[str, Any] = {
        name: (("cluster", *dims), clusters[name], about(units, text))
        for name, (dims, units, text) in _CLUSTER.items()
    }
    bits = (clusters["counts"] > 0) @ (2 ** np.arange(clusters["counts"].shape[1]))
    text = "sum of 2 to the power of the place of each channel in the cluster"
    fields["mixture"] = ("cluster", bits.astype(np.int64), about("1", text))
    return fields


def _shared_fields(shared: dict[str, Array]) -> dict[str, Any]:
    return {
        name: (("channel", *dims), shared[name], about("1", text))
        for name, (dims, text) in _SHARED.items()
    }


def _classes(clusters: dict[str, Array], names: Sequence[str]) -> dict[str, Any]:
    counts = clusters["counts"][clusters["kept"]]
    bits = ((counts > 0) @ (2 ** np.arange(counts.shape[1]))).astype(np.int64)
    alone = 2 ** np.arange(counts.shape[1])
    # the single channels always, mixtures where they occur
    known = np.union1d(alone, bits)
    place = np.searchsorted(known, bits)
    clusters_of = np.bincount(place, minlength=len(known))
    points_of_class = np.zeros(len(known), np.int64)
    np.add.at(points_of_class, place, counts.sum(axis=1))
    text = "of the class"
    return {
        "class": ("class", [class_name(one, names) for one in known.tolist()]),
        "class_clusters": ("class", clusters_of, about("1", f"kept clusters {text}")),
        "class_points": ("class", points_of_class, about("1", f"points in kept clusters {text}")),
    }
