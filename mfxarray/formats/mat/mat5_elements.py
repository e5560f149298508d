"""The elements of a MAT file of version 5, walked without reading the data.

References
----------
MathWorks, "MAT-File Format": a header of 128 bytes, then elements, each a tag (type, bytes) and
data; an array is an element of type 14, a deflated one an element of type 15.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.mat.mat5_tags import Context, Cursor, Deflated, read_tag, two_words
from mfxarray.formats.mat.nodes import MatOther, MatStruct, Node
from mfxarray.formats.sources import FileSource

__all__ = ["COMPRESSED", "MATRIX", "Element", "Mat5Array", "byte_order", "elements", "parse_matrix"]

MATRIX, COMPRESSED = 14, 15
_HEADER_BYTES = 128
_INT8, _INT32, _UINT32, _UTF8 = 1, 5, 6, 16
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4"}
_STORED |= {7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4"}
_CLASSES |= {14: "i8", 15: "u8"}
_STRUCT = 2
_OTHERS = {1: "a cell array", 3: "an object", 4: "text", 5: "a sparse array"}
_OTHERS |= {16: "a function", 17: "an opaque object"}
_LOGICAL, _COMPLEX = 0x0200, 0x0800
_DEPTH_CAP, _FIELDS_CAP, _VARIABLES_CAP, _DIMS_CAP, _NAME_CAP = 8, 1000, 1000, 16, 256


@dataclass(frozen=True)
class Mat5Array:
    """A numeric array of a MAT file of version 5; a `mat_columns.StoredArray`.

    Attributes
    ----------
    name, shape, dtype
        See `mat_columns.StoredArray`.
    stored
        Type of the values on disk: MATLAB stores whole numbers as compactly as they allow.
    place
        Byte of the first value, in the file or in the inflated variable.
    deflated
        The deflated variable, None where the values lie in the file.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    stored: np.dtype[Any]
    place: int
    deflated: Deflated | None = None


@dataclass(frozen=True)
class Element:
    """A top-level element: its type, the byte of its data, and their number."""

    kind: int
    offset: int
    n_bytes: int


def byte_order(source: FileSource) -> str:
    """Return "<" or ">" of a MAT file of version 5.

    Raises
    ------
    DataError
        If the header is of another version or damaged.
    """
    mark = source.read(124, 4)
    order = {b"IM": "<", b"MI": ">"}.get(mark[2:])
    if order is None or mark[:2] != (b"\x00\x01" if order == "<" else b"\x01\x00"):
        hint = "Versions 5 and 7.3 are read; save it again from MATLAB."
        raise DataError(
            f"unknown version {mark!r} of a MAT file",
            path=source.path,
            place="offset 124",
            hint=hint,
        )
    return order


def elements(source: FileSource, order: str, *, strict: bool) -> Iterator[Element]:
    """Yield the top-level elements; reads eight bytes of each.

    Raises
    ------
    DataError
        If an element does not fit into the file; with ``strict`` off the walk just ends there.
    """
    context, position = Context(source.path, order), _HEADER_BYTES
    for _ in range(_VARIABLES_CAP):
        if position >= source.size:
            return
        if position + 8 > source.size or _end_of(source, order, position) > source.size:
            if not strict:
                return
            raise context.bad("is truncated: a variable goes on beyond the end", position)
        kind, n_bytes = two_words(source.read(position, 8), order)
        yield Element(kind, position + 8, n_bytes)
        position = _end_of(source, order, position)
    raise context.bad(f"holds more than {_VARIABLES_CAP} variables", position)


def _end_of(source: FileSource, order: str, position: int) -> int:
    kind, n_bytes = two_words(source.read(position, 8), order)
    # deflated variables are not padded
    return position + 8 + n_bytes + (0 if kind == COMPRESSED else -n_bytes % 8)


def _small(
    cursor: Cursor, context: Context, end: int, kinds: tuple[int, ...], cap: int, what: str
) -> bytes:
    """Return the data of an element that must be short, and step over its padding."""
    begin = cursor.position
    kind, n_bytes, packed = read_tag(cursor, context, end)
    if kind not in kinds or n_bytes > cap:
        raise context.bad(f"{what} has the type {kind} and {n_bytes} bytes", begin)
    if packed is not None:
        return packed
    found = cursor.take(n_bytes)
    cursor.skip(min(-n_bytes % 8, end - cursor.position))
    return found


def parse_matrix(
    cursor: Cursor, context: Context, end: int, *, outer: str = "", name: str = "", depth: int = 0
) -> Node:
    """Return what an array is; the cursor stands after its tag and stays before its data.

    Parameters
    ----------
    cursor
        Place in the file or in the inflated variable.
    context
        File, byte order and variable.
    end
        First byte after the array.
    outer
        Name of the struct around it, with a dot at the end.
    name
        Name that the struct gives; arrays in structs have none themselves.
    depth
        Number of structs around it.

    Raises
    ------
    DataError
        If a length exceeds that of its parent, or structs nest deeper than 8 levels.
    """
    begin = cursor.position
    if depth > _DEPTH_CAP:
        raise context.bad(f"structs nest deeper than {_DEPTH_CAP} levels", begin)
    raw = _small(cursor, context, end, (_UINT32,), 8, "the flags of an array")
    if len(raw) != 8:
        raise context.bad(f"the flags of an array have {len(raw)} bytes", begin)
    flags = two_words(raw, context.order)[0]
    kind = flags & 0xFF
    if kind == 17:  # opaque objects have no sizes
        return MatOther(outer + name, _OTHERS[kind])
    shape = _shape(cursor, context, end)
    own = _small(cursor, context, end, (_INT8, _UTF8), _NAME_CAP, "the name of an array")
    name = outer + (name or own.decode("latin-1"))
    if kind == _STRUCT:
        if math.prod(shape) != 1:
            return MatOther(name, "an array of structs")
        return _struct(cursor, context, end, name, depth)
    if kind in _OTHERS:
        return MatOther(name, _OTHERS[kind])
    if kind not in _CLASSES:
        raise context.bad(f"variable {name!r} has the unknown class {kind}", begin)
    if flags & _COMPLEX:
        return MatOther(name, "an array of complex numbers")
    dtype = np.dtype("?") if flags & _LOGICAL else np.dtype(_CLASSES[kind])
    return _numbers(cursor, context, end, name, shape, dtype)


def _shape(cursor: Cursor, context: Context, end: int) -> tuple[int, ...]:
    begin = cursor.position
    raw = _small(cursor, context, end, (_INT32,), 4 * _DIMS_CAP, "the size of an array")
    if len(raw) < 8 or len(raw) % 4:
        raise context.bad(f"the size of an array has {len(raw)} bytes", begin)
    shape = tuple(int(size) for size in np.frombuffer(raw, f"{context.order}i4"))
    if min(shape) < 0:
        raise context.bad(f"an array has the negative size {shape}", begin)
    return shape


def _numbers(
    cursor: Cursor,
    context: Context,
    end: int,
    name: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
) -> Mat5Array:
    begin = cursor.position
    kind, n_bytes, packed = read_tag(cursor, context, end)
    if kind not in _STORED:
        raise context.bad(f"variable {name!r} holds values of the unknown type {kind}", begin)
    stored = np.dtype(_STORED[kind]).newbyteorder(context.order)  # type: ignore[arg-type]
    needed = math.prod(shape) * stored.itemsize
    if n_bytes != needed:
        size = "×".join(map(str, shape))
        message = f"variable {name!r} of size {size} needs {needed} bytes, {n_bytes} are there"
        raise context.bad(message, begin)
    place = cursor.position if packed is None else cursor.position - 4
    return Mat5Array(name, shape, dtype, stored, place, context.deflated)


def _struct(cursor: Cursor, context: Context, end: int, name: str, depth: int) -> MatStruct:
    begin = cursor.position
    raw = _small(cursor, context, end, (_INT32,), 4, "the length of field names")
    width = int(np.frombuffer(raw, f"{context.order}i4")[0]) if len(raw) == 4 else 0
    if not 1 <= width <= _NAME_CAP:
        raise context.bad(f"field names of {width} bytes", begin)
    text = _small(cursor, context, end, (_INT8,), width * _FIELDS_CAP, "the field names")
    found: dict[str, Node] = {}
    for start in range(0, len(text) // width * width, width):
        field = text[start : start + width].split(b"\0")[0].decode("latin-1")
        kind, n_bytes, packed = read_tag(cursor, context, end)
        if kind != MATRIX or packed is not None or not field or field in found:
            raise context.bad(f"field {field!r} of {name!r} is no array or repeated", begin)
        stop = cursor.position + n_bytes
        inner = f"{name}." if name else ""
        found[field] = (
            parse_matrix(cursor, context, stop, outer=inner, name=field, depth=depth + 1)
            if n_bytes
            else MatOther(inner + field, "empty")
        )
        # the data of the last field need not be inflated to know what it is
        if start + width < len(text):
            cursor.skip(stop - cursor.position)
    return MatStruct(name, found)
