"""Chunks unpacked whole and in part, against numcodecs; damage and bombs."""

from __future__ import annotations

import gzip
import struct
import time
import tracemalloc
import zlib

import numpy as np
import pytest
from numcodecs import Blosc

from mfxarray.errors import DataError
from mfxarray.formats.zarr.chunks import read_chunk
from tests.formats.zarr.zarr_samples import store

SIZE = 101 * 20_000


@pytest.fixture(scope="module")
def plain():
    rng = np.random.default_rng(2)
    values = np.zeros(SIZE, np.uint8)
    values[: SIZE // 2] = rng.integers(0, 4, SIZE // 2)
    values[-5000:] = rng.integers(0, 256, 5000)
    return values


def part(packed, codec, size, start, count):
    out = np.full(count, 7, np.uint8)
    read_chunk(store({"mfx/0": packed}), "mfx/0", codec, size, start, out)
    return out


@pytest.fixture(scope="module")
def packed_by(plain):
    """Return one packing of each codec."""
    return {codec: packed for _, codec, packed in reversed([*packings(plain)])}


def packings(plain):
    wide = plain.view("V101")
    for name in ("lz4", "lz4hc", "zlib", "zstd", "blosclz"):
        for shuffle in (0, 1, 2):
            yield f"{name} {shuffle}", "blosc", Blosc(name, 5, shuffle).encode(wide)
    yield "small types", "blosc", Blosc("lz4", 5, 1).encode(plain.view("<u4"))
    yield "small blocks", "blosc", Blosc("lz4", 5, 1, blocksize=4096).encode(wide)
    yield "copied", "blosc", Blosc("lz4", 0, 1).encode(wide)
    yield "zlib", "zlib", zlib.compress(plain)
    yield "gzip", "gzip", gzip.compress(plain)
    yield "none", None, plain.tobytes()


def test_any_part_of_any_packing(plain):
    rng = np.random.default_rng(3)
    cuts = [(0, SIZE), (0, 1), (SIZE - 1, 1), (SIZE - 5000, 5000), (0, 51_712), (130_000, 2000)]
    cuts += [(int(a), int(rng.integers(1, SIZE - a + 1))) for a in rng.integers(0, SIZE, 6)]
    for name, codec, packed in packings(plain):
        for start, count in cuts:
            found = part(packed, codec, SIZE, start, count)
            assert np.array_equal(found, plain[start : start + count]), (name, start, count)


def test_a_part_of_a_large_chunk_reads_little(plain):
    big = np.tile(plain, 20)
    packed = Blosc("lz4", 1, 0).encode(big.view("V101"))
    keys, asked = store({"mfx/0": packed}), []

    class Counting:
        source, size = keys.source, keys.size

        def read(self, key, start=0, stop=None):
            found = keys.read(key, start, stop)
            asked.append(len(found))
            return found

    out = np.empty(512 * 101, np.uint8)
    read_chunk(Counting(), "mfx/0", "blosc", big.size, 9_000_000, out)
    assert np.array_equal(out, big[9_000_000 : 9_000_000 + out.size])
    assert sum(asked) < 1_500_000 < len(packed)


def test_blocks_in_any_order(plain):
    """Threads of blosc write blocks in the order in which they finish; shuffle them by hand."""
    packed = Blosc("lz4", 5, 1).encode(plain.view("V101"))
    block = struct.unpack_from("<I", packed, 8)[0]
    count = -(-SIZE // block)
    starts = list(struct.unpack_from(f"<{count}I", packed, 16))
    ends = [*sorted(starts)[1:], len(packed)]
    ends = dict(zip(sorted(starts), ends, strict=True))
    place, moved, body = 16 + 4 * count, [0] * count, b""
    for number in np.random.default_rng(1).permutation(count).tolist():
        moved[number] = place + len(body)
        body += packed[starts[number] : ends[starts[number]]]
    turned = packed[:16] + struct.pack(f"<{count}I", *moved) + body
    assert np.array_equal(part(turned, "blosc", SIZE, 0, SIZE), plain)
    for start in [*range(0, SIZE - block, block), block - 10, SIZE - 300_000]:
        wanted = plain[start : start + block]
        assert np.array_equal(part(turned, "blosc", SIZE, start, block), wanted)


@pytest.mark.parametrize("codec", ["blosc", "zlib", "gzip", None])
@pytest.mark.parametrize("wrong", [SIZE - 101, SIZE + 101, 101])
def test_wrong_size(packed_by, codec, wrong):
    packed = packed_by[codec]
    with pytest.raises(DataError, match="chunk mfx/0"):
        part(packed, codec, wrong, 0, 101)
    with pytest.raises(DataError):
        part(packed, codec, wrong, 0, wrong)


def test_missing_chunk():
    with pytest.raises(DataError, match="missing"):
        read_chunk(store({}), "mfx/0", "blosc", 10, 0, np.empty(10, np.uint8))


@pytest.mark.parametrize("codec", ["blosc", "zlib", "gzip", None])
def test_truncated_everywhere(packed_by, codec):
    packed = packed_by[codec]
    for cut in [*range(40), *np.linspace(41, len(packed) - 1, 30).astype(int).tolist()]:
        for start, count in ((0, SIZE), (1_000_000, 100_000)):
            with pytest.raises(DataError):
                part(packed[:cut], codec, SIZE, start, count)


@pytest.mark.parametrize("codec", ["blosc", "zlib", "gzip"])
def test_flipped_bits_never_crash(packed_by, codec):
    packed = packed_by[codec]
    rng = np.random.default_rng(4)
    count = 200 if codec == "blosc" else 60  # streams are inflated to their end every time
    places = [*rng.integers(0, len(packed), count).tolist(), *range(count // 2)]
    for place in places:
        broken = bytearray(packed)
        broken[place] ^= 1 << rng.integers(8)
        for start, count in ((0, SIZE), (1_000_000, 100_000)):
            try:
                found = part(bytes(broken), codec, SIZE, start, count)
            except DataError:
                continue
            assert found.size == count


def test_headers_that_lie(plain):
    packed = Blosc("lz4", 5, 1).encode(plain.view("V101"))
    fields = list(struct.unpack_from("<BBBBIII", packed))
    lies = [(4, 2**31 - 17), (4, 0), (5, 0), (5, 1), (5, 2**31), (6, 16), (6, 2**32 - 1), (3, 0)]
    for index, value in [*lies, (0, 3), (2, 0x40), (2, 0xE0), (2, 2)]:
        changed = [*fields]
        changed[index] = value
        broken = struct.pack("<BBBBIII", *changed) + packed[16:]
        for start, count in ((0, SIZE), (1_000_000, 100_000)):
            with pytest.raises(DataError):
                part(broken, "blosc", SIZE, start, count)


@pytest.mark.parametrize("codec", ["blosc", "zlib"])
def test_a_bomb_costs_what_was_asked_for(codec):
    size = 2**28
    zeros = np.zeros(size, np.uint8)
    packed = Blosc("zstd", 9, 1).encode(zeros) if codec == "blosc" else zlib.compress(zeros, 9)
    del zeros
    assert len(packed) < size // 900
    tracemalloc.start()
    began = time.perf_counter()
    assert not part(packed, codec, size, 2**20, 2**16).any()
    assert time.perf_counter() - began < 2
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()
    began = time.perf_counter()
    with pytest.raises(DataError):  # declared small, unpacks large
        part(packed, codec, 2**19, 0, 2**19)
    assert time.perf_counter() - began < 0.2
