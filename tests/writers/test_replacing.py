"""What replaces a file or a folder is complete, or nothing has changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mfxarray.errors import DataError
from mfxarray.writers.replacing import check_free, replacing, replacing_folder


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def is_ours(folder: str) -> bool:
    return os.listdir(folder) == ["a"]


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    with replacing(tmp_path / "f") as file:
        file.write(b"one")
        assert not (tmp_path / "f").exists()
    assert tree(tmp_path) == {"f": b"one"}
    with pytest.raises(DataError, match="exists already"):
        replacing(tmp_path / "f").__enter__()
    with replacing(tmp_path / "f", overwrite=True) as file:
        file.write(b"two")
        assert (tmp_path / "f").read_bytes() == b"one"
    assert tree(tmp_path) == {"f": b"two"}


def test_a_file_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old")
    with pytest.raises(TypeError), replacing(tmp_path / "f", overwrite=True) as file:
        file.write("no bytes")
    assert tree(tmp_path) == {"f": b"old"}


def test_targets_of_files(tmp_path: Path) -> None:
    assert check_free(tmp_path / "f", overwrite=False) == str(tmp_path / "f")
    with pytest.raises(DataError, match="folder does not exist"):
        check_free(tmp_path / "no" / "f", overwrite=True)
    with pytest.raises(DataError, match="is a folder"):
        check_free(tmp_path, overwrite=True)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(DataError, match="exists already"):
        check_free(tmp_path / "link", overwrite=False)


def test_a_folder_appears_when_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "out"
    for text, overwrite in ((b"one", False), (b"two", True)):
        with replacing_folder(target, is_ours, overwrite=overwrite) as folder:
            (Path(folder) / "a").write_bytes(text)
            assert tree(target) == ({} if text == b"one" else {"a": b"one"})
        assert tree(tmp_path) == {"out/a": text}


def test_a_folder_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "a").write_bytes(b"old")
    with (
        pytest.raises(TypeError),
        replacing_folder(target, is_ours, overwrite=True) as folder,
    ):
        (Path(folder) / "a").write_bytes("no bytes")
    assert tree(tmp_path) == {"out/a": b"old"}
    assert os.listdir(tmp_path) == ["out"]


def test_a_renaming_that_fails_brings_the_old_one_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "a").write_bytes(b"old")
    real = os.rename

    def failing(source: str, to: str) -> None:
        if source.endswith(".tmp"):
            raise OSError("no space")
        real(source, to)

    monkeypatch.setattr(os, "rename", failing)
    with (
        pytest.raises(OSError, match="no space"),
        replacing_folder(target, is_ours, overwrite=True) as folder,
    ):
        (Path(folder) / "a").write_bytes(b"new")
    assert tree(tmp_path) == {"out/a": b"old"}


def test_targets_of_folders(tmp_path: Path) -> None:
    def refuse(path: Path, match: str, *, overwrite: bool = False) -> None:
        with pytest.raises(DataError, match=match):
            replacing_folder(path, is_ours, overwrite=overwrite).__enter__()

    target = tmp_path / "out"
    target.mkdir()
    with replacing_folder(target, is_ours) as folder:  # an empty one may be there
        (Path(folder) / "a").write_bytes(b"1")
    refuse(target, "not empty")
    (target / "mine.txt").write_bytes(b"2")
    refuse(target, "more than an unpacked", overwrite=True)
    refuse(target / "mine.txt", "is no folder", overwrite=True)
    refuse(tmp_path / "no" / "out", "folder does not exist", overwrite=True)
    (tmp_path / "link").symlink_to(target)
    refuse(tmp_path / "link", "is no folder", overwrite=True)
    assert tree(target) == {"a": b"1", "mine.txt": b"2"}
