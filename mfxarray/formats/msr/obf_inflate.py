"""Ranges of the zlib stream of an OBF stack, inflated from the nearest flush point."""

from __future__ import annotations

import threading
import zlib
from collections import OrderedDict
from dataclasses import dataclass

from mfxarray.errors import DataError
from mfxarray.formats.sources import FileSource

__all__ = ["BlockTable", "check_ratio", "read_inflated"]

_PIECE = 256 * 1024
_SKIP = 1024 * 1024
_ZLIB_HEAD = 2
# what a full flush leaves before the point at which inflating may begin
_FLUSH_MARK = b"\x00\x00\xff\xff"
_RATIO, _ALWAYS_ALLOWED = 100, 64 * 2**20
_KEPT_CURSORS = 8
_HINT = "The file is damaged; copy or export it again."


@dataclass(frozen=True)
class BlockTable:
    """Where the blocks of a zlib stream lie.

    Attributes
    ----------
    offset, stored
        First byte of the stream in the file, and its bytes.
    written
        Bytes that it inflates to.
    n_flush
        Number of stored flush points; 0 makes one block.
    block
        Inflated bytes of a block.
    table
        Place in the file of the flush points, u64 each; they are read when they are needed.
    """

    offset: int
    stored: int
    written: int
    n_flush: int = 0
    block: int = 0
    table: int = 0


class _Cursor:
    """Inflates one block from its begin; moves forward only, in bounded memory."""

    def __init__(self, source: FileSource, begin: int, end: int, raw: bool) -> None:
        self.position = 0
        self._source, self._next, self._end = source, begin, end
        self._inflator = zlib.decompressobj(-zlib.MAX_WBITS if raw else zlib.MAX_WBITS)
        self._pending = b""

    def skip_to(self, position: int) -> None:
        """Unpack up to a position in the plain bytes, and forget what was before."""
        while self.position < position:
            self._produce(min(position - self.position, _SKIP))

    def take(self, count: int) -> bytes:
        """Return the next plain bytes, so many."""
        parts, missing = [], count
        while missing:
            parts.append(self._produce(min(missing, _SKIP)))
            missing -= len(parts[-1])
        return b"".join(parts)

    def _produce(self, limit: int) -> bytes:
        while True:
            if not self._pending and self._next < self._end:
                count = min(_PIECE, self._end - self._next)
                self._pending = self._source.read(self._next, count)
                self._next += count
            try:
                found = self._inflator.decompress(self._pending, limit)
            except zlib.error as error:
                raise self._fault(f"cannot be inflated: {error}") from error
            self._pending = self._inflator.unconsumed_tail
            if found:
                self.position += len(found)
                return found
            if self._inflator.eof or (not self._pending and self._next >= self._end):
                raise self._fault(f"ends after {self.position} inflated bytes, more are needed")

    def _fault(self, message: str) -> DataError:
        place = f"zlib block before offset {self._end}"
        return DataError(message, path=self._source.path, place=place, hint=_HINT)


_Key = tuple[FileSource, BlockTable, int]
_cursors: OrderedDict[_Key, _Cursor] = OrderedDict()
_lock = threading.Lock()


def read_inflated(source: FileSource, table: BlockTable, start: int, stop: int) -> bytes:
    """Return inflated bytes ``start`` to ``stop`` (exclusive) of a stream.

    Raises
    ------
    DataError
        If the stream or its flush points are damaged.

    Notes
    -----
    Only the blocks that cover the range are read. A few half-read blocks are remembered by the
    process, so reading on from front to back never inflates anything twice.
    """
    parts = []
    while start < stop:
        number, skip = divmod(start, table.block) if table.n_flush else (0, start)
        last = number == table.n_flush or not table.n_flush
        end = table.written if last else min((number + 1) * table.block, table.written)
        if number > table.n_flush:
            message = f"has no flush point for inflated byte {start}"
            raise DataError(message, path=source.path, place="flush points", hint=_HINT)
        count = min(end, stop) - start
        parts.append(_from_block(source, table, number, skip, count))
        start += count
    return parts[0] if len(parts) == 1 else b"".join(parts)


def check_ratio(table: BlockTable, path: object) -> None:
    """Raise DataError if a stream claims to inflate to far more than real data do."""
    cap = _ALWAYS_ALLOWED + _RATIO * table.stored
    if table.written > cap:
        raise DataError(
            f"{table.stored} compressed bytes claim to hold {table.written}, "
            f"which is more than {_RATIO} times as much",
            path=path,
            place=f"offset {table.offset}",
            hint=_HINT,
        )


def _from_block(source: FileSource, table: BlockTable, number: int, skip: int, count: int) -> bytes:
    key = (source, table, number)
    with _lock:
        cursor = _cursors.pop(key, None)
    if cursor is None or cursor.position > skip:
        begin, end = _bounds(source, table, number)
        # the head is checked where the whole stream is one block, and its checksum with it
        cursor = _Cursor(source, begin, end, raw=table.n_flush > 0)
    cursor.skip_to(skip)
    found = cursor.take(count)
    with _lock:
        _cursors[key] = cursor
        while len(_cursors) > _KEPT_CURSORS:
            _cursors.popitem(last=False)
    return found


def _bounds(source: FileSource, table: BlockTable, number: int) -> tuple[int, int]:
    """Return begin and end of a block in the file."""
    if not table.n_flush:
        return table.offset, table.offset + table.stored
    begin = _flush_point(source, table, number - 1) if number else _ZLIB_HEAD
    end = table.stored
    if number < table.n_flush:
        end = _flush_point(source, table, number)
    if not _ZLIB_HEAD <= begin < end <= table.stored:
        raise _bad_flush(source, number, f"are {begin} and {end} of {table.stored} bytes")
    place = table.offset + begin
    if number and source.read(place - len(_FLUSH_MARK), len(_FLUSH_MARK)) != _FLUSH_MARK:
        raise _bad_flush(source, number, f"do not follow a flush: {begin}")
    return place, table.offset + end


def _flush_point(source: FileSource, table: BlockTable, number: int) -> int:
    return int.from_bytes(source.read(table.table + 8 * number, 8), "little")


def _bad_flush(source: FileSource, number: int, what: str) -> DataError:
    message = f"flush points around block {number} {what}"
    return DataError(message, path=source.path, place="flush points", hint=_HINT)
