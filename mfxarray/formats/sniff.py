"""Which format a path holds, decided by its content and never by its name."""

from __future__ import annotations

import os
import struct
from typing import Any

from mfxarray.errors import DataError
from mfxarray.formats.npy_fields import ITERATION
from mfxarray.formats.npy_header import MAGIC, read_header
from mfxarray.formats.sources import FileSource

__all__ = ["looks_like_mims", "looks_like_minflux", "sniff"]

_HEAD_BYTES = 1024
_READ = "mfxarray reads MINFLUX .npy (nested) and NanoSIMS .im files, and its own stores."
_MAT_V73_OFFSET = 512
_HDF5 = b"\x89HDF\r\n\x1a\n"
# content that is recognised but not read: first bytes, name
_NOT_YET: tuple[tuple[bytes, str], ...] = (
    (b"OMAS_BF\n\xff\xff", "an Imspector file (msr, obf)"),
    (b"MATLAB 7.3 MAT-file", "a MATLAB file of version 7.3"),
    (b"MATLAB 5.0 MAT-file", "a MATLAB file of version 5"),
    (_HDF5, "an HDF5 file (pmx and others)"),
    (b"PK\x03\x04", "a zip archive (npz, zipped zarr)"),
    (b"PAR1", "a single Parquet file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"NRRD000", "an NRRD picture (OpenMIMS)"),
)
# children that tell what a folder is, and the name we give it
_FOLDERS = (("zarr.json", "zarr"), ("_metadata", "parquet"), ("_common_metadata", "parquet"))
_ZARR_V2 = (".zgroup", ".zarray", os.path.join("mfx", ".zarray"), os.path.join("zarr", ".zgroup"))
_IM_TYPES = range(20, 61)
_IM_HEADER_BYTES = 10_000_000


def sniff(path: str | os.PathLike[str]) -> str:
    """Return the format: "npy", "im", "zarr" or "parquet".

    Parameters
    ----------
    path
        A file or a folder.

    Raises
    ------
    DataError
        If it is nothing that mfxarray reads; the message names what it is where that is known.

    Notes
    -----
    Reads at most 1 kB of a file and lists a folder once.

    References
    ----------
    The rule for ``.im``: analysis type (int32 at offset 4) and header size (int32 at offset 8)
    are plausible in one of the two byte orders.
    """
    if os.path.isdir(path):
        return _sniff_folder(os.path.abspath(os.fspath(path)))
    source = FileSource.open(path)
    head = source.read(0, min(_HEAD_BYTES, source.size))
    if head.startswith(MAGIC):
        return "npy"
    if (name := _magic_name(head)) is None and _is_im(head):
        return "im"
    if (name := name or _text_name(head)) is None:
        raise DataError(
            f"no known format, it starts with {head[:16]!r}", path=source.path, hint=_READ
        )
    raise DataError(f"is {name}, which is not read yet", path=source.path, hint=_READ)


def looks_like_minflux(path: Any) -> bool:
    """Tell whether ``path`` is an ``.npy`` file of MINFLUX records; False for anything else."""
    if _sniff_quietly(path) != "npy":
        return False
    try:
        names = read_header(FileSource.open(path)).dtype.names
    except DataError:
        return False
    return ITERATION in (names or ())


def looks_like_mims(path: Any) -> bool:
    """Tell whether ``path`` is a Cameca NanoSIMS file; False for anything else."""
    return _sniff_quietly(path) == "im"


def _sniff_quietly(path: Any) -> str | None:
    # a path with a zero byte is a ValueError of the system call, as is DataError
    if not isinstance(path, str | os.PathLike):
        return None
    try:
        return sniff(path)
    except (ValueError, OSError, TypeError):
        return None


def _sniff_folder(path: str) -> str:
    for child, name in _FOLDERS:
        if os.path.isfile(os.path.join(path, child)):
            return name
    if any(os.path.isfile(os.path.join(path, child)) for child in _ZARR_V2):
        raise DataError(
            "is a Zarr folder of format 2 (MINFLUX data unpacked by Imspector), "
            "which is not read yet",
            path=path,
            hint=_READ,
        )
    try:
        children = os.listdir(path)
    except OSError as error:
        raise DataError(f"cannot be listed: {error.strerror}", path=path) from error
    if any(child.endswith(".parquet") for child in children):
        return "parquet"
    raise DataError("is a folder without zarr.json or Parquet files", path=path, hint=_READ)


def _magic_name(head: bytes) -> str | None:
    for magic, name in _NOT_YET:
        if head.startswith(magic):
            return name
    if head[_MAT_V73_OFFSET:].startswith(_HDF5):
        return "an HDF5 file behind a user block (MATLAB 7.3)"
    return None


def _text_name(head: bytes) -> str | None:
    if not (head.isascii() and all(byte >= 32 or byte in b"\t\r\n" for byte in head)):
        return None
    return "a JSON file" if head.lstrip()[:1] in (b"[", b"{") else "a text table"


def _is_im(head: bytes) -> bool:
    if len(head) < 12:
        return False
    for order in "<>":
        kind, header_bytes = struct.unpack_from(f"{order}ii", head, 4)
        if kind in _IM_TYPES and 0 < header_bytes < _IM_HEADER_BYTES:
            return True
    return False
