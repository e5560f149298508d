"""The table of a resolution: curves, thresholds and numbers, made lazily from sums over rings."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.resolution import coefficients
from mfxarray.kernels.resolution.ring_curves import (
    correlation,
    crossing,
    mean_interval,
    smoothed,
    threshold_curve,
)
from mfxarray.kernels.resolution.ring_fields import Field
from mfxarray.minflux.resolution.settings import ResolutionSettings
from mfxarray.provenance import record

__all__ = ["resolution_table"]

Array = np.ndarray[Any, Any]

_TOLD = {
    "correlation": ("1", "Fourier ring correlation of both halves"),
    "correlation_smoothed": ("1", "smoothed Fourier ring correlation"),
    "threshold": ("1", "threshold of the correlation"),
    "coefficients": ("1", "independent Fourier coefficients in a ring"),
    "resolution": ("m", "resolution"),
    "resolution_mean": ("m", "mean resolution"),
    "resolution_low": ("m", "lower end of the interval of the mean resolution"),
    "resolution_high": ("m", "upper end of the interval of the mean resolution"),
    "resolution_deviation": ("m", "standard deviation of the resolution of a split"),
    "resolution_of_mean": ("m", "resolution of the mean correlation"),
    "points": ("1", "points in each half"),
}


def resolution_table(
    attrs: Mapping[Any, Any],
    dim: str,
    sums: tuple[da.Array, da.Array],
    field: Field,
    settings: ResolutionSettings,
    confidence: float,
    parameters: Mapping[str, Any],
    until: Array | None = None,
) -> xr.Dataset:
    """Return the Dataset of `mfxarray.minflux.resolution.correlate.resolution`.

    Parameters
    ----------
    attrs
        Of the data.
    dim
        Dimension of the points.
    sums
        Of `mfxarray.chunked.resolution.sums_of_halves`.
    field, settings
        How they were found.
    confidence
        Of the interval.
    parameters
        For the record.
    until
        Times of the steps, seconds; None if there is one step and no such dimension.

    Raises
    ------
    ValueError
        If the confidence is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, not {confidence!r}")
    made, points = sums
    found = _curves(made if until is not None else made[0], field, settings, confidence)
    found["points"] = (("repeat", "half"), points if until is not None else points[0])
    variables: dict[str, Any] = {}
    for name, (dims, data) in found.items():
        units, meaning = _TOLD[name]
        several = until is not None and name not in ("threshold", "coefficients")
        all_dims = (("until",) if several else ()) + tuple(dims)
        variables[name] = (all_dims, data, {"units": units, "long_name": meaning})
    told = _attrs(dim, field, settings, confidence)
    coords: dict[str, Any] = {
        "frequency": (
            "frequency",
            field.rings.frequency,
            {"units": "1/m", "long_name": "spatial frequency"},
        )
    }
    if until is not None:
        coords["until"] = ("until", until, {"units": "s", "long_name": "points before this time"})
    step = "resolution" if until is None else "resolution_over_time"
    return xr.Dataset(variables, coords, {**record(attrs, step, parameters), **told})


def _curves(
    sums: da.Array, field: Field, settings: ResolutionSettings, confidence: float
) -> dict[str, Any]:
    """Return names, dimensions and lazy values; sums have the shape (..., repeat, 3, ring)."""
    known = coefficients(field)
    limit = _lazy(partial(threshold_curve, settings.threshold), known)
    smooth = partial(
        smoothed, window=settings.window(field.rings.width), first=settings.first_smoothed
    )
    cross = partial(_crossing, width=field.rings.width, interpolate=settings.interpolate)
    curve = _lazy(correlation, sums, drop=sums.ndim - 2)
    even = _lazy(smooth, curve)
    each = _lazy(cross, even, limit, drop=even.ndim - 1)
    mean_curve = _lazy(partial(_mean_of, smooth=smooth), curve, drop=curve.ndim - 2)
    of_mean = _lazy(cross, mean_curve, limit, drop=mean_curve.ndim - 1)
    ends = [
        _lazy(partial(_end, confidence=confidence, which=which), each, drop=each.ndim - 1)
        for which in range(3)
    ]
    deviation = _lazy(_deviation, each, drop=each.ndim - 1)
    return {
        "correlation": (("repeat", "frequency"), curve),
        "correlation_smoothed": (("repeat", "frequency"), even),
        "threshold": (("frequency",), limit),
        "coefficients": (("frequency",), known),
        "resolution": (("repeat",), each),
        "resolution_mean": ((), ends[0]),
        "resolution_low": ((), ends[1]),
        "resolution_high": ((), ends[2]),
        "resolution_deviation": ((), deviation),
        "resolution_of_mean": ((), of_mean),
    }


def _lazy(work: Any, *arrays: da.Array, drop: int | None = None) -> da.Array:
    """Return what ``work`` makes of arrays that are one block each, without an axis of the first.

    The others belong to the last axis of the first.
    """
    first = arrays[0].rechunk(-1)
    axes = "abcd"[: first.ndim]
    left = axes if drop is None else axes[:drop] + axes[drop + 1 :]
    pairs: list[Any] = [first, axes]
    for other in arrays[1:]:
        pairs += [other.rechunk(-1), axes[-1:]]
    meta = np.empty((0,) * len(left))
    return da.blockwise(work, left, *pairs, dtype=float, meta=meta, concatenate=True)


def _crossing(curve: Array, limit: Array, *, width: float, interpolate: bool) -> Array:
    return crossing(curve, limit, width, interpolate=interpolate)


def _mean_of(curve: Array, *, smooth: Any) -> Array:
    return np.asarray(smooth(curve.mean(axis=-2)))


def _end(values: Array, *, confidence: float, which: int) -> Array:
    return np.asarray(mean_interval(values, confidence)[..., which])


def _deviation(values: Array) -> Array:
    if values.shape[-1] < 2:
        return np.full(values.shape[:-1], np.nan)
    return np.asarray(values.std(axis=-1, ddof=1))


def _attrs(
    dim: str, field: Field, settings: ResolutionSettings, confidence: float
) -> dict[str, Any]:
    """Return what a reader must know about the numbers."""
    grid = field.grid
    sides = [size * n for size, n in zip(grid.size, grid.shape, strict=True)]
    low = [float(first) for first in grid.first]
    high = [first + side for first, side in zip(low, sides, strict=True)]
    window = settings.window(field.rings.width)
    smoothing = "none" if window == 1 else f"Savitzky-Golay, order 1, {window} rings"
    return {
        "split": settings.split if dim == "localization" else "trace",
        "of": dim,
        "dimensions": len(grid.shape),
        "pixel": [float(size) for size in grid.size[::-1]],
        "field_low": low[::-1],
        "field_high": high[::-1],
        "tiles": field.tiles.count,
        "transformed_pixels": list(field.rings.shape[::-1]),
        "ring_width": field.rings.width,
        "threshold": settings.threshold,
        "smoothing": smoothing,
        "interpolated": str(settings.interpolate),
        "interval": f"t interval of the mean over splits, {confidence:.0%}",
    }
