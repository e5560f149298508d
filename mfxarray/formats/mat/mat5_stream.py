"""Records of a MAT file of version 5 with deflated variables, read once from front to back."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfxarray.formats.mat.columns import Column, layout_hash
from mfxarray.formats.mat.mat5_inflate import InflateCursor
from mfxarray.formats.mat.mat5_tags import Deflated
from mfxarray.formats.sources import FileSource
from mfxarray.formats.tables import Piece

__all__ = ["Mat5Stream"]

Array = np.ndarray[Any, Any]
_PIECE_ROWS = 128 * 1024


@dataclass(frozen=True)
class Mat5Stream:
    """Records whose variables are inflated one after the other; a `tables.Stream`.

    Attributes
    ----------
    source
        The file.
    dtype
        Structured dtype of a record.
    n_rows
        Number of records.
    columns
        The fields in the order of ``dtype``.
    """

    source: FileSource
    dtype: np.dtype[Any]
    n_rows: int
    columns: tuple[Column, ...]

    def identity(self) -> str:
        """Return path, size and time of the file, and a hash of the layout."""
        return f"Mat5Stream {self.source!r} {layout_hash(self.dtype, self.columns)}"

    def pieces(self) -> Iterator[tuple[float, Piece]]:
        """Yield the share of the work done and the next piece, about 1 MB each.

        Raises
        ------
        DataError
            If a variable is cut, damaged, or followed by what does not belong to it.
        """
        total = max(1, self.n_rows * sum(_work(column) for column in self.columns))
        done = 0.0
        for deflated, columns in _by_variable(self.columns):
            walk = self._inflated(deflated, columns) if deflated else self._in_place(columns)
            for piece in walk:
                done += piece.values.nbytes
                yield min(1.0, done / total), piece
        for column in self.columns:
            for piece in self._constant(column):
                done += piece.values.nbytes
                yield min(1.0, done / total), piece

    def _inflated(self, deflated: Deflated, columns: list[Column]) -> Iterator[Piece]:
        cursor = InflateCursor(self.source, deflated.offset, deflated.n_bytes, deflated.claimed)
        for column in sorted(columns, key=lambda column: int(column.array.place)):
            cursor.skip(column.array.place - cursor.position)
            stored = column.array.stored
            for lane, start, stop in self._steps(range(column.n_lanes)):
                values = np.empty(stop - start, stored)
                cursor.read_into(values.view(np.uint8).data)
                yield self._piece(column, lane, start, values)
        cursor.skip(deflated.claimed - cursor.position)
        cursor.finish()

    def _in_place(self, columns: list[Column]) -> Iterator[Piece]:
        for column in columns:
            stored, place = column.array.stored, column.array.place
            for lane, start, stop in self._steps(range(column.n_lanes)):
                values = np.empty(stop - start, stored)
                offset = place + (lane * self.n_rows + start) * stored.itemsize
                self.source.read_into(values.view(np.uint8).data, offset)
                yield self._piece(column, lane, start, values)

    def _constant(self, column: Column) -> Iterator[Piece]:
        for lane, start, stop in self._steps(range(column.n_lanes, math.prod(column.tail))):
            values = np.full(stop - start, column.fill, column.dtype)
            yield Piece(column.path, start, values, column.index(lane))

    def _steps(self, lanes: range) -> Iterator[tuple[int, int, int]]:
        for lane in lanes:
            for start in range(0, self.n_rows, _PIECE_ROWS):
                yield lane, start, min(start + _PIECE_ROWS, self.n_rows)

    def _piece(self, column: Column, lane: int, start: int, values: Array) -> Piece:
        native = values.astype(values.dtype.newbyteorder("="), copy=False)
        found = column.convert(native, start, self.source.path)
        return Piece(column.path, start, found, column.index(lane))


def _work(column: Column) -> int:
    return math.prod(column.tail) * column.dtype.itemsize


def _by_variable(columns: tuple[Column, ...]) -> list[tuple[Deflated | None, list[Column]]]:
    groups: dict[Deflated | None, list[Column]] = {}
    for column in columns:
        if column.array is not None:
            groups.setdefault(column.array.deflated, []).append(column)
    return list(groups.items())
