"""What the header of a NanoSIMS image says, checked before it is believed.

Offsets are computed from the counts in the header, never searched for, because left-over memory
between the records holds stray copies of the markers. The sum of all record sizes must meet the
marker ``Anal_param_nano`` a fixed distance before the first pixel; where it does not, only the
fields at fixed places are used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mfxarray.formats.im_layout import (
    B_FIELD_SIZE,
    EM_BLOCKS,
    IMAGE_TAIL,
    STRUCTS,
    TROLLEY_TABLE,
    mass_pointers,
    unpack,
)

__all__ = ["HeaderFault", "Masses", "Parameters", "iso_date", "read_masses", "read_parameters"]

_NOT_MEASURED = 2147483647
_MAX_B_FIELDS = 72  # as many pointers as Mask_nano has
_BIS = 4680  # from Anal_param_nano to Anal_param_nano_bis


class HeaderFault(Exception):  # noqa: N818 - carried to the user as a warning, not as an error
    """A part of the header that contradicts itself."""


@dataclass(frozen=True)
class Masses:
    """The mass table and what stands at fixed places around it.

    Attributes
    ----------
    rows
        Fields of Tab_mass, with the label as ``symbol``.
    end
        Byte after the table and its calibration records.
    next_name
        Name of the record that follows, "Poly_list" or empty.
    duration_s, planned
        Length of the analysis in seconds and planned number of frames.
    """

    rows: tuple[dict[str, Any], ...]
    end: int
    next_name: str
    duration_s: int
    planned: int


@dataclass(frozen=True)
class Parameters:
    """The instrument's settings.

    Attributes
    ----------
    nano
        Fields of Mask_nano.
    b_fields
        One dict a B field: the head, and ``trolleys`` as a list of rows in use.
    attrs
        The settings as JSON-able attributes; absent where the file has no valid value.
    em
        Trolley -> (yield in percent, background in counts/s, dead time in ns).
    raster_um
        Full raster in micrometres, None where it is not valid.
    """

    nano: dict[str, Any]
    b_fields: list[dict[str, Any]]
    attrs: dict[str, Any]
    em: dict[int, tuple[float, int, int]]
    raster_um: float | None


def read_masses(header: bytes, order: str, release: int) -> Masses:
    """Return the mass table.

    Raises
    ------
    HeaderFault
        If the number of masses or a mass cannot be right.
    """
    mask_name = "Mask_im_old" if mass_pointers(release) == 10 else "Mask_im_v4108"
    start = STRUCTS["Def_analysis"].size
    if start + STRUCTS[mask_name].size > len(header):
        raise HeaderFault("the header ends before the mass table")
    mask = unpack(mask_name, header, start, order)
    table, count = start + STRUCTS[mask_name].size, mask["nb_mass"]
    end = table + 288 * count
    if not 1 <= count <= mass_pointers(release) or end + 24 > len(header):
        raise HeaderFault(f"the mass table cannot hold {count} masses")
    rows = tuple(_mass(header, table + 192 * i, order) for i in range(count))
    follower = unpack("Poly_list", header, end, order)["structname"]
    return Masses(rows, end, follower, mask["anal_duration"], mask["cycle_number"])


def _mass(header: bytes, place: int, order: str) -> dict[str, Any]:
    row = unpack("Tab_mass", header, place, order)
    row["symbol"] = unpack("Polyatomique", header, place + 48, order)["string"]
    if not 0.0 <= row["mass_amu"] < 1e4:
        raise HeaderFault(f"a mass of {row['mass_amu']:g} u stands in the mass table")
    return row


def read_parameters(header: bytes, order: str, masses: Masses) -> Parameters:
    """Return the settings that follow the mass table.

    Raises
    ------
    HeaderFault
        If the records do not add up to the length of the header.
    """
    nano, first, size, anchor = _locate(header, order, masses.end)
    b_fields = [
        _b_field(header, first + i * size, order, nano["version"], size)
        for i in range(nano["nb_bfield"])
    ]
    param = unpack("Anal_param_nano", header, anchor, order)
    primary = unpack("Ap_primary_nano", header, anchor + 288, order)
    secondary = unpack("Ap_secondary_nano", header, anchor + 840, order)
    more = unpack("Def_analysis_bis", header, anchor + 1840, order)
    bis = unpack("Anal_param_nano_bis", header, anchor + _BIS, order)
    attrs = {
        "nano_version": nano["version"],
        "comment": param["comment"],
        "primary_ion": primary["ion"] or None,
        "primary_current_pa": _currents(primary),
        "polarity": _polarity(secondary["e0w"]),
        "sample": more["sample_name"] if more["magic"] == 2306 else None,
        "b_fields": b_fields,
        "dwell_time_s": _dwell(b_fields),
    }
    raster = primary["raster"]
    return Parameters(
        nano,
        b_fields,
        {key: value for key, value in attrs.items() if value is not None},
        _multipliers(secondary, bis),
        raster if 0.0 < raster < 1e5 else None,
    )


def _locate(header: bytes, order: str, lists: int) -> tuple[dict[str, Any], int, int, int]:
    """Return Mask_nano, the first byte and the size of the B-field records, the anchor."""
    anchor = len(header) - IMAGE_TAIL
    if anchor < 0 or header[anchor : anchor + 15] != b"Anal_param_nano":
        raise HeaderFault(f"Anal_param_nano is not at byte {anchor}, where it belongs")
    count = unpack("Poly_list", header, lists, order)["nb_poly"]
    place = lists + 24 + 144 * count
    first = place + STRUCTS["Mask_nano"].size
    if count < 0 or first > anchor:
        raise HeaderFault(f"the list of polyatomic ions cannot hold {count}")
    nano = unpack("Mask_nano", header, place, order)
    number = nano["nb_bfield"]
    if not 1 <= number <= _MAX_B_FIELDS:
        raise HeaderFault(f"{number} B fields are claimed")
    size, rest = divmod(anchor - first, number)
    if rest or size < 56 or size != B_FIELD_SIZE.get(nano["version"], size):
        raise HeaderFault(
            f"{number} B-field records of layout version {nano['version']} do not fill "
            f"the {anchor - first} bytes before Anal_param_nano"
        )
    return nano, first, size, anchor


def _b_field(header: bytes, place: int, order: str, version: int, size: int) -> dict[str, Any]:
    head = unpack("Tab_BField_nano", header, place, order)
    field: dict[str, Any] = {
        "selected": head["selected"] == 1,
        "dac": head["b_field"],
        "wait_us": head["wait"],
        "dwell_us": head["count_us_per_pixel"],
    }
    if version >= 4:  # before, n_frames was not written
        field["n_frames"] = head["n_frames"]
    rows, stride = TROLLEY_TABLE.get(version, (0, 0))
    found = [
        unpack("Tab_Trolley_nano", header, place + 56 + i * stride, order) for i in range(rows)
    ]
    field["trolleys"] = [
        {
            "index": index,
            "mass_index": row["num"],
            "symbol": row["symbol"],
            "mass_u": _finite(row["amu"]),
            "radius_mm": _finite(row["radius"]),
        }
        for index, row in enumerate(found)
        if row["valid"] == 1 and row["num"] >= 0
    ]
    return field


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _dwell(b_fields: list[dict[str, Any]]) -> float | None:
    chosen = next((field for field in b_fields if field["selected"]), b_fields[0])
    return float(chosen["dwell_us"] / 1e6) if chosen["dwell_us"] > 0 else None


def _currents(primary: dict[str, Any]) -> list[int] | None:
    start, end = primary["current_t0"], primary["current_end"]
    if not 0 <= start < _NOT_MEASURED:
        return None
    return [start, end] if 0 <= end < _NOT_MEASURED else [start]


def _polarity(e0w: float) -> str | None:
    if not 0.0 < abs(e0w) < 1e5:
        return None
    return "-" if e0w < 0 else "+"


def _multipliers(
    secondary: dict[str, Any], bis: dict[str, Any]
) -> dict[int, tuple[float, int, int]]:
    # releases before 6 leave the space of the second block unnamed and unfilled
    blocks = {"Ap_secondary_nano": secondary}
    if bis["structname"] == "Anal_param_nano_bis":
        blocks["Anal_param_nano_bis"] = bis
    found = {}
    for trolley, (block, prefix) in EM_BLOCKS.items():
        values = blocks.get(block)
        if values is None:
            continue
        efficiency = values[f"{prefix}_yield"]
        background, dead = values[f"{prefix}_background"], values[f"{prefix}_deadtime"]
        if 0.0 < efficiency <= 200.0 and 0 <= background < 10**7 and 0 <= dead < 10**5:
            found[trolley] = (efficiency, background, dead)
    return found


def iso_date(date: str, hour: str) -> str | None:
    """Return "YYYY-MM-DDThh:mm" of "dd.mm.yy" and "hh:mm", None where it is no date.

    Two-digit years 69 to 99 are 19xx, 00 to 68 are 20xx. The time zone is not known.
    """
    for pattern in ("%d.%m.%y %H:%M", "%d.%m.%Y %H:%M"):
        try:
            return datetime.strptime(f"{date} {hour}", pattern).isoformat(timespec="minutes")
        except ValueError:
            continue
    return None
