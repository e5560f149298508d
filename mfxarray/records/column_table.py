"""Reading a columnar cache: any rows of any column, each for itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numcodecs import blosc

from mfxarray.errors import DataError
from mfxarray.formats.tables import Path
from mfxarray.records.column_layout import INDEX_DTYPE, SHARD_CHUNKS, Leaf, leaves

__all__ = ["ColumnTable"]

_HINT = "The cache was changed or removed; open the source again."
_BLOSC_HEADER_BYTES = 16
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class ColumnTable:
    """A table whose columns lie apart in a sealed Zarr store; see `tables.Table`.

    Attributes
    ----------
    path
        Folder of the store.
    dtype
        Structured dtype of a record.
    n_rows
        Number of records.
    chunk_rows
        Rows that are compressed together: ranges that end on multiples of it are read fastest.
    key
        Hash of the source, its state, and how it was read.
    missing_rows
        Ranges of rows (start, stop) that a damaged source lost.
    lost
        What a damaged source lost, in words, where it does not count its rows.
    """

    path: str
    dtype: np.dtype[Any]
    n_rows: int
    chunk_rows: int
    key: str
    missing_rows: tuple[tuple[int, int], ...] = ()
    lost: str | None = None
    columnar: ClassVar[bool] = True

    @property
    def grain(self) -> int:
        """Return ``chunk_rows``."""
        return self.chunk_rows

    def identity(self) -> str:
        """Return what the cache was made from, as text."""
        return f"columns {self.key} {self.n_rows}"

    def read(self, start: int, stop: int) -> Array:
        """Return whole records ``start`` to ``stop`` (exclusive), shape (stop - start,)."""
        rows = np.zeros(max(stop - start, 0), self.dtype)
        for leaf in _leaves(self.dtype, self.path).values():
            found: Array = rows
            for name in leaf.path:
                found = found[name]
            self._fill(found, leaf, (), start)
        return rows

    def column(self, path: Path, start: int, stop: int, index: tuple[int, ...] = ()) -> Array:
        """Return one field of these records, shape (stop - start, ...).

        Parameters
        ----------
        path
            Names that lead to the field.
        start, stop
            First row, and one past the last.
        index
            Where in the axes after the rows: (2,) reads iteration 2 alone.

        Raises
        ------
        DataError
            If the store was changed or removed.
        """
        leaf = _leaves(self.dtype, self.path)[path]
        found = np.empty((max(stop - start, 0), *leaf.shape[len(index) :]), leaf.dtype)
        self._fill(found, leaf, index, start)
        return found

    def _fill(self, found: Array, leaf: Leaf, index: tuple[int, ...], start: int) -> None:
        stop = start + len(found)
        if start < 0 or stop > self.n_rows:
            raise ValueError(f"rows {start} to {stop} of a table of {self.n_rows}")
        for rest in np.ndindex(found.shape[1:]):
            column = found[(slice(None), *rest)]
            for path, first, last in self._shards(leaf, (*index, *rest), start, stop):
                with _Shard(path) as shard:
                    for chunk in range(first, last):
                        shard.place(self._chunk(chunk, leaf, start, stop), column)

    def _shards(
        self, leaf: Leaf, index: tuple[int, ...], start: int, stop: int
    ) -> Iterator[tuple[str, int, int]]:
        """Give path, first chunk and end of the chunks of every shard that holds these rows."""
        first, last = start // self.chunk_rows, -(-stop // self.chunk_rows)
        while first < last:
            shard = first // SHARD_CHUNKS
            here = min(last, (shard + 1) * SHARD_CHUNKS)
            yield os.path.join(self.path, leaf.name, "c", str(shard), *map(str, index)), first, here
            first = here

    def _chunk(self, number: int, leaf: Leaf, start: int, stop: int) -> _Chunk:
        begin = number * self.chunk_rows
        wanted = slice(max(start, begin) - begin, min(stop, begin + self.chunk_rows) - begin)
        return _Chunk(
            number % SHARD_CHUNKS,
            leaf.stored,
            self.chunk_rows,
            wanted,
            begin + wanted.start - start,
        )


@dataclass(frozen=True)
class _Chunk:
    """A chunk of a shard: its number, type, length, wanted rows, and where these go."""

    number: int
    dtype: np.dtype[Any]
    length: int
    wanted: slice
    target: int


class _Shard:
    """An opened shard; every number in it is checked before it is used."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._index_bytes = SHARD_CHUNKS * 2 * INDEX_DTYPE.itemsize

    def __enter__(self) -> _Shard:
        try:
            self._file = open(self._path, "rb", buffering=0)
        except OSError as error:
            message = f"cannot be opened: {error.strerror}"
            raise DataError(message, path=self._path, hint=_HINT) from error
        self._end = os.fstat(self._file.fileno()).st_size - self._index_bytes
        if self._end < 0:
            self._file.close()
            raise self._bad("is cut off")
        index = self._read(self._end, self._index_bytes)
        self._index = np.frombuffer(index, INDEX_DTYPE).reshape(SHARD_CHUNKS, 2)
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def place(self, chunk: _Chunk, target: Array) -> None:
        """Copy the wanted rows of a chunk into ``target``."""
        values = self._decode(chunk)[chunk.wanted]
        target[chunk.target : chunk.target + len(values)] = values

    def _decode(self, chunk: _Chunk) -> Array:
        offset, count = (int(number) for number in self._index[chunk.number])
        if count < _BLOSC_HEADER_BYTES or offset + count > self._end:
            raise self._bad(f"its chunk {chunk.number} lies outside the file")
        packed = self._read(offset, count)
        values = np.empty(chunk.length, chunk.dtype)
        stated = (int.from_bytes(packed[4:8], "little"), int.from_bytes(packed[12:16], "little"))
        if stated != (values.nbytes, count):
            raise self._bad(f"its chunk {chunk.number} states wrong sizes")
        try:
            blosc.decompress(packed, values)
        except (RuntimeError, ValueError) as error:
            raise self._bad(f"its chunk {chunk.number} is damaged") from error
        return values

    def _read(self, offset: int, count: int) -> bytes:
        self._file.seek(offset)
        found = self._file.read(count)
        if found is None or len(found) != count:
            raise self._bad(f"ends within {count} bytes at {offset}")
        return found

    def _bad(self, message: str) -> DataError:
        return DataError(message, path=self._path, hint=_HINT)


@lru_cache(maxsize=32)
def _leaves(dtype: np.dtype[Any], path: str) -> dict[Path, Leaf]:
    return {leaf.path: leaf for leaf in leaves(dtype, path)}
