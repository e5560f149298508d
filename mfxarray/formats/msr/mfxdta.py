"""The MFXDTA archive within an OBF stack: names of entries, and where their bytes lie."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.byte_window import ByteWindow
from mfxarray.formats.msr.mfxdta_entries import DIRECTORY, FILE, NAME_CAP, Entries, check_key, fault
from mfxarray.formats.msr.obf_data import StackBytes
from mfxarray.formats.sources import FileSource

__all__ = ["HEADER_BYTES", "MAGIC", "Archive", "MfxdtaKeys", "check_key", "read_archive"]

MAGIC = b"MFXDTA\x00"
HEADER_BYTES = 147
_SHORT_HEADER_BYTES = 15
_VERSIONS = range(1, 5)
# the least of a read; entries ask for what their heads need
_AHEAD = 16


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
        return _keys_below(self.archive, self.prefix)

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
    Reads some 35 bytes and takes about 2 µs an entry. A compressed stack is inflated once. The
    result is kept for the last few stacks of the process.
    """
    with stack.window(_AHEAD) as window:
        head = window.peek(0, _SHORT_HEADER_BYTES)
        if not head.startswith(MAGIC) or len(head) < _SHORT_HEADER_BYTES:
            raise fault(stack, "is no MFXDTA archive", 0)
        version = int.from_bytes(head[7:11], "little")
        if version not in _VERSIONS:
            raise fault(stack, f"MFXDTA version {version}; 1 to 4 are read", 7)
        entries = Entries(stack, window, strict)
        end = entries.read(_header_bytes(window))
    saved = int.from_bytes(head[11:15], "little")
    starts, sizes = np.array(entries.starts, np.int64), np.array(entries.sizes, np.int64)
    rows = entries.rows
    return Archive(version, saved, tuple(rows), starts, sizes, end, tuple(entries.notes), rows)


@lru_cache(maxsize=8)
def _keys_below(archive: Archive, prefix: str) -> tuple[str, ...]:
    """Return the names of the files below a folder, without it; asked for at every opening."""
    cut = len(prefix)
    return tuple(
        name[cut:]
        for name, size in zip(archive.names, archive.sizes.tolist(), strict=True)
        if size >= 0 and name.startswith(prefix)
    )


def _header_bytes(window: ByteWindow) -> int:
    """Return the length of the header: the vendor's 147, or 15 as another writer has it."""
    # the vendor's rest of the header is zero, and no entry begins with zeros
    rest = window.peek(_SHORT_HEADER_BYTES, HEADER_BYTES - _SHORT_HEADER_BYTES)
    count = int.from_bytes(rest[:8], "little")
    if not 0 < count <= NAME_CAP:
        return HEADER_BYTES
    head = window.peek(_SHORT_HEADER_BYTES, 9 + count)[8:]
    kinds = (FILE, DIRECTORY)
    plausible = len(head) == count + 1 and b"\0" not in head[:-1] and head[-1] in kinds
    return _SHORT_HEADER_BYTES if plausible else HEADER_BYTES
