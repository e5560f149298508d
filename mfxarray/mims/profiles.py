"""Profiles: counts of regions along frames, which is along depth, and along a line."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from mfxarray.kernels.outlines import band_areas
from mfxarray.kernels.region_sums import Members
from mfxarray.mims.counted import split
from mfxarray.mims.pixel_grid import PixelGrid, grid_of
from mfxarray.mims.region_counts import (
    Counted,
    Ratios,
    blocks_of,
    described,
    laid_on,
    places_of,
    summed,
)
from mfxarray.mims.region_tables import plain_table
from mfxarray.provenance import record

__all__ = ["depth_profile", "line_profile", "profile_table"]

Array = np.ndarray[Any, Any]

_WEIGHTINGS = ("area", "nearest")
_BINS_CAP = 1_000_000


def depth_profile(
    data: Counted,
    regions: xr.DataArray | xr.Dataset | None = None,
    *,
    blocks: int | None = None,
    ratios: Ratios | None = None,
    confidence: float | None = 0.95,
    covered: bool | None = None,
) -> xr.Dataset:
    """Return counts and ratios of regions for every frame, or block of frames.

    Parameters
    ----------
    data
        Ion counts with the dimensions frame, y and x; raw or corrected.
    regions
        Labels or masks; the whole image if not given.
    blocks
        Frames to sum; the last block takes what is left. Sums first, then ratios.
    ratios, confidence, covered
        As for `mfxarray.mims.region_tables.region_table`.

    Returns
    -------
    xarray.Dataset
        As from `region_table`, along ``frame``, with ``n_frames`` for blocks; without the
        dimension ``region`` for the whole image.

    Raises
    ------
    ValueError
        If there are no frames, or a parameter makes no sense.

    Notes
    -----
    Lazy; one pass. In an aligned stack only pixels that all frames cover are taken, so that drift
    does not look like depth.
    """
    table = profile_table(data, regions, blocks, covered)
    found = described(table, ratios, confidence)
    return found if regions is not None else found.isel(region=0)


def profile_table(
    data: Counted,
    regions: xr.DataArray | xr.Dataset | None,
    blocks: int | None,
    covered: bool | None,
) -> xr.Dataset:
    """Return the counts of regions along frames; see `depth_profile`."""
    counts, _ = split(data)
    if "frame" not in counts.dims:
        raise ValueError(f"there is no dimension 'frame' to go along, only {counts.dims}")
    if regions is None:
        shape = grid_of(counts).shape
        whole = {"region_labels": [1], "region_names": ["image"]}
        regions = xr.DataArray(np.ones(shape, np.int32), dims=("y", "x"), attrs=whole)
    return blocks_of(plain_table(data, regions, covered), blocks)


def line_profile(
    data: Counted,
    start: tuple[float, float],
    stop: tuple[float, float],
    *,
    width: float = 1.0,
    units: str = "pixel",
    bins: int | None = None,
    weighting: str = "area",
    ratios: Ratios | None = None,
    confidence: float | None = 0.95,
) -> xr.Dataset:
    """Return counts along a line, summed over a width across it.

    Parameters
    ----------
    data
        Ion counts with the dimensions y and x; stacks or sums, raw or corrected.
    start, stop
        Ends of the line (y, x).
    width
        Of the band around the line, in the same unit.
    units
        "pixel": counted from the corner of the image, the centre of the first pixel is 0.5. "um":
        in the coordinates y and x.
    bins
        Number of equal parts of the line; about a pixel each if not given.
    weighting
        "area": a pixel counts in each part by the area that lies in it; float64. "nearest": a pixel
        belongs to the part in which its centre lies, or to none; int64 and exact for raw counts,
        but narrow parts hold now more pixels, now fewer. Both count nothing twice: a pixel that
        lies inside of the band adds its counts once.
    ratios, confidence
        As for `mfxarray.mims.region_tables.region_table`.

    Returns
    -------
    xarray.Dataset
        As from `region_table`, along ``distance`` from the start, with ``n_pixels`` in each part
        and the place ``y``, ``x`` of its middle. What lies outside of the image is not counted.

    Raises
    ------
    ValueError
        If the line has no length or lies outside of the image, or a parameter makes no sense.

    Notes
    -----
    Lazy; one pass. With "area" neighbouring parts share counts; the variance is shared out like
    them: right for sums over parts, too large for a single part of few pixels.
    """
    if weighting not in _WEIGHTINGS:
        raise ValueError(f"weighting must be one of {_WEIGHTINGS}, not {weighting!r}")
    counts, _ = split(data)
    grid = grid_of(counts)
    band = _Band(grid, start, stop, width, units, bins)
    members = band.by_area() if weighting == "area" else band.by_centre()
    if not len(members.pixels):
        raise ValueError(f"no pixel lies between {start} and {stop} in images of {grid.shape}")
    parameters = {"start": band.start, "stop": band.stop, "width": band.width, "units": units}
    told = {**parameters, "bins": band.bins, "weighting": weighting}
    attrs = record(counts.attrs, "line_profile", told)
    laid = laid_on(data, members, False)
    table = summed(data, laid, "distance", attrs)
    places = places_of(laid, grid)
    kept = {
        name: ("distance", *places[name]) for name in ("n_pixels", "area_um2") if name in places
    }
    return described(table.assign_coords({**band.coords(), **kept}), ratios, confidence)


class _Band:
    """A straight band cut into equal parts along its line.

    Parameters
    ----------
    grid
        Of the images.
    start, stop, width, units, bins
        See `line_profile`.
    """

    def __init__(
        self, grid: PixelGrid, start: Any, stop: Any, width: float, units: str, bins: int | None
    ) -> None:
        ends = np.array([start, stop], np.float64)
        if ends.shape != (2, 2) or not np.isfinite(ends).all() or (ends[0] == ends[1]).all():
            raise ValueError(f"a line needs two different ends (y, x), not {start} and {stop}")
        if not (np.isfinite(width) and width > 0):
            raise ValueError(f"the width must be more than 0, not {width}")
        self.grid, self.units, self.width = grid, units, float(width)
        self.start, self.stop = ends[0].tolist(), ends[1].tolist()
        self._ends = ends
        self.length = float(np.hypot(*(ends[1] - ends[0])))
        self._corners = grid.to_pixels(ends, units)
        pixels = float(np.hypot(*(self._corners[1] - self._corners[0])))
        self.bins = max(round(pixels), 1) if bins is None else int(bins)
        if not 1 <= self.bins <= _BINS_CAP:
            raise ValueError(f"bins must be from 1 to {_BINS_CAP}, not {self.bins}")

    def by_area(self) -> Members:
        """Return the pixels of every part, weighted by the area inside."""
        along = (self._ends[1] - self._ends[0]) / self.length
        across = np.array([-along[1], along[0]]) * self.width / 2
        steps = np.linspace(0, self.length, self.bins + 1)[:, None] * along + self._ends[0]
        left, right = steps - across, steps + across
        corners = np.stack([left[:-1], left[1:], right[1:], right[:-1]], axis=1)
        pixels, starts, areas = band_areas(
            self.grid.to_pixels(corners, self.units), self.grid.shape
        )
        return Members(pixels, starts, self.grid.shape, areas)

    def by_centre(self) -> Members:
        """Return the pixels whose centre lies in each part."""
        rows, columns = self.grid.positions()
        if self.units == "pixel":
            rows, columns = (np.arange(size) + 0.5 for size in self.grid.shape)
        along = (self._ends[1] - self._ends[0]) / self.length
        y, x = rows[:, None] - self._ends[0, 0], columns - self._ends[0, 1]
        part = np.floor((y * along[0] + x * along[1]) * (self.bins / self.length))
        # half open, so that bands beside each other share no pixel
        beside = x * along[0] - y * along[1]
        inside = (beside >= -self.width / 2) & (beside < self.width / 2)
        pixels = np.flatnonzero(inside & (part >= 0) & (part < self.bins))
        chosen = part.ravel()[pixels].astype(np.int64)
        order = np.argsort(chosen, kind="stable")
        starts = np.concatenate(([0], np.cumsum(np.bincount(chosen, minlength=self.bins))))
        return Members(pixels[order], starts.astype(np.int64), self.grid.shape)

    def coords(self) -> dict[str, Any]:
        """Return distance and place of the middle of every part."""
        share = (np.arange(self.bins) + 0.5) / self.bins
        places = self._ends[0] + share[:, None] * (self._ends[1] - self._ends[0])
        unit = {"units": "µm" if self.units == "um" else "pixel"}
        text = {"long_name": "distance from the start of the line", **unit}
        return {
            "distance": ("distance", share * self.length, text),
            "y": ("distance", places[:, 0], unit),
            "x": ("distance", places[:, 1], unit),
        }
