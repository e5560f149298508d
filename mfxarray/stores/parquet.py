"""Sealed Parquet tables: one flat table, one file per block of rows, complete or absent."""

from __future__ import annotations

import os
from collections.abc import Hashable, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import dask.array as da
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr
from dask.base import compute, tokenize
from dask.delayed import Delayed

from mfxarray.errors import DataError
from mfxarray.options import get_options
from mfxarray.stores.parquet_schema import (
    Column,
    arrow_schema,
    columns_of,
    parse_meta,
    row_dim,
    small_variable,
)
from mfxarray.stores.plain import is_text, text_list
from mfxarray.stores.seal import SEAL_NAME, Seal, check_sealed, staged
from mfxarray.stores.tasks import block_keys, in_order

__all__ = ["open_parquet", "write_parquet"]

_AGAIN = "Write or copy the store again."
_Parts: TypeAlias = tuple[tuple[int, str], ...]


def write_parquet(
    data: xr.Dataset, path: str | os.PathLike[str], *, overwrite: bool = False
) -> None:
    """Write a table of localizations, traces or regions as a sealed folder of Parquet files.

    Parameters
    ----------
    data
        Dataset with the dimension ``localization`` or ``trace``; or of ion images a table of
        regions, a depth profile (of ``region`` and ``frame`` the longer one makes the rows) or a
        line profile (``distance``). The other dimensions become suffixes of column names
        (``efo_i3``, ``position_i4_x``). Variables without rows go into the metadata.
    path
        Folder of the new store; ``pandas.read_parquet`` reads it too.
    overwrite
        Replace a store that is there, once the new one is complete.

    Raises
    ------
    DataError
        If ``path`` exists and ``overwrite`` is False, before any work.
    ValueError
        If the Dataset has no rows dimension, attributes without a JSON form, a dtype without a
        column type, unknown chunk sizes, or a large variable without rows.

    Notes
    -----
    One pass over the data: one task per block of rows writes one file (zstd level 1, page
    checksums) and holds that block of all variables twice.
    """
    rows = row_dim(data)
    columns = columns_of(data, rows)
    arrays = _aligned(data, rows, columns)
    blocks = arrays[0].chunks[columns[0].row_axis] if columns else (data.sizes[rows],)
    sizes = [int(size) for size in blocks]
    extra: dict[str, Any] = {"rows": rows}
    with staged(path, kind="parquet", attrs=data.attrs, extra=extra, overwrite=overwrite) as folder:
        schema = arrow_schema(data, rows, columns)
        (footers,) = compute(_tasks(folder, schema, columns, arrays, sizes))
        extra["parts"] = list(zip(sizes, footers, strict=True))


def _aligned(data: xr.Dataset, rows: str, columns: list[Column]) -> list[da.Array]:
    """Return the variables as dask arrays with equal row blocks, whole along other dimensions."""
    lengths: int | tuple[int, ...] = data.chunksizes.get(rows) or _block_rows(data, rows, columns)
    if isinstance(lengths, tuple) and any(size != size for size in lengths):
        raise ValueError("the row blocks have unknown sizes; call compute_chunk_sizes() first")
    arrays = []
    for column in columns:
        values = data.variables[column.name].data
        chunks = tuple(lengths if dim == rows else -1 for dim in column.dims)
        if isinstance(values, da.Array):
            arrays.append(da.rechunk(values, chunks, method="tasks"))
        else:
            arrays.append(da.from_array(np.asarray(values), chunks))
    return arrays


def _block_rows(data: xr.Dataset, rows: str, columns: list[Column]) -> int:
    row_bytes = sum(data.variables[column.name][{rows: slice(1)}].nbytes for column in columns)
    return max(1, get_options().chunk_bytes // max(1, row_bytes))


def _tasks(
    folder: Path,
    schema: pa.Schema,
    columns: list[Column],
    arrays: list[da.Array],
    blocks: list[int],
) -> Delayed:
    keys = [list(block_keys(array).values()) for array in arrays]
    write = [
        partial(_write_part, _part(folder, index), schema, columns, size)
        for index, size in enumerate(blocks)
    ]
    calls = [(call, [row[index] for row in keys]) for index, call in enumerate(write)]
    return in_order(calls, arrays)


def _part(folder: Path, index: int) -> str:
    return str(folder / f"part-{index:05d}.parquet")


def _write_part(
    path: str, schema: pa.Schema, columns: Sequence[Column], size: int, values: list[Any]
) -> str:
    """Write one file, return the hash of its footer; run twice, it writes the same bytes."""
    arrays: list[pa.Array] = []
    for column, block in zip(columns, values, strict=True):
        flat = np.moveaxis(block, column.row_axis, 0).reshape(size, len(column.columns))
        arrays += [_arrow(flat[:, index], column.name) for index in range(len(column.columns))]
    table = pa.Table.from_arrays(arrays, schema=schema)
    temporary = f"{path}.{uuid4().hex}.partial"
    pq.write_table(
        table, temporary, compression="zstd", compression_level=1, write_page_checksum=True
    )
    os.replace(temporary, path)
    return _footer_hash(path)


def _footer_hash(path: str) -> str:
    """Return the sha256 of a file's footer, which no page checksum covers."""
    with open(path, "rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - 8))
        length = int.from_bytes(file.read(4), "little")
        file.seek(max(0, end - 8 - length))
        return sha256(file.read()).hexdigest()


def _arrow(values: np.ndarray[Any, Any], name: str) -> pa.Array:
    if is_text(values.dtype):
        return pa.array(text_list(values, name), pa.string())
    return pa.array(np.ascontiguousarray(values, values.dtype.newbyteorder("=")))


def open_parquet(path: str | os.PathLike[str]) -> xr.Dataset:
    """Return the Dataset in a Parquet store, lazily, one dask chunk per file.

    Parameters
    ----------
    path
        Folder written by `write_parquet`.

    Raises
    ------
    DataError
        If there is no store, its metadata are damaged, or (on computing) a page is damaged.
    IncompleteStoreError
        If it has no seal, or files are missing or have another size.

    Notes
    -----
    Reads one footer, and the rows' own coordinate where there is one. A task reads the columns of
    one variable from one file.
    """
    store = Path(os.path.abspath(os.fspath(path)))
    seal = check_sealed(store, kind="parquet")
    parts = _parts(seal, store)
    meta, columns = _describe(store, parts)
    by_name = {column.name: column for column in columns}
    try:
        found = {
            name: _row_variable(by_name[name], entry["attrs"], store, meta["rows"], parts)
            if name in by_name
            else small_variable(entry, meta["sizes"])
            for name, entry in meta["variables"].items()
        }
        coords = {name: found.pop(name) for name in meta["coords"]}
        return xr.Dataset(found, coords, meta["attrs"])
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"has damaged metadata: {error}", path=store, hint=_AGAIN) from error


def _parts(seal: Seal, store: Path) -> _Parts:
    """Return rows and footer hash of every file."""
    try:
        parts = tuple((int(size), str(footer)) for size, footer in seal.extra["parts"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError("its seal lists no parts", path=store, hint=_AGAIN) from error
    if not parts or len(parts) != len(seal.files):
        raise DataError("its seal and its files do not agree", path=store, hint=_AGAIN)
    return parts


def _describe(store: Path, parts: _Parts) -> tuple[dict[str, Any], list[Column]]:
    first = _part(store, 0)
    _check_footer(first, parts[0][1])
    try:
        schema = pq.read_schema(first)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"cannot be read: {error}", path=first, hint=_AGAIN) from error
    return parse_meta(schema, first)


def _row_variable(
    column: Column, attrs: dict[str, Any], store: Path, rows: Hashable, parts: _Parts
) -> xr.Variable:
    if column.dims == (rows,) == (column.name,):
        # xarray holds indexes in memory; reading here keeps opening free of dask
        read = [_read_part(str(store), column, i, *part) for i, part in enumerate(parts)]
        return xr.IndexVariable(column.dims, np.concatenate(read), attrs)
    chunks: list[tuple[int, ...]] = [(size,) for size in column.shape]
    chunks.insert(column.row_axis, tuple(size for size, _ in parts))
    state = (store / SEAL_NAME).stat()
    token = tokenize(str(store), state.st_ino, state.st_mtime_ns, column)
    values = da.map_blocks(
        _read_block,
        chunks=tuple(chunks),
        dtype=column.numpy_dtype,
        meta=np.empty((0,) * len(column.dims), column.numpy_dtype),
        name=f"parquet-{column.name}-{token}",
        store=str(store),
        column=column,
        parts=parts,
    )
    return xr.Variable(column.dims, values, attrs)


def _read_block(
    store: str, column: Column, parts: _Parts, block_id: tuple[int, ...] | None = None
) -> np.ndarray[Any, Any]:
    index = (block_id or (0,) * len(column.dims))[column.row_axis]
    return _read_part(store, column, index, *parts[index])


def _check_footer(path: str, footer: str) -> None:
    try:
        found = _footer_hash(path)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", path=path, hint=_AGAIN) from error
    if found != footer:
        raise DataError("its footer is damaged (wrong sha256)", path=path, hint=_AGAIN)


def _read_part(
    store: str, column: Column, index: int, size: int, footer: str
) -> np.ndarray[Any, Any]:
    """Return a variable's values in one file, with the page checksums verified."""
    path = _part(Path(store), index)
    _check_footer(path, footer)
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read(columns=list(column.columns))
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"cannot be read: {error}", path=path, hint=_AGAIN) from error
    if table.num_rows != size:
        message = f"has {table.num_rows} rows, the seal says {size}"
        raise DataError(message, path=path, hint=_AGAIN)
    flat = np.empty((size, len(column.columns)), column.numpy_dtype)
    for place, name in enumerate(column.columns):
        flat[:, place] = table.column(name).to_numpy()
    return np.moveaxis(flat.reshape(size, *column.shape), 0, column.row_axis)
