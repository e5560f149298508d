"""Any valid header of a NanoSIMS file, from nested fields as `formats.im_tree` reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mfxarray.formats.im.layout import (
    B_FIELD_SIZE,
    B_FIELD_VERSIONS,
    STRUCTS,
    pack,
    vendor_names,
)
from mfxarray.formats.im.places import KINDS, TAIL_RECORDS, Kind

__all__ = ["RELEASES", "header_from"]

Content = Mapping[str, Any]

# Mask_nano.version -> release of the file, release of Anal_param_nano
RELEASES = {2: (5, 1), 4: (9, 4), 8: (11, 7), 9: (4108, 7), 10: (4108, 8)}
_LIST_KEYS = {
    "Poly_list": "polyatomic_ions",
    "Champs_list": "field_list",
    "Offset_list": "offset_list",
}
_UNUSED_TROLLEY = {"valid": 0, "num": -2}


def header_from(
    content: Content, *, analysis_type: int, version: int, order: str, fill: bytes = b"\0"
) -> bytes:
    """Return all bytes before the data.

    Parameters
    ----------
    content
        Records and fields under the names of `mfxarray.read_mims_header`; what is not given stays
        as ``fill`` made it. At least ``masses`` and ``b_fields``, one dict or more each.
    analysis_type
        A key of `im_places.KINDS`.
    version
        Layout: 2, 4, 8, 9 or 10.
    order
        Byte order, "<" or ">".
    fill
        Bytes, repeated, that stand wherever nothing is written.

    Notes
    -----
    Counts, markers, releases and lengths are written rightly whatever ``content`` says of them.
    """
    kind, (release, parameters) = KINDS[analysis_type], RELEASES[version]
    mask = kind.mask_struct(release)
    masses, b_fields = content["masses"], content["b_fields"]
    ions = content.get("polyatomic_ions", {}).get("species", [])
    table = STRUCTS["Def_analysis"].size + STRUCTS[mask].size
    lists = table + (STRUCTS[kind.mass].size + STRUCTS["Cal_cond"].size) * len(masses)
    nano = lists + STRUCTS["Poly_list"].size * len(kind.lists) + 144 * len(ions)
    first = nano + STRUCTS["Mask_nano"].size
    anchor = first + B_FIELD_SIZE[version] * len(b_fields)
    tail = 0 if kind.tail is None else STRUCTS[kind.tail].size
    size = anchor + TAIL_RECORDS["Anal_param_nano_bis"] + STRUCTS["Anal_param_nano_bis"].size + tail
    writer = _Writer(bytearray((fill * (size // len(fill) + 1))[:size]), order)
    counts = {"file_release": release, "analysis_type": analysis_type, "header_bytes": size}
    writer.put("Def_analysis", 0, content.get("definition", {}), counts)
    writer.put(mask, 124, content.get("mask", {}), {"mass_count": len(masses)})
    writer.put_masses(kind, table, masses, content.get("calibrations", ()))
    writer.put_lists(kind, lists, content, ions)
    counts = {"version": version, "b_field_count": len(b_fields)}
    writer.put("Mask_nano", nano, content.get("scan", {}), counts)
    for number, field in enumerate(b_fields):
        writer.put_b_field(version, first + B_FIELD_SIZE[version] * number, field)
    writer.put_tail(kind, anchor, content, parameters)
    return bytes(writer.buffer)


class _Writer:
    """A header under construction."""

    def __init__(self, buffer: bytearray, order: str) -> None:
        self.buffer = buffer
        self._order = order

    def put(self, name: str, place: int, values: Content, forced: Content | None = None) -> None:
        """Write a structure at a place; ``forced`` values win over those given."""
        known = vendor_names(name, {**values, **(forced or {})})
        pack(name, self.buffer, place, self._order, known)

    def put_masses(self, kind: Kind, table: int, masses: Any, calibrations: Any) -> None:
        """Write the table of masses and, behind it, their calibrations."""
        size, calibration = STRUCTS[kind.mass].size, STRUCTS["Cal_cond"].size
        place = table + size * len(masses)
        self.buffer[place : place + calibration * len(masses)] = bytes(calibration * len(masses))
        for number, mass in enumerate(masses):
            self.put(kind.mass, table + size * number, mass)
        for row in calibrations:
            self.put("Cal_cond", place + calibration * row["row"], row)

    def put_lists(self, kind: Kind, place: int, content: Content, ions: Any) -> None:
        """Write the lists behind the masses, one after the other; polyatomic ions follow theirs."""
        for name in kind.lists:
            own = content.get(_LIST_KEYS[name], {})
            rows = ions if name == "Poly_list" else ()
            values = {"marker": own.get("marker", name), "count": len(rows)}
            self.put(name, place, values)
            place += STRUCTS[name].size
            for ion in rows:
                self.put("Polyatomique", place, ion)
                place += STRUCTS["Polyatomique"].size

    def put_b_field(self, version: int, place: int, field: Content) -> None:
        """Write one record of a B field, with its trolleys and their pulse heights."""
        rows, width, heights, height = B_FIELD_VERSIONS[version]
        plain = {k: v for k, v in field.items() if k not in ("trolleys", "pulse_heights")}
        self.put("Tab_BField_nano", place, plain)
        self._put_rows(
            f"Tab_Trolley_nano_{width}", place + 56, rows, field["trolleys"], _UNUSED_TROLLEY
        )
        if heights:
            start, name = place + 56 + rows * width, f"PHD_Trolley_Nano_{height}"
            self._put_rows(name, start, heights, field.get("pulse_heights", ()), {"used": 0})

    def _put_rows(self, name: str, place: int, count: int, rows: Any, unused: Content) -> None:
        given = {row["row"]: row for row in rows}
        for number in range(count):
            start = place + STRUCTS[name].size * number
            if number in given:
                self.put(name, start, given[number])
            else:
                pack(name, self.buffer, start, self._order, unused)

    def put_tail(self, kind: Kind, anchor: int, content: Content, release: int) -> None:
        """Write the records from Anal_param_nano to the end of the header."""
        named = {"marker": "Anal_param_nano", "release": release}
        self.put("Anal_param_nano", anchor, content.get("parameters", {}), named)
        place = anchor + TAIL_RECORDS["Def_analysis_bis"]
        self.put("Def_analysis_bis", place, content.get("sample", {}), {"magic": 2306})
        for name in ("Anal_param", "Setup_soft"):
            self.put(name, anchor + TAIL_RECORDS[name], {"marker": name})
        place = anchor + TAIL_RECORDS["Anal_param_nano_bis"]
        if release >= 5:  # before, the space was there but not used
            named = {"marker": "Anal_param_nano_bis"}
            self.put("Anal_param_nano_bis", place, content.get("detectors", {}), named)
        last = len(self.buffer) - (0 if kind.tail is None else STRUCTS[kind.tail].size)
        if kind.tail == "Header_image":
            self.put(kind.tail, last, content.get("image", {}), {"size": 84})
        elif kind.tail is not None:
            self.put(kind.tail, last, content.get("isotopes", {}))
