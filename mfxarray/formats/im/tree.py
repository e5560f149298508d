"""The whole header of a NanoSIMS file of any type of analysis, nested, under readable names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mfxarray.errors import DataError
from mfxarray.formats.im.fields import believed
from mfxarray.formats.im.layout import B_FIELD_VERSIONS, STRUCTS, unpack
from mfxarray.formats.im.places import (
    ANALYSIS_KINDS,
    KINDS,
    TAIL_RECORDS,
    HeaderFault,
    Kind,
    MassPlace,
    SettingsPlace,
    find_anchor,
    find_masses,
    find_settings,
)
from mfxarray.formats.sources import FileSource

__all__ = ["header_json", "read_head", "read_tree", "tree_of"]

_HEAD = STRUCTS["Def_analysis"].size
_MAX_HEADER = 10 * 2**20
_LIST_KEYS = {
    "Poly_list": "polyatomic_ions",
    "Champs_list": "field_list",
    "Offset_list": "offset_list",
}


def read_head(source: FileSource) -> tuple[bytes, str]:
    """Return the bytes before the data, and the byte order "<" or ">".

    Raises
    ------
    DataError
        If the file is of another kind or ends inside the header.
    """
    source.require(0, _HEAD)
    start = source.read(0, _HEAD)
    for order in "<>":
        head = unpack("Def_analysis", start, 0, order)
        kind, size = head["analysis_type"], head["hdr_size"]
        if 20 <= kind <= 60 and _HEAD <= size < _MAX_HEADER:
            source.require(0, size)
            return source.read(0, size), order
    raise DataError(
        "is not a file of the NanoSIMS software: no analysis type and header length in "
        "either byte order",
        path=source.path,
        place="offset 4",
    )


def read_tree(source: FileSource) -> dict[str, Any]:
    """Return everything that the header says; see `tree_of` and `read_head`."""
    return tree_of(*read_head(source))


def header_json(header: bytes, order: str) -> str:
    """Return what `tree_of` returns as compact JSON text: 9 to 17 kB for one B field."""
    tree = tree_of(header, order)
    return json.dumps(tree, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def tree_of(header: bytes, order: str) -> dict[str, Any]:
    """Return everything that a header says, nested.

    Parameters
    ----------
    header
        The bytes before the data, at least 124.
    order
        Byte order, "<" or ">".

    Returns
    -------
    dict
        JSON-able. Records are left out where they do not exist or do not fit together; the list
        "warnings" then says why. Fields are left out where the release of the file does not have
        them or their value cannot be one.
    """
    gates = {"file": unpack("Def_analysis", header, 0, order)["release"]}
    definition = believed("Def_analysis", header, 0, order, gates)
    number = unpack("Def_analysis", header, 0, order)["analysis_type"]
    tree: dict[str, Any] = {
        "byte_order": order,
        "analysis_kind": ANALYSIS_KINDS.get(number, "unknown"),
        "definition": definition,
    }
    kind = KINDS.get(number)
    warnings: list[str] = []
    try:
        tree |= _from_start(header, order, kind, gates, warnings)
    except HeaderFault as fault:
        warnings.append(f"the masses and settings were not read: {fault}")
    try:
        tree |= _from_end(header, order, find_anchor(header, kind), gates)
    except HeaderFault as fault:
        warnings.append(f"the instrument's parameters were not read: {fault}")
    tree |= _last(header, order, kind, gates, warnings)
    tree["warnings"] = list(dict.fromkeys(warnings))
    return tree


def _from_start(
    header: bytes, order: str, kind: Kind | None, gates: dict[str, int], warnings: list[str]
) -> dict[str, Any]:
    """Return the records from the mask to the B fields."""
    if kind is None:
        raise HeaderFault("the mask of this type of analysis is not documented")
    masses = find_masses(header, order, kind, gates["file"])
    try:
        place = find_settings(header, order, kind, masses)
    except HeaderFault as fault:
        # without the sum of all records, only the name of the next one vouches for the table
        if unpack("Poly_list", header, masses.end, order)["structname"] != "Poly_list":
            raise
        warnings.append(f"the scan and the B fields were not read: {fault}")
        return _masses(header, order, masses, gates)
    gates["nano"] = place.version
    return {
        **_masses(header, order, masses, gates),
        **_lists(header, order, place, gates),
        "scan": believed("Mask_nano", header, place.nano, order, gates),
        "b_fields": [
            _b_field(header, order, place.first + i * place.size, place, gates)
            for i in range(place.count)
        ],
    }


def _masses(
    header: bytes, order: str, place: MassPlace, gates: Mapping[str, int]
) -> dict[str, Any]:
    size, calibration = STRUCTS[place.mass].size, STRUCTS["Cal_cond"].size
    rows = range(place.count)
    found = {
        "mask": believed(place.mask, header, _HEAD, order, gates),
        "masses": [
            believed(place.mass, header, place.table + i * size, order, gates) for i in rows
        ],
    }
    known = {
        i: believed("Cal_cond", header, place.calibrations + i * calibration, order, gates)
        for i in rows
    }
    # the label alone is no calibration: the numbers discredited each other
    used = [{"row": i, **row} for i, row in known.items() if "reference_mass" in row]
    return {**found, "calibrations": used} if used else found


def _lists(
    header: bytes, order: str, place: SettingsPlace, gates: Mapping[str, int]
) -> dict[str, Any]:
    found = {
        _LIST_KEYS[name]: believed(name, header, start, order, gates)
        for name, start in place.lists.items()
    }
    first, size = place.lists["Poly_list"] + STRUCTS["Poly_list"].size, 144
    if place.ions:
        found["polyatomic_ions"]["species"] = [
            believed("Polyatomique", header, first + i * size, order, gates)
            for i in range(place.ions)
        ]
    return found


def _b_field(
    header: bytes, order: str, start: int, place: SettingsPlace, gates: Mapping[str, int]
) -> dict[str, Any]:
    if place.version not in B_FIELD_VERSIONS:
        return believed("Tab_BField_nano", header, start, order, gates)
    found = believed(f"Tab_BField_nano_v{place.version}", header, start, order, gates)
    trolleys = [{"row": i, **row} for i, row in enumerate(found["trolleys"])]
    found["trolleys"] = [
        row for row in trolleys if row.get("valid") == 1 or row.get("mass_index", -1) >= 0
    ]
    heights = [{"row": i, **row} for i, row in enumerate(found.pop("pulse_heights", []))]
    used = [row for row in heights if row.get("used") == 1]
    return {**found, "pulse_heights": used} if used else found


def _from_end(header: bytes, order: str, anchor: int, gates: dict[str, int]) -> dict[str, Any]:
    """Return the records from Anal_param_nano on."""
    gates["parameters"] = _one("Anal_param_nano", "release", header, anchor, order)
    found = {"parameters": believed("Anal_param_nano", header, anchor, order, gates)}
    place = anchor + TAIL_RECORDS["Def_analysis_bis"]
    if _one("Def_analysis_bis", "magic", header, place, order) == 2306:
        found["sample"] = believed("Def_analysis_bis", header, place, order, gates)
    place = anchor + TAIL_RECORDS["Anal_param_nano_bis"]
    name = _one("Anal_param_nano_bis", "structname", header, place, order)
    # earlier releases have the space, but neither a name nor values in it
    if gates["parameters"] >= 5 and name == "Anal_param_nano_bis":
        found["detectors"] = believed("Anal_param_nano_bis", header, place, order, gates)
    return found


def _one(record: str, field: str, header: bytes, place: int, order: str) -> Any:
    return unpack(record, header, place, order, only=(field,))[field]


def _last(
    header: bytes, order: str, kind: Kind | None, gates: Mapping[str, int], warnings: list[str]
) -> dict[str, Any]:
    """Return the last record, which some types have."""
    if kind is None or kind.tail is None:
        return {}
    place = len(header) - STRUCTS[kind.tail].size
    if place < _HEAD:
        warnings.append(f"the header is too short for {kind.tail}")
        return {}
    record = believed(kind.tail, header, place, order, gates)
    if kind.tail == "Isotope_header":
        return {"isotopes": record}
    if record.get("size") != STRUCTS[kind.tail].size:
        warnings.append("the image header was not read: its first number is not its size, 84")
        return {}
    return {"image": record}
