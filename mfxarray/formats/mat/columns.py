"""Fields that lie apart in a file, each as a few runs of values ("lanes"), as a table of records.

A MATLAB array of N rows is stored column by column: a field of shape (N, K, 3) is 3 K lanes of N
values, the first axis after the rows running fastest. That holds in version 5 and, with the axes
written in reverse, in version 7.3.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Protocol

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.sources import FileSource
from mfxarray.formats.tables import Path

__all__ = ["Column", "ColumnTable", "LaneReader", "Request", "StoredArray", "cast_values"]
__all__ += ["layout_hash"]

Array = np.ndarray[Any, Any]


class StoredArray(Protocol):
    """A numeric array of a file.

    Attributes
    ----------
    name
        Name with those of the structs around it, such as "itr.loc".
    shape
        Shape in the order of MATLAB.
    dtype
        Type that MATLAB shows; bool for logical.
    """

    @property
    def name(self) -> str:
        """Name with those of the structs around it."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape in the order of MATLAB."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type that MATLAB shows; bool for logical."""


@dataclass(frozen=True)
class Request:
    """Lanes ``first`` to ``last`` of an array, rows ``start`` to ``stop`` (all ends exclusive)."""

    array: Any
    first: int
    last: int
    start: int
    stop: int


class LaneReader(Protocol):
    """Reads lanes of a file. Frozen, small, holds no open handle."""

    @property
    def source(self) -> FileSource:
        """The file."""
        ...

    def lanes(self, requests: Sequence[Request]) -> Iterator[Array]:
        """Yield for each request its values as stored, shape (last - first, stop - start)."""
        ...


@dataclass(frozen=True)
class Column:
    """One field of the records and the array that holds it.

    Attributes
    ----------
    path
        Names that lead to the field.
    dtype
        Type of one value in the records.
    tail
        Sizes of the axes after the rows.
    array
        The array, None for a constant.
    n_lanes
        Lanes that the array holds; fewer than ``tail`` has where z is not stored.
    fill
        Value of the lanes that are not stored.
    scale
        Factor from the unit of the file to ours.
    """

    path: Path
    dtype: np.dtype[Any]
    tail: tuple[int, ...]
    array: Any
    n_lanes: int
    fill: float = 0.0
    scale: float = 1.0

    def index(self, lane: int) -> tuple[int, ...]:
        """Return where a lane lies in the axes after the rows."""
        return tuple(int(number) for number in np.unravel_index(lane, self.tail, order="F"))

    def lane(self, index: tuple[int, ...]) -> int:
        """Return the lane at a place in the axes after the rows."""
        return int(np.ravel_multi_index(index, self.tail, order="F")) if self.tail else 0

    def convert(self, values: Array, start: int, path: object) -> Array:
        """Return stored values in the type and unit of the records; see `cast_values`."""
        if self.scale != 1.0:
            values = values * self.scale
        place = ".".join(self.path) if self.array is None else str(self.array.name)
        return cast_values(values, self.dtype, name=place, start=start, path=path)


@dataclass(frozen=True)
class ColumnTable:
    """Records whose fields lie apart; a `tables.Table`.

    Attributes
    ----------
    reader
        What reads the lanes.
    dtype
        Structured dtype of a record.
    n_rows
        Number of records.
    columns
        The fields in the order of ``dtype``.
    grain
        Rows that are stored together.
    """

    reader: LaneReader
    dtype: np.dtype[Any]
    n_rows: int
    columns: tuple[Column, ...]
    grain: int = 1
    columnar: bool = True

    def identity(self) -> str:
        """Return path, size and time of the file, and a hash of the layout."""
        layout = layout_hash(self.dtype, self.columns)
        return f"{type(self.reader).__name__} {self.reader.source!r} {layout}"

    def read(self, start: int, stop: int) -> Array:
        """Return whole records ``start`` to ``stop``, one read for each lane."""
        rows = np.zeros(stop - start, self.dtype)
        for column, values in self._load(self.columns, start, stop):
            place: Array = rows
            for name in column.path:
                place = place[name]
            place[...] = values
        return rows

    def column(self, path: Path, start: int, stop: int) -> Array:
        """Return one field, shape (stop - start, ...); lanes are contiguous in memory."""
        chosen = [column for column in self.columns if column.path[: len(path)] == path]
        if len(chosen) == 1 and chosen[0].path == path:
            return next(self._load(chosen, start, stop))[1]
        if not chosen:
            raise KeyError(".".join(path))
        inner = self.read(start, stop)
        for name in path:
            inner = inner[name]
        return inner

    def part(self, path: Path, index: tuple[int, ...], start: int, stop: int) -> Array:
        """Return one lane of a field, such as ("itr", "loc") at (K - 1, 0), shape (n,).

        Notes
        -----
        The only bytes read are those of the lane.
        """
        column = next(column for column in self.columns if column.path == path)
        lane = column.lane(index)
        if lane >= column.n_lanes:
            return np.full(stop - start, column.fill, column.dtype)
        request = Request(column.array, lane, lane + 1, start, stop)
        (values,) = self.reader.lanes([request])
        return column.convert(values, start, self.reader.source.path)[0]

    def _load(
        self, columns: Sequence[Column], start: int, stop: int
    ) -> Iterator[tuple[Column, Array]]:
        stored = [column for column in columns if column.n_lanes]
        requests = [Request(column.array, 0, column.n_lanes, start, stop) for column in stored]
        found = self.reader.lanes(requests)
        for column in columns:
            values = np.empty((0, stop - start), column.dtype)
            if column.n_lanes:
                values = column.convert(next(found), start, self.reader.source.path)
            yield column, _with_rows_first(column, values, stop - start)


def layout_hash(dtype: np.dtype[Any], columns: tuple[Column, ...]) -> str:
    """Return a hash of where every field comes from, the same in every process."""
    return hashlib.sha256(repr(_plain((dtype, columns))).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Return numbers and texts only: the repr of a dtype depends on how it was made."""
    if isinstance(value, np.dtype):
        return np.lib.format.dtype_to_descr(value)
    if is_dataclass(value):
        return [_plain(getattr(value, entry.name)) for entry in fields(value)]
    return [_plain(entry) for entry in value] if isinstance(value, tuple) else value


def _with_rows_first(column: Column, values: Array, n_rows: int) -> Array:
    missing = math.prod(column.tail) - column.n_lanes
    if missing:
        rest = np.full((missing, n_rows), column.fill, column.dtype)
        values = np.concatenate([values, rest])
    return values.reshape((*reversed(column.tail), n_rows)).T


def cast_values(
    values: Array, dtype: np.dtype[Any], *, name: str, start: int, path: object
) -> Array:
    """Return values in another type, never changed in meaning.

    Parameters
    ----------
    values
        Numbers; the last axis is rows.
    dtype
        Wished type.
    name
        Name of the variable, for the error.
    start
        Row of the first value, for the error.
    path
        File, for the error.

    Raises
    ------
    DataError
        If a whole number is wished and a value is fractional, not finite or out of range, or if a
        finite number becomes infinite.
    """
    if values.dtype == dtype:
        # bytes that are neither 0 nor 1 would make a bool that is not itself
        if dtype.kind != "b" or not np.any(values.view(np.uint8) > 1):
            return values
        values = values.view(np.uint8)
    if dtype.kind == "f":
        with np.errstate(over="ignore", invalid="ignore"):
            cast = values.astype(dtype)
        wrong = np.isinf(cast) & np.isfinite(values) if _narrows(values, dtype) else None
    else:
        wrong = _not_whole(values, dtype)
        with np.errstate(invalid="ignore"):
            cast = values.astype(dtype)
    if wrong is not None and wrong.any():
        first = tuple(int(axis[0]) for axis in np.nonzero(wrong))
        raise DataError(
            f"variable {name} holds {values[first]!s}, which does not fit the type {dtype}",
            path=path,
            place=f"row {start + first[-1]}",
            hint="The file is damaged or was changed by another program.",
        )
    return cast


def _narrows(values: Array, dtype: np.dtype[Any]) -> bool:
    return values.dtype.kind == "f" and values.dtype.itemsize > dtype.itemsize


def _not_whole(values: Array, dtype: np.dtype[Any]) -> Array | None:
    lowest, highest = (0, 1) if dtype.kind == "b" else _range(dtype)
    if values.dtype.kind == "f":
        # highest + 1 is a power of two, so it is exact as a float; NaN fails every comparison
        whole = (values >= lowest) & (values < float(highest + 1)) & (values == np.rint(values))
        return ~whole
    if not values.size or (int(values.min()) >= lowest and int(values.max()) <= highest):
        return None
    return (values < lowest) | (values > highest)


def _range(dtype: np.dtype[Any]) -> tuple[int, int]:
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)
