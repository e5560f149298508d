"""Packed NanoSIMS files: gzip, bzip2, xz, zip and tar, told by their content, unpacked in one pass.

Nothing here can be read at random, so a packed file is unpacked once, by `unpack_to`, and read from
there. Names of members are shown and compared, never used as paths.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from mfxarray.errors import DataError
from mfxarray.formats.packed.head import HEAD_BYTES, claimed_bytes, header_bytes_of
from mfxarray.formats.packed.streams import PackedBytes
from mfxarray.formats.packed.tar import BLOCK, is_tar_header, tar_members
from mfxarray.formats.packed.zip import zip_candidates, zip_stream
from mfxarray.formats.sources import FileSource
from mfxarray.formats.zarr.zip_directory import ZipMember, read_directory

__all__ = ["Copied", "holds_mims", "packing", "unpack_to"]

_PIECE = 1024 * 1024
_MOST_LOOKED_AT = 1000  # members of a zip archive
_MOST_LISTED = 20
_GLANCE, _GLANCE_BYTES = 20, 8 * 2**20
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b\x08", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"PK\x03\x04", "zip"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
)
# what xz-utils writes as .lzma: properties, size of the dictionary, and an unknown size
_LZMA, _LZMA_SIZES = b"\x5d\x00\x00", (b"\xff" * 8, b"\x00\x00\x00")
_HINT = "The archive is damaged; copy or pack it again."

Write = Callable[[bytes], object]
Tell = Callable[[float], object]


@dataclass(frozen=True)
class Copied:
    """What was unpacked: the member's name (empty for a single packed file) and its bytes."""

    name: str
    size: int


def packing(source: FileSource) -> str | None:
    """Return how a file is packed, None where it is not.

    Returns
    -------
    str or None
        "gzip", "bzip2", "xz", "lzma", "zip", "tar", or "7z", which is not read. Packed tar archives
        are what they are packed by.

    Notes
    -----
    Reads 512 bytes. What is in it does not matter; see `holds_mims`.
    """
    start = source.read(0, min(BLOCK, source.size))
    if header_bytes_of(start) is not None:
        return None
    for magic, kind in _MAGIC:
        if start.startswith(magic):
            return kind
    if start.startswith(_LZMA) and start[5:13].endswith(_LZMA_SIZES):
        return "lzma"
    return "tar" if is_tar_header(start) else None


def holds_mims(source: FileSource) -> bool:
    """Tell whether a packed file holds a NanoSIMS file, as far as its begin shows; never raises.

    Notes
    -----
    Looks at the first 20 files of an archive, in a tar archive no further than 8 MB.
    """
    try:
        kind = packing(source)
        if kind in (None, "7z"):
            return False
        if kind == "zip":
            return any(zip_candidates(source, read_directory(source), _GLANCE))
        start = PackedBytes(source, _stream_kind(kind)).read(BLOCK)
        if not is_tar_header(start):
            return header_bytes_of(start) is not None
        stream = PackedBytes(source, _stream_kind(kind), max_bytes=_GLANCE_BYTES)
        for one in islice(tar_members(stream, source.path), _GLANCE):
            if header_bytes_of(stream.read(min(HEAD_BYTES, one.size))) is not None:
                return True
    except DataError:
        return False
    return False


def unpack_to(
    source: FileSource,
    write: Write,
    *,
    member: str | None = None,
    max_bytes: int | None = None,
    tell: Tell = lambda _: None,
) -> Copied:
    """Write the NanoSIMS file that a packed file holds, piece by piece.

    Parameters
    ----------
    source
        The packed file.
    write
        Takes the bytes in their order; what was written is worthless if this raises.
    member
        Name of a file in an archive, where it holds several.
    max_bytes
        Largest size of the unpacked file. If not given, twice what its own header claims and
        256 MiB more, and at most 200 times the packed bytes and 64 MiB.
    tell
        Called with the share that is done.

    Raises
    ------
    DataError
        If the file is damaged, unpacks to too much, is encrypted, holds a link, or holds no
        NanoSIMS file or several.
    ValueError
        If ``member`` is given for a file that has no members, or is not there.

    Notes
    -----
    One pass in a few MiB of memory (xz: up to 80 MiB more). Checksums, where the packing has any,
    are those of the whole file.
    """
    kind = packing(source)
    if kind is None:
        raise DataError("is not packed", path=source.path)
    if kind == "7z":
        hint = "Unpack it and open the .im file."
        raise DataError("is a 7z archive, which is not read", path=source.path, hint=hint)
    copy = _Copy(source, write, max_bytes, tell)
    if kind == "zip":
        return copy.from_zip(member)
    stream = PackedBytes(source, _stream_kind(kind), max_bytes=max_bytes)
    if is_tar_header(PackedBytes(source, _stream_kind(kind)).read(BLOCK)):
        return copy.from_tar(stream, member)
    if member is not None:
        raise ValueError(f"{source.path} is a single packed file, leave member={member!r} out")
    size = copy.plain(stream, None)
    if size is None:
        raise _no_mims(source)
    return Copied("", size)


def _stream_kind(kind: str | None) -> str:
    return "stored" if kind == "tar" else str(kind)


@dataclass(frozen=True)
class _Copy:
    """Copies one member out of whatever holds it."""

    source: FileSource
    write: Write
    max_bytes: int | None
    tell: Tell

    def plain(self, stream: PackedBytes, size: int | None) -> int | None:
        """Copy all that follows, or ``size`` bytes; None if it is no NanoSIMS file."""
        start = stream.read(HEAD_BYTES if size is None else min(HEAD_BYTES, size))
        length = header_bytes_of(start)
        if length is None:
            return None
        rest = length - len(start) if size is None else min(length, size) - len(start)
        head = start + stream.read(rest)
        if len(head) < length:
            raise self._fault(f"claims a header of {length} bytes and has {len(head)}")
        limit = self._limit(head, size)
        self.write(head)
        done = len(head)
        while size is None or done < size:
            piece = stream.read(_PIECE if size is None else min(_PIECE, size - done))
            if not piece:
                break
            done += len(piece)
            if limit is not None and done > limit:
                raise self._too_large(limit)
            self.write(piece)
            self.tell(stream.share)
        if size is not None and done < size:
            raise self._fault(f"ends after {done} of {size} bytes of a member")
        return done

    def _limit(self, head: bytes, size: int | None) -> int | None:
        limit = claimed_bytes(head) if self.max_bytes is None else self.max_bytes
        if limit is not None and (size or 0) > limit:
            raise self._too_large(limit)
        return limit

    def _too_large(self, limit: int) -> DataError:
        return DataError(
            f"unpacks to more than {limit} bytes, which is more than "
            + ("the header in it tells" if self.max_bytes is None else "was allowed"),
            path=self.source.path,
            hint="Give max_bytes to allow it, if you know where the file comes from.",
        )

    def from_tar(self, stream: PackedBytes, member: str | None) -> Copied:
        """Copy the member that is asked for, or the only NanoSIMS file."""
        found: list[Copied] = []
        names: list[str] = []
        for one in tar_members(stream, self.source.path):
            names.append(one.name)
            if member is not None:
                if one.name == member:
                    found.append(self._named(one.name, self.plain(stream, one.size)))
            elif found:
                if header_bytes_of(stream.read(min(HEAD_BYTES, one.size))) is not None:
                    found.append(Copied(one.name, one.size))
            elif (size := self.plain(stream, one.size)) is not None:
                found.append(Copied(one.name, size))
        return self._only(found, names, member)

    def from_zip(self, member: str | None) -> Copied:
        """Copy the member that is asked for, or the only NanoSIMS file."""
        directory = read_directory(self.source)
        if member is None:
            if len(directory) > _MOST_LOOKED_AT:
                raise DataError(
                    f"holds {len(directory)} files, too many to look into each",
                    path=self.source.path,
                    hint="Name the one that is meant: member=...",
                )
            candidates = list(zip_candidates(self.source, directory, _MOST_LOOKED_AT))
            found = [Copied(name, directory[name].size) for name in candidates]
            member = self._only(found, list(directory), None).name
        elif member not in directory:
            raise _unknown(self.source, member, list(directory))
        return self._named(member, self._inflated(member, directory[member]))

    def _inflated(self, name: str, one: ZipMember) -> int | None:
        checksum = 0

        def write(piece: bytes) -> None:
            nonlocal checksum
            checksum = zlib.crc32(piece, checksum)
            self.write(piece)

        stream = zip_stream(self.source, name, one, self.max_bytes)
        size = _Copy(self.source, write, self.max_bytes, self.tell).plain(stream, one.size)
        if size is not None and (stream.read(1) or checksum != one.crc):
            raise self._fault(f"its member {name[:80]!r} has another size or checksum than stated")
        return size

    def _named(self, name: str, size: int | None) -> Copied:
        if size is None:
            raise DataError(
                "is no file of the NanoSIMS software",
                path=self.source.path,
                place=f"member {name[:80]!r}",
            )
        return Copied(name, size)

    def _only(self, found: list[Copied], names: list[str], member: str | None) -> Copied:
        if len(found) == 1:
            return found[0]
        if member is not None:
            raise _unknown(self.source, member, names)
        if not found:
            raise _no_mims(self.source)
        raise DataError(
            f"holds {len(found)} NanoSIMS files: {_listed([one.name for one in found])}",
            path=self.source.path,
            hint="Choose one: member=...",
        )

    def _fault(self, message: str) -> DataError:
        return DataError(message, path=self.source.path, hint=_HINT)


def _unknown(source: FileSource, member: str, names: list[str]) -> ValueError:
    return ValueError(f"{source.path} holds no member {member!r}; there are {_listed(names)}")


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name[:80]) for name in names[:_MOST_LISTED])
    return shown + (f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else "")


def _no_mims(source: FileSource) -> DataError:
    return DataError(
        "is packed and holds no file of the NanoSIMS software",
        path=source.path,
        hint="Unpack it to see what is in it.",
    )
