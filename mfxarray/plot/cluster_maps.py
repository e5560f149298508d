"""Points coloured by the cluster that they belong to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mfxarray.display import number
from mfxarray.plot.figures import new_figure
from mfxarray.plot.panels import plain_text, round_length

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["cluster_map"]

Array = np.ndarray[Any, Any]

# of more points a part is drawn, which is told
_MOST_POINTS = 200_000
_NOISE = "0.75"
_GOLDEN = (math.sqrt(5) - 1) / 2


def cluster_map(
    ds: xr.Dataset,
    labels: str | xr.DataArray,
    *,
    axes: Sequence[str] = ("x", "y"),
    title: str = "",
) -> Figure:
    """Return a picture of points coloured by their cluster, and the part with the largest one.

    Parameters
    ----------
    ds
        Localizations, a table of traces, or a table of tracks.
    labels
        Clusters of its points, -1 for noise, which is grey: a variable, or an array.
    axes
        Two of "x", "y", "z": to the right and upwards.
    title
        Put before the number of clusters.

    Raises
    ------
    ValueError
        If the axes are unknown, or no point is left to draw.

    Notes
    -----
    Computes positions and labels. Of more than 200,000 points every so many is drawn.
    """
    place, cluster = _places(ds, labels, axes)
    if not len(place):
        raise ValueError("no point is left to draw: all are masked or have no position")
    step = -(-len(place) // _MOST_POINTS)
    names = np.unique(cluster[cluster >= 0])
    figure = new_figure(12.4, 6.6)
    whole, part = figure.subplots(1, 2)
    limits = _around(place)
    _scatter(whole, place[::step], cluster[::step], limits, axes)
    zoom = _largest(place, cluster, limits)
    inside = ((place >= zoom[:, 0]) & (place <= zoom[:, 1])).all(axis=1)
    near = np.flatnonzero(inside)[:: -(-np.count_nonzero(inside) // _MOST_POINTS) or 1]
    _scatter(part, place[near], cluster[near], zoom, axes)
    (left, right), (low, high) = zoom * _unit(limits)[0]
    corners = [left, right, right, left, left], [low, low, high, high, low]
    whole.plot(*corners, color="k", lw=0.9, zorder=3)
    told = f"{number(len(names))} clusters, {number(int((cluster < 0).sum()))} points in none"
    if step > 1:
        told += f", one point in {step} drawn"
    whole.set_title(f"{plain_text(title, 60)}: {told}" if title else told, fontsize=10)
    part.set_title("around the largest cluster (black frame)", fontsize=10)
    return figure


def _places(ds: xr.Dataset, labels: str | xr.DataArray, axes: Sequence[str]) -> tuple[Array, Array]:
    """Return positions, m, and clusters of the points that count."""
    from dask.base import compute

    from mfxarray.minflux.points import points_of

    names = ["x", "y", "z"]
    if len(axes) != 2 or any(name not in names for name in axes):
        raise ValueError(f"axes must be two of x, y, z, not {axes!r}")
    field = ds[labels] if isinstance(labels, str) else labels
    if "track" in ds.dims:
        ds = ds[["ltr"]].rename(ltr="centroid", track="trace")
        field = field.rename(track="trace")
    points = points_of(ds)
    used, place, cluster = compute(points.used, points.position, points.column(field))
    chosen = [names.index(name) for name in axes]
    return place[used][:, chosen], cluster[used]


def _around(place: Array) -> Array:
    low, high = place.min(axis=0), place.max(axis=0)
    pad = 0.02 * max(float((high - low).max()), 1e-9)
    return np.column_stack([low - pad, high + pad])


def _largest(place: Array, cluster: Array, limits: Array) -> Array:
    """Return a square around the cluster with the most points, shape (axis, 2)."""
    kept = cluster >= 0
    own = place
    if kept.any():
        found, counts = np.unique(cluster[kept], return_counts=True)
        own = place[cluster == found[np.argmax(counts)]]
    middle = (own.min(axis=0) + own.max(axis=0)) / 2
    most = float(np.ptp(limits, axis=1).max())
    half = min(max(1.5 * float(np.ptp(own, axis=0).max()), most / 50, 50e-9), most / 2)
    return np.column_stack([middle - half, middle + half])


def _scatter(
    place: Axes, points: Array, cluster: Array, limits: Array, axes: Sequence[str]
) -> None:
    width = float(np.ptp(limits[0]))
    scale, unit = _unit(limits)
    size = float(np.clip(30_000 / max(len(points), 1), 0.4, 14))
    noise = cluster < 0
    colours = _colours(cluster)
    colours[noise] = _NOISE
    # noise below clusters
    for own, order in ((noise, 1), (~noise, 2)):
        x, y = (points[own] * scale).T
        settings: dict[str, Any] = {"s": size, "linewidths": 0, "rasterized": True}
        place.scatter(x, y, c=colours[own], zorder=order, **settings)
    place.set(xlim=limits[0] * scale, ylim=limits[1] * scale, aspect="equal")
    place.set(xlabel=f"{axes[0]} / {unit}", ylabel=f"{axes[1]} / {unit}")
    length = round_length(width / 5)
    name = f"{length * 1e6:g} µm" if length >= 1e-6 else f"{length * 1e9:.3g} nm"
    right = limits[0][1] - 0.04 * width
    bottom = limits[1][0] + 0.04 * float(np.ptp(limits[1]))
    ends = [(right - length) * scale, right * scale]
    place.plot(ends, [bottom * scale] * 2, color="k", lw=3, solid_capstyle="butt", zorder=3)
    at = (float(np.mean(ends)), (bottom + 0.015 * float(np.ptp(limits[1]))) * scale)
    place.text(*at, name, ha="center", va="bottom", fontsize=9, zorder=3)


def _unit(limits: Array) -> tuple[float, str]:
    return (1e6, "µm") if np.ptp(limits[0]) > 1e-6 else (1e9, "nm")


def _colours(cluster: Array) -> Array:
    """Return colours that differ much between one number and the next."""
    from matplotlib.colors import hsv_to_rgb

    hue = (cluster * _GOLDEN) % 1.0
    value = 0.55 + 0.3 * ((cluster * 7) % 3) / 2
    return np.asarray(hsv_to_rgb(np.column_stack([hue, np.full(len(hue), 0.85), value])))
