"""The header tables against the machine-readable layout, which we did not derive from them."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfxarray.formats.im_layout import (
    B_FIELD_SIZE,
    IMAGE_TAIL,
    STRUCTS,
    TROLLEY_TABLE,
    clean_text,
    mass_pointers,
    pack,
    unpack,
)

ALIASES = {"Tab_BField_nano": "Tab_BField_nano_v10", "Tab_Trolley_nano": "Tab_Trolley_nano_192"}


@pytest.fixture(scope="module")
def layout(data_dir: Path) -> dict[str, Any]:
    return json.loads((data_dir / "mims" / "im_layout.json").read_text())


@pytest.mark.realdata
@pytest.mark.parametrize("name", STRUCTS)
def test_every_field_lies_where_the_layout_says(layout: dict[str, Any], name: str) -> None:
    reference = layout[ALIASES.get(name, name)]
    fields = {field["name"]: field for field in reference["fields"]}
    for field, (offset, kind) in STRUCTS[name].fields.items():
        known = fields[field]
        assert offset == known["offset"], field
        if known["type"] == "c":
            assert kind == f"s{known['count']}", field
        elif field == "tab_elts":
            assert (known["type"], known["count"], kind) == ("Tab_elts", 5, "i4x15")
        else:
            assert kind == known["type"], field
            assert known["count"] == 1, field


@pytest.mark.realdata
def test_sizes_of_structures(layout: dict[str, Any]) -> None:
    for name, record in STRUCTS.items():
        if name != "Tab_BField_nano":
            assert record.size == layout[ALIASES.get(name, name)]["size"], name
    assert STRUCTS["Tab_BField_nano"].size == 56


@pytest.mark.realdata
@pytest.mark.parametrize("version", [2, 4, 8, 9, 10])
def test_b_field_records_of_the_five_versions(layout: dict[str, Any], version: int) -> None:
    record = layout[f"Tab_BField_nano_v{version}"]
    trolleys = next(field for field in record["fields"] if field["name"] == "trolleys")
    rows, stride = TROLLEY_TABLE[version]
    assert record["size"] == B_FIELD_SIZE[version]
    assert trolleys["offset"] == STRUCTS["Tab_BField_nano"].size
    assert (trolleys["count"], trolleys["type"]) == (rows, f"Tab_Trolley_nano_{stride}")


@pytest.mark.realdata
def test_tail_of_an_image_header_is_the_sum_of_its_records(layout: dict[str, Any]) -> None:
    names = ["Anal_param_nano", "Def_analysis_bis", "Anal_param", "Setup_soft"]
    names += ["Anal_param_nano_bis", "Header_image"]
    assert sum(layout[name]["size"] for name in names) == IMAGE_TAIL


def test_fields_stay_inside_their_structure_and_apart() -> None:
    sizes = {"i2": 2, "i4": 4, "f8": 8, "i4x15": 60}
    for name, record in STRUCTS.items():
        end = 0
        for offset, kind in sorted(record.fields.values()):
            assert offset >= end, name
            end = offset + (int(kind[1:]) if kind[0] == "s" else sizes[kind])
        assert end <= record.size, name


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
    assert found[:6] == [6, 0, 1, 7, 1, 1]
    assert len(found) == 15


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
