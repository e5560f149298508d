"""A few rows of a table, from its start and from evenly spaced places."""

from __future__ import annotations

from typing import Any

import numpy as np

from mfxarray.formats.tables import Path, Table

__all__ = ["Sample"]

_SAMPLE_BYTES = 2**19
_HEAD_ROWS = 512
_WINDOWS = 64
# what may be decoded, which is more than what is looked at where rows are compressed together
_DECODED_BYTES = 2**21
# of a column that is read for itself, a row
_COLUMN_BYTES = 8


class Sample:
    """Rows of a table that were looked at when it was opened, the same whatever the chunks.

    Parameters
    ----------
    table
        The table.
    windows
        Number of places, by default as many as can be read with about 1 MB.
    """

    def __init__(self, table: Table, windows: int | None = None) -> None:
        self._table = table
        self._windows = _places(table, windows)
        self._rows: list[np.ndarray[Any, Any]] | None = None

    def column(self, path: Path) -> np.ndarray[Any, Any] | None:
        """Return a field of the rows, shape (n, ...); None if the table has no such field."""
        if not _has(self._table.dtype, path):
            return None
        if self._table.columnar:
            parts = [self._table.column(path, *window) for window in self._windows]
        else:
            if self._rows is None:
                self._rows = [self._table.read(*window) for window in self._windows]
            parts = [_field(rows, path) for rows in self._rows]
        return np.concatenate(parts)


def _places(table: Table, windows: int | None) -> list[tuple[int, int]]:
    itemsize, n_rows = table.dtype.itemsize, table.n_rows
    affordable = max(1, _SAMPLE_BYTES // itemsize)
    if n_rows <= 2 * affordable and windows is None:
        return [(0, n_rows)]
    head = (0, min(_HEAD_ROWS, affordable, n_rows))
    most = _WINDOWS if windows is None else windows
    # a window in compressed rows costs the whole piece it lies in
    piece = table.grain * (_COLUMN_BYTES if table.columnar else itemsize)
    most = min(most, affordable, _DECODED_BYTES // piece - 1)
    if most < 1 or n_rows <= head[1]:
        return [head]
    length = max(min(affordable, n_rows) // most, 1) if windows is None else _HEAD_ROWS
    length = min(length, n_rows)
    starts = np.linspace(0, n_rows - length, most).astype(np.int64).tolist()
    spread = [(start, start + length) for start in starts]
    # a few windows are as long as the head, which would be read twice
    return spread if length >= head[1] else [head, *spread]


def _has(dtype: np.dtype[Any], path: Path) -> bool:
    for name in path:
        dtype = (dtype.subdtype or (dtype, ()))[0]
        if name not in (dtype.names or ()):
            return False
        dtype = dtype[name]
    return True


def _field(rows: np.ndarray[Any, Any], path: Path) -> np.ndarray[Any, Any]:
    for name in path:
        rows = rows[name]
    return rows
