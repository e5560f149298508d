"""A cache is made once, whoever is first, and what is broken is made anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mfxarray.errors import DataError
from mfxarray.formats.sources import FileSource
from mfxarray.records.sealed_cache import make_sealed
from mfxarray.stores.seal import check_sealed, staged


@pytest.fixture
def source(tmp_path: Path) -> FileSource:
    (tmp_path / "a").write_bytes(b"source")
    return FileSource.open(tmp_path / "a")


def fill(folder: Path) -> dict[str, Any]:
    (folder / "values").write_bytes(b"ours")
    return {"number": 3}


def reading(target: Path) -> bytes | None:
    return (target / "values").read_bytes() if (target / "values").exists() else None


def test_made_and_sealed_with_its_notes(tmp_path: Path, source: FileSource) -> None:
    target = tmp_path / "cache"
    target.write_text("broken")  # in its place, and no cache
    assert make_sealed(source, target, "k", fill, lambda: reading(target)) == b"ours"
    assert check_sealed(target, kind="k").extra["number"] == 3


def test_another_process_was_faster(tmp_path: Path, source: FileSource) -> None:
    target = tmp_path / "cache"

    def late(folder: Path) -> dict[str, Any]:
        with staged(target, kind="k") as theirs:
            (theirs / "values").write_bytes(b"theirs")
        return fill(folder)

    assert make_sealed(source, target, "k", late, lambda: reading(target)) == b"theirs"


def test_failures(tmp_path: Path, source: FileSource) -> None:
    target = tmp_path / "cache"

    def damaged(folder: Path) -> dict[str, Any]:
        raise DataError("is damaged", path=source.path)

    def full(folder: Path) -> dict[str, Any]:
        raise OSError(28, "No space left on device")

    for broken, match in ((damaged, "is damaged"), (full, "cannot be written: No space")):
        with pytest.raises(DataError, match=match):
            make_sealed(source, target, "k", broken, lambda: reading(target))
        assert not target.exists()
    with pytest.raises(DataError, match="changed while it was written"):
        make_sealed(source, target, "k", fill, lambda: None)
