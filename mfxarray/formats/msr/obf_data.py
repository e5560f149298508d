"""Bytes of one OBF stack as one stream, wherever and however they lie in the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.byte_window import ByteWindow, file_window
from mfxarray.formats.msr.obf_inflate import BlockTable, read_inflated
from mfxarray.formats.sources import FileSource

__all__ = ["StackBytes", "chunk_table"]

_DAMAGED = "The file is damaged; copy or export it again."


@dataclass(frozen=True)
class StackBytes:
    """The logical bytes of a stack. Frozen, picklable, holds no open handle.

    Attributes
    ----------
    source
        The file.
    offset, stored
        First byte of the data in the file, and how many bytes there are.
    size
        Logical bytes: the product of the shape and the bytes of a sample.
    written
        Logical bytes that the file holds; the rest is zero.
    blocks
        Where the blocks of a compressed stack lie, None where it is not compressed.
    chunks
        For a stack in pieces: pairs of int64 (first logical byte, its byte in the file) as raw
        memory; empty for a stack in one piece.
    """

    source: FileSource
    offset: int
    stored: int
    size: int
    written: int
    blocks: BlockTable | None = None
    chunks: bytes = field(default=b"", repr=False)

    def read(self, start: int, stop: int) -> bytes:
        """Return logical bytes ``start`` to ``stop`` (exclusive).

        Raises
        ------
        DataError
            If the range is not in the stack, or what is stored there cannot be read.

        Notes
        -----
        One read where the stack is not compressed. Otherwise the blocks that cover the range are
        inflated, which is linear for reads from front to back even if there is one block only.
        """
        if not 0 <= start <= stop <= self.size:
            raise DataError(
                f"bytes {start} to {stop} of a stack of {self.size} bytes are needed",
                path=self.source.path,
                place=f"stack data at offset {self.offset}",
                hint=_DAMAGED,
            )
        last = max(start, min(stop, self.written))
        return self._stored_bytes(start, last) + bytes(stop - last)

    @contextmanager
    def window(self, ahead: int) -> Iterator[ByteWindow]:
        """Give a window on the written bytes, for many small reads from front to back."""
        if self.blocks is None and not self.chunks:
            with file_window(
                self.source, ahead=ahead, offset=self.offset, end=self.written
            ) as window:
                yield window
        else:
            path = self.source.path
            yield ByteWindow(
                lambda start, count: self._stored_bytes(start, start + count),
                self.written,
                ahead,
                path,
            )

    def _stored_bytes(self, start: int, stop: int) -> bytes:
        if start == stop:
            return b""
        if self.blocks is not None:
            return read_inflated(self.source, self.blocks, start, stop)
        if self.chunks:
            return b"".join(self._pieces(start, stop))
        return self.source.read(self.offset + start, stop - start)

    def _pieces(self, start: int, stop: int) -> Iterator[bytes]:
        table = np.frombuffer(self.chunks, np.int64).reshape(-1, 2)
        # of several pieces with the same first byte only the last holds anything
        number = int(np.searchsorted(table[:, 0], start, side="right")) - 1
        while start < stop:
            end = int(table[number + 1, 0]) if number + 1 < len(table) else stop
            count = min(end, stop) - start
            place = int(table[number, 1]) + start - int(table[number, 0])
            yield self.source.read(place, count)
            start, number = start + count, number + 1


def chunk_table(
    stored: bytes, *, offset: int, sample: int, written: int, source: FileSource
) -> bytes:
    """Return the table of pieces in bytes, checked, with the first piece, which is not listed.

    Parameters
    ----------
    stored
        Pairs of u64 (first sample, byte after the begin of the data) as in the file.
    offset
        Begin of the data in the file.
    sample
        Bytes of a sample.
    written
        Logical bytes that the pieces hold together.
    source
        The file.

    Raises
    ------
    DataError
        If pieces are out of order, overlap, or leave the file.
    """
    pairs = np.frombuffer(stored, "<u8").reshape(-1, 2)
    place = f"chunk positions of the stack at offset {offset}"
    if pairs.max(initial=0) > source.size * max(sample, 1):
        raise DataError("a piece begins outside", path=source.path, place=place, hint=_DAMAGED)
    table = np.zeros((len(pairs) + 1, 2), np.int64)
    table[1:] = pairs.astype(np.int64)
    table[:, 0] *= sample
    table[:, 1] += offset
    lengths = np.diff(table[:, 0], append=written)
    if (lengths < 0).any():
        raise DataError("pieces are out of order", path=source.path, place=place, hint=_DAMAGED)
    _check_apart(table[lengths > 0, 1], lengths[lengths > 0], source, place)
    return table.tobytes()


def _check_apart(
    starts: np.ndarray[Any, Any],
    lengths: np.ndarray[Any, Any],
    source: FileSource,
    place: str,
) -> None:
    order = np.argsort(starts)
    ends = starts[order] + lengths[order]
    if (ends > source.size).any():
        raise DataError("a piece leaves the file", path=source.path, place=place, hint=_DAMAGED)
    if (starts[order][1:] < ends[:-1]).any():
        raise DataError("pieces overlap", path=source.path, place=place, hint=_DAMAGED)
