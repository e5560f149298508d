"""Histograms of a table of traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mfxarray.display import number, safe_text
from mfxarray.plot.figures import new_figure

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["traces"]

Array = np.ndarray[Any, Any]

# edges that do not depend on the data, so that no pass is needed to find them
_N_EDGES = np.arange(0.5, 1001.5)
_SPREAD_EDGES = np.arange(0.0, 200.05, 0.1)  # nm
_TIME_EDGES = np.logspace(-4, 4, 161)  # s


def traces(table: xr.Dataset, *, title: str = "") -> Figure:
    """Return histograms of a table of traces: localizations, spread and duration.

    Notes
    -----
    One pass, a block at a time; histograms have fixed bins, and medians are those of the bins.
    """
    from dask.base import compute

    counted = compute(*_trace_histograms(table))
    n, duration, *spreads = counted
    figure = new_figure(12.4, 3.8)
    first, second, third = figure.subplots(1, 3)
    _stairs(first, n, _N_EDGES, "C0")
    first.set(xlabel="localizations in a trace", ylabel="traces", yscale="log", xlim=(0, _reach(n)))
    for axis, color, spread in zip("xyz", ("C0", "C1", "C2"), spreads, strict=True):
        if spread[1:].any():
            middle = _median(spread, _SPREAD_EDGES)
            _stairs(second, spread, _SPREAD_EDGES, color, f"{axis}: median {middle:.1f} nm")
    most = max(_reach(spread) for spread in spreads) * _SPREAD_EDGES[1]
    second.set(xlabel="spread (std) of a trace / nm", ylabel="traces", xlim=(0, most))
    if second.get_legend_handles_labels()[0]:
        second.legend(frameon=False)
    _stairs(third, duration, _TIME_EDGES, "C0")
    third.set(xlabel="duration of a trace / s", ylabel="traces", xscale="log")
    if duration.any():
        filled = np.flatnonzero(duration)
        third.set_xlim(_TIME_EDGES[filled[0]] / 2, _TIME_EDGES[filled[-1] + 1] * 2)
    shown = f"{number(table.sizes['trace'])} traces"
    figure.suptitle(f"{safe_text(title, 60)}: {shown}" if title else shown)
    return figure


def _trace_histograms(table: xr.Dataset) -> list[Any]:
    """Return lazy histograms of n, duration (s), and the spread (nm) along x, y, z."""
    import dask.array as da

    def rows(values: Any) -> Any:
        return da.asarray(values.data)

    n, start, end = (rows(table[name]) for name in ("n", "start", "end"))
    # NaN (one localization) belongs in no bin; histogram would warn about it
    spread = rows(table["spread"].transpose("trace", "axis")) * 1e9
    spread = da.where(da.isnan(spread), -1.0, spread)
    found = [da.histogram(n, _N_EDGES)[0], da.histogram(end - start, _TIME_EDGES)[0]]
    return found + [da.histogram(spread[:, column], _SPREAD_EDGES)[0] for column in range(3)]


def _stairs(place: Axes, counts: Array, edges: Array, color: str, label: str | None = None) -> None:
    place.stairs(counts, edges, color=color, label=label, fill=label is None, alpha=0.9)


def _reach(counts: Array) -> int:
    """Return the bin below which 99.5 % of the counts lie, with some room."""
    total = np.cumsum(counts)
    return max(int(np.searchsorted(total, 0.995 * total[-1]) * 1.1) + 2, 5)


def _median(counts: Array, edges: Array) -> float:
    total = np.cumsum(counts)
    place = int(np.searchsorted(total, total[-1] / 2))
    return float((edges[place] + edges[place + 1]) / 2)
