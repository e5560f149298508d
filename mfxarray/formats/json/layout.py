"""What the first records of a JSON file say about all of them: model, fields, order of values."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.json.fields import Field, fields_of_records
from mfxarray.formats.sources import FileSource
from mfxarray.formats.tables import Path
from mfxarray.kernels.json.records import BOOL, FLOAT, FLOAT32, INTEGER, TEXT

__all__ = ["Column", "Layout", "Value", "learn_layout"]

_VALUES_CAP = 65536
# where a value stands in a record: keys of objects, numbers in lists
Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Column:
    """One field of the table, as it is collected for a block of records.

    Attributes
    ----------
    path
        Names that lead to the field in the dtype.
    dtype
        Type of one value.
    shape
        Sizes after the rows.
    offset
        Values of a record in the columns before.
    width
        Values of a record in this column.
    kind
        Kind of value, for the parser.
    source
        Names that lead to the field in the file, None where it is always True.
    """

    path: Path
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int
    width: int
    kind: int
    source: Path | None


@dataclass(frozen=True)
class Value:
    """One value of a record, in the order of the file.

    Attributes
    ----------
    place
        Keys and list positions that lead to it.
    column
        Number of its column, -1 where it is dropped.
    component
        Its position among the values of that column.
    """

    place: Place
    column: int
    component: int


@dataclass(frozen=True)
class Layout:
    """How a record of the file becomes values of columns.

    Attributes
    ----------
    model
        "v1 nested", "v2 flat" or "2021 reduced".
    dtype
        Structured dtype of a record.
    columns
        All fields in the order of the dtype.
    dropped
        Names in the file of the fields that are not carried.
    values
        All values of a record in the order of the file.
    literal
        Text around the values, without white space.
    loose
        For each byte of ``literal``, 1 where white space may stand before it.
    stops
        For each value, where its part of ``literal`` ends.
    """

    model: str
    dtype: np.dtype[Any]
    columns: tuple[Column, ...]
    dropped: tuple[Path, ...]
    values: tuple[Value, ...] = ()
    literal: bytes = b""
    loose: bytes = b""
    stops: tuple[int, ...] = ()

    @property
    def width(self) -> int:
        """Values of one record in all columns."""
        return sum(column.width for column in self.columns)

    @property
    def shortest(self) -> int:
        """Bytes that no record goes below: each value and a comma or bracket."""
        return 2 * sum(value.column >= 0 for value in self.values)

    def reordered(self, record: dict[str, Any]) -> Layout:
        """Return the layout of a record that has the same fields in its own order."""
        template = _Template(self.columns, self.dropped)
        template.add(record, ())
        return replace(
            self,
            values=tuple(template.values),
            literal=bytes(template.literal),
            loose=bytes(template.loose),
            stops=tuple(template.stops),
        )

    def kind(self, value: Value) -> int:
        """Return the kind of a value, for the parser."""
        return TEXT if value.column < 0 else self.columns[value.column].kind


def learn_layout(records: list[dict[str, Any]], source: FileSource) -> Layout:
    """Return the layout that the first record has; later ones help to type unknown fields.

    Raises
    ------
    DataError
        If these are no MINFLUX records.
    """
    fields = fields_of_records(records, source)
    columns = tuple(_columns(fields.fields))
    empty = Layout(fields.model, fields.dtype, columns, fields.dropped)
    layout = empty.reordered(records[0])
    if len(layout.values) > _VALUES_CAP:
        message = f"the records have {len(layout.values)} values, more than {_VALUES_CAP}"
        raise DataError(message, path=source.path, place="record 0")
    return layout


def _columns(fields: tuple[Field, ...]) -> Iterator[Column]:
    offset = 0
    for field in fields:
        width = math.prod(field.shape)
        kind = _kind(field.dtype)
        yield Column(field.path, field.dtype, field.shape, offset, width, kind, field.source)
        offset += width


def _kind(dtype: np.dtype[Any]) -> int:
    if dtype.kind == "f":
        return FLOAT if dtype.itemsize == 8 else FLOAT32
    return BOOL if dtype.kind == "b" else INTEGER


class _Template:
    """Collects the text around the values of a record, and the values in their order."""

    def __init__(self, columns: tuple[Column, ...], dropped: tuple[Path, ...]) -> None:
        self.values: list[Value] = []
        self.literal, self.loose = bytearray(), bytearray()
        self.stops: list[int] = []
        self._numbers = {
            column.source: number for number, column in enumerate(columns) if column.source
        }
        self._columns, self._dropped = columns, set(dropped)

    def add(self, value: Any, place: Place) -> None:
        """Add a value and all that is in it, with the text around; ``place`` leads to it."""
        names = tuple(part for part in place if isinstance(part, str))
        if names in self._dropped:
            self._value(place, -1)
        elif isinstance(value, dict):
            self._object(value, place)
        elif isinstance(value, list):
            self._list(value, place)
        else:
            self._value(place, self._numbers[names])

    def _object(self, value: dict[str, Any], place: Place) -> None:
        for number, (name, inner) in enumerate(value.items()):
            self._token("," if number else "{")
            self._token(json.dumps(name, ensure_ascii=False))
            self._token(":")
            self.add(inner, (*place, name))
        self._token("}")

    def _list(self, value: list[Any], place: Place) -> None:
        for number, inner in enumerate(value):
            self._token("," if number else "[")
            self.add(inner, (*place, number))
        self._token("]")

    def _token(self, text: str) -> None:
        token = text.encode()
        self.literal += token
        self.loose += b"\1" + bytes(len(token) - 1)

    def _value(self, place: Place, column: int) -> None:
        component = 0 if column < 0 else _component(place, self._columns[column].shape)
        self.values.append(Value(place, column, component))
        self.stops.append(len(self.literal))


def _component(place: Place, shape: tuple[int, ...]) -> int:
    """Return the position of a value among those of its column, in C order."""
    numbers = [part for part in place if isinstance(part, int)]
    # a scalar of the file that became a list of one has fewer numbers than axes
    numbers = [0] * (len(shape) - len(numbers)) + numbers
    position = 0
    for number, size in zip(numbers, shape, strict=True):
        position = position * size + number
    return position
