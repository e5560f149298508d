"""MAT files of version 5: variables in place become a table, deflated ones a stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.mat.columns import ColumnTable, Request
from mfxarray.formats.mat.mat5_elements import (
    COMPRESSED,
    MATRIX,
    Mat5Array,
    byte_order,
    elements,
    parse_matrix,
)
from mfxarray.formats.mat.mat5_inflate import InflateCursor
from mfxarray.formats.mat.mat5_stream import Mat5Stream
from mfxarray.formats.mat.mat5_tags import Context, Deflated, FileCursor, read_tag
from mfxarray.formats.mat.nodes import Layout, MatOther, MatStruct, Node
from mfxarray.formats.sources import FileSource

__all__ = ["Mat5Reader", "rows_of", "variables"]

Array = np.ndarray[Any, Any]
# what may be inflated to learn what is in a struct
_RATIO_CAP, _FREE_BYTES = 200, 16 * 2**20


@dataclass(frozen=True)
class Mat5Reader:
    """Reads lanes of arrays that are not deflated; a `mat_columns.LaneReader`."""

    source: FileSource
    n_rows: int

    def lanes(self, requests: Sequence[Request]) -> Iterator[Array]:
        """Yield the values of each request, one read for each lane."""
        for request in requests:
            array: Mat5Array = request.array
            count = request.stop - request.start
            values = np.empty((request.last - request.first, count), array.stored)
            if values.size:
                self._fill(values, array, request)
            # byte order is a matter of the file, not of the records
            yield values.astype(values.dtype.newbyteorder("="), copy=False)

    def _fill(self, values: Array, array: Mat5Array, request: Request) -> None:
        size = array.stored.itemsize
        place = array.place + (request.first * self.n_rows + request.start) * size
        if values.shape[1] == self.n_rows:
            self.source.read_into(values.reshape(-1).view(np.uint8).data, place)
            return
        for lane in values:
            self.source.read_into(lane.view(np.uint8).data, place)
            place += self.n_rows * size


def variables(source: FileSource, *, strict: bool = True) -> tuple[MatStruct, tuple[str, ...]]:
    """Return the variables of a file, as the fields of one struct, and warnings.

    Parameters
    ----------
    source
        The file.
    strict
        Whether a cut variable is an error; if not, it is left out with a warning.

    Raises
    ------
    DataError
        If any length does not fit into what it is part of, or the file is of another version.

    Notes
    -----
    Reads the headers only. In deflated structs everything before the header of the last field is
    inflated for it, in bounded memory.
    """
    order = byte_order(source)
    found: dict[str, Node] = {}
    end = 128
    for element in elements(source, order, strict=strict):
        end = element.offset + element.n_bytes
        node = _variable(source, order, element.kind, element.offset, element.n_bytes)
        if node is None:
            continue
        if node.name in found:
            raise DataError(f"variable {node.name!r} is there twice", path=source.path)
        found[node.name] = node
    # padding may be cut without loss
    lost = source.size - end >= 8
    warnings = (f"the file is cut: variables after byte {end} are lost",) if lost else ()
    return MatStruct("", found), warnings


def _variable(source: FileSource, order: str, kind: int, offset: int, n_bytes: int) -> Node | None:
    if kind == MATRIX:
        if not n_bytes:
            return None
        node = parse_matrix(
            FileCursor(source, offset), Context(source.path, order), offset + n_bytes
        )
    elif kind == COMPRESSED:
        node = _deflated(source, order, offset, n_bytes)
    else:
        message = f"an element of the unknown type {kind}"
        raise Context(source.path, order).bad(message, offset - 8)
    # MATLAB keeps data of its own in variables without a name
    return node if node.name else None


def _deflated(source: FileSource, order: str, offset: int, n_bytes: int) -> Node:
    cursor = InflateCursor(source, offset, n_bytes, _RATIO_CAP * n_bytes + _FREE_BYTES)
    context = Context(source.path, order, Deflated(offset, n_bytes, 0))
    # 2^32 is the largest end that a tag can give
    kind, claimed, packed = read_tag(cursor, context, 2**32 + 8)
    if kind != MATRIX or packed is not None:
        raise context.bad(f"a deflated variable holds an element of the type {kind}", 0)
    if not claimed:
        return MatOther("", "empty")
    context = Context(source.path, order, Deflated(offset, n_bytes, 8 + claimed))
    return parse_matrix(cursor, context, 8 + claimed)


def rows_of(layout: Layout, source: FileSource) -> ColumnTable | Mat5Stream:
    """Return the records of a data set: a stream if any of its variables is deflated."""
    arrays = [column.array for column in layout.columns if column.array is not None]
    if any(array.deflated is not None for array in arrays):
        return Mat5Stream(source, layout.dtype, layout.n_rows, layout.columns)
    reader = Mat5Reader(source, layout.n_rows)
    return ColumnTable(reader, layout.dtype, layout.n_rows, layout.columns)
