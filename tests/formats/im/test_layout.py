"""The header tables against the machine-readable layout, which we did not derive from them."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfxarray.formats.im.layout import (
    B_FIELD_SIZE,
    B_FIELD_VERSIONS,
    EM_BLOCKS,
    IMAGE_TAIL,
    STRUCTS,
    Field,
    clean_text,
    mass_pointers,
    pack,
    unpack,
    vendor_names,
)

# read off real files, or heads of published structures
OURS = {"Mask_dp_old", "Mask_dp_v4108", "Mask_scan", "Tab_mass_scan", "Tab_BField_nano"}
# what issue 4 asks for, in the words of the layout
NAMED = [
    "Def_analysis",
    "Def_analysis_bis",
    "Mask_im_old",
    "Mask_im_v4108",
    "Mask_dp_v4108",
    "Mask_iss",
    "Mask_nano",
    "Tab_mass",
    "Tab_elts",
    "Polyatomique",
    "Poly_list",
    "Champs_list",
    "Offset_list",
    "Cal_cond",
    "Tab_BField_nano_v2",
    "Tab_BField_nano_v4",
    "Tab_BField_nano_v8",
    "Tab_BField_nano_v9",
    "Tab_BField_nano_v10",
    "Tab_Trolley_nano_192",
    "Tab_Trolley_nano_208",
    "PHD_Trolley_Nano_24",
    "PHD_Trolley_Nano_48",
    "Energy_Nano",
    "E0S_Nano",
    "Sec_Ion_Beam_Nano",
    "Anal_param_nano",
    "Anal_param_nano_bis",
    "Ap_primary_nano",
    "Ap_secondary_nano",
    "ApPresetDef",
    "ApPresetLens",
    "ApPresetSlit",
    "ApParamPreset",
    "AutoCal",
    "HvCont",
    "SigRef",
    "SigRefExp",
    "SigRefMulti",
    "Crater",
    "Couple",
    "Def_eps",
    "Header_image",
    "Isotope_header",
]


@pytest.fixture(scope="module")
def layout(data_dir: Path) -> dict[str, Any]:
    return json.loads((data_dir / "mims" / "im_layout.json").read_text())


@pytest.mark.realdata
def test_every_published_structure_is_there(layout: dict[str, Any]) -> None:
    assert set(STRUCTS) - set(layout) == OURS
    assert set(layout) <= set(STRUCTS)


def test_every_structure_of_the_issue_is_there() -> None:
    assert set(NAMED) <= set(STRUCTS)


@pytest.mark.realdata
@pytest.mark.parametrize("name", sorted(set(STRUCTS) - OURS))
def test_every_structure_equals_the_published_one(layout: dict[str, Any], name: str) -> None:
    record, known = STRUCTS[name], layout[name]
    assert (record.size, record.align) == (known["size"], known["align"])
    ours = [(f.original, f.offset, f.kind, f.count) for f in record.fields.values()]
    published = [(f["name"], f["offset"], f["type"], f["count"]) for f in known["fields"]]
    assert ours == published


@pytest.mark.realdata
@pytest.mark.parametrize("version", [2, 4, 8, 9, 10])
def test_b_field_records_of_the_five_versions(layout: dict[str, Any], version: int) -> None:
    record = layout[f"Tab_BField_nano_v{version}"]
    trolleys = next(field for field in record["fields"] if field["name"] == "trolleys")
    rows, stride, _, _ = B_FIELD_VERSIONS[version]
    assert record["size"] == B_FIELD_SIZE[version]
    assert trolleys["offset"] == STRUCTS["Tab_BField_nano"].size == 56
    assert (trolleys["count"], trolleys["type"]) == (rows, f"Tab_Trolley_nano_{stride}")


@pytest.mark.realdata
def test_tail_of_an_image_header_is_the_sum_of_its_records(layout: dict[str, Any]) -> None:
    names = ["Anal_param_nano", "Def_analysis_bis", "Anal_param", "Setup_soft"]
    names += ["Anal_param_nano_bis", "Header_image"]
    assert sum(layout[name]["size"] for name in names) == IMAGE_TAIL


def field_bytes(field: Field) -> int:
    codes = {"c": "s", "i2": "h", "i4": "i", "f8": "d"}
    one = STRUCTS[field.kind].size if field.nested else struct.calcsize(codes[field.kind])
    return one * field.count


@pytest.mark.parametrize("name", STRUCTS)
def test_fields_stay_inside_their_structure_and_apart(name: str) -> None:
    end = 0
    for field in STRUCTS[name].fields.values():
        assert field.offset >= end, field.original
        end = field.offset + field_bytes(field)
    assert end <= STRUCTS[name].size


@pytest.mark.parametrize("name", STRUCTS)
def test_fields_are_named_for_people(name: str) -> None:
    named = [field for field in STRUCTS[name].fields.values() if field.name]
    names = [field.name for field in named]
    assert len(set(names)) == len(names)
    for field in named:
        assert field.name.isidentifier(), field.name
        assert field.name == field.name.lower()
        assert field.meaning, field.name
        assert field.since is None or field.since[0] in ("file", "nano", "parameters")
        if field.used:
            assert field.count > 1, field.name


@pytest.mark.realdata
def test_what_is_left_out_is_padding_or_pointers(layout: dict[str, Any]) -> None:
    dead = {f.original for s in STRUCTS.values() for f in s.fields.values() if not f.name}
    assert dead == {
        "bfield_pointers", "body", "mass_pointers", "more", "pad", "pad2", "padding", "pointer",
        "unused",
    }  # fmt: skip


def test_multipliers_are_where_the_table_says() -> None:
    for record, prefix in EM_BLOCKS.values():
        names = [f"{prefix}_{what}" for what in ("yield", "background", "deadtime")]
        assert set(names) <= set(STRUCTS[record].fields)


def test_pointer_table_widens_with_release_4108() -> None:
    assert [mass_pointers(release) for release in (5, 9, 11, 4107)] == [10] * 4
    assert mass_pointers(4108) == 60
    assert STRUCTS["Mask_im_old"].size == 328
    assert STRUCTS["Mask_im_v4108"].size == 528


@pytest.mark.parametrize("order", ["<", ">"])
def test_unpack_against_struct(order: str) -> None:
    raw = bytearray(3 + 84)
    struct.pack_into(f"{order}i6hi64s", raw, 3, 84, 1, 48, 64, 2, 6, 3, 20000, b"a name\0junk")
    found = unpack("Header_image", raw, 3, order)
    assert found["nickname"] == "a name"
    numbers = [found[key] for key in ("size_self", "type", "w", "h", "d", "n", "z", "raster")]
    assert numbers == [84, 1, 48, 64, 2, 6, 3, 20000]


def test_composition_follows_three_bytes_of_padding() -> None:
    raw = bytearray(144)
    struct.pack_into("<6i", raw, 84, 6, 0, 1, 7, 1, 1)
    raw[81:84] = b"\xcc\xcc\xcc"
    found = unpack("Polyatomique", raw, 0, "<")["tab_elts"]
    assert found[0] == {"num_elt": 6, "num_isotop": 0, "quantite": 1}
    assert found[1] == {"num_elt": 7, "num_isotop": 1, "quantite": 1}
    assert len(found) == 5


def test_only_some_fields() -> None:
    found = unpack("Anal_param_nano_bis", bytes(15264), 0, "<", only=("structname", "em6_yield"))
    assert found == {"structname": "", "em6_yield": 0.0}


def test_vendor_names_go_all_the_way_down() -> None:
    values = {"label": "12C", "elements": [{"atomic_number": 6, "count": 2}], "row": 3}
    known = {"string": "12C", "tab_elts": [{"num_elt": 6, "quantite": 2}]}
    assert vendor_names("Polyatomique", values) == known


def test_several_values_may_be_fewer_but_not_more() -> None:
    buffer = bytearray(b"\xcc" * 552)
    pack("Ap_primary_nano", buffer, 0, "<", {"d1_tab": [1, 2]})
    assert struct.unpack_from("<3I", buffer, 116) == (1, 2, 0xCCCCCCCC)
    with pytest.raises(ValueError, match="holds 10 values, not 11"):
        pack("Ap_primary_nano", buffer, 0, "<", {"d1_tab": [0] * 11})


@pytest.mark.parametrize("offset", [-1, 1, 10**9])
def test_structure_outside_the_buffer_is_refused(offset: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        unpack("Header_image", bytes(84), offset, "<")
    with pytest.raises(ValueError, match="does not fit"):
        pack("Header_image", bytearray(84), offset, "<", {"w": 1})


@given(
    order=st.sampled_from("<>"),
    offset=st.integers(0, 9),
    release=st.integers(-(2**31), 2**31 - 1),
    text=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=15),
)
def test_pack_then_unpack(order: str, offset: int, release: int, text: str) -> None:
    buffer = bytearray(b"\xcc" * (offset + 124))
    pack("Def_analysis", buffer, offset, order, {"release": release, "username": text})
    found = unpack("Def_analysis", buffer, offset, order)
    assert (found["release"], found["username"]) == (release, text)
    assert buffer[:offset] == b"\xcc" * offset
    assert buffer[offset + 4 : offset + 60] == b"\xcc" * 56


def test_text_too_long_is_cut_before_the_closing_nul() -> None:
    buffer = bytearray(b"\xff" * 124)
    pack("Def_analysis", buffer, 0, "<", {"username": "x" * 40})
    assert buffer[60:76] == b"x" * 15 + b"\0"
    assert buffer[76] == 0xFF


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"12C 14N \0\xcc\xcc", "12C 14N"),
        (b"\0abc", ""),
        (b"K\xf6ln \xb5m", "Köln µm"),
        (b"no end", "no end"),
        (b"a\nb\tc\xa0d", "a b c d"),
        (b"\x1b[31mred\x07", "\ufffd[31mred\ufffd"),
        (b"\xff" * 3, "ÿÿÿ"),
    ],
)
def test_clean_text(raw: bytes, text: str) -> None:
    assert clean_text(raw) == text


@given(st.binary(max_size=64))
def test_clean_text_is_always_printable(raw: bytes) -> None:
    text = clean_text(raw)
    assert text.isprintable()
    assert text == text.strip(" ")
