"""Copying a stream once into a columnar cache, which is a table of rows that can be reached."""

from __future__ import annotations

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from mfxarray.errors import DataError
from mfxarray.formats.tables import Measurement, Stream, Table, is_stream
from mfxarray.records.cache_folder import cache_path
from mfxarray.records.column_layout import leaves, rows_of_a_chunk
from mfxarray.records.column_table import ColumnTable
from mfxarray.records.column_writer import ColumnWriter
from mfxarray.records.progress import Teller
from mfxarray.records.sealed_cache import make_sealed
from mfxarray.stores.seal import check_sealed

__all__ = ["spool"]

_SUFFIX = ".columns"
_THREADS = 2


def spool(measurement: Measurement, *, strict: bool = True) -> Table:
    """Return the records of a measurement as a table, copied into a cache if they are a stream.

    Parameters
    ----------
    measurement
        A data set as its container gives it.
    strict
        Refuse a stream that ends before its end. Otherwise the whole rows before it are kept, and
        ``missing_rows`` of the table says which are lost.

    Returns
    -------
    Table
        ``measurement.rows`` itself if its rows can be reached, else a `ColumnTable`.

    Raises
    ------
    DataError
        If the source is damaged or changed, or the cache cannot be written.

    Notes
    -----
    One pass over the stream, the first time; later calls, in any process, find the cache. Memory
    is bounded: two chunks of every column, at most about 80 MB. Two processes that copy at once
    both work; the cache of the one that ends first stays. Where the cache lies: `cache_path`.
    """
    rows = measurement.rows
    if not is_stream(rows):
        return rows  # type: ignore[return-value]  # no Stream, so a Table
    what = f"columns {rows.identity()} {rows.dtype!r} strict={strict}"
    target = cache_path(rows.source, what, _SUFFIX)
    found = _reuse(target, rows)
    if found is None:
        fill = partial(_fill, rows, strict=strict)
        found = make_sealed(rows.source, target, "zarr", fill, partial(_reuse, target, rows))
    elif found.lost is not None:  # the stream said so only when it was read
        warnings.warn(found.lost, stacklevel=2)
    return found


def _reuse(target: Path, stream: Stream) -> ColumnTable | None:
    """Return the table of a complete cache, None where there is none."""
    if not os.path.lexists(target):
        return None
    try:
        notes = check_sealed(target, kind="zarr").extra
        n_rows, chunk_rows = int(notes["n_rows"]), int(notes["chunk_rows"])
        missing = tuple((int(start), int(stop)) for start, stop in notes["missing_rows"])
    except (DataError, KeyError, TypeError, ValueError):
        return None
    expected = rows_of_a_chunk(stream.dtype, stream.n_rows)
    if n_rows < 0 or chunk_rows != expected or notes.get("dtype") != repr(stream.dtype):
        return None
    lost = notes.get("lost")
    return ColumnTable(str(target), stream.dtype, n_rows, chunk_rows, _key(target), missing, lost)


def _key(target: Path) -> str:
    return sha256(target.name.encode("utf-8", "surrogateescape")).hexdigest()[:24]


def _fill(stream: Stream, folder: Path, *, strict: bool) -> dict[str, Any]:
    """Write all columns; return the notes for the seal."""
    name = os.path.basename(stream.source.path)
    teller = Teller(f"converting {name}")
    chunk_rows = rows_of_a_chunk(stream.dtype, stream.n_rows)
    fields = leaves(stream.dtype, stream.source.path)
    with ThreadPoolExecutor(_THREADS, "mfxarray-columns") as pool:
        writer = ColumnWriter(folder, fields, chunk_rows, pool)
        lost = _put_all(stream, writer, teller)
        n_rows, missing = _count(stream, *writer.finish(), strict)
    notes = {
        "n_rows": n_rows,
        "chunk_rows": chunk_rows,
        "missing_rows": missing,
        "lost": lost,
        "dtype": repr(stream.dtype),
    }
    writer.describe(n_rows, {"source": name, **notes})
    teller.finish()
    return notes


def _put_all(stream: Stream, writer: ColumnWriter, teller: Teller) -> str | None:
    """Write all pieces; return what the stream says to have lost, if it does not count its rows."""
    pieces = stream.pieces()
    while True:
        try:
            share, piece = next(pieces)
        except StopIteration as end:
            return None if end.value is None else str(end.value)
        writer.put(piece)
        teller.tell(share)


def _count(
    stream: Stream, shortest: int, longest: int, strict: bool
) -> tuple[int, list[tuple[int, int]]]:
    """Return the number of whole rows, and the rows that are missing."""
    promised = longest if stream.n_rows is None else stream.n_rows
    if longest > promised or (strict and shortest < promised):
        raise DataError(
            f"gave {shortest} to {longest} rows of its columns, {promised} were promised",
            path=stream.source.path,
            hint="The file is damaged; copy or export it again.",
        )
    return shortest, [(shortest, promised)] if shortest < promised else []
