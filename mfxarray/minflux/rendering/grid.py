"""Pixels of an image in metres: around all that is drawn, or within limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from mfxarray.kernels.rendering.grids import Grid

__all__ = ["axis_coords", "backwards", "grid_around", "grid_within", "pixel_edges"]

Array = np.ndarray[Any, Any]


def pixel_edges(image: xr.DataArray, dim: str) -> Array:
    """Return the edges of the pixels along an axis of a rendered image, metres.

    Parameters
    ----------
    image
        Result of `mfxarray.minflux.rendering.render.render`, or a part of it without gaps.
    dim
        "x", "y" or "z".

    Returns
    -------
    numpy.ndarray
        One more than there are pixels; those with which points were compared, to the bit.

    Raises
    ------
    ValueError
        If the image was not rendered, or pixels were left out.
    """
    if dim not in image.coords or not {"first_edge", "pixel"} <= set(image[dim].attrs):
        raise ValueError(f"{dim!r} is no axis of a rendered image")
    first, size = (float(image[dim].attrs[key]) for key in ("first_edge", "pixel"))
    number = np.rint((image[dim].values - first) / size - 0.5)
    if not number.size or not np.array_equal(number, number[0] + np.arange(number.size)):
        raise ValueError(f"pixels along {dim!r} do not follow each other")
    return np.asarray(first + (number[0] + np.arange(number.size + 1)) * size)


def backwards(given: Any, n: int, name: str) -> tuple[Any, ...]:
    """Return one entry for each axis of an image, the slowest first.

    Parameters
    ----------
    given
        One for all, or a list or tuple of one for each axis, x first.
    n
        Number of axes.
    name
        Of the parameter.
    """
    if not isinstance(given, list | tuple | np.ndarray):
        return (given,) * n
    if len(given) != n:
        raise ValueError(f"{name} must be one, or one for each of {n} axes, not {given!r}")
    return tuple(given)[::-1]


def grid_within(limits: Sequence[tuple[float, float]], size: Sequence[float]) -> Grid:
    """Return the pixels that begin between limits, given as (low, high) for each axis, x first.

    Raises
    ------
    ValueError
        If a limit or a size makes no sense.
    """
    ends = backwards(list(limits), len(size), "limits")
    for low, high in ends:
        if not (np.isfinite([low, high]).all() and low < high):
            raise ValueError(f"limits must be (low, high) with low < high, not {(low, high)}")
    sizes = _checked(size)
    # a last pixel must not begin where the limits end but for rounding
    shape = [
        max(math.ceil((high - low) / s - 1e-9), 1)
        for (low, high), s in zip(ends, sizes, strict=True)
    ]
    return Grid(tuple(float(low) for low, _ in ends), sizes, tuple(shape))


def grid_around(extent: Array, size: Sequence[float]) -> Grid:
    """Return the pixels, on whole multiples of their size, that hold all that is drawn.

    Parameters
    ----------
    extent
        Lowest and highest place along each axis of the image, shape (2, axis).
    size
        Of a pixel along each axis.

    Raises
    ------
    ValueError
        If there is nothing to draw, or a size makes no sense.
    """
    sizes = _checked(size)
    if not np.isfinite(extent).all():
        raise ValueError("nothing is left to draw: all is masked or not known; or give limits")
    first, shape = [], []
    for low, high, s in zip(*extent.tolist(), sizes, strict=True):
        start = math.floor(low / s)
        # the product may be rounded above the lowest place
        start -= start * s > low
        n = max(math.floor((high - start * s) / s) + 1, 1)
        first.append(start * s)
        shape.append(n + (start * s + n * s < high))
    return Grid(tuple(first), sizes, tuple(shape))


def axis_coords(names: Sequence[str], grid: Grid) -> dict[str, Any]:
    """Return the coordinates of the axes of an image: the centres of the pixels."""
    return {
        name: (
            name,
            grid.centres(axis),
            {
                "units": "m",
                "long_name": f"{name} of the centre of the pixel",
                "first_edge": grid.first[axis],
                "pixel": grid.size[axis],
            },
        )
        for axis, name in enumerate(names)
    }


def _checked(size: Sequence[float]) -> tuple[float, ...]:
    for one in size:
        if not (isinstance(one, int | float | np.number) and 0 < one < np.inf):
            raise ValueError(f"a pixel must be larger than 0 metres, not {one!r}")
    return tuple(float(one) for one in size)
