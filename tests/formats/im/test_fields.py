"""What is believed of a structure: only values that can be, only fields that the release has."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfxarray.formats.im.fields import believed
from mfxarray.formats.im.layout import STRUCTS, pack

NEW = {"file": 4108, "nano": 10, "parameters": 8}
OLD = {"file": 5, "nano": 2, "parameters": 1}


def filled(name: str, values: dict[str, Any], fill: bytes = b"\0") -> bytes:
    buffer = bytearray(fill * STRUCTS[name].size)
    pack(name, buffer, 0, "<", values)
    return bytes(buffer)


def test_names_for_people() -> None:
    raw = filled("Def_analysis", {"sple_pos_x": -7, "username": "Zoë", "hour": "12:30"})
    found = believed("Def_analysis", raw, 0, "<", NEW)
    assert (found["stage_x"], found["user"], found["time"]) == (-7, "Zoë", "12:30")
    assert "sple_pos_x" not in found


@pytest.mark.parametrize(
    ("gates", "present"),
    [
        (OLD, set()),
        ({**OLD, "parameters": 3}, {"l0"}),
        ({**OLD, "parameters": 6}, {"l0", "cesium_voltage", "duoplasmatron_voltage"}),
        (NEW, {"l0", "cesium_voltage", "duoplasmatron_voltage", "dcs_position", "dcs_widths"}),
    ],
)
def test_primary_beam_of_each_release(gates: dict[str, int], present: set[str]) -> None:
    raw = filled("Ap_primary_nano", {"l0": 1, "cs_hv": 2, "duo_hv": 3, "dcs_pos": 4})
    gated = {"l0", "cesium_voltage", "duoplasmatron_voltage", "dcs_position", "dcs_widths"}
    assert gated & set(believed("Ap_primary_nano", raw, 0, "<", gates)) == present


@pytest.mark.parametrize(
    ("version", "last"),
    [
        (1, "energy_centring_on"),
        (2, "e0s_centring"),
        (3, "e0s_centring_on"),
        (4, "energy_centring_wait"),
        (6, "e0p_offset"),
        (7, "baseline_points"),
        (8, "all_centring_period"),
        (10, "all_centring_period"),
    ],
)
def test_scan_of_each_version(version: int, last: str) -> None:
    found = believed("Mask_nano", bytes(1552), 0, "<", {"nano": version})
    assert list(found)[-1] == last


def test_an_unknown_release_has_no_gated_field() -> None:
    assert "l0" not in believed("Ap_primary_nano", bytes(552), 0, "<", {})


@pytest.mark.parametrize("value", [-858993460, -(2**31), 2**31 - 1])
def test_integers_that_mean_not_set(value: int) -> None:
    raw = filled("Def_analysis", {"sple_pos_x": value, "sple_pos_y": 5})
    found = believed("Def_analysis", raw, 0, "<", NEW)
    assert "stage_x" not in found
    assert found["stage_y"] == 5


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 5e-324, 1e31, -9e250])
def test_doubles_that_cannot_be(value: float) -> None:
    raw = filled("Ap_primary_nano", {"raster": value, "e0p": -0.0})
    found = believed("Ap_primary_nano", raw, 0, "<", NEW)
    assert "raster" not in found
    assert found["e0p"] == 0.0


def test_fill_bytes_of_a_debug_build_say_nothing() -> None:
    assert believed("Def_analysis", b"\xcc" * 124, 0, "<", NEW) == {}
    primary = believed("Ap_primary_nano", b"\xcc" * 552, 0, "<", NEW)
    assert primary == {}
    assert believed("Header_image", b"\xcc" * 84, 0, "<", NEW) == {}


def test_text_of_ones_says_nothing() -> None:
    raw = filled("Def_analysis", {})[:28] + b"\xff" * 32 + bytes(64)
    found = believed("Def_analysis", raw, 0, "<", NEW)
    assert "analysis_name" not in found
    assert found["user"] == ""


def test_one_impossible_switch_discredits_its_group() -> None:
    values = {"magic": 2306, "eps_on": 337138, "sigref_points": 9, "rot_speed": 4}
    found = believed("Def_analysis_bis", filled("Def_analysis_bis", values), 0, "<", NEW)
    assert not {"energy_shift", "energy_shift_on", "energy_shift_centring"} & set(found)
    assert (found["reference_points"], found["rotation_speed"]) == (9, 4)


def test_a_record_of_left_over_memory_leaves_its_place_empty() -> None:
    # as real-time images have it
    values = {"sib_h": {"det_id": 332920216, "start_value": 8.8e251, "count_time": 332868264}}
    found = believed("Mask_nano", filled("Mask_nano", values), 0, "<", NEW)
    assert "beam_centring_horizontal" not in found
    assert found["beam_centring_vertical"]["detector"] == 0


def test_only_elements_in_use() -> None:
    elements = [{"num_elt": 6, "quantite": 2}, {"num_elt": 7, "num_isotop": 1, "quantite": 1}]
    for used in range(3):
        raw = filled("Polyatomique", {"nb_elts": used, "tab_elts": elements})
        assert len(believed("Polyatomique", raw, 0, "<", NEW)["elements"]) == used


@pytest.mark.parametrize("used", [-1, 6, 2**31 - 2])
def test_impossible_numbers_of_elements(used: int) -> None:
    found = believed("Polyatomique", filled("Polyatomique", {"nb_elts": used}), 0, "<", NEW)
    assert "elements" not in found
    assert "element_count" not in found


@pytest.mark.parametrize(("used", "known"), [(0, 0), (7, 7), (150, 150), (151, None), (-1, None)])
def test_settings_of_a_preset(used: int, known: int | None) -> None:
    raw = filled("ApPresetLens", {"info": {"nb_param": used}, "params": [{"name": "L0"}] * 150})
    found = believed("ApPresetLens", raw, 0, "<", NEW)
    assert len(found.get("settings", [])) == (known or 0)
    assert ("settings" in found) == (known is not None)


def test_ratios_come_in_pairs() -> None:
    raw = filled("Isotope_header", {"nb_ratio": 2, "pairs": [3, 1, 0, 3]}, b"\xff")
    found = believed("Isotope_header", raw, 0, "<", NEW)
    assert found["ratio_masses"] == [3, 1, 0, 3]


def test_a_multiplier_is_believed_whole_or_not() -> None:
    values = {"em1_yield": 0.0, "em1_deadtime": 44, "em2_yield": 70.0, "em2_deadtime": 36}
    raw = filled("Ap_secondary_nano", values)
    found = believed("Ap_secondary_nano", raw, 0, "<", NEW)
    assert "em1_dead_time" not in found
    assert (found["em2_yield"], found["em2_dead_time"]) == (70.0, 36)


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_orders(order: str) -> None:
    raw = struct.pack(f"{order}i6hi64s", 84, 1, 48, 64, 2, 6, 3, 20000, b"a.im")
    found = believed("Header_image", raw, 0, order, NEW)
    assert (found["columns"], found["rows"], found["raster"]) == (48, 64, 20000)


@given(st.sampled_from(sorted(STRUCTS)), st.data(), st.sampled_from("<>"))
def test_any_bytes_give_plain_json(name: str, data: st.DataObject, order: str) -> None:
    size = STRUCTS[name].size
    piece = data.draw(st.binary(min_size=1, max_size=64))
    raw = (piece * (size // len(piece) + 1))[:size]
    found = believed(name, raw, 0, order, NEW)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
