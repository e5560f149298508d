"""How the C structures of a NanoSIMS header are described: their fields, place, type, unit."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["GATES", "Field", "Struct", "field", "struct_of", "unused"]

# what decides whether a field exists: release of the file, of Mask_nano, of Anal_param_nano
GATES = ("file", "nano", "parameters")

_KIND = re.compile(r"(c)(\d+)|(i2|i4|f8|[A-Z]\w+?)(?:\*(\d+))?")
_SIZES = {"c": 1, "i2": 2, "i4": 4, "f8": 8}


@dataclass(frozen=True)
class Field:
    """One field of a structure.

    Attributes
    ----------
    original
        Name in the vendor's structure.
    offset
        Bytes from the start of the structure.
    kind
        "i2" and "i4" signed integers, "f8" double, "c" text, or the name of another structure.
    count
        Number of values, or of bytes of a text.
    name
        The name under which people read it; empty for padding and dead pointers.
    unit
        UCUM-like, "µm", "V", "1/s"; "1" for plain numbers, empty for text, switches and choices.
    meaning
        What it says, in a few words.
    since
        (gate, number): exists from this release of "file", "nano" or "parameters" on.
    valid
        Smallest and largest value that can be; any other is left-over memory.
    group
        Fields that are believed together: one that cannot be takes the others with it.
    used, each
        The field that tells how many values of this one mean something, in steps of ``each``.
    """

    original: str
    offset: int
    kind: str
    count: int
    name: str = ""
    unit: str = ""
    meaning: str = ""
    since: tuple[str, int] | None = None
    valid: tuple[float, float] | None = None
    group: str = ""
    used: str = ""
    each: int = 1

    @property
    def nested(self) -> bool:
        """Whether the field is another structure."""
        return self.kind not in _SIZES


@dataclass(frozen=True)
class Struct:
    """One C structure.

    Attributes
    ----------
    name
        As the vendor calls it, with the version where there are several.
    size
        Bytes, padding included.
    align
        Bytes of its natural alignment.
    fields
        Original name -> field, in the order of the file.
    note
        What one has to know besides.
    """

    name: str
    size: int
    align: int
    fields: dict[str, Field]
    note: str = ""


def field(
    original: str,
    offset: int,
    kind: str,
    name: str,
    unit: str = "",
    meaning: str = "",
    **options: Any,
) -> Field:
    """Return a field; ``kind`` is "i4", "i4*10", "c64" (64 bytes of text), "Polyatomique"..."""
    found = _KIND.fullmatch(kind)
    if found is None:
        raise ValueError(f"{kind!r} is no type of a field")
    text, length, base, count = found.groups()
    number = int(length or count or 1)
    return Field(original, offset, text or base, number, name, unit, meaning, **options)


def unused(original: str, offset: int, kind: str) -> Field:
    """Return a field that means nothing on disk: padding, a reserve, a dead pointer."""
    return field(original, offset, kind, "")


def struct_of(name: str, size: int, align: int, rows: Iterable[Field], note: str = "") -> Struct:
    """Return a structure."""
    return Struct(name, size, align, {row.original: row for row in rows}, note)
