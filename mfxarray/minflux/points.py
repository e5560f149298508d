"""Points of an analysis: localizations, or the centroids of a trace table."""

from __future__ import annotations

from dataclasses import dataclass

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.minflux.rows import ROW, dask_rows, last_iteration_of, used_rows

__all__ = ["Points", "points_of"]


@dataclass(frozen=True)
class Points:
    """Where the points are.

    Attributes
    ----------
    dim
        Their dimension, "localization" or "trace".
    used
        Which of them count, shape (point,), bool.
    position
        Metres, shape (point, axis), chunked as ``used``; finite where used.
    """

    dim: str
    used: da.Array
    position: da.Array

    def column(self, field: xr.DataArray) -> da.Array:
        """Return a field of one value a point, chunked as the points.

        Raises
        ------
        ValueError
            If the field has other dimensions.
        """
        if field.dims != (self.dim,):
            raise ValueError(f"{field.name!r} must have the dimension {self.dim!r} alone")
        data = field.data if field.chunks is not None else da.asarray(field.data)
        return data.rechunk((self.used.chunks[0],))


def points_of(ds: xr.Dataset) -> Points:
    """Return the points of localizations (last iteration) or of a table of traces (centroids).

    Raises
    ------
    ValueError
        If the Dataset is neither.

    Notes
    -----
    Localizations count that are valid, selected and have a position; all traces of a table do
    whose centroid is finite.
    """
    if ROW in ds.dims and "position" in ds:
        used = used_rows(ds)
        position = dask_rows(last_iteration_of(ds, "position"), used)
        return Points(ROW, used & np.isfinite(position).all(axis=1), position)
    if "trace" in ds.dims and "centroid" in ds:
        centroid = ds["centroid"].transpose("trace", "axis").data
        position = (centroid if isinstance(centroid, da.Array) else da.asarray(centroid)).rechunk(
            {1: -1}
        )
        return Points("trace", np.isfinite(position).all(axis=1), position)
    raise ValueError("give localizations (with position) or a table of traces (with centroid)")
