"""Tests of sealed folders: complete or absent, and damage is noticed."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest

from mfxarray.errors import DataError, IncompleteStoreError
from mfxarray.provenance import identity, origin
from mfxarray.stores import seal as seal_module
from mfxarray.stores.seal import SEAL_NAME, check_sealed, is_sealed, read_seal, staged
from tests.stores.samples import names


def write(target: Path, content: bytes = b"abc", **options: object) -> None:
    with staged(target, kind="zarr", **options) as folder:  # type: ignore[arg-type]
        (folder / "sub").mkdir()
        (folder / "sub" / "chunk").write_bytes(content)
        (folder / "zarr.json").write_bytes(b"{}")


def break_off(target: Path, error: type[BaseException]) -> None:
    with staged(target, kind="zarr", overwrite=True) as folder:
        (folder / "zarr.json").write_bytes(b"new")
        raise error


def test_target_appears_with_a_true_seal(tmp_path: Path) -> None:
    attrs = origin("open", {"name": "a"}, {})
    write(tmp_path / "a", attrs=attrs, extra={"n": [1]})
    seal = check_sealed(tmp_path / "a", kind="zarr")
    assert seal.files == (("sub/chunk", 3), ("zarr.json", 2))
    assert seal.identity == identity(attrs)
    assert seal.extra == {"n": [1]}
    assert names(tmp_path) == ["a"]


def test_equal_contents_give_equal_seals(tmp_path: Path) -> None:
    write(tmp_path / "a")
    write(tmp_path / "b")
    assert (tmp_path / "a" / SEAL_NAME).read_bytes() == (tmp_path / "b" / SEAL_NAME).read_bytes()


def test_nothing_is_at_the_target_while_it_is_written(tmp_path: Path) -> None:
    with staged(tmp_path / "a", kind="zarr") as folder:
        assert folder.parent == tmp_path
        assert folder.name.startswith("a.tmp-")
        assert not (tmp_path / "a").exists()
        assert not is_sealed(folder)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_error_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error):
        break_off(tmp_path / "a", error)
    assert names(tmp_path) == []


def test_existing_target_is_refused_before_any_work(tmp_path: Path) -> None:
    write(tmp_path / "a")
    with pytest.raises(DataError, match=r"exists already.*overwrite=True"):
        write(tmp_path / "a", b"other")
    assert (tmp_path / "a" / "sub" / "chunk").read_bytes() == b"abc"
    assert names(tmp_path) == ["a"]


def test_overwrite_replaces(tmp_path: Path) -> None:
    write(tmp_path / "a")
    write(tmp_path / "a", b"other", overwrite=True)
    check_sealed(tmp_path / "a")
    assert (tmp_path / "a" / "sub" / "chunk").read_bytes() == b"other"
    assert names(tmp_path) == ["a"]


def test_failed_overwrite_keeps_the_old(tmp_path: Path) -> None:
    write(tmp_path / "a")
    with pytest.raises(RuntimeError):
        break_off(tmp_path / "a", RuntimeError)
    check_sealed(tmp_path / "a")
    assert names(tmp_path) == ["a"]


def test_failed_exchange_puts_the_old_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a")
    rename = os.rename

    def broken(source: Path, target: Path) -> None:
        if ".tmp-" in Path(source).name and Path(target).name == "a":
            raise OSError(5, "Input/output error")
        rename(source, target)

    monkeypatch.setattr(seal_module.os, "rename", broken)
    with pytest.raises(DataError, match="Input/output error"):
        write(tmp_path / "a", b"other", overwrite=True)
    assert (tmp_path / "a" / "sub" / "chunk").read_bytes() == b"abc"
    assert names(tmp_path) == ["a"]


def test_second_of_two_writers_loses(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Another writer"), staged(tmp_path / "a", kind="zarr"):
        write(tmp_path / "a")
    check_sealed(tmp_path / "a")
    assert names(tmp_path) == ["a"]


def test_overwrite_spares_what_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("dear")
    with pytest.raises(DataError, match="is no Zarr or Parquet store"):
        write(tmp_path / "home", overwrite=True)
    assert names(tmp_path / "home") == ["thesis.tex"]


def test_missing_parent(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="folder does not exist"):
        write(tmp_path / "no" / "a")


def test_leftover_partial_files_are_not_sealed(tmp_path: Path) -> None:
    with staged(tmp_path / "a", kind="zarr") as folder:
        (folder / "chunk.0123.partial").write_bytes(b"x")
    assert names(tmp_path / "a") == [SEAL_NAME]


def test_everything_is_flushed_before_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    fsync = seal_module._fsync

    def spy(path: Path) -> None:
        flushed.append(path.name if "tmp-" not in path.name else "ROOT")
        fsync(path)

    monkeypatch.setattr(seal_module, "_fsync", spy)
    write(tmp_path / "a")
    assert {"chunk", "sub", "zarr.json", "ROOT"} <= set(flushed[:-3])
    assert flushed[-3:] == [SEAL_NAME, "ROOT", tmp_path.name]


def test_no_seal_no_store(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(IncompleteStoreError, match=r"a: has no seal.*never finished"):
        check_sealed(tmp_path / "a")
    with pytest.raises(DataError, match="there is no folder"):
        check_sealed(tmp_path / "b")


def test_missing_file(tmp_path: Path) -> None:
    write(tmp_path / "a")
    (tmp_path / "a" / "sub" / "chunk").unlink()
    with pytest.raises(IncompleteStoreError, match=r"file sub/chunk is missing.*again"):
        check_sealed(tmp_path / "a")


def test_truncated_file(tmp_path: Path) -> None:
    write(tmp_path / "a")
    (tmp_path / "a" / "sub" / "chunk").write_bytes(b"a")
    with pytest.raises(IncompleteStoreError, match="has 1 bytes, the seal says 3") as caught:
        check_sealed(tmp_path / "a")
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)


def test_changed_metadata(tmp_path: Path) -> None:
    write(tmp_path / "a")
    (tmp_path / "a" / "zarr.json").write_bytes(b"[]")
    with pytest.raises(IncompleteStoreError, match=r"zarr\.json was changed"):
        check_sealed(tmp_path / "a")


def test_link_in_place_of_a_file(tmp_path: Path) -> None:
    write(tmp_path / "a")
    (tmp_path / "secret").write_bytes(b"abc")
    (tmp_path / "a" / "sub" / "chunk").unlink()
    (tmp_path / "a" / "sub" / "chunk").symlink_to(tmp_path / "secret")
    with pytest.raises(IncompleteStoreError, match="not a regular file"):
        check_sealed(tmp_path / "a")


def test_other_kind(tmp_path: Path) -> None:
    write(tmp_path / "a")
    with pytest.raises(DataError, match="is a zarr store, not parquet"):
        check_sealed(tmp_path / "a", kind="parquet")


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff", b"{}", b"[" * 100_000])
def test_damaged_seal(tmp_path: Path, text: bytes) -> None:
    write(tmp_path / "a")
    (tmp_path / "a" / SEAL_NAME).write_bytes(text)
    with pytest.raises(IncompleteStoreError):
        check_sealed(tmp_path / "a")


def test_changed_seal(tmp_path: Path) -> None:
    write(tmp_path / "a")
    path = tmp_path / "a" / SEAL_NAME
    body = json.loads(path.read_text())
    body["files"] = []
    path.write_text(json.dumps(body))
    with pytest.raises(IncompleteStoreError, match="wrong sha256"):
        read_seal(tmp_path / "a")


@pytest.mark.parametrize("files", [[["../x", 1]], [["/etc/passwd", 1]], [["a"]], None, [[1, "x"]]])
def test_forged_seal(tmp_path: Path, files: object) -> None:
    write(tmp_path / "a")
    path = tmp_path / "a" / SEAL_NAME
    body = json.loads(path.read_text())
    del body["sha256"]
    body["files"] = files
    body["sha256"] = seal_module.read_seal.__globals__["_hash"](body)
    path.write_text(json.dumps(body))
    with pytest.raises(IncompleteStoreError):
        check_sealed(tmp_path / "a")
