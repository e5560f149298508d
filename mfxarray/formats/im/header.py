"""What the header of a NanoSIMS image says about its data, checked before it is believed.

The places come from `im_places`; everything else that a header holds is in `im_tree`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mfxarray.formats.im.layout import B_FIELD_VERSIONS, EM_BLOCKS, STRUCTS, unpack
from mfxarray.formats.im.places import (
    KINDS,
    TAIL_RECORDS,
    HeaderFault,
    SettingsPlace,
    find_masses,
    find_settings,
)

__all__ = ["HeaderFault", "Masses", "Parameters", "iso_date", "read_masses", "read_parameters"]

_NOT_MEASURED = 2147483647
_OF_THE_BIS = [f"em{n}_{what}" for n in (6, 7) for what in ("yield", "background", "deadtime")]
_OF_THE_BIS.append("structname")


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
    start = STRUCTS["Def_analysis"].size
    number = unpack("Def_analysis", header, 0, order)["analysis_type"]
    if number not in KINDS:
        raise HeaderFault(f"the mask of analysis type {number} is not documented")
    place = find_masses(header, order, KINDS[number], release)
    mask = unpack(place.mask, header, start, order)
    size = STRUCTS[place.mass].size
    rows = tuple(
        _mass(place.mass, header, place.table + size * i, order) for i in range(place.count)
    )
    follower = unpack("Poly_list", header, place.end, order)["structname"]
    planned = mask.get("cycle_number", mask.get("nb_cycle", 0))
    return Masses(rows, place.end, follower, mask.get("anal_duration", 0), planned)


def _mass(name: str, header: bytes, place: int, order: str) -> dict[str, Any]:
    row = unpack(name, header, place, order)
    row["symbol"] = row["poly"]["string"]
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
    definition = unpack("Def_analysis", header, 0, order)
    kind, release = KINDS[definition["analysis_type"]], definition["release"]
    place = find_settings(header, order, kind, find_masses(header, order, kind, release))
    nano = unpack("Mask_nano", header, place.nano, order)
    b_fields = [
        _b_field(header, place.first + i * place.size, order, place) for i in range(place.count)
    ]
    param = unpack("Anal_param_nano", header, place.anchor, order)
    start = place.anchor + TAIL_RECORDS["Def_analysis_bis"]
    more = unpack("Def_analysis_bis", header, start, order, ("magic", "sample_name"))
    start = place.anchor + TAIL_RECORDS["Anal_param_nano_bis"]
    bis = unpack("Anal_param_nano_bis", header, start, order, _OF_THE_BIS)
    primary, secondary = param["primary"], param["secondary"]
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


def _b_field(header: bytes, start: int, order: str, place: SettingsPlace) -> dict[str, Any]:
    known = place.version in B_FIELD_VERSIONS
    name = f"Tab_BField_nano_v{place.version}" if known else "Tab_BField_nano"
    record = unpack(name, header, start, order)
    field: dict[str, Any] = {
        "selected": record["selected"] == 1,
        "dac": record["b_field"],
        "wait_us": record["wait"],
        "dwell_us": record["count_us_per_pixel"],
    }
    if place.version >= 4:  # before, n_frames was not written
        field["n_frames"] = record["n_frames"]
    field["trolleys"] = [
        {
            "index": index,
            "mass_index": row["num"],
            "symbol": row["symbol"],
            "mass_u": _finite(row["amu"]),
            "radius_mm": _finite(row["radius"]),
        }
        for index, row in enumerate(record.get("trolleys", []))
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
