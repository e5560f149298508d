"""What tracks tell, on one page: displacements over time, diffusion, kinds of motion, jumps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mfxarray.display import number
from mfxarray.plot.displacements import draw_curve, with_error
from mfxarray.plot.figures import new_figure
from mfxarray.plot.panels import plain_text

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["tracking"]

Array = np.ndarray[Any, Any]

_UM2 = 1e12
_NM = 1e9
# told apart on white, also by people who see no red or green (Okabe and Ito 2008)
_MOTIONS = {
    "not told": "0.75",
    "immobile": "#0072B2",
    "free": "#009E73",
    "confined": "#E69F00",
    "directed": "#D55E00",
}
_POPULATIONS = ("#0072B2", "#D55E00")
_BARS = 60


def tracking(
    table: xr.Dataset,
    curve: xr.Dataset,
    *,
    jumps: xr.Dataset | None = None,
    both: xr.Dataset | None = None,
    title: str = "",
) -> Figure:
    """Return a page of six panels.

    Parameters
    ----------
    table
        Result of `mfxarray.minflux.tracking.table.track_table`.
    curve
        Result of `mfxarray.minflux.tracking.msd_curves.msd` of all tracks.
    jumps
        Result of `mfxarray.minflux.tracking.jump_distances.jump_distances`.
    both
        Result of `mfxarray.minflux.tracking.tracking.diffusion` of all tracks.
    title
        Above the page.

    Raises
    ------
    ValueError
        If they are something else.

    Notes
    -----
    Computes the curve and of the table the columns that are drawn.
    """
    if not {"D", "speed", "duration"} <= set(table.variables) or "msd_error" not in curve:
        raise ValueError("a page of tracks is made of the results of track_table and of msd")
    names = ("n", "D", "duration", "localization_sigma", "motion")
    shown = table[[name for name in names if name in table]].compute()
    figure = new_figure(15.0, 8.6)
    places = figure.subplots(2, 3)
    draw_curve(places[0, 0], curve.compute())
    _diffusion(places[0, 1], shown, both)
    _classes(places[0, 2], shown)
    _jumps(places[1, 0], jumps)
    _sigma(places[1, 1], shown, both)
    _durations(places[1, 2], shown)
    for place in places.ravel():
        place.tick_params(labelsize=8)
    figure.suptitle(_heading(shown, both, plain_text(title, 80)), fontsize=12)
    return figure


def _heading(shown: xr.Dataset, both: xr.Dataset | None, title: str) -> str:
    facts = [f"{number(shown.sizes['trace'])} tracks"]
    facts.append(f"{number(int(shown['n'].sum()))} localizations")
    if both is not None:
        d, error = (float(both[name]) * _UM2 for name in ("D", "D_error"))
        sigma = float(both["localization_sigma"]) * _NM
        facts.append(
            f"all tracks ({both.attrs.get('method', '')}): D = {with_error(d, error)} µm²/s, "
            f"localization error {sigma:.3g} nm"
        )
    return "    ".join([f"{title}:" if title else "", *facts]).strip()


def _groups(shown: xr.Dataset) -> list[tuple[str, Array]]:
    """Return the names of the kinds of motion that occur, and which tracks are of each."""
    n = shown.sizes["trace"]
    motion = shown["motion"].values if "motion" in shown else np.full(n, -1)
    found = [(name, motion == kind - 1) for kind, name in enumerate(_MOTIONS)]
    return [(name, own) for name, own in found if own.any()]


def _stacked(place: Axes, shown: xr.Dataset, values: Array, edges: Array) -> None:
    """Draw a histogram, the kinds of motion on top of each other."""
    bottom = np.zeros(len(edges) - 1)
    groups = _groups(shown)
    for name, own in groups:
        counts = np.histogram(values[own], edges)[0]
        label = name if len(groups) > 1 else None
        look: dict[str, Any] = {"color": _MOTIONS[name], "fill": True, "label": label}
        place.stairs(bottom + counts, edges, baseline=bottom, **look)
        bottom = bottom + counts
    place.set_ylabel("tracks")


def _diffusion(place: Axes, shown: xr.Dataset, both: xr.Dataset | None) -> None:
    values = shown["D"].values * _UM2
    known = values[np.isfinite(values)]
    above = known[known > 0]
    place.set_title("D of each track, as of free motion", fontsize=11)
    if not len(above):
        _empty(place, "no track tells it")
        return
    low, high = np.percentile(above, (0.5, 99.9))
    edges = np.geomspace(max(low, high * 1e-6), high * 1.3, _BARS)
    _stacked(place, shown, values, edges)
    place.set_xscale("log")
    place.set_xlabel("D / (µm²/s)")
    below = len(known) - len(above)
    if below:
        share = f"D of {below / len(known):.1%} not above 0"
        place.text(0.02, 0.8, share, fontsize=8, color="0.3", transform=place.transAxes, va="top")
    if both is not None and float(both["D"]) > 0:
        label = f"all tracks {float(both['D']) * _UM2:.3g}"
        place.axvline(float(both["D"]) * _UM2, color="k", lw=1.3, ls="--", label=label)
    if place.get_legend_handles_labels()[0]:
        place.set_ylim(top=place.get_ylim()[1] * 1.3)
        place.legend(fontsize=8, frameon=False, loc="upper right", ncols=3)


def _classes(place: Axes, shown: xr.Dataset) -> None:
    place.set_title("kinds of motion", fontsize=11)
    if "motion" not in shown:
        _empty(place, "not told")
        return
    groups = {name: int(own.sum()) for name, own in _groups(shown)}
    names = [name for name in _MOTIONS if name in groups]
    counts = [groups[name] for name in names]
    place.barh(names, counts, color=[_MOTIONS[name] for name in names])
    total = max(sum(counts), 1)
    for row, count in enumerate(counts):
        place.annotate(
            f" {number(count)} ({count / total:.1%})", (count, row), va="center", fontsize=9
        )
    place.set_xlim(0, 1.35 * max(counts, default=1))
    place.set_xlabel("tracks")


def _jumps(place: Axes, jumps: xr.Dataset | None) -> None:
    place.set_title("jump distances", fontsize=11)
    if jumps is None:
        _empty(place, "not looked at")
        return
    edges = jumps["distance_edge"].values * _NM
    counts = jumps["counts"].values.sum(axis=0)
    reached = np.cumsum(counts) / max(counts.sum(), 1)
    last = min(int(np.searchsorted(reached, 0.999)) + 2, len(counts))
    joined = max(last // _BARS, 1)
    last = max(last // joined * joined, joined)

    def bars(values: Array) -> Array:
        return values[:last].reshape(-1, joined).sum(axis=1)

    coarse = edges[: last + 1 : joined]
    place.stairs(bars(counts), coarse, color="0.8", fill=True)
    middle = 0.5 * (coarse[1:] + coarse[:-1])
    expected = jumps["expected"].values
    for part, own in enumerate(expected):
        d, error, share = (float(jumps[name][part]) for name in ("D", "D_error", "fraction"))
        label = f"{share:.1%}: D = {with_error(d * _UM2, error * _UM2)} µm²/s"
        place.plot(middle, bars(own), color=_POPULATIONS[part], lw=1.6, label=label)
    if len(expected) > 1:
        place.plot(middle, bars(expected.sum(axis=0)), color="k", lw=1, ls="--", label="sum")
    lag = int(jumps.attrs.get("lag", 1))
    step = "from one localization to the next" if lag == 1 else f"over {lag} localizations"
    place.set_xlabel(f"distance {step} / nm")
    place.set_ylabel("jumps")
    place.set_xlim(0, coarse[-1])
    place.legend(fontsize=8, frameon=False, loc="upper right")


def _sigma(place: Axes, shown: xr.Dataset, both: xr.Dataset | None) -> None:
    values = shown["localization_sigma"].values * _NM
    known = values[np.isfinite(values) & (values > 0)]
    place.set_title("localization error of each track", fontsize=11)
    if not len(known):
        _empty(place, "no track tells it")
        return
    edges = np.linspace(0.0, np.percentile(known, 99.5) * 1.05, _BARS)
    place.stairs(np.histogram(known, edges)[0], edges, color="#56B4E9", fill=True)
    place.set_xlabel("error along an axis / nm")
    place.set_ylabel("tracks")
    if both is not None and float(both["localization_sigma"]) > 0:
        sigma = float(both["localization_sigma"]) * _NM
        place.axvline(sigma, color="k", lw=1.3, ls="--", label=f"all tracks {sigma:.3g}")
        place.legend(fontsize=8, frameon=False, loc="upper right")
    none = np.isfinite(values).sum() - len(known)
    if none:
        share = f"none found: {none / np.isfinite(values).sum():.1%}"
        place.text(0.02, 0.97, share, fontsize=8, color="0.3", transform=place.transAxes, va="top")


def _durations(place: Axes, shown: xr.Dataset) -> None:
    values = shown["duration"].values * 1e3
    known = values[np.isfinite(values) & (values > 0)]
    place.set_title("how long tracks last", fontsize=11)
    if not len(known):
        _empty(place, "no track lasts")
        return
    low, high = np.percentile(known, (0.1, 100))
    edges = np.geomspace(low * 0.9, high * 1.1, _BARS)
    _stacked(place, shown, values, edges)
    place.set_xscale("log")
    place.set_xlabel("time from first to last localization / ms")
    middle = float(np.median(known))
    place.axvline(middle, color="k", lw=1.3, ls="--", label=f"median {middle:.3g} ms")
    place.legend(fontsize=8, frameon=False, loc="upper left")
    place.set_ylim(top=place.get_ylim()[1] * 1.2)


def _empty(place: Axes, why: str) -> None:
    at: dict[str, Any] = {"transform": place.transAxes, "ha": "center", "va": "center"}
    place.text(0.5, 0.5, why, fontsize=9, color="0.45", **at)
    place.set(xticks=[], yticks=[])
