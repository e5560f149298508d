"""The writer makes the bytes that Imspector makes, or nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mfxarray.formats.npy.fields import record_dtype
from mfxarray.writers.npy import NpyWriter, npy_header, write_records

DTYPE = np.dtype([("a", "<i4"), ("b", "<f8", (2,))])


def rows(n: int) -> np.ndarray:
    found = np.zeros(n, DTYPE)
    found["a"] = np.arange(n)
    found["b"] = np.random.default_rng(n).random((n, 2))
    return found


@pytest.mark.parametrize("sizes", [(7,), (3, 4), (0, 7), (1,) * 7, ()])
def test_numpy_reads_it(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    whole = rows(sum(sizes))
    cuts = np.cumsum(sizes)[:-1]
    write_records(tmp_path / "a.npy", np.split(whole, cuts) if sizes else [], DTYPE, len(whole))
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy", allow_pickle=False), whole)
    assert np.load(tmp_path / "a.npy", mmap_mode="r").dtype == DTYPE if sizes else True
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


@pytest.mark.parametrize("n", [0, 1, 12_580, 10**9])
@pytest.mark.parametrize("k", [1, 5, 10])
def test_header(n: int, k: int) -> None:
    header = npy_header(record_dtype(k), n)
    assert header[:8] == b"\x93NUMPY\x01\x00"
    assert len(header) % 64 == 0
    assert len(header) == 10 + int.from_bytes(header[8:10], "little")
    assert header.endswith(b"\n")
    assert len(header) == 576  # as in all files of the vendor


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["2D_ValidOnly.npy", "3D_ValidOnly.npy"])
def test_same_bytes_as_the_vendor(tmp_path: Path, data_dir: Path, name: str) -> None:
    facts = json.loads((data_dir / "minflux" / "facts.json").read_text())[name]
    found = np.load(data_dir / "minflux" / name)
    blocks = np.array_split(found, 7)
    write_records(tmp_path / "a.npy", blocks, record_dtype(facts["n_iterations"]), len(found))
    written = (tmp_path / "a.npy").read_bytes()
    assert hashlib.sha256(written).hexdigest() == facts["sha256"]


def test_too_few_rows(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="3 rows were written, 4 were announced"):
        write_records(tmp_path / "a.npy", [rows(3)], DTYPE, 4)
    assert not list(tmp_path.iterdir())


def test_too_many_rows(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="only 4 were announced"):
        write_records(tmp_path / "a.npy", [rows(3), rows(2)], DTYPE, 4)
    assert not list(tmp_path.iterdir())


def test_other_type(tmp_path: Path) -> None:
    for wrong in (np.zeros(3), rows(4).reshape(2, 2), np.zeros(3, [("a", "<i4")])):
        with pytest.raises(ValueError, match="is needed"):
            write_records(tmp_path / "a.npy", [wrong], DTYPE, 3)
    assert not list(tmp_path.iterdir())


def test_old_target_survives_a_failure(tmp_path: Path) -> None:
    write_records(tmp_path / "a.npy", [rows(2)], DTYPE, 2)

    def failing() -> Iterator[np.ndarray]:
        yield rows(3)
        raise KeyError("source")

    with pytest.raises(KeyError):
        write_records(tmp_path / "a.npy", failing(), DTYPE, 5)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]
    assert len(np.load(tmp_path / "a.npy")) == 2
    write_records(tmp_path / "a.npy", [rows(5)], DTYPE, 5)
    assert len(np.load(tmp_path / "a.npy")) == 5


def test_target_is_absent_while_writing(tmp_path: Path) -> None:
    target = tmp_path / "a.npy"
    with NpyWriter(target, DTYPE, 4) as writer:
        writer.write(rows(4))
        assert not target.exists()
        (temporary,) = tmp_path.iterdir()
        assert temporary.parent == target.parent
    assert target.exists()


def test_rows_with_a_stride(tmp_path: Path) -> None:
    write_records(tmp_path / "a.npy", [rows(20)[::2]], DTYPE, 10)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), rows(20)[::2])


def test_refused_headers() -> None:
    with pytest.raises(ValueError, match="Python objects"):
        npy_header(np.dtype([("a", "O")]), 1)
    with pytest.raises(ValueError, match="negative"):
        npy_header(DTYPE, -1)
    many = np.dtype([(f"field_with_a_long_name_{i}", "<f8") for i in range(3000)])
    with pytest.raises(ValueError, match="65535"):
        npy_header(many, 1)
