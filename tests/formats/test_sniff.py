"""Content decides the format; nothing makes the guesses raise."""

from __future__ import annotations

import contextlib
import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mfxarray.errors import DataError
from mfxarray.formats.npy.fields import record_dtype
from mfxarray.formats.sniff import looks_like_mims, looks_like_minflux, sniff

KINDS = {"npy", "mat", "json", "zipped zarr", "msr", "hdf5", "npz", "text", "im"}
IM = {order: struct.pack(f"{order}iii", 4108, 27, 27_000) for order in "<>"}


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_npy(tmp_path: Path) -> None:
    path = tmp_path / "named.im"  # the name must not count
    with open(path, "wb") as file:
        np.save(file, np.zeros(2, record_dtype(2)))
    assert sniff(path) == "npy"
    assert looks_like_minflux(path)
    assert looks_like_minflux(str(path))
    assert not looks_like_mims(path)


def test_npy_of_something_else(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(5))
    assert sniff(tmp_path / "a.npy") == "npy"
    assert not looks_like_minflux(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", np.zeros(3, [("x", "f8")]))
    assert not looks_like_minflux(tmp_path / "b.npy")


@pytest.mark.parametrize("order", ["<", ">"])
def test_im(tmp_path: Path, order: str) -> None:
    path = put(tmp_path / "named.npy", IM[order] + b"\0" * 100)
    assert sniff(path) == "im"
    assert looks_like_mims(path)
    assert not looks_like_minflux(path)


@pytest.mark.parametrize(
    ("kind", "size"), [(19, 27_000), (61, 27_000), (27, 0), (27, -5), (27, 10_000_000)]
)
def test_not_im(tmp_path: Path, kind: int, size: int) -> None:
    path = put(tmp_path / "a", struct.pack("<iii", 4108, kind, size) + b"\0" * 20)
    assert not looks_like_mims(path)
    with pytest.raises(DataError, match="no known format"):
        sniff(path)


@pytest.mark.parametrize("length", range(1, 12))
def test_start_of_im_is_too_short(tmp_path: Path, length: int) -> None:
    path = put(tmp_path / "a", IM["<"][:length])
    assert not looks_like_mims(path)
    with pytest.raises(DataError):
        sniff(path)


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "name", "minflux"),
    [
        (b"OMAS_BF\n\xff\xff" + b"\0" * 40, "msr", True),
        (b"MATLAB 5.0 MAT-file, Platform" + b" " * 100, "mat", True),
        (b"MATLAB 7.3 MAT-file, Platform" + b" " * 100, "mat", True),
        (b"\0" * 512 + b"\x89HDF\r\n\x1a\n", "mat", True),
        # HDF5 belongs to many; only a name can tell xarray that it is ours
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 40, "hdf5", False),
        (zipped("mfx/.zarray", "mfx/0"), "zipped zarr", True),
        (zipped("TID.npy"), "npz", False),
        (b'[{"tim": 1, "tid": 3}]', "json", True),
        (b'[{"time": 1}]', "json", False),
        (b' \n{"mfx": []}', "json", False),
        (b'\xef\xbb\xbf[{"tid": 1}]', "json", True),
        (b"tid,tim,x,y,z\n1,2,3,4,5\n", "text", False),
        ("x (µm)\ty (µm)\n1\t2\n".encode(), "text", False),
    ],
)
def test_recognised(tmp_path: Path, data: bytes, name: str, minflux: bool) -> None:
    path = put(tmp_path / "a.npy", data)  # the name must not count
    assert sniff(path) == name
    assert looks_like_minflux(path) is minflux
    assert not looks_like_mims(path)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"PAR1" + b"\0" * 40, "Parquet"),
        (b"\x1f\x8b" + b"\0" * 40, "gzip"),
        (b"NRRD0001\n\0", "NRRD"),
        (zipped("a.txt"), "zip archive without"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 40, "no known format"),
        (b"words only", "no known format"),
    ],
)
def test_refused_by_name(tmp_path: Path, data: bytes, name: str) -> None:
    path = put(tmp_path / "a.npy", data)
    with pytest.raises(DataError, match=name):
        sniff(path)
    assert not looks_like_minflux(path)
    assert not looks_like_mims(path)


def test_a_session_of_pyminflux_by_its_name(tmp_path: Path) -> None:
    path = put(tmp_path / "a.pmx", b"\x89HDF\r\n\x1a\n" + b"\0" * 40)
    assert looks_like_minflux(path)


def test_folders(tmp_path: Path) -> None:
    for child, name in (("zarr.json", "zarr"), ("_metadata", "parquet"), ("p.parquet", "parquet")):
        folder = tmp_path / child.strip("_.").replace(".", "_")
        folder.mkdir()
        with pytest.raises(DataError, match="a folder without"):
            sniff(folder)
        put(folder / child, b"{}")
        assert sniff(folder) == name
        assert sniff(str(folder)) == name
    for inner in (".zgroup", ".zarray", "mfx/.zarray", "zarr/.zgroup"):
        path = tmp_path / inner.replace("/", "_") / inner
        path.parent.mkdir(parents=True)
        put(path, b"{}")
        assert sniff(tmp_path / inner.replace("/", "_")) == "zarr v2"


def test_empty_and_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="empty"):
        sniff(put(tmp_path / "a", b""))
    with pytest.raises(DataError, match="cannot be opened"):
        sniff(tmp_path / "none")


@pytest.mark.parametrize(
    "thing",
    [
        None,
        5,
        b"bytes.npy",
        object(),
        io.BytesIO(b"\x93NUMPY"),
        {},
        ["a"],
        "",
        "\0",
        "no/such",
        "/",
    ],
)
def test_guesses_never_raise(thing: object) -> None:
    assert looks_like_minflux(thing) is False
    assert looks_like_mims(thing) is False


@given(data=st.binary(max_size=200), magic=st.sampled_from([b"", b"\x93NUMPY\x01\x00", IM["<"]]))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_random_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes, magic: bytes) -> None:
    path = put(tmp_path_factory.getbasetemp() / "random.bin", magic + data)
    looks_like_minflux(path)
    looks_like_mims(path)
    with contextlib.suppress(DataError):
        assert sniff(path) in KINDS


@pytest.mark.realdata
def test_real_files(data_dir: Path) -> None:
    minflux, mims = data_dir / "minflux", data_dir / "mims"
    for path in (*minflux.glob("*.npy"), *(minflux / "derived").glob("*.npy")):
        assert sniff(path) == "npy"
        assert looks_like_minflux(path)
    for path in (*mims.glob("*.im"), *(mims / "synthetic").glob("*.im")):
        assert looks_like_mims(path)
    for name, kind in (
        ("derived/2d_small_v1.mat", "mat"),
        ("derived/2d_small_v1.json", "json"),
        ("derived/two_datasets_official_pack.msr", "msr"),
        ("derived/2d_small_v2", "zarr v2"),
        ("pmx_format_v1.pmx", "hdf5"),
        ("nup96.json", "json"),
    ):
        assert sniff(minflux / name) == kind
        assert looks_like_minflux(minflux / name)
