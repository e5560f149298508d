"""Unpacking: the vendor's folder file by file, and nothing outside the target."""

from __future__ import annotations

from pathlib import Path

import pytest

from mfxarray.errors import DataError
from mfxarray.formats.msr.msr import list_msr
from mfxarray.writers.msr import write_msr
from mfxarray.writers.unpack import unpack
from tests.formats.msr.obf_files import Stack, archive, obf_bytes
from tests.writers.test_msr import PACK, files, flat, outgoing


@pytest.fixture
def two(tmp_path: Path) -> Path:
    path = tmp_path / "two.msr"
    write_msr(path, [outgoing(flat(), "P1", did="id-1"), outgoing(flat(5), "P2", did="id-2")])
    return path


def msr_of(folder: Path, *archives: bytes, label: str = "P1") -> Path:
    tag = b'{"type":"data","label":"%s"}' % label.encode()
    path = folder / "made.msr"
    path.write_bytes(obf_bytes([Stack(raw, tags={b"minflux": tag}) for raw in archives]))
    return path


def check(msr: Path, folder: Path, number: int) -> None:
    keys = list_msr(msr)[number].keys
    assert files(folder) == {f"zarr/{key}": keys.read(key) for key in keys.keys()}  # noqa: SIM118


def test_one_and_several(tmp_path: Path, two: Path) -> None:
    target = tmp_path / "out"
    written = unpack(two, target)
    assert written == [str(target / "P1" / "zarr"), str(target / "P2" / "zarr")]
    for number, label in enumerate(("P1", "P2")):
        check(two, target / label, number)
    for wish in ("P2", "id-2"):
        single = tmp_path / wish
        assert unpack(two, single, dataset=wish) == [str(single / "zarr")]
        check(two, single, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["P2", "id-2", "out", "two.msr"]


@pytest.mark.realdata
def test_same_files_as_the_vendor(tmp_path: Path, data_dir: Path) -> None:
    specpy = pytest.importorskip("specpy")
    file = specpy.File(str(data_dir / PACK), specpy.File.Read)
    unpack(data_dir / PACK, tmp_path / "ours")
    for one in file.minflux_datasets():
        theirs = tmp_path / one["label"]
        theirs.mkdir()
        file.unpack(one["did"], str(theirs))
        ours = tmp_path / "ours" / one["label"]
        assert files(ours) == files(theirs)
        folders = [
            {p.relative_to(t) for t in [top] for p in top.rglob("*")} for top in (ours, theirs)
        ]
        assert folders[0] == folders[1]


def test_the_vendor_also_unpacks_the_manifest(tmp_path: Path) -> None:
    raw = archive({"sync": None, "sync/list": b"abc", "zarr": None, "zarr/.zgroup": b"{}"})
    unpack(msr_of(tmp_path, raw), tmp_path / "out")
    assert files(tmp_path / "out") == {"sync/list": b"abc", "zarr/.zgroup": b"{}"}


def test_existing_targets(tmp_path: Path, two: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    unpack(two, target)  # an empty folder may be filled
    before = files(target)
    with pytest.raises(DataError, match="not empty"):
        unpack(two, target)
    unpack(two, target, overwrite=True)
    assert files(target) == before
    unpack(two, target, dataset="P2", overwrite=True)
    check(two, target, 1)
    (target / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="more than an unpacked"):
        unpack(two, target, overwrite=True)
    assert (target / "notes.txt").read_text() == "mine"
    with pytest.raises(DataError, match="is no folder"):
        unpack(two, two, overwrite=True)
    with pytest.raises(DataError, match="folder does not exist"):
        unpack(two, tmp_path / "no" / "where")
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(DataError, match="is no folder"):
        unpack(two, tmp_path / "link", overwrite=True)


def test_wrong_label(tmp_path: Path, two: Path) -> None:
    with pytest.raises(DataError, match="no data set 'P3'; it has 'P1', 'P2'"):
        unpack(two, tmp_path / "out", dataset="P3")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "name", ["../escaped", "/tmp/mfxarray-escaped", "zarr/../../escaped", "..\\escaped", "C:\\x"]
)
def test_nothing_is_written_outside(tmp_path: Path, name: str) -> None:
    msr = msr_of(tmp_path, archive({"zarr": None, "zarr/a": b"1", name: b"evil"}))
    with pytest.raises(DataError):
        unpack(msr, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["made.msr"]
    assert not Path("/tmp/mfxarray-escaped").exists()


@pytest.mark.parametrize("label", ["../up", "/abs", "a/b", ".."])
def test_a_label_is_no_path(tmp_path: Path, label: str) -> None:
    raw = archive({"zarr": None, "zarr/a": b"1"})
    msr = msr_of(tmp_path, raw, raw, label=label)
    written = unpack(msr, tmp_path / "out")
    assert len(written) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made.msr", "out"]
    assert sorted(files(tmp_path / "out").values()) == [b"1", b"1"]


@pytest.mark.parametrize(
    "entries",
    [
        {"zarr": b"a file", "zarr/a": b"1"},
        {"zarr/a": b"1", "zarr/a/b": b"2"},
        {"zarr/a/b": b"1", "zarr/a": b"2"},
        {"zarr/" + "n" * 300: b"1"},
        {"/".join(["d" * 127] * 32): b"1"},
    ],
)
def test_what_no_file_system_can_hold(tmp_path: Path, entries: dict[str, bytes | None]) -> None:
    with pytest.raises(DataError, match="cannot be written"):
        unpack(msr_of(tmp_path, archive(entries)), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["made.msr"]


def test_truncated_files_leave_nothing(tmp_path: Path, two: Path) -> None:
    raw = two.read_bytes()
    two.unlink()
    for percent in range(1, 100, 3):
        (tmp_path / "cut.msr").write_bytes(raw[: len(raw) * percent // 100])
        with pytest.raises(DataError):
            unpack(tmp_path / "cut.msr", tmp_path / "out")
        assert [path.name for path in tmp_path.iterdir()] == ["cut.msr"]
