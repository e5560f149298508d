"""The quantities of a statistics sheet: which values count, and what is told of them."""

from __future__ import annotations

from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.quantiles import quantiles
from mfxarray.minflux.rows import dask_rows, last_iteration_of, used_rows
from mfxarray.minflux.sheet.settings import Panel, SheetSettings
from mfxarray.minflux.sheet.survey import Survey

__all__ = ["panel_variables", "time_span", "values_of"]

Array = np.ndarray[Any, Any]
Variables = dict[str, tuple[Any, ...]]

# what `_spreads` returns
_SPREADS = (
    "sigma_x",
    "sigma_y",
    "sigma_z",
    "sigma_r",
    "standard_error_r",
    "standard_error_z",
    "standard_error_xyz",
)


def values_of(
    ds: xr.Dataset, table: xr.Dataset, known: Survey, settings: SheetSettings
) -> dict[str, da.Array | None]:
    """Return the values of every panel, NaN where one does not count, None where it has none.

    Parameters
    ----------
    ds
        Localizations.
    table
        Their traces.
    known
        Result of the survey.
    settings
        What counts.
    """
    n, spread = table["n"].data, table["spread"].transpose("trace", "axis").data
    flat = known.dimensions == 2
    columns = da.map_blocks(
        partial(_spreads, settings=settings, flat=flat),
        spread,
        n[:, None],
        chunks=(spread.chunks[0], (len(_SPREADS),)),
        dtype=float,
        meta=np.empty((0, 0)),
    )
    found: dict[str, da.Array | None] = {
        name: None if flat and name[-1] == "z" else columns[:, place]
        for place, name in enumerate(_SPREADS)
    }
    for name in ("t_scan", "t_loc"):
        found[name] = table[name].data
    found["localizations_per_trace"] = n
    has_fbg = "fbg" in ds
    found["fbg"] = dask_rows(last_iteration_of(ds, "fbg"), used_rows(ds)) if has_fbg else None
    found["cfr"] = known.cfr.values
    return found


def _spreads(spread: Array, n: Array, *, settings: SheetSettings, flat: bool) -> Array:
    """Return spreads along x, y, z and in the plane, and the errors made of them."""
    squares = spread**2
    plane = squares[:, 0] + squares[:, 1]
    whole = plane + (0.0 if flat else squares[:, 2])
    share = (2.0, 3.0) if settings.per_axis else (1.0, 1.0)
    errors = np.stack([plane / share[0], squares[:, 2], whole / share[1]], axis=1) / n
    spreads = np.concatenate([spread, np.sqrt(plane / 2)[:, None]], axis=1)
    return np.concatenate(
        [
            np.where(n >= settings.least_spread, spreads, np.nan),
            np.where(n >= settings.least_error, np.sqrt(errors), np.nan),
        ],
        axis=1,
    )


def panel_variables(panel: Panel, values: da.Array | None, used: da.Array) -> Variables:
    """Return what is told of one quantity: its median or mean, how many values, the histogram.

    Parameters
    ----------
    panel
        The quantity.
    values
        One a localization or trace.
    used
        Which localizations count.

    Notes
    -----
    Values of traces come together in one task, 8 bytes a trace; those of localizations do not.
    """
    count: Any
    centre: Any
    bins: Any
    if values is None:
        count, centre, bins = np.int64(0), np.nan, np.zeros(panel.bins, np.int64)
    elif panel.of == "trace":
        count, centre, bins = _of_traces(panel, values)
    else:
        count, centre, bins = _of_localizations(panel, values, used)
    name, edge, told = panel.name, f"{panel.name}_edge", {"units": "1"}
    text = f"{panel.centre} of {panel.long_name}"
    return {
        f"{name}_{panel.centre}": ((), centre, {"units": panel.units, "long_name": text}),
        f"{name}_count": ((), count, {**told, "long_name": f"{panel.of}s that count"}),
        f"{name}_histogram": (
            (f"{name}_bin",),
            bins,
            {**told, "long_name": f"{panel.of}s between the edges"},
        ),
        edge: ((edge,), panel.edges, {"units": panel.units, "long_name": panel.long_name}),
    }


def _of_traces(panel: Panel, values: da.Array) -> tuple[da.Array, da.Array, da.Array]:
    told = da.map_blocks(
        partial(_told, edges=panel.edges, centre=panel.centre),
        values.rechunk({0: -1}),
        chunks=((2 + panel.bins,),),
        dtype=float,
        meta=np.empty(0),
    )
    return told[0].astype(np.int64), told[1], told[2:].astype(np.int64)


def _told(values: Array, *, edges: Array, centre: str) -> Array:
    """Return how many values there are, their median or mean, and their histogram."""
    kept = values[np.isfinite(values)]
    if not len(kept):
        return np.concatenate([[0.0, np.nan], np.zeros(len(edges) - 1)])
    middle = np.median(kept) if centre == "median" else kept.sum() / len(kept)
    return np.concatenate([[len(kept), middle], np.histogram(kept, edges)[0]])


def _of_localizations(
    panel: Panel, values: da.Array, used: da.Array
) -> tuple[da.Array, da.Array, da.Array]:
    middle = quantiles(values, used, [0.5])
    # a value below the first edge is in no bin, and NaN has no place in a histogram
    kept = da.where(used & da.isfinite(values), values, panel.first - 1.0)
    counts = da.histogram(kept, panel.edges)[0].astype(np.int64)
    return middle[0].astype(np.int64), middle[1], counts


def time_span(table: xr.Dataset) -> da.Array:
    """Return the time from the first to the last localization, added over washes, s."""
    start, end = (table[name].data.rechunk({0: -1}) for name in ("start", "end"))
    wash = table["wash"].data if "wash" in table.coords else da.zeros_like(start, dtype=np.int32)
    spans = da.map_blocks(
        _span, start, end, wash.rechunk({0: -1}), chunks=((1,),), dtype=float, meta=np.empty(0)
    )
    return spans[0]


def _span(start: Array, end: Array, wash: Array) -> Array:
    numbers, group = np.unique(wash, return_inverse=True)
    first, last = np.full(len(numbers), np.inf), np.full(len(numbers), -np.inf)
    np.minimum.at(first, group, start)
    np.maximum.at(last, group, end)
    return np.array([(last - first).sum()])
