"""Small reads that walk through a file or stream from front to back, at few bytes and few calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mfxarray.errors import DataError
from mfxarray.formats.sources import FileSource

__all__ = ["ByteWindow", "file_window"]


class ByteWindow:
    """The last bytes that were fetched, so that neighbouring small reads cost one fetch.

    Parameters
    ----------
    fetch
        Gives up to ``count`` bytes from ``start``; called with ranges inside ``end`` only, and
        never again for bytes that are still in the window.
    end
        Number of bytes there are.
    ahead
        Bytes to fetch at least.
    path
        The file, for errors.
    """

    def __init__(
        self, fetch: Callable[[int, int], bytes], end: int, ahead: int, path: object
    ) -> None:
        self.end, self.path = end, path
        self._fetch, self._ahead = fetch, ahead
        self._start, self._bytes = 0, b""

    def peek(self, start: int, count: int) -> bytes:
        """Return ``count`` bytes from ``start``, fewer only where there are no more."""
        here = start - self._start
        if here > len(self._bytes) and self._ahead <= count <= self.end - start:
            # a hop of thousands: nothing of it is known, nothing is cut
            self._start, self._bytes = start, self._fetch(start, count)
            return self._bytes
        stop = min(start + count, self.end)
        if start < 0 or start >= stop:
            return b""
        if here >= 0 and stop - self._start <= len(self._bytes):
            return self._bytes[here : stop - self._start]
        known = self._bytes[here:] if here >= 0 else b""
        if len(known) < stop - start:
            place = start + len(known)
            wanted = min(max(stop - place, self._ahead), self.end - place)
            known += self._fetch(place, wanted)
            self._start, self._bytes = start, known
        return known[: stop - start]

    def take(self, start: int, count: int) -> bytes:
        """Return exactly ``count`` bytes from ``start``.

        Raises
        ------
        DataError
            If there are fewer; nothing is allocated then.
        """
        if start < 0 or start + count > self.end:
            raise DataError(
                f"ends too early: bytes {start} to {start + count} are needed, "
                f"there are {self.end}",
                path=self.path,
                place=f"offset {start}",
                hint="The file is truncated or damaged; copy or export it again.",
            )
        return self.peek(start, count)


@contextmanager
def file_window(
    source: FileSource, *, ahead: int, offset: int = 0, end: int | None = None
) -> Iterator[ByteWindow]:
    """Give a window on ``end`` bytes of a file from ``offset`` on, which is opened only once.

    Raises
    ------
    DataError
        If the file changed since it was pinned, ends early, or cannot be read.
    """
    last = source.size - offset if end is None else end
    try:
        descriptor = os.open(source.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise DataError(f"cannot be opened: {error.strerror}", path=source.path) from error
    try:
        state = os.fstat(descriptor)
        if (state.st_size, state.st_mtime_ns) != (source.size, source.mtime_ns):
            raise DataError(
                "changed on disk since it was opened", path=source.path, hint="Open it again."
            )
        if hasattr(os, "posix_fadvise"):
            # read-ahead of the system would fetch the payloads that are hopped over
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
        yield ByteWindow(_reader(descriptor, offset, source.path), last, ahead, source.path)
    finally:
        os.close(descriptor)


def _reader(descriptor: int, offset: int, path: str) -> Callable[[int, int], bytes]:
    def fetch(start: int, count: int) -> bytes:
        try:
            found = os.pread(descriptor, count, offset + start)
            while len(found) < count:
                more = os.pread(descriptor, count - len(found), offset + start + len(found))
                if not more:
                    place = f"offset {offset + start + len(found)}"
                    raise DataError("ended while it was read", path=path, place=place)
                found += more
        except OSError as error:
            place = f"offset {offset + start}"
            raise DataError(f"cannot be read: {error.strerror}", path=path, place=place) from error
        return found

    return fetch
