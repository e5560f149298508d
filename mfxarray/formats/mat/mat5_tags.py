"""Tags of the elements of MAT files of version 5, and cursors that walk over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.sources import FileSource

__all__ = ["Context", "Cursor", "Deflated", "FileCursor", "read_tag", "two_words"]

_HINT = "The file is damaged; copy or export it again."


@dataclass(frozen=True)
class Deflated:
    """A deflated variable: where its bytes lie, and how many it claims to inflate to."""

    offset: int
    n_bytes: int
    claimed: int


class Cursor(Protocol):
    """A place in bytes that only moves forwards."""

    position: int

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        ...

    def skip(self, count: int) -> None:
        """Move on."""
        ...


class FileCursor:
    """A `Cursor` in a file."""

    def __init__(self, source: FileSource, position: int) -> None:
        self._source, self.position = source, position

    def take(self, count: int) -> bytes:
        """Return the next bytes; see `FileSource.read` for the errors."""
        found = self._source.read(self.position, count)
        self.position += count
        return found

    def skip(self, count: int) -> None:
        """Move on; nothing is read."""
        self.position += count


@dataclass(frozen=True)
class Context:
    """What every step of the walk needs to know."""

    path: str
    order: str
    deflated: Deflated | None = None

    def bad(self, message: str, position: int) -> DataError:
        """Return an error that says where in the file, or in which inflated variable."""
        inside = "" if self.deflated is None else f" of the variable at {self.deflated.offset}"
        return DataError(message, path=self.path, place=f"offset {position}{inside}", hint=_HINT)


def two_words(raw: bytes, order: str) -> tuple[int, int]:
    """Return the two 32-bit words of eight bytes."""
    first, second = np.frombuffer(raw, f"{order}u4", 2)
    return int(first), int(second)


def read_tag(cursor: Cursor, context: Context, end: int) -> tuple[int, int, bytes | None]:
    """Return type, bytes, and the data where they are packed into the tag itself."""
    if cursor.position + 8 > end:
        raise context.bad("an element begins beyond the end of its parent", cursor.position)
    raw = cursor.take(8)
    kind, n_bytes = two_words(raw, context.order)
    if kind >> 16:
        kind, n_bytes = kind & 0xFFFF, kind >> 16
        if n_bytes > 4:
            raise context.bad(f"a small element claims {n_bytes} bytes", cursor.position - 8)
        return kind, n_bytes, raw[4 : 4 + n_bytes]
    if cursor.position + n_bytes > end:
        message = f"an element of {n_bytes} bytes does not fit into its parent"
        raise context.bad(message, cursor.position - 8)
    return kind, n_bytes, None
