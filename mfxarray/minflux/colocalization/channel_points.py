"""Points of several channels: which channel each has, and the field that they lie in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.delayed import delayed

from mfxarray.chunked.pairs import Marked
from mfxarray.minflux.point_groups import places_in
from mfxarray.minflux.points import Points, points_of

__all__ = [
    "ChannelPoints",
    "Region",
    "about",
    "channel_points",
    "check_distance",
    "chosen",
    "source_of",
]

Array = np.ndarray[Any, Any]
Region = Sequence[tuple[float, float]]

_MOST_CHANNELS = 32


@dataclass(frozen=True)
class ChannelPoints:
    """Points with their channels.

    Attributes
    ----------
    dim
        Their dimension.
    marked
        The points that count, those outside the region and without a channel left out.
    ids
        What each channel is called, shape (channel,): numbers of the variable, or places in a list.
    counts
        Points of each channel, shape (channel,), int64.
    low, high
        Corners of the field, metres, shape (axis,).
    region_given
        Whether the field was given; else it is the box around the points, a little larger.
    """

    dim: str
    marked: Marked
    ids: Array
    counts: Array
    low: Array
    high: Array
    region_given: bool

    @property
    def axes(self) -> int:
        """Return the number of axes, 2 or 3."""
        return len(self.low)

    @property
    def channels(self) -> int:
        """Return the number of channels."""
        return len(self.ids)

    def told(self) -> dict[str, Any]:
        """Return what a reader must know about the field."""
        return {
            "dimensions": self.axes,
            "field_low": self.low.tolist(),
            "field_high": self.high.tolist(),
            "field": "given" if self.region_given else "box around the points",
        }


def channel_points(
    ds: xr.Dataset | Sequence[xr.Dataset],
    channels: str | None = None,
    *,
    values: Sequence[int] | None = None,
    region: Region | None = None,
    dimensions: int | None = None,
    least: int = 1,
) -> ChannelPoints:
    """Return the points of channels; one pass finds how many each has, and their extent.

    Parameters
    ----------
    ds
        Localizations or a table of traces; or several, a channel each.
    channels
        Name of integers along the points, below 0 for none. By default "channel" or else "wash".
    values
        The channels that count, in this order; by default all that occur, ascending.
    region
        Lowest and highest place along each axis, metres; points outside are left out.
    dimensions
        2 for x and y alone, 3. By default 2 if z is the same everywhere.
    least
        Channels that there must be.

    Raises
    ------
    ValueError
        If a parameter makes no sense or there are fewer channels.

    Notes
    -----
    The box around n points is smaller than the field that they were drawn from: each side is made
    longer by 2 / (n - 1) of its length, which on average is what is missing.
    """
    points, number = _joined(ds, channels)
    places = places_in(points, dimensions)
    used = points.used & (number >= 0)
    if region is not None:
        low, high = _corners(region, places.shape[1], dimensions)
        places = places[:, : len(low)]
        used = used & ((places >= low) & (places <= high)).all(axis=1)
    if values is not None:
        used = used & da.isin(number, np.asarray(values))
    extent, found, counts = _survey(used, places, number)
    if dimensions is None and region is None and places.shape[1] == 3 and _flat(extent):
        places, extent = places[:, :2], extent[:, :2]
    ids = found if values is None else np.asarray(values, np.int64)
    if len(np.unique(ids)) != len(ids):
        raise ValueError(f"values must differ from each other: {ids.tolist()}")
    counts = np.array([counts[found == one].sum() for one in ids], np.int64)
    _check_channels(ids, counts, least)
    if region is None:
        low, high = _widened(extent, int(counts.sum()))
    channel = _places_of(number, ids)
    marked = Marked(used, places, channel)
    return ChannelPoints(points.dim, marked, ids, counts, low, high, region is not None)


def check_distance(name: str, value: float) -> float:
    """Return a distance, metres.

    Raises
    ------
    ValueError
        If it is none.
    """
    if not (np.isfinite(value) and 1e-100 < value < 1e100):
        raise ValueError(f"{name} must be a distance above 0 in metres, not {value!r}")
    return float(value)


def about(units: str, meaning: str) -> dict[str, str]:
    """Return the attributes of a variable."""
    return {"units": units, "long_name": meaning}


def chosen(
    channels: str | None,
    values: Sequence[int] | None,
    region: Region | None,
    dimensions: int | None,
) -> dict[str, Any]:
    """Return what `channel_points` was asked for, for the record."""
    return {
        "channels": channels,
        "values": None if values is None else [int(one) for one in values],
        "region": None if region is None else [[float(end) for end in one] for one in region],
        "dimensions": dimensions,
    }


def source_of(ds: xr.Dataset | Sequence[xr.Dataset]) -> tuple[dict[Any, Any], dict[str, Any]]:
    """Return the attributes to go on with, and those of further inputs."""
    if isinstance(ds, xr.Dataset):
        return dict(ds.attrs), {}
    first, *others = (one.attrs for one in ds)
    return dict(first), {f"channel {place}": attrs for place, attrs in enumerate(others, 1)}


def _joined(ds: xr.Dataset | Sequence[xr.Dataset], channels: str | None) -> tuple[Points, da.Array]:
    """Return points and the number of the channel of each."""
    if isinstance(ds, xr.Dataset):
        name = channels or next((one for one in ("channel", "wash") if one in ds.variables), None)
        if name is None or name not in ds.variables:
            known = "channel or wash" if name is None else repr(name)
            raise ValueError(
                f"there is no {known}; name integers along the points with channels=, or give a "
                "list of Datasets"
            )
        points = points_of(ds)
        number = points.column(ds[name])
        if number.dtype.kind not in "iub":
            raise ValueError(f"channels={name!r} must be integers, not {number.dtype}")
        return points, number.astype(np.int64)
    if channels is not None:
        raise ValueError("each Dataset of a list is a channel; leave out channels=")
    each = [points_of(one) for one in ds]
    if not each:
        raise ValueError("give at least one Dataset")
    numbers = [da.full_like(one.used, place, dtype=np.int64) for place, one in enumerate(each)]
    dims = {one.dim for one in each}
    joined = Points(
        dims.pop() if len(dims) == 1 else "point",
        da.concatenate([one.used for one in each]),
        da.concatenate([one.position for one in each]),
    )
    return joined, da.concatenate(numbers)


def _corners(region: Region, axes: int, dimensions: int | None) -> tuple[Array, Array]:
    """Return the corners of a region; one of two axes stands for two dimensions."""
    try:
        box = np.asarray(region, float)
    except (TypeError, ValueError):
        box = np.empty(0)
    wanted = {2, 3} if dimensions is None else {dimensions}
    if box.ndim != 2 or box.shape[1] != 2 or len(box) not in wanted or len(box) > axes:
        raise ValueError(f"region is (low, high) in metres for each axis, not {region!r}")
    if not (np.isfinite(box).all() and (box[:, 1] > box[:, 0]).all()):
        raise ValueError(f"region must be finite with low below high, not {region!r}")
    return box[:, 0], box[:, 1]


def _flat(extent: Array) -> bool:
    return bool(extent[1, 2] <= extent[0, 2])


def _survey(used: da.Array, places: da.Array, number: da.Array) -> tuple[Array, Array, Array]:
    """Return extent (2, axis), channels that occur, and how many points each has."""
    look = delayed(_look, pure=True)
    rows = len(used.chunks[0])
    blocks = [
        array.to_delayed().reshape(rows)
        for array in (used, places.rechunk({0: used.chunks[0], 1: -1}), number)
    ]
    parts = [look(*block) for block in zip(*blocks, strict=True)]
    found: tuple[Array, Array, Array] = reduce(delayed(_together), parts).compute()
    return found


def _look(used: Array, places: Array, number: Array) -> tuple[Array, Array, Array]:
    known = places[used]
    low = [column.min(initial=np.inf) for column in known.T]
    high = [column.max(initial=-np.inf) for column in known.T]
    return np.array([low, high]), *np.unique(number[used], return_counts=True)


def _together(
    one: tuple[Array, Array, Array], two: tuple[Array, Array, Array]
) -> tuple[Array, Array, Array]:
    low = np.minimum(one[0][0], two[0][0])
    high = np.maximum(one[0][1], two[0][1])
    ids, places = np.unique(np.concatenate([one[1], two[1]]), return_inverse=True)
    counts = np.zeros(len(ids), np.int64)
    np.add.at(counts, places.ravel(), np.concatenate([one[2], two[2]]))
    return np.array([low, high]), ids, counts


def _check_channels(ids: Array, counts: Array, least: int) -> None:
    if len(ids) > _MOST_CHANNELS:
        raise ValueError(
            f"{len(ids)} channels are more than {_MOST_CHANNELS}; choose some with values="
        )
    if np.count_nonzero(counts) < least:
        raise ValueError(
            f"{np.count_nonzero(counts)} channels have points, and {least} are needed; "
            "another variable may be named with channels="
        )


def _widened(extent: Array, points: int) -> tuple[Array, Array]:
    low, high = extent
    more = (high - low) / max(points - 1, 1)
    return low - more, high + more


def _places_of(number: da.Array, ids: Array) -> da.Array:
    order = np.argsort(ids)
    return da.map_blocks(_place, number, ids[order], order, dtype=np.uint8, meta=np.empty(0, "u1"))


def _place(number: Array, ids: Array, order: Array) -> Array:
    where = np.minimum(np.searchsorted(ids, number), len(ids) - 1)
    return order[where].astype(np.uint8)
