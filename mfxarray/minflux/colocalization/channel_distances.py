"""How far the nearest point of each channel is."""

from __future__ import annotations

from collections.abc import Sequence

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.nearest import IS_SEARCHED, SEARCHES, nearest
from mfxarray.chunked.pairs import Marked
from mfxarray.minflux.colocalization.channel_points import (
    Region,
    about,
    channel_points,
    chosen,
    source_of,
)
from mfxarray.provenance import record

__all__ = ["channel_distances"]


def channel_distances(
    ds: xr.Dataset | Sequence[xr.Dataset],
    channels: str | None = None,
    *,
    values: Sequence[int] | None = None,
    region: Region | None = None,
    dimensions: int | None = None,
) -> xr.Dataset:
    """Return how far the nearest other point of each channel is from every point.

    Parameters
    ----------
    ds, channels, values, region, dimensions
        As for `mfxarray.minflux.colocalization.colocalize.colocalize`.

    Returns
    -------
    xarray.Dataset
        Lazy: ``distance`` (m) and ``neighbour`` (its place along the points, -1 for none), along
        the points and ``other``, the channel of the nearest; NaN where there is none and for points
        that do not count. ``channel`` along the points: its place among the channels, -1 for
        points that do not count; the numbers of the channels are in ``other``.

    Notes
    -----
    Exact for every distance and chunking, see
    `mfxarray.minflux.clusters.density.nearest_neighbour`. Of a list of Datasets the points follow
    each other.
    """
    found = channel_points(ds, channels, values=values, region=region, dimensions=dimensions)
    marked = found.marked
    both = [_nearest_of(marked, place) for place in range(found.channels)]
    distance = da.stack([one[:, 0] for one in both], axis=1)
    neighbour = da.stack([one[:, 1] for one in both], axis=1).astype(np.int64)
    channel = da.where(marked.used, marked.channel.astype(np.int64), -1)
    told = chosen(channels, values, region, dimensions)
    attrs, others = source_of(ds)
    attrs = record(attrs, "channel_distances", told, others=others or None)
    dims = (found.dim, "other")
    return xr.Dataset(
        {
            "distance": (dims, distance, about("m", "distance to the nearest other point")),
            "neighbour": (dims, neighbour, about("1", "place of the nearest point, -1 for none")),
        },
        {
            "channel": (found.dim, channel, about("1", "place of the channel, -1 for none")),
            "other": ("other", found.ids, about("1", "channel of the neighbour")),
        },
        attrs,
    )


def _nearest_of(marked: Marked, place: int) -> da.Array:
    searched = (marked.channel == place).astype(np.uint8) * np.uint8(IS_SEARCHED)
    return nearest(marked.used, marked.position, [], searched + np.uint8(SEARCHES))
