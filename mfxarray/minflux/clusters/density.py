"""How densely points lie, and how far their neighbours are."""

from __future__ import annotations

from math import gamma, log, pi
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import tokenize

from mfxarray.chunked.blocks import graph_array
from mfxarray.chunked.nearest import IS_SEARCHED, SEARCHES, nearest
from mfxarray.chunked.neighbours import counts_within, density_sums
from mfxarray.kernels.clusters.voronoi import cell_sizes
from mfxarray.minflux.point_groups import groups_of, places_in
from mfxarray.minflux.points import Points, points_of
from mfxarray.provenance import record

__all__ = ["local_density", "nearest_neighbour", "voronoi_density"]

Array = np.ndarray[Any, Any]

_MOST_CELLS = {2: 500_000, 3: 100_000}


def local_density(
    ds: xr.Dataset,
    *,
    radius: float | None = None,
    k: int | None = None,
    fwhm: float | None = None,
    by: str | None = None,
    dimensions: int | None = None,
) -> xr.Dataset:
    """Return how densely other points lie around every localization or trace.

    Parameters
    ----------
    ds
        Localizations (those count that are valid and selected), or a table of traces.
    radius
        Count the others within this distance (metres), itself included.
    k
        Take the distance to the k-th nearest other, from 2 on.
    fwhm
        Sum Gaussians of this full width at half maximum (metres) around the others. Give one of
        ``radius``, ``k`` and ``fwhm``.
    by
        Only points of the same group count, as for `mfxarray.minflux.clusters.dbscan.dbscan`.
    dimensions
        2 for x and y alone; all axes by default. Give 2 where z was not measured: densities are
        per volume otherwise.

    Returns
    -------
    xarray.Dataset
        Along the points, lazy: ``neighbours`` (-1 where not used), ``kth_distance`` (m) or
        ``neighbour_sum`` by what was asked for, and ``density``, per square or cubic metre. The
        point itself never counts, so ``density`` is unbiased where points lie at random: count over
        volume, k - 1 over the volume up to the k-th, or sum over the integral of the Gaussian.

    Raises
    ------
    ValueError
        If not just one of the three is given, or it is out of range.

    Notes
    -----
    Exact at the rim of strips and for every chunking. Near the rim of the field densities are too
    low, as part of the volume was not measured. A Gaussian is cut off where it falls below 1e-7.
    """
    given = {"radius": radius, "k": k, "fwhm": fwhm}
    name, value = _only(given)
    points = points_of(ds)
    places, groups = places_in(points, dimensions), groups_of(ds, points, by)
    axes = places.shape[1]
    if name == "radius":
        found = counts_within(points.used, places, groups, radius=value)
        density = da.where(found >= 0, found / _ball(value, axes), np.nan)
        what = ("neighbours", found, "1", f"others within {value:g} m")
    elif name == "k":
        found = nearest(points.used, places, groups, k=int(value))[:, 0]
        density = (int(value) - 1) / _ball(found, axes)
        what = ("kth_distance", found, "m", f"distance to the {int(value)}. nearest other")
    else:
        found = density_sums(points.used, places, groups, fwhm=value)
        density = found / (value * (pi / (4 * log(2))) ** 0.5) ** axes
        what = ("neighbour_sum", found, "1", f"sum of Gaussians of fwhm {value:g} m around others")
    told = {**given, "by": by, "dimensions": dimensions}
    per = f"m^-{axes}"
    fields = [what, ("density", density, per, "density of other points around")]
    return _dataset(ds, points, fields, "local_density", told)


def nearest_neighbour(
    ds: xr.Dataset,
    to: xr.Dataset | None = None,
    *,
    by: str | None = None,
    dimensions: int | None = None,
) -> xr.Dataset:
    """Return distance and number of the nearest other point of every localization or trace.

    Parameters
    ----------
    ds
        Localizations (those count that are valid and selected), or a table of traces.
    to
        Where to search; among the points of ``ds`` themselves by default.
    by
        Only points of the same group count, as for `mfxarray.minflux.clusters.dbscan.dbscan`; both
        must have it.
    dimensions
        2 for x and y alone; all axes by default.

    Returns
    -------
    xarray.Dataset
        Along the points, lazy: ``distance`` (m) and ``neighbour``, its place along the dimension of
        what was searched, int64; NaN and -1 where there is none and where a point is not used. Of
        equally near ones the first counts.

    Notes
    -----
    Exact for every distance and chunking: from strip to strip the search goes on until nothing
    nearer can come. In memory are a few strips.
    """
    points = points_of(ds)
    others = points if to is None else points_of(to)
    places, groups = places_in(points, dimensions), groups_of(ds, points, by)
    used, roles, first = points.used, None, 0
    if to is not None:
        first = points.used.shape[0]
        theirs = places_in(others, dimensions)
        if theirs.shape[1] != places.shape[1]:
            raise ValueError("both need as many axes; give dimensions=2 to compare x and y alone")
        used = da.concatenate([used, others.used])
        places = da.concatenate([places, theirs])
        pairs = zip(groups, groups_of(to, others, by), strict=True)
        groups = [da.concatenate(pair) for pair in pairs]
        marks = [
            da.full(part.used.shape, role, np.uint8, chunks=part.used.chunks)
            for part, role in ((points, SEARCHES), (others, IS_SEARCHED))
        ]
        roles = da.concatenate(marks)
    found = nearest(used, places, groups, roles)[: points.used.shape[0]]
    row = found[:, 1].astype(np.int64)
    row = da.where(row < 0, row, row - first)
    fields = [
        ("distance", found[:, 0], "m", "distance to the nearest other point"),
        ("neighbour", row, "1", f"its place along {others.dim}, -1 for none"),
    ]
    told = {"by": by, "dimensions": dimensions}
    others_attrs = None if to is None else {"to": to.attrs}
    return _dataset(ds, points, fields, "nearest_neighbour", told, others_attrs)


def voronoi_density(
    ds: xr.Dataset, *, dimensions: int = 2, most_points: int | None = None
) -> xr.Dataset:
    """Return the size of the Voronoi cell of every localization or trace, and its density.

    Parameters
    ----------
    ds
        Localizations (those count that are valid and selected), or a table of traces.
    dimensions
        2 or 3.
    most_points
        More than so many are refused; 500,000 in two and 100,000 in three dimensions by default.

    Returns
    -------
    xarray.Dataset
        Along the points, lazy: ``cell_size`` (m^2 or m^3), infinite at the rim, NaN where not used,
        and ``density``: points at the place over the size, 0 at the rim.

    Raises
    ------
    ValueError
        When computed, if there are more points.

    Notes
    -----
    Made by Qhull in memory by a single task, about 2 kB a point in three dimensions. For more
    points take `local_density`.
    """
    limit = _MOST_CELLS.get(dimensions, 0) if most_points is None else most_points
    points = points_of(ds)
    places = places_in(points, dimensions)
    name = f"voronoi-{tokenize(points.used, places, limit)}"
    blocks = range(points.used.numblocks[0])
    masks = [(points.used.name, block) for block in blocks]
    tasks: dict[Any, Any] = {
        f"{name}-used-{block}": (_used_places, masks[block], (places.name, block, 0))
        for block in blocks
    }
    tasks[f"{name}-all"] = (_sizes, [f"{name}-used-{block}" for block in blocks], limit)
    for block in blocks:
        tasks[(name, block, 0)] = (_rows_of, masks[block], f"{name}-all", block)
    chunks = (points.used.chunks[0], (2,))
    found = graph_array(name, tasks, (points.used, places), chunks, float)
    fields = [
        ("cell_size", found[:, 0], f"m^{dimensions}", "size of the Voronoi cell"),
        ("density", found[:, 1], f"m^-{dimensions}", "points over the size of their Voronoi cell"),
    ]
    told = {"dimensions": dimensions, "most_points": limit}
    return _dataset(ds, points, fields, "voronoi_density", told)


def _used_places(used: Array, position: Array) -> Array:
    return position[used]


def _sizes(parts: list[Array], limit: int) -> list[Array]:
    number = sum(len(part) for part in parts)
    if number > limit:
        raise ValueError(
            f"{number} points are more than the {limit} that Voronoi cells are made for in memory; "
            "select fewer, raise most_points= or take local_density"
        )
    size, together = cell_sizes(np.concatenate(parts))
    found = np.stack([size, together / size], axis=1)
    return np.split(found, np.cumsum([len(part) for part in parts])[:-1])


def _rows_of(used: Array, parts: list[Array], block: int) -> Array:
    out = np.full((len(used), 2), np.nan)
    out[used] = parts[block]
    return out


def _only(given: dict[str, Any]) -> tuple[str, Any]:
    named = {name: value for name, value in given.items() if value is not None}
    if len(named) != 1:
        raise ValueError("give one of radius=, k= and fwhm=")
    name, value = next(iter(named.items()))
    if name == "k" and (int(value) != value or value < 2):
        raise ValueError(
            f"k must be a whole number from 2 on, not {value!r}; see nearest_neighbour"
        )
    if name != "k" and not (np.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be a distance above 0 in metres, not {value!r}")
    return name, value


def _ball(radius: Any, axes: int) -> Any:
    """Return area or volume within a radius."""
    return pi ** (axes / 2) / gamma(axes / 2 + 1) * radius**axes


def _dataset(
    ds: xr.Dataset,
    points: Points,
    fields: list[tuple[str, da.Array, str, str]],
    step: str,
    told: dict[str, Any],
    others: dict[str, Any] | None = None,
) -> xr.Dataset:
    coords = {name: coord for name, coord in ds.coords.items() if coord.dims == (points.dim,)}
    found = {
        name: ((points.dim,), values, {"units": units, "long_name": text})
        for name, values, units, text in fields
    }
    return xr.Dataset(found, coords, record(ds.attrs, step, told, others=others))
