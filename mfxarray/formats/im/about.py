"""What the names in a nested NanoSIMS header mean: for every record, the structure it came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mfxarray.formats.im.layout import B_FIELD_VERSIONS, STRUCTS, Field
from mfxarray.formats.im.places import KINDS

__all__ = ["ROOT", "about", "record_of", "vendor_tree"]

# the name of the outermost record, which is no structure
ROOT = "header"

_FIXED = {
    "definition": "Def_analysis",
    "calibrations": "Cal_cond",
    "polyatomic_ions": "Poly_list",
    "field_list": "Champs_list",
    "offset_list": "Offset_list",
    "scan": "Mask_nano",
    "parameters": "Anal_param_nano",
    "sample": "Def_analysis_bis",
    "detectors": "Anal_param_nano_bis",
    "image": "Header_image",
    "isotopes": "Isotope_header",
}
_MEANINGS = {
    "byte_order": "< little-endian, > big-endian",
    "analysis_kind": "type of the analysis in words",
    "definition": "what was analysed, where, when, by whom",
    "mask": "plan of the acquisition",
    "masses": "the species that were counted",
    "calibrations": "calibration of the masses",
    "polyatomic_ions": "list of ions",
    "field_list": "list of fields",
    "offset_list": "list of offsets",
    "scan": "raster, frames and centring",
    "b_fields": "magnetic fields with their trolleys",
    "parameters": "comment and both beams",
    "sample": "sample, file and experiment",
    "detectors": "further detectors, slits and presets",
    "image": "shape of the pixels",
    "isotopes": "blocks and ratios of a spot analysis",
    "warnings": "what was not read, and why",
}
# what the reader adds to the vendor's fields
_ADDED = {
    ("row", None): Field("", 0, "i4", 1, "row", "1", "row of the table, from 0"),
    ("species", "Poly_list"): Field("", 0, "Polyatomique", 2, "species", "", "the ions"),
}


def record_of(tree: Mapping[str, Any], name: str) -> str | None:
    """Return the structure from which the record ``name`` of a whole header came."""
    if name in _FIXED:
        return _FIXED[name]
    if name == "b_fields":
        version = _number(tree, "scan", "version")
        known = version in B_FIELD_VERSIONS
        return f"Tab_BField_nano_v{version}" if known else "Tab_BField_nano"
    kind = KINDS.get(_number(tree, "definition", "analysis_type"))
    if kind is None:
        return None
    if name == "mask":
        return kind.mask_struct(_number(tree, "definition", "file_release"))
    return kind.mass if name == "masses" else None


def _number(tree: Mapping[str, Any], record: str, name: str) -> int:
    """Return a number of a tree that may come from anywhere, -1 where there is none."""
    inside = tree.get(record)
    value = inside.get(name) if isinstance(inside, Mapping) else None
    return value if isinstance(value, int) else -1


def about(record: str | None, name: str) -> Field | None:
    """Return unit, meaning and original name of a field of a record, None where it is not known."""
    if record == ROOT:
        return Field("", 0, "c", 1, name, "", _MEANINGS[name]) if name in _MEANINGS else None
    if record in STRUCTS:
        for field in STRUCTS[record].fields.values():
            if field.name == name:
                return field
    return _ADDED.get((name, None)) or _ADDED.get((name, str(record)))


def vendor_tree(values: Mapping[str, Any], record: str | None) -> dict[str, Any]:
    """Return the same tree under the vendor's names; what the reader added keeps its name."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        inside = record_of(values, name) if record == ROOT else None
        known = about(record, name)
        if record == ROOT:
            key = inside or name
        else:
            key = known.original or name if known else name
            inside = known.kind if known and known.nested else None
        if isinstance(value, Mapping):
            found[key] = vendor_tree(value, inside)
        elif isinstance(value, list):
            found[key] = [
                vendor_tree(row, inside) if isinstance(row, Mapping) else row for row in value
            ]
        else:
            found[key] = value
    return found
