"""Deflated variables of MAT files, inflated from front to back in bounded memory."""

from __future__ import annotations

import zlib

from mfxarray.errors import DataError
from mfxarray.formats.sources import FileSource

__all__ = ["InflateCursor"]

_INPUT_BYTES = 128 * 1024
_OUTPUT_BYTES = 1024 * 1024
_HINT = "The file is damaged; copy or export it again."


class InflateCursor:
    """A place in an inflated variable that only moves forwards.

    Parameters
    ----------
    source
        The file.
    offset, n_bytes
        Where the deflated bytes lie.
    cap
        Inflated bytes beyond which the variable is refused.
    """

    def __init__(self, source: FileSource, offset: int, n_bytes: int, cap: int) -> None:
        self._source, self._next, self._end = source, offset, offset + n_bytes
        self._begin, self._cap = offset, cap
        self._inflater = zlib.decompressobj()
        self._ready = memoryview(b"")
        self.position = 0

    @property
    def consumed(self) -> int:
        """Deflated bytes taken from the file so far."""
        return self._next - self._begin

    def take(self, count: int) -> bytes:
        """Return the next bytes; see `read_into` for the errors."""
        # what is asked for may be a lie, so nothing of its size is made before it is there
        if count > self._cap - self.position:
            raise self._bad(f"inflates to more than {self._cap} bytes, which is not believable")
        buffer = bytearray(count)
        self.read_into(memoryview(buffer))
        return bytes(buffer)

    def read_into(self, buffer: memoryview) -> None:
        """Fill ``buffer`` with the next bytes.

        Raises
        ------
        DataError
            If the variable ends early, is damaged, or inflates beyond the cap.
        """
        done = 0
        while done < len(buffer):
            ready = self._more()
            count = min(len(ready), len(buffer) - done)
            buffer[done : done + count] = ready[:count]
            self._drop(count)
            done += count

    def skip(self, count: int) -> None:
        """Inflate and forget; see `read_into` for the errors."""
        while count:
            step = min(len(self._more()), count)
            self._drop(step)
            count -= step

    def finish(self) -> None:
        """Raise DataError unless the variable ends here and its checksum fits."""
        if len(self._ready) or len(self._inflate()):
            raise self._bad("inflates to more than it claims")
        if self._inflater.unused_data or self._next < self._end:
            raise self._bad("bytes follow the end of a deflated variable")

    def _drop(self, count: int) -> None:
        self._ready = self._ready[count:]
        self.position += count
        if self.position > self._cap:
            raise self._bad(f"inflates to more than {self._cap} bytes, which is not believable")

    def _more(self) -> memoryview:
        if not len(self._ready):
            self._ready = memoryview(self._inflate())
            if not len(self._ready):
                raise self._bad(f"a deflated variable ends after {self.position} bytes")
        return self._ready

    def _inflate(self) -> bytes:
        """Return the next inflated bytes; none at the end."""
        while not self._inflater.eof:
            raw = self._inflater.unconsumed_tail
            if not raw and self._next < self._end:
                count = min(_INPUT_BYTES, self._end - self._next)
                raw = self._source.read(self._next, count)
                self._next += count
            try:
                found = self._inflater.decompress(raw, _OUTPUT_BYTES)
            except zlib.error as error:
                raise self._bad(f"a deflated variable is damaged: {error}") from error
            if found:
                return found
            if not raw and not self._inflater.eof:
                raise self._bad(f"a deflated variable is cut after {self.position} bytes")
        return b""

    def _bad(self, message: str) -> DataError:
        place = f"offset {self._begin}"
        return DataError(message, path=self._source.path, place=place, hint=_HINT)
