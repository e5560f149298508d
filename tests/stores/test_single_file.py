"""Single files: complete or absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from mfxarray.errors import DataError
from mfxarray.stores.single_file import staged_file
from tests.stores.samples import names


def write(path: Path, content: bytes = b"new", **options: bool) -> None:
    with staged_file(path, **options) as temporary:
        Path(temporary).write_bytes(content)
        assert not path.exists() or path.read_bytes() == b"old"


def break_off(path: Path, error: type[BaseException]) -> Path:
    """Fail while a file is written; return where it was written."""
    seen = []
    try:
        with staged_file(path, overwrite=True) as temporary:
            seen.append(Path(temporary))
            seen[0].write_bytes(b"half")
            raise error
    except error:
        return seen[0]


def test_a_new_file(tmp_path: Path) -> None:
    write(tmp_path / "a.tif")
    assert (tmp_path / "a.tif").read_bytes() == b"new"
    assert names(tmp_path) == ["a.tif"]


def test_replacing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(DataError, match="exists already"):
        write(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"old"
    write(tmp_path / "a", overwrite=True)
    assert (tmp_path / "a").read_bytes() == b"new"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    (tmp_path / "a").write_bytes(b"old")
    seen = break_off(tmp_path / "a", error)
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]
    # who comes late finds no place to write
    with pytest.raises(FileNotFoundError):
        seen.write_bytes(b"late")


def test_folders_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="is a folder"):
        write(tmp_path / "folder", overwrite=True)
    with pytest.raises(DataError, match="folder does not exist"):
        write(tmp_path / "no" / "a")


def test_a_broken_link_is_something(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "nowhere")
    with pytest.raises(DataError, match="exists already"):
        write(tmp_path / "a")
