"""Tar archives as tarfile reads them; damaged ones are refused, whatever they claim."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from mfxarray.errors import DataError
from mfxarray.formats.packed.streams import PackedBytes
from mfxarray.formats.packed.tar import is_tar_header, tar_members
from mfxarray.formats.sources import FileSource
from tests.formats.packed.packed_samples import in_tar, saved


def members(path: Path, read: int = 10**6) -> list[tuple[str, bytes]]:
    stream = PackedBytes(FileSource.open(path), "stored")
    return [(one.name, stream.read(min(one.size, read))) for one in tar_members(stream, str(path))]


CONTENT = {"a.txt": b"abc", "ä ö/ü.im": bytes(513), "e/" * 120 + "x": b"z" * 1024, "empty": b""}


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_as_tarfile_reads_it(tmp_path: Path, form: int) -> None:
    path = saved(tmp_path, in_tar(CONTENT, form=form))
    assert members(path) == list(CONTENT.items())
    # what is not read is passed over
    assert members(path, read=1) == [(name, value[:1]) for name, value in CONTENT.items()]


def test_folders_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "one.im").write_bytes(b"x" * 700)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(tmp_path / "in", "in")
    assert members(saved(tmp_path, buffer.getvalue())) == [("in/deep/one.im", b"x" * 700)]


def test_header_or_not() -> None:
    block = in_tar({"a": b"b"})[:512]
    assert is_tar_header(block)
    assert not is_tar_header(block[:511])
    assert not is_tar_header(bytes(512))
    for place in (0, 107, 130, 200, 400):
        assert not is_tar_header(block[:place] + b"!" + block[place + 1 :])


def patched(content: bytes, place: slice, value: bytes) -> bytes:
    """Return an archive whose first header is changed and has a right checksum again."""
    block = bytearray(content[:512])
    block[place] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + content[512:]


@pytest.mark.parametrize(
    "size",
    [b"77777777777\0", b"-0000000003\0", b"0x000000010\0", b"\xff" * 12, b"\x80" + b"\x7f" * 11],
)
def test_sizes_that_lie(tmp_path: Path, size: bytes) -> None:
    path = saved(tmp_path, patched(in_tar({"a": b"b" * 5000}), slice(124, 136), size))
    with pytest.raises(DataError, match=r"valid size|too early"):
        members(path)


@pytest.mark.parametrize("kind", [b"x", b"L", b"g", b"K"])
def test_extra_headers_that_lie(tmp_path: Path, kind: bytes) -> None:
    big = patched(in_tar({"a": b"b"}), slice(124, 136), b"77777777777\0")
    with pytest.raises(DataError, match="attributes"):
        members(saved(tmp_path, patched(big, slice(156, 157), kind)))
    short = patched(in_tar({"a": b"b"})[:700], slice(156, 157), kind)
    with pytest.raises(DataError, match="too early"):
        members(saved(tmp_path, short))


@pytest.mark.parametrize("text", [b"9999 path=x\n", b"3 path=x\n", b"x path=x\n", b"11 size=-1\n"])
def test_attributes_that_lie(tmp_path: Path, text: bytes) -> None:
    content = patched(in_tar({"a": text}), slice(156, 157), b"x")
    whole = content[:1024] + in_tar({"b": b"c"})
    with pytest.raises(DataError, match=r"attributes|valid size"):
        members(saved(tmp_path, whole))


def test_sparse_and_unknown_members(tmp_path: Path) -> None:
    for kind in (b"S", b"M", b"V", b"Z"):
        content = patched(in_tar({"a": b"b"}), slice(156, 157), kind)
        with pytest.raises(DataError, match="type"):
            members(saved(tmp_path, content))
    text = b"22 GNU.sparse.major=1\n"
    content = patched(in_tar({"a": text}), slice(156, 157), b"x")[:1024] + in_tar({"b": b"c"})
    with pytest.raises(DataError, match="sparse"):
        members(saved(tmp_path, content))


def test_a_file_that_is_there_twice(tmp_path: Path) -> None:
    first = in_tar({"a": b"b"})[:1024]
    with pytest.raises(DataError, match="twice"):
        members(saved(tmp_path, first + in_tar({"a": b"c"})))
