"""Pictures of profiles: counts or ratios of regions along frames or along a line, with errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mfxarray.plot.figures import new_figure
from mfxarray.plot.panels import plain_text

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["profile"]

Array = np.ndarray[Any, Any]

_ALONG = ("frame", "distance")
# lines beyond are told apart by nobody
_MOST_LINES = 20
# of more points bars would hide the line
_FEW_POINTS = 60


def profile(
    table: xr.Dataset,
    name: str | Sequence[str] = "counts",
    *,
    detectors: str | Sequence[str] | None = None,
    log: bool = False,
    title: str = "",
) -> Figure:
    """Return counts, or ratios, of regions along frames or along a line, with their errors.

    Parameters
    ----------
    table
        What `mfxarray.mims.profiles` gave: along ``frame`` or ``distance``, perhaps with regions.
    name
        Variables to draw, one panel each: "counts", "mean", or the name of a ratio. Errors are
        ``error`` of the counts, and ``<name>_low`` and ``<name>_high``, or ``<name>_error``, of
        ratios.
    detectors
        Which detectors; all if not given.
    log
        A logarithmic scale for counts.
    title
        Above the panels.

    Raises
    ------
    ValueError
        If there is no profile, a name is unknown, or there are more than 20 lines in a panel.

    Notes
    -----
    Computes the variables that are drawn. Error bars are 1 sigma; where intervals are there, bars
    reach over these.
    """
    along = [dim for dim in _ALONG if dim in table.dims]
    if len(along) != 1:
        raise ValueError(f"a profile runs along frame or distance, not {tuple(table.dims)}")
    names = [name] if isinstance(name, str) else list(name)
    unknown = [one for one in names if one not in table.data_vars]
    if unknown or not names:
        raise ValueError(f"no variable {unknown or names}; there are {list(table.data_vars)}")
    kept = [one for first in names for one in (first, *_spread(table, first))]
    shown = table[list(dict.fromkeys(kept))]
    if detectors is not None and "detector" in shown.dims:
        from mfxarray.mims.stack import detector_numbers

        shown = shown.isel(detector=detector_numbers(table["detector"], detectors))
    shown = shown.compute()
    figure = new_figure(7.2, 2.6 * len(names) + 0.9)
    places = figure.subplots(len(names), 1, sharex=True, squeeze=False).ravel()
    for place, one in zip(places, names, strict=True):
        _panel(place, shown, one, along[0], log and one in ("counts", "mean"))
    places[-1].set_xlabel(_axis_text(table, along[0]), fontsize=9)
    figure.suptitle(plain_text(title), fontsize=10)
    return figure


def _spread(table: xr.Dataset, name: str) -> list[str]:
    """Return the variables that say how far a value may be off."""
    if name in ("counts", "mean"):
        return ["error"] if "error" in table and name == "counts" else []
    ends = [f"{name}_low", f"{name}_high"]
    if all(end in table for end in ends):
        return ends
    return [f"{name}_error"] if f"{name}_error" in table else []


def _panel(place: Axes, shown: xr.Dataset, name: str, along: str, log: bool) -> None:
    import matplotlib

    values = shown[name]
    lines = _lines(values, along)
    if len(lines) > _MOST_LINES:
        raise ValueError(
            f"{len(lines)} lines of {name} are too many for a picture; select regions or detectors"
        )
    at = shown[along].values if along in shown.coords else np.arange(shown.sizes[along])
    # bars at the same place hide one another; the lines move aside by a little
    step = float(np.min(np.diff(at))) if len(at) > 1 else 1.0
    palette = matplotlib.colormaps["tab10" if len(lines) <= 10 else "tab20"]
    for number, (label, chosen) in enumerate(lines):
        here = values.isel(chosen).values.astype(np.float64)
        aside = (number - (len(lines) - 1) / 2) * min(0.5 / len(lines), 0.08) * step
        colour = palette(number)
        bars = _bars(shown, name, chosen, here)
        if len(at) <= _FEW_POINTS:
            look: dict[str, Any] = {"fmt": "o-", "ms": 3, "elinewidth": 0.8, "capsize": 1.5}
            place.errorbar(at + aside, here, bars, label=label, color=colour, lw=1, **look)
            continue
        place.plot(at, here, label=label, color=colour, lw=1)
        if bars is not None:
            ends = (here - bars[0], here + bars[1])
            place.fill_between(at, *ends, color=colour, alpha=0.25, lw=0)
    if spread := _spread(shown, name):
        what = "bars" if len(at) <= _FEW_POINTS else "band"
        place.set_title(f"{what}: {_spread_text(shown, spread)}", loc="right", fontsize=7)
    if along == "frame":
        place.locator_params(axis="x", integer=True)
    place.set_yscale("log" if log else "linear")
    place.set_ylabel(_value_text(values, name), fontsize=9)
    place.tick_params(labelsize=8)
    place.grid(alpha=0.3)
    if len(lines) > 1:
        # beside the lines, never over them
        columns = 1 if len(lines) <= 10 else 2
        place.legend(
            frameon=False, fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.03), ncols=columns
        )


def _lines(values: xr.DataArray, along: str) -> list[tuple[str | None, dict[str, int]]]:
    """Return label and place of every line: of every region and detector."""
    dims = [str(dim) for dim in values.dims if dim != along]
    found: list[tuple[str | None, dict[str, int]]] = []
    for index in np.ndindex(*(values.sizes[dim] for dim in dims)):
        chosen = dict(zip(dims, (int(number) for number in index), strict=True))
        words = [
            plain_text(values[dim].values[number] if dim in values.coords else number, 24)
            for dim, number in chosen.items()
        ]
        found.append((", ".join(words) or None, chosen))
    return found


def _bars(shown: xr.Dataset, name: str, chosen: dict[str, int], here: Array) -> Array | None:
    """Return how far down and up the error bars reach, shape (2, point)."""
    spread = [shown[one].isel(chosen).values.astype(np.float64) for one in _spread(shown, name)]
    if not spread:
        return None
    down, up = (here - spread[0], spread[1] - here) if len(spread) == 2 else (spread[0],) * 2
    # no bar where the error is not known, or has no end
    return np.nan_to_num(np.maximum([down, up], 0.0), nan=0.0, posinf=0.0)


def _spread_text(shown: xr.Dataset, spread: list[str]) -> str:
    if len(spread) == 1:
        return "± 1 standard error"
    # as "low end of the 95 % interval"
    text = str(shown[spread[0]].attrs.get("long_name", "interval"))
    return plain_text(text.removeprefix("low end of the "), 40)


def _axis_text(table: xr.Dataset, along: str) -> str:
    attrs = table[along].attrs if along in table.coords else {}
    text = "frame" if along == "frame" else plain_text(attrs.get("long_name", along), 60)
    unit = attrs.get("units", "1")
    return text if unit in ("1", "") else f"{text} / {plain_text(unit, 20)}"


def _value_text(values: xr.DataArray, name: str) -> str:
    text = plain_text(values.attrs.get("long_name", name), 40)
    if name in ("counts", "mean"):
        return "counts" if name == "counts" else "counts / pixel"
    return text if text == plain_text(name) else f"{plain_text(name, 20)}: {text}"
