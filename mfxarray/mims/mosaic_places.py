"""Where fields lie on the sample, from the position of the stage and the coordinates of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from mfxarray.mims.pixel_grid import PixelGrid, grid_of

__all__ = ["common_step", "field_grid", "stage_origins", "whole_places"]

Array = np.ndarray[Any, Any]

_SAME_STEP = 1e-3  # relative; a field of 512 pixels is then right to half a pixel


def field_grid(one: xr.DataArray, pixel_size: float | None, number: int) -> PixelGrid:
    """Return the pixels of a field; where it does not know their size, from ``pixel_size``."""
    places = [one[dim].values for dim in ("y", "x") if dim in one.coords]
    known = len(places) == 2 and all(np.isfinite(part).all() for part in places)
    if known:
        return grid_of(one)
    if pixel_size is None or not pixel_size > 0:
        raise ValueError(f"the pixel size of field {number} is not known; give pixel_size in µm")
    shape = (one.sizes["y"], one.sizes["x"])
    return PixelGrid(shape, (pixel_size / 2, pixel_size / 2), (pixel_size, pixel_size), True)


def common_step(grids: Sequence[PixelGrid]) -> Array:
    """Return the pixel size (y, x) of all fields, µm; ValueError where they differ."""
    steps = np.array([grid.step for grid in grids])
    if not all(grid.in_um for grid in grids):
        raise ValueError("the pixel size of a field is not known; give pixel_size in µm")
    far = np.abs(steps / steps[0] - 1).max(axis=1) > _SAME_STEP
    if far.any():
        number = int(np.argmax(far))
        raise ValueError(
            f"field {number} has pixels of {steps[number].tolist()} µm, the first of "
            f"{steps[0].tolist()} µm; a mosaic needs one pixel size"
        )
    return np.asarray(steps[0])


def stage_origins(
    counts: Sequence[xr.DataArray], grids: Sequence[PixelGrid], positions: Any
) -> Array:
    """Return the stage positions (y, x) of the fields' first pixels, µm, shape (field, 2)."""
    centres = _centres(counts) if positions is None else np.asarray(positions, float)
    if centres.shape != (len(counts), 2) or not np.isfinite(centres).all():
        raise ValueError(f"positions must be {len(counts)} pairs (y, x) in µm")
    middles = [_raster_middle(one, grid) for one, grid in zip(counts, grids, strict=True)]
    return centres - np.array(middles) + np.array([grid.first for grid in grids])


def _centres(counts: Sequence[xr.DataArray]) -> Array:
    found = []
    for number, one in enumerate(counts):
        stage = one.attrs.get("stage_position_um")
        if stage is None or len(stage) < 2:
            raise ValueError(f"field {number} has no stage_position_um; give positions")
        # the stage's x is the vertical axis
        found.append([float(stage[0]), float(stage[1])])
    return np.array(found)


def _raster_middle(one: xr.DataArray, grid: PixelGrid) -> tuple[float, float]:
    """Return where the centre of the raster lies among the positions of the pixels."""
    raster, scanned = one.attrs.get("raster_um"), one.attrs.get("scanned_frame")
    if raster is not None and scanned:
        step = raster / scanned["columns"][2]
        rows, columns = (scanned[axis] for axis in ("rows", "columns"))
        return tuple((axis[2] / 2 - (axis[0] - 1)) * step for axis in (rows, columns))  # type: ignore[return-value]
    # padding adds the same on both sides
    return tuple(  # type: ignore[return-value]
        first + (size - 1) / 2 * step
        for first, size, step in zip(grid.first, grid.shape, grid.step, strict=True)
    )


def whole_places(origins: Array, step: Array) -> tuple[Array, Array]:
    """Return first row and column of every field on the canvas, and what rounding left, in µm."""
    exact = (origins - origins[0]) / step
    if np.abs(exact).max() > 2**40:
        raise ValueError("the fields lie too far apart; check their positions")
    whole = np.rint(exact)
    return (whole - whole.min(axis=0)).astype(np.int64), (exact - whole) * step
