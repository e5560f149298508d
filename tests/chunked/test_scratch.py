"""Sorted columns that wait in memory or in files."""

from __future__ import annotations

import gc
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfxarray import DataError
from mfxarray.chunked import scratch as module
from mfxarray.chunked.scratch import Scratch, gather, keep_sorted

DTYPE = np.dtype([("x", "f8"), ("row", "i8")])


def records(keys: np.ndarray) -> np.ndarray:
    out = np.empty(len(keys), DTYPE)
    out["x"] = np.sort(keys)
    out["row"] = np.arange(len(keys))
    return out


@pytest.fixture
def folder(tmp_path: Path) -> Scratch:
    return Scratch(str(tmp_path))


@pytest.mark.parametrize("length", [0, 1, 1023, 1024, 1025, 5000])
@pytest.mark.parametrize("on_disk", [True, False])
def test_ranges_are_those_of_numpy(folder: Scratch, length: int, on_disk: bool) -> None:
    # many equal keys, so that runs of them cross the marks
    data = records(np.random.default_rng(length).integers(0, 7, length).astype(float))
    part = keep_sorted(data, "x", folder if on_disk else None, "part.bin")
    for low in (-np.inf, -1.0, 0.0, 2.5, 3.0, 6.0, 7.0):
        for high in (-1.0, 0.0, 3.0, 3.1, 6.0, 8.0, np.inf):
            wanted = data[(data["x"] >= low) & (data["x"] < high)]
            assert part.between(low, high).tobytes() == wanted.tobytes()


@given(st.lists(st.integers(0, 50), max_size=200), st.integers(-1, 51), st.integers(-1, 51))
def test_any_keys(keys: list[int], low: int, high: int) -> None:
    data = records(np.array(keys, float))
    part = keep_sorted(data, "x", None, "part")
    wanted = data[(data["x"] >= low) & (data["x"] < high)]
    assert part.between(low, high).tobytes() == wanted.tobytes()


def test_parts_are_gathered_in_their_order(folder: Scratch) -> None:
    first, second = records(np.arange(10.0)), records(np.arange(5.0, 15.0))
    parts = [keep_sorted(first, "x", folder, "a"), keep_sorted(second, "x", None, "b")]
    found = gather(parts, 4.0, 7.0)
    np.testing.assert_array_equal(found["x"], [4, 5, 6, 5, 6])


def test_the_folder_goes_with_its_owner(tmp_path: Path) -> None:
    owner = Scratch(str(tmp_path))
    keep_sorted(records(np.arange(3.0)), "x", owner, "part")
    copy = pickle.loads(pickle.dumps(owner))
    path = Path(owner.path)
    assert copy.path == owner.path
    del copy
    gc.collect()
    assert (path / "part").is_file()
    del owner
    gc.collect()
    assert not path.exists()


def test_nothing_is_made_before_it_is_needed(tmp_path: Path) -> None:
    owner = Scratch(str(tmp_path))
    assert not list(tmp_path.iterdir())
    assert not Path(owner.path).exists()


def test_a_part_travels(folder: Scratch) -> None:
    data = records(np.arange(3000.0))
    part = pickle.loads(pickle.dumps(keep_sorted(data, "x", folder, "part")))
    np.testing.assert_array_equal(part.between(1000.0, 1003.0)["x"], [1000, 1001, 1002])


def test_a_lost_file_is_named(folder: Scratch) -> None:
    part = keep_sorted(records(np.arange(3000.0)), "x", folder, "part")
    Path(folder.path, "part").unlink()
    with pytest.raises(DataError, match="scratch file cannot be read") as caught:
        part.between(0.0, 10.0)
    assert "scratch_folder" in str(caught.value)


def test_a_cut_file_is_refused(folder: Scratch) -> None:
    data = records(np.arange(3000.0))
    part = keep_sorted(data, "x", folder, "part")
    path = Path(folder.path, "part")
    path.write_bytes(path.read_bytes()[: 2000 * DTYPE.itemsize])
    np.testing.assert_array_equal(part.between(0.0, 5.0)["x"], np.arange(5))
    with pytest.raises(DataError, match="records from record"):
        part.between(2990.0, 3000.0)


def test_a_full_disk_is_named_and_nothing_stays(
    folder: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "replace", full)
    with pytest.raises(DataError, match="No space left") as caught:
        keep_sorted(records(np.arange(3.0)), "x", folder, "part")
    assert "scratch_folder" in str(caught.value)
    assert not list(Path(folder.path).iterdir())
