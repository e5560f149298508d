"""A packed file is unpacked once, into the cache, and read like the plain one."""

from __future__ import annotations

import gzip
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import mfxarray as mfx
from mfxarray.errors import DataError
from mfxarray.formats.packed import packed
from mfxarray.formats.sources import FileSource
from mfxarray.options import set_options
from mfxarray.records.unpacked import unpacked, unpacked_range
from mfxarray.stores.seal import SEAL_NAME
from tests.formats.packed.packed_samples import PACKERS, in_zip, plain_bytes, saved


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return plain_bytes(tmp_path_factory.mktemp("plain"))


def in_cache(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", ["gzip", "bzip2", "xz", "lzma", "zip", "tar", "tar.xz"])
def test_opens_like_the_plain_file(tmp_path: Path, plain: bytes, name: str) -> None:
    path = saved(tmp_path, PACKERS[name](plain), "run 1.im.zip")
    same = saved(tmp_path, plain, "plain.im")
    found = mfx.open_mims(unpacked(path))
    expected = mfx.open_mims(same)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found.values, expected.values)
    assert os.path.basename(unpacked(path)) == "run 1.im"


@pytest.mark.parametrize("name", ["RTIimage.im", "image sun.im"])
def test_real_files(tmp_path: Path, data_dir: Path, name: str) -> None:
    content = (data_dir / "mims" / name).read_bytes()
    for kind in ("gzip", "bzip2", "zip", "tar.xz"):
        path = saved(tmp_path, PACKERS[kind](content), f"{kind}.{name}.gz")
        assert Path(unpacked(path)).read_bytes() == content


def test_a_plain_file_stays_where_it_is(tmp_path: Path, plain: bytes) -> None:
    path = saved(tmp_path, plain, "run.im")
    assert unpacked(path) == str(path)
    assert os.listdir(tmp_path) == ["run.im"]
    with pytest.raises(ValueError, match="no archive"):
        unpacked(path, "run.im")


def test_unpacked_once(tmp_path: Path, plain: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, gzip.compress(plain), "run.im.gz")
    first = unpacked(path)
    monkeypatch.setattr("mfxarray.records.unpacked.unpack_to", None)
    assert unpacked(path) == first
    assert Path(first).parent.parent.name == "run.im.gz.mfxcache"


def test_again_when_the_file_changes(tmp_path: Path, plain: bytes) -> None:
    path = saved(tmp_path, gzip.compress(plain), "run.im.gz")
    first = unpacked(path)
    other = plain_bytes(tmp_path, seed=12)
    path.write_bytes(gzip.compress(other))
    second = unpacked(path)
    assert Path(second).read_bytes() == other
    assert not os.path.exists(first)  # the old one goes


def test_members_do_not_meet(tmp_path: Path, plain: bytes) -> None:
    other = plain_bytes(tmp_path, seed=12)
    path = saved(tmp_path, in_zip({"a.im": plain, "b.im": other}), "runs.zip")
    assert Path(unpacked(path, "a.im")).read_bytes() == plain
    assert Path(unpacked(path, "b.im")).read_bytes() == other
    assert Path(unpacked(path, "a.im")).read_bytes() == plain


@pytest.mark.parametrize("harm", ["shorter", "no seal", "link", "more"])
def test_a_broken_cache_is_made_again(tmp_path: Path, plain: bytes, harm: str) -> None:
    path = saved(tmp_path, gzip.compress(plain), "run.im.gz")
    found = Path(unpacked(path))
    if harm == "shorter":
        found.write_bytes(plain[:-1])
    elif harm == "no seal":
        (found.parent / SEAL_NAME).unlink()
    elif harm == "link":
        found.unlink()
        found.symlink_to(saved(tmp_path, plain, "elsewhere"))
    else:
        found.rename(found.with_name("other.im"))
    again = Path(unpacked(path))
    assert not again.is_symlink()
    assert again.read_bytes() == plain


def test_nothing_is_left_of_a_failure(tmp_path: Path, plain: bytes) -> None:
    packed_bytes = gzip.compress(plain)
    path = saved(tmp_path, packed_bytes[:-9], "run.im.gz")
    with pytest.raises(DataError, match="too early"):
        unpacked(path)
    assert in_cache(tmp_path / "run.im.gz.mfxcache") == []
    path.write_bytes(packed_bytes)
    assert Path(unpacked(path)).read_bytes() == plain


def test_cache_folder_and_progress(tmp_path: Path, plain: bytes) -> None:
    told: list[tuple[float, str]] = []
    path = saved(tmp_path, gzip.compress(plain), "run.im.gz")
    with set_options(
        cache_folder=tmp_path / "cache", progress=lambda share, text: told.append((share, text))
    ):
        found = unpacked(path)
    assert found.startswith(str(tmp_path / "cache"))
    assert told[-1] == (1.0, "unpacking run.im.gz")
    assert not (tmp_path / "run.im.gz.mfxcache").exists()


def test_no_room_for_the_cache(
    tmp_path: Path, plain: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    path = saved(tmp_path, gzip.compress(plain), "run.im.gz")
    monkeypatch.setattr("mfxarray.records.unpacked.unpack_to", full)
    with pytest.raises(DataError, match="No space left"):
        unpacked(path)
    assert in_cache(tmp_path / "run.im.gz.mfxcache") == []


def test_two_at_once(tmp_path: Path, plain: bytes) -> None:
    path = saved(tmp_path, gzip.compress(plain), "run.im.gz")
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(unpacked, [path] * 8))
    assert len(found) == 1
    assert Path(found.pop()).read_bytes() == plain


@pytest.mark.parametrize(
    "name", ["..im.gz", ".gz", "a\nb.im.gz", "x" * 150 + ".im.gz", "ä*?.im.gz"]
)
def test_odd_names(tmp_path: Path, plain: bytes, name: str) -> None:
    path = saved(tmp_path, gzip.compress(plain), name)
    found = Path(unpacked(path))
    assert found.read_bytes() == plain
    assert found.name.endswith(".im")
    assert found.name[0] != "."


@pytest.mark.parametrize("kind", ["gzip", "stored"])
def test_a_range_is_all_or_nothing(tmp_path: Path, kind: str) -> None:
    content = bytes(range(256)) * 50
    stored = gzip.compress(content) if kind == "gzip" else content
    source = FileSource.open(saved(tmp_path, b"header" + stored, "run.nrrd"))
    found = unpacked_range(source, kind, 6, len(content))
    assert found.read(0, found.size) == content
    for wrong in (len(content) - 1, len(content) + 1, 10**15):
        with pytest.raises(DataError, match="are needed"):
            unpacked_range(source, kind, 6, wrong)


def test_looking_into_it_does_not_unpack_it(tmp_path: Path, plain: bytes) -> None:
    path = saved(tmp_path, gzip.compress(plain), "run.im.gz")
    assert packed.holds_mims(FileSource.open(path))
    assert os.listdir(tmp_path) == ["run.im.gz"]
