"""Blocks written to their place in a file."""

from __future__ import annotations

from pathlib import Path

import dask.array as da
import numpy as np
import pytest

from mfxarray.stores.flat_file import FlatArray, write_calls
from mfxarray.stores.tasks import in_order

SHAPES = [(7,), (3, 4), (4, 3, 5), (2, 3, 4, 5)]


def cast(block: np.ndarray, kind: np.dtype) -> np.ndarray:
    return block.astype(kind)


def write(path: Path, source: da.Array, first: tuple[int, ...], shape: tuple[int, ...]) -> bytes:
    dtype = np.dtype("<u2")
    path.write_bytes(b"head" + bytes(2 * int(np.prod(shape))) + b"tail")
    target = FlatArray(str(path), 4, shape, dtype)
    calls = [call for _, call in write_calls(target, source, first, cast)]
    in_order(calls, [source]).compute()
    return path.read_bytes()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [1, 2, 3, -1])
def test_every_chunking_gives_the_same_file(
    tmp_path: Path, shape: tuple[int, ...], size: int
) -> None:
    values = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    source = da.from_array(values, chunks=(size,) * len(shape))
    found = write(tmp_path / "a", source, (0,) * len(shape), shape)
    assert found == b"head" + values.astype("<u2").tobytes() + b"tail"


def test_a_part_of_the_array(tmp_path: Path) -> None:
    values = np.arange(2 * 2 * 3).reshape(2, 2, 3) + 1
    source = da.from_array(values, chunks=(1, 2, 2))
    found = np.frombuffer(write(tmp_path / "a", source, (0, 1, 2), (2, 4, 6))[4:-4], "<u2")
    whole = np.zeros((2, 4, 6), "u2")
    whole[:, 1:3, 2:5] = values
    np.testing.assert_array_equal(found.reshape(2, 4, 6), whole)


def test_that_no_file_is_made(tmp_path: Path) -> None:
    target = FlatArray(str(tmp_path / "gone"), 0, (2,), np.dtype("u1"))
    source = da.zeros(2, dtype="u1")
    calls = [call for _, call in write_calls(target, source, (0,), cast)]
    with pytest.raises(FileNotFoundError):
        in_order(calls, [source]).compute()
    assert list(tmp_path.iterdir()) == []
