"""Streaming writer of MAT files of version 5.

References
----------
MathWorks, "MAT-File Format": a header of 128 bytes, then one element for each variable; arrays
column by column; deflated variables as one zlib stream each.
"""

from __future__ import annotations

import os
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from mfxarray.writers.mat_variables import (
    Group,
    MatVariable,
    aligned_blocks,
    check_name,
    mat_groups,
)
from mfxarray.writers.outgoing import Outgoing
from mfxarray.writers.replacing import replacing

__all__ = ["write_mat5"]

_TEXT = b"MATLAB 5.0 MAT-file, written by mfxarray"
_INT8, _UINT8, _INT32, _UINT32, _MATRIX, _COMPRESSED = 1, 2, 5, 6, 14, 15
_STORED = {"i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "f4": 7, "f8": 9}
_STORED |= {"i8": 12, "u8": 13}
_CLASSES = {"struct": 2, "double": 6, "single": 7, "logical": 9}
_CLASSES |= {"int8": 8, "uint8": 9, "int16": 10, "uint16": 11, "int32": 12, "uint32": 13}
_CLASSES |= {"int64": 14, "uint64": 15}
_LOGICAL, _FIELD_BYTES, _VARIABLE_CAP = 0x0200, 32, 2**31
_BLOCK_BYTES, _COPY_BYTES = 8 * 2**20, 2**20


@dataclass(frozen=True)
class _Part:
    """Bytes of the file in order: a head, then the values of a variable, padded to 8 bytes."""

    head: bytes
    variable: MatVariable | None = None

    @property
    def size(self) -> int:
        """Bytes in the file, padded to multiples of 8."""
        n_bytes = self.variable.n_bytes if self.variable else 0
        return len(self.head) + n_bytes + -n_bytes % 8


def write_mat5(
    path: str | os.PathLike[str],
    outgoing: Outgoing,
    *,
    compress: bool = False,
    wrap: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write records as the variables of a MAT file of version 5.

    Parameters
    ----------
    path
        Target; it appears when it is complete.
    outgoing
        The records, nested or flat.
    compress
        Deflate each variable, as MATLAB does by default. Such a file cannot be read in place.
    wrap
        Name of a struct around all variables.
    overwrite
        Replace a file that is there.

    Raises
    ------
    DataError
        If something is there and ``overwrite`` is off, or the folder is missing.
    ValueError
        If a name or type does not exist in MATLAB, or a variable (for nested records, all of
        ``itr``) is larger than the 2 GB that the format allows.

    Notes
    -----
    One pass over the blocks, and memory for 8 MB of records. Deflating needs as much free disk
    space in the folder as the records have bytes, for an intermediate file without a name.
    """
    variables = _variables(outgoing, wrap)
    for parts in variables:
        size = sum(part.size for part in parts)
        if size >= _VARIABLE_CAP:
            hint = "write version 7.3 (write_mat73) instead"
            raise ValueError(f"a variable of {size} bytes does not fit into version 5; {hint}")
    with replacing(path, overwrite=overwrite) as file:
        file.write(_header())
        if not compress:
            _write_in_place(file, variables, outgoing)
            return
        with tempfile.TemporaryFile(dir=os.path.dirname(os.path.abspath(path))) as plain:
            _write_in_place(plain, variables, outgoing)
            plain.seek(0)
            for parts in variables:
                _deflate(plain, file, sum(part.size for part in parts))


def _header() -> bytes:
    return _TEXT.ljust(116) + bytes(8) + b"\x00\x01IM"


def _variables(outgoing: Outgoing, wrap: str | None) -> list[list[_Part]]:
    """Return the parts of each top-level variable."""
    groups = mat_groups(outgoing)
    if wrap is None:
        return [parts for group in groups for parts in _members(group, top=True)]
    fields = [parts for group in groups for parts in _members(group, top=False)]
    names = [name for group in groups for name in _names(group)]
    return [_struct(check_name(wrap), names, fields)]


def _names(group: Group) -> list[str]:
    return [variable.name for variable in group.variables] if group.name is None else [group.name]


def _members(group: Group, *, top: bool) -> list[list[_Part]]:
    """Return the arrays of a group; in a struct they have no name of their own."""
    if group.name is None:
        return [[_array(item, item.name if top else "")] for item in group.variables]
    fields = [[_array(item, "")] for item in group.variables]
    names = [item.name for item in group.variables]
    return [_struct(group.name if top else "", names, fields)]


def _struct(name: str, names: Sequence[str], fields: Sequence[list[_Part]]) -> list[_Part]:
    text = b"".join(field.encode().ljust(_FIELD_BYTES, b"\0") for field in names)
    width = (4 << 16 | _INT32).to_bytes(4, "little") + _FIELD_BYTES.to_bytes(4, "little")
    body = _front("struct", (1, 1), name) + width + _element(_INT8, text)
    size = len(body) + sum(part.size for parts in fields for part in parts)
    return [_Part(_tag(_MATRIX, size) + body), *(part for parts in fields for part in parts)]


def _array(variable: MatVariable, name: str) -> _Part:
    front = _front(variable.matlab_class, variable.shape, name)
    kind = _STORED[variable.dtype.str[1:]]
    body = front + _tag(kind, variable.n_bytes)
    size = len(body) + variable.n_bytes + -variable.n_bytes % 8
    return _Part(_tag(_MATRIX, size) + body, variable)


def _front(matlab_class: str, shape: tuple[int, ...], name: str) -> bytes:
    flags = _CLASSES[matlab_class] | (_LOGICAL if matlab_class == "logical" else 0)
    return (
        _element(_UINT32, np.array([flags, 0], "<u4").tobytes())
        + _element(_INT32, np.array(shape, "<i4").tobytes())
        + _element(_INT8, name.encode())
    )


def _element(kind: int, data: bytes) -> bytes:
    return _tag(kind, len(data)) + data + bytes(-len(data) % 8)


def _tag(kind: int, n_bytes: int) -> bytes:
    # a size that does not fit is refused later, with a message
    return kind.to_bytes(4, "little") + (n_bytes & 0xFFFFFFFF).to_bytes(4, "little")


def _write_in_place(file: BinaryIO, variables: list[list[_Part]], outgoing: Outgoing) -> None:
    """Write all heads, then every block of records to the places of its columns."""
    places: list[tuple[MatVariable, int]] = []
    end = file.tell()
    for part in (part for parts in variables for part in parts):
        file.seek(end)
        file.write(part.head)
        if part.variable:
            places.append((part.variable, end + len(part.head)))
        end += part.size
    file.truncate(end)
    rows = max(1, _BLOCK_BYTES // outgoing.dtype.itemsize)
    for first, block in aligned_blocks(outgoing, rows):
        for variable, place in places:
            size = variable.dtype.itemsize
            for number, lane in enumerate(variable.lanes(block)):
                file.seek(place + (number * outgoing.n_rows + first) * size)
                file.write(lane.data)


def _deflate(plain: BinaryIO, file: BinaryIO, size: int) -> None:
    """Append the next bytes of an intermediate file as one deflated variable."""
    place = file.tell()
    file.write(_tag(_COMPRESSED, 0))
    deflater = zlib.compressobj()
    while size:
        raw = plain.read(min(size, _COPY_BYTES))
        size -= len(raw)
        file.write(deflater.compress(raw))
    file.write(deflater.flush())
    end = file.tell()
    file.seek(place)
    file.write(_tag(_COMPRESSED, end - place - 8))
    file.seek(end)
