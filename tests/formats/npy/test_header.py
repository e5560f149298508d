"""Hostile .npy files: each one is a DataError, quickly and in little memory."""

from __future__ import annotations

import io
import os
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mfxarray.errors import DataError
from mfxarray.formats.localizations import extract
from mfxarray.formats.npy.header import read_header
from mfxarray.formats.sources import FileSource
from tests.formats.nested_records import open_file, records, save


def with_header(path: Path, text: str, data: bytes = b"\0" * 64, length: int | None = None) -> Path:
    """Write a version 1.0 file with any header text; the length may lie."""
    body = text.encode("latin-1") + b"\n"
    count = len(body) if length is None else length
    path.write_bytes(b"\x93NUMPY\x01\x00" + count.to_bytes(2, "little") + body + data)
    return path


def header_text(descr: object, shape: object = (1,), fortran: object = False) -> str:
    return f"{{'descr': {descr!r}, 'fortran_order': {fortran!r}, 'shape': {shape!r}, }}"


def refuse(path: Path, match: str | None = None) -> DataError:
    """Return the error; it must come fast and without a large allocation."""
    tracemalloc.start()
    begin = time.perf_counter()
    try:
        with pytest.raises(DataError, match=match) as caught:
            open_file(path)
        assert time.perf_counter() - begin < 2.0
        assert tracemalloc.get_traced_memory()[1] < 32 * 2**20
    finally:
        tracemalloc.stop()
    assert str(path) in str(caught.value)
    return caught.value


def test_empty_and_missing(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(b"")
    refuse(tmp_path / "a.npy", "empty")
    refuse(tmp_path / "none.npy", "cannot be opened")
    refuse(tmp_path, "not a file")


def test_truncated_at_every_tenth(tmp_path: Path) -> None:
    whole = save(tmp_path / "a.npy", records(40)).read_bytes()
    for tenth in range(10):
        size = len(whole) * tenth // 10
        (tmp_path / "b.npy").write_bytes(whole[:size])
        error = refuse(tmp_path / "b.npy")
        if size > 1000:
            there = (size - (len(whole) - 40 * 1030)) // 1030
            assert f"40 rows of 1030 bytes, {there} whole rows are there" in str(error)


@pytest.mark.parametrize("cut", [*range(1, 130), 640])
def test_truncated_in_the_header(tmp_path: Path, cut: int) -> None:
    whole = save(tmp_path / "a.npy", records(2)).read_bytes()
    (tmp_path / "b.npy").write_bytes(whole[:cut])
    refuse(tmp_path / "b.npy")


def test_longer_than_promised(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npy", records(40))
    with open(path, "ab") as file:
        file.write(b"\0" * 7)
    refuse(path, "7 bytes more than the 40 rows")


@pytest.mark.parametrize(
    ("raw", "match"),
    [
        (b"GARBAGE" * 20, "no .npy file"),
        (b"\x93NUMPX\x01\x00" + b"\0" * 90, "no .npy file"),
        (b"\x93NUMPY\x09\x00" + b"\0" * 90, r"version \[9, 0\]"),
        (b"\x93NUMPY\x01\x01" + b"\0" * 90, r"version \[1, 1\]"),
        (b"\x93NUMPY\x01\x00\xff\xff" + b" " * 90, "ends too early"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + b" " * 90, "4294967295 bytes"),
        (b"\x93NUMPY\x01\x00\x00\x00" + b" " * 90, "does not end"),
        (b"\x93NUMPY\x03\x00\x03\x00\x00\x00\xff\xfe\n", "UTF-8"),
    ],
)
def test_bad_start(tmp_path: Path, raw: bytes, match: str) -> None:
    (tmp_path / "a.npy").write_bytes(raw)
    refuse(tmp_path / "a.npy", match)


GOOD = [("itr", [("loc", "<f8", (3,))], (2,)), ("tid", "<i4"), ("tim", "<f8")]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (header_text(GOOD, (-1,)), "negative shape"),
        (header_text(GOOD, (10**13,)), "is truncated"),
        (header_text(GOOD, (10**22,)), "is truncated"),
        (header_text(GOOD, (10**40,)), "unexpected text"),
        (header_text(GOOD, (2, 2)), "2 dimensions in C"),
        (header_text(GOOD, (2, 2), True), "2 dimensions in Fortran"),
        (header_text(GOOD, ()), "0 dimensions"),
        (header_text(GOOD, 3), "no tuple"),
        (header_text(GOOD, (True,)), "no tuple"),
        (header_text(GOOD, (1,), 0), "fortran_order"),
        (header_text("<f8"), "plain numbers"),
        (header_text("|O"), "Python objects"),
        (header_text([*GOOD, ("bad", "|O")]), "Python objects"),
        (header_text([*GOOD, ("bad", [("deep", "|O", (2,))])]), "Python objects"),
        (header_text([*GOOD, ("bad", "<M8[ns]")]), "not read"),
        (header_text([*GOOD, ("bad", "3f8,i4")]), "not read"),
        (header_text([*GOOD, ("bad", "|V99999999")]), "larger than"),
        (header_text([*GOOD, ("bad", "<f8", (2**31, 2**31))]), "larger than"),
        (header_text([*GOOD, ("bad", "<f8", (-2,))]), "has the shape"),
        (header_text([*GOOD, ("bad", "<f8", (0,))]), "has the shape"),
        (header_text([*GOOD, ("bad", "<f8", (1,) * 9)]), "has the shape"),
        (header_text([*GOOD, ("tid", "<i4")]), "missing or repeated"),
        (header_text([*GOOD, ("", "<i4")]), "no name"),
        (header_text([*GOOD, (5, "<i4")]), "no name"),
        (header_text([*GOOD, "tid"]), "cannot read the field"),
        (header_text([]), "cannot read the record type"),
        (header_text({"a": 1}), "cannot read the record type"),
        (header_text([("x", "<f8")] * 1001), "cannot read the record type"),
        ("{'descr': 1}", "lacks descr"),
        ("[1, 2]", "lacks descr"),
        ("__import__('os').system('true')", "unexpected text"),
        ("{'descr': (lambda: 1)()}", "unexpected text"),
        ("(" * 30_000, "nests deeper"),
        ("{" * 16, "no dictionary"),
        ("{[1]: 2}", "no dictionary"),
        ("-" * 60_000 + "1", "unexpected text"),
        ("{'a': " + "9" * 5000 + "}", "unexpected text"),
        ("", "no dictionary"),
    ],
)
def test_bad_header(tmp_path: Path, text: str, match: str) -> None:
    refuse(with_header(tmp_path / "a.npy", text), match)


@pytest.mark.parametrize("change", [-64, -10, -2, -1, 1, 10, 64, 1000])
def test_header_length_lies(tmp_path: Path, change: int) -> None:
    whole = bytearray(save(tmp_path / "a.npy", records(4)).read_bytes())
    length = int.from_bytes(whole[8:10], "little") + change
    whole[8:10] = length.to_bytes(2, "little")
    (tmp_path / "b.npy").write_bytes(whole)
    refuse(tmp_path / "b.npy")


def test_pickle_never_runs(tmp_path: Path) -> None:
    canary = tmp_path / "canary"

    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (open, (str(canary), "w"))

    path = tmp_path / "a.npy"
    with open(path, "wb") as file:
        np.save(file, np.array([Evil()], dtype=object), allow_pickle=True)
    canary.unlink(missing_ok=True)
    refuse(path, "Python objects")
    assert not canary.exists()


def test_refuses_a_changed_file(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npy", records(40))
    opened = open_file(path)
    save(path, records(41))
    with pytest.raises(DataError, match="changed on disk"):
        opened.records.read(0, 1)


@given(place=st.integers(0, 10**6), bit=st.integers(0, 7), cut=st.integers(0, 300))
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_flips_in_the_header(
    tmp_path_factory: pytest.TempPathFactory, place: int, bit: int, cut: int
) -> None:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, records(3, 2))
    whole = bytearray(buffer.getvalue())
    whole[place % 640] ^= 1 << bit
    path = tmp_path_factory.getbasetemp() / f"flip{os.getpid()}.npy"
    path.write_bytes(whole[: len(whole) - cut] if cut % 3 == 0 else whole)
    try:
        opened = open_file(path)
    except DataError:
        return
    # what still opens must be consistent: all rows read, and the layout covers the whole file
    assert opened.records.n_rows * opened.records.dtype.itemsize <= path.stat().st_size
    block = opened.records.read(0, opened.records.n_rows)
    for field in opened.fields:
        assert extract(block, field.path, field.dtype).shape[0] == opened.records.n_rows


def test_header_reader_agrees_with_numpy(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npy", records(7, 3))
    header = read_header(FileSource.open(path))
    oracle = np.load(path, mmap_mode="r")
    assert (header.dtype, header.n_rows, header.offset) == (oracle.dtype, 7, oracle.offset)
