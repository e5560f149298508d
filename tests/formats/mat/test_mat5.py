"""MAT files of version 5: scipy writes them, hostile ones are made by hand."""

from __future__ import annotations

import pickle
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from mfxarray.errors import DataError
from mfxarray.formats.mat.columns import ColumnTable
from mfxarray.formats.mat.mat import open_mat
from mfxarray.formats.mat.mat5 import variables
from mfxarray.formats.mat.mat5_stream import Mat5Stream
from mfxarray.formats.mat.nodes import MatOther, MatStruct
from mfxarray.formats.sources import FileSource
from tests.formats.mat.mat_samples import assert_same, damage, drain, refuse, rows_of, save_nested

HEADER = b"MATLAB 5.0 MAT-file".ljust(116) + bytes(8) + b"\x00\x01IM"


def element(kind: int, data: bytes, claim: int | None = None) -> bytes:
    count = len(data) if claim is None else claim
    return struct.pack("<II", kind, count) + data + bytes(-len(data) % 8)


def array(name: bytes, shape: tuple[int, ...], data: bytes, kind: int = 9, **more: int) -> bytes:
    body = element(6, struct.pack("<II", more.get("flags", 6), 0))
    body += element(5, struct.pack(f"<{len(shape)}i", *shape)) + element(1, name)
    return element(14, body + element(kind, data, more.get("claim")), more.get("size"))


def deflated(inner: bytes) -> bytes:
    raw = zlib.compress(inner)
    return struct.pack("<II", 15, len(raw)) + raw


def write(path: Path, *parts: bytes) -> Path:
    path.write_bytes(HEADER + b"".join(parts))
    return path


def test_variables_are_those_of_whosmat(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    content = {
        "a": np.arange(6.0).reshape(2, 3),
        "b": np.arange(5, dtype="i2"),
        "flags": np.array([True, False]),
        "text": "hello",
        "cells": np.array([1, "x"], object),
        "inner": {"deep": {"x": np.ones((2, 3, 4))}},
        "z": np.array([1j]),
    }
    for compress in (False, True):
        scipy.io.savemat(path, content, do_compression=compress)
        root, warnings = variables(FileSource.open(path))
        assert warnings == ()
        sizes = {name: shape for name, shape, _ in scipy.io.whosmat(path)}
        for name in ("a", "b", "flags"):
            assert root.fields[name].shape == sizes[name]
            assert root.fields[name].dtype == content[name].dtype
        assert {root.fields[name].kind for name in ("text", "cells", "z")} == {
            "text",
            "a cell array",
            "an array of complex numbers",
        }
        deep = root.fields["inner"].fields["deep"]
        assert isinstance(deep, MatStruct)
        assert deep.fields["x"].shape == (2, 3, 4)
        assert deep.fields["x"].name == "inner.deep.x"


@pytest.mark.parametrize("compress", [False, True])
def test_rows_are_what_scipy_wrote(tmp_path: Path, compress: bool) -> None:
    path = tmp_path / "a.mat"
    rows = save_nested(path, 300, do_compression=compress)
    (found,) = open_mat(path)
    assert isinstance(found.rows, Mat5Stream if compress else ColumnTable)
    assert found.rows.dtype == rows.dtype
    assert_same(rows_of(path), rows)
    again = pickle.loads(pickle.dumps(found.rows))
    assert again == found.rows
    assert again.identity() == found.rows.identity()


def test_columns_and_parts(tmp_path: Path) -> None:
    rows = save_nested(tmp_path / "a.mat", 300)
    table = open_mat(tmp_path / "a.mat")[0].rows
    assert (table.grain, table.columnar, table.n_rows) == (1, True, 300)
    for path in (("itr", "loc"), ("itr", "eco"), ("tid",), ("vld",)):
        wanted = rows
        for name in path:
            wanted = wanted[name]
        np.testing.assert_array_equal(table.column(path, 17, 203), wanted[17:203])
        assert table.column(path, 17, 203).dtype == wanted.dtype
        assert table.column(path, 4, 4).shape == wanted[:0].shape
    for index in np.ndindex(5, 3):
        part = table.part(("itr", "loc"), index, 3, 99)
        np.testing.assert_array_equal(part, rows["itr"]["loc"][(slice(3, 99), *index)])
    np.testing.assert_array_equal(table.column(("itr",), 3, 9)["eco"], rows["itr"]["eco"][3:9])
    with pytest.raises(KeyError):
        table.column(("nothing",), 0, 1)


def test_pieces_are_small(tmp_path: Path) -> None:
    n = 400_000
    content = {"tid": np.zeros(n, "i4"), "tim": np.arange(n) * 1.0, "loc": np.ones((n, 3))}
    scipy.io.savemat(tmp_path / "a.mat", content, do_compression=True)
    stream = open_mat(tmp_path / "a.mat")[0].rows
    assert max(piece.values.nbytes for _, piece in stream.pieces()) <= 2**20
    assert drain(stream)["tim"][-1] == n - 1


def test_big_endian_and_compact_storage(tmp_path: Path) -> None:
    def big(kind: int, data: bytes) -> bytes:
        return struct.pack(">II", kind, len(data)) + data + bytes(-len(data) % 8)

    def variable(name: bytes, shape: tuple[int, ...], kind: int, data: bytes) -> bytes:
        flags = big(6, struct.pack(">II", 6, 0))
        # the name as a small element
        short = struct.pack(">HH", len(name), 1) + name.ljust(4, b"\0")
        body = flags + big(5, struct.pack(f">{len(shape)}i", *shape)) + short
        return big(14, body + big(kind, data))

    values = np.arange(12, dtype=">i2")
    parts = (
        variable(b"tid", (4, 1), 3, values[:4].tobytes()),
        variable(b"tim", (1, 4), 9, np.arange(4.0).astype(">f8").tobytes()),
        variable(b"loc", (4, 3), 3, values.tobytes()),
    )
    head = HEADER[:124] + b"\x01\x00MI"
    path = tmp_path / "a.mat"
    for compress in (False, True):
        made = [
            struct.pack(">II", 15, len(zlib.compress(part))) + zlib.compress(part) for part in parts
        ]
        path.write_bytes(head + b"".join(made if compress else parts))
        rows = rows_of(path)
        np.testing.assert_array_equal(rows["tid"], np.arange(4))
        np.testing.assert_array_equal(rows["itr"]["loc"][:, 0], np.arange(12).reshape(3, 4).T)
        np.testing.assert_array_equal(scipy.io.loadmat(path)["loc"], np.arange(12).reshape(3, 4).T)


NUMBERS = np.arange(4.0).tobytes()
TID = array(b"tid", (1, 4), NUMBERS)


@pytest.mark.parametrize(
    ("part", "match"),
    [
        (array(b"loc", (2**30, 2**30, 2**30), NUMBERS), "needs"),
        (array(b"loc", (-1, 3), NUMBERS), "negative size"),
        (array(b"loc", (1, 4), NUMBERS, claim=2**31), "does not fit into its parent"),
        (array(b"loc", (1, 4), NUMBERS, size=2**31), "truncated"),
        (array(b"loc", (1, 4), NUMBERS, kind=99), "unknown type 99"),
        (array(b"loc", (1, 4), NUMBERS, flags=77), "unknown class 77"),
        (array(b"tid", (1, 4), NUMBERS), "is there twice"),
        (element(7, b"12345678"), "unknown type 7"),
        (deflated(element(7, b"12345678")), "element of the type 7"),
        (element(14, element(5, b"12345678")), "flags of an array"),
        (element(15, b"no zlib here"), "damaged"),
        (b"\x0e\x00", "truncated"),
    ],
)
def test_lies(tmp_path: Path, part: bytes, match: str) -> None:
    refuse(write(tmp_path / "a.mat", TID, part), match)


def test_nesting_is_capped(tmp_path: Path) -> None:
    inner = array(b"", (1, 4), NUMBERS)
    for _ in range(200):
        body = element(6, struct.pack("<II", 2, 0)) + element(5, struct.pack("<ii", 1, 1))
        body += element(1, b"") + struct.pack("<HHi", 5, 4, 8) + element(1, b"a".ljust(8, b"\0"))
        inner = element(14, body + inner)
    refuse(write(tmp_path / "a.mat", inner), "nest deeper")
    refuse(write(tmp_path / "b.mat", deflated(inner)), "nest deeper")


def test_count_is_capped(tmp_path: Path) -> None:
    parts = [array(b"v%d" % number, (1, 4), NUMBERS) for number in range(1100)]
    refuse(write(tmp_path / "a.mat", *parts), "more than 1000 variables")


def bomb(name: bytes, n_rows: int, columns: int = 1) -> bytes:
    """Return a deflated variable of zeros, made in pieces."""
    size = n_rows * columns * 8
    head = array(name, (n_rows, columns), b"", claim=size)
    head = head[:4] + struct.pack("<I", len(head) - 8 + size) + head[8:]
    deflater = zlib.compressobj(1)
    raw = deflater.compress(head)
    for start in range(0, size, 2**24):
        raw += deflater.compress(bytes(min(2**24, size - start)))
    raw += deflater.flush()
    return struct.pack("<II", 15, len(raw)) + raw


def test_bombs(tmp_path: Path) -> None:
    # 0.3 MB that claims 0.3 GB, in variables that a data set needs
    n_rows = 2**23
    path = write(
        tmp_path / "a.mat", bomb(b"tid", n_rows), bomb(b"tim", n_rows), bomb(b"loc", n_rows, 3)
    )
    assert path.stat().st_size < 2e6
    refuse(path, "not believable")
    # as a field of a struct, where what comes after it is wanted
    zeros = zlib.decompress(bomb(b"", 2**23)[8:])
    body = element(6, struct.pack("<II", 2, 0)) + element(5, struct.pack("<ii", 1, 1))
    body += element(1, b"itr") + struct.pack("<HHi", 5, 4, 8)
    body += element(1, b"a".ljust(8, b"\0") + b"b".ljust(8, b"\0")) + zeros
    refuse(write(tmp_path / "b.mat", TID, deflated(element(14, body + TID))), "not believable")


def test_a_bomb_nobody_asks_for_is_not_inflated(tmp_path: Path) -> None:
    rows = save_nested(tmp_path / "a.mat", do_compression=True)
    with open(tmp_path / "a.mat", "ab") as file:
        file.write(bomb(b"extra", 2**23))
    begin = time.perf_counter()
    assert_same(rows_of(tmp_path / "a.mat"), rows)
    assert time.perf_counter() - begin < 0.5


def test_streams_end_where_they_say(tmp_path: Path) -> None:
    loc = array(b"loc", (4, 3), np.arange(12.0).tobytes())
    tim = array(b"tim", (1, 4), NUMBERS)
    good = [TID, deflated(tim), deflated(loc)]
    path = write(tmp_path / "a.mat", *good)
    assert rows_of(path)["tim"][3] == 3
    raw = zlib.compress(loc)
    refuse(write(path, *good[:2], deflated(loc + b"more")), "more than it claims")
    refuse(
        write(path, *good[:2], struct.pack("<II", 15, len(raw) + 9) + raw + b"123456789"), "follow"
    )
    refuse(write(path, *good[:2], struct.pack("<II", 15, len(raw) - 6) + raw[:-6]), "cut")
    refuse(write(path, *good[:2], struct.pack("<II", 15, 40) + raw[:40]), "cut|ends")
    wrong = raw[:-4] + b"\0\0\0\0"
    refuse(write(path, *good[:2], struct.pack("<II", 15, len(raw)) + wrong), "damaged")


def test_other_versions(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    path.write_bytes(HEADER[:124] + b"\x00\x07IM")
    refuse(path, "unknown version")
    scipy.io.savemat(path, {"tid": np.arange(4)}, format="4")
    refuse(path, "is no MAT file")
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(600))
    refuse(path, "no HDF5")


def test_not_strict_leaves_out_what_is_cut(tmp_path: Path) -> None:
    whole = write(
        tmp_path / "a.mat",
        TID,
        array(b"tim", (1, 4), NUMBERS),
        array(b"loc", (4, 3), np.arange(12.0).tobytes()),
        array(b"extra", (1, 4), NUMBERS),
    ).read_bytes()
    path = tmp_path / "b.mat"
    path.write_bytes(whole[:-20])
    with pytest.raises(DataError, match="truncated"):
        open_mat(path)
    (found,) = open_mat(path, strict=False)
    assert "cut" in found.warnings[0]
    assert found.rows.dtype.names == ("itr", "tim", "tid")
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"no MINFLUX data|lacks"):
        open_mat(path, strict=False)


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    save_nested(tmp_path / "a.mat")
    table = open_mat(tmp_path / "a.mat")[0].rows
    save_nested(tmp_path / "a.mat", 50)
    with pytest.raises(DataError, match="changed on disk"):
        table.read(0, 2)


def test_unread_kinds_are_named(tmp_path: Path) -> None:
    content = {"tid": np.arange(4), "tim": np.arange(4.0), "loc": np.ones((4, 3)) * 1j}
    scipy.io.savemat(tmp_path / "a.mat", content)
    refuse(tmp_path / "a.mat", "loc is an array of complex numbers")
    root, _ = variables(FileSource.open(tmp_path / "a.mat"))
    assert isinstance(root.fields["loc"], MatOther)


@pytest.mark.parametrize("compress", [False, True])
def test_damage(tmp_path: Path, compress: bool) -> None:
    save_nested(tmp_path / "a.mat", 12, 2, do_compression=compress)
    whole = (tmp_path / "a.mat").read_bytes()
    refused = damage(whole, tmp_path / "b.mat", rows_of)
    assert refused > (150 if compress else 45)
