"""Packed bytes read once from front to back, in bounded memory, under a cap that bombs meet early.

References
----------
RFC 1951 (deflate), RFC 1952 (gzip); the formats of bzip2 and xz as Python's modules read them.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import Protocol

from mfxarray.errors import DataError
from mfxarray.formats.sources import FileSource

__all__ = ["KINDS", "PackedBytes"]

# how packed bytes can be read; "stored" bytes are not packed at all
KINDS = ("stored", "deflate", "gzip", "bzip2", "xz", "lzma")

_PIECE = 1024 * 1024
_PACKED_PIECE = 128 * 1024
# streams one after the other: programs that pack in blocks make one of every 64 kB or so
_MANY_STREAMS, _LEAST_STREAM = 10_000, 1024
# a real stack packs 5 to 12 times; one whose frames are nearly all empty some 100 times
_RATIO, _ALWAYS_ALLOWED = 200, 64 * 2**20
_MOST_BYTES = 2**40
# the dictionary of xz -9 is 64 MiB
_LZMA_MEMORY = 80 * 2**20
_HINT = "The file is damaged; copy or pack it again."


class _Unpacker(Protocol):
    eof: bool
    unused_data: bytes

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Return at most ``max_length`` plain bytes, from what is given and what waited."""


class _Inflator:
    """zlib's stream with the interface of those of bz2 and lzma: input that waits is kept."""

    def __init__(self, window: int) -> None:
        self._stream, self._waiting = zlib.decompressobj(window), b""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Return at most ``max_length`` plain bytes; packed ones left over wait."""
        found = self._stream.decompress(self._waiting + data, max_length)
        self._waiting = self._stream.unconsumed_tail
        return found

    @property
    def needs_input(self) -> bool:
        """Whether no packed bytes wait."""
        return not self._waiting

    @property
    def eof(self) -> bool:
        """Whether the end of the packed stream was reached."""
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        """The bytes after the end of the packed stream."""
        return self._stream.unused_data


def _unpacker(kind: str) -> _Inflator | bz2.BZ2Decompressor | lzma.LZMADecompressor:
    if kind == "gzip":
        return _Inflator(zlib.MAX_WBITS | 16)
    if kind == "deflate":
        return _Inflator(-zlib.MAX_WBITS)
    if kind == "bzip2":
        return bz2.BZ2Decompressor()
    form = lzma.FORMAT_XZ if kind == "xz" else lzma.FORMAT_ALONE
    return lzma.LZMADecompressor(form, memlimit=_LZMA_MEMORY)


class PackedBytes:
    """The unpacked bytes of a range of a file, from front to back.

    Parameters
    ----------
    source
        The pinned file.
    kind
        One of `KINDS`.
    start, stop
        Range of the packed bytes; to the end of the file if not given.
    max_bytes
        Unpacked bytes that are too many. If not given, what is 200 times the packed bytes and
        more than 64 MiB is too much.

    Attributes
    ----------
    given
        Unpacked bytes given or passed over so far.

    Notes
    -----
    Holds a few MiB, with xz up to 80 MiB more for its dictionary. Several streams one after the
    other count as one, as all these programs write them; checksums are checked at their ends.
    """

    def __init__(
        self,
        source: FileSource,
        kind: str,
        start: int = 0,
        stop: int | None = None,
        max_bytes: int | None = None,
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {KINDS}, not {kind!r}")
        self.given = 0
        self._source, self._kind, self._max_bytes = source, kind, max_bytes
        self._start, self._next = start, start
        self._stop = source.size if stop is None else stop
        self._unpacker = None if kind == "stored" else _unpacker(kind)
        self._ready = b""
        self._streams = 1

    @property
    def share(self) -> float:
        """How much of the packed bytes is read, 0 to 1."""
        return (self._next - self._start) / max(self._stop - self._start, 1)

    def read(self, count: int) -> bytes:
        """Return ``count`` bytes, fewer only at the end.

        Raises
        ------
        DataError
            If the bytes are damaged, end too early, or unpack to more than is allowed.
        """
        parts, missing = [], count
        while missing > 0:
            piece = self._some(missing)
            if not piece:
                break
            parts.append(piece)
            missing -= len(piece)
            self.given += len(piece)
            self._check_amount()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def skip(self, count: int) -> int:
        """Pass over ``count`` bytes; return how many there were."""
        done = 0
        if self._kind == "stored":
            done = max(min(count, self._stop - self._next), 0)
            self._next += done
            self.given += done
            return done
        while done < count:
            piece = len(self.read(min(_PIECE, count - done)))
            if not piece:
                break
            done += piece
        return done

    def _some(self, most: int) -> bytes:
        """Return some bytes, at least one unless at the end."""
        if self._unpacker is None:
            return self._packed(min(most, _PIECE))
        while True:
            if self._unpacker.eof and not self._next_stream():
                return b""
            data = self._ready
            if not data and getattr(self._unpacker, "needs_input", True):
                data = self._packed(_PACKED_PIECE)
            self._ready = b""
            found = self._unpack(data, min(most, _PIECE))
            if found:
                return found
            if not data and not self._unpacker.eof and self._next >= self._stop:
                raise self._fault("ends too early: its packed data are not complete")

    def _unpack(self, data: bytes, most: int) -> bytes:
        unpacker: _Unpacker = self._unpacker  # type: ignore[assignment]
        try:
            return unpacker.decompress(data, most)
        except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
            raise self._fault(f"cannot be unpacked: {error}") from error

    def _next_stream(self) -> bool:
        """Go on with the stream that follows; False at the end."""
        unpacker: _Unpacker = self._unpacker  # type: ignore[assignment]
        rest = unpacker.unused_data
        while not rest.strip(b"\0"):  # programs fill up with zeros
            rest = self._packed(_PACKED_PIECE)
            if not rest:
                return False
        if self._kind in ("deflate", "lzma"):
            raise self._fault("has bytes after the end of its packed data")
        self._streams += 1
        if self._streams > _MANY_STREAMS + (self._next - self._start) // _LEAST_STREAM:
            raise self._fault(f"consists of more than {self._streams - 1} tiny streams")
        self._ready = rest.lstrip(b"\0")
        self._unpacker = _unpacker(self._kind)
        return True

    def _packed(self, most: int) -> bytes:
        count = min(most, self._stop - self._next)
        if count <= 0:
            return b""
        found = self._source.read(self._next, count)
        self._next += count
        return found

    def _check_amount(self) -> None:
        read = self._next - self._start
        if self._max_bytes is not None:
            limit, told = self._max_bytes, "more than was allowed"
        elif self._kind == "stored":
            return
        else:
            limit = min(_ALWAYS_ALLOWED + _RATIO * read, _MOST_BYTES)
            told = f"more than {_RATIO} times as much"
        if self.given > limit:
            raise DataError(
                f"{read} packed bytes unpack to {self.given} bytes and more, {told}",
                path=self._source.path,
                hint="Give max_bytes to allow it, if you know where the file comes from.",
            )

    def _fault(self, message: str) -> DataError:
        place = f"offset {self._next}"
        return DataError(message, path=self._source.path, place=place, hint=_HINT)
