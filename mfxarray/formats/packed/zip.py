"""Members of a zip archive as streams of bytes."""

from __future__ import annotations

from collections.abc import Iterator

from mfxarray.formats.packed.head import HEAD_BYTES, header_bytes_of
from mfxarray.formats.packed.streams import PackedBytes
from mfxarray.formats.sources import FileSource
from mfxarray.formats.zarr.zip_directory import STORED, ZipMember, data_offset

__all__ = ["zip_candidates", "zip_stream"]


def zip_candidates(source: FileSource, directory: dict[str, ZipMember], most: int) -> Iterator[str]:
    """Yield the names of members that begin like a NanoSIMS file."""
    for name, one in list(directory.items())[:most]:
        if one.size >= HEAD_BYTES:
            start = zip_stream(source, name, one, None).read(HEAD_BYTES)
            if header_bytes_of(start) is not None:
                yield name


def zip_stream(source: FileSource, name: str, one: ZipMember, max_bytes: int | None) -> PackedBytes:
    """Return the unpacked bytes of a member."""
    start = data_offset(source, name, one)
    kind = "stored" if one.method == STORED else "deflate"
    return PackedBytes(source, kind, start, start + one.packed, max_bytes)
