"""The index of localizations kept in a small file, used again while its source is unchanged."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.sources import FileSource
from mfxarray.formats.tables import Measurement, Table
from mfxarray.kernels.record_numbers import MAX_ITERATIONS, MAX_THREADS
from mfxarray.records.cache_folder import cache_path
from mfxarray.records.progress import Teller
from mfxarray.records.record_keys import Progress, View
from mfxarray.records.regroup_index import RegroupIndex, build_index

__all__ = ["cached_index", "index_path", "load_index", "store_index"]

Array = np.ndarray[Any, Any]

# part of the identity: a change of the rule or of this file's layout must change it
_VERSION = 1
_SUFFIX = ".localizations"
# the index of less is made faster than it is looked up
WORTH_BYTES = 16 * 2**20
_MAGIC = b"MFXINDEX"
_DIGEST_BYTES = 32
_BODY = len(_MAGIC) + _DIGEST_BYTES
_HEADER_CAP = 65_536
# bytes of marks and order that a row can cost at most, see `_ARRAYS`
_ROW_BYTES = 32
_COUNTS = ("n_rows", "n_localizations", "n_iterations", "n_complete")
_ARRAYS = (
    ("threads", np.dtype("<i8")),
    ("first", np.dtype("<i8")),
    ("ends", np.dtype("<i8")),
    ("localization", np.dtype("<i8")),
    ("row", np.dtype("<i8")),
    ("trace_start", np.dtype("|b1")),
    ("order", np.dtype("<i8")),
)


def cached_index(
    measurement: Measurement | Table,
    source: FileSource,
    view: View = "valid",
    progress: Progress | None = None,
) -> RegroupIndex:
    """Return the index of flat records, from the cache where it is there and still holds.

    Parameters
    ----------
    measurement
        A data set whose rows are a table of flat records, or such a table.
    source
        The file for which the index is kept.
    view
        "valid" or "all".
    progress
        Is told the share of the work that is done, where the index must be built; the option
        ``progress`` decides if not given.

    Raises
    ------
    DataError, PlanError
        See `build_index`.
    ValueError
        If the rows are a stream, which must be copied into a table first.

    Notes
    -----
    A stored index costs 17 bytes for some 1000 localizations, and 8 bytes a row where traces are
    interleaved. A damaged one is built again; one that cannot be stored is not an error. For less
    than 16 MB of records nothing is stored.
    """
    table = _table(measurement)
    if table.n_rows * table.dtype.itemsize < WORTH_BYTES:
        return build_index(table, view=view, progress=progress, path=source.path)
    path = index_path(table, source, view)
    found = None if path is None else load_index(path, table, view)
    if found is not None:
        return found
    index = _built(table, source, view, progress)
    if path is not None:
        with suppress(OSError):
            store_index(path, table, index)
    return index


def index_path(table: Table, source: FileSource, view: View) -> Path | None:
    """Return where the index of a table is kept, None where nothing can be kept."""
    try:
        return cache_path(source, _identity(table, view), _SUFFIX)
    except (DataError, OSError):
        # the pass over the records says what is wrong with the source, if anything is
        return None


def store_index(path: Path, table: Table, index: RegroupIndex) -> None:
    """Write an index under its name in one step.

    Raises
    ------
    OSError
        If it cannot be written; nothing is left then.
    """
    parts = [
        np.ascontiguousarray(values, dtype).tobytes()
        for name, dtype in _ARRAYS
        if (values := getattr(index, name)) is not None
    ]
    header = {name: getattr(index, name) for name in _COUNTS}
    header["identity"] = _identity(table, index.view)
    header["lengths"] = [
        None if (values := getattr(index, name)) is None else len(values) for name, _ in _ARRAYS
    ]
    text = json.dumps(header).encode()
    if len(text) > _HEADER_CAP:
        return
    body = b"".join([len(text).to_bytes(8, "little"), text, *parts])
    _write(path, _MAGIC + hashlib.sha256(body).digest() + body)


def load_index(path: Path, table: Table, view: View) -> RegroupIndex | None:
    """Return the stored index of a table, None where there is none that is whole and fits."""
    try:
        with open(path, "rb") as file:
            most = _BODY + 8 + _HEADER_CAP + _ROW_BYTES * (table.n_rows + MAX_THREADS)
            if os.fstat(file.fileno()).st_size > most:
                return None
            stored = file.read(most)
    except OSError:
        return None
    body = stored[_BODY:]
    if stored[:_BODY] != _MAGIC + hashlib.sha256(body).digest():
        return None
    # whole; what was written by another hand must still not do harm
    try:
        index = _parsed(body, table, view)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return index if index is not None and _is_sound(index, table) else None


def _table(measurement: Measurement | Table) -> Table:
    rows = measurement.rows if isinstance(measurement, Measurement) else measurement
    if not hasattr(rows, "read"):
        raise ValueError("the rows are a stream; copy them into a table of columns first")
    table: Table = rows  # type: ignore[assignment]
    return table


def _built(table: Table, source: FileSource, view: View, progress: Progress | None) -> RegroupIndex:
    if progress is not None:
        return build_index(table, view=view, progress=progress, path=source.path)
    teller = Teller(f"finding the localizations of {os.path.basename(source.path)}")
    index = build_index(table, view=view, progress=teller.tell, path=source.path)
    teller.finish()
    return index


def _identity(table: Table, view: View) -> str:
    return f"localizations {_VERSION} {view} {table.identity()}"


def _write(path: Path, content: bytes) -> None:
    # `cache_folder.forget_old` knows unfinished caches by this name
    temporary = path.with_name(f"{path.name}.tmp-{uuid.uuid4().hex}")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _parsed(body: bytes, table: Table, view: View) -> RegroupIndex | None:
    length = int.from_bytes(body[:8], "little")
    if length > _HEADER_CAP:
        return None
    header = json.loads(body[8 : 8 + length])
    if header["identity"] != _identity(table, view):
        return None
    counts = [header[name] for name in _COUNTS]
    lengths = header["lengths"]
    if len(lengths) != len(_ARRAYS) or not all(type(count) is int for count in counts):
        return None
    place = 8 + length
    arrays: list[Array | None] = []
    for (_, dtype), count in zip(_ARRAYS, lengths, strict=True):
        if count is None:
            arrays.append(None)
            continue
        if type(count) is not int or not 0 <= count * dtype.itemsize <= len(body) - place:
            return None
        # a copy lies aligned in memory, which searching in it needs
        arrays.append(np.frombuffer(body, dtype, count, place).copy())
        place += count * dtype.itemsize
    if place != len(body) or any(array is None for array in arrays[:-1]):
        return None
    return RegroupIndex(view, *counts, *arrays)  # type: ignore[arg-type]


def _is_sound(index: RegroupIndex, table: Table) -> bool:
    """Tell whether an index can be one of this table; reading by it then stays within bounds."""
    n_rows, n_threads = table.n_rows, len(index.threads)
    limit = n_rows if index.order is None else len(index.order)
    marks = (index.localization, index.row, index.trace_start)
    return (
        index.n_rows == n_rows
        and 0 <= index.n_complete <= index.n_localizations <= n_rows
        and 1 <= index.n_iterations <= MAX_ITERATIONS
        and len({len(array) for array in marks}) == 1
        and len(index.first) == len(index.ends) == n_threads
        and (n_threads > 0) == (index.n_localizations > 0)
        and _rises(index.threads, 0, MAX_THREADS)
        and _rises(index.localization, 0, index.n_localizations)
        and _rises(index.first, 0, index.n_localizations)
        and (n_threads == 0 or index.first[0] == 0)
        and bool(np.isin(index.first, index.localization).all())
        and _within(index.row, 0, limit)
        and _within(index.ends, 0, limit + 1)
        and (index.order is None or _within(index.order, 0, n_rows))
    )


def _rises(values: Array, low: int, high: int) -> bool:
    return _within(values, low, high) and bool(np.all(values[1:] > values[:-1]))


def _within(values: Array, low: int, high: int) -> bool:
    return bool(np.all((values >= low) & (values < high)))
