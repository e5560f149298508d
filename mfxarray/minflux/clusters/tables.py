"""Statistics of clusters for several distances at which tracks are joined.

References
----------
minflux-analysis (Findeisen, Politi): the notebooks ``plot_stats_clusters.Rmd``, ``_mwash.Rmd`` and
``_mwash_CC.Rmd``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from mfxarray.minflux.clusters.columns import SCOPES
from mfxarray.minflux.clusters.sizes import cluster_sizes
from mfxarray.minflux.clusters.statistics import cluster_tracks, wash_counts
from mfxarray.provenance import record

__all__ = ["colocalization_by_eps", "size_statistics", "sizes_by_eps"]

Array = np.ndarray[Any, Any]

# as the notebooks have them
_EPS = tuple(number * 1e-9 for number in range(20, 90, 10))
_STATISTICS = ("mean", "sd", "q25", "q50", "q75")
_COLUMNS = {"wash": "cls_merged_meas", "all": "cls_merged_all"}


def sizes_by_eps(
    summary: xr.Dataset, eps: Iterable[float] = _EPS, *, scope: str = "wash", min_samples: int = 1
) -> dict[float, xr.Dataset]:
    """Return the table of cluster sizes for each distance.

    Parameters
    ----------
    summary
        Result of `mfxarray.minflux.clusters.track_summary.track_summary`.
    eps
        Distances, metres; 20 to 80 nm in steps of 10 nm.
    scope
        "wash": clusters within each wash; "all": over all.
    min_samples
        As for `mfxarray.minflux.clusters.statistics.cluster_tracks`.

    Returns
    -------
    dict
        By eps, see `mfxarray.minflux.clusters.sizes.cluster_sizes`.
    """
    if scope not in SCOPES:
        raise ValueError(f"scope must be 'wash' or 'all', not {scope!r}")
    column = _COLUMNS[scope if "wash" in summary.coords else "wash"]
    return {
        float(one): cluster_sizes(
            cluster_tracks(summary, one, min_samples=min_samples), column, scope=scope
        )
        for one in eps
    }


def size_statistics(
    tables: Mapping[float, xr.Dataset], *, least: int = 3, least_longest: int = 2
) -> xr.Dataset:
    """Return mean, standard deviation and quartiles of diameters, and cluster counts, per eps.

    Parameters
    ----------
    tables
        Result of `sizes_by_eps`.
    least
        Members of the clusters whose diameter counts.
    least_longest
        Members of the clusters whose longest diameter counts.

    Returns
    -------
    xarray.Dataset
        Dimensions ``eps`` (m), ``statistic`` ("mean", "sd" with n - 1, "q25", "q50", "q75" of R's
        type 7) and, for clusters within washes, ``wash``: ``diameter`` and ``max_diameter`` (m),
        ``clusters`` with at least ``least`` members, ``clusters_all``, ``image_volume`` (m^3).

    Notes
    -----
    In the notebooks the mean of the longest diameters repeats that of the diameters, and clusters
    of all washes are counted together.
    """
    if not tables:
        raise ValueError("give at least one table of cluster sizes")
    first = next(iter(tables.values()))
    within = first["wash"].dims == ("cluster",)
    washes = first["image"].values
    groups = washes if within else [None]
    found = [
        [_row(table, wash, least, least_longest) for wash in groups] for table in tables.values()
    ]
    dims = ("eps", "wash") if within else ("eps",)
    fields: dict[str, Any] = {}
    for name, units in _ROW.items():
        values = np.array([[row[name] for row in rows] for rows in found])
        values = values if within else values[:, 0]
        along = (*dims, "statistic") if values.ndim > len(dims) else dims
        fields[name] = (along, values, {"units": units[0], "long_name": units[1]})
    volume = np.array([table["image_volume"].values for table in tables.values()])
    about = {"units": "m^3", "long_name": "box around all tracks"}
    fields["image_volume"] = (dims, volume if within else volume[:, 0], about)
    coords: dict[str, Any] = {
        "eps": ("eps", list(tables), {"units": "m", "long_name": "distance of neighbours"}),
        "statistic": list(_STATISTICS),
    }
    if within:
        coords["wash"] = washes
    told = {"least": least, "least_longest": least_longest, "eps": list(tables)}
    return xr.Dataset(fields, coords, record(first.attrs, "size_statistics", told))


_ROW = {
    "diameter": ("m", "twice the largest spread of clusters"),
    "max_diameter": ("m", "longest distance of members of clusters"),
    "clusters": ("1", "clusters with enough members"),
    "clusters_all": ("1", "clusters of any size"),
}


def _row(table: xr.Dataset, wash: Any, least: int, least_longest: int) -> dict[str, Any]:
    n = table["n"].values
    own = np.ones(len(n), bool) if wash is None else table["wash"].values == wash
    return {
        "diameter": _statistics(table["diameter"].values[own & (n >= least)]),
        "max_diameter": _statistics(table["max_diameter"].values[own & (n >= least_longest)]),
        "clusters": int(np.count_nonzero(own & (n >= least))),
        "clusters_all": int(np.count_nonzero(own)),
    }


def _statistics(values: Array) -> Array:
    known = values[np.isfinite(values)]
    if not len(known):
        return np.full(len(_STATISTICS), np.nan)
    spread = known.std(ddof=1) if len(known) > 1 else np.nan
    return np.array([known.mean(), spread, *np.quantile(known, [0.25, 0.5, 0.75])])


def colocalization_by_eps(
    summary: xr.Dataset, eps: Iterable[float] = _EPS, *, least: int = 3, min_samples: int = 1
) -> xr.Dataset:
    """Return how many tracks and clusters are shared by washes, for each distance.

    Parameters
    ----------
    summary
        Result of `mfxarray.minflux.clusters.track_summary.track_summary`, of any number of washes.
    eps
        Distances, metres.
    least
        Members that a cluster over all washes must have to count.
    min_samples
        As for `mfxarray.minflux.clusters.statistics.cluster_tracks`.

    Returns
    -------
    xarray.Dataset
        Dimensions ``eps`` and ``wash``: ``tracks`` of the wash in counted clusters,
        ``tracks_mixed`` in clusters that have members of other washes too, ``tracks_alone`` in
        those that do not, ``fraction_mixed`` (NaN without tracks), ``clusters_alone`` of the wash;
        along ``eps`` ``clusters`` and ``clusters_mixed``.

    Raises
    ------
    ValueError
        If the table has no washes.

    Notes
    -----
    The same protein imaged in two washes gives the most that can be expected.
    """
    if "wash" not in summary.coords:
        raise ValueError("the table has no washes; join them before the summary")
    found = []
    for one in eps:
        counts = wash_counts(cluster_tracks(summary, one, min_samples=min_samples))
        tracks = counts["tracks"].transpose("cluster", "wash").values
        found.append((float(one), counts["wash"].values, _mixed(tracks, least)))
    if not found:
        raise ValueError("give at least one eps")
    fields: dict[str, Any] = {}
    for name, meaning in _MIXED.items():
        values = np.array([rows[name] for _, _, rows in found])
        dims = ("eps", "wash") if values.ndim == 2 else ("eps",)
        fields[name] = (dims, values, {"units": "1", "long_name": meaning})
    coords: dict[str, Any] = {
        "eps": ("eps", [row[0] for row in found], {"units": "m"}),
        "wash": found[0][1],
    }
    told = {"least": least, "min_samples": min_samples}
    return xr.Dataset(fields, coords, record(summary.attrs, "colocalization_by_eps", told))


_MIXED = {
    "tracks": "tracks in clusters",
    "tracks_mixed": "tracks in clusters shared with other washes",
    "tracks_alone": "tracks in clusters of their wash alone",
    "fraction_mixed": "part of tracks in shared clusters",
    "clusters_alone": "clusters of the wash alone",
    "clusters": "clusters",
    "clusters_mixed": "clusters of several washes",
}


def _mixed(tracks: Array, least: int) -> dict[str, Any]:
    tracks = tracks[tracks.sum(axis=1) >= least]
    mixed = (tracks > 0).sum(axis=1) > 1
    total, shared = tracks.sum(axis=0), tracks[mixed].sum(axis=0)
    part = np.full(len(total), np.nan)
    np.divide(shared, total, out=part, where=total > 0)
    return {
        "tracks": total,
        "tracks_mixed": shared,
        "tracks_alone": total - shared,
        "fraction_mixed": part,
        "clusters_alone": (tracks[~mixed] > 0).sum(axis=0),
        "clusters": len(tracks),
        "clusters_mixed": int(mixed.sum()),
    }
