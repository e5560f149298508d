"""Bytes of a file as a small frozen object that can travel to any worker.

A source is opened once, remembers size and modification time, and reads ranges by offset with
``pread``. It never maps memory: mapped pages count as memory of the process and trip the limits of
dask workers. A file that changed after it was opened is refused, so no result mixes two states.
"""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from mfxarray.errors import DataError

__all__ = ["FileSource", "RecordSource", "StackSource"]

_FINGERPRINT_BYTES = 64 * 1024


@dataclass(frozen=True)
class FileSource:
    """A file on disk, pinned to the state in which it was first seen.

    Attributes
    ----------
    path
        Absolute path.
    size
        Bytes.
    mtime_ns
        Modification time, nanoseconds since the epoch.
    """

    path: str
    size: int
    mtime_ns: int

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> FileSource:
        """Pin a file.

        Raises
        ------
        DataError
            If there is no readable regular file at ``path``, or it is empty.
        """
        name = os.path.abspath(os.fspath(path))
        try:
            state = os.stat(name)
        except OSError as error:
            raise DataError(f"cannot be opened: {error.strerror}", path=name) from error
        if not os.path.isfile(name):
            raise DataError("is not a file", path=name, hint="Give the path of a data file.")
        if state.st_size == 0:
            raise DataError("is empty (0 bytes)", path=name, hint="Copy or export it again.")
        return cls(name, state.st_size, state.st_mtime_ns)

    def read_into(self, buffer: memoryview, offset: int) -> None:
        """Fill ``buffer`` with the bytes that start at ``offset``.

        Raises
        ------
        DataError
            If the file changed since it was opened, ends early, or cannot be read.
        """
        try:
            descriptor = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except OSError as error:
            raise DataError(f"cannot be opened: {error.strerror}", path=self.path) from error
        try:
            self._check_unchanged(descriptor)
            _pread_all(descriptor, buffer, offset, self.path)
        finally:
            os.close(descriptor)

    def read(self, offset: int, count: int) -> bytes:
        """Return ``count`` bytes from ``offset``; see `read_into` for the errors."""
        self.require(offset, count)
        buffer = bytearray(count)
        self.read_into(memoryview(buffer), offset)
        return bytes(buffer)

    def require(self, offset: int, count: int) -> None:
        """Raise DataError unless the file holds ``count`` bytes from ``offset``."""
        if offset < 0 or count < 0 or offset + count > self.size:
            raise DataError(
                f"ends too early: bytes {offset} to {offset + count} are needed, "
                f"the file has {self.size}",
                path=self.path,
                place=f"offset {offset}",
                hint="The file is truncated or its header is damaged; copy or export it again.",
            )

    def fingerprint(self) -> str:
        """Return a hash of size, first and last 64 kB: the same wherever the file lies.

        Raises
        ------
        DataError
            If the file changed since it was opened, or cannot be read.

        Notes
        -----
        Reads 128 kB the first time; later calls only look whether the file is still the same.
        """
        self.read(0, 0)
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        count = min(self.size, _FINGERPRINT_BYTES)
        ends = self.read(0, count) + self.read(self.size - count, count)
        return hashlib.sha256(str(self.size).encode() + ends).hexdigest()

    def describe(self) -> dict[str, Any]:
        """Return the identity that provenance keeps: name, bytes, fingerprint."""
        return {
            "name": os.path.basename(self.path),
            "bytes": self.size,
            "fingerprint": self.fingerprint(),
        }

    def _check_unchanged(self, descriptor: int) -> None:
        state = os.fstat(descriptor)
        if (state.st_size, state.st_mtime_ns) != (self.size, self.mtime_ns):
            raise DataError(
                f"changed on disk since it was opened: {self.size} bytes then, "
                f"{state.st_size} now, modification time {self.mtime_ns} then, "
                f"{state.st_mtime_ns} now",
                path=self.path,
                hint="Open it again.",
            )


def _pread_all(descriptor: int, buffer: memoryview, offset: int, path: str) -> None:
    done = 0
    flat = buffer.cast("B")
    while done < len(flat):
        try:
            count = os.preadv(descriptor, [flat[done:]], offset + done)
        except OSError as error:
            place = f"offset {offset + done}"
            raise DataError(f"cannot be read: {error.strerror}", path=path, place=place) from error
        if count == 0:
            raise DataError("ended while it was read", path=path, place=f"offset {offset + done}")
        done += count


@dataclass(frozen=True)
class RecordSource:
    """A table of equal records that lie one after the other in a file.

    Attributes
    ----------
    file
        The pinned file.
    offset
        Byte of the first record.
    dtype
        Structured dtype of one record, as stored.
    n_rows
        Number of records.
    """

    file: FileSource
    offset: int
    dtype: np.dtype[Any]
    n_rows: int
    # any record can be read for itself, but a read takes all its fields; see `tables.Table`
    grain: ClassVar[int] = 1
    columnar: ClassVar[bool] = False

    def identity(self) -> str:
        """Return path, size, time and layout as text."""
        return repr(self)

    def column(self, path: tuple[str, ...], start: int, stop: int) -> np.ndarray[Any, Any]:
        """Return one field of records ``start`` to ``stop``, as stored."""
        found = self.read(start, stop)
        for name in path:
            found = found[name]
        return found

    def read(self, start: int, stop: int) -> np.ndarray[Any, Any]:
        """Return records ``start`` to ``stop`` (exclusive), shape (stop - start,), in one read."""
        rows = np.empty(stop - start, self.dtype)
        if rows.size:
            place = self.offset + start * self.dtype.itemsize
            self.file.read_into(rows.view(np.uint8).data, place)
        return rows


@dataclass(frozen=True)
class StackSource:
    """Frames of pixels that lie one after the other in a file.

    Attributes
    ----------
    file
        The pinned file.
    offset
        Byte of the first pixel.
    dtype
        Pixel type as stored, with its byte order.
    frame_shape
        (detector, y, x).
    n_frames
        Number of frames.
    roll
        Pixels (dy, dx) by which every image is rolled on reading.
    missing_bytes
        Bytes of whole pixels at the end of the last frame that the file does not hold; these
        pixels read as 0.
    """

    file: FileSource
    offset: int
    dtype: np.dtype[Any]
    frame_shape: tuple[int, int, int]
    n_frames: int
    roll: tuple[int, int] = (0, 0)
    missing_bytes: int = 0

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame."""
        return math.prod(self.frame_shape) * self.dtype.itemsize

    def read(
        self, start: int, stop: int, detectors: tuple[int, ...] | None = None
    ) -> np.ndarray[Any, Any]:
        """Return frames ``start`` to ``stop`` in native byte order, shape (n, detector, y, x).

        Parameters
        ----------
        start, stop
            First frame, and one past the last.
        detectors
            Numbers of the detectors to read; all, in one read, if not given.
        """
        n_detectors, height, width = self.frame_shape
        image = height * width * self.dtype.itemsize
        chosen = n_detectors if detectors is None else len(detectors)
        frames = np.empty((stop - start, chosen, height, width), self.dtype)
        if frames.size and detectors is None:
            self._fill(frames, self.offset + start * n_detectors * image)
        elif frames.size:
            for index, number in np.ndindex(frames.shape[:2]):
                plane = (start + index) * n_detectors + (detectors or ())[number]
                self._fill(frames[index, number], self.offset + plane * image)
        if not frames.dtype.isnative:
            frames = frames.byteswap(inplace=True).view(frames.dtype.newbyteorder("="))
        return frames if self.roll == (0, 0) else np.roll(frames, self.roll, axis=(2, 3))

    def _fill(self, pixels: np.ndarray[Any, Any], place: int) -> None:
        flat = pixels.reshape(-1).view(np.uint8)
        end = self.offset + self.n_frames * self.frame_bytes - self.missing_bytes
        count = min(max(end - place, 0), flat.size)
        flat[count:] = 0
        if count:
            self.file.read_into(flat[:count].data, place)
