"""HDF5 files that look elsewhere, lie, or are damaged are refused."""

from __future__ import annotations

import sys
import time
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from mfxarray.errors import DataError
from mfxarray.formats.hdf5.chunks import read_box
from mfxarray.formats.hdf5.hdf5 import check_dataset, children, member, opened, text_attr
from mfxarray.formats.sources import FileSource

CANARY = b"the content of another file....."


def check(path: Path, name: str = "x") -> None:
    source = FileSource.open(path)
    with opened(source) as file:
        check_dataset(member(file, name, source), source)


def read(path: Path, box: tuple, name: str = "x") -> np.ndarray:
    source = FileSource.open(path)
    with opened(source) as file:
        check_dataset(file[name], source)
        return read_box(file[name], box, source)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"chunks": (4, 3, 7)},
        {"chunks": (4, 3, 7), "compression": "gzip"},
        {"chunks": (4, 3, 7), "compression": "gzip", "shuffle": True},
        {"chunks": (4, 3, 7), "compression": "gzip", "fletcher32": True, "shuffle": True},
        {"chunks": (1, 1, 31), "compression": "lzf", "shuffle": True},
        {"chunks": (10, 10, 31), "fletcher32": True},
    ],
)
@pytest.mark.parametrize("dtype", ["<f8", ">i4", "?", "u1"])
def test_boxes_are_what_h5py_reads(tmp_path: Path, settings: dict, dtype: str) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2 if dtype == "?" else 100, (10, 10, 31)).astype(dtype)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=values, **settings)
    for box in (((0, 10), (0, 10), (0, 31)), ((3, 9), (2, 4), (6, 8)), ((1, 1), (0, 10), (0, 3))):
        expected = values[tuple(slice(*ends) for ends in box)]
        found = read(tmp_path / "a.h5", box)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


def test_external_storage_soft_and_external_links_and_views(tmp_path: Path) -> None:
    canary = tmp_path / "canary.bin"
    canary.write_bytes(CANARY)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.frombuffer(CANARY, "u1")
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("outside", (32,), "u1", external=[(str(canary), 0, 32)])
        file["soft"] = h5py.SoftLink("/good")
        file["linked"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/x")
        file.create_group("g")["deep"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/x")
        layout = h5py.VirtualLayout((32,), "u1")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", (32,))
        file.create_virtual_dataset("view", layout)
        file["good"] = np.arange(3)
    check(path, "good")
    for name, match in (
        ("outside", "another file"),
        ("view", "a view"),
        ("soft", "soft link"),
        ("linked", "external link"),
        ("g/deep", "external link"),
    ):
        with pytest.raises(DataError, match=match) as caught:
            check(path, name)
        assert CANARY.decode() not in str(caught.value)
    source = FileSource.open(path)
    with pytest.raises(DataError, match="link"), opened(source) as file:
        list(children(file, source))
    with opened(source) as file:
        assert member(file, "nothing/here", source) is None
        assert member(file, "good/here", source) is None


def test_claims_beyond_what_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        huge = (2**35, 100)
        file.create_dataset("x", huge, "f8", chunks=(2**10, 100), compression="gzip")
        file["x"][:3] = 1.0
        file.create_dataset("late", (2**41,), "f8")
        file.create_dataset("holes", (1000,), "f8", chunks=(100,))
        file["holes"][:950] = 1.0
        file["holes"].id.get_num_chunks()
        file.create_dataset("gap", (1000,), "f8", chunks=(100,))
        file["gap"][:850] = 1.0
        file.create_dataset("broad", (2**25,), "f8", chunks=(2**25,))
    assert path.stat().st_size < 100_000
    begin = time.perf_counter()
    for name, match in (
        ("x", "chunks"),
        ("late", "claims"),
        ("gap", "needs 10 chunks, 9 are stored"),
        ("broad", "chunks of"),
    ):
        with pytest.raises(DataError, match=match):
            check(path, name)
    check(path, "holes")
    assert time.perf_counter() - begin < 1.0


def test_a_chunk_that_inflates_too_far(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    bomb = zlib.compress(bytes(2**28))
    with h5py.File(path, "w") as file:
        data = file.create_dataset("x", (1000,), "f8", chunks=(1000,), compression="gzip")
        data.id.write_direct_chunk((0,), bomb)
        data = file.create_dataset("short", (1000,), "f8", chunks=(1000,), compression="gzip")
        data.id.write_direct_chunk((0,), zlib.compress(bytes(7999)))
        data = file.create_dataset("bad", (1000,), "f8", chunks=(1000,), compression="gzip")
        data.id.write_direct_chunk((0,), b"no zlib")
    for name in ("x", "short", "bad"):
        begin = time.perf_counter()
        with pytest.raises(DataError, match="does not hold its 8000 bytes"):
            read(path, ((0, 1000),), name)
        assert time.perf_counter() - begin < 1.0


def test_odd_types_and_filters(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["text"] = ["a", "bc"]
        file.create_dataset("refs", (2,), h5py.ref_dtype)
        file.create_dataset("ragged", (2,), h5py.vlen_dtype("i4"))
        file["complex"] = np.ones(2, complex)
        file["inner"] = np.zeros(2, [("a", [("b", "f8")], (3,))])
        file["null"] = h5py.Empty("f8")
        plain = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plain.set_chunk((2,))
        plain.set_scaleoffset(h5py.h5z.SO_INT, 0)
        space = h5py.h5s.create_simple((2,))
        made = h5py.h5d.create(file.id, b"scaled", h5py.h5t.NATIVE_INT32, space, plain)
        h5py.Dataset(made)[:] = [1, 2]
        # what MATLAB_class is kept as
        file["inner"].attrs["a"] = np.bytes_("one")
        file["inner"].attrs["b"] = ["one", "two"]
        file["inner"].attrs["c"] = "three"
    check(path, "inner")
    for name in ("text", "refs", "ragged", "complex"):
        with pytest.raises(DataError, match="only numbers"):
            check(path, name)
    with pytest.raises(DataError, match="shape None"):
        check(path, "null")
    with pytest.raises(DataError, match="filter 6"):
        check(path, "scaled")
    source = FileSource.open(path)
    with opened(source) as file:
        attrs = [text_attr(file["inner"], name, source=source) for name in "abcd"]
        assert attrs == ["one", ["one", "two"], "three", None]
        assert [text_attr(file["inner"], name) for name in "abcd"] == ["one", None, None, None]


def test_not_hdf5_and_changed(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(500))
    with pytest.raises(DataError, match="cannot be read as HDF5"):
        check(path)
    with h5py.File(path, "w") as file:
        file["x"] = np.arange(3)
    source = FileSource.open(path)
    with h5py.File(path, "a") as file:
        file["y"] = np.arange(300)
    with pytest.raises(DataError, match="changed on disk"), opened(source):
        pass


def test_says_which_extra_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.arange(3)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(DataError, match=r'pip install "mfxarray\[hdf5\]"'):
        check(tmp_path / "a.h5")
