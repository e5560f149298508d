"""Variables, streams and damage that the tests of MATLAB files share."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from mfxarray.errors import DataError
from mfxarray.formats.mat.mat import open_mat
from mfxarray.formats.npy.fields import flat_record_dtype
from mfxarray.writers.outgoing import Outgoing
from tests.formats.nested_records import records

__all__ = ["assert_same", "drain", "flat", "nested_variables", "outgoing", "refuse", "rows_of"]


def flat(n: int = 60, seed: int = 0) -> np.ndarray:
    """Return flat records: three iterations a localization, the last row invalid."""
    rng = np.random.default_rng(seed)
    rows = np.zeros(n, flat_record_dtype())
    rows["itr"] = np.arange(n) % 3
    rows["fnl"] = rows["itr"] == 2
    rows["vld"] = np.arange(n) != n - 1
    rows["tid"] = np.arange(n) // 12 + 3
    rows["bot"] = np.diff(rows["tid"], prepend=0) != 0
    rows["tim"] = np.arange(n) * 1e-3
    rows["loc"] = rows["lnc"] = rng.normal(size=(n, 3)) * 1e-6
    rows["eco"] = rng.integers(10, 400, n)
    rows["efo"] = rng.random(n).astype("f4") * 1e5
    rows["cfr"] = rng.random(n).astype("f2")
    rows["dcr"][:, 0] = rng.random(n).astype("f2")
    return rows


def nested_variables(rows: np.ndarray) -> dict[str, Any]:
    """Return what scipy.io.savemat needs to write nested records as Imspector does."""
    top = {name: rows[name] for name in rows.dtype.names if name != "itr"}
    return {**top, "itr": {name: rows["itr"][name] for name in rows["itr"].dtype.names}}


def outgoing(rows: np.ndarray, step: int = 7) -> Outgoing:
    """Return records that go out in odd blocks."""

    def blocks() -> Iterator[np.ndarray]:
        for start in range(0, len(rows), step):
            yield rows[start : start + step]

    return Outgoing(rows.dtype, len(rows), blocks)


def drain(stream: Any) -> np.ndarray:
    """Return the records of a stream; every value must come once, in order."""
    rows = np.zeros(stream.n_rows, stream.dtype)
    ends: dict[object, int] = {}
    share = 0.0
    for done, piece in stream.pieces():
        assert share <= done <= 1.0
        share = done
        key = (piece.path, piece.index)
        assert piece.start == ends.get(key, 0)
        ends[key] = piece.start + len(piece.values)
        place = rows
        for name in piece.path:
            place = place[name]
        place[(slice(piece.start, ends[key]), *piece.index)] = piece.values
    assert all(end == stream.n_rows for end in ends.values())
    return rows


def rows_of(path: Path) -> np.ndarray:
    """Return all records of the only data set of a file."""
    (found,) = open_mat(path)
    return (
        drain(found.rows)
        if hasattr(found.rows, "pieces")
        else found.rows.read(0, found.rows.n_rows)
    )


def assert_same(found: np.ndarray, expected: np.ndarray) -> None:
    """Check that records agree, floats to the width in which they are found."""
    assert found.dtype.names == expected.dtype.names
    for name in expected.dtype.names:
        if expected[name].dtype.names:
            assert_same(found[name], expected[name])
        else:
            wanted = expected[name].astype(found[name].dtype)
            np.testing.assert_array_equal(found[name], wanted, err_msg=name)


def refuse(path: Path, match: str, reader: Callable[[Path], Any] = rows_of) -> DataError:
    """Return the error; it must come fast and without a large allocation."""
    tracemalloc.start()
    begin = time.perf_counter()
    try:
        with pytest.raises(DataError, match=match) as caught:
            reader(path)
        assert time.perf_counter() - begin < 2.0
        assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    finally:
        tracemalloc.stop()
    return caught.value


def damage(whole: bytes, path: Path, reader: Callable[[Path], Any], flips: int = 200) -> int:
    """Truncate at 40 places and flip bytes; return how many of these files were refused."""
    rng = np.random.default_rng(5)
    refused = 0
    for number in range(40 + flips):
        if number < 40:
            raw = bytearray(whole[: len(whole) * number // 40])
        else:
            raw = bytearray(whole)
            # headers are small, so half of the flips go to the first tenth
            top = len(raw) // 10 if number % 2 else len(raw)
            raw[int(rng.integers(top))] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(raw))
        begin = time.perf_counter()
        try:
            reader(path)
        except DataError:
            refused += 1
        assert time.perf_counter() - begin < 5.0
    return refused


def save_nested(path: Path, n: int = 40, k: int = 5, **settings: Any) -> np.ndarray:
    """Write nested records with scipy and return them."""
    rows = records(n, k)
    scipy.io.savemat(path, nested_variables(rows), **settings)
    return rows
