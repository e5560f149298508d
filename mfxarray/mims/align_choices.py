"""What users may choose for an alignment, checked and brought to one form."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.blocks import as_dask, whole
from mfxarray.mims.stack import DIMS

__all__ = ["Region", "any_stack", "dask_stack", "dask_translations", "reach_of", "reference_of"]

Array = np.ndarray[Any, Any]


def any_stack(counts: xr.DataArray) -> xr.DataArray:
    """Return counts, raw or corrected, in the order (frame, detector, y, x).

    Raises
    ------
    ValueError
        If a dimension is missing or there is another one, or the counts are no numbers.
    """
    if set(counts.dims) != set(DIMS):
        raise ValueError(f"ion images have the dimensions {DIMS}, these have {counts.dims}")
    if counts.dtype.kind not in "uif":
        raise ValueError(f"counts must be numbers, not {counts.dtype}")
    return counts.transpose(*DIMS)


def dask_stack(counts: xr.DataArray) -> da.Array:
    """Return the counts as a dask array whose images are whole."""
    return whole(as_dask(any_stack(counts).data), (1, 2, 3))


class Region:
    """A part of the field: a rectangle, and within it all pixels or those of a mask.

    Parameters
    ----------
    wanted
        None for the whole field, a pair of slices (y, x), or bool (y, x).
    shape
        (y, x) of the field.

    Raises
    ------
    ValueError
        If it is none of these or empty.
    """

    def __init__(self, wanted: Any, shape: tuple[int, int]) -> None:
        self.rows, self.columns, self.mask = slice(0, shape[0]), slice(0, shape[1]), None
        if wanted is None:
            return
        if isinstance(wanted, tuple) and all(isinstance(part, slice) for part in wanted):
            if len(wanted) != 2 or any(part.step not in (None, 1) for part in wanted):
                raise ValueError("a region is two slices (y, x) without steps, or a mask (y, x)")
            bounds = [part.indices(size)[:2] for part, size in zip(wanted, shape, strict=True)]
        else:
            inside = _mask(wanted, shape)
            bounds = [_bounds(inside, 1), _bounds(inside, 0)]
            part = inside[slice(*bounds[0]), slice(*bounds[1])]
            self.mask = None if part.all() else part
        self.rows, self.columns = slice(*bounds[0]), slice(*bounds[1])
        if min(self.shape) < 3:
            raise ValueError(f"a region needs at least 3 x 3 pixels, this one has {self.shape}")

    @property
    def shape(self) -> tuple[int, int]:
        """Return (y, x) of the rectangle."""
        return (
            self.rows.stop - self.rows.start,
            self.columns.stop - self.columns.start,
        )

    def cut(self, images: da.Array) -> da.Array:
        """Return the rectangle of images, shape (..., y, x)."""
        return images[..., self.rows, self.columns]

    def record(self) -> dict[str, Any]:
        """Return what goes into the record of steps."""
        text: dict[str, Any] = {
            "y": [self.rows.start, self.rows.stop],
            "x": [self.columns.start, self.columns.stop],
        }
        if self.mask is not None:
            text["pixels"] = int(self.mask.sum())
        return text


def reference_of(reference: Any, planes: da.Array) -> str | int | da.Array:
    """Return "running", "neighbours", the number of a frame, or an image (y, x) of counts.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    if isinstance(reference, str):
        known = {"running": "running", "neighbours": "neighbours", "first": 0}
        if reference not in known:
            raise ValueError(
                f"reference must be one of {', '.join(map(repr, known))}, the number of a frame or "
                f"an image (y, x), not {reference!r}"
            )
        return known[reference]  # type: ignore[return-value]
    if isinstance(reference, int | np.integer) and not isinstance(reference, bool):
        count = planes.shape[0]
        if not -count <= reference < count:
            raise ValueError(f"there is no frame {reference}; the stack has {count}")
        return int(reference) % count
    if isinstance(reference, xr.DataArray):
        reference = reference.transpose("y", "x").data if reference.ndim == 2 else reference.data
    image = as_dask(reference)
    if image.shape != planes.shape[1:] or image.dtype.kind not in "uif":
        raise ValueError(
            f"a reference image needs the shape {planes.shape[1:]} of a frame, not {image.shape}"
        )
    return image


def reach_of(max_shift: int | None, shape: tuple[int, int]) -> int:
    """Return the largest translation to look for, a quarter of the shorter side by default."""
    size = min(shape)
    reach = max(size // 4, 1) if max_shift is None else max_shift
    if not 1 <= reach < size:
        raise ValueError(f"max_shift must be 1 to {size - 1} pixels here, not {reach}")
    return reach


def dask_translations(translations: Any, n_frames: int) -> da.Array:
    """Return translations as a dask array (frame, 2) of integers or floats.

    Raises
    ------
    ValueError
        If they are no numbers or do not fit the stack.
    """
    given = translations
    if isinstance(given, xr.DataArray):
        if set(given.dims) != {"frame", "axis"}:
            raise ValueError(f"translations need the dimensions (frame, axis), not {given.dims}")
        given = given.transpose("frame", "axis").data
    shifts = as_dask(given)
    if shifts.ndim != 2 or shifts.shape[1] != 2:
        raise ValueError(
            f"translations need the dimensions (frame, axis=2), not the shape {shifts.shape}"
        )
    if shifts.dtype.kind not in "uif":
        raise ValueError(f"translations must be numbers of pixels, not {shifts.dtype}")
    if shifts.shape[0] != n_frames:
        raise ValueError(f"{shifts.shape[0]} translations for {n_frames} frames")
    return shifts.astype(np.float64 if shifts.dtype.kind == "f" else np.int64)


def _mask(wanted: Any, shape: tuple[int, int]) -> Array:
    if isinstance(wanted, xr.DataArray) and set(wanted.dims) == {"y", "x"}:
        wanted = wanted.transpose("y", "x")
    inside = np.asarray(wanted)
    if inside.dtype != bool or inside.shape != shape:
        raise ValueError(
            f"a region is two slices (y, x) or a bool mask of shape {shape}, not {inside.dtype} "
            f"of shape {inside.shape}"
        )
    if not inside.any():
        raise ValueError("the region is empty")
    return inside


def _bounds(inside: Array, across: int) -> tuple[int, int]:
    places = np.flatnonzero(inside.any(axis=across))
    return int(places[0]), int(places[-1]) + 1
