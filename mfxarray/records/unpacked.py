"""Packed files unpacked once into the cache, so that their pixels can be read at random."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from mfxarray.errors import DataError
from mfxarray.formats.packed.packed import packing, unpack_to
from mfxarray.formats.packed.streams import PackedBytes
from mfxarray.formats.sources import FileSource
from mfxarray.records.cache_folder import cache_path
from mfxarray.records.progress import Teller
from mfxarray.records.sealed_cache import make_sealed
from mfxarray.stores.seal import SEAL_NAME, check_sealed

__all__ = ["unpacked", "unpacked_range"]

_KIND, _SUFFIX = "unpacked", ".unpacked"
_ENDINGS = re.compile(r"(\.(gz|bz2|xz|lzma|zip|tar|tgz|tbz2?|txz))+$", re.IGNORECASE)
_PIECE = 1024 * 1024

Fill = Callable[[BinaryIO, Teller], dict[str, Any]]


def unpacked(
    path: str | os.PathLike[str], member: str | None = None, *, max_bytes: int | None = None
) -> str:
    """Return the path of the plain NanoSIMS file: the file itself, or what a packed one holds.

    Parameters
    ----------
    path
        A plain file, or one packed by gzip, bzip2, xz or zip, or a tar archive, itself packed or
        not. The content decides, not the name.
    member
        Name of the file in an archive that holds several.
    max_bytes
        Largest size of the unpacked file; see `formats.packed.unpack_to` for what else is allowed.

    Returns
    -------
    str
        A plain file is not looked into further; it may be of any kind. An unpacked one lies in the
        cache, under the name of the packed file without the endings of the packing.

    Raises
    ------
    DataError
        If a packed file is damaged, unpacks to too much, holds no NanoSIMS file or several, or the
        cache cannot be written.
    ValueError
        If there is no such member, or ``member`` is given for a file without members.

    Notes
    -----
    The first time one pass over the file in a few MiB of memory (xz: up to 80 MiB more), with
    progress; later calls, in any process, find what was unpacked until the packed file changes.
    Two processes that unpack at once both work; what the first one wrote stays. Where the cache
    lies: `cache_path`.
    """
    source = FileSource.open(path)
    if packing(source) is None:
        if member is not None:
            raise ValueError(f"{source.path} is no archive, leave member={member!r} out")
        return source.path

    def fill(file: BinaryIO, teller: Teller) -> dict[str, Any]:
        copied = unpack_to(source, file.write, member=member, max_bytes=max_bytes, tell=teller.tell)
        return {"member": copied.name, "bytes": copied.size}

    return _cached(source, f"unpacked {member!r}", _plain_name(source, ".im"), fill)


def unpacked_range(source: FileSource, kind: str, offset: int, n_bytes: int) -> FileSource:
    """Return the plain bytes of the packed rest of a file, in a file of their own in the cache.

    Parameters
    ----------
    source
        The pinned file.
    kind
        How the bytes are packed, one of `formats.packed_streams.KINDS`.
    offset
        First packed byte.
    n_bytes
        How many plain bytes there must be.

    Raises
    ------
    DataError
        If they are damaged or there are more or fewer, or the cache cannot be written.
    """

    def fill(file: BinaryIO, teller: Teller) -> dict[str, Any]:
        stream = PackedBytes(source, kind, offset)
        done = 0
        while piece := stream.read(min(_PIECE, n_bytes + 1 - done)):
            done += len(piece)
            if done > n_bytes:
                break
            file.write(piece)
            teller.tell(stream.share)
        if done != n_bytes:
            more = "more" if done > n_bytes else str(done)
            raise DataError(
                f"its packed data hold {more} bytes, {n_bytes} are needed",
                path=source.path,
                place=f"offset {offset}",
                hint="The file is truncated or its header is damaged; copy it again.",
            )
        return {"bytes": n_bytes}

    what = f"range {kind} {offset} {n_bytes}"
    return FileSource.open(_cached(source, what, _plain_name(source, ".raw"), fill))


def _plain_name(source: FileSource, ending: str) -> str:
    """Return a harmless name that tells the user which file it is."""
    base = _ENDINGS.sub("", os.path.basename(source.path))
    plain = re.sub(r"[^\w.+ -]", "_", base).lstrip(".")[:100] or "file"
    return plain if plain.lower().endswith(ending) else f"{plain}{ending}"


def _cached(source: FileSource, what: str, name: str, fill: Fill) -> str:
    target = cache_path(source, what, _SUFFIX)
    found = _reuse(target, name)
    if found is None:
        write = partial(_fill, source, name, fill)
        found = make_sealed(source, target, _KIND, write, partial(_reuse, target, name))
    return found


def _reuse(target: Path, name: str) -> str | None:
    """Return the path of the plain file in a complete cache, None where there is none."""
    if not os.path.lexists(target):
        return None
    try:
        seal = check_sealed(target, kind=_KIND)
    except DataError:
        return None
    names = [entry for entry, _ in seal.files if entry != SEAL_NAME]
    return str(target / name) if names == [name] else None


def _fill(source: FileSource, name: str, fill: Fill, folder: Path) -> dict[str, Any]:
    teller = Teller(f"unpacking {os.path.basename(source.path)}")
    with open(folder / name, "xb") as file:
        notes = fill(file, teller)
    teller.finish()
    return {"source": os.path.basename(source.path), **notes}
