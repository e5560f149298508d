"""The ``.zarray`` text of a Zarr array of format 2: only types and codecs of a short list.

References
----------
Zarr storage specification, version 2: the keys of ``.zarray`` and the encoding of fill values.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.json.text import parse_json

__all__ = ["CODECS", "ArrayMeta", "parse_array_meta"]

# what chunks may be packed with; blosc names its inner compressor in every chunk again
CODECS = ("blosc", "zlib", "gzip")
_BLOSC_INNER = ("blosclz", "lz4", "lz4hc", "zlib", "zstd")
_TEXT_CAP = 4 * 2**20
_RECORD_CAP = 2**24
_FIELD_CAP = 1000
_DEPTH_CAP = 16
_ARRAY_CAP = 2**60
# blosc cannot hold more in one chunk
_CHUNK_CAP = 2**31 - 17
# the other codecs have no blocks: a part costs unpacking all before it
_STREAM_CAP = 2**28
_SCALAR = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248]|c8|c16|[SUV]\d{1,8})")
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_NEEDED = ("zarr_format", "shape", "chunks", "dtype", "compressor", "fill_value", "order")
_HINT = "The store is damaged or was not written by Imspector; export it again."


@dataclass(frozen=True)
class ArrayMeta:
    """What a ``.zarray`` says, checked for sense; nothing of it is checked against the chunks.

    Attributes
    ----------
    shape
        Rows, and further dimensions.
    chunks
        Shape of a chunk.
    dtype
        Type of an element, as a rule a structured record.
    compressor
        "blosc", "zlib", "gzip", or None for plain bytes.
    fill
        Bytes of one element that stand for a missing chunk; zeros where the text says null.
    order
        "C" or "F".
    """

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype[Any]
    compressor: str | None
    fill: bytes
    order: str

    @property
    def chunk_bytes(self) -> int:
        """Bytes of a decoded chunk."""
        return math.prod(self.chunks) * self.dtype.itemsize


def parse_array_meta(text: bytes, *, path: object, place: str) -> ArrayMeta:
    """Return the checked content of a ``.zarray`` text.

    Parameters
    ----------
    text
        The bytes stored under the key ``.zarray``.
    path, place
        File and key, for the error.

    Raises
    ------
    DataError
        If it is no such text, of another format, or names a type or codec that is not read:
        Python objects, pickles and filters never are.

    Notes
    -----
    Allocates nothing that the text asks for.
    """
    if len(text) > _TEXT_CAP:
        raise DataError(
            f"more than {_TEXT_CAP} bytes of .zarray are too many", path=path, place=place
        )
    try:
        return _meta(parse_json(text, path=path, place=place))
    except _MetaError as error:
        raise DataError(str(error), path=path, place=place, hint=_HINT) from error


class _MetaError(Exception):
    """What is wrong with the text; becomes a DataError that names the file."""


def _meta(found: object) -> ArrayMeta:
    if not isinstance(found, dict) or not all(key in found for key in _NEEDED):
        raise _MetaError(f"is no array of Zarr format 2, which has {', '.join(_NEEDED)}")
    if found["zarr_format"] != 2:
        raise _MetaError(f"is of Zarr format {str(found['zarr_format'])[:20]}; 2 is read here")
    if found["order"] not in ("C", "F"):
        raise _MetaError(f"order is {str(found['order'])[:20]!r}, neither C nor F")
    if found.get("filters"):
        raise _MetaError(f"has the filters {_codec_names(found['filters'])}, which are never run")
    dtype = _dtype(found["dtype"])
    shape = _extents(found["shape"], "shape", lowest=0)
    chunks = _extents(found["chunks"], "chunks", lowest=1)
    if len(shape) != len(chunks):
        raise _MetaError(f"shape {shape} and chunks {chunks} have different lengths")
    if math.prod(shape) * dtype.itemsize >= _ARRAY_CAP:
        raise _MetaError(f"claims shape {shape} of {dtype.itemsize} bytes each, beyond any file")
    codec = _codec(found["compressor"])
    cap = _STREAM_CAP if codec in ("zlib", "gzip") else _CHUNK_CAP
    if math.prod(chunks) * dtype.itemsize > cap:
        size = math.prod(chunks) * dtype.itemsize
        raise _MetaError(f"claims chunks of {size} bytes; up to {cap} are read")
    return ArrayMeta(shape, chunks, dtype, codec, _fill(found["fill_value"], dtype), found["order"])


def _extents(found: object, name: str, lowest: int) -> tuple[int, ...]:
    if not isinstance(found, list) or not 0 < len(found) <= 32:
        raise _MetaError(f"{name} is {str(found)[:60]}, no list of sizes")
    if not all(type(size) is int and lowest <= size < _ARRAY_CAP for size in found):
        raise _MetaError(f"{name} is {str(found)[:60]}, not whole numbers from {lowest} on")
    return tuple(found)


def _codec(found: object) -> str | None:
    if found is None:
        return None
    name = found.get("id") if isinstance(found, dict) else None
    if not isinstance(found, dict) or name not in CODECS:
        known = ", ".join(CODECS)
        raise _MetaError(f"compressor {_codec_names([found])} is not read; known: {known}, null")
    inner = found.get("cname", "lz4")
    if name == "blosc" and inner not in _BLOSC_INNER:
        raise _MetaError(f"blosc with {str(inner)[:40]!r} is not read: {', '.join(_BLOSC_INNER)}")
    return str(name)


def _codec_names(found: object) -> str:
    parts = found if isinstance(found, list) else [found]
    names = [str(part.get("id", part)) if isinstance(part, dict) else str(part) for part in parts]
    return ", ".join(names)[:60]


def _dtype(descr: object) -> np.dtype[Any]:
    base = _base(descr, [0], 0)
    if not 0 < base.itemsize <= _RECORD_CAP:
        raise _MetaError(f"records of {base.itemsize} bytes; 1 to {_RECORD_CAP} are read")
    return base


def _base(descr: object, seen: list[int], depth: int) -> np.dtype[Any]:
    """Return a scalar or structured dtype; ``seen`` counts the fields of the whole record."""
    if isinstance(descr, str):
        if "O" in descr:
            raise _MetaError("holds Python objects (pickle), which are never read")
        if not _SCALAR.fullmatch(descr):
            raise _MetaError(f"type {descr[:40]!r} is not read")
        return np.dtype(descr)
    if not isinstance(descr, list) or not descr or depth > _DEPTH_CAP:
        raise _MetaError(f"cannot read the record type {str(descr)[:60]}")
    seen[0] += len(descr)
    if seen[0] > _FIELD_CAP:
        raise _MetaError(f"records of more than {_FIELD_CAP} fields are not read")
    fields: list[tuple[str, np.dtype[Any], tuple[int, ...]]] = []
    total = 0
    for entry in descr:
        name, base, shape = _field(entry, seen, depth)
        # added up before numpy sees the sizes
        total += base.itemsize * math.prod(shape)
        if total > _RECORD_CAP:
            raise _MetaError(f"field {name[:40]!r} makes records larger than {_RECORD_CAP} bytes")
        fields.append((name, base, shape))
    names = [name for name, _, _ in fields]
    if len(set(names)) != len(names):
        raise _MetaError(f"field names are repeated: {', '.join(names)[:60]}")
    return np.dtype([(name, base, *([shape] if shape else [])) for name, base, shape in fields])


def _field(
    entry: object, seen: list[int], depth: int
) -> tuple[str, np.dtype[Any], tuple[int, ...]]:
    if not isinstance(entry, list) or len(entry) not in (2, 3):
        raise _MetaError(f"cannot read the field {str(entry)[:60]}")
    name, shape = entry[0], entry[2] if len(entry) == 3 else []
    if not isinstance(name, str) or not name:
        raise _MetaError(f"a field has no name: {str(entry)[:60]}")
    if not isinstance(shape, list) or len(shape) > 8:
        raise _MetaError(f"field {name[:40]!r} has the shape {str(shape)[:60]}")
    if not all(type(extent) is int and 0 < extent <= _RECORD_CAP for extent in shape):
        raise _MetaError(f"field {name[:40]!r} has the shape {str(shape)[:60]}")
    return name, _base(entry[1], seen, depth + 1), tuple(shape)


def _fill(found: object, dtype: np.dtype[Any]) -> bytes:
    if found is None or (type(found) is int and found == 0):
        return bytes(dtype.itemsize)
    if dtype.names is not None or dtype.kind in "SV":
        return _fill_bytes(found, dtype.itemsize)
    value = _SPECIAL.get(found, found) if isinstance(found, str) else found
    if not isinstance(value, bool | int | float) and not (dtype.kind == "U"):
        raise _MetaError(f"fill_value {str(found)[:40]!r} does not fit {dtype}")
    try:
        return np.array(value, dtype).tobytes()
    except (ValueError, TypeError, OverflowError) as error:
        raise _MetaError(f"fill_value {str(found)[:40]!r} does not fit {dtype}") from error


def _fill_bytes(found: object, itemsize: int) -> bytes:
    try:
        plain = base64.b64decode(found, validate=True) if isinstance(found, str) else None
    except (binascii.Error, ValueError):
        plain = None
    if plain is None or len(plain) != itemsize:
        raise _MetaError(f"fill_value {str(found)[:40]!r} is not {itemsize} bytes in base64")
    return plain
