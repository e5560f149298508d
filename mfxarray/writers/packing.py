"""Variables of a Dataset packed into records: one dask array of a structured dtype."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count, islice
from typing import Any, TypeVar
from uuid import uuid4

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import compute

from mfxarray.formats.npy.fields import ITERATION
from mfxarray.formats.tables import Path, leaf_dtype
from mfxarray.options import get_options
from mfxarray.provenance import history
from mfxarray.schema import LOCALIZATIONS
from mfxarray.writers.record_layout import Column, pack, record_of

__all__ = ["Packed", "packed_records"]

Array = np.ndarray[Any, Any]
T = TypeVar("T")

# what is computed in one go: enough blocks for all threads, bounded memory
_BYTES_AT_ONCE = 64 * 2**20
_PER_ITERATION = frozenset(
    variable.source_name for variable in LOCALIZATIONS if "iteration" in variable.dims
)
_NEEDED = ("loc", "tid", "tim")


@dataclass(frozen=True)
class Packed:
    """Columns of equal row blocks that become records when they are asked for.

    Attributes
    ----------
    dtype
        Record.
    n_rows
        Number of records.
    """

    dtype: np.dtype[Any]
    n_rows: int
    _columns: tuple[Column, ...] = field(repr=False)
    _arrays: tuple[da.Array, ...] = field(repr=False)

    def only(self, names: Collection[str]) -> Packed:
        """Return records of some fields, chosen by the last part of their names."""
        chosen = [i for i, column in enumerate(self._columns) if column.path[-1] in names]
        columns = tuple(self._columns[i] for i in chosen)
        arrays = tuple(self._arrays[i] for i in chosen)
        return Packed(record_of(columns), self.n_rows, columns, arrays)

    def blocks(self) -> Iterator[Array]:
        """Yield the records from the first to the last."""
        tasks = self._packed().to_delayed().tolist()
        sizes = self._arrays[0].chunks[0]
        start = 0
        while start < len(tasks):
            stop, rows = start + 1, sizes[start]
            while (
                stop < len(tasks) and (rows + sizes[stop]) * self.dtype.itemsize <= _BYTES_AT_ONCE
            ):
                rows += sizes[stop]
                stop += 1
            yield from compute(*tasks[start:stop])
            start = stop

    def each(self, function: Callable[[Array], T]) -> list[T]:
        """Return what a function makes of each block, in one computation."""
        boxed = partial(_boxed, function=function)
        found = da.map_blocks(boxed, self._packed(), dtype=object, meta=np.empty(0, object))
        return list(found.compute())

    def _packed(self) -> da.Array:
        arguments: list[Any] = []
        labels = count(1)
        for array in self._arrays:
            # 0 is the rows; the other axes, which are whole, have labels of their own
            arguments += [array, [0, *islice(labels, array.ndim - 1)]]
        return da.blockwise(
            partial(pack, columns=self._columns, dtype=self.dtype),
            [0],
            *arguments,
            name=f"packed-{uuid4().hex}",
            dtype=self.dtype,
            meta=np.empty(0, self.dtype),
            concatenate=True,
            align_arrays=False,
        )


def _boxed(rows: Array, function: Callable[[Array], Any]) -> Array:
    found = np.empty(1, object)
    found[0] = function(rows)
    return found


def packed_records(
    ds: xr.Dataset,
    row: str,
    stored: np.dtype[Any] | None,
    order: np.dtype[Any] | None,
    *,
    zeros: bool = False,
) -> Packed:
    """Return the variables of a Dataset that come from a file, as records.

    Parameters
    ----------
    ds
        Localizations or records.
    row
        Dimension of the rows.
    stored
        Record of the file, whose types the fields get back; None where it is of another model.
    order
        Record that tells the order of the fields.
    zeros
        Put the zeros back that aggregated exports have for absent positions; ``stored`` is nested.

    Raises
    ------
    ValueError
        If ``loc``, ``tid`` or ``tim`` is missing, a variable is no field of a record, or the
        chunks have unknown sizes.
    """
    found: dict[Path, xr.Variable] = {}
    for name, variable in ds.variables.items():
        if "source_name" in variable.attrs and row in variable.dims:
            path = _path(ds, str(name), row)
            if path in found:
                place = ".".join(path)
                raise ValueError(f"two variables go to the field {place}; drop one of them")
            found[path] = variable.to_base_variable()
    missing = [name for name in _NEEDED if not any(path[-1] == name for path in found)]
    if missing:
        raise ValueError(f"records need the fields {', '.join(missing)}, which are not there")
    if zeros and stored is not None and ds.attrs.get("aggregated"):
        _restore_zeros(found, stored, row)
    masked = _is_masked(ds)
    rows = _row_chunks(list(found.values()), row)
    columns, arrays = [], []
    for path, variable in found.items():
        array = _as_blocks(variable, row, rows)
        if row == "localization" and path[0] == ITERATION and "iteration" not in variable.dims:
            array = array[:, np.newaxis]  # the last iteration alone is a sequence of one
        dtype = _stored_dtype(variable, path, stored)
        columns.append(Column(path, dtype, array.shape[1:], masked and path[-1] == "cfr"))
        arrays.append(array)
    dtype = record_of(columns, order)
    return Packed(dtype, ds.sizes[row], tuple(columns), tuple(arrays))


def _path(ds: xr.Dataset, name: str, row: str) -> Path:
    """Return where a variable lies in a record."""
    variable = ds.variables[name]
    source = str(variable.attrs["source_name"])
    path = tuple(source.split("."))
    if row == "record" or len(path) > 1:
        return path
    alone = "iteration" not in ds.dims and source in _PER_ITERATION
    return (ITERATION, source) if "iteration" in variable.dims or alone else path


def _restore_zeros(found: dict[Path, xr.Variable], stored: np.dtype[Any], row: str) -> None:
    """Add the zeros that stand for absent positions in aggregated exports."""
    place, like = (ITERATION, "lnc"), found.get((ITERATION, "loc"))
    if place in found or like is None or "lnc" not in (stored[ITERATION].base.names or ()):
        return
    data = like.data
    zeros = da.zeros_like(data) if isinstance(data, da.Array) else np.zeros(like.shape)
    found[place] = xr.Variable(like.dims, zeros)


def _is_masked(ds: xr.Dataset) -> bool:
    """Tell whether the mark of ratios that were not measured was replaced by NaN."""
    return any(step["parameters"].get("masked") is True for step in history(ds.attrs))


def _row_chunks(variables: list[xr.Variable], row: str) -> tuple[int, ...]:
    """Return the row blocks of the widest variable, or new ones where nothing is chunked."""
    n_rows = variables[0].sizes[row]
    widths = {i: v.nbytes // max(n_rows, 1) for i, v in enumerate(variables)}
    chunked = [i for i, v in enumerate(variables) if isinstance(v.data, da.Array)]
    if chunked:
        widest = variables[max(chunked, key=lambda i: widths[i])]
        sizes = widest.data.chunks[widest.dims.index(row)]
        if any(math.isnan(size) for size in sizes):
            raise ValueError("the row blocks have unknown sizes; call compute_chunk_sizes() first")
        return tuple(int(size) for size in sizes)
    step = max(1, get_options().chunk_bytes // max(1, sum(widths.values())))
    return tuple(min(step, n_rows - start) for start in range(0, n_rows, step)) or (0,)


def _as_blocks(variable: xr.Variable, row: str, rows: tuple[int, ...]) -> da.Array:
    """Return a variable with rows, iterations, and the rest as axes, whole but for the rows."""
    moved = variable.transpose(row, *(["iteration"] if "iteration" in variable.dims else []), ...)
    if isinstance(moved._data, da.Array):
        sizes = (rows, *(-1 for _ in moved.dims[1:]))
        # "tasks": neighbours only; the peer-to-peer method would send all data through disks
        return da.rechunk(moved._data, sizes, method="tasks")
    # a name of our own: xarray would hash all values to find one
    chunks: dict[Hashable, Any] = {**dict.fromkeys(moved.dims, -1), row: rows}
    return moved.chunk(chunks, name=f"rows-{uuid4().hex}").data


def _stored_dtype(variable: xr.Variable, path: Path, stored: np.dtype[Any] | None) -> np.dtype[Any]:
    if variable.dtype.kind not in "biufcSU":
        name = ".".join(path)
        raise ValueError(f"field {name} has dtype {variable.dtype}, which no record can hold")
    if stored is not None:
        try:
            base, _ = leaf_dtype(stored, path)
        except (KeyError, TypeError, IndexError):
            base = np.dtype([("none", "?")])
        if base.names is None:
            return base
    text = variable.attrs.get("source_dtype")
    dtype = variable.dtype if text is None else np.dtype(str(text))
    return dtype.newbyteorder("<")
