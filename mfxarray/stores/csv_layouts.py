"""Which columns a csv table has: those of the Python seed, of the MATLAB seed, or all there are.

References
----------
minflux-analysis (Findeisen, Politi): ``export_csv`` of ``processlocalizations.py`` and the three
tables of ``minflux_import.m``.
"""

from __future__ import annotations

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.blocks import as_dask, whole
from mfxarray.minflux.beads.seed_summary import CLUSTERS, seed_summary
from mfxarray.minflux.rows import dask_rows, last_iteration_of
from mfxarray.stores.export_rows import (
    Field,
    best_position,
    first_time,
    has_washes,
    kept_rows,
    row_dim_of,
    safe_text,
    wash_labels,
    wash_numbers,
)
from mfxarray.stores.parquet_schema import columns_of

__all__ = ["LAYOUTS", "Rows", "fields_of"]

LAYOUTS = ("plain", "seed", "matlab")
# order of the columns in the seed's file
_SEED = ("tid2", "tim", "std", "se", "nl", *CLUSTERS, "ltr", "loc", "lnc", "std_xyz", "se_xyz")
_AXES = ("x", "y", "z")

# columns, and the mask of the rows that are written
Rows = tuple[list[Field], da.Array]


def fields_of(ds: xr.Dataset, layout: str, position: str | None) -> Rows:
    """Return the columns of a table and the mask of its rows.

    Raises
    ------
    ValueError
        If the layout is unknown, or the Dataset lacks what it needs.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"layout={layout!r} is not known; give one of {', '.join(LAYOUTS)}")
    rows = row_dim_of(ds)
    if position is not None and (layout == "plain" or rows == "trace"):
        raise ValueError("position= chooses among positions of localizations, for other layouts")
    if layout == "plain":
        return _plain(ds, rows)
    if layout == "seed":
        return _seed(ds, position)
    return _matlab_traces(ds) if rows == "trace" else _matlab_localizations(ds, position)


def _plain(ds: xr.Dataset, rows: str) -> Rows:
    """Return all variables along the rows, units in the names of the columns."""
    found = []
    for column in columns_of(ds, rows):
        variable = ds.variables[column.name]
        unit = variable.attrs.get("units")
        suffix = "" if unit in (None, "", "1") else f" ({unit})"
        data = da.moveaxis(as_dask(variable.data), column.row_axis, 0)
        names = tuple(safe_text(f"{name}{suffix}") for name in column.columns)
        found.append(Field(names, whole(data, range(1, data.ndim))))
    return found, _kept(ds)


def _kept(ds: xr.Dataset) -> da.Array:
    """Return the rows of a table whatever positions it has."""
    name = "position" if row_dim_of(ds) == "localization" else "centroid"
    if name in ds.variables:
        place = last_iteration_of(ds, name).transpose(row_dim_of(ds), "axis")
        return kept_rows(ds, whole(as_dask(place.data), [1]))
    if row_dim_of(ds) == "localization":
        raise ValueError("localizations need a variable 'position'")
    # no position to be unknown
    return kept_rows(ds, da.zeros((ds.sizes["trace"], 1)))


def _seed(ds: xr.Dataset, position: str | None) -> Rows:
    localizations = row_dim_of(ds) == "localization"
    told = best_position(ds, position) if localizations else "position"
    table = seed_summary(ds, told)
    fields = [
        _along_axis(table, name) if "axis" in table[name].dims else _single(table, name)
        for name in _SEED
        if name in table.variables
    ]
    place = fields[_names(fields).index("ltr_x")].data
    fields.append(_washes(table, place))
    return fields, kept_rows(table, place)


def _names(fields: list[Field]) -> list[str]:
    return [field.names[0] for field in fields]


def _single(table: xr.Dataset, name: str) -> Field:
    return Field((name,), as_dask(table[name].data))


def _along_axis(table: xr.Dataset, name: str) -> Field:
    data = whole(as_dask(table[name].transpose("trace", "axis").data), [1])
    return Field(tuple(f"{name}_{axis}" for axis in _AXES), data)


def _washes(ds: xr.Dataset, like: da.Array) -> Field:
    return Field(("wash",), wash_numbers(ds, like), wash_labels(ds))


def _matlab_localizations(ds: xr.Dataset, position: str | None) -> Rows:
    told = best_position(ds, "position" if position is None else position)
    place = dask_rows(last_iteration_of(ds, told))
    tim = dask_rows(ds["tim"]) - first_time(ds)
    fields = [
        Field(tuple(f"{axis} (m)" for axis in _AXES), place),
        Field(("t (s)",), tim),
        Field(("trace id",), dask_rows(ds["tid"])),
    ]
    if has_washes(ds):
        fields.append(_washes(ds, place))
    return fields, kept_rows(ds, place)


def _matlab_traces(ds: xr.Dataset) -> Rows:
    needed = ("centroid", "spread", "mean_time", "start", "n")
    missing = [name for name in needed if name not in ds.variables]
    if missing:
        raise ValueError(f"the table of traces lacks {', '.join(missing)}; ds.mfx.traces() has all")
    place, spread = (
        whole(as_dask(ds[name].transpose("trace", "axis").data), [1])
        for name in ("centroid", "spread")
    )
    start = as_dask(ds["start"].data)
    # tables are in the order in which traces begin
    first = float(np.asarray(start[0])) if start.size else 0.0
    fields = [
        Field(tuple(f"{axis} (m)" for axis in _AXES), place),
        Field(("t (s)",), as_dask(ds["mean_time"].data) - first),
        Field(("n loc/event",), as_dask(ds["n"].data)),
        Field(tuple(f"sigma {axis} (m)" for axis in _AXES), spread),
    ]
    if has_washes(ds):
        fields.append(_washes(ds, place))
    return fields, kept_rows(ds, place)
