"""Global heaps of HDF5 files, where texts of any length lie, checked before HDF5 walks over them.

A damaged size in such a heap makes the HDF5 library go round for ever, and a damaged length of a
text makes it ask for gigabytes.

References
----------
The HDF Group, "HDF5 File Format Specification", III.E: signature GCOL, version 1, three reserved
bytes, size of the collection; then objects of index (2 bytes), references (2), reserved (4), size
(8) and data padded to 8 bytes. Object 0 is free space, and its size includes its head. A text is
kept as length (4), address of the heap (8) and index (4).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from mfxarray.errors import DataError
from mfxarray.formats.sources import FileSource

__all__ = ["check_heaps"]

_SIGNATURE = b"GCOL\x01"
_WINDOW_BYTES = 8 * 2**20
_HEAD = _OBJECT = 16
_SIZE_CAP, _TEXT_CAP, _HEAPS_CAP = 2**24, 2**20, 64


def check_heaps(source: FileSource, base: int = 0) -> None:
    """Raise DataError if any global heap of the file does not add up, or a text is very long.

    Parameters
    ----------
    source
        The file.
    base
        Bytes of its user block, from which addresses count.

    Notes
    -----
    Reads the whole file once for the heaps, and once more for each of them, in windows of 8 MB.
    """
    heaps: dict[int, set[int]] = {}
    for place in _find(source, _SIGNATURE):
        indices = _indices(source, place)
        if indices is None or len(heaps) >= _HEAPS_CAP:
            raise _bad(source, "a heap of texts is damaged", place)
        heaps[place] = indices
    for heap, indices in heaps.items():
        for place in _find(source, struct.pack("<Q", heap - base)):
            # the same bytes may stand elsewhere by chance, but without an index behind them
            if 4 <= place <= source.size - 12:
                length, _, index = struct.unpack("<IQI", source.read(place - 4, 16))
                if length > _TEXT_CAP and index in indices:
                    message = f"a text claims {length} bytes, at most {_TEXT_CAP} are read"
                    raise _bad(source, message, place - 4)


def _bad(source: FileSource, message: str, place: int) -> DataError:
    hint = "Copy or save the file again."
    return DataError(message, path=source.path, place=f"offset {place}", hint=hint)


def _find(source: FileSource, wanted: bytes) -> Iterator[int]:
    """Yield every place of some bytes in a file."""
    overlap = len(wanted) - 1
    for start in range(0, source.size, _WINDOW_BYTES):
        window = source.read(start, min(_WINDOW_BYTES + overlap, source.size - start))
        place = window.find(wanted)
        while place >= 0:
            yield start + place
            place = window.find(wanted, place + 1)


def _indices(source: FileSource, place: int) -> set[int] | None:
    """Return the indices of the objects of a heap, None where it does not add up."""
    room = min(source.size - place, _SIZE_CAP)
    if room < _HEAD:
        return None
    (size,) = struct.unpack("<Q", source.read(place + 8, 8))
    if not _HEAD <= size <= room:
        return None
    heap = source.read(place, size)
    at, found = _HEAD, set()
    while size - at >= _OBJECT:
        index, _, length = struct.unpack_from("<HH4xQ", heap, at)
        step = length if index == 0 else _OBJECT + length + -length % 8
        if not _OBJECT <= step <= size - at:
            return None
        found.add(index)
        at += step
    return found - {0}
