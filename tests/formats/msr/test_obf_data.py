"""The bytes of a stack: compressed, in pieces, not all written; the vendor as oracle."""

from __future__ import annotations

import pickle
import time
import zlib
from pathlib import Path

import numpy as np
import pytest

from mfxarray.errors import DataError
from mfxarray.formats.msr.obf import read_obf
from mfxarray.formats.sources import FileSource
from tests.formats.msr.obf_files import Stack, obf_bytes, packed
from tests.formats.msr.obf_opening import at_most, content, opened

DATA = np.random.default_rng(1).integers(0, 7, 10_000).astype("u1").tobytes()


@pytest.mark.parametrize("block", [1000, 999, 10_000, 20_000])
@pytest.mark.parametrize("kept", ["all", "without the last", "none"])
def test_compressed(tmp_path: Path, block: int, kept: str) -> None:
    stored, points = packed(DATA, block)
    points = {"all": points, "without the last": points[:-1], "none": ()}[kept]
    stack = Stack(stored, (100, 100), compression=1, flush=points, block=block)
    data = opened(tmp_path, obf_bytes([stack])).stacks[0].data()
    rng = np.random.default_rng(3)
    for start, stop in np.sort(rng.integers(0, 10_001, (60, 2)), axis=1).tolist():
        assert data.read(start, stop) == DATA[start:stop]
    assert data.read(0, 10_000) == DATA
    assert pickle.loads(pickle.dumps(data)) == data


def test_only_the_covering_blocks_are_read(tmp_path: Path) -> None:
    stored, points = packed(DATA, 1000)
    ruined = bytes(points[2]) + stored[points[2] :]
    ruined = ruined[: points[2] - 4] + b"\0\0\xff\xff" + ruined[points[2] :]
    stack = Stack(ruined, (100, 100), compression=1, flush=points, block=1000)
    data = opened(tmp_path, obf_bytes([stack])).stacks[0].data()
    assert data.read(3000, 10_000) == DATA[3000:]
    with pytest.raises(DataError):
        data.read(2000, 3000)


def test_reading_one_long_block_forward_inflates_it_once(tmp_path: Path) -> None:
    raw = np.random.default_rng(0).integers(0, 3, 8 * 2**20).astype("u1").tobytes()
    stack = Stack(zlib.compress(raw, 1), (len(raw),), compression=1)
    data = opened(tmp_path, obf_bytes([stack])).stacks[0].data()
    begin = time.perf_counter()
    with data.window(64) as window:
        found = b"".join(window.take(start, 4096) for start in range(0, len(raw), 4096))
    assert found == raw
    assert time.perf_counter() - begin < 2  # from the start each time would take minutes


def test_wrong_flush_points_are_errors(tmp_path: Path) -> None:
    stored, points = packed(DATA, 1000)
    for wrong in (points[3] + 1, points[4], points[2], 2**63, 0):
        table = (*points[:3], wrong, *points[4:])
        stack = Stack(stored, (100, 100), compression=1, flush=table, block=1000)
        with pytest.raises(DataError):
            content(tmp_path, stack)
    with pytest.raises(DataError, match="block size"):
        content(tmp_path, Stack(stored, (100, 100), compression=1, flush=points, block=0))
    with pytest.raises(DataError, match="ends after"):
        content(tmp_path, Stack(stored, (100, 100), compression=1, flush=points[:2], block=100))


def test_zlib_bomb(tmp_path: Path) -> None:
    bomb = zlib.compress(bytes(200 * 2**20), 9)
    stack = Stack(bomb, (200, 2**20), compression=1)
    with pytest.raises(DataError, match="more than 100 times"), at_most(8 * 2**20):
        content(tmp_path, stack)


def test_checksum_of_a_stream_without_flush_points(tmp_path: Path) -> None:
    stored = bytearray(zlib.compress(DATA))
    stored[-1] ^= 1
    file = opened(tmp_path, obf_bytes([Stack(bytes(stored), (10_001,), compression=1)]))
    with pytest.raises(DataError, match="cannot be inflated"):
        file.stacks[0].data().read(0, 10_001)


def test_pieces(tmp_path: Path) -> None:
    # logical 0-99 at the begin, 100-299 later in the file, 300-399 before that; (250, 7) is empty
    lies = DATA[:100] + b"?" * 50 + DATA[300:400] + b"?" * 30 + DATA[100:300]
    chunks = ((100, 5), (100, 280), (300, 150))
    stack = Stack(lies, (400,), chunks=chunks)
    data = opened(tmp_path, obf_bytes([stack])).stacks[0].data()
    for start in range(0, 400, 33):
        for stop in range(start, 401, 57):
            assert data.read(start, stop) == DATA[start:stop]
    with data.window(16) as window:
        assert window.take(0, 400) == DATA[:400]
    assert pickle.loads(pickle.dumps(data)) == data


def test_pieces_count_samples_and_not_bytes(tmp_path: Path) -> None:
    stack = Stack(DATA[:100] + b"??" + DATA[100:400], (200,), dt=4, chunks=((50, 102),))
    assert content(tmp_path, stack) == DATA[:400]


@pytest.mark.parametrize(
    "chunks",
    [
        ((300, 0), (100, 100)),
        ((100, 50),),
        ((100, 2**40),),
        ((100, 2**64 - 50),),
        ((2**63, 100),),
        ((500, 100),),
    ],
)
def test_bad_pieces(tmp_path: Path, chunks: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(DataError):
        content(tmp_path, Stack(DATA[:400], (400,), chunks=chunks))


def test_unwritten_samples_are_zero(tmp_path: Path) -> None:
    assert content(tmp_path, Stack(DATA[:60], (100,), samples=60)) == DATA[:60] + bytes(40)
    # 0 means that all were written
    assert content(tmp_path, Stack(DATA[:60], (60,), samples=0)) == DATA[:60]
    with pytest.raises(DataError, match="do not fit"):
        content(tmp_path, Stack(DATA[:60], (100,), samples=0))


def test_reads_outside_the_stack(tmp_path: Path) -> None:
    data = opened(tmp_path, obf_bytes([Stack(DATA)])).stacks[0].data()
    for start, stop in ((-1, 5), (5, 4), (0, 10_001)):
        with pytest.raises(DataError):
            data.read(start, stop)


def test_the_vendor_library_writes_what_we_read(tmp_path: Path) -> None:
    specpy = pytest.importorskip("specpy")
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 5, (900, 700)).astype("u1"), rng.normal(size=(40, 50))]
    file = specpy.File(str(tmp_path / "v.obf"), specpy.File.Write)
    for compress in (True, False):
        for array in arrays:
            stack = specpy.Stack(array)
            stack.set_name(f"{array.dtype}")
            file.write(stack, compress)
    del file
    found = read_obf(FileSource.open(tmp_path / "v.obf"))
    assert [stack.head.compression for stack in found.stacks] == [1, 1, 0, 0]
    assert found.stacks[0].footer.n_flush > 1
    for stack, array in zip(found.stacks, arrays * 2, strict=True):
        data, raw = stack.data(), array.tobytes()
        assert stack.shape == array.shape[::-1]
        assert data.read(0, data.size) == raw
        middle = len(raw) * 3 // 4
        assert data.read(middle, middle + 100) == raw[middle : middle + 100]
