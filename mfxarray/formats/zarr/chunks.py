"""Chunks of Zarr format 2 unpacked whole or in part, never beyond the size they must have.

References
----------
C-Blosc 1 chunk format: 16 bytes of header (version, compressor version, flags, type size, then
uncompressed bytes, block bytes and compressed bytes as u32), the start of every block as u32, then
the blocks, in the order in which the threads that packed them happened to finish.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.keys import KeyStore

__all__ = ["read_chunk"]

Bytes = np.ndarray[Any, np.dtype[np.uint8]]

_HEADER = struct.Struct("<BBBBIII")
_BLOSC_VERSION = 2
_COPIED = 2
_INNER = {0: "blosclz", 1: "lz4", 3: "zlib", 4: "zstd"}
# a chunk below this is unpacked whole: one read, and blosc splits it among its threads
_WHOLE_BYTES = 2**18
_HEAD_BYTES = 2**14
_PIECE_BYTES = 2**20
_HINT = "The chunk is damaged; copy or export the data again."


def read_chunk(
    keys: KeyStore, key: str, codec: str | None, size: int, start: int, out: Bytes
) -> None:
    """Fill ``out`` with bytes of a chunk, from ``start`` on.

    Parameters
    ----------
    keys, key
        Where the chunk is stored.
    codec
        "blosc", "zlib", "gzip" or None.
    size
        Bytes that the whole chunk must unpack to.
    start
        First byte wanted.
    out
        Contiguous bytes; its length is how many are wanted.

    Raises
    ------
    DataError
        If the chunk does not unpack to exactly ``size`` bytes, as far as it has to be looked at.

    Notes
    -----
    The whole chunk is unpacked straight into ``out``. A part of a large blosc chunk costs reading
    and unpacking only the blocks of some 100 kB that hold it.
    """
    stored = _stored(keys, key, codec, size)
    if codec is None:
        raw = keys.read(key, start, start + out.nbytes)
        out[:] = np.frombuffer(raw, np.uint8)
    elif codec == "blosc":
        _blosc(_Chunk(keys, key, stored, size), start, out)
    else:
        _inflate(_Chunk(keys, key, stored, size), codec, start, out)


@dataclass(frozen=True)
class _Chunk:
    keys: KeyStore
    key: str
    stored: int
    size: int

    def bad(self, message: str) -> DataError:
        """Return the error to raise, with the key of the chunk as its place."""
        path = self.keys.source.path
        return DataError(message, path=path, place=f"chunk {self.key}", hint=_HINT)


def _stored(keys: KeyStore, key: str, codec: str | None, size: int) -> int:
    """Return the stored bytes, which no packing makes much longer than the plain ones."""
    chunk = _Chunk(keys, key, 0, size)
    stored = keys.size(key)
    if stored is None:
        raise chunk.bad("is missing")
    if codec is None and stored != size:
        raise chunk.bad(f"holds {stored} bytes, {size} are needed")
    if stored > size + size // 100 + 1024:
        raise chunk.bad(f"holds {stored} packed bytes for {size} plain ones")
    return stored


def _blosc(chunk: _Chunk, start: int, out: Bytes) -> None:
    whole = start == 0 and out.nbytes == chunk.size
    if whole or chunk.size <= _WHOLE_BYTES:
        packed = chunk.keys.read(chunk.key)
        _check_header(chunk, packed)
        if whole:
            _decode(chunk, packed, out)
            return
        plain = np.empty(chunk.size, np.uint8)
        _decode(chunk, packed, plain)
        out[:] = plain[start : start + out.nbytes]
        return
    _blosc_part(chunk, start, out)


def _check_header(chunk: _Chunk, packed: bytes) -> tuple[int, bool]:
    """Return the bytes of a block and whether blocks are plain copies."""
    if len(packed) < _HEADER.size:
        raise chunk.bad(f"is cut off: {chunk.stored} bytes are no blosc chunk")
    version, _, flags, typesize, plain, block, stored = _HEADER.unpack_from(packed)
    if version != _BLOSC_VERSION or flags >> 5 not in _INNER:
        raise chunk.bad(f"is no blosc chunk that is read: version {version}, flags {flags:#x}")
    if plain != chunk.size:
        raise chunk.bad(f"unpacks to {plain} bytes, {chunk.size} are needed")
    if stored != chunk.stored:
        raise chunk.bad(f"promises {stored} packed bytes, {chunk.stored} are stored")
    if not 0 < block <= plain or not typesize:
        raise chunk.bad(f"has blocks of {block} bytes of type size {typesize}")
    copied = bool(flags & _COPIED)
    table = 0 if copied else 4 * -(-plain // block)
    if _HEADER.size + table + (plain if copied else 0) > stored:
        raise chunk.bad(f"holds {stored} bytes, too few for {plain} in blocks of {block}")
    return block, copied


def _decode(chunk: _Chunk, packed: bytes, out: Bytes) -> None:
    # takes longer to import than a file to open whose chunks need not be read
    from numcodecs import Blosc

    try:
        Blosc().decode(packed, out=out)
    except (RuntimeError, ValueError) as error:
        raise chunk.bad(f"cannot be unpacked: {error}") from error


def _blosc_part(chunk: _Chunk, start: int, out: Bytes) -> None:
    """Unpack the blocks that hold the part, as a chunk of their own."""
    head = chunk.keys.read(chunk.key, 0, min(_HEAD_BYTES, chunk.stored))
    block, copied = _check_header(chunk, head)
    if copied:
        place = _HEADER.size + start
        raw = chunk.keys.read(chunk.key, place, place + out.nbytes)
        out[:] = np.frombuffer(raw, np.uint8)
        return
    n_blocks = -(-chunk.size // block)
    first, last = start // block, -(-(start + out.nbytes) // block)
    if last == n_blocks and last - first == 1:
        first = max(first - 1, 0)  # blosc refuses a chunk shorter than its blocks
    starts = _block_starts(chunk, head, n_blocks)
    packed = _reframed(chunk, head, starts, first, last)
    plain = np.empty(min(last * block, chunk.size) - first * block, np.uint8)
    _decode(chunk, packed, plain)
    begin = start - first * block
    out[:] = plain[begin : begin + out.nbytes]


def _block_starts(chunk: _Chunk, head: bytes, n_blocks: int) -> np.ndarray[Any, Any]:
    end = _HEADER.size + 4 * n_blocks
    table = head if end <= len(head) else chunk.keys.read(chunk.key, 0, end)
    starts = np.frombuffer(table, "<u4", n_blocks, _HEADER.size).astype(np.int64)
    if starts.min() < end or starts.max() >= chunk.stored:
        raise chunk.bad("has blocks outside of its bytes")
    return starts


def _reframed(
    chunk: _Chunk, head: bytes, starts: np.ndarray[Any, Any], first: int, last: int
) -> bytes:
    """Return blocks ``first`` to ``last`` under a header of their own."""
    ends = np.append(np.sort(starts), chunk.stored)
    stops = ends[np.searchsorted(ends, starts[first:last], side="right")]
    low, high = int(starts[first:last].min()), int(stops.max())
    parts = chunk.keys.read(chunk.key, low, high)
    version, inner, flags, typesize, plain, block, _ = _HEADER.unpack_from(head)
    moved = _HEADER.size + 4 * (last - first) - low
    size = min(last * block, plain) - first * block
    total = high + moved
    header = _HEADER.pack(version, inner, flags, typesize, size, block, total)
    return header + (starts[first:last] + moved).astype("<u4").tobytes() + parts


def _inflate(chunk: _Chunk, codec: str, start: int, out: Bytes) -> None:
    """Inflate in pieces, keep the part, and go on to the end to see that the size is right."""
    machine = zlib.decompressobj(zlib.MAX_WBITS + (16 if codec == "gzip" else 0))
    packed, done, stop = chunk.keys.read(chunk.key), 0, start + out.nbytes
    try:
        while not machine.eof:
            piece = machine.decompress(packed, _PIECE_BYTES)
            packed = machine.unconsumed_tail
            if not piece and not packed and not machine.eof:
                raise chunk.bad(f"is cut off after {done} of {chunk.size} bytes")
            low, high = max(start, done), min(stop, done + len(piece))
            if low < high:
                view = np.frombuffer(piece, np.uint8)
                out[low - start : high - start] = view[low - done : high - done]
            done += len(piece)
            if done > chunk.size:
                break
    except zlib.error as error:
        raise chunk.bad(f"cannot be inflated: {error}") from error
    if done != chunk.size:
        more = "more than " if done > chunk.size else ""
        raise chunk.bad(f"unpacks to {more}{min(done, chunk.size)} bytes, {chunk.size} are needed")
