"""OpenMIMS pictures: the header, the integers behind the floats, and what is refused."""

from __future__ import annotations

import gzip
import json
import os
import random
import warnings

import numpy as np
import pytest

import mfxarray as mfx
from mfxarray.errors import DataError
from mfxarray.formats.nrrd.header import is_nrrd, read_nrrd_header
from mfxarray.formats.nrrd.nrrd import EXACT
from mfxarray.opening.mims import open_mims
from mfxarray.provenance import was_done
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.formats.nrrd.nrrd_samples import FIELDS, KEYS, counts, header, nrrd_file, payload


def test_labels_and_attributes(tmp_path):
    with raise_if_computes():
        found = open_mims(nrrd_file(tmp_path))
    assert found.dims == ("frame", "detector", "y", "x")
    assert found.dtype == np.uint32
    np.testing.assert_array_equal(found.values, counts())
    assert list(found["detector"].values) == ["12C", "12C14N", "SE"]
    assert list(found["label"].values) == ["12C", "12C14N", ""]
    np.testing.assert_array_equal(found["mass"].values, [12, 26, 0])
    np.testing.assert_allclose(found["x"].values, np.arange(7) * 2 + 1)
    expected = {
        "format": "nrrd",
        "date": "2018-04-02T12:23",
        "sample": "grass: leaf",
        "stage_position_um": [-120, 3400, 2],
        "dwell_time_s": 0.0015,
        "duration_s": 45.0,
        "raster_um": 14.0,
        "notes": "two\nlines \\ blanks",
    }
    assert {key: found.attrs[key] for key in expected} == expected
    assert found.attrs["nrrd_keys"]["Mims_mass_symbols"] == KEYS["Mims_mass_symbols"]
    json.dumps(found.attrs)


def test_the_real_file_equals_the_im_file(data_dir):
    folder = data_dir / "mims"
    facts = json.loads((folder / "facts.json").read_text())["RTIimage.openmims.nrrd"]
    with pytest.warns(UserWarning, match="dwell time of 1.526 ms is not believed"):
        found = open_mims(folder / "RTIimage.openmims.nrrd")
    image = mfx.open_mims(folder / "RTIimage.im")
    np.testing.assert_array_equal(found.values, image.values)
    assert found.dtype == image.dtype
    assert list(found.shape) == facts["shape_frame_detector_y_x"]
    assert found.sum(("frame", "y", "x")).values.tolist() == facts["total_per_detector"]
    np.testing.assert_array_equal(found["detector"].values, image["detector"].values)
    np.testing.assert_array_equal(found["mass"].values, image["mass"].values)
    np.testing.assert_allclose(found["x"].values, image["x"].values, rtol=1e-4)
    for key in ("date", "duration_s", "stage_position_um"):
        assert found.attrs[key] == image.attrs[key], key
    told = facts["nrrd_header"]
    keys = {key: value.strip() for key, value in found.attrs["nrrd_keys"].items()}
    assert keys == {key: value for key, value in told.items() if key.startswith("Mims_")}


@pytest.mark.parametrize(
    ("name", "dtype", "read"),
    [
        ("float", "f4", "u4"),
        ("double", "f8", "u4"),
        ("uint16", "u2", "u2"),
        ("unsigned short", "u2", "u2"),
        ("uint32", "u4", "u4"),
        ("short", "i2", "u2"),
        ("int", "i4", "u4"),
    ],
)
@pytest.mark.parametrize("order", ["big", "little"])
@pytest.mark.parametrize("packed", [False, True])
def test_types_and_encodings(tmp_path, name, dtype, read, order, packed):
    sign = ">" if order == "big" else "<"
    fields = {**FIELDS, "type": name, "endian": order, "encoding": "gzip" if packed else "raw"}
    pixels = payload(counts(), sign + dtype)
    content = header(fields) + (gzip.compress(pixels) if packed else pixels)
    found = open_mims(nrrd_file(tmp_path, content))
    assert found.dtype == np.dtype(read)
    np.testing.assert_array_equal(found.values, counts())
    floats = open_mims(tmp_path / "run.nrrd", integers=False)
    assert floats.dtype == np.float64
    np.testing.assert_array_equal(floats.values, counts())


def test_windows_lines(tmp_path):
    path = nrrd_file(tmp_path, header(newline="\r\n") + payload(counts()))
    np.testing.assert_array_equal(open_mims(path).values, counts())


@pytest.mark.parametrize(
    "bad", [0.5, -1.0, -(2.0**31), np.nan, np.inf, -np.inf, 2.0**32, 2.0**64, 1e300, 16777216.5]
)
def test_what_is_no_count_is_refused_where_it_is_read(tmp_path, bad):
    values = counts().astype(float)
    values[2, 1, 3, 4] = bad
    fields = {**FIELDS, "type": "double"}
    found = open_mims(nrrd_file(tmp_path, header(fields) + payload(values, ">f8")))
    with pytest.raises(DataError, match=r"no count \(frame 2, mass 1, pixel \(3, 4\)\).*integers="):
        found.compute()
    found.sel(detector=["12C", "SE"]).isel(frame=[0, 1])  # lazy
    floats = open_mims(tmp_path / "run.nrrd", integers=False)
    np.testing.assert_array_equal(floats.values, values)


@pytest.mark.parametrize(("name", "dtype"), [("short", ">i2"), ("int", ">i4")])
def test_negative_integers_are_no_counts(tmp_path, name, dtype):
    values = counts()
    values[1, 0, 0, 0] = -1
    fields = {**FIELDS, "type": name}
    path = nrrd_file(tmp_path, header(fields) + payload(values, dtype))
    with pytest.raises(DataError, match="holds -1, which is no count"):
        open_mims(path).compute()
    np.testing.assert_array_equal(open_mims(path, integers=False).values, values)


def test_the_largest_counts(tmp_path):
    values = counts()
    values[0, 0, 0, :3] = [EXACT, EXACT - 1, 2**32 - 2**8]
    found = open_mims(nrrd_file(tmp_path, header() + payload(values)))
    np.testing.assert_array_equal(found.values, values)


def test_chunks_and_detectors(tmp_path):
    path = nrrd_file(tmp_path)
    parts = [open_mims(path, chunk_bytes=size) for size in (1, 900, 10**6)]
    assert [part.data.numblocks[0] for part in parts][::2] == [4, 1]
    assert_chunk_invariant(lambda part: part, parts)
    from mfxarray.chunked.shortcuts import select_detectors

    np.testing.assert_array_equal(select_detectors(parts[0].data, [2, 0]), counts()[:, [2, 0]])


@pytest.mark.parametrize("roll", [(1, 1), "seed", (-2, 3)])
def test_roll(tmp_path, roll):
    shift = (1, 1) if roll == "seed" else roll
    found = open_mims(nrrd_file(tmp_path), roll=roll)
    np.testing.assert_array_equal(found.values, np.roll(counts(), shift, (2, 3)))
    assert found.attrs["roll"] == list(shift)
    assert open_mims(tmp_path / "run.nrrd", roll="auto").attrs["roll"] == [0, 0]


def test_corrections_of_openmims_are_recorded(tmp_path):
    keys = {
        **KEYS,
        "Mims_deadtime_correction_applied": "true",
        "Mims_QSA_correction_applied": "false",
    }
    path = nrrd_file(tmp_path, header(keys=keys) + payload(counts() * 1.01))
    found = open_mims(path, integers=False)
    assert was_done(found.attrs, "correct_dead_time")
    assert not was_done(found.attrs, "correct_qsa")


def test_detached_header(tmp_path):
    for name, skip in (
        ("pixels.raw", {}),
        ("./pixels.raw", {"byte skip": "10"}),
        ("pixels.raw", {"byte skip": "-1"}),
    ):
        start = bytes(10) if skip else b""
        (tmp_path / "pixels.raw").write_bytes(start + payload(counts()))
        text = header({**FIELDS, "data file": name, **skip})
        for content in (text, text.rstrip()):
            found = open_mims(nrrd_file(tmp_path, content, "run.nhdr"))
            np.testing.assert_array_equal(found.values, counts())
    (tmp_path / "pixels.gz").write_bytes(gzip.compress(payload(counts())))
    text = header({**FIELDS, "encoding": "gz", "datafile": "pixels.gz"})
    np.testing.assert_array_equal(open_mims(nrrd_file(tmp_path, text, "r.nhdr")).values, counts())


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../secret.raw",
        "sub/x.raw",
        "..",
        ".",
        "",
        "C:\\x.raw",
        "a\\b",
        "LIST",
        "LIST 2",
        "x%03d.raw 1 4 1",
        "link.raw",
        "missing.raw",
        "folder",
        "a\0b",
    ],
)
def test_detached_pixels_elsewhere(tmp_path, name):
    inside = tmp_path / "in"
    (inside / "folder").mkdir(parents=True)
    (inside / "sub").mkdir()
    for place in (tmp_path / "secret.raw", inside / "sub" / "x.raw"):
        place.write_bytes(payload(counts()))
    (inside / "link.raw").symlink_to(tmp_path / "secret.raw")
    with pytest.raises(DataError):
        open_mims(nrrd_file(inside, header({**FIELDS, "data file": name}), "run.nhdr"))


LIES = [
    {"sizes": "7 5 4"}, {"sizes": "7 5 4 0"}, {"sizes": "7 5 4 -3"}, {"sizes": "7 5 4 x"},
    {"sizes": "7 5 4 3 1"}, {"sizes": "7 5 4 99"}, {"sizes": "2147483647 2147483647 9999 99"},
    {"sizes": "99999999999 1 1 1"}, {"dimension": "3"}, {"dimension": "-4"}, {"type": "block"},
    {"type": "complex"}, {"endian": "middle"}, {"encoding": "bz2"}, {"encoding": "hex"},
    {"encoding": "ascii"}, {"byte skip": "4"}, {"byte skip": "-2"}, {"byte skip": "1e9"},
    {"line skip": "1"}, {"sizes": "٧ 5 4 3"},
    {"type": None}, {"sizes": None}, {"endian": None}, {"encoding": None}, {"dimension": None},
]  # fmt: skip


@pytest.mark.parametrize("lie", LIES, ids=str)
def test_headers_that_lie(tmp_path, lie):
    fields = {key: value for key, value in {**FIELDS, **lie}.items() if value is not None}
    with pytest.raises(DataError):
        open_mims(nrrd_file(tmp_path, header(fields) + payload(counts())))


def test_three_dimensions(tmp_path):
    fields = {**FIELDS, "dimension": "3", "sizes": "7 5 12"}
    with pytest.raises(DataError, match="columns, rows, planes, masses"):
        open_mims(nrrd_file(tmp_path, header(fields) + payload(counts())))


@pytest.mark.parametrize(
    "lines", ["type: float\ntype: float", "Mims_a:=1\nMims_a:=2", "nonsense", "x" * 50]
)
def test_lines_that_make_no_sense(tmp_path, lines):
    content = header().rstrip() + b"\n" + lines.encode() + b"\n\n" + payload(counts())
    with pytest.raises(DataError, match=r"twice|says nothing"):
        open_mims(nrrd_file(tmp_path, content))


def test_masses_that_do_not_fit(tmp_path):
    for keys in (
        {},
        {**KEYS, "Mims_mass_numbers": "12.00 26.00"},
        {**KEYS, "Mims_mass_numbers": "a b c"},
    ):
        with pytest.warns(UserWarning, match="masses"):
            found = open_mims(nrrd_file(tmp_path, header(keys=keys) + payload(counts())))
        assert len(set(found["detector"].values)) == 3
        assert np.isnan(found["mass"].values).all()
        np.testing.assert_array_equal(found.values, counts())


def test_labels_that_repeat(tmp_path):
    keys = {**KEYS, "Mims_mass_symbols": "12C 12C -", "Mims_mass_numbers": "12.00 12.00 NaN"}
    found = open_mims(nrrd_file(tmp_path, header(keys=keys) + payload(counts())))
    assert list(found["detector"].values) == ["12C", "12C_2", "channel_3"]


def test_bytes_behind_the_pixels(tmp_path):
    with pytest.warns(UserWarning, match="3 bytes after the pixels"):
        found = open_mims(nrrd_file(tmp_path, header() + payload(counts()) + b"end"))
    np.testing.assert_array_equal(found.values, counts())


@pytest.mark.parametrize("packed", [False, True])
def test_truncation(tmp_path, packed):
    fields = {**FIELDS, "encoding": "gzip" if packed else "raw"}
    pixels = payload(counts())
    content = header(fields) + (gzip.compress(pixels) if packed else pixels)
    for percent in range(0, 100, 2):
        with pytest.raises(DataError):
            open_mims(nrrd_file(tmp_path, content[: len(content) * percent // 100]))
    with pytest.raises(DataError):
        open_mims(nrrd_file(tmp_path, content[:-1]))


def test_flipped_bytes(tmp_path):
    content, rng = header() + payload(counts()), random.Random(3)
    for _ in range(200):
        hostile = bytearray(content)
        for _ in range(rng.randint(1, 4)):
            hostile[rng.randrange(len(header()))] ^= 1 << rng.randrange(8)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = open_mims(nrrd_file(tmp_path, bytes(hostile)))
            assert found.nbytes <= 4 * len(content)
            found.compute()
        except DataError:
            continue


def test_gzip_bomb(tmp_path):
    fields = {**FIELDS, "encoding": "gzip"}
    bomb = header(fields) + gzip.compress(bytes(50 * 2**20))
    with pytest.raises(DataError, match="hold more bytes"):
        open_mims(nrrd_file(tmp_path, bomb))
    huge = header({**fields, "sizes": "32768 32768 999 7"}) + gzip.compress(bytes(100 * 2**20))
    with pytest.raises(DataError, match="200 times"):
        open_mims(nrrd_file(tmp_path, huge))
    folder = tmp_path / "run.nrrd.mfxcache"
    assert os.listdir(folder) == []


def test_no_nrrd(tmp_path):
    assert is_nrrd(header())
    for content in (b"NRRD0009\n", b"nrrd0004\n", b"NRRD0004", b"\x89PNG"):
        assert not is_nrrd(content)
        with pytest.raises(DataError, match="no NRRD file"):
            read_nrrd_header(nrrd_file(tmp_path, content + b" " * 100))
    endless = b"NRRD0004\n" + b"# more\n" * 200_000
    with pytest.raises(DataError, match="header of more than"):
        read_nrrd_header(nrrd_file(tmp_path, endless))


def test_a_hostile_record_of_steps_is_no_record(tmp_path):
    for text in ("[", "{}", "[1]", '[{"step": 1}]', "[" * 9999, '[{"step": "x"}]'):
        keys = {**KEYS, "mfxarray_provenance": text}
        found = open_mims(nrrd_file(tmp_path, header(keys=keys) + payload(counts())))
        assert [step["step"] for step in json.loads(found.attrs["provenance"])] == ["open_mims"]
