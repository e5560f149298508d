"""Which format a path holds, decided by its content and never by its name."""

from __future__ import annotations

import os
import struct
from codecs import getincrementaldecoder
from typing import Any

from mfxarray.errors import DataError
from mfxarray.formats.npy.fields import ITERATION
from mfxarray.formats.npy.header import MAGIC, read_header
from mfxarray.formats.nrrd.header import is_nrrd
from mfxarray.formats.packed.packed import holds_mims
from mfxarray.formats.sources import FileSource

__all__ = ["looks_like_mims", "looks_like_minflux", "sniff"]

_HEAD_BYTES = 4096
_TAIL_BYTES = 64 * 1024
_READ = (
    "mfxarray reads MINFLUX data (npy, mat, json, zarr, msr, pmx, npz, csv), NanoSIMS files (.im, "
    "packed .im, OpenMIMS .nrrd), and its own stores."
)
_MAT_V73_OFFSET = 512
_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
# first bytes, name
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (MAGIC, "npy"),
    (b"OMAS_BF\n\xff\xff", "msr"),
    (b"MATLAB 7.3 MAT-file", "mat"),
    (b"MATLAB 5.0 MAT-file", "mat"),
    (_HDF5, "hdf5"),
)
# content that is recognised but not read: first bytes, name
_NOT_YET: tuple[tuple[bytes, str], ...] = (
    (b"PAR1", "a single Parquet file"),
    (b"NRRD000", "an NRRD picture without the keys of OpenMIMS"),
    (b"\x1f\x8b", "a gzip archive without a NanoSIMS file"),
)
# children that tell what a folder is, and the name we give it
_FOLDERS = (("zarr.json", "zarr"), ("_metadata", "parquet"), ("_common_metadata", "parquet"))
_ZARR_V2 = (".zgroup", ".zarray", os.path.join("mfx", ".zarray"), os.path.join("zarr", ".zgroup"))
_IM_TYPES = range(20, 61)
_IM_HEADER_BYTES = 10_000_000
# what xarray may be told to be ours without looking further
_OURS = ("mat", "msr", "zarr v2", "zipped zarr")


def sniff(path: str | os.PathLike[str]) -> str:
    """Return the name of the format.

    Parameters
    ----------
    path
        A file or a folder.

    Returns
    -------
    str
        MINFLUX: "npy", "mat", "json", "zarr v2", "zipped zarr", "msr", "hdf5" (pmx), "npz",
        "text". NanoSIMS: "im", "packed im", "nrrd". Our stores: "zarr", "parquet".

    Raises
    ------
    DataError
        If it is nothing that mfxarray reads; the message names what it is where that is known.

    Notes
    -----
    Reads at most 4 kB of a file, 64 kB more at the end of an archive, or lists a folder once.

    References
    ----------
    The rule for ``.im``: analysis type (int32 at offset 4) and header size (int32 at offset 8)
    are plausible in one of the two byte orders.
    """
    if os.path.isdir(path):
        return _sniff_folder(os.path.abspath(os.fspath(path)))
    source = FileSource.open(path)
    head = source.read(0, min(_HEAD_BYTES, source.size))
    if (found := _sniff_head(head)) is not None:
        return found
    if is_nrrd(head) and b"Mims_" in head:
        return "nrrd"
    if head.startswith(_ZIP):
        return _sniff_zip(source)
    if holds_mims(source):
        return "packed im"
    for magic, name in _NOT_YET:
        if head.startswith(magic):
            raise DataError(f"is {name}, which is not read", path=source.path, hint=_READ)
    raise DataError(f"no known format, it starts with {head[:16]!r}", path=source.path, hint=_READ)


def looks_like_minflux(path: Any) -> bool:
    """Tell whether ``path`` holds MINFLUX data; False for anything else, and where in doubt."""
    kind = _sniff_quietly(path)
    if kind == "npy":
        return ITERATION in _npy_names(path)
    if kind == "json":
        return b'"tid"' in _head(path)
    if kind == "hdf5":
        return os.fspath(path).endswith(".pmx")
    return kind in _OURS


def looks_like_mims(path: Any) -> bool:
    """Tell whether ``path`` is a Cameca NanoSIMS file; False for anything else."""
    return _sniff_quietly(path) in ("im", "packed im", "nrrd")


def _sniff_quietly(path: Any) -> str | None:
    # a path with a zero byte is a ValueError of the system call, as is DataError
    if not isinstance(path, str | os.PathLike):
        return None
    try:
        return sniff(path)
    except (ValueError, OSError, TypeError):
        return None


def _npy_names(path: Any) -> tuple[str, ...]:
    try:
        return read_header(FileSource.open(path), strict=False).dtype.names or ()
    except DataError:
        return ()


def _head(path: Any) -> bytes:
    try:
        source = FileSource.open(path)
        return source.read(0, min(_HEAD_BYTES, source.size))
    except DataError:
        return b""


def _sniff_head(head: bytes) -> str | None:
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head[_MAT_V73_OFFSET:].startswith(_HDF5):
        return "mat"
    return "im" if _is_im(head) else _text_name(head)


def _sniff_zip(source: FileSource) -> str:
    """Tell archives apart by the names in their directory, which lies at the end."""
    count = min(source.size, _TAIL_BYTES)
    ends = source.read(0, count) + source.read(source.size - count, count)
    if b".zarray" in ends:
        return "zipped zarr"
    if b".npy" in ends:
        return "npz"
    if holds_mims(source):
        return "packed im"
    message = "is a zip archive without .zarray, .npy or NanoSIMS members, which is not read"
    raise DataError(message, path=source.path, hint=_READ)


def _sniff_folder(path: str) -> str:
    for child, name in _FOLDERS:
        if os.path.isfile(os.path.join(path, child)):
            return name
    if any(os.path.isfile(os.path.join(path, child)) for child in _ZARR_V2):
        return "zarr v2"
    try:
        children = os.listdir(path)
    except OSError as error:
        raise DataError(f"cannot be listed: {error.strerror}", path=path) from error
    if any(child.endswith(".parquet") for child in children):
        return "parquet"
    raise DataError(
        "is a folder without .zarray, zarr.json or Parquet files", path=path, hint=_READ
    )


def _text_name(head: bytes) -> str | None:
    text = head.removeprefix(b"\xef\xbb\xbf")
    if any(byte < 32 and byte not in b"\t\r\n" for byte in text) or not text.strip():
        return None
    if text.lstrip()[:1] in (b"[", b"{"):
        return "json"
    # a table of numbers has them in its first lines; the letters of its header are ASCII or µ
    return (
        "text" if _is_encoded_text(text) and any(byte in b"0123456789" for byte in text) else None
    )


def _is_encoded_text(text: bytes) -> bool:
    """Tell UTF-8, which may be cut in its last letter, or an old encoding with a few letters."""
    try:
        getincrementaldecoder("utf-8")().decode(text)
    except UnicodeDecodeError:
        return sum(byte > 127 for byte in text) * 20 < len(text)
    return True


def _is_im(head: bytes) -> bool:
    if len(head) < 12:
        return False
    for order in "<>":
        kind, header_bytes = struct.unpack_from(f"{order}ii", head, 4)
        if kind in _IM_TYPES and 0 < header_bytes < _IM_HEADER_BYTES:
            return True
    return False
