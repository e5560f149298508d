"""Nuclear pores: clusters of points that a circle fits, which points are theirs, their average.

References
----------
NPCTAT: clusters within 55 nm of at least 5 traces, circles without far points.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.kernels.structures.ring_members import (
    distinct_rings,
    inside_rings,
    nearest_centres,
    ring_members,
)
from mfxarray.minflux.clusters.dbscan import dbscan
from mfxarray.minflux.points import Points, points_of
from mfxarray.minflux.structures.circle_rows import CircleSettings, circle_table
from mfxarray.minflux.structures.pore_gates import Bounds, PoreGates
from mfxarray.minflux.structures.structures import labels_of
from mfxarray.provenance import ATTRIBUTE, record

__all__ = ["accepted_pores", "find_pores", "pore_of_points"]

Array = np.ndarray[Any, Any]

_ROUNDS = 3
_INSIDE = {"units": "1", "long_name": "points within the rim"}


def find_pores(
    ds: xr.Dataset,
    clusters: str | xr.DataArray | None = None,
    *,
    eps: float | Iterable[float] = (55e-9, 80e-9),
    min_points: int = 5,
    diameter: Bounds = (70e-9, 150e-9),
    gates: PoreGates | None = None,
    grow: float | None = 20e-9,
    outlier: float | None = 3.0,
    orders: Iterable[int] = range(4, 13),
    site: float = 12e-9,
    fit: str = "point",
    rings: int = 1,
) -> xr.Dataset:
    """Return a table with one row for each candidate of a pore, and which are accepted.

    Parameters
    ----------
    ds
        A table of traces, whose centroids are the points, or localizations.
    clusters
        Clusters of the points, -1 for none; if not given, those of DBSCAN in x and y.
    eps, min_points
        Of DBSCAN, see `mfxarray.minflux.clusters.dbscan.dbscan`. With ``grow`` there may be several
        distances, whose clusters are all tried: a small one cuts rings with missing corners into
        arcs, a large one joins neighbours. NPCTAT has 55 nm and 5.
    diameter
        Smallest and largest diameter of a pore, metres.
    gates
        All that a pore must fulfil; given, it holds instead of ``diameter`` and ``min_points``.
    grow
        Circles with a diameter within the gate take all points within this distance (metres) of
        their line, noise and parts of their ring that are clusters of their own too, and are fitted
        again, three times; of overlapping ones that stays that passes the gates and has most
        points. None to leave clusters as they are.
    outlier, orders, site, fit, rings
        As for `mfxarray.minflux.structures.structures.fit_circles`.

    Returns
    -------
    xarray.Dataset
        That of `mfxarray.minflux.structures.structures.fit_circles` along ``pore``, with
        ``n_inside``, the points within the rim, ``accepted``, and one variable ``gate_<name>`` for
        each gate of `PoreGates`: who was rejected by what. Along the points ``pore_of_point``, the
        ``label`` of the candidate or -1.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Notes
    -----
    Computes; with ``grow`` once for each ``eps`` and four times more. The same for every chunking.
    """
    used_gates = gates or PoreGates(diameter=diameter, points=max(min_points, 3))
    if grow is not None and not grow > 0:
        raise ValueError(f"grow must be a length above 0 metres, or None, not {grow!r}")
    settings = CircleSettings(outlier, tuple(int(n) for n in orders), site, "site", fit, rings)
    points = points_of(ds)
    distances = (eps,) if isinstance(eps, int | float) else tuple(eps)
    if not distances or (grow is None and len(distances) > 1 and clusters is None):
        raise ValueError("give one eps; several ones need grow=")
    given = _clusterings(ds, points, clusters, distances, min_points)
    tables = [circle_table(points, labels, settings) for labels in given]
    labels, table = given[0], tables[0]
    for number in range(0 if grow is None else _ROUNDS):
        candidates = xr.concat(tables, "cluster") if number == 0 else table
        labels = _grown(points, candidates, used_gates, grow or 0.0)
        table = circle_table(points, labels, settings)
    told = {
        "clusters": None if clusters is None else str(getattr(clusters, "name", clusters)),
        "eps": list(distances),
        "min_points": min_points,
        "grow": grow,
        "gates": asdict(used_gates),
        **asdict(settings),
    }
    table = table.assign(n_inside=("cluster", _inside(points, table, used_gates.rim), _INSIDE))
    found = _judged(table.rename(cluster="pore"), used_gates)
    about = {"units": "1", "long_name": "label of the candidate of a pore, -1 for none"}
    found["pore_of_point"] = ((points.dim,), labels.astype(np.int64), about)
    return found.assign_attrs(record(ds.attrs, "find_pores", told))


def _clusterings(
    ds: xr.Dataset,
    points: Points,
    clusters: str | xr.DataArray | None,
    distances: Iterable[float],
    min_points: int,
) -> list[da.Array]:
    """Return the clusters to begin with: the given ones, or those of each distance."""
    if clusters is not None:
        return [labels_of(ds, points, clusters)]
    found = [dbscan(ds, eps=eps, min_samples=min_points, dimensions=2) for eps in distances]
    return [labels_of(ds, points, labels) for labels in found]


def _grown(points: Points, table: xr.Dataset, gates: PoreGates, margin: float) -> da.Array:
    """Return new labels: the ring whose line is near a point, of rings that are no others."""
    table = table.isel(cluster=np.flatnonzero(gates.passed(table)["diameter"]))
    centres, radii = _rings(table)
    passed = np.logical_and.reduce(list(gates.passed(table).values()))
    # any that passes before all that do not
    weights = table["n_used"].values + passed * float(table["n_used"].sum())
    kept = distinct_rings(centres, radii, weights)
    member = partial(ring_members, centres=centres[kept], radii=radii[kept], margin=margin)
    return _each_point(points, partial(_first_axes, member))


def _rings(table: xr.Dataset) -> tuple[Array, Array]:
    return table["centre"].values[:, :2], table["diameter"].values / 2


def _inside(points: Points, table: xr.Dataset, rim: float) -> Array:
    """Return how many points lie within each ring, further than the rim from its line."""
    known = np.flatnonzero(np.isfinite(table["diameter"].values))
    counts = np.zeros(table.sizes["cluster"], np.int64)
    if len(known):
        centres, radii = _rings(table.isel(cluster=known))
        within = partial(inside_rings, centres=centres, radii=radii - rim)
        rings = _each_point(points, partial(_first_axes, within))
        counts[known] = da.bincount(rings + 1, minlength=len(known) + 1)[1:].compute()
    return counts


def _first_axes(member: Any, position: Array) -> Array:
    return np.asarray(member(np.ascontiguousarray(position[:, :2])))


def _each_point(points: Points, function: Any) -> da.Array:
    """Return what a function finds for the positions of used points, -1 for the others."""
    return da.blockwise(
        partial(_used_only, function=function),
        "r",
        points.used,
        "r",
        points.position,
        "ra",
        dtype=np.int64,
        meta=np.empty(0, np.int64),
        concatenate=True,
    )


def _used_only(used: Array, position: Array, *, function: Any) -> Array:
    found = np.full(len(used), -1, np.int64)
    found[used] = function(position[used])
    return found


def _judged(table: xr.Dataset, gates: PoreGates) -> xr.Dataset:
    passed = gates.passed(table)
    accepted = np.logical_and.reduce(list(passed.values()))
    about = {"long_name": "passes all gates"}
    found = table.assign(accepted=("pore", accepted, about))
    for name, one in passed.items():
        found[f"gate_{name}"] = ("pore", one, {"long_name": f"passes the gate of {name}"})
    return found


def accepted_pores(pores: xr.Dataset) -> xr.Dataset:
    """Return the accepted rows of `find_pores`; a table without that column as it is."""
    if "accepted" not in pores:
        return pores
    return pores.isel(pore=np.flatnonzero(pores["accepted"].values))


def pore_of_points(
    ds: xr.Dataset, pores: xr.Dataset, *, distance: float = 100e-9, height: float | None = None
) -> xr.DataArray:
    """Return the accepted pore whose centre is nearest to each point, -1 if none is near.

    Parameters
    ----------
    ds
        Localizations or a table of traces: of the pores, or of a cargo that passes them.
    pores
        Result of `find_pores`.
    distance
        Largest distance in x and y, metres; NPCTAT has 100 nm.
    height
        Largest distance along z, above or below, metres; None for any.

    Returns
    -------
    xarray.DataArray
        Row among the accepted pores, see `accepted_pores`; int64, lazy, chunked as the points.
    """
    if not distance > 0 or (height is not None and not height > 0):
        raise ValueError("distance and height must be lengths above 0 metres")
    points = points_of(ds)
    centres = accepted_pores(pores)["centre"].values
    reach = np.inf if height is None else height
    nearest = partial(nearest_centres, centres=centres, distance=distance, height=reach)
    told = {"distance": distance, "height": height}
    history = record(ds.attrs, "pore_of_points", told, others={"pores": pores.attrs})
    attrs = {
        "units": "1",
        "long_name": "accepted pore, -1 for none",
        ATTRIBUTE: history[ATTRIBUTE],
    }
    coords = {name: coord for name, coord in ds.coords.items() if coord.dims == (points.dim,)}
    return xr.DataArray(_each_point(points, nearest), coords, (points.dim,), "pore", attrs)
