"""Drift of ion images: one translation a frame, found in one species and applied to all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.shifting import exposure, shift_stack, shift_stack_area, shift_stack_seed
from mfxarray.chunked.shortcuts import select_detectors
from mfxarray.mims.align_choices import any_stack, dask_stack, dask_translations
from mfxarray.mims.align_search import correlate, correlate_seed
from mfxarray.mims.counted import each, split
from mfxarray.mims.stack import detector_numbers
from mfxarray.provenance import record, was_done
from mfxarray.schema import ION_IMAGES, by_name

__all__ = ["apply_translations", "infer_translations"]

_METHODS = ("correlation", "seed")
_MOVES = {"correlation": shift_stack, "area": shift_stack_area, "seed": shift_stack_seed}


def infer_translations(
    counts: xr.DataArray | xr.Dataset,
    detector: str | Sequence[str] | None = None,
    *,
    method: str = "correlation",
    reference: Any = "running",
    iterations: int = 0,
    subpixel: bool = False,
    bin_frames: int = 1,
    region: Any = None,
    max_shift: int | None = None,
    padding: int = 8,
) -> xr.DataArray:
    """Return the translation of every frame, (frame, axis) with axis y, x, in pixels.

    ``aligned[y + dy, x + dx] = frame[y, x]`` brings a frame onto frame 0, onto the frame that is
    the reference, or onto the image that is; with ``method="seed"`` onto the median position.

    Parameters
    ----------
    counts
        Ion counts (frame, detector, y, x), or a Dataset of corrected ones.
    detector
        Name of the species to align by; several are summed; all ions if not given.
    method
        "correlation" (ours): variance-stabilised, smoothed by 1 px, correlated over the true
        overlap. "seed": as openformat, with zero padding, wrap-around and the median subtracted.
    reference
        "running": each frame of 16 against those before and then against all others, and their mean
        against that of all frames before. "first" or the number of a frame: against that frame.
        An image (y, x) of counts: against it. "neighbours": each frame against the one before,
        which follows a sample that changes, and adds up errors.
    iterations
        Further passes in which each frame is put onto the mean of all others.
    subpixel
        Return parts of pixels (float64) instead of whole ones (int64).
    bin_frames
        Frames summed before they are compared, for dim data. Translations are interpolated between
        the middles of the bins and held outside: a jump is spread over two bins, and drift within
        the first and last half of a bin is not followed.
    region
        Pixels of every frame that are compared: two slices (y, x) of pixel numbers, or bool (y, x).
        It stays in place while the sample drifts, so leave the drift as a margin.
    max_shift
        Largest translation looked for, pixels; a quarter of the region's shorter side if not given.
    padding
        Pixels of zeros, for "seed" only.

    Returns
    -------
    xarray.DataArray
        With the coordinates ``score`` (standard deviations of what noise would give) and
        ``confident`` (bool) along ``frame`` for "correlation". A frame that is not confident takes
        the translation of the last confident frame, so noise alone moves nothing.

    Raises
    ------
    ValueError
        If a parameter makes no sense for this stack.

    Notes
    -----
    Lazy. Reads the stack once, and once more for each iteration, in groups of 16 frames that are
    worked on in parallel; only their means wait for each other. Whole pixels are rounded from the
    sub-pixel estimate: the top of a Gaussian fitted to the correlation.
    """
    if method not in _METHODS:
        raise ValueError(f"method must be one of {_METHODS}, not {method!r}")
    stack = split(counts)[0]
    numbers = detector_numbers(stack, detector)
    planes = _planes(stack, numbers)
    if planes.shape[0] == 0:
        raise ValueError("the stack has no frames, so there is nothing to align")
    if method == "seed":
        if not _only_seed(reference, iterations, subpixel, bin_frames, region):
            raise ValueError('method="seed" has no other parameters than detector and padding')
        found = correlate_seed(planes, padding)
    else:
        found = correlate(planes, reference, iterations, subpixel, bin_frames, region, max_shift)
    names = [str(stack["detector"].values[number]) for number in numbers]
    parameters = {"detector": names, "method": method, **found.parameters}
    attrs = {
        "units": "pixel",
        "long_name": f"translation onto {found.onto}",
        "method": method,
        "provenance": record(stack.attrs, "infer_translations", parameters)["provenance"],
    }
    coords = {"frame": stack["frame"], "axis": ["y", "x"], **found.coords}
    return xr.DataArray(found.shifts, coords, ("frame", "axis"), "translation", attrs)


@overload
def apply_translations(
    counts: xr.DataArray, translations: Any, *, padding: int | None = ..., method: str | None = ...
) -> xr.DataArray: ...


@overload
def apply_translations(
    counts: xr.Dataset, translations: Any, *, padding: int | None = ..., method: str | None = ...
) -> xr.Dataset: ...


def apply_translations(
    counts: xr.DataArray | xr.Dataset,
    translations: Any,
    *,
    padding: int | None = None,
    method: str | None = None,
) -> xr.DataArray | xr.Dataset:
    """Return the stack with every frame moved by its translation.

    Parameters
    ----------
    counts
        Ion counts (frame, detector, y, x), or a Dataset of corrected counts and their variance.
    translations
        Result of `infer_translations`, or numbers (frame, 2) from elsewhere: dy, dx in pixels.
    padding
        Pixels added on every side of the images; 0 if not given, 8 for "seed". With a padding of at
        least the largest translation no count leaves the canvas.
    method
        "correlation": by whole pixels, without wrap-around. "area": by parts of pixels, the count
        of a pixel shared out by area to the four on which it comes to lie; float64, never negative,
        sums are kept. Both leave 0 where there is no data, and the coordinate ``exposure`` (y, x)
        says how many frames cover a pixel. "seed": rolled around the padded edges. That of the
        translations if not given, "area" for floats.

    Returns
    -------
    xarray.DataArray or xarray.Dataset
        As given. Moved by whole pixels every count is kept as it is.

    Raises
    ------
    ValueError
        If the stack was aligned before or the translations do not fit.

    Notes
    -----
    Lazy; reads the stack once more after the translations are known. Moving by parts of pixels
    makes neighbours depend on each other. The variance is shared out like the counts: right for
    sums over regions (all but their rims), too large for single pixels. Corrections of the
    dead time belong before it.
    """
    marks = split(counts)[0]
    if was_done(marks.attrs, "apply_translations"):
        raise ValueError(
            "the stack was aligned before (see ds.mims.history); start from the cleaned one"
        )
    stack = any_stack(marks)
    shifts = dask_translations(translations, stack.sizes["frame"])
    others = translations.attrs if isinstance(translations, xr.DataArray) else {}
    chosen = _move_of(method, others.get("method"), shifts)
    border = padding if padding is not None else (8 if chosen == "seed" else 0)
    if border < 0:
        raise ValueError(f"padding must not be negative, it is {border}")
    if chosen == "area":
        shifts = shifts.astype(np.float64)
    coords = _grown_coords(stack, border)
    if chosen != "seed":
        known = by_name(ION_IMAGES)["exposure"]
        shape = (stack.sizes["y"], stack.sizes["x"])
        coords["exposure"] = (known.dims, exposure(shifts, shape, border), known.attrs())
    parameters = {"padding": border, "method": chosen}
    if not others:
        parameters["translations"] = "given"
    attrs = record(marks.attrs, "apply_translations", parameters, others={"translations": others})

    def move(part: xr.DataArray) -> xr.DataArray:
        moved = _MOVES[chosen](dask_stack(part), shifts, border)
        return xr.DataArray(moved, coords, stack.dims, part.name, attrs)

    return each(counts, move)


def _only_seed(
    reference: Any, iterations: int, subpixel: bool, bin_frames: int, region: Any
) -> bool:
    plain = isinstance(reference, str) and reference == "running" and region is None
    return plain and iterations == 0 and not subpixel and bin_frames == 1


def _move_of(wanted: str | None, made_by: str | None, shifts: da.Array) -> str:
    """Return how to move frames."""
    parts = shifts.dtype.kind == "f"
    method = wanted or ("area" if parts else made_by or "correlation")
    if method not in _MOVES:
        raise ValueError(f"method must be one of {tuple(_MOVES)}, not {method!r}")
    if parts and method != "area":
        raise ValueError(
            f'{method!r} moves by whole pixels, these are {shifts.dtype}; round them, or "area"'
        )
    return method


def _planes(counts: xr.DataArray, numbers: list[int]) -> da.Array:
    chosen = select_detectors(dask_stack(counts), numbers)
    wide = np.float64 if chosen.dtype.kind == "f" else np.int64
    return chosen[:, 0] if len(numbers) == 1 else chosen.sum(axis=1, dtype=wide)


def _grown_coords(stack: xr.DataArray, padding: int) -> dict[str, Any]:
    """Return the coordinates on a canvas that is larger by ``padding`` on every side."""
    coords: dict[str, Any] = {
        str(name): coord.variable
        for name, coord in stack.coords.items()
        if not {"y", "x"} & set(coord.dims)
    }
    for dim in ("y", "x"):
        if dim in stack.coords and stack.sizes[dim]:
            old = stack[dim].values
            step = old[1] - old[0] if len(old) > 1 else 1.0
            places = np.arange(-padding, len(old) + padding)
            coords[dim] = (dim, old[0] + places * step, stack[dim].attrs)
            if padding == 0:
                coords[dim] = stack[dim].variable
    return coords
