"""The .msr writer: our reader and the vendor's library get back what was written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mfxarray.errors import DataError
from mfxarray.formats.msr.mfxdta import MfxdtaKeys
from mfxarray.formats.msr.msr import list_msr, open_msr
from mfxarray.formats.msr.obf import read_obf
from mfxarray.formats.sources import FileSource
from mfxarray.formats.tables import BeadTrack
from mfxarray.writers import msr
from mfxarray.writers.msr import write_msr
from mfxarray.writers.obf import ByteStack, write_obf
from mfxarray.writers.outgoing import Outgoing
from tests.formats.msr.obf_files import V2
from tests.formats.nested_records import records

PACK = Path("minflux") / "derived" / "two_datasets_official_pack.msr"


def flat(n: int = 500, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = np.zeros(n, np.dtype(V2))
    rows["loc"] = rng.normal(size=(n, 3))
    rows["tid"], rows["itr"], rows["tim"] = np.arange(n) // 7, np.arange(n) % 5, np.arange(n)
    return rows


def outgoing(rows: np.ndarray, label: str = "P1", **attrs: object) -> Outgoing:
    def blocks() -> Iterator[np.ndarray]:
        yield from np.array_split(rows, 3)

    return Outgoing(rows.dtype, len(rows), blocks, label, dict(attrs))


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("rows", [flat(), flat(1), records(n=60)], ids=["flat", "one", "nested"])
def test_round_trip(tmp_path: Path, rows: np.ndarray, compress: bool) -> None:
    sets = [outgoing(rows, "P1", did="id-1"), outgoing(rows[::-1].copy(), "zwei – 2")]
    write_msr(tmp_path / "a.msr", sets, compress=compress, saved=1_700_000_000)
    first, second = open_msr(tmp_path / "a.msr")
    assert first.rows.dtype == rows.dtype
    assert first.rows.read(0, len(rows)).tobytes() == rows.tobytes()
    assert second.rows.read(0, len(rows)).tobytes() == rows[::-1].tobytes()
    assert (first.label, second.label) == ("P1", "zwei – 2")
    assert first.attrs["did"] == "id-1"
    assert len(second.attrs["did"]) == 36  # made up, and the same in tag and attributes
    assert list_msr(tmp_path / "a.msr")[1].tag["did"] == second.attrs["did"]
    assert first.attrs["saved"] == "2023-11-14T22:13:20+00:00"
    assert [path.name for path in tmp_path.iterdir()] == ["a.msr"]


@pytest.mark.parametrize("compress", [False, True])
def test_the_vendor_unpacks_it(tmp_path: Path, compress: bool) -> None:
    specpy = pytest.importorskip("specpy")
    position = np.random.default_rng(0).normal(size=(9, 3)).astype("f4").astype("f8")
    bead = BeadTrack("R1", 61, True, np.arange(9.0), position, np.ones(9))
    first = replace(outgoing(flat(50_000), did="id-1"), beads=(bead,))
    write_msr(tmp_path / "a.msr", [first, outgoing(records(), "P2", did="id-2")], compress=compress)
    file = specpy.File(str(tmp_path / "a.msr"), specpy.File.Read)
    listed = [(one["did"], one["label"]) for one in file.minflux_datasets()]
    assert listed == [("id-1", "P1"), ("id-2", "P2")]
    for data_set in list_msr(tmp_path / "a.msr"):
        folder = tmp_path / data_set.label
        folder.mkdir()
        file.unpack(data_set.identity, str(folder))
        stored = {f"zarr/{key}": data_set.keys.read(key) for key in data_set.keys.keys()}  # noqa: SIM118
        assert files(folder) == stored
        assert "zarr/mfx/0" in stored
    for number, stack in enumerate(read_obf(FileSource.open(tmp_path / "a.msr")).stacks):
        data = stack.data()
        # the vendor's library inflates the whole stack as an image
        image = np.asarray(file.read(number).data()).astype("u1").tobytes()
        assert image == data.read(0, data.size)


def test_layout(tmp_path: Path) -> None:
    write_msr(tmp_path / "a.msr", [outgoing(flat(30_000)), outgoing(flat(3), "P2")])
    file = read_obf(FileSource.open(tmp_path / "a.msr"))
    assert (file.version, list(file.tags)) == (2, ["ome_xml"])
    for stack, found in zip(file.stacks, list_msr(tmp_path / "a.msr"), strict=True):
        side = int(np.floor(np.sqrt(found.keys.archive.end + 8))) + 1
        assert stack.shape == (side, side, 1, 1)
        assert (stack.head.version, stack.footer.size) == (7, 1528)
        folders = {""}
        for name, size in zip(found.keys.archive.names, found.keys.archive.sizes, strict=True):
            assert name.rpartition("/")[0] in folders  # a folder comes before what is in it
            folders |= {name} if size < 0 else set()


def test_flush_points_let_any_range_be_read(tmp_path: Path) -> None:
    rows = flat(40_000)
    rows["loc"] = np.random.default_rng(1).random(rows["loc"].shape)
    write_msr(tmp_path / "a.msr", [outgoing(rows)], compress=True)
    (stack,) = read_obf(FileSource.open(tmp_path / "a.msr")).stacks
    assert stack.footer.n_flush > 5
    data = stack.data()
    whole = data.read(0, data.size)
    for start in range(0, data.size - 70_000, 60_001):
        assert data.read(start, start + 70_000) == whole[start : start + 70_000]


def entries_of(keys: MfxdtaKeys) -> Iterator[tuple[str, int | None, tuple[bytes, ...]]]:
    kept = keys.archive
    for name, start, size in zip(kept.names, kept.starts, kept.sizes, strict=True):
        if size < 0:
            yield name, None, ()
        else:
            yield name, int(size), (keys.stack.read(int(start), int(start + size)),)


def write_anew(source: Path, target: Path, *, compress: bool = False) -> None:
    """Write the entries that the vendor stored into an archive and a container of ours."""
    stacks = [
        ByteStack(
            msr._archive(entries_of(found.keys), found.keys.archive.saved),
            {"minflux": msr._tag(found.label, found.tag["did"])},
        )
        for found in list_msr(source)
    ]
    with target.open("wb") as file:
        write_obf(file, stacks, compress=compress)


@pytest.mark.realdata
@pytest.mark.parametrize("compress", [False, True])
def test_what_the_vendor_stored_keeps_every_byte(
    tmp_path: Path, data_dir: Path, compress: bool
) -> None:
    write_anew(data_dir / PACK, tmp_path / "a.msr", compress=compress)
    pairs = zip(list_msr(data_dir / PACK), list_msr(tmp_path / "a.msr"), strict=True)
    for old, new in pairs:
        assert old.tag == new.tag
        assert old.keys.archive.names == new.keys.archive.names
        assert old.keys.archive.saved == new.keys.archive.saved
        assert old.stack.shape == new.stack.shape
        end = old.keys.archive.end
        assert old.keys.stack.read(0, end) == new.keys.stack.read(0, end)


@pytest.mark.realdata
def test_it_equals_the_vendor_file_up_to_its_xml(tmp_path: Path, data_dir: Path) -> None:
    write_anew(data_dir / PACK, tmp_path / "a.msr")
    ours, theirs = (tmp_path / "a.msr").read_bytes(), (data_dir / PACK).read_bytes()
    end = theirs.index(b"ome_xml") - 4
    differing = {at for at in range(end) if ours[at] != theirs[at]}
    # only the flush block size, which means nothing without flush points
    blocks = [
        stack.data_offset + stack.head.data_bytes + 1416
        for stack in read_obf(FileSource.open(data_dir / PACK)).stacks
    ]
    assert differing <= {block + n for block in blocks for n in range(8)}


def test_refusals(tmp_path: Path) -> None:
    path = tmp_path / "a.msr"
    with pytest.raises(ValueError, match="at least one"):
        write_msr(path, [])
    with pytest.raises(ValueError, match="label 'P1'"):
        write_msr(path, [outgoing(flat()), outgoing(flat())])
    with pytest.raises(ValueError, match="did 'x'"):
        write_msr(path, [outgoing(flat(), did="x"), outgoing(flat(), "P2", did="x")])
    assert not path.exists()
    write_msr(path, [outgoing(flat())])
    before = path.read_bytes()
    with pytest.raises(DataError, match="exists already"):
        write_msr(path, [outgoing(flat(3))])
    assert path.read_bytes() == before
    write_msr(path, [outgoing(flat(3))], overwrite=True)
    assert open_msr(path)[0].rows.n_rows == 3


def test_nothing_is_left_of_a_failed_write(tmp_path: Path) -> None:
    rows = flat()

    def blocks() -> Iterator[np.ndarray]:
        yield rows[:100]
        raise RuntimeError("disk of the source broke")

    with pytest.raises(RuntimeError, match="broke"):
        write_msr(tmp_path / "a.msr", [Outgoing(rows.dtype, 500, blocks)])
    assert list(tmp_path.iterdir()) == []


def test_unsafe_names_are_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(msr, "zarr_entries", lambda data_set: iter([("zarr/../x", b"1")]))
    with pytest.raises(ValueError, match=r"zarr/\.\./x"):
        write_msr(tmp_path / "a.msr", [outgoing(flat())])
    assert os.listdir(tmp_path) == []
