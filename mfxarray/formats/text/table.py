"""Localizations in text tables: csv and tab-separated, of pyMINFLUX and of others.

References
----------
pyMINFLUX writes tid, tim, x, y, z, efo, cfr, eco, dcr, dwell, fluo (and fbg, iid), lengths in nm,
behind optional lines that start with "#". Other tables name their units in the header.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from mfxarray.errors import DataError
from mfxarray.formats.flat_columns import check_units, place_of, record_of, to_kind
from mfxarray.formats.sources import FileSource
from mfxarray.formats.tables import Measurement, Piece, leaf_dtype
from mfxarray.formats.text.header import TextColumn, TextLayout, read_layout

__all__ = ["TextStream", "open_text"]

_BLOCK_BYTES = 4 * 2**20
_LINE_CAP = 2**20
_NULLS = ["", "nan", "NaN", "NA", "null"]
_WHOLE = {"tid", "tim"}
Array = np.ndarray[Any, Any]


def open_text(
    path: str | os.PathLike[str], *, units: str | None = None, strict: bool = True
) -> tuple[Measurement, ...]:
    """Return the one data set of a text table.

    Parameters
    ----------
    path
        The file.
    units
        Unit of x, y and z where the table does not say it: "m", "um", "µm", "nm".
    strict
        Refuse a table with a line that cannot be read, or whose last line has no end: a number
        that is cut is a number all the same. Otherwise the rows before it are kept, with a
        warning.

    Raises
    ------
    DataError
        If the file is no table of localizations, or its unit of length is not known.
    ValueError
        If ``units`` is no unit.

    Notes
    -----
    Reads 256 kB. The rows are a stream: a line can only be found by reading all before it.
    Positions that are empty become NaN; times and ids must not be empty. Columns that the data
    model does not know are kept; those with text are left out with a warning.
    """
    check_units(units)
    source = FileSource.open(path)
    layout = read_layout(source, units)
    names = [column.name for column in layout.columns]
    filled = [name for name in ("tid", "tim", "z", "vld") if name not in names]
    found = list(layout.warnings)
    if "tid" in filled:
        found.append("there are no trace ids: every row is taken for a trace of its own")
    if "tim" in filled:
        found.append("there are no times: they are NaN")
    found += _cut_line(source, layout, strict)
    attrs = {"z_scaling": 1.0, "container_version": layout.kind, "filled": filled}
    rows = TextStream(source, layout, strict)
    return (Measurement(rows, source, "text", attrs=attrs, warnings=tuple(found)),)


def _cut_line(source: FileSource, layout: TextLayout, strict: bool) -> list[str]:
    """Return a warning if the last line has no end; a number that is cut cannot be told."""
    if source.read(source.size - 1, 1) == b"\n":
        return []
    message = "its last line has no end: the file may be truncated"
    # a line of names that is cut hides columns
    if strict or layout.offset > source.size:
        hint = "If that line is whole, add a line end; strict=False leaves it out."
        raise DataError(message, path=source.path, hint=hint)
    return [f"{message}, this line is left out"]


@dataclass(frozen=True)
class TextStream:
    """The rows of a text table, nested records with one iteration; see `tables.Stream`."""

    source: FileSource
    layout: TextLayout
    strict: bool = True
    n_rows: None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Record of the columns that are there."""
        names = [column.name for column in self.layout.columns]
        truths = {column.name: "?" for column in self.layout.columns if column.truth}
        return record_of(names, truths)

    def identity(self) -> str:
        """Return path, size, time and layout as text."""
        return repr(self)

    def pieces(self) -> Generator[tuple[float, Piece], None, str | None]:
        """Yield the share done and pieces of a few 10,000 rows; see `tables.Stream`.

        The value of the generator is the warning if rows are lost, else None.

        Raises
        ------
        DataError
            If a line cannot be read, named by its number; or the file changed.
        """
        start = 0
        for block, line, share in self._blocks():
            columns, stopped = self._rows(block, line)
            count = len(next(iter(columns.values())))
            for piece in self._pieces(columns, start, count):
                yield share, piece
            start += count
            if stopped is not None:
                text = f"{self.source.path}: {stopped.reason} ({stopped.place})"
                text = f"{text}; this row and all after it are lost"
                warnings.warn(text, stacklevel=2)
                return text
        return None

    def _blocks(self) -> Iterator[tuple[bytes, int, float]]:
        """Yield whole lines, the number of the first, and the share of the file."""
        place, line, rest = self.layout.offset, self.layout.first_line, b""
        while place < self.source.size:
            count = min(_BLOCK_BYTES, self.source.size - place)
            text = rest + self.source.read(place, count)
            place += count
            # what follows the last line end is cut, which `open_text` refuses or says
            end = text.rfind(b"\n") + 1
            rest = text[end:]
            if len(rest) > _LINE_CAP:
                lines = text.count(b"\n")
                raise self._bad(f"a line is longer than {_LINE_CAP} bytes", line + lines)
            if end:
                yield text[:end], line, place / self.source.size
            line += text.count(b"\n", 0, end)

    def _rows(self, block: bytes, line: int) -> tuple[dict[str, Array], DataError | None]:
        """Return the columns of a block, up to the line that cannot be read if not strict."""
        try:
            return self._parse(block, line), None
        except DataError as error:
            if self.strict or error.place is None:
                raise
            good = int(error.place.removeprefix("line ")) - line
            before = b"\n".join(block.split(b"\n")[:good])
            # other columns may have their first bad line even before
            columns, earlier = self._rows(before, line)
            return columns, earlier or error

    def _parse(self, block: bytes, line: int) -> dict[str, Array]:
        columns = self.layout.columns
        if not block.strip():
            return {column.name: np.empty(0, self._leaf(column)) for column in columns}
        names = [str(number) for number in range(self.layout.width)]
        kinds = {str(c.number): pa.bool_() if c.truth else pa.float64() for c in columns}
        try:
            table = arrow_csv.read_csv(
                pa.BufferReader(block),
                arrow_csv.ReadOptions(column_names=names, block_size=_LINE_CAP),
                arrow_csv.ParseOptions(delimiter=self.layout.separator),
                arrow_csv.ConvertOptions(
                    column_types=kinds, include_columns=list(kinds), null_values=_NULLS
                ),
            )
        except pa.ArrowInvalid as error:
            raise self._explain(block, line, str(error)) from error
        # a quote that is not closed swallows lines
        if b'"' in block and table.num_rows != sum(1 for _ in _row_lines(block, line)):
            raise self._explain(block, line, "a quote is not closed")
        return {
            c.name: self._values(c, table.column(i), block, line) for i, c in enumerate(columns)
        }

    def _values(self, column: TextColumn, found: Any, block: bytes, line: int) -> Array:
        dtype = self._leaf(column)
        must = dtype.kind != "f" or column.name in _WHOLE
        if must and found.null_count:
            row = int(np.flatnonzero(found.is_null().to_numpy())[0])
            raise self._bad(f"{column.name} is empty", _line_of(block, line, row))
        values: Array = found.to_numpy()
        values = values / column.per_unit if column.per_unit != 1.0 else values
        try:
            return to_kind(values, dtype, column.name, self.source.path)
        except DataError as error:
            row = int(error.place or 0)
            raise self._bad(error.reason, _line_of(block, line, row)) from error

    def _leaf(self, column: TextColumn) -> np.dtype[Any]:
        return leaf_dtype(self.dtype, place_of(column.name)[0])[0]

    def _pieces(self, columns: dict[str, Array], start: int, count: int) -> Iterator[Piece]:
        """Yield the columns, and what the table does not have but a record does."""
        filled = {
            "z": np.zeros(count),
            "tim": np.full(count, np.nan),
            "tid": np.arange(start, start + count, dtype="<i4"),
            "vld": np.ones(count, "?"),
        }
        for name, values in {**filled, **columns}.items():
            path, index = place_of(name)
            yield Piece(path, start, values, index)

    def _explain(self, block: bytes, line: int, message: str) -> DataError:
        """Return the error of the first line that cannot be read."""
        separator = self.layout.separator.encode()
        for number, text in enumerate(block.split(b"\n"), line):
            cells = text.rstrip(b"\r").split(separator)
            if not text.strip(b"\r"):
                continue
            if b'"' not in text and len(cells) != self.layout.width:
                return self._bad(f"{len(cells)} columns, expected {self.layout.width}", number)
            if b'"' not in text and (wrong := self._wrong_cell(cells)):
                return self._bad(wrong, number)
            if text.count(b'"') % 2:
                return self._bad("a quote is not closed", number)
        return self._bad(message.split("\n")[0][:100], line)

    def _wrong_cell(self, cells: list[bytes]) -> str | None:
        for column in self.layout.columns:
            text = cells[column.number].decode("utf-8", "replace").strip()
            try:
                bad = text not in _NULLS and (float(text) is None or "_" in text)
            except ValueError:
                bad = text.lower() not in ("true", "false") or not column.truth
            if bad:
                return f"{column.name} is {text[:40]!r}, which is no number"
        return None

    def _bad(self, message: str, line: int) -> DataError:
        hint = "Correct the line, or read the rows before it with strict=False."
        return DataError(message, path=self.source.path, place=f"line {line}", hint=hint)


def _row_lines(block: bytes, line: int) -> Iterator[int]:
    """Yield the numbers of the lines that are rows; blank ones are none."""
    return (n for n, text in enumerate(block.split(b"\n"), line) if text.strip(b"\r"))


def _line_of(block: bytes, line: int, row: int) -> int:
    """Return the number of the line of a row."""
    return next(islice(_row_lines(block, line), row, None))
