"""JSON records of a file in blocks of some megabytes, cut where records end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.json.walk import DEPTH_CAP, ListStart, TruncatedError, check_rest
from mfxarray.formats.sources import FileSource
from mfxarray.kernels.json.split import (
    BROKEN,
    DEEP,
    LIST_END,
    MORE,
    RECORD_OR_END,
    split_records,
)

__all__ = ["RECORD_CAP", "RecordBlock", "record_blocks"]

Array = np.ndarray[Any, Any]

# a real record has some kilobytes; Python objects of this many bytes of brackets stay in memory
RECORD_CAP = 4 * 2**20
_PLACES = 2**16


@dataclass(frozen=True)
class RecordBlock:
    """Records that lie together.

    Attributes
    ----------
    text
        Bytes, uint8, a zero byte last.
    starts, ends
        Where the records lie in ``text``.
    first_row
        Number of the first record.
    offset
        Byte of the file at which ``text`` begins.
    """

    text: Array
    starts: Array
    ends: Array
    first_row: int
    offset: int

    def record(self, number: int) -> bytes:
        """Return the text of a record of the block."""
        return self.text[self.starts[number] : self.ends[number]].tobytes()

    def before(self, number: int) -> RecordBlock:
        """Return the block up to a record, without it."""
        return replace(self, starts=self.starts[:number], ends=self.ends[:number])

    def place(self, number: int) -> str:
        """Return where a record of the block is, for errors."""
        return f"record {self.first_row + number}, offset {self.offset + int(self.starts[number])}"


def record_blocks(source: FileSource, start: ListStart, size: int) -> Iterator[RecordBlock]:
    """Yield all records of a list, in blocks of about ``size`` bytes.

    Raises
    ------
    TruncatedError
        After the last whole record, if the file ends there.
    DataError
        If something else than records stands in the list, or a record is larger than 4 MB or
        nests deeper than 64 levels.
    """
    reader = _Reader(source, start, size)
    while not reader.ended:
        block = reader.next()
        if len(block.starts):
            yield block
        reader.go_on()


class _Reader:
    """Reads bytes behind those that the block before left over."""

    def __init__(self, source: FileSource, start: ListStart, size: int) -> None:
        self.source, self.start, self.size = source, start, size
        self.ended = False
        self._at, self._row, self._expected = start.offset, 0, RECORD_OR_END
        self._left = np.empty(0, np.uint8)
        self._starts, self._ends = np.empty((2, _PLACES), np.int64)
        self._problem: DataError | None = None

    def next(self) -> RecordBlock:
        """Read and split; what is wrong behind the records found is kept for `go_on`."""
        text = self._read()
        offset, row = self._at - (len(text) - 1), self._row
        count, used, expected, reason = split_records(
            text, 0, self._expected, DEPTH_CAP, self._starts, self._ends
        )
        self._row, self._expected = row + count, expected
        self._left = text[used:-1].copy()
        self._judge(reason, offset + used, bool(count))
        starts, ends = self._starts[:count].copy(), self._ends[:count].copy()
        return RecordBlock(text, starts, ends, row, offset)

    def go_on(self) -> None:
        """Raise what is wrong behind the last block."""
        if self._problem is not None:
            raise self._problem

    def _read(self) -> Array:
        # a record that did not fit is read on with twice the bytes, so that none is split often
        left = len(self._left)
        wanted = self.size if left < self.size else 2 * left
        count = min(wanted - left, self.source.size - self._at)
        text = np.empty(left + count + 1, np.uint8)
        text[:left] = self._left
        self.source.read_into(text[left:-1].data, self._at)
        text[-1] = 0
        self._at += count
        return text

    def _judge(self, reason: int, place: int, progress: bool) -> None:
        if reason == LIST_END:
            self.ended = True
            try:
                check_rest(self.source, place, self.start.keys)
            except DataError as error:
                self._problem = error
        elif reason == BROKEN:
            self._problem = self._error(
                "is no list of records here: expected {, a comma or ]", place
            )
        elif reason == DEEP:
            self._problem = self._error(f"JSON nests deeper than {DEPTH_CAP} levels", place)
        elif reason == MORE and self._at == self.source.size:
            message = f"ends within its list of records, after {self._row} whole ones"
            self._problem = self._error(message, place, TruncatedError)
        elif reason == MORE and not progress and len(self._left) > RECORD_CAP:
            message = f"a record is larger than {RECORD_CAP} bytes"
            self._problem = self._error(message, place)

    def _error(self, message: str, offset: int, kind: type[DataError] = DataError) -> DataError:
        place = f"record {self._row}, offset {offset}"
        hint = None
        if kind is TruncatedError:
            hint = "Copy or export it again, or give strict=False to read the whole records."
        return kind(message, path=self.source.path, place=place, hint=hint)
