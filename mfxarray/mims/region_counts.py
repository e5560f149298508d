"""Counts summed over groups of pixels, as lazy Datasets like those that `split` takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.blocks import as_dask
from mfxarray.chunked.region_sums import Regions, region_geometry, region_sums
from mfxarray.kernels.region_sums import Members, geometry
from mfxarray.mims.accumulate import accumulate
from mfxarray.mims.counted import split, with_variance
from mfxarray.mims.pixel_grid import PixelGrid
from mfxarray.mims.ratios import expression, ratio
from mfxarray.mims.stack import ion_numbers
from mfxarray.schema import ION_IMAGES, by_name

__all__ = ["Counted", "Ratios", "blocks_of", "described", "laid_on", "places_of", "summed"]

Array = np.ndarray[Any, Any]
Counted = xr.DataArray | xr.Dataset
Ratios = Mapping[str, tuple[Any, Any] | str]


def laid_on(data: Counted, members: Members, covered: bool | None) -> Regions:
    """Return regions with what decides which of their pixels count.

    Parameters
    ----------
    data
        Counts, with the coordinate ``exposure`` after an alignment.
    members
        Pixels of the regions.
    covered
        Take only pixels that all frames cover; where None, in stacks of frames, if it is known.
    """
    counts, _ = split(data)
    known = "exposure" in counts.coords and set(counts["exposure"].dims) == {"y", "x"}
    if covered is None:
        covered = known and "frame" in counts.dims
    if not covered:
        return Regions(members)
    if not known:
        raise ValueError(
            "which pixels all frames cover is told by the coordinate 'exposure', which only "
            "apply_translations makes"
        )
    frames = counts.sizes["frame"] if "frame" in counts.dims else 1
    exposure = as_dask(counts["exposure"].transpose("y", "x").data)
    return Regions(members, exposure, frames)


def summed(data: Counted, regions: Regions, dim: str, attrs: Mapping[Any, Any]) -> xr.Dataset:
    """Return the sums over regions, with the dimension ``dim`` in place of y and x.

    Parameters
    ----------
    data
        Raw or corrected counts.
    regions
        The regions.
    dim
        Name of the new dimension, the last one.
    attrs
        Attributes of the result, its record among them.

    Returns
    -------
    xarray.Dataset
        ``counts``, ``variance`` if the counts are corrected, and ``n_missing`` for floats.
    """
    counts, variance = split(data)
    sums, missing = region_sums(_images(counts), regions)
    dims = (*(name for name in counts.dims if name not in ("y", "x")), dim)
    coords = {
        name: coord.variable
        for name, coord in counts.coords.items()
        if not {"y", "x"} & set(coord.dims)
    }
    text = by_name(ION_IMAGES)["counts"].attrs()
    table = xr.DataArray(sums, coords, dims, "counts", {**attrs, **text})
    if variance is counts:
        found = table.to_dataset().assign_attrs(_without_units(attrs))
        found["counts"].attrs = text
    else:
        widths, _ = region_sums(_images(variance), regions)
        found = with_variance(table, table.copy(data=widths))
    if counts.dtype.kind == "f":
        told = {"units": "1", "long_name": "missing pixels (NaN), left out of the sums"}
        plain = missing if regions.members.weights is not None else missing.astype(np.int64)
        found["n_missing"] = (dims, plain, told)
    return found


def places_of(regions: Regions, grid: PixelGrid) -> dict[str, tuple[Any, dict[str, str]]]:
    """Return number of pixels, area and centre of every region, with their attributes."""
    ys, xs = grid.positions()
    if regions.exposure is None:
        found: Any = geometry(regions.members, ys, xs)
    else:
        found = region_geometry(regions, ys, xs)
    number = found[0] if regions.members.weights is not None else found[0].astype(np.int64)
    unit = "µm" if grid.in_um else "pixel"
    places = {
        "n_pixels": (number, {"units": "1", "long_name": "pixels in the sums"}),
        "centroid_y": (found[1], {"units": unit, "long_name": "mean y of the pixels"}),
        "centroid_x": (found[2], {"units": unit, "long_name": "mean x of the pixels"}),
    }
    if grid.in_um:
        area = found[0] * (grid.step[0] * grid.step[1])
        places["area_um2"] = (area, {"units": "µm^2", "long_name": "area of the pixels"})
    return places


def blocks_of(table: xr.Dataset, blocks: int | None) -> xr.Dataset:
    """Return a table with every ``blocks`` frames summed."""
    if blocks is None:
        return table
    counts = table.drop_vars("n_missing", errors="ignore")
    found = _as_table(accumulate(counts, blocks=blocks))
    if "n_missing" not in table:
        return found
    missing = accumulate(table["n_missing"], blocks=blocks)
    told = table["n_missing"].attrs
    return found.assign(n_missing=(missing.dims, missing.data, told))  # type: ignore[union-attr]


def _as_table(found: Counted) -> xr.Dataset:
    """Return sums with the record where a table has it: on the Dataset."""
    table = found.to_dataset(name="counts") if isinstance(found, xr.DataArray) else found
    if table.attrs:
        return table
    attrs = table["counts"].attrs
    table["counts"].attrs = by_name(ION_IMAGES)["counts"].attrs()
    return table.assign_attrs(_without_units(attrs))


def described(table: xr.Dataset, ratios: Ratios | None, confidence: float | None) -> xr.Dataset:
    """Return a table with the mean of a pixel, the error of the counts, and ratios.

    Parameters
    ----------
    table
        Result of `summed`, with the coordinate ``n_pixels``.
    ratios
        By name a pair (numerator, denominator) of detectors, several are summed, or a formula.
    confidence
        Of the intervals of pairs.
    """
    counts, variance = split(table)
    pixels = table["n_pixels"].drop_vars(list(table["n_pixels"].coords))
    if "n_missing" in table:
        frames = table["n_frames"].variable if "n_frames" in table.coords else 1
        missing = table["n_missing"].drop_vars(list(table["n_missing"].coords))
        pixels = pixels - (missing / frames if "frame" in table.dims else missing)
    plain = counts.drop_vars(list(counts.coords))
    told = {"units": "counts", "long_name": "mean counts of a pixel"}
    mean = (plain / pixels.where(pixels > 0)).transpose(*plain.dims)
    wide: xr.DataArray = variance.drop_vars(list(variance.coords)).astype(np.float64) ** 0.5
    error = wide.where(_is_ion(counts)) if "detector" in counts.dims else wide
    found = table.assign(
        mean=mean.variable,
        error=error.transpose(*plain.dims).variable,
    )
    found["mean"].attrs = told
    found["error"].attrs = {"units": "counts", "long_name": "standard error of the counts"}
    return found.assign(_ratios(table, ratios or {}, confidence))


def _is_ion(counts: xr.DataArray) -> xr.DataArray:
    flags = np.zeros(counts.sizes["detector"], bool)
    flags[ion_numbers(counts)] = True
    return xr.DataArray(flags, dims="detector")


def _ratios(table: xr.Dataset, ratios: Ratios, confidence: float | None) -> dict[str, xr.DataArray]:
    found: dict[str, xr.DataArray] = {}
    for name, wanted in ratios.items():
        if "/" in name or name in table.variables:
            raise ValueError(f"the name {name!r} of a ratio is taken, or has a '/'")
        if isinstance(wanted, str):
            result = expression(table, wanted)
        else:
            result = ratio(table, *wanted, confidence=confidence)
        for variable, values in result.data_vars.items():
            first = variable in ("ratio", "value")
            found[name if first else f"{name}_{variable}"] = values
    return found


def _images(counts: xr.DataArray) -> da.Array:
    return as_dask(counts.transpose(..., "y", "x").data)


def _without_units(attrs: Mapping[Any, Any]) -> dict[Any, Any]:
    return {key: value for key, value in attrs.items() if key not in ("units", "long_name")}
