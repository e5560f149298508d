"""The text header of an NRRD picture, and where its pixels lie.

References
----------
"Definition of NRRD File Format", teem.sourceforge.net/nrrd/format.html, sections 3 to 6.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.sources import FileSource

__all__ = ["NrrdHeader", "is_nrrd", "read_nrrd_header"]

_MAGIC = re.compile(rb"NRRD000[1-5]\r?\n")
_MOST_BYTES = 1024 * 1024
_MOST_AXIS = 2**31
_TYPES = {
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_DTYPES = {name: code for code, names in _TYPES.items() for name in names}
_ENCODINGS = {"raw": "raw", "gzip": "gzip", "gz": "gzip"}
_SERIES = re.compile(r"%|^LIST( \d+)?$", re.IGNORECASE)
_HINT = "The header is damaged; export the file again."


@dataclass(frozen=True)
class NrrdHeader:
    """What a header says.

    Attributes
    ----------
    source
        The file of the header, pinned.
    data
        The file of the pixels, pinned; the same one unless the header is detached.
    offset
        First byte of the pixels in ``data``.
    encoding
        "raw" or "gzip".
    dtype
        As stored, with its byte order.
    sizes
        Fastest axis first.
    fields, keys
        All fields, and all ``key:=value`` pairs, as text.
    """

    source: FileSource
    data: FileSource
    offset: int
    encoding: str
    dtype: np.dtype[np.generic]
    sizes: tuple[int, ...]
    fields: dict[str, str]
    keys: dict[str, str]

    @property
    def n_bytes(self) -> int:
        """Bytes of all pixels, unpacked."""
        return math.prod(self.sizes) * self.dtype.itemsize


def is_nrrd(start: bytes) -> bool:
    """Tell by its first bytes whether this is an NRRD header."""
    return _MAGIC.match(start) is not None


def read_nrrd_header(path: str | os.PathLike[str]) -> NrrdHeader:
    """Return what the header of an NRRD file says, attached (``.nrrd``) or detached (``.nhdr``).

    Raises
    ------
    DataError
        If it is no NRRD file, the header is damaged or says what is not read, the file of the
        pixels is missing or is not one in the same folder, or raw pixels do not fit into it.
    """
    source = FileSource.open(path)
    text, end = _text(source)
    fields, keys = _lines(source, text)
    encoding = _ENCODINGS.get(_field(source, fields, "encoding").lower())
    if encoding is None:
        raise _fault(source, f"has the encoding {fields['encoding'][:40]!r}; raw and gzip are read")
    dtype, sizes = _dtype(source, fields), _sizes(source, fields)
    name = fields.get("data file", fields.get("datafile"))
    if name is None and end == 0:
        raise _fault(source, "ends before its pixels; its header has no empty line at the end")
    data = source if name is None else _data_file(source, name)
    skip = _skip(source, fields, encoding)
    offset = (end if name is None else 0) + max(skip, 0)
    found = NrrdHeader(source, data, offset, encoding, dtype, sizes, fields, keys)
    if encoding == "gzip":
        data.require(offset, 1)
        return found
    if skip == -1:
        offset = data.size - found.n_bytes
        found = NrrdHeader(source, data, offset, encoding, dtype, sizes, fields, keys)
    if offset < end and name is None:
        raise _fault(data, f"is too short for {found.n_bytes} bytes of pixels")
    data.require(offset, found.n_bytes)
    return found


def _text(source: FileSource) -> tuple[str, int]:
    """Return the lines of the header and where the pixels begin, 0 if there is no empty line."""
    start = source.read(0, min(source.size, _MOST_BYTES))
    if not is_nrrd(start):
        raise DataError("is no NRRD file", path=source.path, place="offset 0")
    found = re.search(rb"\r?\n\r?\n", start)
    if found is None and source.size > _MOST_BYTES:
        raise _fault(source, f"has a header of more than {_MOST_BYTES} bytes")
    raw = start if found is None else start[: found.start()]
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return text, 0 if found is None else found.end()


def _lines(source: FileSource, text: str) -> tuple[dict[str, str], dict[str, str]]:
    fields: dict[str, str] = {}
    keys: dict[str, str] = {}
    for number, line in enumerate(text.split("\n")[1:], start=2):
        line = line.rstrip("\r")
        if not line or line.startswith("#"):
            continue
        key, is_key, value = line.partition(":=")
        name, is_field, content = line.partition(": ")
        table = keys
        if is_field and (not is_key or len(name) < len(key)):
            table, key, value = fields, name.strip().lower(), content.strip()
        elif is_key:
            key, value = _unescaped(key), _unescaped(value)
        elif line.endswith(":"):  # a field without a value
            table, key, value = fields, line[:-1].strip().lower(), ""
        else:
            raise _fault(source, f"has a line that says nothing: {line[:40]!r}", f"line {number}")
        if key in table:
            raise _fault(source, f"says {key[:40]!r} twice", f"line {number}")
        table[key] = value
    return fields, keys


def _unescaped(text: str) -> str:
    return re.sub(r"\\([\\n])", lambda match: "\n" if match[1] == "n" else "\\", text)


def _field(source: FileSource, fields: dict[str, str], name: str) -> str:
    if name not in fields:
        raise _fault(source, f"lacks the field {name!r}")
    return fields[name]


def _dtype(source: FileSource, fields: dict[str, str]) -> np.dtype[np.generic]:
    name = _field(source, fields, "type").lower()
    code = _DTYPES.get(name)
    if code is None:
        raise _fault(source, f"has pixels of type {name[:40]!r}, which is not read")
    if code == "u1":
        return np.dtype(code)
    order = {"big": ">", "little": "<"}.get(_field(source, fields, "endian").lower())
    if order is None:
        raise _fault(source, f"has the byte order {fields['endian'][:40]!r}")
    return np.dtype(order + code)


def _sizes(source: FileSource, fields: dict[str, str]) -> tuple[int, ...]:
    dimension = _field(source, fields, "dimension")
    words = _field(source, fields, "sizes").split()
    fine = all(word.isascii() and word.isdigit() and len(word) < 11 for word in words)
    sizes = tuple(map(int, words)) if fine else ()
    if dimension != str(len(sizes)) or not all(0 < size < _MOST_AXIS for size in sizes):
        found = f"{fields['sizes'][:40]!r} in {dimension[:10]!r} dimensions"
        raise _fault(source, f"has no valid sizes: {found}")
    return sizes


def _skip(source: FileSource, fields: dict[str, str], encoding: str) -> int:
    if fields.get("line skip", fields.get("lineskip", "0")) != "0":
        raise _fault(source, "skips lines before its pixels, which is not read")
    text = fields.get("byte skip", fields.get("byteskip", "0"))
    valid = re.fullmatch(r"-1|[0-9]{1,15}", text) is not None
    # in a packed file they count unpacked bytes
    if not valid or (encoding == "gzip" and text != "0"):
        raise _fault(source, f"skips {text[:20]!r} bytes before its pixels, which is not read")
    return int(text)


def _data_file(source: FileSource, name: str) -> FileSource:
    """Return the file of the pixels, which must be a plain one in the same folder."""
    folder = os.path.dirname(source.path)
    bare = name.removeprefix("./")
    if _SERIES.search(bare):
        raise _fault(source, f"has its pixels in several files ({name[:40]!r}), which is not read")
    if bare in ("", ".", "..") or any(sign in bare for sign in "/\\:\0"):
        raise DataError(
            f"has its pixels in {name[:80]!r}, which is not in its own folder",
            path=source.path,
            hint="Put that file beside it, and only its name into the header.",
        )
    path = os.path.join(folder, bare)
    if os.path.islink(path):
        raise _fault(source, f"has its pixels in {bare[:80]!r}, which is a link")
    return FileSource.open(path)


def _fault(source: FileSource, message: str, place: str | None = None) -> DataError:
    return DataError(message, path=source.path, place=place, hint=_HINT)
