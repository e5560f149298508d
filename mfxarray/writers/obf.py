"""OBF files of byte streams, as the vendor's library writes them."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from mfxarray.formats.msr.obf_layout import (
    FILE_HEAD,
    FILE_MAGIC,
    FOOTER,
    MAX_RANK,
    STACK_HEAD,
    STACK_MAGIC,
)

__all__ = ["ByteStack", "write_obf"]

_FILE_VERSION, _STACK_VERSION = 2, 7
_FOOTER_BYTES = 1528
_RANK = 4
_UINT8 = 1
_LEVEL = 1
_FLUSH_BLOCK = 64 * 1024
_ZEROS = bytes(1024 * 1024)
# a pure number: nine exponents 0/1 and the factor 1
_UNIT = struct.pack("<18id", *(0, 1) * 9, 1.0)
_SI_OFFSET = 128
_OME = "http://www.openmicroscopy.org/Schemas/OME/2016-06"


@dataclass(frozen=True)
class ByteStack:
    """A stream of bytes that becomes a square stack of type u8.

    Attributes
    ----------
    pieces
        The bytes, in pieces; taken once.
    tags
        Tags of the stack.
    """

    pieces: Iterable[bytes] = field(repr=False)
    tags: dict[str, bytes] = field(default_factory=dict)


def write_obf(file: BinaryIO, stacks: Sequence[ByteStack], *, compress: bool = False) -> None:
    """Write an OBF file of version 2 with stacks of version 7 into an empty seekable file.

    Parameters
    ----------
    file
        The file.
    stacks
        Streams; every one is padded with zeros to a square of (side, side, 1, 1) samples that
        holds at least 8 bytes more than the stream.
    compress
        Pack every stack into a zlib stream with a full flush every 64 kB of data, so that it
        can still be read from anywhere.

    Notes
    -----
    One piece is in memory at a time. Lengths are patched in when they are known.
    """
    file.write(bytes(FILE_HEAD.size + 8))
    sides, last = [], 0
    first = file.tell()
    for stack in stacks:
        begin = file.tell()
        if last:
            _patch(file, last + STACK_HEAD.size - 8, begin)
        sides.append(_write_stack(file, stack, compress))
        last = begin
    place = file.tell()
    file.write(_tag_dictionary({"ome_xml": _ome_xml(sides)}))
    file.seek(0)
    file.write(FILE_HEAD.pack(FILE_MAGIC, _FILE_VERSION, first if stacks else 0, 0))
    file.write(place.to_bytes(8, "little"))
    file.seek(0, 2)


class _Plain:
    """Data written as they are."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.count = file, 0
        self.flush_points: list[int] = []

    def write(self, piece: bytes | memoryview) -> None:
        """Write bytes as they are."""
        self.file.write(piece)
        self.count += len(piece)

    def finish(self) -> None:
        """Do nothing: plain bytes have no end mark."""


class _Zlib(_Plain):
    """Data written as a zlib stream; after every block one can begin to inflate."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self._begin = file.tell()
        self._machine = zlib.compressobj(_LEVEL)

    def write(self, piece: bytes | memoryview) -> None:
        """Pack bytes; after every block a flush point lets a reader begin there."""
        view = memoryview(piece)
        while len(view):
            room = _FLUSH_BLOCK - self.count % _FLUSH_BLOCK
            part, view = view[:room], view[room:]
            self.file.write(self._machine.compress(part))
            self.count += len(part)
            if self.count % _FLUSH_BLOCK == 0:
                self._flush()

    def finish(self) -> None:
        """Write what is still in the packer, and its end mark."""
        # the vendor also marks the end of the last block
        if self.count % _FLUSH_BLOCK:
            self._flush()
        self.file.write(self._machine.flush(zlib.Z_FINISH))

    def _flush(self) -> None:
        self.file.write(self._machine.flush(zlib.Z_FULL_FLUSH))
        self.flush_points.append(self.file.tell() - self._begin)


def _write_stack(file: BinaryIO, stack: ByteStack, compress: bool) -> int:
    """Write a stack; return the side of its square."""
    begin = file.tell()
    file.write(bytes(STACK_HEAD.size))
    sink = _Zlib(file) if compress else _Plain(file)
    for piece in stack.pieces:
        sink.write(piece)
    side = math.isqrt(sink.count + 8) + 1
    for zeros in _padding(side * side - sink.count):
        sink.write(zeros)
    sink.finish()
    end = file.tell()
    _write_footer(file, side, sink.flush_points, _tag_dictionary(stack.tags))
    after = file.tell()
    file.seek(begin)
    file.write(_head(side, int(compress), end - begin - STACK_HEAD.size))
    file.seek(after)
    return side


def _padding(count: int) -> Iterator[memoryview]:
    zeros = memoryview(_ZEROS)
    while count:
        piece = zeros[: min(count, len(zeros))]
        count -= len(piece)
        yield piece


def _head(side: int, compression: int, stored: int) -> bytes:
    shape = (side, side, 1, 1)
    rest = (0,) * (MAX_RANK - _RANK)
    numbers = (_STACK_VERSION, _RANK, *shape, *rest, *shape, *rest, *(-0.5,) * _RANK, *rest)
    # the vendor writes 1 into the field that is out of use
    last = (_UINT8, compression, _LEVEL, 0, 0, 1, stored, 0)
    return STACK_HEAD.pack(STACK_MAGIC, *numbers, *last)


def _write_footer(file: BinaryIO, side: int, flush_points: list[int], tags: bytes) -> None:
    labels = bytes(4 * _RANK)
    flush = struct.pack(f"<{len(flush_points)}Q", *flush_points)
    end = file.tell() + _FOOTER_BYTES + len(labels) + len(flush) + len(tags)
    none = (0,) * MAX_RANK
    block = _FLUSH_BLOCK if flush_points else side * side
    flags = (*none, *none, 0, len(flush_points), block)
    numbers = (*flags, len(tags), end, 0, end, side * side, 0)
    footer = bytearray(FOOTER.pack(_FOOTER_BYTES, *numbers).ljust(_FOOTER_BYTES, b"\0"))
    footer[_SI_OFFSET : _SI_OFFSET + len(_UNIT) * (MAX_RANK + 1)] = _UNIT * (MAX_RANK + 1)
    file.write(bytes(footer) + labels + flush + tags)


def _patch(file: BinaryIO, place: int, number: int) -> None:
    here = file.tell()
    file.seek(place)
    file.write(number.to_bytes(8, "little"))
    file.seek(here)


def _tag_dictionary(tags: dict[str, bytes]) -> bytes:
    parts = []
    for name, value in tags.items():
        key = name.encode("utf-8")
        parts += [len(key).to_bytes(4, "little"), key, len(value).to_bytes(4, "little"), value]
    return b"".join(parts) + bytes(4)


def _ome_xml(sides: Sequence[int]) -> bytes:
    """Return the OME-XML of the images, without which the vendor's library refuses a file."""
    images = "".join(
        f'<Image ID="Image:{number}"><Pixels ID="Pixels:{number}" BigEndian="false" '
        f'DimensionOrder="XYZTC" Type="uint8" SizeX="{side}" SizeY="{side}" SizeZ="1" '
        f'SizeC="1" SizeT="1"><MetadataOnly/></Pixels></Image>'
        for number, side in enumerate(sides, 1)
    )
    return f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="{_OME}">{images}</OME>'.encode()
