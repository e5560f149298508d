"""Where the fields of a NanoSIMS ``.im`` header lie, as data shared by the reader and the writer.

The header is a memory dump of C structures. Every structure is a table of (name, offset, type);
the gaps between the fields are alignment or fields that nothing here needs.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = [
    "B_FIELD_SIZE",
    "EM_BLOCKS",
    "IMAGE_TAIL",
    "STRUCTS",
    "TROLLEY_TABLE",
    "Struct",
    "clean_text",
    "mass_pointers",
    "pack",
    "unpack",
]

# types: i2 and i4 signed integers, f8 double, sN text of N bytes; an "i4xN" is a row of N integers
_CODES = {"i2": "h", "i4": "i", "f8": "d"}

# bytes from Anal_param_nano to the first pixel, the same in every image file
IMAGE_TAIL = 20028
# Mask_nano.version -> bytes of one B-field record, rows of its trolley table, bytes of a row
B_FIELD_SIZE = {2: 1784, 4: 1976, 8: 2648, 9: 2840, 10: 3128}
TROLLEY_TABLE = {2: (9, 192), 4: (10, 192), 8: (12, 192), 9: (12, 208), 10: (12, 208)}
# trolley -> (structure, prefix of its yield, background and dead time)
EM_BLOCKS = {
    **{t: ("Ap_secondary_nano", f"em{t}") for t in range(1, 6)},
    10: ("Anal_param_nano_bis", "em6"),
    11: ("Anal_param_nano_bis", "em7"),
}


@dataclass(frozen=True)
class Struct:
    """One C structure.

    ``size`` counts bytes with padding, ``fields`` maps a name to (offset, type).
    """

    size: int
    fields: Mapping[str, tuple[int, str]]


def _em(prefix: str, offset: int) -> dict[str, tuple[int, str]]:
    return {
        f"{prefix}_yield": (offset, "f8"),
        f"{prefix}_background": (offset + 8, "i4"),
        f"{prefix}_deadtime": (offset + 12, "i4"),
    }


def _mask_im(pointers: int) -> Struct:
    fields = {
        "filename": (0, "s16"),
        "anal_duration": (16, "i4"),
        "cycle_number": (20, "i4"),
        "nb_mass": (284, "i4"),
    }
    return Struct(288 + 4 * pointers, fields)


STRUCTS: dict[str, Struct] = {
    "Def_analysis": Struct(
        124,
        {
            "release": (0, "i4"),
            "analysis_type": (4, "i4"),
            "hdr_size": (8, "i4"),
            "sample_type": (12, "i4"),
            "data_present": (16, "i4"),
            "sple_pos_x": (20, "i4"),
            "sple_pos_y": (24, "i4"),
            "analysis_name": (28, "s32"),
            "username": (60, "s16"),
            "pos_z": (76, "i4"),
            "date": (92, "s16"),
            "hour": (108, "s16"),
        },
    ),
    "Mask_im_old": _mask_im(10),
    "Mask_im_v4108": _mask_im(60),
    "Polyatomique": Struct(
        144,
        {
            "flag_chiffre": (0, "i4"),
            "chiffre": (4, "i4"),
            "nb_elts": (8, "i4"),
            "nb_charges": (12, "i4"),
            "charge": (16, "s1"),
            "string": (17, "s64"),  # bytes 81 to 83 are padding, before tab_elts
            "tab_elts": (84, "i4x15"),
        },
    ),
    "Tab_mass": Struct(
        192,
        {
            "trolley_index": (0, "i4"),
            "type_mass": (4, "i4"),
            "mass_amu": (8, "f8"),
            "detector": (20, "i4"),
            "waiting_time": (24, "f8"),
            "counting_time": (32, "f8"),
            "mag_field": (44, "i4"),
        },
    ),
    "Cal_cond": Struct(96, {}),
    "Poly_list": Struct(24, {"structname": (0, "s16"), "nb_poly": (16, "i4")}),
    "Mask_nano": Struct(
        1552,
        {
            "version": (0, "i4"),
            "regulation": (4, "i4"),
            "mode": (8, "i4"),
            "nx_max": (28, "i4"),
            "ny_max": (32, "i4"),
            "nx_low": (36, "i4"),
            "nx_high": (40, "i4"),
            "ny_low": (44, "i4"),
            "ny_high": (48, "i4"),
            "nx_low_blank": (52, "i4"),
            "nx_high_blank": (56, "i4"),
            "ny_low_blank": (60, "i4"),
            "ny_high_blank": (64, "i4"),
            "scanning_mode": (76, "i4"),
            "nb_bfield": (96, "i4"),
        },
    ),
    # the head that all five versions of Tab_BField_nano share; the trolley rows follow it
    "Tab_BField_nano": Struct(
        56,
        {
            "selected": (0, "i4"),
            "b_field": (4, "i4"),
            "wait": (8, "i4"),
            "count_us_per_pixel": (12, "i4"),
            "count_s_per_point": (16, "f8"),
            "n_frames": (44, "i4"),
        },
    ),
    "Tab_Trolley_nano": Struct(
        192,
        {
            "symbol": (0, "s64"),
            "amu": (64, "f8"),
            "radius": (72, "f8"),
            "detector": (88, "i4"),
            "valid": (96, "i4"),
            "num": (100, "i4"),
        },
    ),
    "Anal_param_nano": Struct(
        1840,
        {
            "structname": (0, "s16"),
            "release": (16, "i4"),
            "n50_large": (20, "i4"),
            "comment": (32, "s256"),
        },
    ),
    "Ap_primary_nano": Struct(
        552,
        {
            "ion": (0, "s8"),
            "current_t0": (8, "i4"),
            "current_end": (12, "i4"),
            "d1_pos": (112, "i4"),
            "raster": (160, "f8"),  # after 4 bytes of alignment
            "oct45": (168, "f8"),
            "oct90": (176, "f8"),
            "e0p": (184, "f8"),
            "l0": (224, "i4"),
            "cs_hv": (228, "i4"),
            "duo_hv": (232, "i4"),
        },
    ),
    "Ap_secondary_nano": Struct(
        1000,
        {
            "e0w": (0, "f8"),
            **{k: v for t in range(1, 6) for k, v in _em(f"em{t}", 776 + 16 * t).items()},
        },
    ),
    "Def_analysis_bis": Struct(
        2048,
        {
            "magic": (0, "i4"),
            "release": (4, "i4"),
            "filename": (8, "s256"),
            "sample_name": (876, "s80"),
        },
    ),
    "Anal_param_nano_bis": Struct(
        15264, {"structname": (0, "s24"), **_em("em6", 112), **_em("em7", 216)}
    ),
    "Header_image": Struct(
        84,
        {
            "size_self": (0, "i4"),
            "type": (4, "i2"),
            "w": (6, "i2"),
            "h": (8, "i2"),
            "d": (10, "i2"),
            "n": (12, "i2"),
            "z": (14, "i2"),
            "raster": (16, "i4"),
            "nickname": (20, "s64"),
        },
    ),
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


def unpack(name: str, buffer: bytes | bytearray, offset: int, byte_order: str) -> dict[str, Any]:
    """Return the fields of the structure ``name`` that starts at ``offset``.

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

    Raises
    ------
    ValueError
        If the structure does not lie inside ``buffer``.
    """
    _check_inside(name, len(buffer), offset)
    return {
        field: _unpack_field(buffer, offset + place, kind, byte_order)
        for field, (place, kind) in STRUCTS[name].fields.items()
    }


def pack(
    name: str, buffer: bytearray, offset: int, byte_order: str, values: Mapping[str, Any]
) -> None:
    """Write fields of the structure ``name`` into ``buffer``, in place; see `unpack`.

    Text is cut so that a NUL always ends it.
    """
    _check_inside(name, len(buffer), offset)
    for field, value in values.items():
        place, kind = STRUCTS[name].fields[field]
        if kind[0] == "s":
            size = int(kind[1:])
            raw = value.encode("latin-1", "replace")[: max(size - 1, 1)]
            buffer[offset + place : offset + place + size] = raw.ljust(size, b"\0")
        else:
            row = value if "x" in kind else (value,)
            struct.pack_into(byte_order + _row_code(kind), buffer, offset + place, *row)


def _check_inside(name: str, size: int, offset: int) -> None:
    if offset < 0 or offset + STRUCTS[name].size > size:
        raise ValueError(f"{name} at offset {offset} does not fit into {size} bytes")


def _row_code(kind: str) -> str:
    base, _, count = kind.partition("x")
    return count + _CODES[base]


def _unpack_field(buffer: bytes | bytearray, place: int, kind: str, byte_order: str) -> Any:
    if kind[0] == "s":
        return clean_text(bytes(buffer[place : place + int(kind[1:])]))
    row = struct.unpack_from(byte_order + _row_code(kind), buffer, place)
    return list(row) if "x" in kind else row[0]
