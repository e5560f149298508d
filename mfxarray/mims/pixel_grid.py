"""The grid of an image: its shape, and where its pixels are in micrometres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

__all__ = ["UNITS", "PixelGrid", "grid_of"]

Array = np.ndarray[Any, Any]

UNITS = ("pixel", "um")


@dataclass(frozen=True)
class PixelGrid:
    """Rows and columns of an image.

    Attributes
    ----------
    shape
        Rows and columns.
    first
        Position of the first pixel's centre (y, x).
    step
        Distance of neighbours (y, x).
    in_um
        Whether both are micrometres; else pixels from the corner of the image.
    """

    shape: tuple[int, int]
    first: tuple[float, float] = (0.5, 0.5)
    step: tuple[float, float] = (1.0, 1.0)
    in_um: bool = False

    def positions(self) -> tuple[Array, Array]:
        """Return the positions of rows and columns."""
        rows, columns = (
            first + np.arange(size) * step
            for first, size, step in zip(self.first, self.shape, self.step, strict=True)
        )
        return rows, columns

    def to_pixels(self, places: Array, units: str) -> Array:
        """Return places (..., 2) in pixels from the corner of the image.

        Raises
        ------
        ValueError
            If the unit is unknown, or micrometres are asked of images without positions.
        """
        if units not in UNITS:
            raise ValueError(f"units must be one of {UNITS}, not {units!r}")
        if units == "pixel":
            return places
        if not self.in_um:
            raise ValueError("the images have no positions y and x, so give pixels")
        return np.asarray((places - np.array(self.first)) / np.array(self.step) + 0.5)

    def to_positions(self, places: Array) -> Array:
        """Return the positions of places (..., 2) in pixels from the corner of the image."""
        return np.asarray(np.array(self.first) + (places - 0.5) * np.array(self.step))


def grid_of(data: xr.DataArray | xr.Dataset) -> PixelGrid:
    """Return the grid of the images in ``data``.

    Raises
    ------
    ValueError
        If there are no images, or their pixels are not evenly spaced.
    """
    if not {"y", "x"} <= set(data.sizes):
        raise ValueError(f"images have the dimensions y and x, not only {tuple(data.sizes)}")
    shape = (int(data.sizes["y"]), int(data.sizes["x"]))
    if 0 in shape:
        raise ValueError(f"the images have no pixels: {shape}")
    if not {"y", "x"} <= set(data.coords):
        return PixelGrid(shape)
    steps = [_step(data[dim].values, dim) for dim in ("y", "x")]
    known = [step for step in steps if step is not None]
    if not known:
        return PixelGrid(shape)
    # a single row or column is as wide as the pixels are along the other side
    step = tuple(known[0] if found is None else found for found in steps)
    first = tuple(float(data[dim].values[0]) for dim in ("y", "x"))
    return PixelGrid(shape, (first[0], first[1]), (step[0], step[1]), True)


def _step(places: Array, dim: str) -> float | None:
    if len(places) < 2:
        return None
    steps = np.diff(places.astype(np.float64))
    step = float(places[-1] - places[0]) / (len(places) - 1)
    if step <= 0 or not np.allclose(steps, step, rtol=1e-6, atol=1e-9 * abs(step)):
        raise ValueError(f"the coordinate {dim} must rise in even steps")
    return step
