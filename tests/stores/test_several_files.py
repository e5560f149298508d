"""Several files that appear together."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from mfxarray.errors import DataError
from mfxarray.stores.several_files import staged_files
from tests.stores.samples import names


def fill(staged: list[str], text: str = "new") -> None:
    for number, path in enumerate(staged):
        Path(path).write_text(f"{text} {number}")


def contents(folder: Path) -> dict[str, str]:
    return {name: (folder / name).read_text() for name in names(folder)}


def test_files_appear_together(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    with staged_files(paths) as staged:
        fill(staged)
        assert not any(path.exists() for path in paths)
    assert contents(tmp_path) == {"a": "new 0", "b": "new 1"}


def interrupted(paths: list[Path]) -> None:
    with staged_files(paths, overwrite=True) as staged:
        fill(staged)
        raise KeyError


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(KeyError):
        interrupted([tmp_path / "a", tmp_path / "b"])
    assert contents(tmp_path) == {"a": "old"}


def test_files_are_replaced_when_asked(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("old")
    with staged_files([tmp_path / "a", tmp_path / "b"], overwrite=True) as staged:
        fill(staged)
        assert (tmp_path / "b").read_text() == "old"
    assert contents(tmp_path) == {"a": "new 0", "b": "new 1"}


@pytest.mark.parametrize("fails", [0, 1, 2])
def test_a_failed_exchange_puts_the_old_files_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: int
) -> None:
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for path in (paths[0], paths[2]):
        path.write_text("old")
    rename = os.rename

    def broken(source: Any, target: Any) -> None:
        if Path(target) == paths[fails] and not str(source).endswith(".old"):
            raise OSError("no")
        rename(source, target)

    monkeypatch.setattr(os, "rename", broken)
    with pytest.raises(OSError, match="no"), staged_files(paths, overwrite=True) as staged:
        fill(staged)
    assert contents(tmp_path) == {"a": "old", "c": "old"}


def test_a_file_that_was_not_written_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(FileNotFoundError),
        staged_files([tmp_path / "a", tmp_path / "b"]) as staged,
    ):
        Path(staged[0]).write_text("new")
    assert names(tmp_path) == []


def test_targets_are_checked_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("old")
    (tmp_path / "folder").mkdir()
    cases: list[tuple[list[Path], type[Exception], str]] = [
        ([tmp_path / "a", tmp_path / "b"], DataError, "exists already"),
        ([tmp_path / "a", tmp_path / "folder"], DataError, "is a folder"),
        ([tmp_path / "no" / "a"], DataError, "does not exist"),
        ([tmp_path / "a", tmp_path / "a"], ValueError, "a name of its own"),
        ([], ValueError, "a name of its own"),
        ([tmp_path / "a", tmp_path / "folder" / "b"], ValueError, "in one folder"),
    ]
    for paths, error, message in cases:
        with pytest.raises(error, match=message), staged_files(paths):
            pytest.fail("nothing may be done")
    assert sorted(names(tmp_path)) == ["b", "folder"]
