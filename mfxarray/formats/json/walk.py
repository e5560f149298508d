"""The outermost level of a JSON file: where its list of records begins, and what follows it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.sources import FileSource
from mfxarray.kernels.json.split import skip_nested

__all__ = [
    "DEPTH_CAP",
    "WRAPPING_KEYS",
    "ListStart",
    "TruncatedError",
    "check_rest",
    "find_list",
    "looks_cut",
]


WRAPPING_KEYS = ("mfx", "records", "data")
DEPTH_CAP = 64
_WINDOW = 2**16
_SKIP_WINDOW = 2**20
_STRING_CAP = 2**20
_SPACE = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"
_SCALAR = re.compile(rb"(?:true|false|null|NaN|-?Infinity|-?\d[\d.eE+-]*)")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)


class TruncatedError(DataError):
    """The file ends before its list of records, or the object around it, does."""


@dataclass(frozen=True)
class ListStart:
    """Where the records of a file begin.

    Attributes
    ----------
    offset
        Byte after the opening bracket of the list.
    keys
        Keys of the wrapping object up to and with that of the list; None where nothing wraps it.
    """

    offset: int
    keys: tuple[str, ...] | None


def find_list(source: FileSource) -> ListStart:
    """Return where the list of records begins.

    Raises
    ------
    DataError
        If the file is no list and no object that holds one under a known key.

    Notes
    -----
    What a wrapping object holds before the list is gone through (about 0.3 s a gigabyte), but its
    brackets only are checked.
    """
    walk = _Walk(source, len(_BOM) if source.read(0, min(3, source.size)) == _BOM else 0)
    byte = walk.peek()
    if byte == b"[":
        return ListStart(walk.at + 1, None)
    if byte != b"{":
        raise walk.error("is no JSON of records: it begins with neither [ nor {")
    walk.at += 1
    keys: list[str] = []
    while walk.next_key(keys):
        if keys[-1] in WRAPPING_KEYS and walk.peek() == b"[":
            return ListStart(walk.at + 1, tuple(keys))
        walk.skip_value()
    raise walk.error(f"holds no list of records under {', '.join(WRAPPING_KEYS)}")


def check_rest(source: FileSource, offset: int, keys: tuple[str, ...] | None) -> None:
    """Raise DataError if what follows the list of records is not the end of the file.

    Parameters
    ----------
    source
        The file.
    offset
        Byte after the list.
    keys
        Keys of the wrapping object before, None where nothing wraps the list.
    """
    walk = _Walk(source, offset)
    if keys is not None:
        seen = list(keys)
        while walk.next_key(seen):
            walk.skip_value()
    if walk.peek():
        raise walk.error("goes on after its end")


def looks_cut(source: FileSource, keys: tuple[str, ...] | None) -> bool:
    """Return whether the file ends with something else than the bracket that must close it."""
    count = min(source.size, _WINDOW)
    end = source.read(source.size - count, count).rstrip(_SPACE)
    return bool(end) and not end.endswith(b"]" if keys is None else b"}")


class _Walk:
    """Reads tokens at a place of the file, a window at a time."""

    def __init__(self, source: FileSource, at: int) -> None:
        self.source, self.at = source, at
        self._first, self._bytes = at, b""

    def error(self, message: str, token: int = 1) -> DataError:
        """Return the error; that of a file that is cut where it ends before ``token`` bytes."""
        kind = TruncatedError if self.at + token > self.source.size else DataError
        return kind(message, path=self.source.path, place=f"offset {self.at}")

    def peek(self) -> bytes:
        """Return the next byte that is no white space, b"" at the end."""
        while self.at < self.source.size:
            ahead = self._ahead(1)
            rest = ahead.lstrip(_SPACE)
            self.at += len(ahead) - len(rest)
            if rest:
                return rest[:1]
        return b""

    def next_key(self, seen: list[str]) -> bool:
        """Go behind the next key and its colon and add it to ``seen``; False after the last."""
        byte = self.peek()
        if byte == b"}":
            self.at += 1
            return False
        if seen:
            self._expect(b",")
        key = self._string()
        if key in seen:
            raise self.error(f"key {key[:80]!r} is there twice")
        seen.append(key)
        self._expect(b":")
        return True

    def skip_value(self) -> None:
        """Go behind a value of any kind."""
        byte = self.peek()
        if byte in (b"[", b"{"):
            self._skip_nested()
        elif byte == b'"':
            self._string()
        else:
            found = _SCALAR.match(self._ahead(4096))
            if not found:
                raise self.error("a value is missing or cut off", len("-Infinity"))
            self.at += found.end()

    def _ahead(self, count: int) -> bytes:
        """Return at least that many bytes from here on, less only at the end of the file."""
        start = self.at - self._first
        if start + count > len(self._bytes):
            size = min(max(count, _WINDOW), self.source.size - self.at)
            self._bytes, self._first, start = self.source.read(self.at, size), self.at, 0
        return self._bytes[start:]

    def _expect(self, wanted: bytes) -> None:
        if self.peek() != wanted:
            raise self.error(f"expected {wanted.decode()}")
        self.at += 1

    def _string(self) -> str:
        if self.peek() != b'"':
            raise self.error('expected a key in quotes (")')
        found = _STRING.match(self._ahead(4096)) or _STRING.match(self._ahead(_STRING_CAP))
        if not found:
            raise self.error(f"a text is cut off or longer than {_STRING_CAP} bytes", _STRING_CAP)
        try:
            text = json.loads(found.group())
        except ValueError as error:
            raise self.error(f"a text is no JSON: {error}") from error
        self.at += found.end()
        return str(text)

    def _skip_nested(self) -> None:
        depth, inside, escaped = 0, False, False
        while self.at < self.source.size:
            chunk = self.source.read(self.at, min(_SKIP_WINDOW, self.source.size - self.at))
            text = np.frombuffer(bytearray(chunk + b"\0"), np.uint8)
            used, depth, inside, escaped = skip_nested(text, 0, depth, inside, escaped, DEPTH_CAP)
            self.at += int(used)
            if depth > DEPTH_CAP:
                raise self.error(f"JSON nests deeper than {DEPTH_CAP} levels")
            if depth == 0:
                return
        raise self.error("ends within a list or object")
