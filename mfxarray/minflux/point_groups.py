"""Which points may be neighbours of each other, and along which axes."""

from __future__ import annotations

import dask.array as da
import xarray as xr

from mfxarray.minflux.points import Points
from mfxarray.minflux.rows import ROW, trace_keys

__all__ = ["groups_of", "places_in"]


def groups_of(ds: xr.Dataset, points: Points, by: str | None) -> list[da.Array]:
    """Return the columns in which points of one group agree.

    Parameters
    ----------
    ds
        Localizations or a table of traces.
    points
        Their points.
    by
        None for one group; "trace" for traces, that is tid, and wash where there are several; or
        the name of integers or flags along the points: "wash", "channel", "cluster", ...

    Raises
    ------
    ValueError
        If there is no such thing.
    """
    if by is None:
        return []
    if by == "trace":
        if points.dim != ROW:
            raise ValueError("by='trace' needs localizations: a table of traces has one point each")
        return [keys.rechunk((points.used.chunks[0],)) for keys in trace_keys(ds).values()]
    if by not in ds.variables:
        known = sorted(
            str(name)
            for name, field in ds.variables.items()
            if field.dims == (points.dim,) and field.dtype.kind in "iub"
        )
        raise ValueError(f"no {by!r} to group by; there are 'trace', {', '.join(known)}")
    column = points.column(ds[by])
    if column.dtype.kind not in "iub":
        raise ValueError(f"by={by!r} must be integers or flags, not {column.dtype}")
    return [column]


def places_in(points: Points, dimensions: int | None) -> da.Array:
    """Return positions along the axes that count, shape (point, axis).

    Parameters
    ----------
    points
        The points.
    dimensions
        2 for x and y alone, 3 or None for all axes.

    Raises
    ------
    ValueError
        If there are fewer axes.
    """
    axes = points.position.shape[1]
    if dimensions is None:
        return points.position
    if dimensions not in (2, 3) or dimensions > axes:
        raise ValueError(f"dimensions must be 2 or 3 and at most {axes}, not {dimensions!r}")
    return points.position[:, :dimensions]
