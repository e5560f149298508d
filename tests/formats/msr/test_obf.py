"""The OBF container against hand-made files, and damage."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import numpy as np
import pytest

from mfxarray.errors import DataError
from mfxarray.formats.msr.obf import read_obf
from mfxarray.formats.sources import FileSource
from tests.formats.msr.obf_files import FOOTER_SIZES, Stack, obf_bytes, packed
from tests.formats.msr.obf_opening import at_most, content, opened

DATA = np.random.default_rng(1).integers(0, 7, 10_000).astype("u1").tobytes()


@pytest.mark.parametrize("version", FOOTER_SIZES)
def test_footers_of_all_versions(tmp_path: Path, version: float) -> None:
    stack = Stack(
        DATA,
        (100, 50, 2),
        version=int(version),
        footer=FOOTER_SIZES[version],
        name=b"one",
        description="Größe".encode(),
        tags={b"minflux": b"{}", b"long": b"x" * 5000},
        positions={0: [0.5] * 100, 2: [1.0, 2.0]},
        labels={1: [b"ab"] * 50},
        metadata=b"<m/>" if version >= 1.5 else b"",
    )
    file = opened(tmp_path, obf_bytes([stack, Stack(b"end")], tags={b"ome_xml": b"<OME/>"}))
    first, second = file.stacks
    assert (first.name, first.description, first.shape) == ("one", "Größe", (100, 50, 2))
    assert first.labels == ("x", "y", "z")
    assert first.data().read(0, 10_000) == DATA
    assert second.data().read(0, 3) == b"end"
    assert list(file.tags) == ["ome_xml"]
    has_tags = FOOTER_SIZES[version] >= 1432
    assert first.tag("minflux") == (b"{}" if has_tags else None)
    assert first.tag("long") == (b"x" * 5000 if has_tags else None)
    if version >= 1.5:
        assert file.source.read(*first.metadata) == b"<m/>"


def test_a_cut_off_field_of_a_footer_counts_as_absent(tmp_path: Path) -> None:
    file = opened(tmp_path, obf_bytes([Stack(DATA, footer=1428, tags={b"a": b"b"})]))
    assert file.stacks[0].tags == {}


def test_version_0_has_no_footer(tmp_path: Path) -> None:
    file = opened(tmp_path, obf_bytes([Stack(DATA, version=0), Stack(b"end", version=0)], 1))
    assert [stack.data().read(0, 3) for stack in file.stacks] == [DATA[:3], b"end"]
    assert (file.version, file.tags) == (1, {})


def test_no_stacks(tmp_path: Path) -> None:
    assert opened(tmp_path, obf_bytes([])).stacks == ()


def test_unknown_type_or_compression_hurts_its_own_stack_only(tmp_path: Path) -> None:
    stacks = [Stack(DATA, dt=3), Stack(DATA, compression=2), Stack(DATA)]
    odd, other, good = opened(tmp_path, obf_bytes(stacks)).stacks
    assert good.data().read(0, 5) == DATA[:5]
    for stack in (odd, other):
        with pytest.raises(DataError, match="not known"):
            stack.data()
    complex_one = opened(tmp_path, obf_bytes([Stack(DATA[:160], (10,), dt=0x40000080)]))
    assert complex_one.stacks[0].data().size == 160


def test_future_versions(tmp_path: Path) -> None:
    assert content(tmp_path, Stack(DATA, version=9, footer=2000)) == DATA
    with pytest.raises(DataError, match="version 8; 7 is read"):
        opened(tmp_path, obf_bytes([Stack(DATA, version=9, least=8)]))
    with pytest.raises(DataError, match="OBF version 3; 1 and 2"):
        opened(tmp_path, obf_bytes([Stack(DATA)], 3))


@pytest.mark.parametrize("target", [34, 1, 35, 40, 200, 2**40])
def test_loops_and_overlaps_end(tmp_path: Path, target: int) -> None:
    stacks = [Stack(DATA[:100]), Stack(DATA[:100], next=target)]
    with pytest.raises(DataError):
        opened(tmp_path, obf_bytes(stacks))
    with pytest.raises(DataError):
        opened(tmp_path, obf_bytes([Stack(DATA[:100], next=target)]))
    lenient = opened(tmp_path, obf_bytes(stacks), strict=False)
    assert len(lenient.stacks) == 2
    assert len(lenient.notes) == 1


@pytest.mark.parametrize(
    ("place", "lie"),
    [
        (34 + 340, struct.pack("<I", 2**32 - 1)),  # length of the description
        (34 + 336, struct.pack("<I", 2**31)),  # length of the name
        (34 + 352, struct.pack("<Q", 2**63)),  # bytes of data
        (34 + 20, struct.pack("<I", 16)),  # rank
        (22, struct.pack("<I", 2**32 - 1)),  # length of the description of the file
        (14, struct.pack("<Q", 2**64 - 1)),  # first stack
        (26, struct.pack("<Q", 2**64 - 1)),  # tags of the file
        (402 + 100, struct.pack("<I", 2**32 - 1)),  # size of the footer
        (402 + 100, struct.pack("<I", 3)),
        (402 + 100 + 1408, struct.pack("<Q", 2**61)),  # number of flush points
        (402 + 100 + 1424, struct.pack("<Q", 2**64 - 1)),  # bytes of tags
        (402 + 100 + 1460, struct.pack("<Q", 2**60)),  # number of pieces
        (402 + 100 + 1528, struct.pack("<I", 2**32 - 1)),  # length of a label
    ],
)
def test_lies_about_lengths(tmp_path: Path, place: int, lie: bytes) -> None:
    raw = bytearray(obf_bytes([Stack(DATA[:100], tags={b"a": b"b"})]))
    raw[place : place + len(lie)] = lie
    with pytest.raises(DataError), at_most(2**20):
        opened(tmp_path, bytes(raw))


def test_a_shape_that_lies(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="do not fit"):
        content(tmp_path, Stack(DATA, (2**32 - 1,) * 15, samples=0))


def test_too_many_small_parts(tmp_path: Path) -> None:
    begin = time.perf_counter()
    lying = Stack(bytes(10), (2**32 - 1, 1), stored=10, labels={0: []}, samples=10)
    path = tmp_path / "labels.msr"
    path.write_bytes(obf_bytes([lying]))
    with path.open("r+b") as file:
        file.truncate(2**32)  # sparse: billions of empty labels
    with pytest.raises(DataError, match="too many"):
        read_obf(FileSource.open(path))
    assert time.perf_counter() - begin < 5


def test_truncation(tmp_path: Path) -> None:
    raw = obf_bytes([Stack(DATA[:500], name=b"a"), Stack(DATA[:700], name=b"b")], tags={b"a": b"b"})
    first = raw.index(DATA[:500]) + 500
    second = raw.index(DATA[:700])
    for end in range(1, len(raw), len(raw) // 150):
        with pytest.raises(DataError):
            opened(tmp_path, raw[:end])
        if end < 34:
            continue
        file = opened(tmp_path, raw[:end], strict=False)
        assert file.notes
        assert len(file.stacks) == (end > first - 500) + (end > second)
        for stack, length in zip(file.stacks, (500, 700), strict=False):
            data = stack.data()
            assert data.read(0, data.written) == DATA[: data.written]
            assert data.written == min(length, end - stack.data_offset)


def test_bit_flips(tmp_path: Path) -> None:
    stored, points = packed(DATA[:3000], 1000)
    stacks = [
        Stack(stored, (3000,), compression=1, flush=points, block=1000, tags={b"a": b"b"}),
        Stack(DATA[:100], labels={0: [b"x"] * 100}, name=b"n"),
    ]
    raw = obf_bytes(stacks)
    rng = np.random.default_rng(8)
    refused = 0
    for _ in range(300):
        bad = bytearray(raw)
        bad[rng.integers(len(raw))] ^= 1 << rng.integers(8)
        begin = time.perf_counter()
        try:
            for stack in opened(tmp_path, bytes(bad)).stacks:
                data = stack.data()
                data.read(0, min(data.size, 10_000))
        except DataError:
            refused += 1
        assert time.perf_counter() - begin < 1
    assert refused > 50


def test_changed_file(tmp_path: Path) -> None:
    source = FileSource.open(_write(tmp_path, obf_bytes([Stack(DATA)])))
    _write(tmp_path, obf_bytes([Stack(DATA + b"1")]))
    with pytest.raises(DataError, match="changed"):
        read_obf(source)


def _write(folder: Path, raw: bytes) -> Path:
    path = folder / "c.msr"
    path.write_bytes(raw)
    return path
