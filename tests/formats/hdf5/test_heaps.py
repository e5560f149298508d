"""Texts of any length are those that h5py reads; references and heaps that lie are refused."""

from __future__ import annotations

import struct
from pathlib import Path

import h5py
import numpy as np
import pytest

from mfxarray.errors import DataError
from mfxarray.formats.hdf5.hdf5 import opened, text_attr
from mfxarray.formats.sources import FileSource

TEXTS = ["", "x", "ünicode µm", "a" * 9, "b" * 70_000]


def texts(path: Path, group: str = "/", name: str = "b") -> str | list[str] | None:
    source = FileSource.open(path)
    with opened(source) as file:
        return text_attr(file[group], name, source=source)


@pytest.mark.parametrize("user_block", [0, 512])
@pytest.mark.parametrize("order", [False, True])
@pytest.mark.parametrize("version", ["earliest", "v110", "latest"])
def test_as_h5py(tmp_path: Path, version: str, order: bool, user_block: int) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver=version, userblock_size=user_block) as file:
        group = file.create_group("group", track_order=order)
        things = [file, group, group.create_dataset("df", data=np.zeros(3), track_order=order)]
        for thing in things:
            thing.attrs["number"] = 5
            thing.attrs["a"] = "one"
            thing.attrs["b"] = TEXTS
            thing.attrs["c"] = ["three"]
            thing.attrs["bb"] = np.bytes_("fixed")
    for name in ("/", "group", "group/df"):
        assert texts(path, name, "a") == "one"
        assert texts(path, name, "b") == TEXTS
        assert texts(path, name, "c") == ["three"]
        assert texts(path, name, "bb") == "fixed"
        assert texts(path, name, "number") is None
        assert texts(path, name, "d") is None


def test_headers_that_go_on(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for number in range(200):
            file.attrs[f"n{number}"] = f"text {number}"
    assert [texts(path, "/", f"n{number}") for number in (0, 1, 77, 199)] == [
        "text 0",
        "text 1",
        "text 77",
        "text 199",
    ]


def test_attributes_in_other_places_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver="latest") as file:
        for number in range(20):  # more than 8 of them lie in a heap of another kind
            file.attrs[f"n{number}"] = "x"
    with pytest.raises(DataError, match="'n3' has no values where they should be"):
        texts(path, "/", "n3")


@pytest.fixture
def whole(tmp_path: Path) -> tuple[Path, bytes, int]:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.attrs["a"] = "one"
        file.attrs["b"] = ["two", "three"]
    raw = path.read_bytes()
    return path, raw, raw.index(b"GCOL")


def changed(path: Path, raw: bytes, at: int, value: bytes) -> Path:
    path.write_bytes(raw[:at] + value + raw[at + len(value) :])
    return path


def test_heaps_that_do_not_add_up(whole: tuple[Path, bytes, int]) -> None:
    path, raw, place = whole
    assert texts(path) == ["two", "three"]
    # sizes of the collection, of its first object, of its free space
    free = raw.index(b"three", place) + 8
    for offset in (place + 8, place + 16 + 8, free + 8):
        for value in (0, 2**40, 2**64 - 8):
            if (offset, value) == (place + 24, 0):
                continue  # an empty text, whatever follows
            with pytest.raises(DataError, match=r"heap|claims"):
                texts(changed(path, raw, offset, value.to_bytes(8, "little")))
    with pytest.raises(DataError, match="a heap of texts is damaged"):
        texts(changed(path, raw, place, b"X"))


@pytest.mark.parametrize(
    ("length", "heap", "index"),
    [(6, 0, 0), (2**32 - 1, 0, 0), (3, 0, 99), (5, 8, 0), (5, 2**63, 0), (2**31, 2**62, 0)],
)
def test_references_that_lie(
    whole: tuple[Path, bytes, int], length: int, heap: int, index: int
) -> None:
    path, raw, place = whole
    at = raw.index(struct.pack("<IQ", 5, place))  # of "three"
    own = struct.unpack_from("<I", raw, at + 12)[0]
    value = struct.pack("<IQI", length, place + heap if heap < 9 else heap, index or own)
    with pytest.raises(DataError, match=r"claims|heap"):
        texts(changed(path, raw, at, value))


def test_many_heaps(whole: tuple[Path, bytes, int]) -> None:
    path, _, _ = whole
    with h5py.File(path, "w") as file:
        file.attrs["b"] = ["x" * 50_000 + str(number) for number in range(20)]
    with pytest.raises(DataError, match="in many heaps"):
        texts(path)


def test_flips_of_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    for version in ("earliest", "latest"):
        with h5py.File(path, "w", libver=version) as file:
            file.attrs["a"] = "one"
            file.attrs["b"] = TEXTS[:4]
        raw = path.read_bytes()
        rng = np.random.default_rng(3)
        refused = 0
        for _ in range(300):
            at = int(rng.integers(min(len(raw), 1500)))
            value = rng.bytes(int(rng.integers(1, 9)))
            try:
                texts(changed(path, raw, at, value))
            except (DataError, KeyError):
                refused += 1
        assert refused > 20
