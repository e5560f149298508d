"""Stores of keys in which MINFLUX archives come: an unpacked folder, or a zip archive of it."""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from functools import lru_cache

from mfxarray.errors import DataError
from mfxarray.formats.sources import FileSource
from mfxarray.formats.zarr.folder_keys import FolderKeys, open_folder
from mfxarray.formats.zarr.zip_directory import STORED, ZipMember, data_offset, read_directory

__all__ = ["FolderKeys", "ZipKeys", "open_folder", "open_zip"]

_RECORDS = "mfx/.zarray"
_PIECE_BYTES = 2**20


@dataclass(frozen=True)
class ZipKeys:
    """The members of a zip archive below a top folder.

    Attributes
    ----------
    source
        The archive.
    top
        What is taken off the names of the members, such as "zarr/".
    prefix
        What is put in front of them: "mfx/" for an archive of the array folder on its own.
    """

    source: FileSource
    top: str = ""
    prefix: str = ""

    def identity(self) -> str:
        """Return path, size and time of the archive as text."""
        return repr(self)

    def keys(self) -> tuple[str, ...]:
        """Return all keys in the order of the archive."""
        return tuple(_members(self))

    def size(self, key: str) -> int | None:
        """Return the unpacked bytes of a member, None where there is none."""
        member = _members(self).get(key)
        return None if member is None else member.size

    def read(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
        """Return a member's bytes, or a range of them.

        Raises
        ------
        DataError
            If there is no such member, it is damaged, or the archive changed since it was opened.

        Notes
        -----
        A range of a stored member is read in place; of a deflated one all before it is inflated.
        Members that are read whole are checked against their checksum.
        """
        member = _members(self).get(key)
        if member is None:
            raise DataError("is missing", path=self.source.path, place=f"key {key[:80]}")
        end = member.size if stop is None else stop
        if not 0 <= start <= end <= member.size:
            message = f"has {member.size} bytes, {start} to {end} are needed"
            raise DataError(message, path=self.source.path, place=f"key {key}")
        place = data_offset(self.source, key, member)
        if member.method == STORED:
            found = self.source.read(place + start, end - start)
        else:
            found = self._inflate(key, member, place, start, end)
        if start == 0 and end == member.size and zlib.crc32(found) != member.crc:
            raise self._damaged(key, "does not match its checksum")
        return found

    def _inflate(self, key: str, member: ZipMember, place: int, start: int, end: int) -> bytes:
        machine, kept, done = zlib.decompressobj(-zlib.MAX_WBITS), bytearray(), 0
        packed = self.source.read(place, member.packed)
        try:
            while done < end:
                piece = machine.decompress(packed, min(_PIECE_BYTES, end - done))
                packed = machine.unconsumed_tail
                if not piece:
                    raise self._damaged(key, f"ends after {done} of {member.size} bytes")
                kept += piece[max(start - done, 0) :]
                done += len(piece)
            if end == member.size and machine.decompress(packed, 1):
                raise self._damaged(key, f"unpacks to more than {member.size} bytes")
        except zlib.error as error:
            raise self._damaged(key, f"cannot be inflated: {error}") from error
        return bytes(kept)

    def _damaged(self, key: str, message: str) -> DataError:
        hint = "Copy or export the archive again."
        return DataError(message, path=self.source.path, place=f"member {key[:80]}", hint=hint)


def open_zip(path: str | os.PathLike[str]) -> ZipKeys:
    """Return the keys of a zipped MINFLUX archive, without a top folder.

    Raises
    ------
    DataError
        If it is no zip archive, holds no MINFLUX records or those of several archives, or is not
        safe to read; see `zip_directory.read_directory`.

    Notes
    -----
    Reads the directory of the archive.
    """
    source = FileSource.open(path)
    names = _directory(source)
    tops = {name.removesuffix(_RECORDS) for name in names if f"/{name}".endswith(f"/{_RECORDS}")}
    if len(tops) > 1:
        message = f"holds several archives: {', '.join(sorted(tops))[:200]}"
        raise DataError(message, path=source.path, hint="Unpack it and open one of them.")
    if tops:
        return ZipKeys(source, tops.pop())
    if ".zarray" in names:
        return ZipKeys(source, "", "mfx/")
    hint = "Give a zip archive of the folder zarr that Imspector unpacked."
    raise DataError("holds no MINFLUX records (mfx/.zarray)", path=source.path, hint=hint)


# the list is made once in every process, so that a store stays small when it travels
@lru_cache(maxsize=16)
def _directory(source: FileSource) -> dict[str, ZipMember]:
    return read_directory(source)


@lru_cache(maxsize=16)
def _members(keys: ZipKeys) -> dict[str, ZipMember]:
    found = _directory(keys.source)
    top = len(keys.top)
    return {
        keys.prefix + name[top:]: member
        for name, member in found.items()
        if name.startswith(keys.top)
    }
