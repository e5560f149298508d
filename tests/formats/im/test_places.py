"""Where the records of a header start."""

from __future__ import annotations

import random
import struct

import pytest

from mfxarray.formats.im.places import (
    ANALYSIS_KINDS,
    KINDS,
    HeaderFault,
    find_anchor,
    find_masses,
    find_settings,
)
from mfxarray.simulate.im_records import header_from
from tests.formats.im.im_contents import VERSIONS, random_content

# from spec/mims.md 1.2: bytes before the mass table, of the tail, and of a row with calibration
LAYOUT = {
    21: (796, 19944, 288, 3),
    22: (628, 19944, 288, 3),
    25: (400, 19944, 312, 1),
    26: (796, 20120, 288, 3),
    27: (652, 20028, 288, 1),
    29: (652, 20028, 288, 1),
    31: (400, 19944, 312, 1),
    35: (796, 19944, 288, 1),
    39: (652, 20028, 288, 1),
    41: (628, 20028, 288, 1),
}
SIZES = {2: 1784, 4: 1976, 8: 2648, 9: 2840, 10: 3128}


def header(kind: int, version: int, seed: int = 0) -> tuple[bytes, dict[str, int]]:
    content = random_content(random.Random(seed), kind, version)
    raw = header_from(content, analysis_type=kind, version=version, order=">")
    counts = {
        "masses": len(content["masses"]),
        "ions": len(content["polyatomic_ions"]["species"]),
        "b_fields": len(content["b_fields"]),
    }
    return raw, counts


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", LAYOUT)
def test_places_are_those_of_the_specification(kind: int, version: int) -> None:
    raw, counts = header(kind, version)
    release = struct.unpack_from(">i", raw)[0]
    table, tail, row, lists = LAYOUT[kind]
    if release < 4108 and kind in (21, 26, 27, 29, 35, 39):
        table -= 200  # 10 pointers instead of 60
    masses = find_masses(raw, ">", KINDS[kind], release)
    settings = find_settings(raw, ">", KINDS[kind], masses)
    assert (masses.table, masses.count) == (table, counts["masses"])
    assert masses.end == table + row * counts["masses"]
    assert settings.nano == masses.end + 24 * lists + 144 * counts["ions"]
    assert settings.first == settings.nano + 1552
    assert (settings.size, settings.count) == (SIZES[version], counts["b_fields"])
    assert settings.anchor == len(raw) - tail == find_anchor(raw, KINDS[kind])
    assert settings.first + settings.size * settings.count == settings.anchor


def test_every_kind_has_a_name() -> None:
    assert set(LAYOUT) == set(KINDS) <= set(ANALYSIS_KINDS)


@pytest.mark.parametrize("kind", [21, 26, 27])
def test_anchor_of_an_unknown_type(kind: int) -> None:
    raw, _ = header(kind, 9)
    assert find_anchor(raw, None) == len(raw) - LAYOUT[kind][1]


def test_anchor_that_is_not_there() -> None:
    raw, _ = header(27, 9)
    with pytest.raises(HeaderFault, match=f"not at byte {len(raw) - 20028 - 1}, where"):
        find_anchor(raw[:-1], KINDS[27])
    with pytest.raises(HeaderFault, match="not at byte"):
        find_anchor(raw[:-1], None)
    with pytest.raises(HeaderFault, match="not at byte -"):
        find_anchor(b"Anal_param_nano", KINDS[21])


@pytest.mark.parametrize("size", [0, 124, 451, 452, 652, 653])
def test_a_header_too_short_for_masses(size: int) -> None:
    raw, _ = header(27, 10)
    with pytest.raises(HeaderFault, match=r"before the mass table|cannot hold"):
        find_masses(raw[:size], ">", KINDS[27], 4108)


@pytest.mark.parametrize(("kind", "most"), [(27, 60), (22, 20), (25, 20), (26, 60)])
def test_no_more_masses_than_pointers(kind: int, most: int) -> None:
    raw, _ = header(kind, 10)
    place = {27: 408, 22: 540, 25: 316, 26: 548}[kind]
    long = bytearray(raw + bytes(312 * 61))
    struct.pack_into(">i", long, place, most)
    assert find_masses(bytes(long), ">", KINDS[kind], 4108).count == most
    struct.pack_into(">i", long, place, most + 1)
    with pytest.raises(HeaderFault, match=f"cannot hold {most + 1} masses"):
        find_masses(bytes(long), ">", KINDS[kind], 4108)
