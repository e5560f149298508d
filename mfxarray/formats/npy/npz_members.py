"""The arrays in an npz archive: where each lies, its type, and its bytes from front to back."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.npy.header import MAGIC, read_header
from mfxarray.formats.sources import FileSource
from mfxarray.formats.zarr.zip_directory import STORED, ZipMember, data_offset, read_directory

__all__ = ["NpzMember", "read_members"]

_HEAD_BYTES = 65_535 + 12
_STEP = 2**20
_MEMBER_CAP = 1_000
_PLAIN = re.compile(
    r"\{'descr': '([<>|=]?[biuf]\d{1,2})', 'fortran_order': (?:True|False), "
    r"'shape': \((\d{1,18}),\), ?\}\s*"
)
_OBJECT = re.compile(r"'[<>|=]?O")
_HINT = "The archive is damaged; save it again."


@dataclass(frozen=True)
class NpzMember:
    """A one-dimensional array in an archive, checked against the archive's directory.

    Attributes
    ----------
    file
        The archive.
    name
        Name of the array.
    dtype
        Type of an entry, plain or structured, as stored.
    n_rows
        Number of entries.
    header
        Bytes before the first entry.
    offset
        Byte of the archive at which the member begins.
    packed
        Bytes of the member in the archive.
    crc
        Checksum of the member.
    stored
        Whether it is not compressed.
    """

    file: FileSource
    name: str
    dtype: np.dtype[Any]
    n_rows: int
    header: int
    offset: int
    packed: int
    crc: int
    stored: bool

    def blocks(self, rows: int) -> Iterator[np.ndarray[Any, Any]]:
        """Yield all entries in blocks of ``rows``; the last one may be shorter.

        Raises
        ------
        DataError
            If the compressed bytes are damaged, end early, or hold more than was said.
        """
        step = rows * self.dtype.itemsize
        rest, skip = bytearray(), self.header
        for part in self._bytes():
            rest += part[skip:]
            skip = max(skip - len(part), 0)
            while len(rest) >= step:
                yield np.frombuffer(bytes(rest[:step]), self.dtype)
                del rest[:step]
        if rest:
            whole = len(rest) // self.dtype.itemsize * self.dtype.itemsize
            yield np.frombuffer(bytes(rest[:whole]), self.dtype)

    def _bytes(self) -> Iterator[bytes]:
        size = self.header + self.n_rows * self.dtype.itemsize
        total = crc = 0
        for part in _inflate(self.file, self.offset, self.packed, self.stored, self.name):
            total, crc = total + len(part), zlib.crc32(part, crc)
            if total > size:
                raise _bad(self.file, f"holds more than {size} bytes", self.name)
            yield part
        if total != size:
            raise _bad(self.file, f"ends after {total} of {size} bytes", self.name)
        if crc != self.crc:
            raise _bad(self.file, "has another checksum than the directory says", self.name)


def read_members(source: FileSource) -> tuple[list[NpzMember], list[str]]:
    """Return the lists of numbers and of records in an archive, and the names of all others.

    Raises
    ------
    DataError
        If the archive is damaged, or an array holds Python objects.

    Notes
    -----
    Reads the directory and up to 64 kB of every member.
    """
    found, others = [], []
    members = read_directory(source)
    if len(members) > _MEMBER_CAP:
        raise _bad(source, f"holds {len(members)} arrays, at most {_MEMBER_CAP} are read", "")
    for name, entry in members.items():
        label = name.removesuffix(".npy")
        offset = data_offset(source, name, entry)
        member = _member(source, label, entry, offset) if name.endswith(".npy") else None
        if member is None:
            others.append(label)
        else:
            found.append(member)
    return found, others


def _member(source: FileSource, name: str, entry: ZipMember, offset: int) -> NpzMember | None:
    """Return an array, None where it is no list of numbers or records."""
    stored = entry.method == STORED
    head = b""
    for part in _inflate(source, offset, entry.packed, stored, name, step=_HEAD_BYTES):
        head += part
        if len(head) >= _HEAD_BYTES:
            break
    text, header = _header_text(source, name, head)
    if _OBJECT.search(text):
        raise _bad(source, "holds Python objects (pickle), which are never read", name)
    plain = _PLAIN.fullmatch(text)
    if plain is not None:
        dtype, n_rows = _plain_dtype(source, name, plain[1]), int(plain[2])
    elif text.startswith("{'descr': ["):
        window = _Window(f"{source.path}, array {name}", entry.size, head[:_HEAD_BYTES])
        found = read_header(cast(FileSource, window))
        dtype, n_rows = found.dtype, found.n_rows
    else:
        return None
    if header + n_rows * dtype.itemsize != entry.size:
        message = f"promises {n_rows} entries of {dtype.itemsize} bytes, it has {entry.size} bytes"
        raise _bad(source, message, name)
    return NpzMember(source, name, dtype, n_rows, header, offset, entry.packed, entry.crc, stored)


def _header_text(source: FileSource, name: str, head: bytes) -> tuple[str, int]:
    width = 2 if head[6:7] == b"\x01" else 4
    length = int.from_bytes(head[8 : 8 + width], "little")
    end = 8 + width + length
    if head[:6] != MAGIC or len(head) < 8 + width or end > min(len(head), _HEAD_BYTES):
        raise _bad(source, "is no .npy array, or has a damaged header", name)
    return head[8 + width : end].decode("latin-1"), end


def _plain_dtype(source: FileSource, name: str, text: str) -> np.dtype[Any]:
    try:
        return np.dtype(text)
    except TypeError as error:
        raise _bad(source, f"has the unknown type {text!r}", name) from error


@dataclass(frozen=True)
class _Window:
    """The start of an array, with what `read_header` asks of a file."""

    path: str
    size: int
    head: bytes

    def read(self, offset: int, count: int) -> bytes:
        """Return bytes of the head, like a source; DataError beyond its end."""
        if offset + count > len(self.head):
            raise DataError("ends within its header", path=self.path, hint=_HINT)
        return self.head[offset : offset + count]


def _inflate(
    source: FileSource, offset: int, packed: int, stored: bool, name: str, step: int = _STEP
) -> Iterator[bytes]:
    """Yield the bytes of a member, at most ``step`` at once."""
    decoder = None if stored else zlib.decompressobj(-zlib.MAX_WBITS)
    for done in range(0, packed, step):
        rest = source.read(offset + done, min(step, packed - done))
        if decoder is None:
            yield rest
            continue
        while rest and not decoder.eof:
            try:
                yield decoder.decompress(rest, step)
            except zlib.error as error:
                raise _bad(source, f"is damaged: {error}", name) from error
            rest = decoder.unconsumed_tail
    if decoder is not None and not decoder.eof:
        yield decoder.flush()  # a few bytes that did not fit in the last step


def _bad(source: FileSource, message: str, name: str) -> DataError:
    return DataError(message, path=source.path, place=f"array {name[:80]!r}", hint=_HINT)
