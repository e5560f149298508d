"""Pictures of channels: the mixture that told them apart, and where their localizations are."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from mfxarray.display import number
from mfxarray.plot.figures import new_figure
from mfxarray.plot.panels import plain_text, round_length

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["channels"]

Array = np.ndarray[Any, Any]

# told apart on black and on white, also by people who see no red or green (Okabe and Ito 2008)
_COLORS = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#F0E442", "#0072B2")
_UNITS = {"m": (1e9, "nm"), "Hz": (1e-3, "kHz"), "1": (1.0, "")}
_BARS = 90
# share of the values beside the picture, on either side, where a few lie far out
_BESIDE = 0.001
_MAP_PIXELS = 450
_GAMMA = 0.5
_BRIGHTEST = 95.0


def channels(fit: xr.Dataset, ds: xr.Dataset | None = None, *, title: str = "") -> Figure:
    """Return a histogram of values with the mixture, and a map of the channels beside it.

    Parameters
    ----------
    fit
        Result of `mfxarray.minflux.channels.mixture.fit_mixture` or of `choose_components`.
    ds
        Result of `mfxarray.minflux.channels.mixture.assign_channels`, for the map.
    title
        Above the picture, before its numbers.

    Raises
    ------
    ValueError
        If they are something else, or there is nothing to draw on the map.

    Notes
    -----
    Computes the fit; of ``ds`` positions and channels are read, a block at a time.
    """
    if not {"mean", "width", "fraction", "counts", "edges"} <= set(fit.variables):
        raise ValueError("a picture of channels is made of the result of fit_mixture")
    if ds is not None and "channel" not in ds:
        raise ValueError("the data have no channel; give the result of assign_channels")
    shown = fit.compute()
    figure = new_figure(7.6 if ds is None else 14.2, 5.6)
    places = figure.subplots(1, 1 if ds is None else 2, squeeze=False)[0]
    _histogram(places[0], shown)
    if ds is not None:
        _map(places[1], ds)
    heading = textwrap.fill(_heading(shown), 80 if ds is None else 160)
    figure.suptitle(f"{plain_text(title, 80)}\n{heading}" if title else heading, fontsize=11)
    return figure


def _heading(shown: xr.Dataset) -> str:
    count, per = int(shown["components"]), str(shown.attrs["per"])
    how = f" ({shown.attrs['statistic']} of the trace)" if per == "trace" else ""
    facts = [
        f"{count} component{'s' if count > 1 else ''} of {plain_text(shown.attrs['field'], 30)}"
        f"{how}, {number(int(shown['n']))} {per}s"
    ]
    if count > 1:
        facts.append(f"expected in the wrong one {float(shown['misassigned']):.1%}")
    facts.append(f"rms misfit {float(shown['rmse_relative']):.1%} of the highest density")
    return "; ".join(facts)


def _histogram(place: Axes, shown: xr.Dataset) -> None:
    scale, unit = _UNITS.get(shown.attrs["units"], (1.0, shown.attrs["units"]))
    counts, edges, beyond = _bars(shown)
    total, width = int(shown["counts"].sum()), edges[1] - edges[0]
    density = counts / (total * width)
    place.stairs(density / scale, edges * scale, fill=True, color="0.82")
    x = np.linspace(edges[0], edges[-1], 800)
    curves = _curves(shown, x) / scale
    for part, curve in enumerate(curves.T):
        colour = _COLORS[part % len(_COLORS)]
        place.plot(x * scale, curve, color=colour, lw=2.0, label=_name(shown, part, scale))
    if curves.shape[1] > 1:
        place.plot(x * scale, curves.sum(axis=1), color="k", lw=1.0, label="sum")
    _boundaries(place, shown, scale)
    place.set_xlim(edges[0] * scale, edges[-1] * scale)
    place.set_ylim(0, 1.32 * max(density.max(), curves.sum(axis=1).max()) / scale)
    field = plain_text(shown.attrs["field"], 30)
    place.set_xlabel(f"{field} / {unit}" if unit else field)
    place.set_ylabel(f"density / (1/{unit})" if unit else "density")
    if beyond >= 0.0005:
        at: dict[str, Any] = {"transform": place.transAxes, "ha": "right", "va": "bottom"}
        place.text(0.985, 0.01, f"{beyond:.1%} beside", fontsize=8, color="0.3", **at)
    place.legend(loc="upper left", fontsize=8, frameon=False)


def _curves(shown: xr.Dataset, x: Array) -> Array:
    """Return the density of each component times its share, shape (x, component)."""
    used = slice(int(shown["components"]))
    mean, width, share = (shown[name].values[used] for name in ("mean", "width", "fraction"))
    heights = share / (width * np.sqrt(2 * np.pi))
    return np.asarray(heights * np.exp(-0.5 * ((x[:, None] - mean) / width) ** 2))


def _bars(shown: xr.Dataset) -> tuple[Array, Array, float]:
    """Return counts and edges of bars wide enough to be seen, and the share of values beside."""
    counts, edges = shown["counts"].values, shown["edges"].values
    reached = np.cumsum(counts) / max(counts.sum(), 1)
    first = int(np.searchsorted(reached, _BESIDE))
    last = int(np.searchsorted(reached, 1.0 - _BESIDE)) + 1
    margin = max((last - first) // 8, 1)
    first, last = max(first - margin, 0), min(last + margin, len(counts))
    joined = max((last - first) // _BARS, 1)
    last = first + (last - first) // joined * joined
    kept = counts[first:last].reshape(-1, joined).sum(axis=1)
    return kept, edges[first : last + 1 : joined], 1.0 - kept.sum() / max(counts.sum(), 1)


def _name(shown: xr.Dataset, part: int, scale: float) -> str:
    mean, width = (float(shown[name][part]) * scale for name in ("mean", "width"))
    error, share = float(shown["mean_error"][part]) * scale, float(shown["fraction"][part])
    told = f" ± {error:.1g}" if np.isfinite(error) else ""
    return f"{part}: mean {mean:.4g}{told}, width {width:.3g}, {share:.1%}"


def _boundaries(place: Axes, shown: xr.Dataset, scale: float) -> None:
    known = shown["boundary"].values[: int(shown["components"]) - 1] * scale
    told = [f"{value:.4g}" if np.isfinite(value) else "none" for value in known]
    for number_of, value in enumerate(known[np.isfinite(known)]):
        label = f"boundary {', '.join(told)}" if number_of == 0 else None
        place.axvline(value, color="0.25", lw=1.2, ls="--", label=label)
    if len(known) and not np.isfinite(known).any():
        place.plot([], [], " ", label="no boundary: one is denser at both means")


def _map(place: Axes, ds: xr.Dataset) -> None:
    image, limits, unused = _image(ds)
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Patch

    scale, unit = (1e6, "µm") if limits[0][1] - limits[0][0] > 2e-6 else (1e9, "nm")
    filled = [one[one > 0] for one in image]
    tops = [max(float(np.percentile(one, _BRIGHTEST)), 2.0) if one.size else 1.0 for one in filled]
    bright = np.clip(image / np.array(tops)[:, None, None], 0, 1) ** _GAMMA
    colours = [_COLORS[one % len(_COLORS)] for one in range(len(image))]
    total = np.tensordot(bright, np.array([to_rgb(one) for one in colours]), axes=(0, 0))
    (left, right), (bottom, top) = ((a * scale, b * scale) for a, b in limits)
    extent = (left, right, bottom, top)
    place.imshow(np.clip(total, 0, 1), origin="lower", extent=extent, interpolation="nearest")
    sums = image.sum(axis=(1, 2))
    what = "localizations" if "localization" in ds.dims else "traces"
    every = max(int(sums.sum()) + unused, 1)
    handles = [
        Patch(color=colour, label=f"channel {one}: {number(int(n))} {what}, {n / every:.1%}")
        for one, (colour, n) in enumerate(zip(colours, sums, strict=True))
    ]
    label = f"none: {number(unused)} (not shown), {unused / every:.1%}"
    handles.append(Patch(color="0.15", label=label))
    look: dict[str, Any] = {"labelcolor": "w", "facecolor": "0.15", "edgecolor": "0.4"}
    place.legend(handles=handles, loc="upper left", fontsize=8, **look)
    place.set(xlabel=f"x / {unit}", ylabel=f"y / {unit}")
    _scale_bar(place, limits, scale)


def _image(ds: xr.Dataset) -> tuple[Array, list[tuple[float, float]], int]:
    """Return points in each pixel, shape (channel, y, x), the limits, and those of no channel."""
    import dask.array as da
    from dask.base import compute

    from mfxarray.chunked.histogram import plane_limits
    from mfxarray.minflux.points import points_of
    from mfxarray.minflux.rendering.render import pixel_edges, render

    points = points_of(ds)
    channel = points.column(ds["channel"])
    place = da.where((points.used & (channel >= 0))[:, None], points.position[:, :2], np.nan)
    missing = (points.used & (channel < 0)).sum()
    (low, high), highest, unused = compute(plane_limits(place), channel.max(), missing)
    if highest < 0:
        raise ValueError("no point has a channel, so there is nothing to draw on a map")
    side = max(float((high - low).max()), 1e-9)
    ends = [
        (float(a - 0.01 * side), float(b + 0.01 * side)) for a, b in zip(low, high, strict=True)
    ]
    wanted = list(range(int(highest) + 1))
    pixel = side / _MAP_PIXELS
    image = render(ds, pixel=pixel, limits=ends, color="channel", channels=wanted).compute()
    edges = [pixel_edges(image, name) for name in ("x", "y")]
    found = [(float(one[0]), float(one[-1])) for one in edges]
    return image.values.astype(float), found, int(unused)


def _scale_bar(place: Axes, limits: list[tuple[float, float]], scale: float) -> None:
    from matplotlib.patheffects import withStroke

    (left, right), (bottom, top) = limits
    length = round_length((right - left) / 4)
    name = f"{length * 1e6:g} µm" if length >= 0.999e-6 else f"{length * 1e9:.3g} nm"
    end, at = right - 0.04 * (right - left), bottom + 0.04 * (top - bottom)
    rim = [withStroke(linewidth=4.5, foreground="k", alpha=0.8)]
    xs = [(end - length) * scale, end * scale]
    place.plot(xs, [at * scale] * 2, color="w", lw=2.5, solid_capstyle="butt", path_effects=rim)
    above = ((end - length / 2) * scale, (at + 0.015 * (top - bottom)) * scale)
    text = place.annotate(name, above, color="w", ha="center", va="bottom", fontsize=9)
    text.set_path_effects([withStroke(linewidth=1.8, foreground="k", alpha=0.8)])
