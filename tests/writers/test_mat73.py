"""MAT files of version 7.3 that we write, looked at with h5py."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from mfxarray.errors import DataError
from mfxarray.writers.mat73 import write_mat73
from tests.formats.mat.mat_samples import assert_same, flat, outgoing, rows_of
from tests.formats.nested_records import records


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize(
    "rows",
    [
        records(40, 5),
        records(40, 1),
        records(1, 3),
        records(1, 1),
        records(5, 5),
        records(0),
        flat(),
    ],
    ids=["k5", "k1", "n1", "n1k1", "5x5", "empty", "flat"],
)
def test_reads_back(tmp_path: Path, rows: np.ndarray, compress: bool) -> None:
    write_mat73(tmp_path / "a.mat", outgoing(rows), compress=compress)
    assert_same(rows_of(tmp_path / "a.mat"), rows)


def test_is_what_matlab_expects(tmp_path: Path) -> None:
    rows = records(40, 5)
    write_mat73(tmp_path / "a.mat", outgoing(rows))
    raw = (tmp_path / "a.mat").read_bytes()
    assert raw.startswith(b"MATLAB 7.3 MAT-file")
    assert raw[124:128] == b"\x00\x02IM"
    assert raw[512:520] == b"\x89HDF\r\n\x1a\n"
    with h5py.File(tmp_path / "a.mat") as file:
        assert file.userblock_size == 512
        assert file["itr"].attrs["MATLAB_class"] == b"struct"
        assert file["itr/loc"].shape == (3, 5, 40)
        np.testing.assert_array_equal(file["itr/loc"][:].T, rows["itr"]["loc"])
        assert file["itr/eco"].shape == (5, 40)
        assert file["tid"].shape == (40, 1)
        assert file["vld"].dtype == np.uint8
        assert file["vld"].attrs["MATLAB_class"] == b"logical"
        assert file["itr/tic"].attrs["MATLAB_class"] == b"uint64"
        assert file["tim"].attrs["MATLAB_class"] == b"double"


def test_blocks_across_chunks(tmp_path: Path) -> None:
    rows = flat(40_000)
    write_mat73(tmp_path / "a.mat", outgoing(rows, 9_999))
    assert_same(rows_of(tmp_path / "a.mat"), rows)
    with h5py.File(tmp_path / "a.mat") as file:
        assert file["loc"].chunks == (1, 16384)
        assert file["tid"].chunks == (16384, 1)


def test_refused(tmp_path: Path) -> None:
    write_mat73(tmp_path / "a.mat", outgoing(flat()))
    with pytest.raises(DataError, match="exists already"):
        write_mat73(tmp_path / "a.mat", outgoing(flat()))
    with pytest.raises(ValueError, match="no MATLAB class"):
        write_mat73(tmp_path / "b.mat", outgoing(np.zeros(3, [("itr", "i4"), ("s", "S3")])))
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.mat"]
