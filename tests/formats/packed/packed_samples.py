"""Small NanoSIMS files, packed by the programs of Python's library, which we did not write."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import mfxarray as mfx

__all__ = ["PACKERS", "in_tar", "in_zip", "plain_bytes", "saved"]


def plain_bytes(folder: Path, **settings) -> bytes:
    """Return the bytes of a small image file."""
    path = folder / "plain.im"
    mfx.simulate_mims(path, **{"frames": 2, "detectors": 2, "size": 16, "seed": 3, **settings})
    content = path.read_bytes()
    path.unlink()
    return content


def in_zip(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def in_tar(members: dict[str, bytes], mode: str = "", form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{mode}", format=form) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def saved(folder: Path, content: bytes, name: str = "run") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


_MORE = {"notes/readme.txt": b"field 1, sample 2\n" * 20, "._run.im": b"\0\5\26\7" * 100}

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "gzip, two members": lambda b: gzip.compress(b[:9999]) + gzip.compress(b[9999:]) + bytes(7),
    "bzip2": bz2.compress,
    "bzip2, two streams": lambda b: bz2.compress(b[:9999]) + bz2.compress(b[9999:]),
    "xz": lzma.compress,
    "xz, two streams": lambda b: lzma.compress(b[:9999]) + bytes(8) + lzma.compress(b[9999:]),
    "lzma": lambda b: lzma.compress(b, lzma.FORMAT_ALONE),
    "zip": lambda b: in_zip({"a/run.im": b}),
    "zip, stored": lambda b: in_zip({"run.im": b}, zipfile.ZIP_STORED),
    "zip, with others": lambda b: in_zip({**_MORE, "run.im": b}),
    "tar": lambda b: in_tar({"a/b/run.im": b}),
    "tar, old": lambda b: in_tar({**_MORE, "run.im": b}, form=tarfile.USTAR_FORMAT),
    "tar, long names": lambda b: in_tar({"d/" * 90 + "run.im": b, **_MORE}),
    "tar, GNU": lambda b: in_tar({"d/" * 90 + "run.im": b}, form=tarfile.GNU_FORMAT),
    "tar.gz": lambda b: in_tar({**_MORE, "run.im": b}, "gz"),
    "tar.bz2": lambda b: in_tar({"run.im": b, **_MORE}, "bz2"),
    "tar.xz": lambda b: in_tar({"run.im": b}, "xz"),
}
