"""The name of a cache says from what state of what file it was made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mfxarray.errors import DataError
from mfxarray.formats.sources import FileSource
from mfxarray.options import set_options
from mfxarray.records.cache_folder import cache_path, find_cache, forget_old


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


def file(folder: Path, name: str = "run.json", content: bytes = b"abc") -> FileSource:
    folder.mkdir(exist_ok=True, parents=True)
    path = folder / name
    path.write_bytes(content)
    return FileSource.open(path)


def block(folder: Path, name: str = "run.json") -> None:
    """Put a file where the folder beside the source would be."""
    (folder / f"{name}.mfxcache").write_text("in the way")


def test_beside_the_source(tmp_path: Path, home: Path) -> None:
    path = cache_path(file(tmp_path), "what", ".columns")
    assert path.parent == tmp_path / "run.json.mfxcache"
    assert path.parent.is_dir()
    assert path.name.startswith("run.json-")
    assert path.suffix == ".columns"
    assert not path.exists()
    assert not home.exists()


def test_same_for_the_same(tmp_path: Path) -> None:
    source = file(tmp_path)
    assert cache_path(source, "a", ".x") == cache_path(FileSource.open(source.path), "a", ".x")


def test_differs(tmp_path: Path) -> None:
    source = file(tmp_path)
    seen = {cache_path(source, "a", ".x"), cache_path(source, "b", ".x")}
    seen.add(cache_path(source, "a", ".y"))
    os.utime(source.path, ns=(5, 5))
    seen.add(cache_path(later := FileSource.open(source.path), "a", ".x"))
    file(tmp_path, content=b"abd")
    os.utime(source.path, ns=(5, 5))
    other = FileSource.open(source.path)
    assert other == later  # size and time do not tell these two apart
    seen.add(cache_path(other, "a", ".x"))
    seen.add(cache_path(file(tmp_path, content=b"abcd"), "a", ".x"))
    assert len(seen) == 6


def test_source_that_changed_since_it_was_opened(tmp_path: Path) -> None:
    source = file(tmp_path)
    file(tmp_path, content=b"longer")
    with pytest.raises(DataError, match="changed on disk"):
        cache_path(source, "a", ".x")


def test_user_folder_where_it_cannot_be_beside(tmp_path: Path, home: Path) -> None:
    source = file(tmp_path)
    block(tmp_path)
    path = cache_path(source, "a", ".x")
    assert path.parent == home / "mfxarray"
    assert path.parent.is_dir()


def test_folder_without_permission(tmp_path: Path, home: Path, monkeypatch: object) -> None:
    source = file(tmp_path)
    allowed = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: "home" in str(path) and allowed(path, mode)
    )
    assert cache_path(source, "a", ".x").parent == home / "mfxarray"


def test_cache_that_is_there_is_found_even_if_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = file(tmp_path)
    path = cache_path(source, "a", ".x")
    path.mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert cache_path(source, "a", ".x") == path


@pytest.mark.parametrize("value", ["relative/folder", ""])
def test_home_where_the_variable_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    source = file(tmp_path)
    block(tmp_path)
    assert cache_path(source, "a", ".x").parent == tmp_path / "me" / ".cache" / "mfxarray"


def test_option(tmp_path: Path, home: Path) -> None:
    source = file(tmp_path / "data")
    with set_options(cache_folder=str(tmp_path / "a" / "b")):
        path = cache_path(source, "a", ".x")
    assert path.parent == tmp_path / "a" / "b"
    assert os.listdir(tmp_path / "data") == ["run.json"]
    assert not home.exists()


def test_looking_for_a_cache_makes_no_folder(tmp_path: Path, home: Path) -> None:
    source = file(tmp_path)
    assert find_cache(source, "a", ".x") is None
    assert not home.exists()
    assert os.listdir(tmp_path) == ["run.json"]
    path = cache_path(source, "a", ".x")
    assert find_cache(source, "a", ".x") is None
    path.mkdir()
    assert find_cache(source, "a", ".x") == path
    assert find_cache(source, "b", ".x") is None
    file(tmp_path, content=b"changed")
    assert find_cache(FileSource.open(source.path), "a", ".x") is None
    with pytest.raises(DataError, match="changed on disk"):
        find_cache(source, "a", ".x")


def test_no_folder_at_all(tmp_path: Path) -> None:
    source = file(tmp_path)
    (tmp_path / "file").write_text("")
    with (
        set_options(cache_folder=tmp_path / "file" / "below"),
        pytest.raises(DataError, match=r"no folder for its cache.*set_options\(cache_folder"),
    ):
        cache_path(source, "a", ".x")


def test_same_name_in_one_folder(tmp_path: Path) -> None:
    one, two = file(tmp_path / "1"), file(tmp_path / "2")
    with set_options(cache_folder=tmp_path / "all"):
        paths = [cache_path(one, "a", ".x"), cache_path(two, "a", ".x")]
        assert len(set(paths)) == 2
        for path in paths:
            path.mkdir()
        assert forget_old(one) == []
        newer = file(tmp_path / "1", content=b"new")
        assert forget_old(newer) == [paths[0]]
        assert [path.exists() for path in paths] == [False, True]


def test_unpacked_zarr(tmp_path: Path) -> None:
    source = file(tmp_path / "run" / "mfx", ".zarray")
    path = cache_path(source, "a", ".x")
    assert path.parent == tmp_path / "run.mfxcache"
    assert path.name.startswith("run-")
    assert os.listdir(tmp_path / "run" / "mfx") == [".zarray"]


@pytest.mark.parametrize("name", ["a b\n.json", "ünï€.json", "x" * 240, "%s{}", ".hidden", "-rf"])
def test_odd_names(tmp_path: Path, name: str) -> None:
    path = cache_path(file(tmp_path, name), "a", ".columns")
    path.mkdir()
    assert "/" not in path.name
    assert len(path.name.encode()) < 200
    assert "\n" not in path.name


def test_name_that_is_no_text(tmp_path: Path) -> None:
    name = os.fsdecode(b"run\xff.json")
    path = cache_path(file(tmp_path, name), "a", ".x")
    path.mkdir()
    assert path.is_dir()


def test_forget_old(tmp_path: Path) -> None:
    old = cache_path(file(tmp_path), "a", ".x")
    old.mkdir()
    (old / "content").write_text("much")
    single = cache_path(file(tmp_path, content=b"second"), "a", ".index")
    single.write_text("an index")
    source = file(tmp_path, content=b"third state")
    kept = [cache_path(source, "a", ".x"), old.with_name("notes.txt")]
    for path in kept:
        path.write_text("keep")
    assert set(forget_old(source)) == {old, single}
    assert sorted(old.parent.iterdir()) == sorted(kept)


def test_what_is_being_written_is_kept_for_a_day(tmp_path: Path) -> None:
    target = cache_path(file(tmp_path), "a", ".x")
    writing = target.with_name(f"{target.name}.tmp-0123")
    writing.mkdir()
    source = file(tmp_path, content=b"new")
    assert forget_old(source) == []
    os.utime(writing, (1, 1))
    assert forget_old(source) == [writing]
    assert not writing.exists()


def test_link_in_the_folder_is_removed_and_not_followed(tmp_path: Path) -> None:
    target = cache_path(file(tmp_path), "a", ".x")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "precious").write_text("x")
    target.symlink_to(tmp_path / "elsewhere")
    assert forget_old(file(tmp_path, content=b"new")) == [target]
    assert (tmp_path / "elsewhere" / "precious").exists()


def test_nothing_to_forget(tmp_path: Path) -> None:
    assert forget_old(file(tmp_path)) == []
    assert sorted(os.listdir(tmp_path)) == ["run.json"]
