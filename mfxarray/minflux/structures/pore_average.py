"""The average of pores: their points in a common frame, and how many fall into each pixel."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.histogram import plane_histogram
from mfxarray.kernels.structures.ring_members import nearest_centres
from mfxarray.minflux.points import points_of
from mfxarray.minflux.structures.pores import accepted_pores
from mfxarray.provenance import ATTRIBUTE, record

__all__ = ["average_pores", "points_in_pores"]

Array = np.ndarray[Any, Any]

_MOST_PIXELS = 4000


def points_in_pores(
    ds: xr.Dataset, pores: xr.Dataset, *, distance: float = 100e-9, order: int | None = 8
) -> xr.DataArray:
    """Return points relative to the centre of their pore, turned to a common phase.

    Parameters
    ----------
    ds
        Localizations or a table of traces.
    pores
        Result of `mfxarray.minflux.structures.pores.find_pores`; its accepted rows count.
    distance
        Largest distance from the centre in x and y, metres.
    order
        Pores are turned so that half a step of this symmetry is where the first corner stands,
        22.5 degrees for 8; None to leave them as they lie.

    Returns
    -------
    xarray.DataArray
        Shape (point, axis), m, lazy, chunked as the points; NaN for points of no pore.

    Raises
    ------
    ValueError
        If the order was not tried.
    """
    points, table = points_of(ds), accepted_pores(pores)
    if order is None:
        turn = np.zeros(table.sizes["pore"])
    else:
        tried = table["tried"].values.tolist()
        if order not in tried:
            raise ValueError(f"the phase of order {order} is not known; there are {tried}")
        turn = math.pi / order - table["phases"].values[:, tried.index(order)]
    centres = table["centre"].values
    # points without z have a centre without
    centres = np.where(np.isnan(centres) & (np.arange(3) == 2), 0.0, centres)
    work = partial(_aligned, centres=centres, turn=turn, distance=distance)
    data = da.blockwise(
        work,
        "ra",
        points.used,
        "r",
        points.position,
        "ra",
        dtype=float,
        meta=np.empty((0, 0)),
        concatenate=True,
    )
    told = {"distance": distance, "order": order}
    history = record(ds.attrs, "points_in_pores", told, others={"pores": pores.attrs})
    attrs = {
        "units": "m",
        "long_name": "position in the pore",
        ATTRIBUTE: history[ATTRIBUTE],
    }
    coords = {"axis": list("xyz")[: points.position.shape[1]]}
    return xr.DataArray(data, coords, (points.dim, "axis"), "position_in_pore", attrs)


def _aligned(
    used: Array, position: Array, *, centres: Array, turn: Array, distance: float
) -> Array:
    rows = np.flatnonzero(used)
    pore = nearest_centres(position[rows], centres, distance, np.inf)
    rows, pore = rows[pore >= 0], pore[pore >= 0]
    found = np.full(position.shape, np.nan)
    apart = position[rows] - centres[pore, : position.shape[1]]
    cos, sin = np.cos(turn[pore]), np.sin(turn[pore])
    found[rows] = apart
    found[rows, 0] = cos * apart[:, 0] - sin * apart[:, 1]
    found[rows, 1] = sin * apart[:, 0] + cos * apart[:, 1]
    return found


def average_pores(
    ds: xr.Dataset,
    pores: xr.Dataset,
    *,
    pixel: float = 2e-9,
    size: float = 200e-9,
    order: int | None = 8,
) -> xr.DataArray:
    """Return how many points of all accepted pores fall into each pixel around their centre.

    Parameters
    ----------
    ds, pores, order
        As for `points_in_pores`.
    pixel, size
        Of the image, metres.

    Returns
    -------
    xarray.DataArray
        Shape (y, x), int64, lazy, with the places of pixel centres (m) as coordinates.

    Notes
    -----
    Where an order is chosen, the image shows it even if pores have none: every pore is turned so
    that it fits best. Their mean spectrum tells whether they have it.
    """
    if not (pixel > 0 and size >= pixel) or size / pixel > _MOST_PIXELS:
        raise ValueError(f"give a pixel above 0, and a size of 1 to {_MOST_PIXELS} pixels")
    bins = max(round(size / pixel), 1)
    half = bins * pixel / 2
    aligned = points_in_pores(ds, pores, distance=half * math.sqrt(2), order=order)
    counts = plane_histogram(aligned.data[:, :2], ((-half, half), (-half, half)), (bins, bins))
    at = (np.arange(bins) + 0.5) * pixel - half
    about = {"units": "m", "long_name": "place relative to the centre"}
    told = {"pixel": pixel, "size": size, "order": order}
    history = record(ds.attrs, "average_pores", told, others={"pores": pores.attrs})
    attrs = {
        "units": "1",
        "long_name": "points in a pixel",
        "pores": int(accepted_pores(pores).sizes["pore"]),
        ATTRIBUTE: history[ATTRIBUTE],
    }
    coords = {"y": ("y", at, about), "x": ("x", at, about)}
    return xr.DataArray(counts.T, coords, ("y", "x"), "average_pore", attrs)
