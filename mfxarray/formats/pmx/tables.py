"""Tables of ``.pmx`` files: nested records, or a matrix whose columns are the fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.hdf5.chunks import read_box
from mfxarray.formats.hdf5.hdf5 import opened
from mfxarray.formats.mat.columns import Column, ColumnTable, Request
from mfxarray.formats.npy.fields import ITERATION, flat_record_dtype
from mfxarray.formats.sources import FileSource
from mfxarray.formats.tables import Path

__all__ = ["FrameColumns", "FrameReader", "PmxRecords", "frame_table"]

Array = np.ndarray[Any, Any]
_VECTORS = {"loc": ("x", "y", "z"), "lnc": ("lncx", "lncy", "lncz")}
_NEEDED = ("tid", "tim", "itr", "x", "y", "z")
_NUMBER = {"bool", "float16", "float32", "float64"}
_NUMBER |= {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
_HINT = "The file is damaged or was not saved by pyMINFLUX."


@dataclass(frozen=True)
class PmxRecords:
    """A dataset of nested records; a `tables.Table`. The file is opened for each read.

    Attributes
    ----------
    source
        The file.
    place
        Path of the dataset.
    dtype
        Structured dtype of a record, as stored.
    n_rows
        Number of records.
    grain
        Rows of a chunk.
    """

    source: FileSource
    place: str
    dtype: np.dtype[Any]
    n_rows: int
    grain: int = 1
    columnar: bool = False

    @classmethod
    def of(cls, dataset: Any, source: FileSource) -> PmxRecords:
        """Return the table of a dataset that passed `hdf5.check_dataset`.

        Raises
        ------
        DataError
            If it is no list of nested records.
        """
        names = dataset.dtype.names or ()
        inner = dataset.dtype[ITERATION].base.names if ITERATION in names else None
        if len(dataset.shape) != 1 or not inner or not {"loc"} <= set(inner):
            raise _bad(source, "raw/npy holds no nested records")
        missing = [name for name in ("tid", "tim") if name not in names]
        if missing:
            raise _bad(source, f"the records have no field {missing[0]}")
        grain = dataset.chunks[0] if dataset.chunks else 1
        return cls(source, str(dataset.name), dataset.dtype, int(dataset.shape[0]), int(grain))

    def identity(self) -> str:
        """Return path, size, time and layout as text."""
        return repr(self)

    def read(self, start: int, stop: int) -> Array:
        """Return whole records ``start`` to ``stop``, shape (stop - start,)."""
        with opened(self.source) as file:
            rows = read_box(file[self.place], ((start, stop),), self.source)
        _check_flags(rows, self.source)
        return rows

    def column(self, path: Path, start: int, stop: int) -> Array:
        """Return one field of these records; all fields are read for it."""
        found = self.read(start, stop)
        for name in path:
            found = found[name]
        return found


def _check_flags(rows: Array, source: FileSource) -> None:
    """Raise DataError if a bool is neither 0 nor 1."""
    for name in rows.dtype.names or ():
        if rows.dtype[name].base.names is not None:
            _check_flags(rows[name], source)
        elif rows.dtype[name] == np.bool_ and np.any(rows[name].view(np.uint8) > 1):
            raise _bad(source, f"the flags {name} are neither 0 nor 1")


@dataclass(frozen=True)
class FrameColumns:
    """Columns of a matrix that make one field; a `mat_columns.StoredArray`."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class FrameReader:
    """Reads columns of a matrix of numbers; a `mat_columns.LaneReader`."""

    source: FileSource
    place: str

    def lanes(self, requests: Sequence[Request]) -> Iterator[Array]:
        """Yield the values of each request; all requests are for the same rows."""
        wanted = [request.array.numbers[request.first : request.last] for request in requests]
        low, high = min(map(min, wanted)), max(map(max, wanted)) + 1
        rows = (requests[0].start, requests[0].stop)
        with opened(self.source) as file:
            # one read for all: neighbouring columns lie in the same chunks
            box = read_box(file[self.place], (rows, (low, high)), self.source)
        for numbers in wanted:
            yield np.ascontiguousarray(box[:, [number - low for number in numbers]].T)


def frame_table(frame: Any, names: Any, types: Any, source: FileSource) -> ColumnTable:
    """Return flat records from a matrix with a column for each number.

    Parameters
    ----------
    frame
        The dataset, checked, shape (rows, columns).
    names, types
        Names and types of the columns.
    source
        The file.

    Raises
    ------
    DataError
        If names and columns do not agree, or a needed column is missing.
    """
    if len(frame.shape) != 2 or not isinstance(names, list) or len(names) != frame.shape[1]:
        raise _bad(source, f"raw/df of shape {frame.shape} has the columns {str(names)[:80]}")
    missing = [name for name in _NEEDED if name not in names]
    if missing or "" in names or len(set(names)) != len(names):
        raise _bad(
            source, f"raw/df has repeated or nameless columns, or lacks {', '.join(missing)}"
        )
    types = types if isinstance(types, list) and len(types) == len(names) else []
    columns = _columns(frame, names, dict(zip(names, types, strict=False)))
    dtype = np.dtype([(column.path[0], column.dtype, column.tail) for column in columns])
    grain = int(frame.chunks[0]) if frame.chunks else 1
    reader = FrameReader(source, str(frame.name))
    return ColumnTable(reader, dtype, int(frame.shape[0]), tuple(columns), grain)


def _columns(frame: Any, names: list[str], types: dict[str, str]) -> list[Column]:
    """Return the vendor's fields in the vendor's order, then the others."""
    vendor, made = flat_record_dtype(1), list[Column]()
    used = set[str]()

    def add(
        field: str, parts: tuple[str, ...], dtype: np.dtype[Any], tail: tuple[int, ...]
    ) -> None:
        used.update(parts)
        numbers = tuple(names.index(part) for part in parts)
        shape = (int(frame.shape[0]), len(parts))
        array = FrameColumns(field, shape, frame.dtype, numbers)
        # float16 was widened to be stored
        dtype = np.dtype("<f4") if dtype == np.float16 else dtype
        made.append(Column((field,), dtype, tail, array, len(parts)))

    for field in vendor.names or ():
        parts = _VECTORS.get(field, (field,))
        if all(part in names for part in parts):
            add(field, parts, vendor[field].base, vendor[field].shape)
    for name in names:
        if name not in used:
            kind = types.get(name, "")
            add(name, (name,), np.dtype(kind if kind in _NUMBER else "f8"), ())
    return made


def _bad(source: FileSource, message: str) -> DataError:
    return DataError(message, path=source.path, place="group raw", hint=_HINT)
