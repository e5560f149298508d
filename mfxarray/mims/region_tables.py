"""Tables of regions: counts, errors, ratios, areas and places."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from mfxarray.chunked.blocks import as_dask
from mfxarray.chunked.region_sums import Regions, region_sums
from mfxarray.mims.counted import split
from mfxarray.mims.pixel_grid import grid_of
from mfxarray.mims.region_counts import Counted, Ratios, described, laid_on, places_of, summed
from mfxarray.mims.region_forms import members_of, region_names, single
from mfxarray.provenance import record

__all__ = ["plain_table", "region_table"]


def region_table(
    data: Counted,
    regions: xr.DataArray | xr.Dataset,
    *,
    ratios: Ratios | None = None,
    confidence: float | None = 0.95,
    covered: bool | None = None,
) -> xr.Dataset:
    """Return one row a region: counts of every detector, errors, ratios, area, place.

    Parameters
    ----------
    data
        Ion counts with the dimensions y and x; stacks or sums, raw or corrected.
    regions
        Labels (y, x) or masks (region, y, x); see `mfxarray.mims.regions`.
    ratios
        By name, a pair (numerator, denominator) of detectors, or a formula such as
        "13C/(12C+13C)". They are ratios of the sums, not means of the ratios of pixels.
    confidence
        Of the intervals of pairs; None for no intervals.
    covered
        Take only pixels that all frames cover, which is right where frames are compared. By default
        in stacks that were aligned.

    Returns
    -------
    xarray.Dataset
        Along ``region``, after the other dimensions (frame, detector). ``counts``: int64 and exact
        for integers. ``variance`` for corrected counts; that of raw counts is the counts. ``mean``
        of a pixel. ``error`` of the counts, 1 sigma, NaN for electrons, which are summed but not
        counted one by one. For each ratio ``name``, ``name_error``, ``name_low``, ``name_high``.
        ``n_missing`` for floats: NaN pixels, left out. Coordinates ``n_pixels``, ``area_um2``,
        ``centroid_y``, ``centroid_x`` and, for sums of aligned frames, ``exposure``: pixels times
        frames.

    Raises
    ------
    ValueError
        If regions and images have different shapes, or a detector is unknown.

    Notes
    -----
    Lazy; one pass, a chunk of frames at a time; the chunks change no bit. The regions themselves
    are loaded. `to_dataframe()` of the result, or of one detector of it, gives a plain table.
    """
    table = plain_table(data, regions, covered)
    return described(table, ratios, confidence)


def plain_table(
    data: Counted, regions: xr.DataArray | xr.Dataset, covered: bool | None
) -> xr.Dataset:
    """Return the counts of regions and where these are; see `region_table`."""
    counts, _ = split(data)
    regions = single(regions)
    grid = grid_of(counts)
    laid = laid_on(data, members_of(regions, grid.shape), covered)
    names = region_names(regions)
    parameters = {"regions": names, "covered": laid.exposure is not None}
    attrs = record(counts.attrs, "region_table", parameters, others={"regions": regions.attrs})
    table = summed(data, laid, "region", attrs)
    coords: dict[str, Any] = {
        name: ("region", *found) for name, found in places_of(laid, grid).items()
    }
    if laid.exposure is None and "frame" not in counts.dims:
        coords.update(_exposure(counts, laid))
    return table.assign_coords(region=np.array(names, object), **coords)


def _exposure(counts: xr.DataArray, laid: Regions) -> dict[str, Any]:
    """Return the pixels times frames of every region, if they are known."""
    if "exposure" not in counts.coords or set(counts["exposure"].dims) != {"y", "x"}:
        return {}
    images = as_dask(counts["exposure"].transpose("y", "x").data)[None]
    sums, _ = region_sums(images, laid)
    told = {"units": "1", "long_name": "pixels times frames that cover them"}
    return {"exposure": ("region", sums[0], told)}
