"""What an image is made of: the places of localizations or traces, and what comes with each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.blocks import as_dask, whole
from mfxarray.minflux.rows import ROW, dask_rows, last_iteration_of, used_rows
from mfxarray.minflux.traces.table import traces as trace_table
from mfxarray.schema import AXES

__all__ = ["MOST_CHANNELS", "Field", "Rows", "channel_numbers", "rows_of"]

Array = np.ndarray[Any, Any]

MOST_CHANNELS = 64
_CHANNELS = ("channel", "wash", "fluo")
_ALIASES = {"depth": ("z",), "time": ("tim", "mean_time"), "channel": _CHANNELS}


@dataclass(frozen=True)
class Field:
    """A value of each row.

    Attributes
    ----------
    name
        What it is called.
    values
        Shape (row,) or (row, axis), cut as the rows.
    attrs
        Of the variable.
    """

    name: str
    values: da.Array
    attrs: dict[Any, Any]

    @property
    def whole(self) -> bool:
        """Tell whether the values are whole numbers, which name channels."""
        return self.values.dtype.kind in "biu"


@dataclass(frozen=True)
class Rows:
    """Localizations or traces that may be drawn.

    Attributes
    ----------
    ds
        The data.
    dim
        "localization" or "trace".
    used
        Which are drawn, shape (row,), bool.
    position
        Metres, shape (row, axis).
    """

    ds: xr.Dataset
    dim: str
    used: da.Array
    position: da.Array

    @property
    def axes(self) -> list[str]:
        """Names of the columns of the position."""
        return [str(name) for name in self.ds["axis"].values] if "axis" in self.ds else [*AXES]

    def field(self, what: str | xr.DataArray, *, role: str, axis: str | None = None) -> Field:
        """Return a variable by its name, or an array, as one value for each row.

        Parameters
        ----------
        what
            Name or array; "x", "y", "z" or "depth" are positions, "time" the time.
        role
            What it is for, to say in messages.
        axis
            Which column is meant where there is one for each axis.

        Raises
        ------
        ValueError
            If there is no such variable, or it is not one number a row.
        """
        if isinstance(what, str):
            name = self._resolved(what, role)
            if name in self.axes:
                return Field(name, self.position[:, self.axes.index(name)], {"units": "m"})
            array = self.ds[name] if self.dim != ROW else last_iteration_of(self.ds, name)
        else:
            name, array = str(what.name) if what.name is not None else role, what
        wanted = {(self.dim,), (self.dim, "axis")} if axis is not None else {(self.dim,)}
        if array.dims not in wanted or array.sizes[self.dim] != len(self.used):
            raise ValueError(
                f"{role} needs one number for each {self.dim}, not {name} with the dimensions "
                f"{array.dims}"
            )
        if array.dtype.kind not in "biuf":
            raise ValueError(f"{role} needs numbers, not {name} of dtype {array.dtype}")
        values = _rows(array, self.dim).rechunk({0: self.used.chunks[0]})
        if axis is not None and values.ndim == 2:
            values = values[:, self.axes.index(axis)]
        return Field(name, values, dict(array.attrs))

    def _resolved(self, name: str, role: str) -> str:
        for candidate in (name, *_ALIASES.get(name, ())):
            if candidate in self.axes or candidate in self.ds.variables:
                return candidate
        raise ValueError(f"there is no variable {name!r} for {role}; give a name or an array")


def rows_of(ds: xr.Dataset, traces: bool) -> Rows:
    """Return what is drawn of localizations, of their traces, or of a table of traces.

    Raises
    ------
    ValueError
        If the data are none of these.
    """
    if traces and "trace" not in ds.dims:
        ds = trace_table(ds)
    if "trace" in ds.dims and "centroid" in ds:
        position = _rows(ds["centroid"], "trace")
        return Rows(ds, "trace", da.isfinite(position).all(axis=1), position)
    if ROW not in ds.dims or "position" not in ds:
        raise ValueError("render takes localizations with a position, or a table of traces")
    used = used_rows(ds)
    return Rows(ds, ROW, used, dask_rows(last_iteration_of(ds, "position"), used))


def _rows(field: xr.DataArray, dim: str) -> da.Array:
    data = as_dask(field.transpose(dim, ...).data)
    return whole(data, range(1, data.ndim))


def channel_numbers(values: da.Array, channels: Sequence[Any] | Array) -> da.Array:
    """Return for each row the number of its channel, -1 for values that are none, int32."""
    known = np.asarray(channels)
    return da.map_blocks(
        partial(_numbers, known=known), values, dtype=np.int32, meta=np.empty(0, np.int32)
    )


def _numbers(values: Array, *, known: Array) -> Array:
    order = np.argsort(known, kind="stable")
    place = np.minimum(np.searchsorted(known, values, sorter=order), len(known) - 1)
    number = order[place]
    return np.where(known[number] == values, number, -1).astype(np.int32)
