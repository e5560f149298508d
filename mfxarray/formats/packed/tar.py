"""Members of a tar archive, one after the other, without a seek and without trust.

References
----------
POSIX.1-2008, pax: ustar and pax headers; GNU tar manual, "Basic Tar Format" (types L and K,
numbers in base 256).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mfxarray.errors import DataError
from mfxarray.formats.packed.streams import PackedBytes

__all__ = ["BLOCK", "TarMember", "is_tar_header", "tar_members"]

BLOCK = 512
_CHECKSUM = slice(148, 156)
_NAME, _SIZE, _PREFIX = slice(0, 100), slice(124, 136), slice(345, 500)
_KIND = 156
_MOST_TEXT = 64 * 1024  # of a long name or of extended attributes
_MOST_MEMBERS = 100_000
_MOST_BYTES = 2**62
_KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"6": "a pipe",
}
_HINT = "Unpack the archive yourself, and open the file that is in it."


@dataclass(frozen=True)
class TarMember:
    """A plain file: its name as stored, which is never used as a path, and its bytes."""

    name: str
    size: int


def is_tar_header(block: bytes) -> bool:
    """Tell by its checksum whether a block of 512 bytes begins a member."""
    if len(block) < BLOCK or not any(block[:100]):
        return False
    try:
        stored = _octal(block[_CHECKSUM])
    except ValueError:
        return False
    return stored == sum(block[:BLOCK]) - sum(block[_CHECKSUM]) + 8 * ord(" ")


def tar_members(stream: PackedBytes, path: str) -> Iterator[TarMember]:
    """Yield the plain files; what a user does not read of one is passed over.

    Parameters
    ----------
    stream
        The archive, at its first byte. The user reads at most ``size`` bytes of a member.
    path
        Of the archive, for errors.

    Raises
    ------
    DataError
        If the archive is damaged, ends before its end, or holds a link, a device, a sparse file,
        or a file twice.
    """
    seen: set[str] = set()
    name, size = None, None
    for count in range(_MOST_MEMBERS):
        block = stream.read(BLOCK)
        if block == bytes(BLOCK):
            stream.skip(_MOST_BYTES)  # to the end, so that checksums are checked
            return
        if not is_tar_header(block):
            raise _fault(path, "is no whole tar archive", f"member {count}")
        kind, length = block[_KIND : _KIND + 1], _number(block[_SIZE], path, count)
        if kind in b"xgLK":
            text = _text(stream, length, path, count)
            name, size = _extended(kind, text, name, size, path, count)
            continue
        found = TarMember(name or _name(block), length if size is None else size)
        name, size = None, None
        if kind == b"5":
            continue
        if kind not in (b"0", b"\0", b"7"):
            what = _KINDS.get(kind, f"a member of type {kind!r}")
            raise _fault(path, f"holds {what}", f"member {found.name[:80]!r}")
        if found.name in seen:
            raise _fault(path, "holds a file twice", f"member {found.name[:80]!r}")
        seen.add(found.name)
        yield from _member(stream, found, path)
    raise _fault(path, f"holds more than {_MOST_MEMBERS} members", "end")


def _member(stream: PackedBytes, member: TarMember, path: str) -> Iterator[TarMember]:
    end = stream.given + member.size + -member.size % BLOCK
    yield member
    stream.skip(end - stream.given)
    if stream.given < end:
        raise _fault(path, "ends too early", f"member {member.name[:80]!r}")


def _text(stream: PackedBytes, length: int, path: str, count: int) -> bytes:
    if length > _MOST_TEXT:
        raise _fault(path, f"claims {length} bytes of attributes", f"member {count}")
    whole = length + -length % BLOCK
    text = stream.read(whole)
    if len(text) < whole:
        raise _fault(path, "ends too early", f"member {count}")
    return text[:length]


def _extended(
    kind: bytes, text: bytes, name: str | None, size: int | None, path: str, count: int
) -> tuple[str | None, int | None]:
    """Return name and size of the next member as far as an extra header tells."""
    if kind == b"L":
        return _decoded(text.split(b"\0")[0]), size
    if kind != b"x":
        return name, size
    for key, value in _records(text, path, count):
        if key.startswith(b"GNU.sparse"):
            raise _fault(path, "holds a sparse file", f"member {count}")
        if key == b"path":
            name = _decoded(value)
        if key == b"size":
            if not value.isdigit() or len(value) > 18:
                raise _fault(path, "holds a member of no valid size", f"member {count}")
            size = int(value)
    return name, size


def _records(text: bytes, path: str, count: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the attributes of a pax header, each with its length before and a newline behind."""
    at = 0
    while at < len(text):
        head = text[at : at + 8].split(b" ")[0]
        length = int(head) if head.isdigit() else 0
        record = text[at : at + length]
        key, found, value = record[len(head) + 1 :].partition(b"=")
        if len(record) < length or not record.endswith(b"\n") or not found:
            raise _fault(path, "has damaged attributes", f"member {count}")
        yield key, value[:-1]
        at += length


def _number(field: bytes, path: str, count: int) -> int:
    try:
        found = int.from_bytes(field[1:], "big") if field[0] == 0x80 else _octal(field)
    except ValueError:
        found = -1
    if not 0 <= found < _MOST_BYTES:
        raise _fault(path, "holds a member of no valid size", f"member {count}")
    return found


def _octal(field: bytes) -> int:
    digits = field.strip(b" \0")
    if digits.strip(b"01234567"):
        raise ValueError("no octal number")
    return int(digits or b"0", 8)


def _name(block: bytes) -> str:
    name = block[_NAME].split(b"\0")[0]
    prefix = block[_PREFIX].split(b"\0")[0] if block[257:263] == b"ustar\0" else b""
    return _decoded(prefix + b"/" + name if prefix else name)


def _decoded(name: bytes) -> str:
    return name.decode("utf-8", "replace")


def _fault(path: str, message: str, place: str) -> DataError:
    return DataError(message, path=path, place=place, hint=_HINT)
