"""Sources read ranges, refuse changed files and travel."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mfxarray.errors import DataError
from mfxarray.formats.sources import FileSource, RecordSource, StackSource

DATA = bytes(range(256)) * 40


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "data.bin"
    found.write_bytes(DATA)
    return found


class TestFileSource:
    def test_open(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(path.parent)
        source = FileSource.open("data.bin")
        assert source.path == str(path)
        assert source.size == len(DATA)
        assert source.mtime_ns == path.stat().st_mtime_ns

    @pytest.mark.parametrize(
        ("offset", "count"), [(0, 0), (0, 1), (5, 300), (10_239, 1), (0, 10_240), (10_240, 0)]
    )
    def test_ranges(self, path: Path, offset: int, count: int) -> None:
        assert FileSource.open(path).read(offset, count) == DATA[offset : offset + count]

    @pytest.mark.parametrize(("offset", "count"), [(0, 10_241), (10_240, 1), (-1, 2), (3, -1)])
    def test_outside(self, path: Path, offset: int, count: int) -> None:
        with pytest.raises(DataError, match="ends too early") as caught:
            FileSource.open(path).read(offset, count)
        assert caught.value.place == f"offset {offset}"

    def test_read_into_past_the_end(self, path: Path) -> None:
        with pytest.raises(DataError, match="ended while it was read"):
            FileSource.open(path).read_into(memoryview(bytearray(20)), len(DATA) - 10)

    def test_not_a_file(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="not a file"):
            FileSource.open(tmp_path)
        with pytest.raises(DataError, match="cannot be opened"):
            FileSource.open(tmp_path / "none")
        (tmp_path / "empty").touch()
        with pytest.raises(DataError, match="0 bytes"):
            FileSource.open(tmp_path / "empty")

    def test_changed_size(self, path: Path) -> None:
        source = FileSource.open(path)
        with open(path, "ab") as file:
            file.write(b"x")
        with pytest.raises(DataError, match="changed on disk"):
            source.read(0, 1)

    def test_changed_time(self, path: Path) -> None:
        source = FileSource.open(path)
        os.utime(path, ns=(0, source.mtime_ns + 1_000_000))
        with pytest.raises(DataError, match="changed on disk"):
            source.read(0, 1)

    def test_removed(self, path: Path) -> None:
        source = FileSource.open(path)
        path.unlink()
        with pytest.raises(DataError, match="cannot be opened"):
            source.read(0, 1)

    def test_replaced_by_rename(self, path: Path) -> None:
        source = FileSource.open(path)
        other = path.with_suffix(".new")
        other.write_bytes(DATA[:-1] + b"!")
        os.utime(other, ns=(0, source.mtime_ns + 1))
        os.replace(other, path)
        with pytest.raises(DataError, match="changed on disk"):
            source.read(0, 1)

    def test_pickle(self, path: Path) -> None:
        source = pickle.loads(pickle.dumps(FileSource.open(path)))
        assert source == FileSource.open(path)
        assert source.read(1, 3) == DATA[1:4]
        assert len(pickle.dumps(source)) < 1000

    def test_fingerprint(self, path: Path, tmp_path: Path) -> None:
        copy = tmp_path / "elsewhere.bin"
        copy.write_bytes(DATA)
        assert FileSource.open(copy).fingerprint() == FileSource.open(path).fingerprint()
        copy.write_bytes(DATA[:-1] + b"!")
        assert FileSource.open(copy).fingerprint() != FileSource.open(path).fingerprint()
        described = FileSource.open(path).describe()
        assert described["name"] == "data.bin"
        assert described["bytes"] == len(DATA)
        assert str(tmp_path) not in str(described)

    def test_fingerprint_is_read_once(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        source = FileSource.open(path)
        first = source.fingerprint()
        counts: list[int] = []
        read = os.preadv
        monkeypatch.setattr(os, "preadv", lambda *arguments: counts.append(1) or read(*arguments))
        assert source.fingerprint() == source.describe()["fingerprint"] == first
        assert not counts
        assert source == FileSource.open(path)
        assert hash(source) == hash(FileSource.open(path))
        assert repr(source) == repr(FileSource.open(path))
        assert FileSource.open(path).fingerprint() == first
        assert counts

    def test_fingerprint_of_a_changed_file(self, path: Path) -> None:
        source = FileSource.open(path)
        source.fingerprint()
        path.write_bytes(DATA + b"more")
        with pytest.raises(DataError, match="changed on disk"):
            source.fingerprint()
        path.unlink()
        with pytest.raises(DataError, match="cannot be opened"):
            source.fingerprint()

    def test_no_descriptor_is_left_open(self, path: Path) -> None:
        source = FileSource.open(path)
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(50):
            source.read(0, 10)
        assert len(os.listdir("/proc/self/fd")) == before


class TestRecordSource:
    dtype = np.dtype([("a", "<i2"), ("b", ">f4")])

    def make(self, path: Path) -> tuple[RecordSource, np.ndarray]:
        rows = np.zeros(50, self.dtype)
        rows["a"], rows["b"] = np.arange(50), np.linspace(0, 1, 50)
        path.write_bytes(b"head" + rows.tobytes())
        return RecordSource(FileSource.open(path), 4, self.dtype, 50), rows

    @pytest.mark.parametrize(("start", "stop"), [(0, 50), (0, 0), (7, 8), (49, 50), (20, 20)])
    def test_ranges(self, path: Path, start: int, stop: int) -> None:
        source, rows = self.make(path)
        found = source.read(start, stop)
        assert found.dtype == self.dtype
        np.testing.assert_array_equal(found, rows[start:stop])

    def test_pickle(self, path: Path) -> None:
        source, rows = self.make(path)
        again = pickle.loads(pickle.dumps(source))
        assert again == source
        np.testing.assert_array_equal(again.read(3, 9), rows[3:9])

    def test_changed(self, path: Path) -> None:
        source, _ = self.make(path)
        path.write_bytes(path.read_bytes() + b"more")
        with pytest.raises(DataError, match="changed on disk"):
            source.read(0, 1)

    def test_result_is_writable_and_own(self, path: Path) -> None:
        source, rows = self.make(path)
        source.read(0, 5)["a"][:] = 99
        np.testing.assert_array_equal(source.read(0, 5), rows[:5])


class TestStackSource:
    shape = (2, 3, 4)

    def make(
        self, path: Path, dtype: str, roll: tuple[int, int] = (0, 0)
    ) -> tuple[StackSource, np.ndarray]:
        frames = (np.arange(5 * 24) * 300).reshape(5, *self.shape).astype(dtype)
        path.write_bytes(b"0123456789" + frames.tobytes())
        source = StackSource(FileSource.open(path), 10, np.dtype(dtype), self.shape, 5, roll)
        return source, frames

    @pytest.mark.parametrize("dtype", ["<u2", ">u2", "<u4", ">u4"])
    @pytest.mark.parametrize(("start", "stop"), [(0, 5), (2, 3), (1, 1), (4, 5)])
    def test_ranges(self, path: Path, dtype: str, start: int, stop: int) -> None:
        source, frames = self.make(path, dtype)
        found = source.read(start, stop)
        np.testing.assert_array_equal(found, frames[start:stop])
        assert found.dtype.isnative
        assert found.dtype == np.dtype(dtype).newbyteorder("=")
        assert found.shape == (stop - start, *self.shape)

    @pytest.mark.parametrize("roll", [(1, 0), (0, -1), (2, 5), (-7, 3)])
    @pytest.mark.parametrize("dtype", ["<u2", ">u4"])
    def test_roll(self, path: Path, dtype: str, roll: tuple[int, int]) -> None:
        source, frames = self.make(path, dtype, roll)
        found = source.read(1, 4)
        for y in range(3):
            for x in range(4):
                expected = frames[1:4, :, (y - roll[0]) % 3, (x - roll[1]) % 4]
                np.testing.assert_array_equal(found[:, :, y, x], expected)

    def test_pickle(self, path: Path) -> None:
        source, frames = self.make(path, ">u2", (1, 1))
        again = pickle.loads(pickle.dumps(source))
        assert again == source
        np.testing.assert_array_equal(again.read(0, 5), np.roll(frames, (1, 1), (2, 3)))

    @pytest.mark.parametrize("missing", [1, 11, 12, 13, 23, 24])
    def test_missing_end_of_the_last_frame_reads_as_0(self, path: Path, missing: int) -> None:
        source, frames = self.make(path, ">u2")
        path.write_bytes(path.read_bytes()[: -2 * missing])
        cut = replace(source, file=FileSource.open(path), missing_bytes=2 * missing)
        expected = frames.copy()
        expected.reshape(-1)[-missing:] = 0
        assert cut.frame_bytes == 48
        np.testing.assert_array_equal(cut.read(0, 5), expected)
        np.testing.assert_array_equal(cut.read(4, 5), expected[4:])
        np.testing.assert_array_equal(cut.read(3, 5, (1, 0)), expected[3:, ::-1])
        np.testing.assert_array_equal(cut.read(0, 4), frames[:4])
