"""Filling the columns of a cache from pieces of a stream, with compression beside the reading."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numcodecs import blosc

from mfxarray.formats.tables import Piece
from mfxarray.records.column_layout import (
    CODEC,
    INDEX_DTYPE,
    SHARD_CHUNKS,
    Leaf,
    array_metadata,
    group_metadata,
)

__all__ = ["ColumnWriter"]

_ABSENT = np.iinfo(np.uint64).max
Array = np.ndarray[Any, Any]


class ColumnWriter:
    """Writes pieces into the arrays of a folder.

    Parameters
    ----------
    folder
        Empty folder.
    fields
        The fields of a record.
    chunk_rows
        Rows of a chunk.
    pool
        Threads that compress and write.

    Notes
    -----
    Holds at most two chunks of every column: one that is being filled, one that is being written.
    """

    def __init__(
        self, folder: Path, fields: tuple[Leaf, ...], chunk_rows: int, pool: ThreadPoolExecutor
    ) -> None:
        self._folder, self._chunk_rows = folder, chunk_rows
        self._fields = {leaf.path: leaf for leaf in fields}
        self._columns = {
            (leaf.path, index): _Column(folder / leaf.name, leaf, index, chunk_rows, pool)
            for leaf in fields
            for index in np.ndindex(leaf.shape)
        }

    def put(self, piece: Piece) -> None:
        """Take over the values of a piece; they may be changed afterwards.

        Raises
        ------
        ValueError
            If the piece does not fit the record, or does not continue where the last one ended.
        """
        leaf = self._fields.get(piece.path)
        if leaf is None:
            raise ValueError(f"a piece of {piece.path}, which the record does not have")
        rest = leaf.shape[len(piece.index) :]
        if piece.values.shape[1:] != rest or piece.values.dtype != leaf.dtype:
            raise ValueError(
                f"a piece of {piece.path} has shape {piece.values.shape} and type "
                f"{piece.values.dtype}, expected (n, *{rest}) and {leaf.dtype}"
            )
        for index in np.ndindex(rest):
            column = self._columns[(piece.path, (*piece.index, *index))]
            column.put(piece.start, piece.values[(slice(None), *index)])

    def finish(self) -> tuple[int, int]:
        """Write what is left in memory; return the rows of the shortest and the longest column."""
        for column in self._columns.values():
            column.finish()
        for column in self._columns.values():
            column.wait()
        counts = {column.rows for column in self._columns.values()}
        return min(counts), max(counts)

    def describe(self, n_rows: int, attrs: dict[str, Any]) -> None:
        """Write the metadata of an array of ``n_rows`` rows for each field."""
        _write_json(self._folder, group_metadata(attrs))
        for leaf in self._fields.values():
            folder = self._folder / leaf.name
            folder.mkdir(exist_ok=True)
            _write_json(folder, array_metadata(leaf, n_rows, self._chunk_rows))


def _write_json(folder: Path, content: dict[str, Any]) -> None:
    (folder / "zarr.json").write_text(json.dumps(content, indent=1), encoding="utf-8")


class _Column:
    """One column: a chunk in memory, and shards on disk that grow chunk by chunk."""

    def __init__(
        self,
        folder: Path,
        leaf: Leaf,
        index: tuple[int, ...],
        chunk_rows: int,
        pool: ThreadPoolExecutor,
    ) -> None:
        self.rows = 0
        self._folder, self._tail, self._pool = folder, [str(number) for number in index], pool
        self._dtype, self._chunk_rows, self._itemsize = leaf.stored, chunk_rows, leaf.dtype.itemsize
        self._filling: Array | None = None
        self._spare: Array | None = None
        self._pending: Future[None] | None = None
        self._chunks = 0
        self._sizes: list[int] = []

    def put(self, start: int, values: Array) -> None:
        """Append values; whole chunks go to disk while the next one fills."""
        if start != self.rows:
            raise ValueError(f"a piece starts at row {start}, expected {self.rows}")
        for part, at in _cut(values, self.rows, self._chunk_rows):
            if self._filling is None:
                self._filling = np.empty(self._chunk_rows, self._dtype)
            self._filling[at : at + len(part)] = part
            self.rows += len(part)
            if at + len(part) == self._chunk_rows:
                self._send(self._filling)

    def finish(self) -> None:
        """Begin to write what is left, and the end of the file; `wait` says when it is there."""
        self.wait()
        filled = self.rows % self._chunk_rows
        last = None
        if filled and self._filling is not None:
            self._filling[filled:] = 0
            last = self._filling
        self._pending = self._pool.submit(self._end, last)

    def wait(self) -> None:
        """Wait until what was sent is on disk, and raise what went wrong there."""
        if self._pending is not None:
            self._pending.result()

    def _send(self, chunk: Array) -> None:
        # the chunks of a column go into one file, one after the other
        self.wait()
        self._filling, self._spare = self._spare, chunk
        self._pending = self._pool.submit(self._append, chunk)

    def _end(self, chunk: Array | None) -> None:
        if chunk is not None:
            self._append(chunk)
        if self._sizes:
            self._close_shard()

    def _append(self, chunk: Array) -> None:
        shuffle = CODEC["shuffle"] if self._itemsize > 1 else blosc.NOSHUFFLE
        packed = blosc.compress(chunk, CODEC["cname"].encode(), CODEC["clevel"], shuffle)
        self._chunks += 1
        self._sizes.append(len(packed))
        self._add_to_file(packed)
        if not self._chunks % SHARD_CHUNKS:
            self._close_shard()

    def _close_shard(self) -> None:
        index = np.full((SHARD_CHUNKS, 2), _ABSENT, INDEX_DTYPE)
        ends = np.cumsum(self._sizes, dtype=INDEX_DTYPE)
        index[: len(ends), 1] = self._sizes
        index[: len(ends), 0] = ends - index[: len(ends), 1]
        self._add_to_file(index.tobytes())
        self._sizes = []

    def _add_to_file(self, content: bytes) -> None:
        shard = (self._chunks - 1) // SHARD_CHUNKS
        path = self._folder.joinpath("c", str(shard), *self._tail)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(content)


def _cut(values: Array, start: int, chunk_rows: int) -> Iterator[tuple[Array, int]]:
    """Cut values that start at a row where chunks end; give each part and its place in a chunk."""
    done = 0
    while done < len(values):
        at = (start + done) % chunk_rows
        count = min(chunk_rows - at, len(values) - done)
        yield values[done : done + count], at
        done += count
