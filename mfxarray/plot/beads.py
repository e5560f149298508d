"""The picture of beads: how they moved, and how still they stand after registration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mfxarray.plot.figures import new_figure
from mfxarray.plot.panels import plain_text
from mfxarray.schema import AXES

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mfxarray.minflux.beads.registration import BeadFit
    from mfxarray.minflux.beads.report import BeadCourse

__all__ = ["beads"]

_MOST_BEADS_NAMED = 12
_NM = 1e9
_TITLES = {
    "measured": "as measured",
    "registered": "registered",
    "left out": "registered by the other beads",
}


def beads(fit: BeadFit, *, title: str = "") -> Figure:
    """Return a picture of the beads over the time of all washes.

    Parameters
    ----------
    fit
        Result of `fit_beads`.
    title
        Put above.

    Returns
    -------
    matplotlib.figure.Figure
        Rows x, y, z; columns: how far each bead moved since its first sample, where it stands
        after registration, and where it stands when the other beads alone register it. Titles
        carry the standard deviations.
    """
    from mfxarray.minflux.beads.report import bead_courses, bead_stability

    courses, table = bead_courses(fit), bead_stability(fit)
    names = list(dict.fromkeys(course.bead for course in courses))
    colors = {name: f"C{number % 10}" for number, name in enumerate(names)}
    figure = new_figure(13, 8)
    places = figure.subplots(3, 3, sharex=True)
    for column, state in enumerate(_TITLES):
        for axis, name in enumerate(AXES):
            _panel(places[axis, column], courses, state, axis, colors)
            places[axis, column].set_ylabel(f"{name} / nm")
            _mark_washes(places[axis, column], fit)
        places[0, column].set_title(_title(table, state))
        places[2, column].set_xlabel("time, washes one after the other / s")
    for row in places:
        _same_limits(row[1], row[2])
    _legend(figure, colors)
    figure.suptitle(_above(fit, len(names), title))
    return figure


def _panel(
    place: Axes, courses: list[BeadCourse], state: str, axis: int, colors: dict[str, str]
) -> None:
    for course in courses:
        values = np.where(course.after_gap, np.nan, course.places[state][:, axis] * _NM)
        place.plot(course.time, values, color=colors[course.bead], lw=0.7)


def _mark_washes(place: Axes, fit: BeadFit) -> None:
    for offset in fit.time_offset[1:]:
        place.axvline(offset, color="0.6", lw=0.8, ls="--")
    place.axhline(0.0, color="0.8", lw=0.6, zorder=0)


def _title(table: xr.Dataset, state: str) -> str:
    """Return the title of a column, with the spread of the beads where it says something."""
    what, found = _TITLES[state], table.sel(state=state)
    if state != "measured" and np.isnan(table["std_xy"].sel(state="left out")):
        told = {"registered": "by itself, which tells nothing", "left out": "no other bead"}
        return f"{what}\n{told[state]}"
    xy, z = (float(found[name]) * _NM for name in ("std_xy", "std_z"))
    return f"{what}\nstd xy {xy:.3g} nm, z {z:.3g} nm"


def _same_limits(one: Axes, two: Axes) -> None:
    (low, high), (low_two, high_two) = one.get_ylim(), two.get_ylim()
    for place in (one, two):
        place.set_ylim(min(low, low_two), max(high, high_two))


def _legend(figure: Figure, colors: dict[str, str]) -> None:
    from matplotlib.lines import Line2D

    shown = list(colors)[:_MOST_BEADS_NAMED]
    lines = [Line2D([], [], color=colors[name]) for name in shown]
    names = [plain_text(name) for name in shown]
    figure.legend(lines, names, loc="outside lower center", ncols=6, frameon=False)


def _above(fit: BeadFit, n_beads: int, title: str) -> str:
    from mfxarray.minflux.beads.report import largest_angle

    angle = f"rotation {fit.choices.rotation}, up to {largest_angle(fit) * 1e3:.3g} mrad"
    turned = "translation only" if fit.choices.rotation == "none" else angle
    used = ", ".join([_many(len(fit.washes), "wash", "es"), _many(n_beads, "bead", "s"), turned])
    return f"{plain_text(title)}: {used}" if title else used


def _many(count: int, what: str, ending: str) -> str:
    return f"{count} {what}{'' if count == 1 else ending}"
