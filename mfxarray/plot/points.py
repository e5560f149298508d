"""Pictures of localizations: how many fall into each pixel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mfxarray.display import number, safe_text
from mfxarray.plot.figures import new_figure
from mfxarray.plot.panels import round_length

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["localizations"]

Array = np.ndarray[Any, Any]
Limits = tuple[tuple[float, float], tuple[float, float]]

_MOST_BINS = 600
_ZOOM_BINS = 300
_ZOOM_SHARE = 0.1
_MOST_PIXELS = 2**26


def localizations(
    ds: xr.Dataset,
    *,
    axes: Sequence[str] = ("x", "y"),
    limits_m: Limits | None = None,
    pixel_m: float | None = None,
    title: str = "",
) -> Figure:
    """Return a picture of how many localizations fall into each pixel, and its fullest part.

    Parameters
    ----------
    ds
        Localizations; those that a filter masked or that have no position are left out.
    axes
        Two of "x", "y", "z": to the right and upwards.
    limits_m
        Lowest and highest position along both axes, metres; found from the data if not given.
    pixel_m
        Size of a pixel, metres; by default 600 pixels for the longer side.
    title
        Put before the number of localizations.

    Notes
    -----
    Reads positions two or three times (limits, picture, fullest part), a block at a time; in memory
    are one histogram a thread and the picture.
    """
    points = _points(ds, axes)
    limits = _limits(points) if limits_m is None else limits_m
    size = [high - low for low, high in limits]
    pixel = max(size) / _MOST_BINS if pixel_m is None else pixel_m
    counts = _histogram(points, limits, pixel)
    zoom = _densest(counts, limits, max(size) * _ZOOM_SHARE)
    detail = _histogram(points, zoom, (zoom[0][1] - zoom[0][0]) / _ZOOM_BINS)
    figure = new_figure(12.4, 5.6)
    whole, part = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1.12, 1]})
    _density(figure, whole, counts, limits, axes, pixel)
    _density(figure, part, detail, zoom, axes, (zoom[0][1] - zoom[0][0]) / _ZOOM_BINS)
    _frame_zoom(whole, zoom, max(size))
    shown = f"{number(int(counts.sum()))} localizations"
    whole.set_title(f"{safe_text(title, 60)}: {shown}" if title else shown)
    part.set_title("the fullest part (white frame)")
    return figure


def _points(ds: xr.Dataset, axes: Sequence[str]) -> Any:
    """Return the positions of selected localizations, a dask array (row, 2); NaN else."""
    import dask.array as da

    from mfxarray.minflux.rows import dask_rows, last_iteration_of, used_rows

    names = [str(name) for name in ds["axis"].values]
    if len(axes) != 2 or any(name not in names for name in axes):
        raise ValueError(f"axes must be two of {', '.join(names)}, not {axes!r}")
    position = dask_rows(last_iteration_of(ds, "position"))
    used = used_rows(ds).rechunk({0: position.chunks[0]})
    chosen = position[:, [names.index(name) for name in axes]]
    return da.where(used[:, None], chosen, np.nan)


def _limits(points: Any) -> Limits:
    from mfxarray.chunked.histogram import plane_limits

    low, high = plane_limits(points).compute()
    if not np.isfinite([low, high]).all():
        raise ValueError("no localization is left to draw: all are masked or have no position")
    pad = 0.01 * max(float((high - low).max()), 1e-9)
    return ((low[0] - pad, high[0] + pad), (low[1] - pad, high[1] + pad))


def _histogram(points: Any, limits: Limits, pixel: float) -> Array:
    from mfxarray.chunked.histogram import plane_histogram

    if not pixel > 0 or any(high <= low for low, high in limits):
        raise ValueError("a pixel must be larger than 0, and limits (low, high) with low < high")
    bins = [max(math.ceil((high - low) / pixel - 1e-9), 1) for low, high in limits]
    if bins[0] * bins[1] > _MOST_PIXELS:
        raise ValueError(f"{bins[0]} x {bins[1]} pixels are too many; give a larger pixel")
    return np.asarray(plane_histogram(points, limits, (bins[0], bins[1])).compute())


def _densest(counts: Array, limits: Limits, size: float) -> Limits:
    """Return the window, ``size`` metres wide, in which most pixels have localizations."""
    from scipy.ndimage import uniform_filter

    pixels = [(high - low) / bins for (low, high), bins in zip(limits, counts.shape, strict=True)]
    window = [max(round(size / pixel), 1) for pixel in pixels]
    around = uniform_filter((counts > 0).astype(float), window, mode="constant")
    best = np.unravel_index(int(np.argmax(around)), counts.shape)
    middle = [low + (at + 0.5) * p for (low, _), at, p in zip(limits, best, pixels, strict=True)]
    (left, right), (bottom, top) = ((m - size / 2, m + size / 2) for m in middle)
    return ((left, right), (bottom, top))


def _density(
    figure: Figure, place: Axes, counts: Array, limits: Limits, axes: Sequence[str], pixel: float
) -> None:
    from matplotlib.colors import PowerNorm

    scale, unit = (1e6, "µm") if limits[0][1] - limits[0][0] > 2e-6 else (1e9, "nm")
    filled = counts[counts > 0]
    top = max(float(np.percentile(filled, 95)), 2.0) if filled.size else 2.0
    (left, right), (low, high) = limits
    extent = (left * scale, right * scale, low * scale, high * scale)
    shown = place.imshow(
        counts.T,
        origin="lower",
        extent=extent,
        cmap="inferno",
        norm=PowerNorm(0.5, 0, top),
        interpolation="antialiased",
    )
    place.set(xlabel=f"{axes[0]} / {unit}", ylabel=f"{axes[1]} / {unit}")
    label = f"localizations in a pixel of {pixel * 1e9:.2g} nm"
    figure.colorbar(shown, ax=place, label=label, extend="max", shrink=0.9)
    _scale_bar(place, limits, scale)


def _scale_bar(place: Axes, limits: Limits, scale: float) -> None:
    width, height = (high - low for low, high in limits)
    length = round_length(width / 5)
    name = f"{length * 1e6:g} µm" if length >= 1e-6 else f"{length * 1e9:.3g} nm"
    right, bottom = limits[0][1] - 0.04 * width, limits[1][0] + 0.05 * height
    xs = [(right - length) * scale, right * scale]
    place.plot(xs, [bottom * scale] * 2, color="w", lw=3, solid_capstyle="butt")
    at = (np.mean(xs), (bottom + 0.02 * height) * scale)
    place.annotate(name, at, color="w", ha="center", va="bottom", fontsize=9)


def _frame_zoom(place: Axes, zoom: Limits, size: float) -> None:
    scale = 1e6 if size > 2e-6 else 1e9
    (left, right), (bottom, top) = zoom
    xs = np.array([left, right, right, left, left]) * scale
    place.plot(xs, np.array([bottom, bottom, top, top, bottom]) * scale, color="w", lw=0.8)
