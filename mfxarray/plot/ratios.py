"""Pictures of ratios: the value and its error, or value and counts in one image (HSI)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mfxarray.plot.figures import new_figure
from mfxarray.plot.panels import (
    Limits,
    extent_of,
    image_panel,
    label_axes,
    limits_of,
    panel_figure,
    plain_text,
    scale_bar,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["hsi", "ratio_images"]

Array = np.ndarray[Any, Any]

_UNITS = {"1": "", "permil": "‰", "percent": "%"}
_LEGEND_INCHES = 1.0


def ratio_images(
    result: xr.Dataset,
    *,
    error: bool = True,
    limits: Limits | None = None,
    percentiles: Limits = (1.0, 99.0),
    title: str = "",
) -> Figure:
    """Return a picture of a ratio, fraction, delta, turnover or formula, and of its error.

    Parameters
    ----------
    result
        What `mfxarray.mims.ratios` gave for images (y, x): the value first, and ``error``.
    error
        Draw the standard error too.
    limits
        Values of the first and the last colour.
    percentiles
        They are these percentiles where no limits are given. A delta, which is above or below its
        standard, has colours that are as far to both sides of 0.
    title
        Above both pictures.

    Raises
    ------
    ValueError
        If there are frames or nothing to draw, or limits make no sense.

    Notes
    -----
    Computes what is drawn, and no interval. Pixels without a value, too few counts, are grey.
    """
    from mfxarray.mims.pixel_grid import grid_of

    names = _names(result, error)
    shown = result[names].reset_coords(drop=True).transpose("y", "x").compute()
    grid = grid_of(shown)
    figure, places = panel_figure(grid, len(names), inches=3.4)
    for number, (place, name) in enumerate(zip(places, names, strict=True)):
        values = shown[name].values.astype(np.float64)
        two_sided = name == "delta"
        norm = _norm(values, limits if number == 0 else None, percentiles, two_sided)
        text = plain_text(shown[name].attrs.get("long_name", name), 60)
        unit = shown[name].attrs.get("units", "")
        cmap = "RdBu_r" if two_sided else "viridis" if number == 0 else "magma"
        label = _UNITS.get(str(unit), plain_text(unit, 20))
        image_panel(place, values, grid, norm=norm, cmap=cmap, unit=label, title=text)
    label_axes(places, grid)
    if any(np.isnan(shown[name].values).any() for name in names):
        figure.supxlabel("grey: too few counts to tell", fontsize=8, color="0.35")
    figure.suptitle(plain_text(title), fontsize=10)
    return figure


def hsi(picture: xr.Dataset, *, title: str = "") -> Figure:
    """Return a ratio image in colour with its legend: hue for the ratio, brightness for counts.

    Parameters
    ----------
    picture
        What `mfxarray.mims.hsi.hsi` gave.
    title
        Above the picture.

    Raises
    ------
    ValueError
        If it is something else.
    """
    from mfxarray.mims.pixel_grid import grid_of

    needed = ("rgb", "legend", "legend_ratio", "legend_intensity")
    if not set(needed) <= set(picture.data_vars):
        raise ValueError(f"an HSI picture has the variables {needed}, not {list(picture)}")
    shown = picture[list(needed)].compute()
    grid = grid_of(shown["rgb"].isel(channel=0))
    left, right, bottom, top = extent_of(grid)
    shape = min(max((bottom - top) / (right - left), 0.3), 3.0)
    width = 4.2 if shape <= 1 else 4.2 / shape
    figure = new_figure(width + 2.6, width * shape + 0.9)
    figure.set_layout_engine("compressed")
    parts = {"width_ratios": [width, _LEGEND_INCHES]}
    place, legend = figure.subplots(1, 2, gridspec_kw=parts)
    values = shown["rgb"].transpose("y", "x", "channel").values
    place.imshow(values, extent=extent_of(grid), interpolation="nearest")
    scale_bar(place, grid)
    label_axes([place], grid)
    _legend(legend, shown)
    # as high as the image
    legend.set_box_aspect(width * shape / _LEGEND_INCHES)
    place.set_title(plain_text(title), fontsize=10)
    return figure


def _legend(place: Axes, shown: xr.Dataset) -> None:
    ratios, counts = shown["legend_ratio"], shown["legend_intensity"]
    ends = [float(axis.values[at]) for axis in (counts, ratios) for at in (0, -1)]
    colours = shown["legend"].transpose("hue", "brightness", "channel").values
    # limits that are equal have no width to draw
    extent = (ends[0], max(ends[1], ends[0] + 1e-12), ends[2], max(ends[3], ends[2] + 1e-12))
    place.imshow(colours, origin="lower", extent=extent, aspect="auto", interpolation="nearest")
    place.yaxis.tick_right()
    place.yaxis.set_label_position("right")
    place.locator_params(axis="x", nbins=2)
    place.tick_params(labelsize=7)
    place.set_ylabel(plain_text(ratios.attrs.get("long_name", "ratio"), 60), fontsize=8)
    place.set_xlabel(plain_text(counts.attrs.get("long_name", "counts"), 40), fontsize=8)


def _names(result: xr.Dataset, error: bool) -> list[str]:
    images = [str(name) for name in result.data_vars if {"y", "x"} <= set(result[name].dims)]
    if not images:
        raise ValueError(f"there is no image (y, x) to draw in {list(result.data_vars)}")
    names = images[:1] + (["error"] if error and "error" in images[1:] else [])
    for name in names:
        if set(result[name].dims) != {"y", "x"}:
            raise ValueError(
                f"{name} has the dimensions {result[name].dims}; accumulate before the ratio, or "
                "select one frame"
            )
    return names


def _norm(values: Array, limits: Limits | None, percentiles: Limits, two_sided: bool) -> Any:
    from matplotlib.colors import Normalize

    if limits is not None:
        if not limits[0] < limits[1]:
            raise ValueError(f"limits go from low to high, not from {limits[0]} to {limits[1]}")
        return Normalize(*limits)
    low, high = limits_of(values, percentiles)
    if two_sided:
        reach = max(abs(low), abs(high))
        return Normalize(-reach, reach)
    return Normalize(low, high)
