"""The statistics of a measurement on one page."""

from __future__ import annotations

import math
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

__all__ = ["statistics"]

Array = np.ndarray[Any, Any]
Ends = tuple[float, float]

_NM = 1e-9
_UNITS = {"m": (1e9, "nm"), "Hz": (1e-3, "kHz"), "s": (1.0, "s"), "1": (1.0, "")}
# title, label of the axis, colour
_PANELS = {
    "fbg": ("background", "background", "C0"),
    "cfr": ("cfr", "centre-to-periphery frequency ratio", "C0"),
    "t_scan": ("t_scan", "time between traces", "C1"),
    "t_loc": ("t_loc", "duration of a trace", "C1"),
    "localizations_per_trace": ("localizations in a trace", "localizations in a trace", "C1"),
    "sigma_x": ("spread x", "spread along x", "C2"),
    "sigma_y": ("spread y", "spread along y", "C2"),
    "sigma_z": ("spread z", "spread along z", "C2"),
    "sigma_r": ("spread xy", "spread in the plane", "C2"),
    "standard_error_r": ("error xy", "standard error in the plane", "C4"),
    "standard_error_z": ("error z", "standard error along z", "C4"),
    "standard_error_xyz": ("error xyz", "standard error in space", "C4"),
}
_LAYOUT = [
    ["image", "image", "fbg", "cfr", "t_scan"],
    ["image", "image", "t_loc", "localizations_per_trace", "sigma_r"],
    ["drift", "drift", "sigma_x", "sigma_y", "sigma_z"],
    ["frc", "frc", "standard_error_r", "standard_error_z", "standard_error_xyz"],
]
_LOGARITHMIC = "localizations_per_trace"
_OF_LOCALIZATIONS = ("fbg", "cfr")
_SHARE_OF_MOST = 0.5
# a pixel that is to be seen on a page is one of so many along a side
_SEEN_PIXELS = 360
_AXIS_COLOURS = {"x": "C0", "y": "C1", "z": "C2"}


def statistics(sheet: xr.Dataset, *, title: str = "") -> Figure:
    """Return a page with all panels of a statistics sheet.

    Parameters
    ----------
    sheet
        Result of `mfxarray.minflux.sheet.sheet.statistics`.
    title
        Above the page, before its totals; the name of the file if not given.

    Raises
    ------
    ValueError
        If it is something else.

    Notes
    -----
    Computes the sheet.
    """
    if "fraction_valid" not in sheet or "image" not in sheet:
        raise ValueError("a page is made of the result of statistics")
    shown = sheet.compute()
    figure = new_figure(17.0, 12.0)
    places = figure.subplot_mosaic(_LAYOUT)  # type: ignore[arg-type]
    _image(figure, places["image"], shown)
    for name in _PANELS:
        _histogram(places[name], shown, name)
    _drift(places["drift"], shown)
    _frc(places["frc"], shown)
    for name, place in places.items():
        place.tick_params(labelsize=9 if name == "image" else 8)
    name = title or str(shown.attrs.get("source_file", ""))
    figure.suptitle(_heading(shown, plain_text(name)), fontsize=14)
    notes = _notes(shown)
    if notes:
        figure.supxlabel(notes, fontsize=8.5, color="0.3", x=0.01, ha="left")
    return figure


def _heading(shown: xr.Dataset, name: str) -> str:
    valid = float(shown["fraction_valid"])
    facts = [
        f"{number(int(shown['localizations']))} localizations",
        f"{number(int(shown['traces']))} traces",
        f"{int(shown['dimensions'])}D",
        f"valid: {'unknown' if math.isnan(valid) else f'{valid:.1%}'}",
    ]
    return "    ".join([f"{name}:" if name else "", *facts]).strip()


def _notes(shown: xr.Dataset) -> str:
    lines = [f"• {plain_text(note, 600)}" for note in shown.attrs.get("notes", [])]
    if int(shown["dimensions"]) == 3:
        scaling = float(shown.attrs.get("z_scaling", 1.0))
        told = "as stored, not scaled" if scaling == 1.0 else f"scaled by {scaling:g}"
        lines.append(f"• z: {told}")
    return "\n".join(textwrap.fill(line, 210, subsequent_indent="   ") for line in lines)


def _image(figure: Figure, place: Axes, shown: xr.Dataset) -> None:
    from matplotlib.colors import PowerNorm

    counts, pixel, (x, y) = _seen(shown["image"])
    scale, unit = (1e6, "µm") if x[1] - x[0] > 2e-6 else (1e9, "nm")
    drawn = place.imshow(
        counts,
        origin="lower",
        extent=(x[0] * scale, x[1] * scale, y[0] * scale, y[1] * scale),
        cmap="hot",
        # a root, because few places have many localizations
        norm=PowerNorm(0.5, 0.0, max(_SHARE_OF_MOST * float(counts.max()), 1.0)),
        interpolation="nearest",
    )
    place.set(xlabel=f"x / {unit}", ylabel=f"y / {unit}", facecolor="k")
    beside = place.inset_axes((1.02, 0.0, 0.03, 1.0))
    bar = figure.colorbar(drawn, cax=beside, extend="max")
    bar.set_label(f"localizations in a pixel of {pixel / _NM:.3g} nm", fontsize=9)
    beside.tick_params(labelsize=8)
    _scale_bar(place, (x, y), scale)
    duration, rate = float(shown["duration"]), float(shown["event_rate"])
    told = "" if math.isnan(rate) else f", {rate:.3g} events / s"
    place.set_title(
        f"{number(int(shown['traces']))} events in {_time(duration)}{told}", fontsize=11
    )


def _seen(image: xr.DataArray) -> tuple[Array, float, tuple[Ends, Ends]]:
    """Return the counts of pixels large enough to be seen, their size, and the ends of x and y."""
    values = image.transpose("image_y", "image_x").values
    pixel = float(image.attrs["pixel_m"])
    factor = max(math.ceil(max(values.shape) / _SEEN_PIXELS), 1)
    short = [-length % factor for length in values.shape]
    padded = np.pad(values, [(0, short[0]), (0, short[1])])
    rows, columns = (length // factor for length in padded.shape)
    counts = padded.reshape(rows, factor, columns, factor).sum(axis=(1, 3))
    size = pixel * factor
    left, bottom = (float(image[f"image_{name}"][0]) - pixel / 2 for name in "xy")
    return counts, size, ((left, left + columns * size), (bottom, bottom + rows * size))


def _time(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if seconds >= 120 else f"{seconds:.3g} s"


def _scale_bar(place: Axes, ends: tuple[Ends, Ends], scale: float) -> None:
    from matplotlib.patheffects import withStroke

    (left, right), (bottom, top) = ends
    length = round_length((right - left) / 5)
    name = f"{length * 1e6:g} µm" if length >= 0.999e-6 else f"{length * 1e9:.3g} nm"
    end, at = right - 0.04 * (right - left), bottom + 0.04 * (top - bottom)
    xs = [(end - length) * scale, end * scale]
    place.plot(xs, [at * scale] * 2, color="w", lw=3, solid_capstyle="butt")
    above = (float(np.mean(xs)), (at + 0.012 * (top - bottom)) * scale)
    text = place.annotate(name, above, color="w", ha="center", va="bottom", fontsize=10)
    text.set_path_effects([withStroke(linewidth=2.5, foreground="k")])


def _histogram(place: Axes, shown: xr.Dataset, name: str) -> None:
    title, label, colour = _PANELS[name]
    centre = "mean" if f"{name}_mean" in shown else "median"
    middle = shown[f"{name}_{centre}"]
    scale, unit = _UNITS[middle.attrs["units"]]
    counts, edges = shown[f"{name}_histogram"].values, shown[f"{name}_edge"].values * scale
    total, value = int(shown[f"{name}_count"]), float(middle) * scale
    if not total:
        _empty(place, title, _why_empty(shown, name))
        return
    place.stairs(counts, edges, color=colour, fill=True, alpha=0.75)
    place.axvline(value, color="k", lw=1.2, ls="--")
    place.set_xlim(edges[0], edges[-1])
    place.set_title(f"{title}: {centre} {_digits(value)} {unit}".rstrip(), fontsize=11)
    place.set_xlabel(f"{label} / {unit}" if unit else label, fontsize=9)
    place.set_ylabel("localizations" if name in _OF_LOCALIZATIONS else "traces", fontsize=9)
    place.locator_params(axis="x", nbins=6)
    if name == _LOGARITHMIC:
        place.set_yscale("log")
        place.set_ylim(bottom=0.6)
    else:
        place.locator_params(axis="y", nbins=6)
    beyond = 1.0 - counts.sum() / total
    told = f"n = {number(total)}" + (f"\n{beyond:.1%} outside" if beyond >= 0.0005 else "")
    at: dict[str, Any] = {"transform": place.transAxes, "ha": "right", "va": "top"}
    place.text(0.97, 0.95, told, fontsize=8, color="0.25", **at)


def _digits(value: float) -> str:
    """Return a number with three digits, zeros at its end too."""
    text = f"{value:#.3g}"
    return number(round(value)) if "e" in text else text.rstrip(".")


def _why_empty(shown: xr.Dataset, name: str) -> str:
    flat = name.endswith("z") and int(shown["dimensions"]) == 2
    if name in _OF_LOCALIZATIONS or flat:
        return "not measured"
    return "too few traces" if name == "t_scan" else "no trace is long enough"


def _empty(place: Axes, title: str, why: str) -> None:
    place.set_title(title, fontsize=11, color="0.45")
    place.text(
        0.5, 0.5, why, transform=place.transAxes, ha="center", va="center", fontsize=9, color="0.45"
    )
    place.set(xticks=[], yticks=[])


def _drift(place: Axes, shown: xr.Dataset) -> None:
    if "drift" not in shown:
        _empty(place, "drift", "none, see below")
        return
    minutes = shown["drift_time"].values / 60
    told = []
    for name in "xyz"[: int(shown["dimensions"])]:
        curve = shown["drift"].sel(axis=name).values / _NM
        place.plot(minutes, curve, color=_AXIS_COLOURS[name], lw=1.4, label=name)
        told.append(f"{name} {np.ptp(curve):.3g}")
    agree = shown["drift_residual"].values[: len(told)] / _NM
    windows = f"{int(shown['drift_windows'])} time windows"
    place.set_title(f"drift: {', '.join(told)} nm; {windows}", fontsize=11)
    if np.isfinite(agree).all():
        text = f"pairs of windows agree to {', '.join(f'{one:.2g}' for one in agree)} nm rms"
        at: dict[str, Any] = {"transform": place.transAxes, "ha": "right", "va": "bottom"}
        place.text(0.98, 0.04, text, fontsize=8, color="0.25", **at)
    place.set_xlabel("time / min", fontsize=9)
    place.set_ylabel("drift / nm", fontsize=9)
    place.legend(frameon=False, fontsize=8, ncols=3)
    place.grid(alpha=0.3)


def _frc(place: Axes, shown: xr.Dataset) -> None:
    told = []
    for name, colour, label in (
        ("frc", "C0", "localizations"),
        ("frc_combined", "C3", "trace means"),
    ):
        resolution = float(shown[f"{name}_resolution"]) / _NM
        if math.isnan(resolution) and name not in shown:
            continue
        told.append(f"{resolution:.3g}")
        if name in shown:
            frequency = shown[f"{name}_frequency"].values * _NM
            place.plot(frequency, shown[name].values, color=colour, lw=1.2, label=label)
        if f"{name}_threshold" in shown:
            limit = shown[f"{name}_threshold"].values
            place.plot(frequency, limit, color=colour, lw=0.8, ls=":")
        if not math.isnan(resolution):
            place.axvline(1.0 / resolution, color=colour, lw=1.0, ls="--")
    if not told:
        _empty(place, "FRC", "not estimated")
        return
    place.set_title(f"FRC: resolution {' and '.join(told)} nm", fontsize=11)
    place.set_xlabel("spatial frequency / (1/nm)", fontsize=9)
    place.set_ylabel("correlation", fontsize=9)
    if place.get_legend_handles_labels()[0]:
        place.legend(frameon=False, fontsize=8)
