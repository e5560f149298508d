"""What hostile files are made of, and what tells that one did what it must not."""

from __future__ import annotations

import functools
import pickle
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

__all__ = ["ABSOLUTE", "BIG", "CANARY", "SECRET", "V2", "Made", "Maker", "deflated", "npy"]
__all__ += ["npy_header", "pickled", "secret_file", "zlib_bomb"]

# path of the file, arguments to open it
Made: TypeAlias = tuple[Path, dict[str, str]]
Maker: TypeAlias = Callable[[Path], Made]
# the file that code of a hostile file would make
CANARY = "canary"
# the content of a file beside it
SECRET = "SECRET-OF-ANOTHER-FILE"
# a path that a hostile archive names
ABSOLUTE = "/tmp/mfxarray-fuzz-evil"
# more than the memory that any case may take
BIG = 300 * 2**20
_MEGABYTE = 2**20
V2 = [
    ("vld", "|b1"), ("fnl", "|b1"), ("bot", "|b1"), ("eot", "|b1"), ("sta", "|u1"), ("tim", "<f8"),
    ("tid", "<u4"), ("itr", "<i4"), ("loc", "<f8", (3,)), ("eco", "<u4"), ("cfr", "<f2"),
]  # fmt: skip


def secret_file(place: Path) -> Path:
    """Write a file whose content may not be seen through another one."""
    path = place / "secret"
    path.write_bytes(SECRET.encode() * 4096)
    return path


class _Canary:
    """A pickle of this makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (self.path, "w"))


def pickled(place: Path) -> bytes:
    """Return a pickle that makes the canary when it is loaded."""
    return pickle.dumps([_Canary(place / CANARY)] * 4)


def npy(header: str, body: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """Return a file of NumPy with any text as its header."""
    text = (header + "\n").encode()
    size = struct.pack("<H" if version[0] == 1 else "<I", len(text) & (2**16 - 1))
    return b"\x93NUMPY" + version + size + text + body


def npy_header(descr: str, shape: str, order: str = "False") -> str:
    """Return the text of a header of NumPy."""
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


@functools.cache
def deflated(begin: bytes, fill: bytes, end: bytes) -> tuple[bytes, int, int, int]:
    """Return raw deflate of much of one letter between two texts, its CRC, Adler and length.

    Only one block is packed; it is repeated, which takes no time.
    """
    block = fill * _MEGABYTE
    count = BIG // _MEGABYTE
    crc, adler = zlib.crc32(begin), zlib.adler32(begin)
    for part in (*[block] * count, end):
        crc, adler = zlib.crc32(part, crc), zlib.adler32(part, adler)
    packed = _pack(begin) + _pack(block) * count + _pack(end, zlib.Z_FINISH)
    return packed, crc, adler, len(begin) + BIG + len(end)


def _pack(text: bytes, mode: int = zlib.Z_FULL_FLUSH) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    return packer.compress(text) + packer.flush(mode)


def zlib_bomb(begin: bytes = b"") -> bytes:
    """Return a zlib stream of some bytes and 300 MB of zeros."""
    packed, _, adler, _ = deflated(begin, b"\0", b"")
    return b"\x78\x01" + packed + struct.pack(">I", adler)
