"""The slow reader of one JSON record, for those that deviate from the layout of the first one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.json.layout import Column, Layout, Place
from mfxarray.formats.json.text import parse_json
from mfxarray.formats.npy.fields import ITERATION
from mfxarray.kernels.json.records import BOOL, FLOAT32, INTEGER

__all__ = ["read_loosely"]

_LARGEST_FLOAT32 = float(np.finfo(np.float32).max)
_EXACT_INTEGER = 2.0**53


def read_loosely(
    text: bytes, layout: Layout, *, path: str, place: str
) -> tuple[dict[str, Any], list[Any]]:
    """Return a record as it is, and its values in the order of the layout, None for dropped ones.

    Parameters
    ----------
    text
        The record.
    layout
        What it should hold; the order of keys is free.
    path, place
        File and place in it, for the error.

    Raises
    ------
    DataError
        If it is no JSON, or values are missing, too many or of another kind.
    """
    record = parse_json(text, path=path, place=place)
    found = dict(_leaves(record, (), set(layout.dropped)))
    values: list[Any] = []
    for value in layout.values:
        if value.column < 0:
            found.pop(value.place, None)
            values.append(None)
            continue
        if value.place not in found:
            raise DataError(_missing(record, value.place, layout), path=path, place=place)
        column = layout.columns[value.column]
        try:
            values.append(_converted(found.pop(value.place), column))
        except _UnfitError as error:
            raise DataError(f"{_told(value.place)} {error}", path=path, place=place) from error
    if found:
        message = f"{_told(next(iter(found)))} is there, but not in the first record"
        raise DataError(_uneven(record, layout) or message, path=path, place=place)
    return record, values


class _UnfitError(Exception):
    """What is wrong with a value."""


def _leaves(value: Any, place: Place, dropped: set[tuple[str, ...]]) -> Iterator[tuple[Place, Any]]:
    """Yield place and value of everything that is no list or object, and of empty ones."""
    inner: Any = ()
    if tuple(part for part in place if isinstance(part, str)) in dropped:
        inner = ()
    elif isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    if not inner:
        yield place, value
        return
    for part, below in inner:
        yield from _leaves(below, (*place, part), dropped)


def _converted(value: Any, column: Column) -> Any:
    if column.kind == BOOL:
        if isinstance(value, bool) or (isinstance(value, int) and value in (0, 1)):
            return bool(value)
        raise _UnfitError(f"is {_short(value)}, expected true or false")
    if isinstance(value, bool) or not (value is None or isinstance(value, int | float)):
        raise _UnfitError(f"is {_short(value)}, expected a number")
    return _integer(value, column.dtype) if column.kind == INTEGER else _float(value, column.kind)


def _float(value: float | None, kind: int) -> float:
    if value is None:
        return math.nan
    try:
        number = float(value)
    except OverflowError:
        number = math.inf if value > 0 else -math.inf
    if kind == FLOAT32 and _LARGEST_FLOAT32 < abs(number) < math.inf:
        raise _UnfitError(f"is {number}, too large for the 32 bits of the field")
    return number


def _integer(value: float | None, dtype: np.dtype[Any]) -> int:
    if value is None:
        raise _UnfitError("is null, expected an integer")
    if isinstance(value, float) and not (value.is_integer() and abs(value) <= _EXACT_INTEGER):
        raise _UnfitError(f"is {value}, expected an integer")
    limits = np.iinfo(dtype)
    if not limits.min <= value <= limits.max:
        raise _UnfitError(f"is {_short(value)}, outside {limits.min} to {limits.max}")
    return int(value)


def _missing(record: Any, place: Place, layout: Layout) -> str:
    return _uneven(record, layout) or f"{_told(place)} is missing"


def _uneven(record: Any, layout: Layout) -> str | None:
    """Say so if the record has another number of iterations than the first one."""
    expected = layout.dtype[ITERATION].shape
    found = record.get(ITERATION) if isinstance(record, dict) else None
    if not isinstance(found, list) or not expected or len(found) == expected[0]:
        return None
    return f"the record has {len(found)} iterations, the first one {expected[0]}"


def _told(place: Place) -> str:
    return "field " + ".".join(str(part)[:80] for part in place) if place else "the record"


def _short(value: Any) -> str:
    """Return the value as text, also where it has more digits than Python writes."""
    if isinstance(value, int) and value.bit_length() > 256:
        return "a huge integer"
    return repr(value)[:80]
