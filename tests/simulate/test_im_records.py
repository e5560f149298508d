"""Headers of every version, order and type, written and read back field by field."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from mfxarray.formats.im.layout import STRUCTS, pack, unpack, vendor_names
from mfxarray.formats.im.places import KINDS
from mfxarray.formats.im.tree import header_json, tree_of
from mfxarray.simulate.im_records import header_from
from tests.formats.im.im_contents import (
    FILLS,
    VERSIONS,
    contents,
    expected_tree,
    random_content,
    record,
)


@settings(max_examples=70, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(contents())
def test_any_header_is_read_back_field_by_field(case: tuple[Any, ...]) -> None:
    content, kind, version, order, fill = case
    raw = header_from(content, analysis_type=kind, version=version, order=order, fill=fill)
    known = expected_tree(content, kind, version, order, len(raw))
    found = tree_of(raw, order)
    assert set(found) == set(known)
    for name, value in known.items():
        assert found[name] == value, name
    assert json.loads(header_json(raw, order)) == known


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_version_order_and_type(version: int, order: str, kind: int) -> None:
    for seed, fill in enumerate(FILLS[::2]):
        content = random_content(random.Random(seed), kind, version)
        raw = header_from(content, analysis_type=kind, version=version, order=order, fill=fill)
        assert tree_of(raw, order) == expected_tree(content, kind, version, order, len(raw))


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_is_read_from_between_the_fields(version: int) -> None:
    content = random_content(random.Random(9), 27, version)
    trees = []
    for fill in FILLS:
        raw = header_from(content, analysis_type=27, version=version, order="<", fill=fill)
        trees.append(tree_of(raw, "<"))
    assert all(tree == trees[0] for tree in trees)


@pytest.mark.parametrize("name", STRUCTS)
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_structure_survives_alone(name: str, order: str) -> None:
    values = vendor_names(name, record(random.Random(name), name))
    buffer = bytearray(b"\xcc" * (STRUCTS[name].size + 7))
    pack(name, buffer, 7, order, values)
    found = unpack(name, buffer, 7, order)
    for key, value in values.items():
        cut = found[key][: len(value)] if isinstance(value, list) else found[key]
        if STRUCTS[name].fields[key].nested:
            continue  # compared field by field through the whole header
        assert cut == value, key
    assert buffer[:7] == b"\xcc" * 7


@pytest.mark.realdata
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("order", ["<", ">"])
def test_fields_lie_where_the_published_layout_says(
    data_dir: Path, version: int, order: str
) -> None:
    layout = json.loads((data_dir / "mims" / "im_layout.json").read_text())
    content = random_content(random.Random(version), 27, version)
    raw = header_from(content, analysis_type=27, version=version, order=order)
    pointers = 60 if version >= 9 else 10
    table = 124 + 288 + 4 * pointers
    nano = table + 288 * len(content["masses"]) + 24
    nano += 144 * len(content["polyatomic_ions"]["species"])
    anchor = len(raw) - 20028

    def stored(name: str, start: int, field: str) -> Any:
        place = next(f for f in layout[name]["fields"] if f["name"] == field)
        if place["type"] == "c":
            text = raw[start + place["offset"] :][: place["count"]]
            return text.split(b"\0")[0].decode("latin-1")
        code = {"i2": "h", "i4": "i", "f8": "d"}[place["type"]]
        return struct.unpack_from(order + code, raw, start + place["offset"])[0]

    assert stored("Def_analysis", 0, "sple_pos_x") == content["definition"]["stage_x"]
    assert stored("Tab_mass", table, "counting_time") == content["masses"][0]["count_time"]
    assert stored("Polyatomique", table + 48, "string") == content["masses"][0]["species"]["label"]
    assert stored("Mask_nano", nano, "nx_high") == content["scan"]["scan_last_column"]
    assert stored("Mask_nano", nano, "nb_bfield") == len(content["b_fields"])
    name = f"Tab_BField_nano_v{version}"
    assert stored(name, nano + 1552, "q") == content["b_fields"][0]["quadrupole"]
    parameters = content["parameters"]
    assert stored("Anal_param_nano", anchor, "comment") == parameters["comment"]
    assert stored("Ap_primary_nano", anchor + 288, "oct90") == parameters["primary"]["octupole_90"]
    assert stored("Ap_secondary_nano", anchor + 840, "e0s") == parameters["secondary"]["e0s"]
    assert stored("Def_analysis_bis", anchor + 1840, "method") == content["sample"]["method"]
    assert stored("Header_image", len(raw) - 84, "w") == content["image"]["columns"]


def test_too_many_values_are_refused() -> None:
    content = random_content(random.Random(1), 26, 9)
    content["isotopes"]["ratio_masses"] = [0] * 41
    with pytest.raises(ValueError, match="holds 40 values, not 41"):
        header_from(content, analysis_type=26, version=9, order="<")
