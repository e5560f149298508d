"""Precision: how far traces tell their mean, and what they scatter beyond what photons allow."""

from __future__ import annotations

from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.trace_columns import split_columns
from mfxarray.chunked.trace_rows import reduce_traces
from mfxarray.kernels.traces.aggregation import weighted_means
from mfxarray.kernels.traces.crb import effective_numbers, excess_error
from mfxarray.minflux.filtering.masks import position_rows
from mfxarray.minflux.rows import ROW, dask_rows, index_of, trace_keys, used_rows
from mfxarray.minflux.traces.crb import (
    DIRECTIONS,
    Pattern,
    axial_bound,
    lateral_bound,
    localization_bounds,
    signal_to_background,
)
from mfxarray.minflux.traces.table import traces
from mfxarray.provenance import record

__all__ = [
    "Pattern",
    "axial_bound",
    "lateral_bound",
    "localization_bounds",
    "signal_to_background",
    "trace_precision",
]

Array = np.ndarray[Any, Any]


def trace_precision(
    ds: xr.Dataset, bounds: xr.Dataset | None = None, *, ddof: int | str = 1
) -> xr.Dataset:
    """Return the trace table with the error of combined localizations and what exceeds the bound.

    Parameters
    ----------
    ds
        Localizations, as for `mfxarray.minflux.traces.table.traces`.
    bounds
        Result of `localization_bounds` for these localizations.
    ddof
        As for `mfxarray.minflux.traces.table.traces`.

    Returns
    -------
    xarray.Dataset
        The trace table without medians and photons, and along ``trace``: ``n_effective``, the
        independent localizations that tell as much of the mean, and ``standard_error_effective``
        (m), both per axis; ``spread_lateral``, ``standard_error_lateral`` and
        ``standard_error_effective_lateral`` (m), rms of x and y. With bounds: ``bound_lateral``
        (m), rms over the localizations whose bound is known, ``n_bound_lateral``, how many these
        are, and ``excess_lateral`` (m), ``sqrt(spread**2 - bound**2)``; likewise of z.

    Raises
    ------
    ValueError
        If the bounds are not those of these localizations.

    Notes
    -----
    ``standard_error`` divides by the root of n, which holds only for independent errors; where a
    trace drifts ``n_effective`` is far below n and the combined error far above. Autocorrelation
    is taken between localizations that follow each other, whatever the time between them. It is
    estimated about the mean of the trace, which hides correlation over times as long as the trace
    itself: of short traces ``n_effective`` is an upper limit. Where it is not known, as of an axis
    that was not measured, the effective error is the plain one.

    Lazy as `mfxarray.minflux.traces.table.traces` is, with the same bits for every chunking; the
    rows of traces that cross chunks are carried.
    """
    table = traces(ds, ddof=ddof, medians=(), photons=None)
    names = [] if bounds is None else _names_of(ds, bounds)
    used, keys = used_rows(ds), list(trace_keys(ds).values())
    columns = [dask_rows(ds["tim"], used), position_rows(ds).rechunk({0: used.chunks[0]})]
    columns += [dask_rows(bounds[name], used) for name in names] if bounds is not None else []
    width = 3 + 2 * len(names)
    rows = reduce_traces(_of_traces, used, keys, columns, index_of(ds), width=width)
    found = _variables(rows, table, [DIRECTIONS[name] for name in names])
    others = None if bounds is None else {"bounds": bounds.attrs}
    noted = record(table.attrs, "trace_precision", {"ddof": ddof}, others=others)
    return table.assign(found).assign_attrs(noted)


def _names_of(ds: xr.Dataset, bounds: xr.Dataset) -> list[str]:
    names = [name for name in DIRECTIONS if name in bounds]
    if not names or any(bounds[name].shape != (ds.sizes[ROW],) for name in names):
        raise ValueError("bounds must be the result of localization_bounds for these data")
    return names


def _of_traces(columns: list[Array], starts: Array) -> tuple[Array, Array]:
    """Return effective numbers of the axes, and mean square and count of every bound."""
    tim, position, *bounds = columns
    run = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(tim))))
    order = np.lexsort((tim, run))
    squares = np.column_stack([*(bound**2 for bound in bounds), np.empty((len(tim), 0))])
    squares = squares[order]
    means = weighted_means(squares, np.ones(len(tim)), starts)
    known = np.isfinite(squares).astype(np.int64)
    counts = np.add.reduceat(known, starts, axis=0) if len(starts) else known[:0]
    numbers = effective_numbers(position[order], starts)
    return np.column_stack([numbers, means, counts]), np.ones(len(starts), np.int64)


def _variables(rows: da.Array, table: xr.Dataset, directions: list[str]) -> dict[str, Any]:
    """Return the variables of a trace table by their names."""
    tables = [rows, *(table[name].data for name in ("n", "spread", "standard_error"))]
    named: list[tuple[str, Any, int | None, str, str]] = [
        ("n_effective", float, 3, "1", "independent localizations that tell as much of the mean"),
        ("standard_error_effective", float, 3, "m", "error of the mean position, correlated"),
        ("spread_lateral", float, None, "m", "rms spread of x and y"),
        ("standard_error_lateral", float, None, "m", "rms standard error of x and y"),
        ("standard_error_effective_lateral", float, None, "m", "rms effective error of x and y"),
    ]
    for direction in directions:
        named += [
            (f"bound_{direction}", float, None, "m", f"rms {direction} Cramér-Rao bound"),
            (f"n_bound_{direction}", np.int64, None, "1", "localizations whose bound is known"),
            (f"excess_{direction}", float, None, "m", f"{direction} spread beyond the bound"),
        ]
    make = partial(_columns, directions=tuple(directions))
    parts = split_columns(make, tables, [(dtype, width) for _, dtype, width, _, _ in named])
    return {
        name: (
            ("trace",) if width is None else ("trace", "axis"),
            data,
            {"units": units, "long_name": text},
        )
        for (name, _, width, units, text), data in zip(named, parts, strict=True)
    }


def _columns(
    rows: Array, n: Array, spread: Array, error: Array, *, directions: tuple[str, ...]
) -> tuple[Array, ...]:
    numbers = rows[:, :3].copy()
    factor = np.sqrt(n[:, np.newaxis] / numbers)
    effective = np.where(np.isnan(numbers), error, error * factor)
    lateral = _rms(spread)
    found = [numbers, effective, lateral, _rms(error), _rms(effective)]
    for place, direction in enumerate(directions):
        bound = np.sqrt(rows[:, 3 + place])
        count = rows[:, 3 + len(directions) + place].astype(np.int64)
        reached = lateral if direction == "lateral" else spread[:, 2]
        found += [bound, count, excess_error(reached, bound)]
    return tuple(found)


def _rms(values: Array) -> Array:
    return np.sqrt((values[:, 0] ** 2 + values[:, 1] ** 2) / 2)
