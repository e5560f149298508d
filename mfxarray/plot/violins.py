"""Violins on a logarithmic scale: densities of the logarithm, with quartiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plain_logarithm", "violins"]

Array = np.ndarray[Any, Any]

# fewer values are drawn one by one
_FEW = 5
_POINTS = 101


def violins(place: Axes, at: Sequence[float], samples: Mapping[str, Sequence[Array]]) -> None:
    """Draw a violin for each place and group, groups side by side.

    Parameters
    ----------
    place
        Axes.
    at
        Where along x.
    samples
        For each group the positive values at each place; few values are drawn as points.
    """
    steps = np.diff(np.sort(at))
    room = 0.8 * float(steps.min()) if len(steps) else 1.0
    width = room / len(samples)
    for number, (name, values) in enumerate(samples.items()):
        shift = (number + 0.5) * width - room / 2
        for middle, own in zip(at, values, strict=True):
            _violin(place, middle + shift, own, 0.45 * width, f"C{number}")
        if len(samples) > 1:
            place.fill_between([], [], color=f"C{number}", alpha=0.5, label=name)
    if len(samples) > 1:
        place.legend(frameon=False, fontsize=8)
    place.set_xticks(list(at))


def plain_logarithm(place: Axes, which: str) -> None:
    """Make the axis "x" or "y" logarithmic, with numbers as 20 and 50; not if nothing is drawn."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axis = place.xaxis if which == "x" else place.yaxis
    if not np.isfinite(axis.get_minpos()):
        return
    place.set(**{f"{which}scale": "log"})
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def _violin(place: Axes, middle: float, values: Array, half: float, colour: str) -> None:
    from scipy.stats import gaussian_kde

    if not len(values):
        return
    logs = np.log10(values)
    if len(values) < _FEW or np.ptp(logs) < 1e-6:
        place.plot(np.full(len(values), middle), values, ".", color=colour, ms=4)
        return
    heights = np.linspace(logs.min(), logs.max(), _POINTS)
    density = gaussian_kde(logs)(heights)
    side = half * density / density.max()
    place.fill_betweenx(10**heights, middle - side, middle + side, color=colour, alpha=0.5, lw=0)
    for quantile, line in zip((0.25, 0.5, 0.75), (":", "-", ":"), strict=True):
        value = np.quantile(values, quantile)
        reach = float(np.interp(np.log10(value), heights, side))
        place.plot([middle - reach, middle + reach], [value, value], color="k", ls=line, lw=1)
