"""The ``.im`` reader against real files, files made by others, and hostile ones."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import struct
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mfxarray.errors import DataError
from mfxarray.formats.im.header import iso_date
from mfxarray.formats.im.im import Detector, ImFile, open_im
from mfxarray.simulate.im_writer import ImHeader, write_im

REAL = ["RTIimage.im", "image sun.im"]
HEADER_ONLY = ["OR1d6m_15.im.hdr", "grain mode cameca.im", "line scan beam control.im"]
OTHER_TYPES = {
    "E0S.e0s": 25,
    "beamstability.bs": 35,
    "depth profile.dp": 21,
    "is01 R1 KH03-27 01.is": 26,
    "line scan stage control 1.ls": 22,
}
SYNTHETIC = [
    "s10_dup_labels_peakswitch.im",
    "s1_v10_le_u4_24x6x96.im",
    "s2_v2_be_u2_3x6x64x48.im",
    "s3_v4_be_u2_3x6x64x48.im",
    "s4_v8_be_u2_3x6x64x48.im",
    "s5_v9_le_u4_3x6x64x48.im",
    "s6_v10_le_u4_3x6x64x48.im",
    "s7_v10_le_u4_two_bfields.im",
    "s8_truncated_2of5.im",
    "s9_header_z0_file5.im",
]


def pixels(file: ImFile) -> np.ndarray[Any, Any]:
    return file.stack.read(0, file.stack.n_frames)


def hash_i4(frames: np.ndarray[Any, Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(frames, "<i4").tobytes()).hexdigest()


@pytest.fixture(scope="module")
def facts(data_dir: Path) -> dict[str, Any]:
    return json.loads((data_dir / "mims" / "facts.json").read_text())


@pytest.fixture(scope="module")
def golden(data_dir: Path) -> dict[str, Any]:
    return json.loads((data_dir / "mims" / "openformat_golden.json").read_text())["files"]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Return a valid file of 2 frames, 3 detectors, 8 rows and 6 columns."""
    rng = np.random.default_rng(3)
    frames = rng.integers(0, 1000, (2, 3, 8, 6), dtype=np.uint32)
    path = tmp_path / "small.im"
    write_im(path, frames, ImHeader(height=8, width=6, frames=2))
    return path


def changed(path: Path, offset: int, code: str, *values: Any) -> Path:
    raw = bytearray(path.read_bytes())
    struct.pack_into(f"<{code}", raw, offset, *values)
    target = path.with_name("changed.im")
    target.write_bytes(raw)
    return target


def header_size(path: Path) -> int:
    return int(struct.unpack_from("<i", path.read_bytes(), 8)[0])


# --- real files -----------------------------------------------------------------------------


@pytest.mark.realdata
@pytest.mark.parametrize("name", REAL)
def test_pixels_of_real_files(data_dir: Path, facts: dict[str, Any], name: str) -> None:
    data, path = facts[name]["data"], data_dir / "mims" / name
    file = open_im(path)
    frames = pixels(file)
    assert file.warnings == ()
    assert list(frames.shape) == data["shape_frame_detector_y_x"]
    assert file.stack.dtype == np.dtype(data["disk_dtype"])
    assert frames.dtype.isnative
    assert (int(frames.min()), int(frames.max())) == (data["min"], data["max"])
    assert frames.sum(axis=(0, 2, 3), dtype=int).tolist() == data["total_per_detector"]
    assert frames.sum(axis=(2, 3), dtype=int).tolist() == data["total_per_frame_detector"]
    assert frames[0, :, 0, :8].tolist() == data["first_row_first_8"]
    assert hash_i4(frames) == data["sha256_i4le_fdyx_unrolled"]
    raw = path.read_bytes()[file.stack.offset :]
    assert hashlib.sha256(raw).hexdigest() == data["sha256_raw_pixel_bytes"]
    assert np.array_equal(np.frombuffer(raw, file.stack.dtype).reshape(frames.shape), frames)


@pytest.mark.realdata
@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("roll", ["seed", (1, 1)])
def test_roll_of_the_seed(data_dir: Path, facts: dict[str, Any], name: str, roll: Any) -> None:
    file = open_im(data_dir / "mims" / name, roll=roll)
    assert hash_i4(pixels(file)) == facts[name]["data"]["sha256_i4le_fdyx_rolled_p1p1"]


@pytest.mark.realdata
@pytest.mark.parametrize("name", REAL + HEADER_ONLY)
def test_header_facts(data_dir: Path, facts: dict[str, Any], name: str) -> None:
    header, file = facts[name]["header"], open_im(data_dir / "mims" / name)
    attrs = file.attrs
    same = {
        "analysis_type": "analysis_type",
        "analysis_name": "analysis_name",
        "release": "release",
        "nano_version": "nano_version",
        "byte_order": "byte_order",
        "frames_planned": "cycle_number",
        "duration_s": "analysis_duration",
        "user": "user",
        "comment": "comment",
        "primary_ion": "source",
        "raster_um": "raster_um",
    }
    for ours, theirs in same.items():
        assert attrs[ours] == header[theirs], ours
    day, month, year = header["date"].split(".")
    assert attrs["date"] == f"20{year}-{month}-{day}T{header['time']}"
    assert attrs["stage_position_um"] == [header[key] for key in ("pos_x", "pos_y", "pos_z")]
    assert attrs["frames_in_header"] == header["img"]["z"]
    assert attrs["pixel_bytes"] == header["img"]["d"]
    assert attrs["polarity"] == ("-" if header["E0W"] < 0 else "+")
    measured = [value for value in header["prim_current"] if value != 2147483647]
    assert attrs["primary_current_pa"] == measured
    assert attrs["dwell_time_s"] == header["bfields"][0]["count_us_per_pixel"] / 1e6
    assert file.stack.offset == header["hdr_size"]


@pytest.mark.realdata
@pytest.mark.parametrize("name", REAL + HEADER_ONLY)
def test_detectors_and_b_fields(data_dir: Path, facts: dict[str, Any], name: str) -> None:
    header, file = facts[name]["header"], open_im(data_dir / "mims" / name)
    rows = header["masses"]
    assert [d.label for d in file.detectors] == [row["symbol"] for row in rows]
    assert [d.name for d in file.detectors] == [row["symbol"] or "SE" for row in rows]
    assert [d.mass for d in file.detectors] == [row["amu"] for row in rows]
    assert [d.trolley for d in file.detectors] == [row["trolley"] for row in rows]
    for ours, theirs in zip(file.attrs["b_fields"], header["bfields"], strict=True):
        assert ours["selected"] is bool(theirs["selected"])
        assert (ours["dac"], ours["wait_us"]) == (theirs["dac"], theirs["wait_us"])
        assert (ours["dwell_us"], ours["n_frames"]) == (
            theirs["count_us_per_pixel"],
            theirs["n_frames"],
        )
        keys = ("index", "symbol", "num", "amu", "radius")
        known = [tuple(row[key] for key in keys) for row in theirs["trolleys"]]
        keys = ("index", "symbol", "mass_index", "mass_u", "radius_mm")
        assert [tuple(row[key] for key in keys) for row in ours["trolleys"]] == known


@pytest.mark.realdata
@pytest.mark.parametrize("name", REAL + HEADER_ONLY)
def test_multipliers_of_each_detector(data_dir: Path, facts: dict[str, Any], name: str) -> None:
    header, attrs = facts[name]["header"], open_im(data_dir / "mims" / name).attrs
    table = dict(enumerate(header["em_1_to_5_yield_background_deadtime"], start=1))
    table |= dict(zip((10, 11), header["em_6_7"], strict=True))
    by_mass = {row["num"]: row["index"] for row in header["bfields"][0]["trolleys"]}
    for i, row in enumerate(header["masses"]):
        known = table.get(row["trolley"] or by_mass[i])
        found = [attrs[key][i] for key in ("yield_percent", "background_cps", "dead_time_ns")]
        assert found == (known or [None] * 3)


@pytest.mark.realdata
@pytest.mark.parametrize("name", REAL)
def test_pixel_size_uses_the_double(data_dir: Path, facts: dict[str, Any], name: str) -> None:
    dy, dx = open_im(data_dir / "mims" / name).pixel_size_um
    known = facts[name]["data"]["pixel_size_nm_double_raster"] / 1000
    assert dy == pytest.approx(known, rel=1e-12)
    assert dx == pytest.approx(known, rel=1e-12)


@pytest.mark.realdata
def test_sample_name_of_real_files(data_dir: Path) -> None:
    # read off a hex dump at Def_analysis_bis + 876
    found = [open_im(data_dir / "mims" / name).attrs["sample"] for name in REAL]
    for name, sample in zip(REAL, found, strict=True):
        raw = (data_dir / "mims" / name).read_bytes()
        order = "<" if name.startswith("RTI") else ">"
        start = struct.unpack_from(f"{order}i", raw, 8)[0] - 20028 + 1840 + 876
        assert sample == raw[start : start + 80].split(b"\0")[0].decode()
    assert found == ["SRM610-612", "G6"]


@pytest.mark.realdata
@pytest.mark.parametrize("name", HEADER_ONLY)
def test_header_only_files(data_dir: Path, facts: dict[str, Any], name: str) -> None:
    header, file = facts[name]["header"], open_im(data_dir / "mims" / name)
    x_low, x_high, y_low, y_high = header["frame"]["scan"]
    shape = (header["n_masses"], y_high - y_low + 1, x_high - x_low + 1)
    assert (file.stack.frame_shape, file.stack.n_frames) == (shape, 0)
    assert file.stack.read(0, 0).shape == (0, *shape)
    assert len(file.warnings) == 1
    assert "no frames" in file.warnings[0]
    assert file.attrs["frames_in_file"] == 0


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "kind"), OTHER_TYPES.items())
def test_other_analysis_types_are_named(data_dir: Path, name: str, kind: int) -> None:
    with pytest.raises(DataError, match=rf"type {kind} \(.+not an image.*open_mims_scan"):
        open_im(data_dir / "mims" / name)


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["RTIimage.openmims.nrrd", "facts.json"])
def test_other_files_are_refused(data_dir: Path, name: str) -> None:
    with pytest.raises(DataError, match="not a file of the NanoSIMS software"):
        open_im(data_dir / "mims" / name)


@pytest.mark.realdata
@pytest.mark.parametrize("name", REAL + HEADER_ONLY)
def test_attrs_are_json(data_dir: Path, name: str) -> None:
    attrs = open_im(data_dir / "mims" / name).attrs
    assert json.loads(json.dumps(attrs, allow_nan=False)) == attrs


# --- files made by others, every layout -------------------------------------------------------


@pytest.mark.realdata
@pytest.mark.parametrize("name", SYNTHETIC)
def test_synthetic_files(data_dir: Path, golden: dict[str, Any], name: str) -> None:
    known, file = golden[name], open_im(data_dir / "mims" / "synthetic" / name)
    frames = pixels(file)
    assert list(frames.shape) == known["shape_fdyx"]
    assert file.stack.dtype == np.dtype(known["disk"])
    assert [d.name.removesuffix("_2") for d in file.detectors] == known["labels"]
    assert file.attrs["nano_version"] == known["nano_version"]
    assert file.attrs["frames_in_file"] == known["planes_in_file"]
    assert file.attrs["frames_in_header"] == known["planes_in_header"]
    assert hash_i4(frames) == known["sha256_i4le_fdyx"]
    assert bool(file.warnings) == (known["planes_in_file"] != known["planes_in_header"])


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "frames"), [(SYNTHETIC[8], (5, 3)), (SYNTHETIC[9], (0, 5))])
def test_warning_names_both_counts(data_dir: Path, name: str, frames: tuple[int, int]) -> None:
    (text,) = open_im(data_dir / "mims" / "synthetic" / name).warnings
    assert f"header counts {frames[0]}" in text
    assert f"holds {frames[1]} complete frames" in text


@pytest.mark.realdata
def test_two_b_fields(data_dir: Path) -> None:
    fields = open_im(data_dir / "mims" / "synthetic" / SYNTHETIC[7]).attrs["b_fields"]
    assert [field["dac"] for field in fields] == [1000000, 1000001]


@pytest.mark.realdata
def test_repeated_labels_get_unique_names(data_dir: Path) -> None:
    detectors = open_im(data_dir / "mims" / "synthetic" / SYNTHETIC[0]).detectors
    assert [d.name for d in detectors if d.mass == 0] == ["SE", "SE_2"]


# --- what the header decides ------------------------------------------------------------------


def test_names_stay_unique_even_if_a_label_looks_like_a_suffix(tmp_path: Path) -> None:
    labels = ["12C", "12C_2", "12C", "12C"]
    channels = tuple(Detector("", label, 12.0, i + 1) for i, label in enumerate(labels))
    header = ImHeader(channels, height=2, width=2)
    write_im(tmp_path / "a.im", np.zeros((1, 4, 2, 2), np.uint32), header)
    names = [d.name for d in open_im(tmp_path / "a.im").detectors]
    assert names == ["12C", "12C_2", "12C_3", "12C_4"]


def test_mass_without_a_label_is_named_by_its_number(tmp_path: Path) -> None:
    header = ImHeader((Detector("", "", 25.99, 1),), height=2, width=2)
    write_im(tmp_path / "a.im", np.zeros((1, 1, 2, 2), np.uint32), header)
    assert open_im(tmp_path / "a.im").detectors == (Detector("26AU", "", 25.99, 1),)


@pytest.mark.parametrize(
    ("mass", "name", "species"),
    [(12.0, "12C", "¹²C⁻"), (26.003074, "12C 14N", "¹²C¹⁴N⁻"), (26.0, "26AU", "26AU")],
)
def test_missing_labels_from_the_mass(tmp_path: Path, mass: float, name: str, species: str) -> None:
    header = ImHeader((Detector("", "", mass, 1),), height=2, width=2)
    write_im(tmp_path / "a.im", np.zeros((1, 1, 2, 2), np.uint32), header)
    file = open_im(tmp_path / "a.im")
    assert file.detectors == (Detector(name, "", mass, 1),)
    assert file.coords["species"].tolist() == [species]


def test_sub_frame_takes_its_share_of_the_raster(tmp_path: Path) -> None:
    header = ImHeader(height=32, width=64, raster_um=40.0, raster_pixels=(256, 256))
    write_im(tmp_path / "a.im", np.zeros((1, 3, 32, 64), np.uint32), header)
    file = open_im(tmp_path / "a.im")
    assert file.attrs["raster_um"] == 40.0
    assert file.attrs["scanned_frame"] == {"rows": [1, 32, 256], "columns": [1, 64, 256]}
    assert file.pixel_size_um == (40.0 / 256, 40.0 / 256)
    write_im(tmp_path / "a.im", np.zeros((1, 3, 32, 64), np.uint32), ImHeader(height=32, width=64))
    assert "scanned_frame" not in open_im(tmp_path / "a.im").attrs


def test_header_raster_is_the_fallback(small: Path) -> None:
    size = header_size(small)
    place = size - 20028 + 288 + 160
    file = open_im(changed(small, place, "d", float("nan")))
    assert file.attrs["raster_um"] == 20.0
    assert file.pixel_size_um == pytest.approx((20 / 6, 20 / 6))


def test_contradicting_rasters_are_reported(small: Path) -> None:
    file = open_im(changed(small, header_size(small) - 84 + 16, "i", 5000))
    assert file.attrs["raster_um"] == 20.0
    assert "20 µm" in file.warnings[0]
    assert "5 µm" in file.warnings[0]


def test_contradicting_sizes_are_reported(small: Path) -> None:
    file = open_im(changed(small, header_size(small) - 84 + 6, "hh", 8, 6))
    assert file.stack.frame_shape == (3, 6, 8)
    assert "settings scan 8 rows of 6 pixels, the image header has 6 of 8" in file.warnings[0]


def test_no_raster_at_all_gives_nan(small: Path) -> None:
    size = header_size(small)
    file = open_im(changed(changed(small, size - 68, "i", 0), size - 20028 + 448, "d", -1.0))
    assert np.isnan(file.pixel_size_um).all()
    assert "raster_um" not in file.attrs


def test_dwell_time_of_the_selected_b_field(tmp_path: Path) -> None:
    header = ImHeader(height=2, width=2, dwell_us=250, b_fields=2)
    write_im(tmp_path / "a.im", np.zeros((1, 3, 2, 2), np.uint32), header)
    first = 652 + 3 * 288 + 24 + 1552
    path = changed(tmp_path / "a.im", first, "4i", 0, 1, 0, 250)
    path = changed(path, first + 3128, "4i", 1, 2, 0, 777)
    assert open_im(path).attrs["dwell_time_s"] == 777e-6


@pytest.mark.parametrize(
    ("dead", "known"), [((100.0, 0, 44), 44), ((-1.0, 0, 44), None), ((100.0, 0, -9), None)]
)
def test_impossible_multiplier_values_are_left_out(small: Path, dead: Any, known: Any) -> None:
    place = header_size(small) - 20028 + 840 + 792
    attrs = open_im(changed(small, place, "dii", *dead)).attrs
    assert attrs["dead_time_ns"] == [known, 44, None]


def test_unnamed_second_multiplier_block_is_not_believed(tmp_path: Path) -> None:
    header = ImHeader((Detector("", "32S", 32.0, 10),), height=2, width=2)
    write_im(tmp_path / "a.im", np.zeros((1, 1, 2, 2), np.uint32), header)
    name = header_size(tmp_path / "a.im") - 20028 + 4680
    assert open_im(tmp_path / "a.im").attrs["dead_time_ns"] == [44]
    assert open_im(changed(tmp_path / "a.im", name, "B", 0xCC)).attrs["dead_time_ns"] == [None]


def test_faraday_cup_has_no_dead_time(small: Path) -> None:
    assert open_im(changed(small, 652 + 20, "i", 1)).attrs["dead_time_ns"] == [None, 44, None]


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        (("02.04.18", "12:23"), "2018-04-02T12:23"),
        (("31.12.69", "23:59"), "1969-12-31T23:59"),
        (("01.01.99", "00:00"), "1999-01-01T00:00"),
        (("01.01.68", "00:00"), "2068-01-01T00:00"),
        (("09.12.2013", "14:53"), "2013-12-09T14:53"),
        (("32.01.18", "12:00"), None),
        (("N/A", ""), None),
        (("", ""), None),
    ],
)
def test_dates(text: tuple[str, str], iso: str | None) -> None:
    assert iso_date(*text) == iso


def test_damaged_date_is_absent(small: Path) -> None:
    assert "date" not in open_im(changed(small, 92, "8s", b"\xcc" * 8)).attrs


def test_bytes_of_an_incomplete_frame_are_reported(small: Path) -> None:
    raw = small.read_bytes()
    frame = 3 * 8 * 6 * 4
    small.write_bytes(raw[: len(raw) - frame // 2])
    file = open_im(small)
    assert file.stack.n_frames == 1
    assert any(f"{frame // 2} bytes of an incomplete" in text for text in file.warnings)


def test_longer_file_than_planned_is_read_whole(small: Path) -> None:
    raw = small.read_bytes()
    small.write_bytes(raw + raw[-3 * 8 * 6 * 4 :])
    file = open_im(small)
    assert file.stack.n_frames == 3
    assert "holds 3 complete frames" in file.warnings[0]


@pytest.mark.parametrize("roll", [(1,), (0.5, 1), None, (1, 2, 3)])
def test_wrong_roll(small: Path, roll: Any) -> None:
    with pytest.raises(ValueError, match="two integers"):
        open_im(small, roll=roll)


def test_an_opened_file_travels(small: Path) -> None:
    file = open_im(small, roll=(2, -1))
    again = pickle.loads(pickle.dumps(file))
    assert again == file
    assert np.array_equal(pixels(again), np.roll(pixels(open_im(small)), (2, -1), (2, 3)))


# --- damaged headers: what is read must be right ------------------------------------------------


def test_unknown_layout_version_opens_without_trolleys(small: Path) -> None:
    place = 652 + 3 * 288 + 24
    file = open_im(changed(small, place, "i", 11))
    assert file.warnings == ()
    assert file.attrs["nano_version"] == 11
    assert file.attrs["dwell_time_s"] == 0.001
    assert file.attrs["b_fields"][0]["trolleys"] == []


@pytest.mark.parametrize(
    ("offset", "value", "labels_known"),
    [
        (652 + 3 * 288 + 24, 9, True),  # version that does not match the record size
        (652 + 3 * 288 + 24 + 96, 2, True),  # number of B fields
        (652 + 3 * 288 + 24 + 96, 2**31 - 1, True),
        (652 + 3 * 288 + 24 + 96, 0, True),
        (652 + 3 * 288 + 16, 5, True),  # number of polyatomic ions
        (652 + 3 * 288 + 16, -1, True),
        (652 + 3 * 288 + 16, 2**31 - 1, True),
        (408, 4, False),  # number of masses
        (408, -1, False),
        (408, 2**31 - 1, False),
        (0, 11, False),  # release: the mass table would start elsewhere
    ],
)
def test_contradicting_counts(small: Path, offset: int, value: int, labels_known: bool) -> None:
    whole, file = open_im(small), open_im(changed(small, offset, "i", value))
    assert np.array_equal(pixels(file), pixels(whole))
    assert len(file.warnings) == 1
    assert "not read" in file.warnings[0]
    assert "sample" not in file.attrs
    assert "b_fields" not in file.attrs
    if labels_known:
        assert file.detectors == whole.detectors
    else:
        assert [d.name for d in file.detectors] == ["channel_1", "channel_2", "channel_3"]
    changing = ("release", "detectors", "header")
    kept = {k: v for k, v in file.attrs.items() if k not in changing}
    assert kept.items() <= whole.attrs.items()


def test_more_masses_than_pointers_are_not_believed(tmp_path: Path) -> None:
    sixty = tuple(Detector("", "12C", 12.0, 1) for _ in range(60))
    write_im(tmp_path / "a.im", np.zeros((1, 60, 2, 2), np.uint32), ImHeader(sixty, 2, 2))
    raw = bytearray((tmp_path / "a.im").read_bytes())
    first, table = header_size(tmp_path / "a.im"), 652
    more = 288 * 4
    raw[table:table] = raw[table : table + more]  # four masses more, everything else consistent
    struct.pack_into("<i", raw, 8, first + more)
    struct.pack_into("<i", raw, 408, 64)
    struct.pack_into("<h", raw, first + more - 84 + 12, 64)
    (tmp_path / "b.im").write_bytes(raw + bytes(4 * 16))
    file = open_im(tmp_path / "b.im")
    assert "cannot hold 64 masses" in file.warnings[0]
    assert file.detectors[63].name == "channel_64"


def test_missing_marker(small: Path) -> None:
    file = open_im(changed(small, header_size(small) - 20028, "4s", b"oops"))
    assert "Anal_param_nano is not at byte" in file.warnings[0]
    assert file.pixel_size_um == pytest.approx((20 / 6, 20 / 6))


@pytest.mark.parametrize(
    ("place", "value"),
    [(6, 0), (6, -1), (8, 0), (8, -32768), (10, 3), (10, 8), (12, -1), (0, 83), (12, 32767)],
)
def test_impossible_image_header(small: Path, place: int, value: int) -> None:
    with pytest.raises(DataError):
        open_im(changed(small, header_size(small) - 84 + place, "h", value))


@pytest.mark.parametrize("size", [0, -5, 100, 207, 2**30, 2**31 - 1, 9_000_000])
def test_impossible_header_size(small: Path, size: int) -> None:
    with pytest.raises(DataError):
        open_im(changed(small, 8, "i", size))


def test_error_names_file_and_place(small: Path) -> None:
    with pytest.raises(DataError, match=r"changed\.im: .*\(offset ") as caught:
        open_im(changed(small, 8, "i", 9_000_000))
    assert caught.value.hint


# --- hostile files -------------------------------------------------------------------------------


def test_truncated_anywhere(small: Path) -> None:
    raw, first = small.read_bytes(), header_size(small)
    frame = 3 * 8 * 6 * 4
    path = small.with_name("cut.im")
    for end in [*range(0, len(raw), len(raw) // 100), first - 1, first + 1, len(raw) - 1]:
        path.write_bytes(raw[:end])
        if end < first or first < end < first + frame:
            with pytest.raises(DataError):
                open_im(path)
        else:
            file = open_im(path)
            assert file.stack.n_frames == (end - first) // frame
            assert file.warnings
            pixels(file)


@pytest.mark.realdata
@pytest.mark.parametrize("name", REAL)
def test_real_file_truncated_at_every_per_cent(data_dir: Path, tmp_path: Path, name: str) -> None:
    raw, path = (data_dir / "mims" / name).read_bytes(), tmp_path / "cut.im"
    whole = open_im(data_dir / "mims" / name)
    path.write_bytes(raw)
    for percent in range(99, -1, -1):
        end = len(raw) * percent // 100
        os.truncate(path, end)
        try:
            file = open_im(path)
        except DataError:
            assert end < whole.stack.offset + whole.stack.frame_bytes
        else:
            assert file.warnings
            assert file.stack.n_frames == (end - whole.stack.offset) // whole.stack.frame_bytes
        try:
            file = open_im(path, incomplete="pad")
        except DataError:
            continue
        assert file.warnings
        recorded = (end - whole.stack.offset) // whole.stack.dtype.itemsize
        lost = sum(stop - start for _, _, start, stop in file.attrs.get("missing_pixels", []))
        assert file.stack.n_frames * np.prod(file.stack.frame_shape) - lost == recorded


def test_cut_after_opening_is_noticed(small: Path) -> None:
    file = open_im(small)
    small.write_bytes(small.read_bytes()[:-8])
    with pytest.raises(DataError, match="changed on disk"):
        pixels(file)


def test_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be opened"):
        open_im(tmp_path / "absent.im")
    with pytest.raises(DataError, match="not a file"):
        open_im(tmp_path)


OPTIONS: list[dict[str, Any]] = [
    {},
    {"interleave": True, "incomplete": "pad"},
    {"roll": "auto", "zero_tail": "drop"},
    {"roll": "auto", "zero_tail": "drop", "interleave": True, "incomplete": "pad"},
]


def check_opens_or_refuses(path: Path) -> None:
    """Open, and read what is claimed: DataError is the only error, and attrs stay JSON."""
    for options in OPTIONS:
        try:
            file = open_im(path, **options)
            json.dumps(file.attrs, allow_nan=False)
            found = pixels(file)
        except DataError:
            continue
        n_frames, n_detectors = file.stack.n_frames, file.stack.frame_shape[0]
        assert found.shape == (n_frames, *file.stack.frame_shape)
        assert len({d.name for d in file.detectors}) == len(file.species) == n_detectors
        assert file.attrs["detectors"] == [d.name for d in file.detectors]
        for name, values in file.coords.items():
            assert len(values) == (n_frames if name in PER_FRAME else n_detectors)
        if not options:
            assert n_frames == file.attrs["frames_in_file"]
            assert found.nbytes <= path.stat().st_size


PER_FRAME = ("recorded", "plane", "series")


_HYPOTHESIS = settings(
    max_examples=150, deadline=4000, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@_HYPOTHESIS
@given(raw=st.binary(max_size=600), kind=st.sampled_from([None, 27, 29, 39, 41]))
def test_random_bytes(tmp_path: Path, raw: bytes, kind: int | None) -> None:
    if kind is not None:
        raw = struct.pack("<iii", 4108, kind, max(len(raw), 1)) + raw
    path = tmp_path / "random.im"
    path.write_bytes(raw)
    check_opens_or_refuses(path)


@_HYPOTHESIS
@given(data=st.data())
def test_flipped_integers(small: Path, data: st.DataObject) -> None:
    raw = bytearray(small.read_bytes())
    size = header_size(small)
    records = [range(0, 124, 4), range(400, 700, 4), range(1516, 3200, 4)]
    records += [range(size - 20028, size - 18200, 4), range(size - 84, size - 60, 2)]
    place = st.sampled_from([offset for record in records for offset in record])
    special = st.sampled_from([0, -1, 1, 255, 2**15 - 1, 2**31 - 1, -(2**31), 0x7FF00000])
    for offset in data.draw(st.lists(place, min_size=1, max_size=4)):
        struct.pack_into("<i", raw, offset, data.draw(special | st.integers(-(2**31), 2**31 - 1)))
    path = small.with_name("flipped.im")
    path.write_bytes(raw)
    check_opens_or_refuses(path)


@pytest.mark.parametrize("version", [2, 4, 8, 9, 10])
def test_flipped_bytes(tmp_path: Path, version: int) -> None:
    rng = np.random.default_rng(version)
    path = tmp_path / "a.im"
    twice = (*open_default(), *open_default())
    frames = rng.integers(0, 1000, (3, 6, 8, 6), dtype=np.uint32)
    write_im(path, frames, ImHeader(twice, 8, 6, 3, version))
    raw = np.frombuffer(path.read_bytes(), np.uint8)
    began = time.perf_counter()
    for _ in range(60):
        bad = raw.copy()
        # half of the flips where the sizes stand
        places = rng.integers(0, len(raw) - 3 * 6 * 8 * 6 * 4, 20)
        places[:10] = rng.choice([*range(16), *range(404, 412), *range(-84 - 3456, -3456)], 10)
        bad[places] ^= rng.integers(1, 256, 20).astype(np.uint8)
        path.write_bytes(bad.tobytes())
        check_opens_or_refuses(path)
    assert time.perf_counter() - began < 20


def open_default() -> tuple[Detector, ...]:
    return ImHeader().detectors


def test_a_lying_header_costs_neither_time_nor_memory(small: Path) -> None:
    size = header_size(small)
    hostile = [
        (408, "i", 2**31 - 1),
        (652 + 3 * 288 + 120, "i", 2**31 - 1),
        (652 + 3 * 288 + 16, "i", 10**6),
        (size - 84 + 6, "4h", 32767, 32767, 4, 32767),
        (8, "i", 9_999_999),
    ]
    tracemalloc.start()
    began = time.perf_counter()
    for offset, code, *values in hostile:
        check_opens_or_refuses(changed(small, offset, code, *values))
    seconds, (_, peak) = time.perf_counter() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 1
    assert peak < 4 * 2**20


@pytest.mark.realdata
def test_an_image_of_the_stage_has_no_raster_of_the_beam(data_dir: Path) -> None:
    file = open_im(data_dir / "mims" / "sample stage image.ls")
    assert (file.stack.n_frames, file.stack.frame_shape[1:]) == (0, (257, 255))
    assert np.isnan(file.pixel_size_um).all()
    assert "raster_um" not in file.attrs
