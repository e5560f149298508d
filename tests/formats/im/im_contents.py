"""Random contents of NanoSIMS headers, built from nothing but the tables of structures."""

from __future__ import annotations

import random
import string
from typing import Any

from hypothesis import strategies as st

from mfxarray.formats.im.layout import B_FIELD_VERSIONS, STRUCTS, Field
from mfxarray.formats.im.places import ANALYSIS_KINDS, KINDS

__all__ = ["FILLS", "VERSIONS", "absent_left_out", "contents", "expected_tree", "random_content"]

VERSIONS = (2, 4, 8, 9, 10)
# file and Anal_param_nano release of each, from spec/mims.md section 1.3
RELEASES = {2: (5, 1), 4: (9, 4), 8: (11, 7), 9: (4108, 7), 10: (4108, 8)}
FILLS = (b"\0", b"\xcc", b"\xff", b"Poly_list\0\0\0\0\0\0\0", b"Anal_param_nano\0", b"\x7f\x01\x9a")

_TEXT = string.ascii_letters + string.digits + "äöüµ°éñ<>&\"'/+-_.;:()[]"
_WHOLE = {"i2": 2**15 - 1, "i4": 2**31 - 2}
_UNSET = {-13108, -858993460, -(2**31)}
_COUNTS = {"nb_elts": 5, "nb_ratio": 20, "nb_param": 20}


def random_content(rng: random.Random, analysis_type: int, version: int) -> dict[str, Any]:
    """Return a content for `simulate.im_records.header_from`, every field of it given."""
    kind, (release, _) = KINDS[analysis_type], RELEASES[version]
    count = rng.randint(1, 6)
    content: dict[str, Any] = {
        "definition": record(rng, "Def_analysis"),
        "mask": record(rng, kind.mask_struct(release)),
        "masses": [record(rng, kind.mass) for _ in range(count)],
        "polyatomic_ions": {"species": [record(rng, "Polyatomique") for _ in range(_few(rng))]},
        "scan": record(rng, "Mask_nano"),
        "b_fields": [b_field(rng, version) for _ in range(rng.randint(1, 3))],
        "parameters": record(rng, "Anal_param_nano"),
        "sample": record(rng, "Def_analysis_bis"),
        "detectors": record(rng, "Anal_param_nano_bis"),
    }
    known = rng.sample(range(count), rng.randint(0, count))
    content["calibrations"] = [{"row": i, **record(rng, "Cal_cond")} for i in sorted(known)]
    if kind.tail is not None:
        content["image" if kind.tail == "Header_image" else "isotopes"] = record(rng, kind.tail)
    return content


def b_field(rng: random.Random, version: int) -> dict[str, Any]:
    rows, width, heights, height = B_FIELD_VERSIONS[version]
    found = record(rng, "Tab_BField_nano")
    used = sorted(rng.sample(range(rows), rng.randint(1, rows)))
    found["trolleys"] = [
        {"row": i, **record(rng, f"Tab_Trolley_nano_{width}"), "valid": 1} for i in used
    ]
    used = sorted(rng.sample(range(heights), rng.randint(0, heights)))
    found["pulse_heights"] = [
        {"row": i, **record(rng, f"PHD_Trolley_Nano_{height}"), "used": 1} for i in used
    ]
    return found


def record(rng: random.Random, name: str) -> dict[str, Any]:
    """Return random values for all fields of a structure."""
    fields = [field for field in STRUCTS[name].fields.values() if field.name]
    found = {field.name: value(rng, field) for field in fields}
    for field in fields:
        if field.used:
            found[field.name] = found[field.name][: number_used(rng, name, field, found)]
    return found


def number_used(rng: random.Random, name: str, field: Field, found: dict[str, Any]) -> int:
    *path, last = field.used.split(".")
    number = rng.randint(0, _COUNTS[last])
    if path:
        found["preset"]["parameter_count"] = number
    else:
        found[STRUCTS[name].fields[last].name] = number
    return number * field.each


def value(rng: random.Random, field: Field) -> Any:
    if field.kind == "c":
        return text(rng, field.count)
    values = [single(rng, field) for _ in range(field.count if field.count <= 40 else 20)]
    return values if field.count > 1 else values[0]


def single(rng: random.Random, field: Field) -> Any:
    if field.nested:
        return record(rng, field.kind)
    if field.kind == "f8":
        low, high = field.valid or (-1e12, 1e12)
        found = rng.choice([rng.uniform(low, high), rng.uniform(low, min(high, low + 1))])
        return found if abs(found) > 1e-30 else 0.5
    most = _WHOLE[field.kind]
    low, high = field.valid or (-most, most)
    found = rng.choice([rng.randint(int(low), int(min(high, most))), int(max(low, 0))])
    return found if found not in _UNSET else 1


def text(rng: random.Random, size: int) -> str:
    if size == 1:
        return rng.choice(["", "+", "-"])
    length = rng.choice([0, rng.randint(0, size - 1), size - 1])
    words = "".join(rng.choice(_TEXT) for _ in range(length))
    return f"{words[: length // 2]} {words[length // 2 + 1 :]}".strip(" ")


def _few(rng: random.Random) -> int:
    return rng.choice([0, 0, 1, 3])


def absent_left_out(values: dict[str, Any], name: str, gates: dict[str, int]) -> dict[str, Any]:
    """Return a record without the fields that its release does not have."""
    found = {}
    for field in STRUCTS[name].fields.values():
        if field.name not in values:
            continue
        if field.since is not None and gates[field.since[0]] < field.since[1]:
            continue
        inside = values[field.name]
        if field.nested:
            rows = inside if isinstance(inside, list) else [inside]
            pruned = [absent_left_out(row, field.kind, gates) for row in rows]
            inside = pruned if isinstance(inside, list) else pruned[0]
        found[field.name] = inside
    return {**{k: v for k, v in values.items() if k == "row"}, **found}


def expected_tree(
    content: dict[str, Any], analysis_type: int, version: int, order: str, size: int
) -> dict[str, Any]:
    """Return what a reader must make of a content, from the documented rules alone."""
    kind, (release, parameters) = KINDS[analysis_type], RELEASES[version]
    gates = {"file": release, "nano": version, "parameters": parameters}
    masses, fields = content["masses"], content["b_fields"]
    definition = {"file_release": release, "analysis_type": analysis_type, "header_bytes": size}
    ions = content["polyatomic_ions"]["species"]
    tree: dict[str, Any] = {
        "byte_order": order,
        "analysis_kind": ANALYSIS_KINDS[analysis_type],
        "definition": {**content["definition"], **definition},
        "mask": {**content["mask"], "mass_count": len(masses)},
        "masses": masses,
        "polyatomic_ions": {"marker": "Poly_list", "count": len(ions)},
        "scan": absent_left_out(content["scan"], "Mask_nano", gates)
        | {"version": version, "b_field_count": len(fields)},
        "b_fields": [_expected_b_field(field, version, gates) for field in fields],
        "parameters": absent_left_out(content["parameters"], "Anal_param_nano", gates)
        | {"marker": "Anal_param_nano", "release": parameters},
        "sample": {**content["sample"], "magic": 2306},
        "warnings": [],
    }
    if ions:
        tree["polyatomic_ions"]["species"] = ions
    if content["calibrations"]:
        tree["calibrations"] = content["calibrations"]
    if parameters >= 5:
        tree["detectors"] = absent_left_out(content["detectors"], "Anal_param_nano_bis", gates)
        tree["detectors"]["marker"] = "Anal_param_nano_bis"
    if len(kind.lists) == 3:
        tree["field_list"] = {"marker": "Champs_list", "count": 0}
        tree["offset_list"] = {"marker": "Offset_list", "count": 0}
    if "image" in content:
        tree["image"] = {**content["image"], "size": 84}
    if "isotopes" in content:
        tree["isotopes"] = content["isotopes"]
    return tree


def _expected_b_field(field: dict[str, Any], version: int, gates: dict[str, int]) -> dict[str, Any]:
    width = B_FIELD_VERSIONS[version][1]
    found = absent_left_out(field, f"Tab_BField_nano_v{version}", gates)
    found["trolleys"] = [
        absent_left_out(row, f"Tab_Trolley_nano_{width}", gates) for row in field["trolleys"]
    ]
    found.pop("pulse_heights", None)
    return found | ({"pulse_heights": field["pulse_heights"]} if field["pulse_heights"] else {})


@st.composite
def contents(draw: st.DrawFn) -> tuple[dict[str, Any], int, int, str, bytes]:
    """Return content, analysis type, version, byte order and fill of a random valid header."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    kind, version = draw(st.sampled_from(sorted(KINDS))), draw(st.sampled_from(VERSIONS))
    order, fill = draw(st.sampled_from("<>")), draw(st.sampled_from(FILLS))
    return random_content(rng, kind, version), kind, version, order, fill
