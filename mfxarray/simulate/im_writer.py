"""Valid ``.im`` files of all known layout versions, written frame by frame."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable
from contextlib import suppress
from io import FileIO
from typing import Any

import numpy as np

from mfxarray.simulate.im_header import ImHeader, header_bytes

__all__ = ["ImHeader", "header_bytes", "write_im"]


def write_im(
    path: str | os.PathLike[str],
    frames: Iterable[np.ndarray[Any, Any]],
    header: ImHeader,
    *,
    roll: tuple[int, int] = (0, 0),
    cut_bytes: int = 0,
    exact: bool = True,
) -> None:
    """Write an ``.im`` file; the target appears only when it is complete.

    Parameters
    ----------
    path
        Target, replaced if it exists.
    frames
        ``header.frames`` arrays of counts, shape (detector, y, x).
    header
        What the header says.
    roll
        Edge glitch (dy, dx) to imitate: opened with this roll, the images are as given.
    cut_bytes
        Bytes to leave off at the end, as an interrupted run or copy does.
    exact
        Whether there must be as many frames as the header says.

    Raises
    ------
    ValueError
        If the number of frames, a shape or a count does not fit the header, or more is to be left
        off than there is.

    Notes
    -----
    Holds one frame at a time.
    """
    target = os.path.abspath(os.fspath(path))
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "xb", buffering=0) as file:
            _write_all(file, np.frombuffer(header_bytes(header), np.uint8))
            count = _write_frames(file, frames, header, roll)
            if exact and count != header.frames:
                raise ValueError(f"{count} frames were given, the header says {header.frames}")
            if not 0 <= cut_bytes <= file.tell():
                raise ValueError(f"cut_bytes must be 0 to {file.tell()}, not {cut_bytes}")
            file.truncate(file.tell() - cut_bytes)
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)


def _write_frames(
    file: FileIO,
    frames: Iterable[np.ndarray[Any, Any]],
    header: ImHeader,
    roll: tuple[int, int],
) -> int:
    """Write frames and return how many there were."""
    count, limit = 0, np.iinfo(header.dtype).max
    for count, frame in enumerate(frames, start=1):
        if frame.shape != header.frame_shape:
            raise ValueError(f"frame {count - 1} is {frame.shape}, expected {header.frame_shape}")
        if frame.dtype.kind not in "iu":
            raise ValueError(f"frame {count - 1} is {frame.dtype}, counts must be integers")
        fits = np.can_cast(frame.dtype, header.dtype, "safe")
        if not fits and frame.size and not 0 <= frame.min() <= frame.max() <= limit:
            raise ValueError(f"frame {count - 1} has counts outside 0 to {limit}")
        stored = np.roll(frame, (-roll[0], -roll[1]), axis=(1, 2)) if roll != (0, 0) else frame
        _write_all(file, np.ascontiguousarray(stored, header.dtype))
    return count


def _write_all(file: FileIO, frame: np.ndarray[Any, Any]) -> None:
    rest = frame.reshape(-1).view(np.uint8).data
    while rest:
        rest = rest[file.write(rest) :]
