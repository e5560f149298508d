"""A rendered image as a picture shows it: from above, and with no more pixels than can be seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mfxarray.plot.panels import plain_text

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["View", "depths_of", "space_of", "view_of"]

Array = np.ndarray[Any, Any]

# pixels of an image that a picture can show
_SHOWN_PIXELS = 1000


@dataclass(frozen=True)
class View:
    """What a picture shows.

    Attributes
    ----------
    amount
        Shape (channel, row, column).
    value
        Mean of what is coloured, shape (row, column), and its name and unit; None for none.
    joined
        Pixels of the image to a side of what is shown as one.
    """

    amount: Array
    value: Array | None
    value_name: str
    joined: int


def space_of(image: xr.DataArray) -> list[str]:
    """Return the dimensions that are axes of space, the slowest first."""
    known = [dim for dim in image.dims if dim in image.coords]
    return [str(dim) for dim in known if {"first_edge", "pixel"} <= set(image[dim].attrs)]


def depths_of(image: xr.DataArray) -> int:
    """Return how many axes lie along the line of sight: 1 for an image in space."""
    return len(space_of(image)) - 2


def view_of(image: xr.DataArray) -> View:
    """Return the image as seen along its depth, no larger than a picture can show."""
    amount = image.values.astype(np.float64)
    weighted, name = None, ""
    deep = depths_of(image)
    if "color" in image.coords:
        weighted = np.nan_to_num(image["color"].values) * amount
        name = _value_name(image["color"])
    elif deep and amount.ndim == 3:
        axis = str(image.dims[0])
        weighted = amount * image[axis].values[:, None, None]
        name = f"{axis} / m"
    if amount.ndim == 2 or (deep and amount.ndim == 3):
        amount, weighted = amount[None], None if weighted is None else weighted[None]
    if deep:
        amount = amount.sum(axis=1)
        weighted = None if weighted is None else weighted.sum(axis=1)
    joined = math.ceil(max(amount.shape[1:]) / _SHOWN_PIXELS)
    amount = _joined(amount, joined)
    # of channels only the amounts are shown
    if weighted is None or len(amount) > 1:
        return View(amount, None, "", joined)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(amount > 0, _joined(weighted, joined) / amount, np.nan)
    return View(amount, value[0], name, joined)


def _value_name(color: xr.DataArray) -> str:
    units = color.attrs.get("units", "1")
    name = plain_text(color.attrs.get("long_name", "color"), 40)
    return name if units in ("1", "") else f"{name} / {plain_text(units, 12)}"


def _joined(images: Array, side: int) -> Array:
    """Return images in which squares of pixels are summed; the last ones may be smaller."""
    if side == 1:
        return images
    rows, columns = (np.arange(0, n, side) for n in images.shape[1:])
    return np.add.reduceat(np.add.reduceat(images, rows, axis=1), columns, axis=2)
