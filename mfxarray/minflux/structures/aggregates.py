"""Bead-like aggregates: compact clusters that were seen very often or for very long."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.by_cluster import cluster_table
from mfxarray.kernels.clusters.cluster_shapes import cluster_shapes
from mfxarray.minflux.filtering.conditions import Condition
from mfxarray.minflux.points import Points, points_of
from mfxarray.minflux.rows import ROW, dask_rows, selected_rows
from mfxarray.minflux.structures.structures import labels_of
from mfxarray.provenance import record

__all__ = ["OutsideClusters", "find_aggregates", "outside_aggregates"]

Array = np.ndarray[Any, Any]

_COLUMNS = (
    ("localizations", "1", "localizations"),
    ("points", "1", "points of the cluster"),
    ("radius", "m", "root mean squared distance to the centroid"),
    ("extent", "m", "longest distance of two points"),
    ("start", "s", "time of the first localization"),
    ("end", "s", "time of the last localization"),
    ("duration", "s", "time from the first to the last localization"),
)


def find_aggregates(
    ds: xr.Dataset,
    clusters: str | xr.DataArray = "cluster",
    *,
    localizations: int = 200,
    radius: float = 30e-9,
    duration: float = 0.0,
) -> xr.Dataset:
    """Return a table with one row a cluster, and which are aggregates.

    Parameters
    ----------
    ds
        Localizations or a table of traces.
    clusters
        Cluster of each point, -1 for none: the name of a variable, or an array.
    localizations
        Least number of localizations of an aggregate.
    radius
        Largest radius of an aggregate, metres.
    duration
        Least time from its first localization to its last, seconds.

    Returns
    -------
    xarray.Dataset
        Along ``cluster``, with the coordinate ``label``: ``aggregate``, which fulfils all, and
        ``gate_localizations``, ``gate_radius``, ``gate_duration``; ``localizations``, ``points``,
        ``centroid`` (cluster, axis; m), ``radius``, ``extent`` (m), ``start``, ``end``,
        ``duration`` (s; NaN where times are not known).

    Notes
    -----
    Computes; in memory are the points of a strip of labels, half a million or the largest cluster.
    """
    if localizations < 1 or not radius > 0 or duration < 0:
        raise ValueError("localizations and radius must be above 0, and duration not negative")
    points = points_of(ds)
    labels = labels_of(ds, points, clusters)
    position = [points.position[:, axis] for axis in range(points.position.shape[1])]
    columns = [*position, *_times(ds, points), _counts(ds, points)]
    work = partial(_of_clusters, axes=len(position))
    width = 1 + len(_COLUMNS) + len(position)
    rows = cluster_table(work, points.used, labels, columns, width=width).compute()
    fields: dict[str, Any] = {
        name: ("cluster", rows[:, place + 1], {"units": unit, "long_name": meaning})
        for place, (name, unit, meaning) in enumerate(_COLUMNS)
    }
    about = {"units": "m", "long_name": "mean position"}
    fields["centroid"] = (("cluster", "axis"), rows[:, -len(position) :], about)
    coords = {
        "label": ("cluster", rows[:, 0].astype(np.int64), {"long_name": "number of the cluster"}),
        "axis": list("xyz")[: len(position)],
    }
    told = {"localizations": localizations, "radius": radius, "duration": duration}
    found = xr.Dataset(fields, coords, record(ds.attrs, "find_aggregates", told))
    whole = {name: found[name].astype(np.int64) for name in ("localizations", "points")}
    found = found.assign({**whole})
    gates = {
        "localizations": found["localizations"] >= localizations,
        "radius": found["radius"] <= radius,
        # times that are not known are no reason against an aggregate if none is asked for
        "duration": (found["duration"] >= duration) | (duration == 0),
    }
    aggregate = gates["localizations"] & gates["radius"] & gates["duration"]
    named = {f"gate_{name}": gate for name, gate in gates.items()}
    return found.assign({"aggregate": aggregate, **named})


def _times(ds: xr.Dataset, points: Points) -> list[da.Array]:
    """Return first and last time of each point."""
    names = ("tim", "tim") if points.dim == ROW else ("start", "end")
    if any(name not in ds.variables for name in names):
        missing = da.full_like(points.used, np.nan, dtype=float)
        return [missing, missing]
    return [points.column(ds[name]).astype(float) for name in names]


def _counts(ds: xr.Dataset, points: Points) -> da.Array:
    """Return the localizations of each point."""
    if points.dim == ROW or "n" not in ds.variables:
        return da.ones_like(points.used, dtype=np.int64)
    return points.column(ds["n"]).astype(np.int64)


def _of_clusters(labels: Array, starts: Array, columns: list[Array], *, axes: int) -> Array:
    place = np.column_stack(columns[:axes])
    first, last, number = columns[axes:]
    centroid, spread, longest = cluster_shapes(place, starts)
    n = np.diff(np.append(starts, len(place)))
    # from sample variances along principal axes to a mean over the points
    radius = np.sqrt((spread**2).sum(axis=1) * (n - 1) / n)
    radius, longest = (np.where(n > 1, values, 0.0) for values in (radius, longest))
    start, end = np.minimum.reduceat(first, starts), np.maximum.reduceat(last, starts)
    total = np.add.reduceat(number, starts)
    found = [labels, total, n, radius, longest, start, end, end - start]
    return np.column_stack([*found, centroid])


@dataclass(frozen=True)
class OutsideClusters(Condition):
    """Localizations that belong to none of some clusters.

    Attributes
    ----------
    column
        Variable with the cluster of each localization.
    clusters
        Numbers of the clusters that are left out.
    """

    kind = "outside_clusters"
    column: str
    clusters: tuple[int, ...]

    def rows(self, ds: xr.Dataset) -> da.Array:
        """Return which localizations pass."""
        if self.column not in ds.variables or ds[self.column].dims != (ROW,):
            raise ValueError(f"no clusters {self.column!r} along {ROW}; assign them first")
        labels = dask_rows(ds[self.column], selected_rows(ds))
        numbers = np.asarray(self.clusters, np.int64)
        return da.map_blocks(_outside, labels, numbers=numbers, dtype=bool)


def _outside(labels: Array, *, numbers: Array) -> Array:
    return ~np.isin(labels, numbers)


def outside_aggregates(aggregates: xr.Dataset, column: str = "cluster") -> OutsideClusters:
    """Return the condition that leaves aggregates out, for ``ds.mfx.mask(aggregates=...)``.

    Parameters
    ----------
    aggregates
        Result of `find_aggregates`.
    column
        Variable of the localizations with the clusters of which it was made.
    """
    found = aggregates["label"].values[aggregates["aggregate"].values]
    return OutsideClusters(column, tuple(int(label) for label in found))
