"""The directory of a zip archive, checked entry by entry before anything is believed.

References
----------
PKWARE APPNOTE 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory) and 4.3.14 to
4.3.16 (end records, with those of zip64).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from mfxarray.errors import DataError
from mfxarray.formats.sources import FileSource

__all__ = ["DEFLATED", "STORED", "ZipMember", "data_offset", "read_directory"]

STORED, DEFLATED = 0, 8
_END = struct.Struct("<IHHHHIIH")
_END64_LOCATOR = struct.Struct("<IIQI")
_END64 = struct.Struct("<IQHHIIQQQQ")
_ENTRY = struct.Struct("<IHHHHHHIIIHHHHHII")
_LOCAL = struct.Struct("<IHHHHHIIIHH")
_COMMENT_CAP = 2**16
_DIRECTORY_CAP = 128 * 2**20
_MEMBER_CAP = 1_000_000
_VALUE_CAP = 2**31
# deflate cannot do better
_RATIO_CAP = 1032
_ENCRYPTED = 0x2041
_LINK, _TYPE = 0o120000, 0o170000
# what nearly all names look like; the others are looked at part by part
_PLAIN = re.compile(rb"(?:\.?\w+/)*\.?\w+/?", re.ASCII)
_DRIVE = re.compile("[A-Za-z]:")
_HINT = "The archive is damaged; copy or export it again."


@dataclass(frozen=True, slots=True)
class ZipMember:
    """One member: where its local header lies, how it is packed, its sizes and checksum."""

    offset: int
    method: int
    packed: int
    size: int
    crc: int


def read_directory(source: FileSource) -> dict[str, ZipMember]:
    """Return the files of an archive by name, in the order of its directory.

    Raises
    ------
    DataError
        If the directory is damaged, or a member is encrypted, a link, packed by something else
        than deflate, named like a path out of the archive, there twice, or overlaps another.

    Notes
    -----
    Reads the directory only, about 50 bytes and 3 µs a member.
    """
    count, size, offset = _end(source)
    if count > _MEMBER_CAP or size > _DIRECTORY_CAP or count * _ENTRY.size > size:
        raise _bad(source, f"claims {count} members in a directory of {size} bytes", "end record")
    table = source.read(offset, size)
    found: dict[str, ZipMember] = {}
    for name, member in _entries(source, table, count):
        if name in found:
            raise _bad(source, "is there twice", f"member {name[:80]}")
        found[name] = member
    _check_apart(source, found, offset)
    return {name: member for name, member in found.items() if not name.endswith("/")}


def data_offset(source: FileSource, name: str, member: ZipMember) -> int:
    """Return where a member's bytes begin, from its local header.

    Raises
    ------
    DataError
        If the local header does not agree with the directory.
    """
    head = _LOCAL.unpack(source.read(member.offset, _LOCAL.size))
    if head[0] != 0x04034B50 or head[3] != member.method or head[2] & _ENCRYPTED:
        raise _bad(source, "has another local header than the directory says", f"member {name}")
    start = member.offset + _LOCAL.size + head[9] + head[10]
    source.require(start, member.packed)
    return start


def _bad(source: FileSource, message: str, place: str) -> DataError:
    return DataError(message, path=source.path, place=place, hint=_HINT)


def _end(source: FileSource) -> tuple[int, int, int]:
    """Return the number of members, and bytes and place of the directory."""
    length = min(source.size, _END.size + _COMMENT_CAP)
    tail = source.read(source.size - length, length)
    at = _end_record(tail)
    if at is None:
        raise _bad(source, "is no zip archive, or its end is missing", f"offset {source.size}")
    _, disk, first_disk, _, count, size, offset, _ = _END.unpack_from(tail, at)
    place = source.size - length + at
    if 0xFFFF in (count, disk) or 0xFFFFFFFF in (size, offset):
        disk, first_disk, count, size, offset, place = _end64(source, place)
    if disk or first_disk:
        raise _bad(source, "is one part of an archive in several parts", "end record")
    if offset + size > place:
        raise _bad(source, f"claims a directory at {offset} to {offset + size}", "end record")
    return count, size, offset


def _end_record(tail: bytes) -> int | None:
    """Return where the end record begins: its comment must end where the archive ends."""
    at = tail.rfind(b"PK\x05\x06", 0, max(len(tail) - _END.size + 4, 0))
    while at >= 0:
        if at + _END.size + _END.unpack_from(tail, at)[7] == len(tail):
            return at
        at = tail.rfind(b"PK\x05\x06", 0, at)
    return None


def _end64(source: FileSource, end: int) -> tuple[int, int, int, int, int, int]:
    locator = end - _END64_LOCATOR.size
    if locator < 0:
        raise _bad(source, "lacks its zip64 locator", f"offset {end}")
    magic, _, place, _ = _END64_LOCATOR.unpack(source.read(locator, _END64_LOCATOR.size))
    if magic != 0x07064B50 or place + _END64.size > locator:
        raise _bad(source, "lacks its zip64 locator", f"offset {locator}")
    found = _END64.unpack(source.read(place, _END64.size))
    if found[0] != 0x06064B50:
        raise _bad(source, "lacks its zip64 end record", f"offset {place}")
    return found[4], found[5], found[7], found[8], found[9], place


def _entries(source: FileSource, table: bytes, count: int) -> Iterator[tuple[str, ZipMember]]:
    at = 0
    for number in range(count):
        if at + _ENTRY.size > len(table):
            raise _bad(source, "the directory ends too early", f"directory entry {number}")
        head = _ENTRY.unpack_from(table, at)
        after = at + _ENTRY.size + head[10]
        if head[0] != 0x02014B50 or after + head[11] + head[12] > len(table):
            raise _bad(source, "the directory is damaged", f"directory entry {number}")
        name = _name(source, table[at + _ENTRY.size : after], number)
        extra = table[after : after + head[11]]
        yield name, _member(source, name, head, extra)
        at = after + head[11] + head[12]


def _name(source: FileSource, raw: bytes, number: int) -> str:
    if _PLAIN.fullmatch(raw):
        return raw.decode("ascii")
    place = f"directory entry {number}"
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _bad(source, f"a member has the name {raw[:40]!r}", place) from error
    parts = name.removesuffix("/").split("/")
    if {"", ".", ".."} & set(parts) or "\\" in name or "\0" in name or _DRIVE.match(name):
        raise _bad(source, f"a member is named {name[:80]!r}, a path out of the archive", place)
    return name


def _member(source: FileSource, name: str, head: tuple[int, ...], extra: bytes) -> ZipMember:
    flags, method, crc, packed, size, offset = head[3], head[4], head[7], head[8], head[9], head[16]
    if flags & _ENCRYPTED:
        raise _bad(source, "is encrypted", _place(name))
    if (head[15] >> 16) & _TYPE == _LINK:
        raise _bad(source, "is a symbolic link, which is never followed", _place(name))
    if 0xFFFFFFFF in (packed, size, offset):
        size, packed, offset = _wide(source, name, extra, [size, packed, offset])
    if method not in (STORED, DEFLATED):
        raise _bad(
            source, f"is packed by method {method}; stored and deflated are read", _place(name)
        )
    if method == STORED and size != packed:
        raise _bad(source, f"stores {packed} bytes and claims {size}", _place(name))
    if size > _VALUE_CAP or size > packed * _RATIO_CAP + 64:
        raise _bad(source, f"claims to unpack {packed} to {size} bytes", _place(name))
    return ZipMember(offset, method, packed, size, crc)


def _place(name: str) -> str:
    return f"member {name[:80]}"


def _wide(source: FileSource, name: str, extra: bytes, values: list[int]) -> list[int]:
    """Replace the values that did not fit in 32 bits by those of the zip64 field."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        body = extra[at + 4 : at + 4 + length]
        needed = [index for index, value in enumerate(values) if value == 0xFFFFFFFF]
        if kind == 1 and len(body) >= 8 * len(needed):
            for number, index in enumerate(needed):
                values[index] = struct.unpack_from("<Q", body, 8 * number)[0]
            return values
        at += 4 + length
    raise _bad(source, "lacks its zip64 sizes", _place(name))


def _check_apart(source: FileSource, found: dict[str, ZipMember], end: int) -> None:
    """Raise unless all members lie before the directory, and none within another."""
    free = 0
    for name, member in sorted(found.items(), key=lambda item: item[1].offset):
        if member.offset < free or member.offset + _LOCAL.size + member.packed > end:
            message = "overlaps another member or lies outside of the archive"
            raise _bad(source, message, f"member {name[:80]}")
        free = member.offset + _LOCAL.size + len(name.encode()) + member.packed
