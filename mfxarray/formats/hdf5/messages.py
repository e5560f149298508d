"""The messages of an object's header in an HDF5 file.

References
----------
The HDF Group, "HDF5 File Format Specification", IV.A.1. Version 1: version, reserved, number of
messages (2 bytes), references (4), size (4), padding (4); each message has type (2), size (2),
flags, 3 reserved. Version 2: OHDR, version, flags, times (16) and phases (4) if the flags say so,
size (1 to 8); each message has type (1), size (2), flags, its order (2) if the flags say so; every
block ends with a checksum (4). A message of type 16 leads to a block that goes on.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from mfxarray.errors import DataError
from mfxarray.formats.sources import FileSource

__all__ = ["messages"]

Message = tuple[int, int, bytes]
_CONTINUED = 0x10
_BLOCK_CAP, _BLOCKS_CAP = 2**20, 64
_TIMES, _PHASES, _ORDER = 0x20, 0x10, 0x04
_CHECKSUM = 4


def messages(source: FileSource, place: int, base: int) -> Iterator[Message]:
    """Yield type, flags and content of each message of a header.

    Parameters
    ----------
    source
        The file.
    place
        Where the header begins in the file.
    base
        Bytes of the user block, from which addresses count.

    Raises
    ------
    DataError
        If blocks of the header leave the file, go on in a circle, or are larger than 1 MB.
    """
    head = source.read(place, min(40, max(source.size - place, 0)))
    second = head.startswith(b"OHDR\x02")
    if len(head) < 16 or not (second or head.startswith(b"\x01")):
        raise _bad(source, place)
    order = bool(second and head[5] & _ORDER)
    waiting = [_first(place, head, second)]
    seen = set[int]()
    while waiting:
        start, size = waiting.pop()
        if start in seen or len(seen) >= _BLOCKS_CAP or not 0 <= size <= _BLOCK_CAP:
            raise _bad(source, start)
        seen.add(start)
        for kind, flags, body in _block(source.read(start, size), second, order):
            if kind == _CONTINUED and len(body) >= 16:
                waiting.append(_next(base, body, second))
            yield kind, flags, body


def _first(place: int, head: bytes, second: bool) -> tuple[int, int]:
    """Return place and size of the messages of the first block."""
    if not second:
        return place + 16, struct.unpack_from("<I", head, 8)[0]
    flags = head[5]
    at = 6 + 16 * bool(flags & _TIMES) + 4 * bool(flags & _PHASES)
    width = 1 << (flags & 3)
    return place + at + width, int.from_bytes(head[at : at + width], "little")


def _next(base: int, body: bytes, second: bool) -> tuple[int, int]:
    """Return place and size of the messages of a block that goes on."""
    address, size = struct.unpack_from("<QQ", body)
    # such a block has a signature of its own, and a checksum
    return (base + address + 4, size - 4 - _CHECKSUM) if second else (base + address, size)


def _block(raw: bytes, second: bool, order: bool) -> Iterator[Message]:
    at, head = 0, (6 if order else 4) if second else 8
    while at + head <= len(raw):
        if second:
            kind, size, flags = struct.unpack_from("<BHB", raw, at)
        else:
            kind, size, flags = struct.unpack_from("<HHB", raw, at)
        at += head
        yield kind, flags, raw[at : at + size]
        at += size


def _bad(source: FileSource, place: int) -> DataError:
    hint = "Copy or save the file again."
    message = "the header of an object is damaged"
    return DataError(message, path=source.path, place=f"offset {place}", hint=hint)
