"""The header of a ``.npy`` file, read without numpy's loader: every lie in it is one DataError.

References
----------
NumPy enhancement proposal 1 and ``numpy.lib.format``: magic, version, header length, then the text
of a dictionary with the keys descr, fortran_order and shape.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.sources import FileSource

__all__ = ["MAGIC", "NpyHeader", "read_header"]

MAGIC = b"\x93NUMPY"
_LENGTH_BYTES = {b"\x01\x00": 2, b"\x02\x00": 4, b"\x03\x00": 4}
_HEADER_CAP = 65_535
_RECORD_CAP = 2**24
_DEPTH_CAP = 16
_FIELD_CAP = 1000
# only the tokens of a literal dictionary: what ast.literal_eval gets to see can neither nest deeply
# nor hold escapes, calls or arithmetic
_TOKEN = re.compile(r"[{}\[\](),:\s]|'[^'\\\n]*'|\"[^\"\\\n]*\"|-?\d{1,30}(?!\d)|True|False|None")
_SCALAR = re.compile(r"[<>|=]?(\?|b1|[iu][1248]|f[248]|c8|c16|[SUV]\d{1,8})")
_HINT = "The file is damaged or is no MINFLUX export; export it again."


@dataclass(frozen=True)
class NpyHeader:
    """What the header of a ``.npy`` file says, checked against the size of the file.

    Attributes
    ----------
    dtype
        Structured dtype of one record, as stored.
    n_rows
        Number of records that are there.
    offset
        Byte of the first record.
    n_promised
        Number of records that the header promises; more than ``n_rows`` in a truncated file.
    """

    dtype: np.dtype[Any]
    n_rows: int
    offset: int
    n_promised: int


def read_header(source: FileSource, *, strict: bool = True) -> NpyHeader:
    """Return the checked header of a one-dimensional structured array.

    Parameters
    ----------
    source
        The file.
    strict
        Refuse a file that ends before its last record.

    Raises
    ------
    DataError
        If the file is no ``.npy`` file, holds Python objects or a plain array, or if its header
        and its size do not agree.

    Notes
    -----
    Reads at most 64 kB and allocates nothing that the header asks for.
    """
    text, offset = _header_text(source)
    header = _literal(source, text)
    dtype = _record_dtype(source, header["descr"])
    n_promised = _rows(source, header["shape"], header["fortran_order"])
    n_there = min(n_promised, (source.size - offset) // dtype.itemsize)
    if strict or n_there == n_promised:
        _check_size(source, dtype, n_promised, offset)
    return NpyHeader(dtype, n_there, offset, n_promised)


def _bad(source: FileSource, message: str, place: str = "header", hint: str = _HINT) -> DataError:
    return DataError(message, path=source.path, place=place, hint=hint)


def _header_text(source: FileSource) -> tuple[str, int]:
    start = source.read(0, min(12, source.size))
    if start[:6] != MAGIC:
        raise _bad(source, f"is no .npy file, it starts with {start[:6]!r}", "offset 0")
    width = _LENGTH_BYTES.get(bytes(start[6:8]))
    if width is None:
        raise _bad(source, f"unknown .npy version {list(start[6:8])}, known: 1.0, 2.0, 3.0")
    length = int.from_bytes(source.read(8, width), "little")
    if length > _HEADER_CAP:
        raise _bad(source, f"claims a header of {length} bytes, at most {_HEADER_CAP} are accepted")
    raw = source.read(8 + width, length)
    if not raw.endswith(b"\n"):
        raise _bad(source, "the header does not end where its length says")
    try:
        text = raw.decode("utf-8" if start[6] >= 3 else "latin-1")
    except UnicodeDecodeError as error:
        raise _bad(source, "the header is not UTF-8 text") from error
    return text, 8 + width + length


def _literal(source: FileSource, text: str) -> dict[str, Any]:
    _check_tokens(source, text)
    try:
        found = ast.literal_eval(text.strip())
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError) as error:
        raise _bad(source, f"the header is no dictionary: {text[:60]!r}") from error
    if not isinstance(found, dict) or set(found) != {"descr", "fortran_order", "shape"}:
        raise _bad(source, f"the header lacks descr, fortran_order or shape: {text[:60]!r}")
    return found


def _check_tokens(source: FileSource, text: str) -> None:
    place = depth = 0
    while place < len(text):
        token = _TOKEN.match(text, place)
        if token is None:
            raise _bad(source, f"unexpected text {text[place : place + 20]!r} in the header")
        depth += (token[0] in "{[(") - (token[0] in "}])")
        if depth > _DEPTH_CAP:
            raise _bad(source, f"the header nests deeper than {_DEPTH_CAP} levels")
        place = token.end()


def _rows(source: FileSource, shape: object, fortran: object) -> int:
    if not isinstance(shape, tuple) or not all(type(size) is int for size in shape):
        raise _bad(source, f"shape {shape!r} is no tuple of whole numbers")
    if any(size < 0 for size in shape):
        raise _bad(source, f"negative shape {shape!r}")
    if type(fortran) is not bool:
        raise _bad(source, f"fortran_order is {fortran!r}, neither True nor False")
    if len(shape) != 1:
        order = "Fortran" if fortran else "C"
        raise _bad(source, f"is an array of {len(shape)} dimensions in {order} order, not a list")
    return int(shape[0])


def _check_size(source: FileSource, dtype: np.dtype[Any], n_rows: int, offset: int) -> None:
    room = source.size - offset
    needed = n_rows * dtype.itemsize
    if needed > room:
        raise _bad(
            source,
            f"is truncated: the header promises {n_rows} rows of {dtype.itemsize} bytes, "
            f"{room // dtype.itemsize} whole rows are there",
            f"offset {source.size}",
            "Copy or export it again.",
        )
    if needed < room:
        raise _bad(
            source,
            f"holds {room - needed} bytes more than the {n_rows} rows of its header",
            f"offset {offset + needed}",
        )


def _record_dtype(source: FileSource, descr: object) -> np.dtype[Any]:
    if isinstance(descr, str):
        _scalar(source, descr)  # names Python objects first, they are the worse surprise
        raise _bad(source, f"holds plain numbers of type {descr!r}, not localization records")
    dtype = _compound(source, descr)
    if dtype.itemsize < 1 or dtype.itemsize > _RECORD_CAP:
        raise _bad(source, f"records of {dtype.itemsize} bytes; 1 to {_RECORD_CAP} are accepted")
    return dtype


def _compound(source: FileSource, descr: object) -> np.dtype[Any]:
    """Return the dtype of a list of fields; the sizes are added up before numpy sees them."""
    if not isinstance(descr, list) or not 0 < len(descr) <= _FIELD_CAP:
        raise _bad(source, f"cannot read the record type {str(descr)[:60]}")
    names: list[str] = []
    formats: list[Any] = []
    offsets: list[int] = []
    end = 0
    for entry in descr:
        name, base, shape = _field(source, entry)
        size = base.itemsize
        for extent in shape:
            size *= extent
        if end + size > _RECORD_CAP:
            raise _bad(source, f"field {name!r} makes records larger than {_RECORD_CAP} bytes")
        if name:  # numpy writes alignment gaps as void fields without a name
            names.append(name)
            formats.append((base, shape) if shape else base)
            offsets.append(end)
        end += size
    if not names or len(set(names)) != len(names):
        raise _bad(source, f"field names are missing or repeated: {', '.join(names)[:60]}")
    spec = {"names": names, "formats": formats, "offsets": offsets, "itemsize": end}
    return np.dtype(spec)  # type: ignore[call-overload, no-any-return]


def _field(source: FileSource, entry: object) -> tuple[str, np.dtype[Any], tuple[int, ...]]:
    if not isinstance(entry, tuple) or len(entry) not in (2, 3):
        raise _bad(source, f"cannot read the field {str(entry)[:60]}")
    name = entry[0][-1] if isinstance(entry[0], tuple) and len(entry[0]) == 2 else entry[0]
    kind = entry[1]
    if not isinstance(name, str) or (not name and "V" not in str(kind)):
        raise _bad(source, f"a field has no name: {str(entry)[:60]}")
    base = _scalar(source, kind) if isinstance(kind, str) else _compound(source, kind)
    shape = entry[2] if len(entry) == 3 else ()
    shape = (shape,) if type(shape) is int else shape
    if not isinstance(shape, tuple) or len(shape) > 8:
        raise _bad(source, f"field {name!r} has the shape {str(shape)[:60]}")
    if not all(type(extent) is int and extent > 0 for extent in shape):
        raise _bad(source, f"field {name!r} has the shape {str(shape)[:60]}")
    return name, base, shape


def _scalar(source: FileSource, kind: str) -> np.dtype[Any]:
    if "O" in kind:
        raise _bad(source, "holds Python objects (pickle), which are never read")
    if not _SCALAR.fullmatch(kind):
        raise _bad(source, f"type {kind[:40]!r} is not read")
    return np.dtype(kind)
