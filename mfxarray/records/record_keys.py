"""Ranges of flat records, and the fields of them that decide about localizations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.tables import Table
from mfxarray.kernels.record_numbers import MAX_THREADS, RecordKeys

__all__ = [
    "Fetch",
    "Progress",
    "View",
    "as_flags",
    "check_flat",
    "fetch_rows",
    "key_blocks",
    "keys_of",
    "row_pieces",
]

Array = np.ndarray[Any, Any]
View = Literal["valid", "all"]
# gives a field of a range of records by its name
Fetch = Callable[[str], Array]
# is told the share of the work that is done, 0 to 1
Progress = Callable[[float], None]

# small enough to stay in the cache of a core while the fields are taken out one by one
BLOCK_BYTES = 8 * 2**20
_NEEDED = ("tid", "itr")
_WHOLE_NUMBERS = ("tid", "itr", "thi", "sqi")
_FLAGS = ("vld", "fnl", "bot", "eot")


def check_flat(dtype: np.dtype[Any], path: object = None) -> None:
    """Refuse records that are not flat.

    Raises
    ------
    DataError
        If ``tid`` or ``itr`` is missing, or a field that decides about localizations is no plain
        number.
    """
    names = dtype.names or ()
    for name in _NEEDED:
        if name not in names:
            found = ", ".join(names)[:80] or "none"
            raise _wrong(f"flat records need the field {name}; fields found: {found}", path)
    for name in (*_WHOLE_NUMBERS, *_FLAGS):
        kinds = "iu" if name in _WHOLE_NUMBERS else "biu"
        if name in names and (dtype[name].kind not in kinds or dtype[name].shape):
            raise _wrong(f"field {name} has the unexpected type {dtype[name]}", path)


def _wrong(message: str, path: object) -> DataError:
    hint = "Give records as Imspector m2410 and later export them."
    return DataError(message, path=path, place="record type", hint=hint)


def row_pieces(table: Table, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of about 8 MB of records, cut where the table is stored in parts."""
    fitting = BLOCK_BYTES // max(table.dtype.itemsize, 1)
    step = max(fitting // table.grain, 1) * table.grain
    while start < stop:
        end = min((start // step + 1) * step, stop)
        yield start, end
        start = end


def fetch_rows(table: Table, start: int, stop: int) -> Fetch:
    """Return access to the fields of a range; records that lie together are read once."""
    if table.columnar:
        return lambda name: table.column((name,), start, stop)
    rows = table.read(start, stop)
    return lambda name: rows[name]


def key_blocks(
    table: Table, view: View, path: object = None, progress: Progress | None = None
) -> Iterator[tuple[int, RecordKeys]]:
    """Yield first row and deciding fields of each block of a table; see `keys_of`."""
    for start, stop in row_pieces(table, 0, table.n_rows):
        fetch = fetch_rows(table, start, stop)
        yield start, keys_of(fetch, table.dtype, stop - start, view, start, path)
        if progress is not None:
            progress(stop / table.n_rows)


def keys_of(
    fetch: Fetch,
    dtype: np.dtype[Any],
    n_rows: int,
    view: View,
    first_row: int = 0,
    path: object = None,
) -> RecordKeys:
    """Return the deciding fields of some records.

    Parameters
    ----------
    fetch
        Gives a field by its name.
    dtype
        Type of the records; fields that it lacks count as one thread, one sequence, no completed
        sequence, all valid.
    n_rows
        Number of records.
    view
        "valid" keeps valid records, "all" all.
    first_row, path
        Where the records stand, for messages.

    Raises
    ------
    DataError
        If a thread number is not in 0 to 255.
    """
    names = dtype.names or ()

    def flags(name: str, missing: bool) -> Array:
        return as_flags(fetch(name)) if name in names else np.full(n_rows, missing)

    def numbers(name: str) -> Array:
        if name not in names:
            return np.zeros(n_rows, np.int64)
        # always a copy: read-only arrays are another type to numba, compiled once more
        return fetch(name).astype(np.int64)

    vld = flags("vld", True)
    keep = vld if view == "valid" else np.ones(n_rows, np.bool_)
    thi = numbers("thi")
    wrong = np.flatnonzero((thi < 0) | (thi >= MAX_THREADS))
    if wrong.size:
        raise DataError(
            f"thread number {thi[wrong[0]]}, expected 0 to {MAX_THREADS - 1}",
            path=path,
            place=f"row {first_row + int(wrong[0])}, field thi",
            hint="The file is damaged; open it with records=True to look at its records.",
        )
    tid, sqi, itr = numbers("tid"), numbers("sqi"), numbers("itr")
    return RecordKeys(keep, vld, tid, thi.astype(np.uint8), sqi, itr, flags("fnl", False))


def as_flags(values: Array) -> Array:
    """Return a contiguous array of bool; stored bytes other than 0 and 1 count as True."""
    plain = values.view(np.uint8) if values.dtype == np.bool_ else values
    return np.ascontiguousarray(plain != 0)
