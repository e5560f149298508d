"""Several fields of one sample on one canvas, placed by the position of the stage."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.blocks import as_dask
from mfxarray.chunked.mosaic import Placed, coverage, lay_first, lay_weighted
from mfxarray.mims.counted import is_raw, join, split, with_variance
from mfxarray.mims.mosaic_places import common_step, field_grid, stage_origins, whole_places
from mfxarray.mims.pixel_grid import PixelGrid
from mfxarray.provenance import ATTRIBUTE, record, was_done
from mfxarray.schema import ION_IMAGES, by_name

__all__ = ["mosaic"]

Array = np.ndarray[Any, Any]
Counted = xr.DataArray | xr.Dataset
Tiles = tuple[tuple[int, ...], tuple[int, ...]]
Lay = Callable[[Sequence[da.Array]], da.Array]

_OVERLAPS = ("first", "feather")
_TILE = 512
_MOST_TILES = 20_000
_COVERED = "a field covers the pixel"
# corrections that change the scale of counts
_SCALES = ("subtract_background", "correct_dead_time", "divide_yield", "correct_qsa")
_SETTINGS = ("polarity", "dwell_time_s")


def mosaic(
    fields: Sequence[Counted],
    overlap: str = "first",
    pixel_size: float | None = None,
    *,
    positions: Any = None,
) -> Counted:
    """Return fields on one canvas (detector, y, x), with ``frame`` if the fields have it.

    Parameters
    ----------
    fields
        Ion counts or corrected counts, with the same detectors (in any order), pixel size and
        number of frames.
    overlap
        "first": a pixel is that of the first field that covers it; counts stay what they are.
        "feather": the mean of all that cover it, weighted by the distance to the fields' edges.
    pixel_size
        Of the fields, micrometres, where they do not know it.
    positions
        Centres (y, x) of the fields' rasters in micrometres, y downwards and x to the right; those
        of the stage, ``attrs["stage_position_um"]``, if not given. The stage's x is the vertical
        axis and its y the horizontal one.

    Returns
    -------
    xarray.DataArray or xarray.Dataset
        "first": like the fields; gaps are 0, of corrected counts NaN. "feather": a Dataset of
        ``counts`` and ``variance``, float64, NaN in gaps. The coordinates ``y`` and ``x`` are
        positions of the stage in micrometres; ``covered`` (y, x) is False in gaps; ``exposure``,
        where all fields have it, that of the field a pixel is from. ``attrs["mosaic"]`` tells row,
        column and the rest of the rounding to whole pixels, in micrometres, of every field.

    Raises
    ------
    ValueError
        If fields do not fit together (detectors, pixel size, frames, dwell time, corrections), a
        position is not known, or the canvas would be enormous.

    Notes
    -----
    Lazy; a tile of 512 x 512 pixels reads the fields it touches. Fields are placed by whole pixels,
    the first one exactly. Stages are right to micrometres at best: look at the seams. Pixels that
    no frame covers (``exposure`` 0) are no part of a field, so align before. Rows and columns that
    were cut off are noticed by the coordinates, not by the stage: x and y must be as opened.
    """
    if not fields:
        raise ValueError("there are no fields; give at least one")
    if overlap not in _OVERLAPS:
        raise ValueError(f"overlap must be one of {_OVERLAPS}, not {overlap!r}")
    counts, variances, raw = _parts(fields)
    grids = [field_grid(one, pixel_size, number) for number, one in enumerate(counts)]
    step = common_step(grids)
    origins = stage_origins(counts, grids, positions)
    places, rest = whole_places(origins, step)
    placed = _placed(counts, grids, places)
    tiles = _tiles(placed)
    told = _told(places, rest)
    attrs = _attrs(counts, told, {"overlap": overlap, "pixel_size": pixel_size})
    weighted = partial(lay_weighted, placed=placed, tiles=tiles)
    lay = partial(lay_first, placed=placed, tiles=tiles) if overlap == "first" else weighted
    coords = _coords(counts, origins[0] - places[0] * step, step, tiles)
    coords |= _coverage(placed, tiles, lay)
    laid = partial(_laid, coords=coords, name=counts[0].name, attrs=attrs)
    result = laid(counts, lay)
    if overlap == "feather":
        return with_variance(result, laid(variances, partial(weighted, power=2)))
    return join(result, result if raw else laid(variances, lay), fields[0])


def _parts(fields: Sequence[Counted]) -> tuple[list[xr.DataArray], list[xr.DataArray], bool]:
    """Return counts and variances of fields that fit together, and whether they are raw."""
    pairs = [split(field) for field in fields]
    counts = _alike([pair[0] for pair in pairs])
    variances = _alike([pair[1] for pair in pairs])
    raw = {is_raw(field) for field in fields}
    if len(raw) > 1:
        raise ValueError("some fields are corrected and some are not; treat all alike")
    return counts, variances, raw.pop()


def _placed(
    counts: Sequence[xr.DataArray], grids: Sequence[PixelGrid], places: Array
) -> list[Placed]:
    exposures = [one.coords.get("exposure") for one in counts]
    return [
        Placed(top, left, grid.shape, None if known is None else as_dask(known.data))
        for (top, left), grid, known in zip(places.tolist(), grids, exposures, strict=True)
    ]


def _coverage(placed: Sequence[Placed], tiles: Tiles, lay: Lay) -> dict[str, Any]:
    """Return the coordinates that tell where fields are, and how many frames they have there."""
    there = coverage(placed, tiles) > 0
    found: dict[str, Any] = {"covered": (("y", "x"), there, {"long_name": _COVERED})}
    exposures = [one.exposure for one in placed if one.exposure is not None]
    if len(exposures) == len(placed):
        known = by_name(ION_IMAGES)["exposure"]
        found["exposure"] = (known.dims, lay(_of_one_type(exposures)), known.attrs())
    return found


def _laid(
    parts: Sequence[xr.DataArray], lay: Lay, *, coords: Any, name: Any, attrs: Any
) -> xr.DataArray:
    """Return the canvas of one part of the fields: their counts, or their variances."""
    arrays = _of_one_type([as_dask(part.data) for part in parts])
    return xr.DataArray(lay(arrays), coords, parts[0].dims, name, attrs)


def _of_one_type(arrays: Sequence[da.Array]) -> list[da.Array]:
    wide = np.result_type(*(array.dtype for array in arrays))
    return [array.astype(wide) for array in arrays]


def _alike(parts: list[xr.DataArray]) -> list[xr.DataArray]:
    """Return the fields with the detectors and the order of axes of the first one."""
    first = parts[0]
    dims = [dim for dim in ("frame", "detector", "y", "x") if dim in first.dims]
    if not {"y", "x"} <= set(dims) or len(dims) != first.ndim:
        raise ValueError(f"fields are images (frame, detector, y, x), not {first.dims}")
    found = []
    for number, one in enumerate(parts):
        if set(one.dims) != set(dims):
            raise ValueError(f"field {number} has dimensions {one.dims}, the first {first.dims}")
        if "frame" in dims and one.sizes["frame"] != first.sizes["frame"]:
            raise ValueError(
                f"field {number} has {one.sizes['frame']} frames, the first "
                f"{first.sizes['frame']}; accumulate them first"
            )
        found.append(_ordered(one, first, number).transpose(*dims))
        _check_alike(first, one, number)
    return found


def _ordered(one: xr.DataArray, first: xr.DataArray, number: int) -> xr.DataArray:
    if "detector" not in first.dims:
        return one
    wanted, names = ([str(name) for name in part["detector"].values] for part in (first, one))
    if sorted(names) != sorted(wanted):
        raise ValueError(
            f"field {number} has the detectors {names}, the first {wanted}; select the common ones"
        )
    order = [names.index(name) for name in wanted]
    return one if names == wanted else one.isel(detector=order)


def _check_alike(first: xr.DataArray, one: xr.DataArray, number: int) -> None:
    """Raise unless a count means the same in both."""
    for key in _SETTINGS:
        ours, theirs = first.attrs.get(key), one.attrs.get(key)
        if ours is not None and theirs is not None and ours != theirs:
            raise ValueError(f"field {number} has {key} {theirs}, the first {ours}")
    ours, theirs = (_summed(part) for part in (first, one))
    if ours != theirs:
        raise ValueError(f"field {number} is a sum of {theirs} frames, the first of {ours}")
    for step in _SCALES:
        if was_done(first.attrs, step) != was_done(one.attrs, step):
            raise ValueError(f"{step} was done to only one of field {number} and the first one")


def _summed(part: xr.DataArray) -> list[int] | None:
    return np.ravel(part["n_frames"].values).tolist() if "n_frames" in part.coords else None


def _tiles(placed: Sequence[Placed]) -> Tiles:
    height = max(one.top + one.shape[0] for one in placed)
    width = max(one.left + one.shape[1] for one in placed)
    if math.ceil(height / _TILE) * math.ceil(width / _TILE) > _MOST_TILES:
        raise ValueError(
            f"the canvas would have {height} x {width} pixels; the fields lie far apart, so make "
            "a mosaic of each group"
        )
    rows, columns = (
        tuple(min(_TILE, size - start) for start in range(0, size, _TILE))
        for size in (height, width)
    )
    return rows, columns


def _told(places: Array, rest: Array) -> list[dict[str, Any]]:
    return [
        {"row": int(row), "column": int(column), "residual_um": [float(y), float(x)]}
        for (row, column), (y, x) in zip(places.tolist(), rest.tolist(), strict=True)
    ]


def _attrs(
    counts: Sequence[xr.DataArray], told: list[dict[str, Any]], parameters: Mapping[str, Any]
) -> dict[Any, Any]:
    """Return the attributes that all fields share, with the record."""
    first = counts[0].attrs
    shared = {
        key: value
        for key, value in first.items()
        if key == ATTRIBUTE or all(one.attrs.get(key) == value for one in counts[1:])
    }
    for key in ("stage_position_um", "raster_um", "scanned_frame", "missing_pixels"):
        shared.pop(key, None)
    others = {f"field_{i}": one.attrs for i, one in enumerate(counts[1:], start=1)}
    given = {**parameters, "places": told}
    return {**record(shared, "mosaic", given, others=others), "mosaic": told}


def _coords(
    counts: Sequence[xr.DataArray], origin: Array, step: Array, tiles: tuple[tuple[int, ...], ...]
) -> dict[str, Any]:
    found: dict[str, Any] = {
        str(name): coord.variable
        for name, coord in counts[0].coords.items()
        if not {"y", "x"} & set(coord.dims)
    }
    recorded = [one["recorded"].values for one in counts if "recorded" in one.coords]
    if recorded:
        found["recorded"] = (("frame", "detector"), np.logical_and.reduce(recorded))
    words = {"y": "stage position, downwards", "x": "stage position, to the right"}
    for dim, start, size, sizes in zip(("y", "x"), origin, step, tiles, strict=True):
        values = start + np.arange(sum(sizes)) * size
        found[dim] = (dim, values, {"units": "µm", "long_name": words[dim]})
    return found
