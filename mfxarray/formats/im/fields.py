"""What of a NanoSIMS structure can be believed, under names that people understand.

Bytes that the instrument's software did not write hold whatever the memory held before. A field is
left out where the release of the file does not have it, and where its value cannot be one.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any

from mfxarray.formats.im.layout import STRUCTS, Field, clean_text

__all__ = ["believed"]

# what Microsoft's debug builds fill memory with, and the two ends that mean "not set"
_NO_INTEGER = {"i2": {-13108}, "i4": {-858993460, -(2**31), 2**31 - 1}}
_NO_TEXT = (b"\xcc" * 4, b"\xff" * 4)
_CODES = {"i2": "h", "i4": "i", "f8": "d"}
_SMALLEST, _LARGEST = 1e-30, 1e30


def believed(
    name: str, buffer: bytes, offset: int, byte_order: str, gates: Mapping[str, int]
) -> dict[str, Any]:
    """Return the fields of the structure ``name`` at ``offset`` that mean something.

    Parameters
    ----------
    name
        Key of `im_layout.STRUCTS`.
    buffer
        The header; the structure must lie inside.
    offset, byte_order
        Where it starts; "<" or ">".
    gates
        Release of "file", "nano" and "parameters", as far as known.

    Returns
    -------
    dict
        By our names, JSON-able: numbers, texts, lists, and dicts for structures inside.
    """
    found: dict[str, tuple[str, Any]] = {}
    discredited = set()
    for field in STRUCTS[name].fields.values():
        if not field.name or not _exists(field, gates):
            continue
        value = _value(name, field, buffer, offset, byte_order, gates)
        if value is None:
            discredited.add(field.group)
        else:
            found[field.name] = field.group, value
    discredited.discard("")
    return {key: value for key, (group, value) in found.items() if group not in discredited}


def _exists(field: Field, gates: Mapping[str, int]) -> bool:
    if field.since is None:
        return True
    gate, number = field.since
    return gates.get(gate, -1) >= number


def _value(
    name: str, field: Field, buffer: bytes, offset: int, order: str, gates: Mapping[str, int]
) -> Any:
    """Return the value of a field, None where it cannot be one."""
    place = offset + field.offset
    if field.kind == "c":
        return _text(buffer[place : place + field.count])
    count = _used(name, field, buffer, offset, order)
    if count is None:
        return None
    if field.nested:
        step = STRUCTS[field.kind].size
        rows = [believed(field.kind, buffer, place + i * step, order, gates) for i in range(count)]
        return rows if field.count > 1 else (rows[0] or None)
    values = struct.unpack_from(f"{order}{count}{_CODES[field.kind]}", buffer, place)
    if not all(_possible(field, value) for value in values):
        return None
    return list(values) if field.count > 1 else values[0]


def _used(name: str, field: Field, buffer: bytes, offset: int, order: str) -> int | None:
    """Return how many values of a field count, None where the structure says an impossible one."""
    if not field.used:
        return field.count
    for part in field.used.split("."):
        known = STRUCTS[name].fields[part]
        offset, name = offset + known.offset, known.kind
    (number,) = struct.unpack_from(f"{order}i", buffer, offset)
    return number * field.each if 0 <= number * field.each <= field.count else None


def _text(raw: bytes) -> str | None:
    return None if raw[:4] in _NO_TEXT or raw in (b"\xcc", b"\xff") else clean_text(raw)


def _possible(field: Field, value: float) -> bool:
    if field.kind == "f8":
        if not (value == 0 or _SMALLEST < abs(value) < _LARGEST):  # NaN fails too
            return False
    elif value in _NO_INTEGER[field.kind]:
        return False
    low, high = field.valid or (-math.inf, math.inf)
    return low <= value <= high
