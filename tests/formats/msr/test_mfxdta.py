"""MFXDTA archives: entries, unsafe names, truncation, damage, and what the index costs."""

from __future__ import annotations

import os
import pickle
import struct
import time
from pathlib import Path

import numpy as np
import pytest

from mfxarray.errors import DataError
from mfxarray.formats.msr import mfxdta_entries
from mfxarray.formats.msr.mfxdta import MfxdtaKeys, check_key, read_archive
from mfxarray.formats.msr.obf import read_obf
from mfxarray.formats.msr.obf_data import StackBytes
from mfxarray.formats.sources import FileSource
from tests.formats.msr.obf_files import Stack, archive, obf_bytes, packed

ENTRIES: dict[str, bytes | None] = {
    "sync": None,
    "sync/list": b"",
    "zarr": None,
    "zarr/.zgroup": b'{"zarr_format": 2}',
    "zarr/mfx": None,
    "zarr/mfx/.zarray": b"{}" * 300,
    "zarr/mfx/0": bytes(range(256)) * 9,
    "zarr/mfx/1": b"",
    "zarr/grd/search_0/points/0": b"abc",
    "zarr/" + "long" * 30 + "/é": b"name",
}
FILES = {key[5:]: value for key, value in ENTRIES.items() if value is not None and key[0] == "z"}


def plain(folder: Path, raw: bytes) -> StackBytes:
    path = folder / "a.bin"
    path.write_bytes(raw)
    return StackBytes(FileSource.open(path), 0, len(raw), len(raw), len(raw))


def check(keys: MfxdtaKeys) -> None:
    assert keys.keys() == tuple(FILES)
    for key, value in FILES.items():
        assert keys.size(key) == len(value)
        assert keys.read(key) == value
        assert (
            keys.read(key, len(value) // 3, len(value) // 2)
            == value[len(value) // 3 :][: len(value) // 2 - len(value) // 3]
        )


@pytest.mark.parametrize("version", [1, 2, 3, 4])
@pytest.mark.parametrize("head", [147, 15])
@pytest.mark.parametrize("end", [b"", bytes(3), bytes(8), bytes(100_000)])
def test_entries(tmp_path: Path, version: int, head: int, end: bytes) -> None:
    stack = plain(tmp_path, archive(ENTRIES, version, head, end))
    keys = MfxdtaKeys(stack)
    check(keys)
    assert (keys.archive.version, keys.archive.saved) == (version, 1_700_000_000)
    assert keys.archive.notes == ()
    assert keys.source == stack.source
    assert MfxdtaKeys(stack, prefix="sync/").keys() == ("list",)


@pytest.mark.parametrize("block", [0, 100, 1000])
def test_in_a_compressed_stack(tmp_path: Path, block: int) -> None:
    raw = archive(ENTRIES)
    stored, points = packed(raw, block or len(raw))
    flush = points if block else ()
    stack = Stack(stored, (len(raw),), compression=1, flush=flush, block=block)
    path = tmp_path / "a.msr"
    path.write_bytes(obf_bytes([stack]))
    check(MfxdtaKeys(read_obf(FileSource.open(path)).stacks[0].data()))


def test_in_pieces_and_with_unwritten_zeros(tmp_path: Path) -> None:
    raw = archive(ENTRIES, end=b"")
    stack = Stack(raw[:200] + b"???" + raw[200:], (99, 99), samples=len(raw), chunks=((200, 203),))
    path = tmp_path / "a.msr"
    path.write_bytes(obf_bytes([stack]))
    check(MfxdtaKeys(read_obf(FileSource.open(path)).stacks[0].data()))


def test_backslashes_of_early_versions(tmp_path: Path) -> None:
    early = {key.replace("/", "\\"): value for key, value in ENTRIES.items()}
    check(MfxdtaKeys(plain(tmp_path, archive(early, 2))))


def test_without_folders_or_entries(tmp_path: Path) -> None:
    files = {key: value for key, value in ENTRIES.items() if value is not None}
    check(MfxdtaKeys(plain(tmp_path, archive(files, head=15))))
    assert MfxdtaKeys(plain(tmp_path, archive({}))).keys() == ()


def test_travels_small_and_sees_a_changed_file(tmp_path: Path) -> None:
    keys = MfxdtaKeys(plain(tmp_path, archive(ENTRIES)))
    copy = pickle.loads(pickle.dumps(keys))
    assert len(pickle.dumps(keys)) < 1000
    assert (copy, copy.identity()) == (keys, keys.identity())
    check(copy)
    os.utime(keys.source.path, ns=(1, 1))
    with pytest.raises(DataError, match="changed"):
        copy.read("mfx/0")
    read_archive.cache_clear()
    with pytest.raises(DataError, match="changed"):
        copy.keys()
    assert MfxdtaKeys(plain(tmp_path, archive(ENTRIES))).identity() != keys.identity()


def test_missing_keys_and_ranges(tmp_path: Path) -> None:
    keys = MfxdtaKeys(plain(tmp_path, archive(ENTRIES)))
    for key in ("mfx", "mfx/2", "", "../zarr/mfx/0"):
        assert keys.size(key) is None
        with pytest.raises(DataError, match="is missing"):
            keys.read(key)
    for start, stop in ((-1, 5), (5, 4), (0, 2305)):
        with pytest.raises(DataError, match="are needed"):
            keys.read("mfx/0", start, stop)


UNSAFE = [
    "/etc/passwd", "zarr/../../x", "..", ".", "zarr/./x", "zarr//x", "zarr/", "C:/x", "C:x",
    "zarr/a:b", "\\\\host\\share", "zarr\\..\\x", "zarr/a\x00b", "zarr/a\n", "zarr/x.", "zarr/x ",
    "zarr/...", "~/../x", "zarr/a*", "zarr/\x1b[31m", "zarr/.. /x", "zarr" + "/d" * 32,
]  # fmt: skip


@pytest.mark.parametrize("name", UNSAFE)
def test_unsafe_names(tmp_path: Path, name: str) -> None:
    for strict in (True, False):
        keys = MfxdtaKeys(plain(tmp_path, archive({**ENTRIES, name: b"x"})), strict)
        with pytest.raises(DataError):
            keys.keys()


def test_safe_names() -> None:
    for name in (".zgroup", "a/.zattrs", "R1", "a b/c", "search_0", "é", "a-b.c+d", "~", "x..y"):
        assert check_key(name) is None, name


@pytest.mark.parametrize(
    ("raw", "match"),
    [
        (archive({**ENTRIES, "zarr\\mfx\\0": b"x"}), "there twice"),
        (archive(ENTRIES, 5), "version 5"),
        (archive(ENTRIES, 0), "version 0"),
        (b"MFXDTB\0" + archive(ENTRIES)[7:], "no MFXDTA"),
        (b"MFXDTA\0", "no MFXDTA"),
        (archive({"zarr/\udcff": b""}), "no UTF-8"),
        (archive(ENTRIES, end=b"") + struct.pack("<Q", 2**63), "a name of"),
        (archive(ENTRIES, end=b"") + struct.pack("<Q", 4097) + b"a" * 5000, "a name of"),
        (archive(ENTRIES, end=b"") + struct.pack("<Q", 1) + b"a\2", "kind 2"),
        (archive(ENTRIES, end=bytes(8)) + archive(ENTRIES)[147:], "follows the end"),
        (archive(ENTRIES, end=b"") + struct.pack("<Q", 1) + b"a\0" + b"\xff" * 8, "inside 'a'"),
    ],
)
def test_damage(tmp_path: Path, raw: bytes, match: str) -> None:
    with pytest.raises(DataError, match=match):
        MfxdtaKeys(plain(tmp_path, raw)).keys()


def test_truncation(tmp_path: Path) -> None:
    raw = archive(ENTRIES, end=b"")
    ends, here = [147], archive({}, end=b"")
    for key, value in ENTRIES.items():
        here += archive({key: value}, end=b"")[147:]
        ends.append(len(here))
    for end in range(147, len(raw), 17):
        stack = plain(tmp_path, raw[:end])
        whole = sum(border <= end for border in ends) - 1
        if end in ends:
            continue
        with pytest.raises(DataError, match=r"ends inside|follows the end"):
            MfxdtaKeys(stack).keys()
        found = read_archive(stack, False)
        assert found.names == tuple(ENTRIES)[:whole]
        # a length of a name cut after its first byte is also an end of the stream
        assert len(found.notes) == 1
        assert f"{whole} entries are whole" in found.notes[0]


def test_bit_flips(tmp_path: Path) -> None:
    raw = archive(ENTRIES)
    rng = np.random.default_rng(2)
    refused = 0
    for _ in range(250):
        bad = bytearray(raw)
        bad[rng.integers(len(raw))] ^= 1 << rng.integers(8)
        for strict in (True, False):
            try:
                keys = MfxdtaKeys(plain(tmp_path, bytes(bad)), strict)
                for key in keys.keys():  # noqa: SIM118 - no dict
                    assert check_key(key) is None
                    keys.read(key)
            except DataError:
                refused += 1
    assert refused > 20  # most bits are payload, which has no checksum


def test_zeroed_lengths_hide_nothing(tmp_path: Path) -> None:
    raw = archive(ENTRIES)
    for key in tuple(ENTRIES)[1:]:
        at = raw.index(struct.pack("<Q", len(key.encode())) + key.encode())
        bad = raw[:at] + bytes(8) + raw[at + 8 :]
        with pytest.raises(DataError):
            MfxdtaKeys(plain(tmp_path, bad)).keys()


def test_too_many_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mfxdta_entries, "_ENTRY_CAP", 20_000)
    entry = struct.pack("<Q", 7) + b"%07d\1"
    raw = archive({}, end=b"") + b"".join(entry % number for number in range(20_001))
    assert len(MfxdtaKeys(plain(tmp_path, raw[:-16])).archive.names) == 20_000
    with pytest.raises(DataError, match="more than 20000"):
        MfxdtaKeys(plain(tmp_path, raw)).keys()


def test_index_of_10_gigabytes(tmp_path: Path) -> None:
    path, count, size = tmp_path / "big.bin", 10_000, 1_000_000
    with path.open("wb") as file:
        file.write(archive({}, end=b""))
        for number in range(count):
            name = f"zarr/mfx/{number}".encode()
            file.write(struct.pack("<Q", len(name)) + name + b"\0" + struct.pack("<Q", size))
            file.seek(size, 1)  # sparse
        file.write(bytes(100))
    total = path.stat().st_size
    stack = StackBytes(FileSource.open(path), 0, total, total, total)
    begin = time.process_time()
    before = _bytes_read()
    keys = MfxdtaKeys(stack)
    assert len(keys.keys()) == count
    assert _bytes_read() - before < 40 * count
    assert time.process_time() - begin < 0.3  # 0.04 measured; room for slow machines
    assert keys.read("mfx/9999", size - 4) == bytes(4)


RUN = [3, 4, 5, 9, 10, 11, 12, 100, 0, 1, 1000, 99, 2]


@pytest.mark.parametrize("separator", ["/", "\\"])
def test_chunks_in_any_order(tmp_path: Path, separator: str) -> None:
    rng = np.random.default_rng(5)
    entries: dict[str, bytes | None] = {"zarr": None}
    for stem in ("zarr/mfx/", "zarr/mfx2/00", "zarr/é/", "zarr/", "zarr/grd/R"):
        for number in RUN:
            entries[f"{stem}{number}"] = rng.bytes(rng.integers(0, 200))
        entries[f"{stem}10/7"] = b"deeper"
        entries[f"{stem}a1"] = None
        entries[f"{stem}a2"] = b"a file after a folder"
    raw = archive({key.replace("/", separator): value for key, value in entries.items()})
    keys = MfxdtaKeys(plain(tmp_path, raw), prefix="")
    assert keys.archive.names == tuple(entries)
    assert keys.archive.end == len(archive(entries, end=b""))
    files = {key: value for key, value in entries.items() if value is not None}
    assert {key: keys.read(key) for key in keys.keys()} == files  # noqa: SIM118 - no dict


def test_damage_in_a_run_of_chunks(tmp_path: Path) -> None:
    entries: dict[str, bytes | None] = {f"zarr/mfx/{number}": b"abc" for number in range(20)}
    raw = archive(entries)
    second = raw.index(b"zarr/mfx/7")
    for place, bad, match in [
        (second, b"zarr/mfx/6", "there twice"),
        (second, b"zarr/mfx/.", "ends in a dot"),
        (second, b"zarr/mfx//", "empty"),
        (second, b"/arr/mfx/7", "absolute"),
        (second, b"zarr/mfx/7\2", "kind 2"),
        (second + 11, b"\xff" * 8, "ends inside"),
        (second - 8, b"\xff" * 8, "a name of"),
        (second - 8, bytes(8), "follows the end"),
    ]:
        damaged = raw[:place] + bad + raw[place + len(bad) :]
        with pytest.raises(DataError, match=match):
            MfxdtaKeys(plain(tmp_path, damaged)).keys()
    whole = archive(entries, end=b"")
    each = 17 + len("zarr/mfx/0") + 3
    for end in range(147 + 1, 147 + 10 * each):
        found = read_archive(plain(tmp_path, whole[:end]), False)
        assert found.names == tuple(entries)[: (end - 147) // each]
        assert bool(found.notes) == bool((end - 147) % each)


def test_too_many_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mfxdta_entries, "_ENTRY_CAP", 50)
    entries: dict[str, bytes | None] = {f"zarr/{number}": b"" for number in range(51)}
    with pytest.raises(DataError, match="more than 50"):
        MfxdtaKeys(plain(tmp_path, archive(entries))).keys()
    del entries["zarr/50"]
    assert len(MfxdtaKeys(plain(tmp_path, archive(entries))).keys()) == 50


def _bytes_read() -> int:
    try:
        fields = Path("/proc/self/io").read_text().split()
    except OSError:
        pytest.skip("the system does not count bytes read")
    return int(fields[1])
