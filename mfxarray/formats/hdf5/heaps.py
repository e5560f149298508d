"""Texts of any length in attributes of HDF5 files, read here and not by the HDF5 library.

They lie in heaps. A damaged size in a heap makes the library go round for ever, and a damaged
length of a text makes it ask for gigabytes.

References
----------
The HDF Group, "HDF5 File Format Specification". Global heaps (III.E): signature GCOL, version 1,
three reserved bytes, size of the collection; then objects of index (2 bytes), references (2),
reserved (4), size (8) and data padded to 8 bytes. Object 0 is free space, and its size includes its
head. A text is kept as length (4), address of the heap (8) and index (4). Attributes (IV.A.2.m):
version, flags, sizes of name, type and space (2 each), a byte for the letters of the name in
version 3, then these three, padded to 8 bytes each in version 1, then the values.
"""

from __future__ import annotations

import struct

from mfxarray.errors import DataError
from mfxarray.formats.hdf5.messages import messages
from mfxarray.formats.sources import FileSource

__all__ = ["heap_texts"]

_SIGNATURE = b"GCOL\x01"
_HEAD = _OBJECT = _REFERENCE = 16
_SIZE_CAP, _TEXT_CAP, _HEAPS_CAP = 2**22, 2**20, 16
_ATTRIBUTE = 0x0C
_SHARED = 0x02


def heap_texts(source: FileSource, address: int, name: str, count: int, base: int) -> list[bytes]:
    """Return the texts of an attribute.

    Parameters
    ----------
    source
        The file.
    address
        Where the header of the object lies whose attribute it is.
    name
        Name of the attribute, which must be one of texts of any length.
    count
        Number of texts.
    base
        Bytes of the user block of the file, from which addresses count.

    Raises
    ------
    DataError
        If header or heap do not add up, a text is longer than 1 MB, or the attribute lies in a
        place that neither h5py nor MATLAB would choose for a few attributes.

    Notes
    -----
    Reads the header of the object and the heaps that hold the texts.
    """
    values = _values(source, base + address, name, base)
    if values is None or len(values) < count * _REFERENCE:
        raise _bad(source, f"the attribute {name!r} has no values where they should be", address)
    heaps: dict[int, dict[int, bytes]] = {}
    found = []
    for place in range(0, count * _REFERENCE, _REFERENCE):
        length, heap, index = struct.unpack_from("<IQI", values, place)
        if not length:
            found.append(b"")
            continue
        if heap not in heaps:
            if len(heaps) >= _HEAPS_CAP:
                raise _bad(source, f"the texts of the attribute {name!r} are in many heaps", heap)
            heaps[heap] = _heap(source, base + heap)
        text = heaps[heap].get(index)
        if text is None or length > min(len(text), _TEXT_CAP):
            raise _bad(source, f"a text of the attribute {name!r} claims {length} bytes", heap)
        # a zero byte ends a text, as in the HDF5 library
        found.append(text[:length].split(b"\0", 1)[0])
    return found


def _values(source: FileSource, place: int, name: str, base: int) -> bytes | None:
    """Return the values of an attribute, None where the header does not hold it."""
    for kind, flags, body in messages(source, place, base):
        if kind != _ATTRIBUTE or flags & _SHARED or len(body) < 9 or body[0] not in (1, 2, 3):
            continue
        sizes = struct.unpack_from("<3H", body, 2)
        start = 9 if body[0] == 3 else 8
        if body[start : start + sizes[0]].rstrip(b"\0") != name.encode():
            continue
        return body[start + sum(size + -size % 8 if body[0] == 1 else size for size in sizes) :]
    return None


def _heap(source: FileSource, place: int) -> dict[int, bytes]:
    """Return the objects of a heap by their indices."""
    room = min(source.size - place, _SIZE_CAP)
    head = source.read(place, _HEAD) if room >= _HEAD else b""
    size = struct.unpack_from("<Q", head, 8)[0] if head.startswith(_SIGNATURE) else 0
    if not _HEAD <= size <= room:
        raise _bad(source, "a heap of texts is damaged", place)
    heap, at, found = source.read(place, size), _HEAD, {}
    while size - at >= _OBJECT:
        index, _, length = struct.unpack_from("<HH4xQ", heap, at)
        step = length if index == 0 else _OBJECT + length + -length % 8
        if not _OBJECT <= step <= size - at:
            raise _bad(source, "a heap of texts is damaged", place)
        found[index] = heap[at + _OBJECT : at + _OBJECT + length]
        at += step
    return found


def _bad(source: FileSource, message: str, place: int) -> DataError:
    hint = "Copy or save the file again."
    return DataError(message, path=source.path, place=f"offset {place}", hint=hint)
