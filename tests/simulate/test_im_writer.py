"""Files written here, read back by our reader and by the layout that others wrote down."""

from __future__ import annotations

import json
import os
import struct
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mfxarray.formats.im.im import Detector, open_im
from mfxarray.simulate import im_header
from mfxarray.simulate.im_writer import ImHeader, header_bytes, write_im

VERSIONS = [2, 4, 8, 9, 10]
SIZES = {2: 1784, 4: 1976, 8: 2648, 9: 2840, 10: 3128}
FIVE = (
    Detector("12C", "12C", 12.0, 1),
    Detector("12C 14N", "12C 14N", 26.003, 2),
    Detector("12C 15N", "12C 15N", 27.0, 3),
    Detector("32S", "32S", 31.972, 10),
    Detector("SE", "", 0.0, 8),
)


def counts(header: ImHeader, seed: int = 0) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    shape = (header.frames, *header.frame_shape)
    return rng.integers(0, np.iinfo(header.dtype).max, shape, header.dtype.newbyteorder("="), True)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("pixel_bytes", [2, 4])
def test_round_trip(tmp_path: Path, version: int, pixel_bytes: int) -> None:
    header = ImHeader(FIVE, 7, 5, 3, version, pixel_bytes, sample="wafer 3", comment="a comment")
    frames = counts(header)
    write_im(tmp_path / "a.im", frames, header)
    file = open_im(tmp_path / "a.im")
    assert file.warnings == ()
    assert file.stack.dtype == np.dtype(f"{'>' if version < 9 else '<'}u{pixel_bytes}")
    assert np.array_equal(file.stack.read(0, 3), frames)
    assert file.detectors == FIVE
    assert file.attrs["nano_version"] == version
    assert (file.attrs["sample"], file.attrs["comment"]) == ("wafer 3", "a comment")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("b_fields", [1, 2, 5])
def test_length_of_the_header(version: int, b_fields: int) -> None:
    raw = header_bytes(ImHeader(FIVE, 4, 4, version=version, b_fields=b_fields))
    mask = 652 if version >= 9 else 452
    assert len(raw) == mask + 5 * 288 + 24 + 1552 + b_fields * SIZES[version] + 20028
    assert raw[-20028:-20013] == b"Anal_param_nano"


@pytest.mark.realdata
@pytest.mark.parametrize("version", VERSIONS)
def test_header_length_of_files_made_by_others(data_dir: Path, version: int) -> None:
    names = {2: "s2_v2_be_u2", 4: "s3_v4_be_u2", 8: "s4_v8_be_u2", 9: "s5_v9_le_u4"}
    name = f"{names.get(version, 's6_v10_le_u4')}_3x6x64x48.im"
    raw = (data_dir / "mims" / "synthetic" / name).read_bytes()
    six = (*FIVE, Detector("", "13C", 13.0, 4))
    order = ">" if version < 9 else "<"
    ours = header_bytes(ImHeader(six, 48, 64, 3, version))
    assert len(ours) == struct.unpack_from(f"{order}i", raw, 8)[0]
    assert ours[:4] == raw[:4]


@pytest.mark.realdata
@pytest.mark.parametrize("version", VERSIONS)
def test_fields_by_the_published_layout(data_dir: Path, version: int) -> None:
    layout = json.loads((data_dir / "mims" / "im_layout.json").read_text())
    header = ImHeader(FIVE, 48, 64, 3, version, 2, 12.5, dwell_us=700, polarity="+")
    raw, order = header_bytes(header), ">" if version < 9 else "<"

    def value(record: str, start: int, name: str) -> Any:
        field = next(f for f in layout[record]["fields"] if f["name"] == name)
        code = {"i2": "h", "i4": "i", "f8": "d", "c": f"{field['count']}s"}[field["type"]]
        return struct.unpack_from(order + code, raw, start + field["offset"])[0]

    table = 652 if version >= 9 else 452
    nano = table + 5 * 288 + 24
    anchor = len(raw) - 20028
    assert value("Def_analysis", 0, "hdr_size") == len(raw)
    assert value("Def_analysis", 0, "data_present") == 1
    assert value("Tab_mass", table + 192, "mass_amu") == 26.003
    assert value("Tab_mass", table + 192, "counting_time") == pytest.approx(48 * 64 * 700e-6)
    assert value("Polyatomique", table + 192 + 48, "string").startswith(b"12C 14N \0")
    assert value("Mask_nano", nano, "nx_high") == 64
    assert value("Mask_nano", nano, "ny_high") == 48
    assert value("Mask_nano", nano, "nb_bfield") == 1
    assert value(f"Tab_BField_nano_v{version}", nano + 1552, "count_us_per_pixel") == 700
    assert value("Ap_primary_nano", anchor + 288, "raster") == 12.5
    assert value("Ap_secondary_nano", anchor + 840, "e0w") > 0
    assert value("Def_analysis_bis", anchor + 1840, "magic") == 2306
    assert value("Header_image", len(raw) - 84, "raster") == 12500
    assert [value("Header_image", len(raw) - 84, key) for key in "whdnz"] == [64, 48, 2, 5, 3]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    version=st.sampled_from(VERSIONS),
    pixel_bytes=st.sampled_from([2, 4]),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    frames=st.integers(1, 4),
    channels=st.integers(1, 10),
    b_fields=st.integers(1, 3),
    raster=st.floats(0.5, 200),
    dwell=st.integers(1, 10**6),
    polarity=st.sampled_from("+-"),
    current=st.tuples(st.integers(0, 10**6), st.none() | st.integers(0, 10**6)),
    minute=st.datetimes(
        min_value=datetime(1969, 1, 1),
        max_value=datetime(2068, 12, 31),
    ),
)
def test_any_header_reads_back(tmp_path: Path, **drawn: Any) -> None:
    detectors = tuple(
        Detector(f"{i + 1}X", f"{i + 1}X", i + 1.25, i % 7) for i in range(drawn["channels"])
    )
    date = drawn["minute"].isoformat(timespec="minutes")
    header = ImHeader(
        detectors,
        drawn["height"],
        drawn["width"],
        drawn["frames"],
        drawn["version"],
        drawn["pixel_bytes"],
        drawn["raster"],
        dwell_us=drawn["dwell"],
        b_fields=drawn["b_fields"],
        polarity=drawn["polarity"],
        date=date,
        primary_current_pa=drawn["current"],
    )
    frames = counts(header)
    write_im(tmp_path / "a.im", iter(frames), header)
    file = open_im(tmp_path / "a.im")
    assert file.warnings == ()
    assert np.array_equal(file.stack.read(0, header.frames), frames)
    assert file.detectors == detectors
    assert file.attrs["date"] == date
    assert file.attrs["polarity"] == drawn["polarity"]
    assert file.attrs["raster_um"] == drawn["raster"]
    assert file.attrs["dwell_time_s"] == drawn["dwell"] / 1e6
    assert len(file.attrs["b_fields"]) == drawn["b_fields"]
    known = [value for value in drawn["current"] if value is not None]
    assert file.attrs["primary_current_pa"] == known
    assert file.pixel_size_um[1] == pytest.approx(drawn["raster"] / drawn["width"])


def test_second_multiplier_block_is_absent_in_old_versions(tmp_path: Path) -> None:
    for version in VERSIONS:
        header = ImHeader(FIVE, 2, 2, version=version, dead_time_ns=36)
        write_im(tmp_path / "a.im", counts(header), header)
        dead = open_im(tmp_path / "a.im").attrs["dead_time_ns"]
        assert dead == [36, 36, 36, 36 if version >= 8 else None, None]


def test_no_frames_is_a_definition_before_its_run(tmp_path: Path) -> None:
    write_im(tmp_path / "a.im", [], ImHeader(FIVE, 6, 9, 0))
    file = open_im(tmp_path / "a.im")
    assert (file.stack.frame_shape, file.stack.n_frames) == ((5, 6, 9), 0)
    assert file.attrs["raster_um"] == 20.0
    assert len(file.warnings) == 1


def test_bytes_depend_on_nothing_but_the_arguments(tmp_path: Path) -> None:
    header = ImHeader(FIVE, 4, 4)
    for name in ("a.im", "b.im"):
        write_im(tmp_path / name, counts(header), header)
    assert (tmp_path / "a.im").read_bytes() == (tmp_path / "b.im").read_bytes()


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([np.zeros((3, 4, 4), np.uint32)], "1 frames were given"),
        ([np.zeros((3, 4, 4), np.uint32)] * 3, "3 frames were given"),
        ([np.zeros((3, 4, 5), np.uint32)] * 2, "expected"),
        ([np.full((3, 4, 4), 70000)] * 2, "outside 0 to 65535"),
        ([np.full((3, 4, 4), -1)] * 2, "outside 0 to 65535"),
        ([np.zeros((3, 4, 4))] * 2, "must be integers"),
    ],
)
def test_frames_that_do_not_fit(tmp_path: Path, frames: Any, message: str) -> None:
    target = tmp_path / "a.im"
    target.write_bytes(b"as it was")
    with pytest.raises(ValueError, match=message):
        write_im(target, frames, ImHeader(height=4, width=4, frames=2, pixel_bytes=2))
    assert os.listdir(tmp_path) == ["a.im"]
    assert target.read_bytes() == b"as it was"


def test_target_appears_only_when_complete(tmp_path: Path) -> None:
    seen: list[bool] = []

    def frames() -> Any:
        for _ in range(3):
            seen.append((tmp_path / "a.im").exists())
            yield np.zeros((3, 2, 2), np.uint32)

    write_im(tmp_path / "a.im", frames(), ImHeader(height=2, width=2, frames=3))
    assert seen == [False] * 3
    assert os.listdir(tmp_path) == ["a.im"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": 3},
        {"pixel_bytes": 8},
        {"polarity": "0"},
        {"detectors": ()},
        {"detectors": FIVE * 3, "version": 8},
        {"height": 0},
        {"width": 2**15},
        {"frames": -1},
        {"b_fields": 0},
    ],
)
def test_impossible_headers(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be|stores"):
        ImHeader(**wrong)


# --- kinds of files -------------------------------------------------------------------------


@pytest.mark.parametrize("roll", [(1, 1), (0, -1), (-2, 5)])
def test_glitch_is_undone_by_that_roll(tmp_path: Path, roll: tuple[int, int]) -> None:
    header = ImHeader(FIVE, 9, 7, 3, 4, 2)
    frames = counts(header)
    write_im(tmp_path / "a.im", frames, header, roll=roll)
    assert np.array_equal(open_im(tmp_path / "a.im", roll=roll).stack.read(0, 3), frames)
    stored = open_im(tmp_path / "a.im").stack.read(0, 3)
    assert np.array_equal(stored[:, :, 0, 0], frames[:, :, roll[0] % 9, roll[1] % 7])


@pytest.mark.parametrize("cut", [0, 1, 100, 1000])
def test_cut_bytes(tmp_path: Path, cut: int) -> None:
    header = ImHeader(FIVE, 9, 7, 3)
    write_im(tmp_path / "a.im", counts(header), header)
    write_im(tmp_path / "b.im", counts(header), header, cut_bytes=cut)
    whole = (tmp_path / "a.im").read_bytes()
    assert (tmp_path / "b.im").read_bytes() == whole[: len(whole) - cut]


@pytest.mark.parametrize("cut", [-1, 10**6])
def test_impossible_cuts(tmp_path: Path, cut: int) -> None:
    header = ImHeader(FIVE, 9, 7, 1)
    with pytest.raises(ValueError, match="cut_bytes must be 0 to"):
        write_im(tmp_path / "a.im", counts(header), header, cut_bytes=cut)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("given", [0, 1, 5])
def test_more_or_fewer_frames_than_the_header_says(tmp_path: Path, given: int) -> None:
    header = ImHeader(FIVE, 4, 4, 3)
    frames = counts(ImHeader(FIVE, 4, 4, max(given, 1)))[:given]
    write_im(tmp_path / "a.im", frames, header, exact=False)
    file = open_im(tmp_path / "a.im")
    assert np.array_equal(file.stack.read(0, given), frames)
    assert len(file.warnings) == 1


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    version=st.sampled_from(VERSIONS),
    order=st.sampled_from("<>"),
    pixel_bytes=st.sampled_from([2, 4]),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    raster=st.none() | st.tuples(st.integers(9, 512), st.integers(9, 512)),
    frames=st.integers(1, 4),
    labels=st.lists(st.sampled_from(["12C", "13C", "12C 14N", "SE"]), min_size=1, max_size=10),
    b_fields=st.integers(1, 3),
    roll=st.tuples(st.integers(-3, 3), st.integers(-3, 3)),
    interleave=st.booleans(),
    cut=st.integers(0, 60),
)
def test_any_kind_reads_back(tmp_path: Path, **drawn: Any) -> None:
    known = {"12C": (1, 12.0), "13C": (2, 13.003), "12C 14N": (3, 26.003), "SE": (8, 0.0)}
    channels = tuple(
        Detector("", "" if label == "SE" else label, known[label][1], known[label][0])
        for label in drawn["labels"]
    )
    height, width = drawn["size"]
    header = ImHeader(
        channels,
        height,
        width,
        drawn["frames"],
        drawn["version"],
        drawn["pixel_bytes"],
        raster_pixels=drawn["raster"],
        b_fields=drawn["b_fields"],
    )
    path, rolled = tmp_path / "a.im", drawn["roll"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(im_header._ORDERS, drawn["version"], drawn["order"])
        frames = counts(header)
        # one complete image must stay, or the file is refused
        most = frames[0].nbytes - 1 if len(frames) > 1 else frames.nbytes - frames[0, 0].nbytes
        cut = min(drawn["cut"], most)
        write_im(path, frames, header, roll=rolled, cut_bytes=cut)
    file = open_im(path, roll=rolled, incomplete="pad")
    assert file.stack.dtype == np.dtype(f"{drawn['order']}u{drawn['pixel_bytes']}")
    assert [one.label for one in file.detectors] == [one.label for one in channels]
    columns, rows = drawn["raster"] or (width, height)
    assert file.pixel_size_um == pytest.approx((20 / columns, 20 / columns))
    assert ("scanned_frame" in file.attrs) == ((columns, rows) != (width, height))
    lost = np.zeros((len(frames), len(channels), height * width), bool)
    for frame, detector, start, stop in file.attrs.get("missing_pixels", []):
        lost[frame, detector, start:stop] = True
    stored = np.roll(frames, (-rolled[0], -rolled[1]), (2, 3)).reshape(lost.shape)
    assert lost.sum() == -(-cut // drawn["pixel_bytes"])
    expected = np.where(lost, 0, stored).reshape(frames.shape)
    found = file.stack.read(0, drawn["frames"])
    assert np.array_equal(found, np.roll(expected, rolled, (2, 3)))
    if drawn["interleave"]:
        again = open_im(path, roll=rolled, incomplete="pad", interleave=True)
        switched = again.stack.read(0, again.stack.n_frames)
        assert switched.sum(dtype=int) == found.sum(dtype=int)
        again_lost = sum(stop - start for *_, start, stop in again.attrs.get("missing_pixels", []))
        assert again_lost == lost.sum()
