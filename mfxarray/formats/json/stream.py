"""MINFLUX records of a JSON file as a stream of columns."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.json.blocks import RecordBlock, record_blocks
from mfxarray.formats.json.layout import Column, Layout
from mfxarray.formats.json.loose import read_loosely
from mfxarray.formats.json.walk import ListStart, TruncatedError
from mfxarray.formats.sources import FileSource
from mfxarray.formats.tables import Piece
from mfxarray.kernels.json.records import INTEGER, parse_records

__all__ = ["JsonStream"]

Array = np.ndarray[Any, Any]
# values as 8-byte numbers, and which records the parser left
_Parsed = tuple[Array, Array]

_BLOCK_BYTES = 8 * 2**20
_THREADS = 2
# orders of keys that are learned besides the first one
_ORDERS = 4
_INT64 = np.iinfo(np.int64)


@dataclass(frozen=True)
class JsonStream:
    """Records of a JSON file, read from front to back; see `mfxarray.formats.tables.Stream`.

    Attributes
    ----------
    source
        The file.
    layout
        What the first records look like.
    start
        Where the list of records begins.
    strict
        Whether a file that ends too early is an error. If not, the stream ends after the last
        whole record and warns with its number.
    """

    source: FileSource
    layout: Layout = field(repr=False)
    start: ListStart
    strict: bool = True

    @property
    def dtype(self) -> np.dtype[Any]:
        """Structured dtype of a record."""
        return self.layout.dtype

    @property
    def n_rows(self) -> int | None:
        """None: the records are not counted before they are read."""
        return None

    def identity(self) -> str:
        """Return path, size, time and layout as text."""
        return f"{self!r} {self.dtype.descr!r} {self.layout.dropped!r}"

    def pieces(self) -> Generator[tuple[float, Piece], None, str | None]:
        """Yield the share of the work done and the next piece: all fields of a block of records.

        The value of the generator is the warning, None if there is none.

        Raises
        ------
        DataError
            If the file is damaged, or (strict) ends too early.

        Warns
        -----
        UserWarning
            If the file ends too early and ``strict`` is off.

        Notes
        -----
        Blocks of 8 MB are parsed on two threads; below 100 MB of memory, whatever the size.
        """
        parser = _Parser(self.layout)
        waiting: deque[tuple[RecordBlock, Future[_Parsed]]] = deque()
        blocks = self._blocks()
        others: list[_Parser] = []
        problem: DataError | None = None
        with ThreadPoolExecutor(_THREADS) as pool:
            while True:
                try:
                    block = next(blocks, None)
                except DataError as error:
                    # what was read before comes first, and may hold an error of its own
                    problem, block = error, None
                if block is None:
                    break
                waiting.append((block, pool.submit(parser.parse, block)))
                if len(waiting) > _THREADS:
                    yield from self._finish(*waiting.popleft(), others)
            while waiting:
                yield from self._finish(*waiting.popleft(), others)
        return self._end(problem)

    def _blocks(self) -> Iterator[RecordBlock]:
        """Yield blocks whose records are long enough to hold all values.

        A file of one large record and many empty ones would ask for endless memory.
        """
        shortest = self.layout.shortest
        for block in record_blocks(self.source, self.start, _BLOCK_BYTES):
            short = np.flatnonzero(block.ends - block.starts < shortest)
            if not short.size:
                yield block
                continue
            number = int(short[0])
            yield block.before(number)
            place, text = block.place(number), block.record(number)
            read_loosely(text, self.layout, path=self.source.path, place=place)
            message = "the record is too short for its values"
            raise DataError(message, path=self.source.path, place=place)

    def _finish(
        self, block: RecordBlock, parsed: Future[_Parsed], others: list[_Parser]
    ) -> Iterator[tuple[float, Piece]]:
        floats, deviates = parsed.result()
        if not len(deviates):
            return
        columns = self.layout.columns
        memory = [_memory(column, floats, len(deviates)) for column in columns]
        self._read_deviating(block, np.flatnonzero(deviates), floats, memory, others)
        done = min((block.offset + len(block.text)) / self.source.size, 1.0)
        for column, values in zip(columns, memory, strict=True):
            yield done, Piece(column.path, block.first_row, _values(column, values))

    def _read_deviating(
        self,
        block: RecordBlock,
        rows: Array,
        floats: Array,
        memory: list[Array],
        others: list[_Parser],
    ) -> None:
        """Read records that have another order of keys by that order, and the rest slowly."""
        for other in others:
            rows = rows[other.parse_rows(block, rows, floats)]
        while rows.size:
            record = self._read_slowly(block, int(rows[0]), memory)
            rows = rows[1:]
            if rows.size and len(others) < _ORDERS:
                turned = self.layout.reordered(record)
                # the others may deviate by their order of keys, this one by a hard number alone
                if turned.literal != self.layout.literal:
                    others.append(_Parser(turned))
                    rows = rows[others[-1].parse_rows(block, rows, floats)]

    def _read_slowly(self, block: RecordBlock, row: int, memory: list[Array]) -> dict[str, Any]:
        path, place = self.source.path, block.place(row)
        record, found = read_loosely(block.record(row), self.layout, path=path, place=place)
        for number, value in zip(self.layout.values, found, strict=True):
            if number.column >= 0:
                memory[number.column][row, number.component] = value
        return record

    def _end(self, problem: DataError | None) -> str | None:
        if problem is None:
            return None
        if self.strict or not isinstance(problem, TruncatedError):
            raise problem
        text = f"{problem.path}: {problem.reason} ({problem.place})"
        warnings.warn(text, stacklevel=3)
        return text


class _Parser:
    """The layout as arrays for the compiled parser."""

    def __init__(self, layout: Layout) -> None:
        kept = [
            (layout.columns[value.column], value.component) if value.column >= 0 else None
            for value in layout.values
        ]
        self._literal = np.frombuffer(layout.literal, np.uint8)
        self._loose = np.frombuffer(layout.loose, np.uint8)
        self._stops = np.array(layout.stops, np.int64)
        self._kinds = np.array([layout.kind(value) for value in layout.values], np.int64)
        limits = np.array([_limits(pair[0]) if pair else (0, 0) for pair in kept], np.int64)
        self._lows, self._highs = np.ascontiguousarray(limits.T)
        self._offsets = np.array([pair[0].offset if pair else 0 for pair in kept], np.int64)
        self._components = np.array([pair[1] if pair else 0 for pair in kept], np.int64)
        self._strides = np.array([pair[0].width if pair else 0 for pair in kept], np.int64)
        self._width = layout.width

    def parse(self, block: RecordBlock) -> _Parsed:
        """Return the values of a block, column after column, and the records that deviate."""
        count = len(block.starts)
        # zero is the third coordinate of positions that have two
        floats = np.zeros(count * self._width)
        return floats, self.parse_rows(block, np.arange(count), floats)

    def parse_rows(self, block: RecordBlock, rows: Array, floats: Array) -> Array:
        """Fill in the values of some records; return which of them deviate, shape (row,)."""
        return parse_records(
            block.text,
            block.starts[rows],
            block.ends[rows],
            rows,
            self._literal,
            self._loose,
            self._stops,
            self._kinds,
            self._lows,
            self._highs,
            self._offsets * len(block.starts) + self._components,
            self._strides,
            floats,
            floats.view(np.int64),
        )


def _limits(column: Column) -> tuple[int, int]:
    if column.kind != INTEGER:
        return 0, 0
    limits = np.iinfo(column.dtype)
    return int(limits.min), min(int(limits.max), int(_INT64.max))


def _memory(column: Column, floats: Array, n_rows: int) -> Array:
    """Return the values of a column as 8-byte numbers, shape (n, width)."""
    part = floats[column.offset * n_rows : (column.offset + column.width) * n_rows]
    kind = {"f": np.float64, "u": np.uint64}.get(column.dtype.kind, np.int64)
    return part.view(kind).reshape(n_rows, column.width)


def _values(column: Column, values: Array) -> Array:
    """Return the values of a column in its own type, shape (n, *shape)."""
    shape = (len(values), *column.shape)
    if column.source is None:
        return np.ones(shape, column.dtype)
    return values.astype(column.dtype, copy=False).reshape(shape)
