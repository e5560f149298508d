"""The whole header of real files, of files made by others, and of damaged ones."""

from __future__ import annotations

import json
import random
import struct
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from mfxarray.errors import DataError
from mfxarray.formats.im.tree import header_json, read_head, read_tree, tree_of
from mfxarray.formats.sources import FileSource
from mfxarray.simulate.im_records import header_from
from tests.formats.im.im_contents import expected_tree, random_content

# file -> records that its release and type do not have
FILES = {
    "E0S.e0s": {"image", "isotopes", "field_list", "offset_list"},
    "OR1d6m_15.im.hdr": {"isotopes", "field_list", "offset_list"},
    "RTIimage.im": {"isotopes", "field_list", "offset_list"},
    "beamstability.bs": {"image", "isotopes", "field_list", "offset_list"},
    "depth profile.dp": {"image", "isotopes"},
    "grain mode cameca.im": {"isotopes", "field_list", "offset_list"},
    "image sun.im": {"isotopes", "field_list", "offset_list"},
    "is01 R1 KH03-27 01.is": {"image"},
    "line scan beam control.im": {"isotopes", "field_list", "offset_list"},
    "line scan stage control 1.ls": {"image", "isotopes"},
    "sample stage image.ls": {"isotopes", "field_list", "offset_list"},
}
RECORDS = {
    "definition", "mask", "masses", "polyatomic_ions", "field_list", "offset_list", "scan",
    "b_fields", "parameters", "sample", "detectors", "image", "isotopes",
}  # fmt: skip
SYNTHETIC = {
    "s10_dup_labels_peakswitch.im": 10,
    "s1_v10_le_u4_24x6x96.im": 10,
    "s2_v2_be_u2_3x6x64x48.im": 2,
    "s3_v4_be_u2_3x6x64x48.im": 4,
    "s4_v8_be_u2_3x6x64x48.im": 8,
    "s5_v9_le_u4_3x6x64x48.im": 9,
    "s6_v10_le_u4_3x6x64x48.im": 10,
    "s7_v10_le_u4_two_bfields.im": 10,
    "s8_truncated_2of5.im": 10,
    "s9_header_z0_file5.im": 10,
}
# vendor's words of facts.json -> (record, our field)
SAME = {
    "release": ("definition", "file_release"),
    "analysis_type": ("definition", "analysis_type"),
    "hdr_size": ("definition", "header_bytes"),
    "sample_type": ("definition", "sample_type"),
    "data_present": ("definition", "data_present"),
    "pos_x": ("definition", "stage_x"),
    "pos_y": ("definition", "stage_y"),
    "pos_z": ("definition", "stage_z"),
    "analysis_name": ("definition", "analysis_name"),
    "user": ("definition", "user"),
    "date": ("definition", "date"),
    "time": ("definition", "time"),
    "filename": ("mask", "file_name"),
    "analysis_duration": ("mask", "duration"),
    "cycle_number": ("mask", "planned_cycles"),
    "scantype": ("mask", "scan_type"),
    "magnification": ("mask", "magnification"),
    "sizetype": ("mask", "size_type"),
    "size_detector": ("mask", "detector_size"),
    "beam_blanking": ("mask", "beam_blanking"),
    "presputter": ("mask", "presputter"),
    "presputter_duration": ("mask", "presputter_duration"),
    "autocal": ("mask", "calibration_on"),
    "sigref": ("mask", "reference_on"),
    "stage_scan_type": ("mask", "scan_type"),
    "nb_zones": ("mask", "planned_steps"),
    "step_x": ("mask", "step_x"),
    "step_y": ("mask", "step_y"),
    "step_reel_d": ("mask", "step_distance"),
    "wt_int_zones": ("mask", "wait"),
    "n_masses": ("mask", "mass_count"),
    "poly_name": ("polyatomic_ions", "marker"),
    "n_poly": ("polyatomic_ions", "count"),
    "nano_version": ("scan", "version"),
    "n_bfields": ("scan", "b_field_count"),
    "mode": ("scan", "mode"),
    "scanning_mode": ("scan", "scanning"),
    "regulation": ("scan", "regulation"),
    "ap_release": ("parameters", "release"),
    "n50_large": ("parameters", "large"),
    "comment": ("parameters", "comment"),
    "magic": ("sample", "magic"),
    "bis_release": ("sample", "release"),
    "nickname": ("image", "file_name"),
}
MASS = {
    "trolley": "trolley",
    "type": "mass_type",
    "amu": "mass",
    "matrix": "matrix_or_trace",
    "detector": "detector",
    "wait": "wait",
    "count_time": "count_time",
    "offset": "offset",
    "bfield_dac": "b_field",
}
SPECIES = {
    "flag": "is_number",
    "number": "number",
    "n_elts": "element_count",
    "n_charges": "charges",
    "symbol": "label",
}
PRIMARY = {
    "L0": "l0",
    "CsHv": "cesium_voltage",
    "DuoHv": "duoplasmatron_voltage",
    "raster_um": "raster",
    "oct45": "octupole_45",
    "oct90": "octupole_90",
    "e0p": "e0p",
    "D1": "d1_position",
}
NOT_MEASURED = 2147483647


@pytest.fixture(scope="module")
def facts(data_dir: Path) -> dict[str, Any]:
    return json.loads((data_dir / "mims" / "facts.json").read_text())


def tree(path: Path) -> dict[str, Any]:
    return read_tree(FileSource.open(path))


# --- real files -----------------------------------------------------------------------------


@pytest.mark.realdata
@pytest.mark.parametrize("name", FILES)
def test_every_record_of_real_files(data_dir: Path, name: str) -> None:
    found = tree(data_dir / "mims" / name)
    assert found["warnings"] == []
    assert RECORDS & set(found) == RECORDS - FILES[name]


@pytest.mark.realdata
@pytest.mark.parametrize("name", FILES)
def test_facts_of_real_files(data_dir: Path, facts: dict[str, Any], name: str) -> None:
    known, found = facts[name]["header"], tree(data_dir / "mims" / name)
    assert found["byte_order"] == known["byte_order"]
    checked = 0
    for theirs, (record, ours) in SAME.items():
        if theirs in known:
            assert found[record][ours] == known[theirs], theirs
            checked += 1
    assert checked >= 12
    if "frame" in known:
        scan, frame = found["scan"], known["frame"]
        assert (scan["raster_columns"], scan["raster_rows"]) == (frame["nx_max"], frame["ny_max"])
        for ours, theirs in (("scan", frame["scan"]), ("counted", frame["blank"])):
            edges = ("first_column", "last_column", "first_row", "last_row")
            assert [scan[f"{ours}_{edge}"] for edge in edges] == theirs
    for ours, theirs in (("columns", "w"), ("rows", "h"), ("pixel_bytes", "d"), ("stack", "type"),
                         ("mass_count", "n"), ("frames", "z"), ("raster", "raster"),
                         ("size", "size_self")):  # fmt: skip
        if "img" in known:
            assert found["image"][ours] == known["img"][theirs]


@pytest.mark.realdata
@pytest.mark.parametrize("name", FILES)
def test_masses_of_real_files(data_dir: Path, facts: dict[str, Any], name: str) -> None:
    found = tree(data_dir / "mims" / name)["masses"]
    for ours, theirs in zip(found, facts[name]["header"].get("masses", found), strict=True):
        if ours is theirs:
            continue  # types 25 and 35: no table in the facts, see the labels of the scans
        assert {key: ours[name_] for key, name_ in MASS.items()} == {k: theirs[k] for k in MASS}
        species = ours["species"]
        assert {k: species[v] for k, v in SPECIES.items()} == {k: theirs[k] for k in SPECIES}
        assert species["charge_sign"] == theirs["charge"].strip("\0")
        elements = [[e["atomic_number"], e["isotope"], e["count"]] for e in species["elements"]]
        assert elements == theirs["elts"]


@pytest.mark.realdata
@pytest.mark.parametrize("name", FILES)
def test_b_fields_of_real_files(data_dir: Path, facts: dict[str, Any], name: str) -> None:
    known, found = facts[name]["header"]["bfields"], tree(data_dir / "mims" / name)["b_fields"]
    for ours, theirs in zip(found, known or found, strict=True):
        if ours is theirs:
            continue
        keys = {"selected": "selected", "dac": "b_field", "wait_us": "wait",
                "count_us_per_pixel": "dwell_time", "count_s_per_point": "count_time",
                "n_frames": "frames"}  # fmt: skip
        assert {k: ours[v] for k, v in keys.items()} == {k: theirs[k] for k in keys}
        keys = {"index": "row", "symbol": "label", "amu": "mass", "radius": "radius",
                "detector": "detector", "validated": "valid", "num": "mass_index"}  # fmt: skip
        rows = [{k: row[v] for k, v in keys.items()} for row in ours["trolleys"]]
        used = [row for row in rows if row["num"] >= 0]
        assert used == theirs["trolleys"]


@pytest.mark.realdata
@pytest.mark.parametrize("name", FILES)
def test_beams_of_real_files(data_dir: Path, facts: dict[str, Any], name: str) -> None:
    known, found = facts[name]["header"], tree(data_dir / "mims" / name)
    if "primary" not in known:
        pytest.skip("no settings in the facts of this file")
    primary, secondary = found["parameters"]["primary"], found["parameters"]["secondary"]
    assert {k: primary[v] for k, v in PRIMARY.items()} == known["primary"]
    assert primary["ion"] == known["source"]
    assert secondary["e0w"] == known["E0W"]
    start, end = known["prim_current"]
    assert primary["current_start"] == start
    assert primary.get("current_end", NOT_MEASURED) == end
    keys = ("yield", "background", "dead_time")
    five = [[secondary[f"em{i}_{key}"] for key in keys] for i in range(1, 6)]
    assert five == known["em_1_to_5_yield_background_deadtime"]
    two = [[found["detectors"][f"em{i}_{key}"] for key in keys] for i in (6, 7)]
    assert two == known["em_6_7"]


@pytest.mark.realdata
def test_ratios_of_a_spot_analysis(data_dir: Path) -> None:
    isotopes = tree(data_dir / "mims" / "is01 R1 KH03-27 01.is")["isotopes"]
    # read off a hex dump of the last 176 bytes
    assert isotopes == {
        "blocks": 1, "cycles_per_block": 100, "rejection_sigma": 2, "ratio_count": 3,
        "ratio_masses": [1, 0, 0, 3, 0, 4],
    }  # fmt: skip


@pytest.mark.realdata
def test_real_time_image_keeps_no_left_over_memory(data_dir: Path) -> None:
    found = tree(data_dir / "mims" / "RTIimage.im")
    absent = {"beam_centring_horizontal", "beam_centring_vertical", "energy_centring",
              "e0s_centring", "print_results"}  # fmt: skip
    assert not absent & set(found["scan"])
    gone = {"reference_mode", "reference_delta", "energy_shift", "energy_shift_on", "rotation_on"}
    assert not gone & set(found["sample"])
    assert found["sample"]["sample"] == "SRM610-612"
    assert all(abs(number) < 2e6 for number in _integers(found))


def _integers(value: Any) -> list[int]:
    if isinstance(value, dict):
        return [n for inside in value.values() for n in _integers(inside)]
    if isinstance(value, list):
        return [n for inside in value for n in _integers(inside)]
    return [value] if isinstance(value, int) else []


@pytest.mark.realdata
@pytest.mark.parametrize("name", FILES)
def test_no_integer_of_real_files_is_out_of_this_world(data_dir: Path, name: str) -> None:
    assert all(abs(number) < 10**7 for number in _integers(tree(data_dir / "mims" / name)))


@pytest.mark.realdata
def test_presets_of_real_files(data_dir: Path) -> None:
    # read off a hex dump
    detectors = tree(data_dir / "mims" / "image sun.im")["detectors"]
    preset = detectors["acquisition_lenses"]
    assert preset["preset"]["name"] == "Primary Current [acquisition]"
    assert preset["preset"]["date"] == "02.04.2010 11:39"
    assert [row["name"] for row in preset["settings"]][:2] == ["C0x", "C0y"]
    assert len(preset["settings"]) == preset["preset"]["parameter_count"] == 9
    assert detectors["presputter_slits"]["settings"] == []


@pytest.mark.realdata
@pytest.mark.parametrize("name", FILES)
def test_text_is_json_of_a_few_kilobytes(data_dir: Path, name: str) -> None:
    header, order = read_head(FileSource.open(data_dir / "mims" / name))
    text = header_json(header, order)
    assert json.loads(text) == tree_of(header, order)
    assert len(text.encode()) < 20_000


# --- files made by others ---------------------------------------------------------------------


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "version"), SYNTHETIC.items())
def test_synthetic_files(data_dir: Path, name: str, version: int) -> None:
    golden = json.loads((data_dir / "mims" / "openformat_golden.json").read_text())["files"][name]
    found = tree(data_dir / "mims" / "synthetic" / name)
    assert found["warnings"] == []
    assert found["scan"]["version"] == golden["nano_version"] == version
    labels = [mass["species"]["label"] or "SE" for mass in found["masses"]]
    assert labels == golden["labels"]
    assert found["image"]["frames"] == golden["planes_in_header"]
    assert [found["image"][key] for key in ("rows", "columns")] == golden["shape_fdyx"][2:]
    assert len(found["b_fields"]) == (2 if "two_bfields" in name else 1)
    assert ("detectors" in found) == (version >= 8)
    assert ("l0" in found["parameters"]["primary"]) == (version >= 4)
    assert ("large" in found["parameters"]) == (version >= 8)
    assert ("frames" in found["b_fields"][0]) == (version >= 4)
    rows = found["b_fields"][0]["trolleys"]
    assert all(("baseline_offset" in row) == (version >= 9) for row in rows)


# --- damage -----------------------------------------------------------------------------------


def whole(kind: int = 27, version: int = 10, seed: int = 0) -> tuple[bytes, dict[str, Any]]:
    content = random_content(random.Random(seed), kind, version)
    raw = header_from(content, analysis_type=kind, version=version, order="<", fill=b"\xcc")
    return raw, expected_tree(content, kind, version, "<", len(raw))


def written(folder: Path, raw: bytes) -> FileSource:
    (folder / "a.im").write_bytes(raw)
    return FileSource.open(folder / "a.im")


@pytest.mark.parametrize("kind", [26, 27, 22, 25])
def test_truncation_at_every_percent(tmp_path: Path, kind: int) -> None:
    raw, _ = whole(kind)
    for percent in range(100):
        source = written(tmp_path, raw[: max(len(raw) * percent // 100, 1)])
        with pytest.raises(DataError, match=r"too early|not a file of the NanoSIMS"):
            read_tree(source)


@pytest.mark.parametrize("size", [124, 125, 600, 20027, 20028, 25000])
def test_a_length_that_lies_gives_what_is_sure(tmp_path: Path, size: int) -> None:
    raw, known = whole()
    lying = bytearray(raw)
    struct.pack_into("<i", lying, 8, size)
    found = read_tree(written(tmp_path, bytes(lying)))
    assert len(found["warnings"]) >= 2
    assert found["definition"] == {**known["definition"], "header_bytes": size}
    assert not {"scan", "b_fields", "parameters", "image"} & set(found)
    assert found.get("masses", known["masses"]) == known["masses"]
    assert ("masses" in found) == (size > 20_000)  # its follower is where it belongs


@pytest.mark.parametrize("size", [-1, 0, 12, 123, 10 * 2**20, 2**31 - 1])
def test_impossible_lengths(tmp_path: Path, size: int) -> None:
    lying = bytearray(whole()[0])
    struct.pack_into("<i", lying, 8, size)
    with pytest.raises(DataError, match="not a file of the NanoSIMS software"):
        read_tree(written(tmp_path, bytes(lying)))


@pytest.mark.parametrize("kind", [19, 61, -1, 2**31 - 1])
def test_impossible_types(tmp_path: Path, kind: int) -> None:
    lying = bytearray(whole()[0])
    struct.pack_into("<i", lying, 4, kind)
    with pytest.raises(DataError, match="not a file of the NanoSIMS software"):
        read_tree(written(tmp_path, bytes(lying)))


@pytest.mark.parametrize("kind", [30, 32, 34, 40, 28, 60])
def test_types_without_a_known_mask_give_their_settings(tmp_path: Path, kind: int) -> None:
    for built in (21, 26, 27):  # each tail that may be at the end
        raw, known = whole(built)
        other = bytearray(raw)
        struct.pack_into("<i", other, 4, kind)
        found = read_tree(written(tmp_path, bytes(other)))
        assert found["parameters"] == known["parameters"]
        assert found["sample"] == known["sample"]
        assert "masses" not in found
        assert "not documented" in found["warnings"][0]


@pytest.mark.parametrize(
    ("place", "value", "kept"),
    [
        (408, 0, set()),
        (408, -1, set()),
        (408, 61, set()),
        (408, 2**31 - 1, set()),
        ("ions", -1, {"masses"}),
        ("ions", 1001, {"masses"}),
        ("ions", 2**31 - 1, {"masses"}),
        ("b_fields", 0, {"masses"}),
        ("b_fields", 73, {"masses"}),
        ("b_fields", 2**31 - 1, {"masses"}),
        ("version", 9, {"masses"}),
    ],
)
def test_counts_that_lie(tmp_path: Path, place: Any, value: int, kept: set[str]) -> None:
    raw, known = whole()
    lists = 652 + 288 * len(known["masses"])
    nano = lists + 24 + 144 * known["polyatomic_ions"]["count"]
    named = {"ions": lists + 16, "version": nano, "b_fields": nano + 96}
    lying = bytearray(raw)
    struct.pack_into("<i", lying, named.get(place, place), value)
    found = read_tree(written(tmp_path, bytes(lying)))
    assert {"masses", "scan", "b_fields"} & set(found) == kept
    assert len(found["warnings"]) == 1
    assert found["parameters"] == known["parameters"]
    assert found["image"] == known["image"]


def test_entries_of_a_list_that_nobody_knows(tmp_path: Path) -> None:
    raw, known = whole(21)
    count = len(known["masses"])
    start = 796 + 288 * count + 24 + 144 * known["polyatomic_ions"]["count"]
    lying = bytearray(raw)
    assert raw[start : start + 11] == b"Champs_list"
    struct.pack_into("<i", lying, start + 16, 1)
    found = read_tree(written(tmp_path, bytes(lying)))
    assert "whose layout is not known" in found["warnings"][0]
    assert "scan" not in found
    assert found["masses"] == known["masses"]


def test_an_unknown_layout_version_keeps_the_heads_of_its_b_fields(tmp_path: Path) -> None:
    raw, known = whole()
    nano = 652 + 288 * len(known["masses"]) + 24 + 144 * known["polyatomic_ions"]["count"]
    newer = bytearray(raw)
    struct.pack_into("<i", newer, nano, 11)
    found = read_tree(written(tmp_path, bytes(newer)))
    assert found["warnings"] == []
    for ours, theirs in zip(found["b_fields"], known["b_fields"], strict=True):
        assert ours == {k: v for k, v in theirs.items() if k not in ("trolleys", "pulse_heights")}


def test_missing_markers(tmp_path: Path) -> None:
    raw, known = whole()
    for distance, gone in ((20028, {"parameters", "scan", "sample"}), (20028 - 1840, {"sample"}),
                           (20028 - 4680, {"detectors"}), (84, {"image"})):  # fmt: skip
        other = bytearray(raw)
        other[len(raw) - distance : len(raw) - distance + 4] = b"oops"
        found = read_tree(written(tmp_path, bytes(other)))
        assert not gone & set(found)
        for name in RECORDS & set(found) - gone:
            assert found[name] == known[name]


def test_an_old_release_has_no_second_block_whatever_stands_there(tmp_path: Path) -> None:
    raw, known = whole(version=4)
    other = bytearray(raw)
    place = len(raw) - 20028 + 4680
    other[place : place + 24] = b"Anal_param_nano_bis".ljust(24, b"\0")
    assert read_tree(written(tmp_path, bytes(other))) == known
    assert "detectors" not in known


def test_stray_markers_between_records_are_not_followed(tmp_path: Path) -> None:
    content = random_content(random.Random(4), 27, 9)
    fill = b"Poly_list\0\0\0\0\0\0\0\x02\0\0\0Anal_param_nano\0"
    raw = header_from(content, analysis_type=27, version=9, order=">", fill=fill)
    assert raw.count(b"Anal_param_nano\0") > 10
    found = read_tree(written(tmp_path, raw))
    assert found == expected_tree(content, 27, 9, ">", len(raw))


@pytest.mark.parametrize("kind", [21, 26, 27, 41, 25])
def test_flipped_bytes(tmp_path: Path, kind: int) -> None:
    rng = random.Random(kind)
    raw, known = whole(kind, version=rng.choice([2, 8, 10]))
    for _ in range(60):
        flipped = bytearray(raw)
        for _ in range(rng.choice([1, 1, 5, 200])):
            place = rng.choice([rng.randrange(124), rng.randrange(4000), rng.randrange(len(raw))])
            flipped[place] = rng.randrange(256)
        try:
            found = read_tree(written(tmp_path, bytes(flipped)))
        except DataError:
            continue
        assert json.loads(json.dumps(found, allow_nan=False)) == found
        assert set(found) <= {*known, "calibrations", "detectors", "sample"}


def test_left_over_memory_of_any_kind_is_quick_and_small(tmp_path: Path) -> None:
    rng = random.Random(0)
    raw, _ = whole()
    tracemalloc.start()
    start = time.perf_counter()
    for _ in range(10):
        junk = raw[:124] + rng.randbytes(len(raw) - 124)
        assert read_tree(written(tmp_path, junk))["warnings"]
    assert time.perf_counter() - start < 5
    assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    tracemalloc.stop()


def test_largest_header_that_can_be_claimed(tmp_path: Path) -> None:
    # ten megabytes of polyatomic ions, which no instrument writes
    raw, known = whole()
    lists = 652 + 288 * len(known["masses"])
    blown = bytearray(raw[: lists + 24] + bytes(144 * 60_000) + raw[lists + 24 :])
    struct.pack_into("<i", blown, 8, len(blown))
    more = known["polyatomic_ions"]["count"] + 60_000
    struct.pack_into("<i", blown, lists + 16, more)
    start = time.perf_counter()
    found = read_tree(written(tmp_path, bytes(blown)))
    assert time.perf_counter() - start < 2
    assert f"cannot hold {more}" in found["warnings"][0]


@pytest.mark.parametrize("raw", [b"", b"\0", b"not an image" * 100, bytes(124)])
def test_other_files(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "a.im").write_bytes(raw)
    with pytest.raises(DataError):
        read_tree(FileSource.open(tmp_path / "a.im"))
