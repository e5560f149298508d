"""What the image reader takes from a header, for every type of analysis."""

from __future__ import annotations

import random
import struct
from typing import Any

import pytest

from mfxarray.formats.im import places as im_places
from mfxarray.formats.im.header import HeaderFault, read_masses, read_parameters
from mfxarray.formats.im.places import KINDS
from mfxarray.simulate.im_records import RELEASES, header_from
from tests.formats.im.im_contents import VERSIONS, random_content


def header(kind: int, version: int, seed: int = 0) -> tuple[bytes, dict[str, Any]]:
    content = random_content(random.Random(seed), kind, version)
    content["polyatomic_ions"]["species"] = []
    raw = header_from(content, analysis_type=kind, version=version, order="<", fill=b"\xcc")
    return raw, content


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("version", VERSIONS)
def test_masses_of_every_type(kind: int, version: int) -> None:
    raw, content = header(kind, version)
    found = read_masses(raw, "<", RELEASES[version][0])
    assert [row["mass_amu"] for row in found.rows] == [row["mass"] for row in content["masses"]]
    labels = [row["species"]["label"] for row in content["masses"]]
    assert [row["symbol"] for row in found.rows] == labels
    assert [row["poly"]["nb_elts"] for row in found.rows] == [
        row["species"]["element_count"] for row in content["masses"]
    ]
    assert found.next_name == "Poly_list"
    assert found.planned == content["mask"].get("planned_cycles", 0)
    assert found.duration_s == content["mask"].get("duration", 0)


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("version", VERSIONS)
def test_settings_of_every_type(kind: int, version: int) -> None:
    raw, content = header(kind, version)
    found = read_parameters(raw, "<", read_masses(raw, "<", RELEASES[version][0]))
    assert found.nano["version"] == found.attrs["nano_version"] == version
    assert found.attrs["comment"] == content["parameters"]["comment"]
    assert found.attrs["sample"] == content["sample"]["sample"]
    for ours, theirs in zip(found.b_fields, content["b_fields"], strict=True):
        assert ours["dwell_us"] == theirs["dwell_time"]
        assert ("n_frames" in ours) == (version >= 4)
        known = [row["row"] for row in theirs["trolleys"] if row["mass_index"] >= 0]
        assert [row["index"] for row in ours["trolleys"]] == known


@pytest.mark.parametrize("kind", [30, 32, 34, 40])
def test_types_of_unknown_layout(kind: int) -> None:
    raw = bytearray(header(27, 10)[0])
    struct.pack_into("<i", raw, 4, kind)
    with pytest.raises(HeaderFault, match=f"analysis type {kind} is not documented"):
        read_masses(bytes(raw), "<", 4108)


@pytest.mark.parametrize("mass", [-1.0, 1e4, float("nan"), float("inf")])
def test_impossible_masses(mass: float) -> None:
    raw = bytearray(header(27, 10)[0])
    struct.pack_into("<d", raw, 652 + 8, mass)
    with pytest.raises(HeaderFault, match="stands in the mass table"):
        read_masses(bytes(raw), "<", 4108)


def test_one_kind_of_fault() -> None:
    assert HeaderFault is im_places.HeaderFault
