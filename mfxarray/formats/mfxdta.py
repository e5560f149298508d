"""The MFXDTA archive within an OBF stack: names of entries, and where their bytes lie."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.byte_window import ByteWindow
from mfxarray.formats.obf_data import StackBytes
from mfxarray.formats.sources import FileSource

__all__ = ["HEADER_BYTES", "MAGIC", "Archive", "MfxdtaKeys", "check_key", "read_archive"]

MAGIC = b"MFXDTA\x00"
HEADER_BYTES = 147
_SHORT_HEADER_BYTES = 15
_VERSIONS = range(1, 5)
_NAME_CAP = 4096
_DEPTH_CAP = 32
_ENTRY_CAP = 500_000
# an entry's head, so that most need one read of the file
_AHEAD = 64
_PADDING_CHECKED = 64 * 1024
_FILE, _DIRECTORY = 0, 1
# what nearly all names look like; the others are looked at part by part
_PLAIN = re.compile(r"\.?\w+(?:/\.?\w+)*", re.ASCII)
_UNSAFE = re.compile(r'[\x00-\x1f\x7f:*?"<>|]')
_HINT = "The file is damaged or truncated; copy or export it again."


@dataclass(frozen=True, eq=False)
class Archive:
    """The entries of an archive; only their heads were read.

    Attributes
    ----------
    version
        Version of the archive, 1 to 4.
    saved
        When it was saved, seconds since 1970.
    names
        Names of all entries, parts joined with "/".
    starts, sizes
        First byte within the stack and bytes of every entry, int64; size -1 for a directory.
    end
        First byte after the entries.
    notes
        What is missing, where the archive was read with ``strict=False``.
    rows
        Name -> number of the entry.
    """

    version: int
    saved: int
    names: tuple[str, ...]
    starts: np.ndarray[Any, np.dtype[np.int64]]
    sizes: np.ndarray[Any, np.dtype[np.int64]]
    end: int
    notes: tuple[str, ...] = ()
    rows: dict[str, int] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class MfxdtaKeys:
    """The files of an archive under a top folder, as a store of keys.

    Attributes
    ----------
    stack
        The bytes of the archive.
    strict
        Refuse a truncated archive; if off, the entries before the end are there.
    prefix
        Top folder with "/", taken off the keys.

    Notes
    -----
    Travels to a worker as these three; the list of entries is made once in every process.
    """

    stack: StackBytes
    strict: bool = True
    prefix: str = "zarr/"

    @property
    def source(self) -> FileSource:
        """The file that holds the archive."""
        return self.stack.source

    @property
    def archive(self) -> Archive:
        """The list of entries."""
        return read_archive(self.stack, self.strict)

    def identity(self) -> str:
        """Return the file, pinned to its state, and the place of the archive in it, as text."""
        return repr(self)

    def keys(self) -> tuple[str, ...]:
        """Return the keys of all files below the top folder, in the order of the archive."""
        archive, cut = self.archive, len(self.prefix)
        return tuple(
            name[cut:]
            for name, size in zip(archive.names, archive.sizes.tolist(), strict=True)
            if size >= 0 and name.startswith(self.prefix)
        )

    def size(self, key: str) -> int | None:
        """Return the bytes of a file, None where there is none."""
        row = self.archive.rows.get(self.prefix + key)
        size = -1 if row is None else int(self.archive.sizes[row])
        return None if size < 0 else size

    def read(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
        """Return a file's bytes, or a range of them.

        Raises
        ------
        DataError
            If there is no such key or range, or the bytes cannot be read.
        """
        if (size := self.size(key)) is None:
            raise DataError("is missing", path=self.source.path, place=f"key {key[:80]}")
        end = size if stop is None else stop
        if not 0 <= start <= end <= size:
            message = f"has {size} bytes, {start} to {end} are needed"
            raise DataError(message, path=self.source.path, place=f"key {key[:80]}")
        place = int(self.archive.starts[self.archive.rows[self.prefix + key]])
        return self.stack.read(place + start, place + end)


@lru_cache(maxsize=8)
def read_archive(stack: StackBytes, strict: bool = True) -> Archive:
    """Return the entries of an archive; their bytes are hopped over.

    Parameters
    ----------
    stack
        Bytes of the stack.
    strict
        Refuse a truncated archive; if off, the entries before the end are given, with a note.

    Raises
    ------
    DataError
        If it is no MFXDTA archive, a length leaves it, or a name is unsafe or there twice.

    Notes
    -----
    Reads 64 bytes and takes about 3 µs an entry. A compressed stack is inflated once. The result
    is kept for the last few stacks of the process.
    """
    with stack.window(_AHEAD) as window:
        head = window.peek(0, _SHORT_HEADER_BYTES)
        if not head.startswith(MAGIC) or len(head) < _SHORT_HEADER_BYTES:
            raise _fault(stack, "is no MFXDTA archive", 0)
        version = int.from_bytes(head[7:11], "little")
        if version not in _VERSIONS:
            raise _fault(stack, f"MFXDTA version {version}; 1 to 4 are read", 7)
        entries = _Entries(stack, window, strict)
        end = entries.read(_header_bytes(window))
    saved = int.from_bytes(head[11:15], "little")
    starts, sizes = np.array(entries.starts, np.int64), np.array(entries.sizes, np.int64)
    rows = entries.rows
    return Archive(version, saved, tuple(rows), starts, sizes, end, tuple(entries.notes), rows)


def check_key(name: str) -> str | None:
    """Return what is unsafe about a name of an archive, None if it can be used as a path.

    Parameters
    ----------
    name
        Name with "/" between its parts.
    """
    if name.count("/") >= _DEPTH_CAP:
        return f"has more than {_DEPTH_CAP} parts"
    if _PLAIN.fullmatch(name):
        return None
    if name.startswith("/"):
        return "is an absolute path"
    if _UNSAFE.search(name) or "\\" in name:
        return "holds letters that file systems treat specially"
    # dots and spaces at the end include ".." and ".", and Windows drops the others silently
    if any(not part or part != part.rstrip(". ") for part in name.split("/")):
        return "has a part that is empty or ends in a dot or space"
    return None


def _header_bytes(window: ByteWindow) -> int:
    """Return the length of the header: the vendor's 147, or 15 as another writer has it."""
    # the vendor's rest of the header is zero, and no entry begins with zeros
    rest = window.peek(_SHORT_HEADER_BYTES, HEADER_BYTES - _SHORT_HEADER_BYTES)
    count = int.from_bytes(rest[:8], "little")
    if not 0 < count <= _NAME_CAP:
        return HEADER_BYTES
    head = window.peek(_SHORT_HEADER_BYTES, 9 + count)[8:]
    kinds = (_FILE, _DIRECTORY)
    plausible = len(head) == count + 1 and b"\0" not in head[:-1] and head[-1] in kinds
    return _SHORT_HEADER_BYTES if plausible else HEADER_BYTES


def _fault(stack: StackBytes, message: str, place: int) -> DataError:
    where = f"byte {place} of the stack data at offset {stack.offset}"
    return DataError(message, path=stack.source.path, place=where, hint=_HINT)


class _Entries:
    """The pass over the heads of the entries."""

    def __init__(self, stack: StackBytes, window: ByteWindow, strict: bool) -> None:
        self.stack, self.window, self.strict = stack, window, strict
        self.rows: dict[str, int] = {}
        self.starts: list[int] = []
        self.sizes: list[int] = []
        self.notes: list[str] = []

    def read(self, place: int) -> int:
        """Fill the lists with the entries from ``place`` on; return where they end."""
        while True:
            try:
                following = self._entry(place)
            except _CutError as error:
                if self.strict:
                    raise _fault(self.stack, str(error), place) from None
                self.notes.append(f"{error} ({len(self.rows)} entries are whole)")
                return place
            if following is None:
                return place
            place = following

    def _entry(self, place: int) -> int | None:
        head = self._peek(place, _AHEAD)
        count = int.from_bytes(head[:8], "little")
        if count == 0 or len(head) < 8:
            self._check_end(place, head)
            return None
        if count > _NAME_CAP:
            raise _fault(self.stack, f"a name of {count} bytes", place)
        if len(head) < 17 + count:
            head = self._peek(place, 17 + count)
        if len(head) < 9 + count:
            raise _CutError("the archive ends inside the name of an entry")
        name = self._name(head[8 : 8 + count], place)
        kind = head[8 + count]
        if kind not in (_FILE, _DIRECTORY):
            raise _fault(self.stack, f"entry {name[:80]!r} is of kind {kind}", place)
        if kind == _DIRECTORY:
            return self._add(name, place + 9 + count, -1)
        start = place + 17 + count
        size = int.from_bytes(head[9 + count : 17 + count], "little")
        if len(head) < 17 + count or start + size > self.window.end:
            have = max(self.window.end - start, 0)
            raise _CutError(f"the archive ends inside {name[:80]!r}: {have} of {size} bytes")
        return self._add(name, start, size)

    def _peek(self, place: int, count: int) -> bytes:
        try:
            return self.window.peek(place, count)
        except DataError as error:
            raise _CutError(error.reason) from error

    def _name(self, raw: bytes, place: int) -> str:
        try:
            name = raw.decode("utf-8").replace("\\", "/")
        except UnicodeDecodeError as error:
            raise _fault(self.stack, f"a name is no UTF-8: {raw[:80]!r}", place) from error
        if (unsafe := check_key(name)) is not None:
            raise _fault(self.stack, f"the name {name[:80]!r} {unsafe}", place)
        if name in self.rows:
            raise _fault(self.stack, f"the entry {name[:80]!r} is there twice", place)
        return name

    def _add(self, name: str, start: int, size: int) -> int:
        if len(self.rows) >= _ENTRY_CAP:
            raise _fault(self.stack, f"more than {_ENTRY_CAP} entries", start)
        self.rows[name] = len(self.rows)
        self.starts.append(start)
        self.sizes.append(size)
        return start + max(size, 0)

    def _check_end(self, place: int, head: bytes) -> None:
        if len(head) < 8 and any(head):
            raise _CutError("the archive ends inside the length of a name")
        # a damaged length of a name that reads as 0 must not hide the entries behind it
        count = min(_PADDING_CHECKED, self.window.end - place)
        rest = self._peek(place, count) if count > len(head) else head
        if any(rest):
            raise _fault(self.stack, "something follows the end of the entries", place)


class _CutError(Exception):
    """The archive ends inside an entry."""
