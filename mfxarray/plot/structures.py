"""Pictures of pores: where they are, how large, of which order, and their average."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mfxarray.display import number
from mfxarray.plot.figures import new_figure
from mfxarray.plot.panels import plain_text, round_length

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["filament_profiles", "pore_average", "pore_map", "pore_statistics"]

Array = np.ndarray[Any, Any]

_MOST_POINTS = 200_000
# on a map numbers hide circles
_MOST_NAMES = 25
_ACCEPTED, _REJECTED = "tab:blue", "tab:red"
_POINT = "0.35"


def pore_map(ds: xr.Dataset, pores: xr.Dataset, *, title: str = "") -> Figure:
    """Return a map of points in x and y with the circles of pores, and the best of them near by.

    Parameters
    ----------
    ds
        The points: a table of traces, or localizations.
    pores
        Result of `mfxarray.minflux.structures.pores.find_pores`. Accepted circles are blue, with
        their order where there is room for it; rejected ones are red and dashed.
    title
        Put before the numbers.

    Notes
    -----
    Computes positions. Of more than 200,000 points every so many is drawn. Rejected circles more
    than twice as large as the largest accepted one are left out.
    """
    place = _places(ds)
    accepted = pores["accepted"].values
    figure = new_figure(12.4, 6.7)
    whole, part = figure.subplots(1, 2)
    step = max(-(-len(place) // _MOST_POINTS), 1)
    most = float(np.clip(10_000 / max(len(place) / step, 1), 0.5, 8))
    for axes, size in ((whole, most / 3), (part, most)):
        axes.scatter(*(place[::step] * 1e6).T, s=size, c=_POINT, linewidths=0, rasterized=True)
        axes.set(aspect="equal", xlabel="x / µm", ylabel="y / µm")
    limits = _limits(place)
    zoom = _zoom(pores, limits)
    _circles(whole, pores, limits, names=accepted.sum() <= _MOST_NAMES)
    _circles(part, pores, zoom, names=True)
    for axes, own in ((whole, limits), (part, zoom)):
        axes.set(xlim=own[0] * 1e6, ylim=own[1] * 1e6)
        _scale_bar(axes, own)
    (left, right), (low, high) = zoom * 1e6
    whole.plot([left, right, right, left, left], [low, low, high, high, low], "k", lw=0.9)
    told = f"{number(int(accepted.sum()))} pores, {number(int((~accepted).sum()))} rejected"
    if step > 1:
        told += f", one point in {step} drawn"
    whole.set_title(f"{plain_text(title, 60)}: {told}" if title else told, fontsize=10)
    part.set_title("where most pores are (black frame), with their order", fontsize=10)
    return figure


def _places(ds: xr.Dataset) -> Array:
    from dask.base import compute

    from mfxarray.minflux.points import points_of

    points = points_of(ds)
    used, position = compute(points.used, points.position)
    if not used.any():
        raise ValueError("no point is left to draw: all are masked or have no position")
    return np.asarray(position[used][:, :2])


def _limits(place: Array) -> Array:
    low, high = place.min(axis=0), place.max(axis=0)
    pad = 0.03 * max(float((high - low).max()), 1e-8)
    return np.column_stack([low - pad, high + pad])


def _zoom(pores: xr.Dataset, limits: Array) -> Array:
    """Return a square with most accepted pores, a quarter as wide as the map."""
    from scipy.spatial import cKDTree

    width = float(np.ptp(limits, axis=1).max())
    half = min(max(width / 8, 250e-9), width / 2)
    centres = pores["centre"].values[pores["accepted"].values][:, :2]
    middle = limits.mean(axis=1)
    if len(centres):
        tree = cKDTree(centres)
        near = tree.query_ball_point(centres, 0.8 * half, p=np.inf)
        middle = centres[max(near, key=len)].mean(axis=0)
    return np.column_stack([middle - half, middle + half])


def _circles(axes: Axes, pores: xr.Dataset, limits: Array, *, names: bool) -> None:
    from matplotlib.patches import Circle

    centre, diameter = pores["centre"].values[:, :2], pores["diameter"].values
    accepted, order = pores["accepted"].values, pores["order"].values
    most = 2 * diameter[accepted].max(initial=0.0) if accepted.any() else np.inf
    inside = ((centre > limits[:, 0]) & (centre < limits[:, 1])).all(axis=1) & (diameter <= most)
    for row in np.flatnonzero(inside):
        colour = _ACCEPTED if accepted[row] else _REJECTED
        style = "-" if accepted[row] else "--"
        x, y = centre[row] * 1e6
        settings: dict[str, Any] = {"fill": False, "ec": colour, "ls": style, "lw": 0.9}
        axes.add_patch(Circle((x, y), diameter[row] / 2 * 1e6, **settings))
        if names and accepted[row] and order[row]:
            at: dict[str, Any] = {"ha": "center", "va": "center", "clip_on": True}
            axes.text(x, y, str(order[row]), color=colour, fontsize=8, **at)


def _scale_bar(axes: Axes, limits: Array) -> None:
    width, height = np.ptp(limits, axis=1)
    length = round_length(float(width) / 5)
    name = f"{length * 1e6:g} µm" if length >= 1e-6 else f"{length * 1e9:.3g} nm"
    right, bottom = limits[0, 1] - 0.04 * width, limits[1, 0] + 0.03 * height
    ends = [(right - length) * 1e6, right * 1e6]
    axes.plot(ends, [bottom * 1e6] * 2, color="k", lw=3, solid_capstyle="butt")
    at = (float(np.mean(ends)), (bottom + 0.015 * height) * 1e6)
    axes.text(*at, name, ha="center", va="bottom", fontsize=9)


def pore_statistics(pores: xr.Dataset, *, title: str = "") -> Figure:
    """Return histograms of the diameters and orders of accepted pores, and their mean spectrum.

    Parameters
    ----------
    pores
        Result of `mfxarray.minflux.structures.pores.find_pores`.
    title
        Above all.

    Raises
    ------
    ValueError
        If no pore was accepted.
    """
    from mfxarray.minflux.structures.pores import accepted_pores

    table = accepted_pores(pores)
    if not table.sizes["pore"]:
        raise ValueError("no pore was accepted; see the variables gate_... for what rejected them")
    figure = new_figure(12.4, 3.9)
    sizes, orders, spectrum = figure.subplots(1, 3)
    _diameters(sizes, table)
    _orders(orders, table)
    _spectrum(spectrum, table)
    if title:
        figure.suptitle(plain_text(title, 100), fontsize=11)
    return figure


def _diameters(axes: Axes, table: xr.Dataset) -> None:
    diameter = table["diameter"].values * 1e9
    low, high = np.floor(diameter.min()), np.ceil(diameter.max())
    bins = int(np.clip(2 * np.sqrt(len(diameter)), 5, 60))
    edges = np.linspace(low, max(high, low + 1), bins + 1).tolist()
    axes.hist(diameter, edges, color=_ACCEPTED)
    middle = float(np.median(diameter))
    axes.axvline(middle, color="k", ls="--", lw=1)
    axes.set(xlabel="diameter / nm", ylabel="pores")
    error = table["diameter_error"].values * 1e9
    told = f"median {middle:.1f} nm"
    if np.isfinite(error).any():
        told += f", usual error {np.nanmedian(error):.2g} nm"
    axes.set_title(told, fontsize=10)


def _orders(axes: Axes, table: xr.Dataset) -> None:
    tried, order = table["tried"].values, table["order"].values
    counts = [int((order == one).sum()) for one in tried]
    axes.bar(tried, counts, color=_ACCEPTED)
    axes.set_xticks(tried)
    axes.set(xlabel="order with the highest score", ylabel="pores")
    none = int((order == 0).sum())
    told = f"{number(len(order))} pores"
    axes.set_title(told + (f", {none} without order" if none else ""), fontsize=10)


def _spectrum(axes: Axes, table: xr.Dataset) -> None:
    tried, spectrum = table["tried"].values, table["spectrum"].values
    known = spectrum[np.isfinite(spectrum).all(axis=1)]
    mean = known.mean(axis=0)
    error = known.std(axis=0) / np.sqrt(max(len(known), 1))
    axes.errorbar(tried, mean, error, fmt="o-", color=_ACCEPTED, capsize=3, lw=1, ms=4)
    axes.axhline(1, color="0.5", ls=":", lw=1)
    axes.text(tried[0], 1, "independent angles", color="0.4", fontsize=8, va="bottom")
    axes.set_xticks(tried)
    axes.set_ylim(0, None)
    axes.set(xlabel="order n", ylabel="mean of |Σ exp(i n φ)|² / N")
    axes.set_title("angular spectrum, mean of all pores", fontsize=10)


def pore_average(image: xr.DataArray, *, title: str = "") -> Figure:
    """Return the average pore, and how its points lie along the radius.

    Parameters
    ----------
    image
        Result of `mfxarray.minflux.structures.pore_average.average_pores`.
    title
        Put before the number of pores.
    """
    counts = np.asarray(image.values)
    x, y = image["x"].values * 1e9, image["y"].values * 1e9
    step = float(x[1] - x[0]) if len(x) > 1 else 1.0
    extent = (x[0] - step / 2, x[-1] + step / 2, y[0] - step / 2, y[-1] + step / 2)
    figure = new_figure(10.2, 4.6)
    left, right = figure.subplots(1, 2)
    shown = left.imshow(counts, origin="lower", extent=extent, cmap="inferno", vmin=0)
    figure.colorbar(shown, ax=left, label=f"points in a pixel of {step:.2g} nm", shrink=0.9)
    left.set(xlabel="x / nm", ylabel="y / nm")
    told = f"{number(int(image.attrs['pores']))} pores, {number(int(counts.sum()))} points"
    left.set_title(f"{plain_text(title, 60)}: {told}" if title else told, fontsize=10)
    radius = np.hypot(*np.meshgrid(x, y)).ravel()
    bins = np.arange(0, x[-1] + step, 2 * step)
    points, _ = np.histogram(radius, bins, weights=counts.ravel())
    area, _ = np.histogram(radius, bins)
    density = points / np.maximum(area, 1) / step**2
    right.step((bins[1:] + bins[:-1]) / 2, density, where="mid", color=_ACCEPTED)
    right.set(xlabel="distance from the centre / nm", ylabel="points / nm²", ylim=(0, None))
    right.set_title("along the radius", fontsize=10)
    return figure


def filament_profiles(table: xr.Dataset, *, most: int = 6, title: str = "") -> Figure:
    """Return the profiles across the filaments with most points.

    Parameters
    ----------
    table
        Result of `mfxarray.minflux.structures.filaments.filament_widths`.
    most
        How many filaments are drawn.
    title
        Above all.
    """
    widest = table.isel(cluster=np.argsort(-table["n"].values, kind="stable")[: max(most, 1)])
    figure = new_figure(6.4, 4.4)
    axes = figure.subplots()
    offset = table["offset"].values * 1e9
    for row in range(widest.sizes["cluster"]):
        one = widest.isel(cluster=row)
        profile = one["profile"].values / max(int(one["profile"].max()), 1)
        width, error = float(one["fwhm"]) * 1e9, float(one["fwhm_error"]) * 1e9
        name = f"{int(one['label'])}: {width:.1f} ± {error:.1f} nm, n = {number(int(one['n']))}"
        axes.step(offset, profile, where="mid", lw=1, label=name)
    axes.set(xlabel="distance across / nm", ylabel="points / highest bin", ylim=(0, 1.05))
    axes.legend(fontsize=8, title="full width at half maximum", title_fontsize=8)
    axes.set_title(plain_text(title, 80) if title else "profiles across filaments", fontsize=10)
    return figure
