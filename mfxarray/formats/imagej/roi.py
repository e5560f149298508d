"""Regions of interest that ImageJ saved: one in a .roi file, several in a .zip.

Every length is checked against the bytes that are there before it is believed. Names come out as
text and are never used as paths.

References
----------
``ij.io.RoiDecoder`` of ImageJ documents the 64 bytes of the header; all numbers are big-endian.
"""

from __future__ import annotations

import os
import zlib
from dataclasses import replace

from mfxarray.errors import DataError
from mfxarray.formats.imagej.shapes import ImagejRoi, decode_roi
from mfxarray.formats.sources import FileSource
from mfxarray.formats.zarr.zip_directory import STORED, ZipMember, data_offset, read_directory

__all__ = ["read_imagej_rois"]

# real files have a few kB; these bounds keep hostile ones from taking minutes
_BYTES_CAP = 8 * 2**20
_COUNT_CAP = 5_000
_ZIP = b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"
_SKIPPED = "__MACOSX/"


def read_imagej_rois(path: str | os.PathLike[str]) -> tuple[ImagejRoi, ...]:
    """Return the regions of interest in an ImageJ file, in the order of the file.

    Parameters
    ----------
    path
        A ``.roi`` file or a ``.zip`` of them; the content decides, not the name.

    Raises
    ------
    DataError
        If it is neither, is damaged, or holds a kind of region that is not read (text, image,
        arrow, spline); the kind is named.

    Notes
    -----
    Names are unique: those in the files, else the names of the files; repeated ones get a number.
    """
    source = FileSource.open(path)
    if source.read(0, min(4, source.size)) in (_ZIP, _EMPTY_ZIP):
        return _distinct(_read_zip(source))
    if source.size > _BYTES_CAP:
        raise DataError(f"is no ImageJ region: {source.size} bytes are too many", path=source.path)
    stem = _stem(os.path.basename(source.path))
    return (decode_roi(source.read(0, source.size), stem, path=source.path),)


def _read_zip(source: FileSource) -> list[ImagejRoi]:
    members = {
        name: member
        for name, member in read_directory(source).items()
        if name.lower().endswith(".roi") and not name.startswith(_SKIPPED)
    }
    if not members:
        raise DataError(
            "is an archive without .roi files",
            path=source.path,
            hint="Save the regions in ImageJ's ROI Manager with More > Save.",
        )
    total = sum(member.size for member in members.values())
    if len(members) > _COUNT_CAP or total > _BYTES_CAP:
        raise DataError(
            f"holds {len(members)} regions of {total} bytes, too many; at most {_COUNT_CAP} "
            f"regions and {_BYTES_CAP} bytes are read",
            path=source.path,
        )
    return [
        decode_roi(
            _unpack(source, name, member),
            _stem(name.rpartition("/")[2]),
            path=source.path,
            place=f"member {name[:80]!r}",
        )
        for name, member in members.items()
    ]


def _unpack(source: FileSource, name: str, member: ZipMember) -> bytes:
    """Return the bytes of a member, no more than the directory says, checked by their sum."""
    place = f"member {name[:80]!r}"
    data = source.read(data_offset(source, name, member), member.packed)
    if member.method != STORED:
        try:
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, member.size + 1)
        except zlib.error as error:
            raise DataError(f"is damaged: {error}", path=source.path, place=place) from error
    if len(data) != member.size or zlib.crc32(data) != member.crc:
        raise DataError(
            "has another size or checksum than the directory says",
            path=source.path,
            place=place,
            hint="The archive is damaged; save it again.",
        )
    return data


def _stem(name: str) -> str:
    return name[:-4] if name.lower().endswith(".roi") else name


def _distinct(rois: list[ImagejRoi]) -> tuple[ImagejRoi, ...]:
    """Return the regions under names that occur once."""
    used: set[str] = set()
    numbers: dict[str, int] = {}
    found = []
    for roi in rois:
        name = roi.name
        while name in used:
            numbers[roi.name] = numbers.get(roi.name, 1) + 1
            name = f"{roi.name} ({numbers[roi.name]})"
        used.add(name)
        found.append(replace(roi, name=name))
    return tuple(found)
