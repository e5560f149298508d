"""MINFLUX data sets in ``.msr`` files that the vendor's library opens."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from mfxarray.formats.msr.mfxdta import HEADER_BYTES, MAGIC, check_key
from mfxarray.writers.obf import ByteStack, write_obf
from mfxarray.writers.outgoing import Outgoing
from mfxarray.writers.replacing import replacing
from mfxarray.writers.zarr_v2 import zarr_entries

__all__ = ["write_msr"]

_VERSION = 3
_FILE, _DIRECTORY = b"\x00", b"\x01"

# name, bytes (None for a directory), the bytes in pieces
_Entry = tuple[str, int | None, Iterable[bytes]]


def write_msr(
    path: str | os.PathLike[str],
    data_sets: Sequence[Outgoing],
    *,
    overwrite: bool = False,
    compress: bool = False,
    saved: int | None = None,
) -> None:
    """Write data sets into one ``.msr`` file.

    Parameters
    ----------
    path
        The file.
    data_sets
        Data sets with different labels and different ids (``attrs["did"]``); one without an id
        gets a new one.
    overwrite
        Whether a file at ``path`` may be replaced.
    compress
        Pack the stacks with zlib. The arrays are packed already, so this gains little.
    saved
        Time of saving to note in the file, seconds since 1970; now, if not given.

    Raises
    ------
    ValueError
        If there are no data sets, or two share a label or an id.
    DataError
        See `mfxarray.writers.replacing.check_free`.

    Notes
    -----
    One chunk is in memory at a time. The file appears when all is written.
    """
    outgoing = [_with_id(data_set) for data_set in data_sets]
    _check_distinct([data_set.label for data_set in outgoing], "label")
    _check_distinct([str(data_set.attrs["did"]) for data_set in outgoing], "did")
    now = int(time.time()) if saved is None else saved
    stacks = [_outgoing_stack(data_set, now) for data_set in outgoing]
    with replacing(path, overwrite=overwrite) as file:
        write_obf(file, stacks, compress=compress)


def _with_id(data_set: Outgoing) -> Outgoing:
    if data_set.attrs.get("did"):
        return data_set
    # the vendor drops data sets without an id in the attributes of their records
    return replace(data_set, attrs={**data_set.attrs, "did": str(uuid.uuid4())})


def _check_distinct(values: list[str], what: str) -> None:
    if not values:
        raise ValueError("there is no data set to write; give at least one")
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"two data sets have the {what} {value!r}; give each its own")


def _outgoing_stack(data_set: Outgoing, saved: int) -> ByteStack:
    entries: Iterator[_Entry] = (
        (key, None if value is None else len(value), () if value is None else (value,))
        for key, value in zarr_entries(data_set)
    )
    tag = _tag(data_set.label, str(data_set.attrs["did"]))
    return ByteStack(_archive(entries, saved), {"minflux": tag})


def _tag(label: str, identity: str) -> bytes:
    # the vendor lists a data set only where both ids are the same
    tag = {"aid": "", "did": identity, "label": label, "sid": identity, "type": "data"}
    return json.dumps(tag, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def _archive(entries: Iterator[_Entry], saved: int) -> Iterator[bytes]:
    """Yield the bytes of an archive, up to where its padding with zeros begins."""
    head = MAGIC + _VERSION.to_bytes(4, "little") + saved.to_bytes(8, "little")
    yield head.ljust(HEADER_BYTES, b"\0")
    folders: set[str] = set()
    for name, size, pieces in entries:
        if (unsafe := check_key(name)) is not None:
            raise ValueError(f"the entry {name!r} cannot be written: its name {unsafe}")
        yield from _new_folders(name if size is None else name.rpartition("/")[0], folders)
        if size is not None:
            yield _named(name, _FILE) + size.to_bytes(8, "little")
            yield from pieces


def _new_folders(name: str, known: set[str]) -> Iterator[bytes]:
    # the vendor's reader wants every folder before what is in it
    parts = name.split("/") if name else []
    for depth in range(1, len(parts) + 1):
        folder = "/".join(parts[:depth])
        if folder not in known:
            known.add(folder)
            yield _named(folder, _DIRECTORY)


def _named(name: str, kind: bytes) -> bytes:
    raw = name.encode("utf-8")
    return len(raw).to_bytes(8, "little") + raw + kind
