"""Data of analyses that are no images: real files, every type, and damage."""

from __future__ import annotations

import json
import random
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mfxarray.errors import DataError
from mfxarray.formats.im.scans import open_scan
from mfxarray.simulate.im_records import header_from
from tests.formats.im.im_contents import random_content
from tests.formats.im.scan_files import scan_bytes

REAL = {
    "E0S.e0s": ("voltage", [46] * 6),
    "beamstability.bs": ("time", [1165, 1164, 1164, 1164, 1164, 1164]),
    "is01 R1 KH03-27 01.is": ("time", [100] * 5),
}
KNOWN = [21, 25, 26, 31, 35]


# --- real files -----------------------------------------------------------------------------


@pytest.mark.realdata
@pytest.mark.parametrize("name", REAL)
def test_real_files_are_read_to_the_last_byte(data_dir: Path, name: str) -> None:
    scan = open_scan(data_dir / "mims" / name)
    axis, points = REAL[name]
    assert scan.axis.name == axis
    assert [trace.points for trace in scan.traces] == points
    assert scan.warnings == ()
    last = scan.traces[-1]
    assert last.offset + 16 * last.points == scan.source.size


@pytest.mark.realdata
@pytest.mark.parametrize("name", list(REAL)[1:])
def test_shape_of_others(data_dir: Path, name: str) -> None:
    known = json.loads((data_dir / "mims" / "facts.json").read_text())[name]["sims_2_0_2"]
    scan = open_scan(data_dir / "mims" / name)
    longest = max(trace.points for trace in scan.traces)
    assert [len(scan.traces), longest] == known["shape"]
    labels = [mass["species"]["label"] for mass in scan.header["masses"]]
    assert labels == known["labels"]
    assert [mass["mass"] for mass in scan.header["masses"]] == known["masses"]


@pytest.mark.realdata
def test_spot_analysis_equals_the_instruments_own_text(data_dir: Path) -> None:
    text = (data_dir / "mims" / "is01 R1 KH03-27 01.is_txt").read_text(encoding="latin-1")
    blocks = text.split("B =")[1:]
    scan = open_scan(data_dir / "mims" / "is01 R1 KH03-27 01.is")
    assert len(blocks) == len(scan.traces)
    for number, block in enumerate(blocks):
        seconds = float(block.split("Tc =")[1].split("ms")[0]) / 1000
        rows = [line.split() for line in block.splitlines() if line.startswith("\t+")]
        times, counts = np.array(rows, float).T
        x, rate = scan.read(number)
        assert np.allclose(x, times, rtol=1e-6)
        # the text has whole counts, the file has counts per second
        assert np.array_equal(np.rint(rate * seconds), counts)
        assert np.allclose(rate * seconds, counts, rtol=1e-12)


@pytest.mark.realdata
def test_energy_scan_steps_as_its_mass_table_says(data_dir: Path) -> None:
    scan = open_scan(data_dir / "mims" / "E0S.e0s")
    for number, mass in enumerate(scan.header["masses"]):
        x, rate = scan.read(number)
        assert x[0] == mass["scan_start"]
        assert np.allclose(np.diff(x), mass["scan_step"], rtol=1e-9)
        assert x[-1] <= mass["scan_end"]
        assert np.allclose(rate * 0.54, np.rint(rate * 0.54), atol=1e-6)  # whole counts


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["depth profile.dp", "line scan stage control 1.ls"])
def test_definitions_hold_no_data(data_dir: Path, name: str) -> None:
    scan = open_scan(data_dir / "mims" / name)
    assert scan.traces == ()
    assert scan.warnings == ("holds only a header, no data",)
    assert len(scan.header["masses"]) == 7


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["RTIimage.im", "sample stage image.ls", "grain mode cameca.im"])
def test_images_are_named(data_dir: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"is an image.*open_mims"):
        open_scan(data_dir / "mims" / name)


# --- every type ---------------------------------------------------------------------------------


def written(folder: Path, raw: bytes) -> Path:
    (folder / "a.dp").write_bytes(raw)
    return folder / "a.dp"


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    kind=st.sampled_from([*KNOWN, 22]),
    version=st.sampled_from([2, 4, 8, 9, 10]),
    order=st.sampled_from("<>"),
    points=st.lists(st.integers(0, 20), min_size=1, max_size=6),
    seed=st.integers(0, 99),
)
def test_written_and_read(
    tmp_path: Path, kind: int, version: int, order: str, points: list[int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    traces = [(rng.normal(size=n), rng.normal(size=n)) for n in points]
    raw = scan_bytes(traces, kind, version=version, order=order, seed=seed)
    if kind == 22 and not any(points):
        with pytest.raises(DataError, match="layout is not known"):
            open_scan(written(tmp_path, raw))
        return
    scan = open_scan(written(tmp_path, raw))
    assert len(scan.traces) == len(traces)
    for number, (x, y) in enumerate(traces):
        found = scan.read(number)
        assert found[0].dtype.isnative
        assert np.array_equal(found[0], x)
        assert np.array_equal(found[1], y)
    # line scans with the stage were never met with data, so a reader must say what it assumes
    assert any("not documented" in text for text in scan.warnings) == (kind == 22)


@pytest.mark.parametrize(
    ("kind", "name", "axis", "unit"),
    [
        (21, "DEPTH PROFILE", "time", "s"),
        (25, "NANOSIMS 50 - E0S", "voltage", "V"),
        (26, "ISOTOPES", "time", "s"),
        (31, "NANOSIMS 50 - HMR", "voltage", "V"),
        (31, "NANOSIMS 50 - TROLLEY STEP SCAN", "radius", "mm"),
        (35, "NANOSIMS 50 - BS", "time", "s"),
        (22, "LINESCAN - STAGE CONTROL", "abscissa", ""),
    ],
)
def test_what_the_abscissas_are(tmp_path: Path, kind: int, name: str, axis: str, unit: str) -> None:
    raw = scan_bytes([([1.0], [2.0])], kind, name=name)
    found = open_scan(written(tmp_path, raw)).axis
    assert (found.name, found.unit) == (axis, unit)


# --- damage and what is not known ----------------------------------------------------------------


@pytest.mark.parametrize("kind", [*KNOWN, 22])
def test_truncation_at_every_percent(tmp_path: Path, kind: int) -> None:
    raw = scan_bytes([([1.0, 2.0] * 50, [3.0, 4.0] * 50)] * 3, kind)
    for percent in range(100):
        with pytest.raises(DataError):
            open_scan(written(tmp_path, raw[: max(len(raw) * percent // 100, 1)]))
    for cut in range(1, 200, 7):
        with pytest.raises(DataError):
            open_scan(written(tmp_path, raw[:-cut]))


def test_a_header_that_announces_data_which_are_not_there(tmp_path: Path) -> None:
    raw = scan_bytes([([1.0], [2.0])], 26)
    header = struct.unpack_from("<i", raw, 8)[0]
    with pytest.raises(DataError, match="ends too early"):
        open_scan(written(tmp_path, raw[:header]))


@pytest.mark.parametrize("kind", KNOWN)
@pytest.mark.parametrize("count", [-1, 0, 2, 61, 2**31 - 1])
def test_numbers_of_traces_that_lie(tmp_path: Path, kind: int, count: int) -> None:
    raw = bytearray(scan_bytes([([1.0], [2.0])] * 3, kind))
    struct.pack_into("<i", raw, len(raw) - 64, count)
    with pytest.raises(DataError, match=r"claims -?\d+ traces, 3 masses are listed"):
        open_scan(written(tmp_path, bytes(raw)))


@pytest.mark.parametrize("points", [-1, -(2**31), 2, 2**31 - 1])
def test_numbers_of_points_that_lie(tmp_path: Path, points: int) -> None:
    raw = bytearray(scan_bytes([([1.0], [2.0])] * 3, 21))
    struct.pack_into("<i", raw, len(raw) - 20, points)
    start = time.perf_counter()
    with pytest.raises(DataError, match=r"claims|ends too early"):
        open_scan(written(tmp_path, bytes(raw)))
    assert time.perf_counter() - start < 1


def test_bytes_after_the_last_trace_are_reported(tmp_path: Path) -> None:
    raw = scan_bytes([([1.0], [2.0])], 35) + b"tail"
    scan = open_scan(written(tmp_path, raw))
    assert scan.warnings == ("4 bytes after the last trace are left out",)


@pytest.mark.parametrize("kind", [22, 30, 32, 34, 40])
@pytest.mark.parametrize("data", [b"abcd", bytes(4000), b"\x01\0\0\0\0\0\0\0", b"\xff" * 64])
def test_unknown_data_are_named_and_not_guessed(tmp_path: Path, kind: int, data: bytes) -> None:
    content = random_content(random.Random(1), 21, 10)
    content["definition"]["data_present"] = 1
    raw = bytearray(header_from(content, analysis_type=21, version=10, order="<") + data)
    struct.pack_into("<i", raw, 4, kind)
    with pytest.raises(DataError, match=rf"{len(data)} bytes of data .*read_mims_header"):
        open_scan(written(tmp_path, bytes(raw)))


def test_undocumented_data_must_fit_to_the_last_byte(tmp_path: Path) -> None:
    raw = scan_bytes([([1.0], [2.0])] * 2, 22)
    assert len(open_scan(written(tmp_path, raw)).traces) == 2
    with pytest.raises(DataError, match="layout is not known"):
        open_scan(written(tmp_path, raw + b"\0"))


def test_definition_without_a_run(tmp_path: Path) -> None:
    content = random_content(random.Random(1), 21, 10)
    content["definition"]["data_present"] = 0
    raw = header_from(content, analysis_type=21, version=10, order="<")
    scan = open_scan(written(tmp_path, raw))
    assert scan.traces == ()
    assert "holds only a header" in scan.warnings[-1]


def test_damaged_masses_do_not_hide_the_data(tmp_path: Path) -> None:
    raw = bytearray(scan_bytes([([1.0], [2.0])] * 3, 26))
    struct.pack_into("<i", raw, 548, 59)
    scan = open_scan(written(tmp_path, bytes(raw)))
    assert len(scan.traces) == 3
    assert "the masses and settings were not read" in scan.warnings[0]


def test_flipped_bytes(tmp_path: Path) -> None:
    rng = random.Random(2)
    raw = scan_bytes([([1.0, 2.0], [3.0, 4.0])] * 3, 26)
    header = struct.unpack_from("<i", raw, 8)[0]
    for _ in range(100):
        flipped = bytearray(raw)
        flipped[rng.choice([rng.randrange(124), rng.randrange(header, len(raw))])] ^= rng.randrange(
            1, 256
        )
        try:
            scan = open_scan(written(tmp_path, bytes(flipped)))
        except DataError:
            continue
        values: list[Any] = [scan.read(i) for i in range(len(scan.traces))]
        assert all(len(x) == len(y) <= 10 for x, y in values)
