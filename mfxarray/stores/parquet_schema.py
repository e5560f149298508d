"""The flat table that a Dataset becomes in Parquet, and the JSON that turns it back."""

from __future__ import annotations

import base64
import itertools
import json
import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import xarray as xr

from mfxarray.errors import DataError
from mfxarray.stores.plain import is_text, load_json, plain_attrs, text_dtype, text_kind, text_list

__all__ = [
    "KEY",
    "ROW_DIMS",
    "Column",
    "arrow_schema",
    "columns_of",
    "parse_meta",
    "row_dim",
    "small_variable",
]

KEY = b"mfxarray"
FORMAT = 1
ROW_DIMS = ("localization", "trace", "distance")
# tables and profiles of ion images have either or both; the longer one makes the rows
_EITHER = ("region", "frame")
SMALL_BYTES = 64 * 1024


@dataclass(frozen=True)
class Column:
    """A variable along the rows and the flat columns that hold it.

    Attributes
    ----------
    name
        Name of the variable.
    dims
        Its dimensions, in their own order.
    row_axis
        Which of them are the rows.
    shape
        Lengths of the other dimensions.
    dtype
        NumPy dtype in memory: "<f8", or for text "<U5", "|O", "|T16".
    columns
        Names of the flat columns, last dimension fastest.
    """

    name: str
    dims: tuple[str, ...]
    row_axis: int
    shape: tuple[int, ...]
    dtype: str
    columns: tuple[str, ...]

    @property
    def numpy_dtype(self) -> np.dtype[Any]:
        """The dtype in memory."""
        if self.dtype[1:2] in "bufi" and len(self.dtype) == 3:
            return np.dtype(self.dtype)
        return text_kind(self.dtype)


def row_dim(data: xr.Dataset) -> str:
    """Return the dimension of the rows: localization, trace, distance, region or frame.

    Raises
    ------
    ValueError
        If the Dataset has none of them, or holds images.
    """
    for dim in ROW_DIMS:
        if dim in data.dims:
            return dim
    either = [dim for dim in _EITHER if dim in data.dims and not {"y", "x"} & set(data.dims)]
    if either:
        return max(either, key=lambda dim: data.sizes[dim])
    found = ", ".join(map(str, data.dims))
    raise ValueError(
        f"Parquet holds tables with a row per {' or '.join((*ROW_DIMS, *_EITHER))}; this "
        f"Dataset has the dimensions {found or 'none'}. Use write_zarr."
    )


def columns_of(data: xr.Dataset, rows: str) -> list[Column]:
    """Return the columns of all variables along the rows.

    Raises
    ------
    ValueError
        If a dtype has no column type, or two variables would share a column name.
    """
    found = [
        _column(str(name), variable, data, rows)
        for name, variable in data.variables.items()
        if rows in variable.dims
    ]
    names = [name for column in found for name in column.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"several variables would share the columns {twice}; rename one")
    return found


def _column(name: str, variable: xr.Variable, data: xr.Dataset, rows: str) -> Column:
    dims = tuple(map(str, variable.dims))
    others = [dim for dim in dims if dim != rows]
    suffixes = itertools.product(*(_suffixes(data, dim) for dim in others))
    columns = tuple("_".join((name, *suffix)) for suffix in suffixes)
    shape = tuple(data.sizes[dim] for dim in others)
    return Column(name, dims, dims.index(rows), shape, _dtype(name, variable), columns)


def _suffixes(data: xr.Dataset, dim: str) -> list[str]:
    prefix = "i" if dim == "iteration" else dim
    if dim not in data.coords:
        return [f"{prefix}{index}" for index in range(data.sizes[dim])]
    values = data.coords[dim].values
    return [str(v) if is_text(values.dtype) else f"{prefix}{v}" for v in values]


def _dtype(name: str, variable: xr.Variable) -> str:
    text = text_dtype(variable)
    if text is not None:
        return text
    if variable.dtype.kind not in "biuf" or variable.dtype.itemsize > 8:
        raise ValueError(f"{name} has dtype {variable.dtype}; convert it to numbers or text first")
    return str(variable.dtype.newbyteorder("<").str)


def arrow_schema(data: xr.Dataset, rows: str, columns: list[Column]) -> pa.Schema:
    """Return the schema of every part: types, units, and all that rebuilds the Dataset."""
    by_name = {column.name: column for column in columns}
    variables = {}
    fields: list[pa.Field] = []
    for name, variable in data.variables.items():
        attrs = plain_attrs(variable.attrs, str(name))
        entry: dict[str, Any] = {"dims": list(variable.dims), "attrs": attrs}
        if name in by_name:
            column = by_name[str(name)]
            entry |= {"dtype": column.dtype, "columns": list(column.columns)}
            fields += _fields(column, attrs)
        else:
            entry |= _small_values(str(name), variable)
        variables[str(name)] = entry
    meta = {
        "format": FORMAT,
        "rows": rows,
        "sizes": {str(dim): size for dim, size in data.sizes.items() if dim != rows},
        "coords": list(data.coords),
        "attrs": plain_attrs(data.attrs, "Dataset"),
        "variables": variables,
    }
    return pa.schema(fields, metadata={KEY: json.dumps(meta).encode()})


def _fields(column: Column, attrs: dict[str, Any]) -> list[pa.Field]:
    dtype = column.numpy_dtype
    arrow = pa.string() if is_text(dtype) else pa.from_numpy_dtype(dtype)
    meta = {"variable": column.name, "dims": json.dumps(column.dims)}
    meta |= {key: str(attrs[key]) for key in ("units", "long_name") if key in attrs}
    return [pa.field(name, arrow, nullable=False, metadata=meta) for name in column.columns]


def _small_values(name: str, variable: xr.Variable) -> dict[str, Any]:
    if variable.nbytes > SMALL_BYTES:
        raise ValueError(
            f"{name} has no rows and {variable.nbytes} bytes; only {SMALL_BYTES} fit beside a "
            "table. Drop it, or use write_zarr."
        )
    dtype = _dtype(name, variable)
    values = np.asarray(variable.values)
    if is_text(values.dtype):
        return {"dtype": dtype, "text": text_list(values, name)}
    raw = np.ascontiguousarray(values, dtype).tobytes()
    return {"dtype": dtype, "base64": base64.b64encode(raw).decode()}


def small_variable(entry: dict[str, Any], sizes: dict[Hashable, int]) -> xr.Variable:
    """Return a variable that is kept in the metadata."""
    shape = tuple(sizes[dim] for dim in entry["dims"])
    if "text" in entry:
        values = np.array(entry["text"], object).astype(text_kind(entry["dtype"]))
    else:
        raw = base64.b64decode(entry["base64"], validate=True)
        values = np.frombuffer(bytearray(raw), _number(entry["dtype"]))
    return xr.Variable(entry["dims"], values.reshape(shape), entry["attrs"])


def _number(name: object) -> np.dtype[Any]:
    dtype = np.dtype(str(name))
    if dtype.kind not in "biuf":
        raise ValueError(f"dtype {name!r} is no number")
    return dtype


def parse_meta(schema: pa.Schema, path: object) -> tuple[dict[str, Any], list[Column]]:
    """Return the metadata of a table that `arrow_schema` described, and its columns.

    Raises
    ------
    DataError
        If there are none, or they do not fit the table.
    """
    text = (schema.metadata or {}).get(KEY)
    if text is None:
        hint = "It was not written by mfxarray; read it with pandas."
        raise DataError("has no mfxarray metadata", path=path, hint=hint)
    meta = load_json(text, path)
    try:
        if meta["format"] != FORMAT:
            hint = "Update mfxarray."
            raise DataError(f"has format {meta['format']!r}, not {FORMAT}", path=path, hint=hint)
        columns = [
            _parse_column(name, entry, meta)
            for name, entry in meta["variables"].items()
            if "columns" in entry
        ]
        missing = {name for column in columns for name in column.columns} - set(schema.names)
    except DataError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError("has damaged metadata", path=path, hint="Write it again.") from error
    if missing:
        raise DataError(f"lacks the columns {sorted(missing)}", path=path, hint="Write it again.")
    return meta, columns


def _parse_column(name: str, entry: dict[str, Any], meta: dict[str, Any]) -> Column:
    dims = tuple(entry["dims"])
    shape = tuple(int(meta["sizes"][dim]) for dim in dims if dim != meta["rows"])
    names = tuple(entry["columns"])
    if len(names) != math.prod(shape):
        raise KeyError(name)
    return Column(name, dims, dims.index(meta["rows"]), shape, str(entry["dtype"]), names)
