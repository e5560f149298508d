"""Clusters of points by density: exact DBSCAN of any number of localizations or traces."""

from __future__ import annotations

import xarray as xr

from mfxarray.chunked.dbscan import dbscan as label_rows
from mfxarray.minflux.point_groups import groups_of, places_in
from mfxarray.minflux.points import points_of
from mfxarray.provenance import ATTRIBUTE, record

__all__ = ["dbscan"]

# squares of distances stay numbers
_SMALLEST, _LARGEST = 1e-100, 1e100


def dbscan(
    ds: xr.Dataset,
    *,
    eps: float,
    min_samples: int = 3,
    by: str | None = None,
    dimensions: int | None = None,
) -> xr.DataArray:
    """Return the cluster of every localization or trace, -1 for noise and for what is not used.

    Parameters
    ----------
    ds
        Localizations (those count that are valid and selected), or a table of traces, whose
        centroids are clustered.
    eps
        Largest distance of neighbours in metres, itself included.
    min_samples
        Least number of neighbours of a core point, itself included. With 1 clusters are what hangs
        together by steps of at most eps, and there is no noise.
    by
        Cluster within groups only: "trace", "wash", or the name of integers along the points; see
        `mfxarray.minflux.point_groups.groups_of`.
    dimensions
        2 for x and y alone; all axes by default.

    Returns
    -------
    xarray.DataArray
        ``cluster``, int64, lazy, chunked as the points. Clusters are numbered from 0 by their first
        core point in the order of the rows, over all groups together: a number never stands for
        two clusters. A point that is no core point but near some belongs to the lowest of their
        clusters.

    Raises
    ------
    ValueError
        For parameters that nothing can fulfil.

    Notes
    -----
    The same labels as ``sklearn.cluster.DBSCAN``, for every chunking: neighbours are decided by
    squared distances in double precision, as its k-d tree does. The tree takes whole boxes of
    points by rounded distances, and for less than 12 points scikit-learn takes no tree; so where
    distances differ from eps by the last bits alone its choice may be another.

    Positions are read twice, all else stays with strips across the field: in memory are a few
    strips of half a million points with a margin of twice eps, not lists of neighbours. Where twice
    eps is wider than a strip, strips hold more points.

    References
    ----------
    M. Ester, H.-P. Kriegel, J. Sander, X. Xu, KDD 1996, 226-231.
    """
    if not _SMALLEST < eps < _LARGEST:
        raise ValueError(f"eps must be a distance above 0 in metres, not {eps!r}")
    if isinstance(min_samples, bool) or int(min_samples) != min_samples or min_samples < 1:
        raise ValueError(f"min_samples must be a whole number from 1 on, not {min_samples!r}")
    points = points_of(ds)
    labels = label_rows(
        points.used,
        places_in(points, dimensions),
        groups_of(ds, points, by),
        eps=float(eps),
        min_samples=int(min_samples),
    )
    told = {"eps": eps, "min_samples": min_samples, "by": by, "dimensions": dimensions}
    history = record(ds.attrs, "dbscan", told)
    attrs = {
        "units": "1",
        "long_name": "cluster by density, -1 for none",
        ATTRIBUTE: history[ATTRIBUTE],
    }
    coords = {name: coord for name, coord in ds.coords.items() if coord.dims == (points.dim,)}
    return xr.DataArray(labels, coords, (points.dim,), "cluster", attrs)
