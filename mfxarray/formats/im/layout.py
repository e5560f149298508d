"""Where the fields of a NanoSIMS ``.im`` header lie, as data shared by the reader and the writer.

The header is a memory dump of C structures. The tables are in the modules ``im_structs_*``; here
they are read and written as they stand. What of it can be believed is decided in `im_fields`.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping
from typing import Any

from mfxarray.formats.im.structs import Field, Struct
from mfxarray.formats.im.structs_beams import BEAM_STRUCTS
from mfxarray.formats.im.structs_masses import MASS_STRUCTS
from mfxarray.formats.im.structs_nano import B_FIELD_VERSIONS, NANO_STRUCTS
from mfxarray.formats.im.structs_tail import TAIL_STRUCTS

__all__ = [
    "B_FIELD_SIZE",
    "B_FIELD_VERSIONS",
    "EM_BLOCKS",
    "IMAGE_TAIL",
    "STRUCTS",
    "Field",
    "Struct",
    "clean_text",
    "mass_pointers",
    "pack",
    "unpack",
    "vendor_names",
]

_CODES = {"i2": "h", "i4": "i", "f8": "d"}

STRUCTS: dict[str, Struct] = {
    record.name: record for record in (*MASS_STRUCTS, *NANO_STRUCTS, *BEAM_STRUCTS, *TAIL_STRUCTS)
}
# bytes from Anal_param_nano to the first pixel, the same in every image file
IMAGE_TAIL = 20028
# Mask_nano.version -> bytes of one B-field record
B_FIELD_SIZE = {v: STRUCTS[f"Tab_BField_nano_v{v}"].size for v in B_FIELD_VERSIONS}
# trolley -> (structure, prefix of its yield, background and dead time)
EM_BLOCKS = {
    **{t: ("Ap_secondary_nano", f"em{t}") for t in range(1, 6)},
    10: ("Anal_param_nano_bis", "em6"),
    11: ("Anal_param_nano_bis", "em7"),
}


def mass_pointers(release: int) -> int:
    """Return how many dead pointers end the mask: 60 in files of the Windows software, else 10."""
    return 60 if release >= 4108 else 10


def clean_text(raw: bytes) -> str:
    """Return header text: cut at the first NUL, Latin-1, without blanks at the ends.

    Blanks of every kind become a plain blank, other unprintable characters the replacement
    character, because the text of a file ends up in terminals and web pages.
    """
    text = raw.split(b"\0", 1)[0].decode("latin-1")
    blanks = "".join(" " if c.isspace() else c for c in text)
    plain = (c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in blanks)
    return "".join(plain).strip(" ")


def unpack(
    name: str,
    buffer: bytes | bytearray,
    offset: int,
    byte_order: str,
    only: Collection[str] | None = None,
) -> dict[str, Any]:
    """Return the fields of the structure ``name`` that starts at ``offset``, as they stand.

    Parameters
    ----------
    name
        Key of `STRUCTS`.
    buffer
        The header.
    offset
        Byte where the structure starts.
    byte_order
        "<" or ">".
    only
        Original names of the fields to read; default: all.

    Returns
    -------
    dict
        By the vendor's names; structures inside as dicts, several values as lists, padding and
        dead pointers left out.

    Raises
    ------
    ValueError
        If the structure does not lie inside ``buffer``.
    """
    _check_inside(name, len(buffer), offset)
    return {
        field.original: _unpack_field(field, buffer, offset + field.offset, byte_order)
        for field in STRUCTS[name].fields.values()
        if field.name and (only is None or field.original in only)
    }


def pack(
    name: str, buffer: bytearray, offset: int, byte_order: str, values: Mapping[str, Any]
) -> None:
    """Write fields of the structure ``name`` into ``buffer``, in place; see `unpack`.

    Text is cut so that a NUL always ends it; of several values the first ones may be given.
    """
    _check_inside(name, len(buffer), offset)
    for key, value in values.items():
        field = STRUCTS[name].fields[key]
        _pack_field(field, buffer, offset + field.offset, byte_order, value)


def vendor_names(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is named as people read it under the vendor's names, for `pack`."""
    found = {}
    for field in STRUCTS[name].fields.values():
        if not field.name or field.name not in values:
            continue
        value = values[field.name]
        if field.nested and field.count == 1:
            value = vendor_names(field.kind, value)
        elif field.nested:
            value = [vendor_names(field.kind, row) for row in value]
        found[field.original] = value
    return found


def _check_inside(name: str, size: int, offset: int) -> None:
    if offset < 0 or offset + STRUCTS[name].size > size:
        raise ValueError(f"{name} at offset {offset} does not fit into {size} bytes")


def _unpack_field(field: Field, buffer: bytes | bytearray, place: int, order: str) -> Any:
    if field.kind == "c":
        return clean_text(bytes(buffer[place : place + field.count]))
    if field.nested:
        step = STRUCTS[field.kind].size
        rows = [unpack(field.kind, buffer, place + i * step, order) for i in range(field.count)]
    else:
        code = f"{order}{field.count}{_CODES[field.kind]}"
        rows = list(struct.unpack_from(code, buffer, place))
    return rows if field.count > 1 else rows[0]


def _pack_field(field: Field, buffer: bytearray, place: int, order: str, value: Any) -> None:
    if field.kind == "c":
        raw = value.encode("latin-1", "replace")[: max(field.count - 1, 1)]
        buffer[place : place + field.count] = raw.ljust(field.count, b"\0")
        return
    rows = list(value) if field.count > 1 else [value]
    if len(rows) > field.count:
        raise ValueError(f"{field.original} holds {field.count} values, not {len(rows)}")
    if field.nested:
        step = STRUCTS[field.kind].size
        for i, row in enumerate(rows):
            pack(field.kind, buffer, place + i * step, order, row)
    else:
        struct.pack_into(f"{order}{len(rows)}{_CODES[field.kind]}", buffer, place, *rows)
