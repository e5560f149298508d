"""Circles through clusters of points, and their angular order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

import dask.array as da
import xarray as xr

from mfxarray.minflux.points import Points, points_of
from mfxarray.minflux.structures.circle_rows import CircleSettings, circle_table
from mfxarray.provenance import record

__all__ = ["fit_circles", "labels_of"]


def fit_circles(
    ds: xr.Dataset,
    clusters: str | xr.DataArray = "cluster",
    *,
    outlier: float | None = 3.0,
    orders: Iterable[int] = range(4, 13),
    site: float = 12e-9,
    unit: str = "site",
    fit: str = "point",
    rings: int = 1,
) -> xr.Dataset:
    """Return a table with one row a cluster: its circle in the plane of x and y, and its order.

    Parameters
    ----------
    ds
        Localizations, or a table of traces, whose centroids are fitted.
    clusters
        Cluster of each point, -1 for none: the name of a variable, or an array.
    outlier
        Points further from the circle than so many standard deviations do not count, see
        `mfxarray.kernels.structures.circles.fit_circles`; None for all. NPCTAT has 2.
    orders
        Symmetries that are tried.
    site
        Points whose neighbours along the circle are this near (metres, along the arc) are one
        site: a corner that was seen several times tells once where it stands.
    unit
        What has one vote in the angular spectrum: a "site" or a "point".
    fit
        What has one vote in the circle. With "site" the circle is fitted once more, through the
        mean places of sites, and errors and ``residual`` are theirs: where molecules do not stand
        exactly on corners, more points of one molecule tell nothing new.
    rings
        2 to find two rings, one above the other, for points in 3D.

    Returns
    -------
    xarray.Dataset
        Dimensions ``cluster``, ``axis`` and ``tried``; coordinates ``label`` and ``tried``, the
        orders. ``n``, ``n_used``; ``centre`` and ``centre_error`` (cluster, axis; m), along z the
        mean, or the middle of two rings; ``diameter``, ``diameter_error``, ``residual``,
        ``z_spread`` (m); ``sites``, ``empty_arc`` (rad); with two rings ``height``,
        ``height_error`` (m), ``n_upper``. ``spectrum`` and ``phases`` (cluster, tried):
        ``|sum exp(i n angle)|^2 / N`` and where the first corner stands (rad, 0 to 2 pi / n). Of
        the order with the highest score (the lowest of equal ones): ``order`` (0 with fewer than
        3 sites), ``order_score``, ``order_p``, ``phase``, ``phase_error``. NaN where there is no
        circle.

    Raises
    ------
    ValueError
        If a parameter is out of range, or clusters are not along the points.

    Notes
    -----
    Computes: how many clusters there are is known from labels only. In memory are the points of a
    strip of labels, half a million or the largest cluster. The same for every chunking.

    Errors are those of least squares with points (or sites) independent of each other, n - 3
    degrees of freedom. The expected diameter is too large by ``residual**2 / diameter * 2``, 0.07
    nm at 2 nm and 107 nm. ``order_p`` is the probability
    (Rayleigh) that as many sites at random angles score so high in any of the orders; it does not
    know that sites cannot be nearer than ``site``. Where labelled corners fit a lower order too,
    four of eight for example, nothing tells them apart, and the lower order is given.
    """
    settings = CircleSettings(outlier, tuple(int(n) for n in orders), site, unit, fit, rings)
    points = points_of(ds)
    labels = labels_of(ds, points, clusters)
    table = circle_table(points, labels, settings)
    told = {"clusters": _name_of(clusters), **asdict(settings)}
    return table.assign_attrs(record(ds.attrs, "fit_circles", told))


def labels_of(ds: xr.Dataset, points: Points, clusters: str | xr.DataArray) -> da.Array:
    """Return the cluster of each point, chunked as the points.

    Raises
    ------
    ValueError
        If there are no such clusters, or they are not whole numbers along the points.
    """
    if isinstance(clusters, str) and clusters not in ds.variables:
        raise ValueError(f"no clusters {clusters!r}; give labels along {points.dim}, of dbscan()")
    field = ds[clusters] if isinstance(clusters, str) else clusters
    fits = field.dims == (points.dim,) and field.size == len(points.used)
    if not fits or field.dtype.kind not in "iu":
        raise ValueError(f"clusters must be one whole number for each {points.dim}")
    return points.column(field)


def _name_of(clusters: str | xr.DataArray) -> str:
    return clusters if isinstance(clusters, str) else str(clusters.name)
