"""The resolution of localizations by Fourier ring correlation, and how it grows with time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import compute

from mfxarray.chunked.points import Points as Places
from mfxarray.chunked.points import extent_of
from mfxarray.chunked.quantiles import quantiles
from mfxarray.chunked.resolution import Split, sums_of_halves
from mfxarray.kernels.rendering.grids import Grid
from mfxarray.kernels.resolution.ring_fields import Field, field_of
from mfxarray.minflux.points import Points, points_of
from mfxarray.minflux.rendering.grid import backwards, grid_around, grid_within
from mfxarray.minflux.resolution.settings import (
    Limits,
    ResolutionSettings,
    resolution_settings,
)
from mfxarray.minflux.resolution.table import resolution_table

__all__ = ["resolution", "resolution_over_time"]

# less than this to a side has no rings to speak of
_LEAST_PIXELS = 16


def resolution(
    ds: xr.Dataset,
    *,
    pixel: float | Sequence[float] | None = None,
    split: str | None = None,
    repeats: int | None = None,
    seed: int = 0,
    threshold: float | str | None = None,
    smoothing: int | None = None,
    limits: float | Sequence[tuple[float, float]] | None = None,
    dimensions: int = 2,
    preset: str | ResolutionSettings = "default",
    confidence: float = 0.95,
    tile: int | None = None,
    **changes: Any,
) -> xr.Dataset:
    """Return the Fourier ring correlation of random halves, and where it falls below a threshold.

    Parameters
    ----------
    ds
        Localizations, of which those count that are valid, have a position, and were masked by no
        filter; or a table of traces, of which all do that have a centroid.
    pixel
        Side of a pixel, metres, 1 nm by default; or one for each axis, x first.
    split
        "trace" (default): all localizations of a trace go into the same half. "localization": each
        goes by itself, which makes both halves share the error of each trace and is what most
        published figures are. Every row of a table of traces is one trace.
    repeats
        Number of random splits, 8 by default.
    seed
        Another seed, other splits. The half of a trace depends on the seed, its wash and its tid
        only; that of a localization, on the seed and its row.
    threshold
        1/7 by default; any number between 0 and 1, or "half-bit", "one-bit", "three-sigma".
    smoothing
        Rings over which the curve is smoothed before the threshold is looked for, odd; 1 for none.
        By default as many as span 3.5e6 1/m, which is what the seed takes, and at least 7.
    limits
        (low, high) in metres for each axis, x first; or the share of the points that may lie beyond
        each side; by default all points are inside.
    dimensions
        2 for rings in the plane, 3 for shells.
    preset
        "default", or "seed": the parameters of the MATLAB code of the seed (split by localization,
        limits 0.01, rings of 5e5 1/m, corners of the spectrum, resolution of the first ring below
        1/7), without its mistakes.
    confidence
        Of the interval of the mean.
    tile
        Pixels to a side, a power of two, of the images that are transformed one by one. By default
        the whole field is one up to 2^25 pixels, and beyond that 4096 in 2D and 256 in 3D.
    **changes
        Further parameters that differ from the preset, see `ResolutionSettings`.

    Returns
    -------
    xarray.Dataset
        ``correlation`` and ``correlation_smoothed`` (repeat, frequency); ``threshold`` and
        ``coefficients``, the number of independent Fourier coefficients (frequency); ``resolution``
        (repeat) in metres; ``resolution_mean``, ``resolution_low`` and ``resolution_high``, the
        t interval of the mean over the splits; ``resolution_deviation``, the standard deviation of
        a single split (ddof 1); ``resolution_of_mean``, that of the mean curve; ``points``
        (repeat, half).

    Raises
    ------
    ValueError
        If a parameter is wrong, nothing is left, or the field has too few pixels.

    Notes
    -----
    Lazy if limits are given in metres. Otherwise the number of pixels, and so of rings, must be
    found at once: one pass over the positions for the extent, two for a share of the points.

    One further pass over the points, each of which waits for its image as 9 bytes (8 repeats), in
    files if all are more than 128 MiB. A task holds one image and two spectra, 12 bytes a pixel of
    a tile: 0.4 GB at most for a field in one piece, 0.2 GB for a tile of 4096 by 4096 or of
    256 by 256 by 256. The same bits for every chunking and any number of workers.

    In tiles, the sums over rings are added before they are divided, so tiles with more points weigh
    more, as in the whole. Rings are then as wide as 1 over the side of a tile, and what correlates
    over longer distances is not seen: give tiles at least 20 times as long as the resolution.

    The interval is about the splits: how far the mean over few of them is from the mean over all
    splits of the same data. Another measurement of the same sample scatters more. ``resolution`` is
    NaN where the curve nowhere falls below the threshold (pixels too large) or begins below it
    (nothing in common); then so is the mean.

    References
    ----------
    R. P. J. Nieuwenhuizen et al., "Measuring image resolution in optical nanoscopy", Nature Methods
    10, 557 (2013).
    L. M. Ostersehlt et al., "DNA-PAINT MINFLUX nanoscopy", Nature Methods 19, 1072 (2022).

    Examples
    --------
    >>> found = ds.mfx.resolution(split="trace")  # doctest: +SKIP
    >>> float(found["resolution_mean"]) * 1e9  # doctest: +SKIP
    """
    changes |= {
        "pixel": _plain(pixel),
        "split": split,
        "repeats": repeats,
        "limits": _plain(limits),
    }
    settings = resolution_settings(
        preset, {**changes, "threshold": threshold, "smoothing": smoothing}
    )
    points = points_of(ds)
    field = _field(points, settings, dimensions, tile)
    halves = Split(_checked_seed(seed), settings.repeats, _keys(ds, points, settings.split))
    sums = sums_of_halves(points.used, points.position, field, halves)
    parameters = {"preset": _name(preset), **settings.parameters(), "seed": seed}
    return resolution_table(ds.attrs, points.dim, sums, field, settings, confidence, parameters)


def resolution_over_time(
    ds: xr.Dataset, times: Sequence[float] | int, **parameters: Any
) -> xr.Dataset:
    """Return the resolution of what was recorded up to each of some times.

    Parameters
    ----------
    ds
        As for `resolution`; the time of a trace is its ``mean_time``.
    times
        Seconds on the clock of ``tim``; points before each of them count. Or how many, equally
        spaced up to the last point.
    **parameters
        Of `resolution`.

    Returns
    -------
    xarray.Dataset
        As that of `resolution`, with one more dimension ``until``, the times in seconds. Field,
        rings and splits are the same for all.

    Raises
    ------
    ValueError
        If times do not rise, or a parameter is wrong.

    Notes
    -----
    As `resolution`; points are read once for all times. A number of times costs one more pass.
    """
    seed, tile = parameters.pop("seed", 0), parameters.pop("tile", None)
    preset, dimensions = parameters.pop("preset", "default"), parameters.pop("dimensions", 2)
    confidence = parameters.pop("confidence", 0.95)
    plain = {name: _plain(value) for name, value in parameters.items()}
    settings = resolution_settings(preset, plain)
    points = points_of(ds)
    tim = points.column(_time_of(ds))
    ends = _ends(points, tim, times)
    field = _field(points, settings, dimensions, tile)
    halves = Split(_checked_seed(seed), settings.repeats, _keys(ds, points, settings.split))
    step = da.map_blocks(_step, tim, ends, dtype=np.int32, meta=np.empty(0, np.int32))
    used = points.used & da.isfinite(tim)
    sums = sums_of_halves(used, points.position, field, halves, (step, len(ends)))
    told = {"preset": _name(preset), **settings.parameters(), "seed": seed, "times": ends.tolist()}
    return resolution_table(ds.attrs, points.dim, sums, field, settings, confidence, told, ends)


def _plain(value: Any) -> Any:
    """Return lists as tuples of floats, so that settings can be compared."""
    if isinstance(value, list | tuple | np.ndarray):
        return tuple(_plain(one) for one in value)
    return float(value) if isinstance(value, np.number) else value


def _name(preset: str | ResolutionSettings) -> str:
    return preset if isinstance(preset, str) else "own"


def _checked_seed(seed: int) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise ValueError(f"seed must be a whole number, not {seed!r}")
    return int(seed)


def _keys(ds: xr.Dataset, points: Points, split: str) -> tuple[da.Array, ...]:
    """Return what rows that stay together have in common: wash, where there is one, and tid."""
    if split == "localization":
        return ()
    if "tid" not in ds.variables:
        raise ValueError('a split by trace needs tid; or take split="localization"')
    known = "wash" in ds.variables and ds["wash"].dims == (points.dim,)
    return tuple(points.column(ds[name]) for name in (("wash",) if known else ()) + ("tid",))


def _field(
    points: Points, settings: ResolutionSettings, dimensions: int, tile: int | None
) -> Field:
    if dimensions not in (2, 3):
        raise ValueError(f"dimensions must be 2 or 3, not {dimensions!r}")
    sizes = backwards(settings.pixel, dimensions, "pixel")
    grid = _grid(points, settings.limits, sizes, settings.least_side)
    if min(grid.shape) < _LEAST_PIXELS:
        raise ValueError(
            f"the field has {' x '.join(map(str, grid.shape))} pixels, but a resolution needs "
            f"{_LEAST_PIXELS} to each side: give smaller pixels, or dimensions=2 for a thin sample"
        )
    return field_of(
        grid,
        width=settings.ring_width,
        tile=tile,
        corners=settings.corners,
        pad=settings.pad,
    )


def _grid(points: Points, limits: Limits, sizes: Sequence[float], least_side: float) -> Grid:
    """Return the pixels of the field; this computes unless the limits are given."""
    columns = tuple(range(len(sizes)))[::-1]
    if isinstance(limits, tuple):
        return grid_within(limits, sizes)
    if limits is None:
        places = Places(points.used, points.position)
        return grid_around(extent_of(places, columns, [0.0] * len(sizes)).compute(), sizes)
    ends = [
        quantiles(points.position[:, axis], points.used, (limits, 1 - limits), hazen=True)
        for axis in sorted(columns)
    ]
    found = []
    for n, low, high in compute(*ends):
        if not n:
            raise ValueError("no point is left to find a resolution from; loosen the filters")
        wider = max(least_side - (high - low), 0.0) / 2
        found.append((float(low - wider), float(high + wider)))
    return grid_within(found, sizes)


def _time_of(ds: xr.Dataset) -> xr.DataArray:
    for name in ("tim", "mean_time"):
        if name in ds.variables:
            return ds[name]
    raise ValueError("there is no time: neither tim nor mean_time")


def _ends(points: Points, tim: da.Array, times: Sequence[float] | int) -> np.ndarray[Any, Any]:
    if isinstance(times, int):
        if times < 1:
            raise ValueError(f"times must be at least one, not {times!r}")
        known = points.used & da.isfinite(tim)
        last = float(da.where(known, tim, -np.inf).max().compute())
        if not np.isfinite(last):
            raise ValueError("no point with a time is left; loosen the filters")
        # the last point is before the last time
        return np.append(np.arange(1, times) * (last / times), np.nextafter(last, np.inf))
    ends = np.asarray(times, float)
    if ends.ndim != 1 or not len(ends) or not np.isfinite(ends).all() or (np.diff(ends) <= 0).any():
        raise ValueError("times must be seconds that rise from one to the next")
    return ends


def _step(tim: np.ndarray[Any, Any], ends: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the number of the first time that each point is before."""
    return np.searchsorted(ends, tim, side="right").astype(np.int32)
