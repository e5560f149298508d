"""Regions drawn over an ion image: their outlines along the pixels, and their names."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from mfxarray.plot.images import detector_title, summed_images
from mfxarray.plot.panels import (
    Limits,
    image_panel,
    label_axes,
    limits_of,
    panel_figure,
    plain_text,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mfxarray.mims.accumulate import Frames
    from mfxarray.mims.pixel_grid import PixelGrid

__all__ = ["regions"]

Array = np.ndarray[Any, Any]

# bright on a grey image, and told apart by people who see no red or green (Okabe and Ito 2008)
_COLOURS = ("#56B4E9", "#E69F00", "#F0E442", "#CC79A7", "#009E73", "#D55E00")


def regions(
    data: xr.DataArray | xr.Dataset,
    outlined: xr.DataArray,
    detector: str,
    *,
    frames: Frames = None,
    names: bool = True,
    percentiles: Limits = (0.0, 99.9),
    title: str = "",
) -> Figure:
    """Return the image of a detector with the outlines of regions and their names.

    Parameters
    ----------
    data
        Ion counts (frame, detector, y, x), or sums of them; raw or corrected.
    outlined
        Labels (y, x) or masks (region, y, x), see `mfxarray.mims.regions`.
    detector
        Name of the detector.
    frames
        Frames to sum, as for `mfxarray.mims.accumulate.accumulate`.
    names
        Write the name of every region at its middle.
    percentiles
        Of the image, shown as black and as white.
    title
        Above the picture.

    Raises
    ------
    ValueError
        If the regions do not fit to the images, or the detector is unknown.
    """
    from matplotlib.colors import Normalize

    from mfxarray.mims.pixel_grid import grid_of
    from mfxarray.mims.region_forms import members_of, region_names

    image, what = summed_images(data, detector, frames)
    images = image.compute()
    grid = grid_of(images)
    members = members_of(outlined, grid.shape)
    groups = [members.pixels[first:last] for first, last in pairwise(members.starts)]
    figure, (place,) = panel_figure(grid, 1, inches=5.5)
    values = images.values[0]
    norm = Normalize(*limits_of(values, percentiles))
    name = f"{detector_title(images, 0)}, {what}"
    image_panel(place, values, grid, norm=norm, cmap="gray", unit="counts", title=name)
    _outlines(place, groups, grid)
    if names:
        _names(place, groups, grid, region_names(outlined))
    label_axes([place], grid)
    figure.suptitle(plain_text(title), fontsize=10)
    return figure


def _outlines(place: Axes, groups: list[Array], grid: PixelGrid) -> None:
    from matplotlib.collections import LineCollection

    for number, pixels in enumerate(groups):
        if not len(pixels):
            continue
        sides = _sides(pixels, grid.shape[1])
        lines = grid.to_positions(sides)[..., ::-1]
        colour = _COLOURS[number % len(_COLOURS)]
        place.add_collection(
            LineCollection(list(lines), colors=colour, linewidths=1.3, capstyle="round"),
            autolim=False,
        )


def _sides(pixels: Array, width: int) -> Array:
    """Return the sides of pixels that no other pixel of the region shares, (side, 2, 2)."""
    rows, columns = pixels // width, pixels % width
    top, left = rows.min() - 1, columns.min() - 1
    mask = np.zeros((rows.max() - top + 2, columns.max() - left + 2), bool)
    mask[rows - top, columns - left] = True
    found = []
    # between rows a side runs to the right, between columns downwards
    for axis, runs in ((0, (0.0, 1.0)), (1, (1.0, 0.0))):
        edge = np.diff(mask, axis=axis)
        y, x = (index.astype(np.float64) for index in np.nonzero(edge))
        first = np.stack([y + (axis == 0), x + (axis == 1)], axis=-1)
        found.append(np.stack([first, first + np.array(runs)], axis=1))
    return np.asarray(np.concatenate(found) + np.array([top, left]))


def _names(place: Axes, groups: list[Array], grid: PixelGrid, names: list[str]) -> None:
    from matplotlib.patheffects import withStroke

    width = grid.shape[1]
    rim = [withStroke(linewidth=2.0, foreground="k", alpha=0.7)]
    # many names must be small to be read at all
    size = 8 if len(names) <= 40 else 5
    for pixels, name in zip(groups, names, strict=True):
        if not len(pixels):
            continue
        middle = np.array([np.mean(pixels // width), np.mean(pixels % width)]) + 0.5
        y, x = grid.to_positions(middle)
        text = place.text(x, y, plain_text(name, 16), color="w", ha="center", va="center")
        text.set(fontsize=size, path_effects=rim)
