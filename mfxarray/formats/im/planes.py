"""The planes of an ion image file: how many there are, the incomplete last one, the empty tail."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.im.header import Masses
from mfxarray.formats.sources import FileSource, StackSource

__all__ = ["Planes", "drop_zero_tail", "find_planes"]

_PIECE = 4 * 2**20  # bytes looked at together, from the end backwards
_MOST_MASSES = 60  # pointers of the widest mass table


@dataclass(frozen=True)
class Planes:
    """The pixels of a file.

    Attributes
    ----------
    stack
        What is read.
    complete
        Number of complete planes in the file.
    attrs
        What must be known about the planes, JSON-able.
    warnings
        Sentences about what does not fit together.
    """

    stack: StackSource
    complete: int
    attrs: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def find_planes(
    source: FileSource,
    offset: int,
    dtype: np.dtype[Any],
    image: dict[str, Any],
    masses: Masses | None,
    *,
    empty: tuple[int, int],
    incomplete: str,
) -> Planes:
    """Return the planes that a file holds, whatever its header says.

    Parameters
    ----------
    source
        The file.
    offset
        Byte of the first pixel.
    dtype
        Of the pixels.
    image
        Fields of Header_image.
    masses
        The mass table, None where it is damaged.
    empty
        Rows and columns of a frame that was never recorded.
    incomplete
        "drop" leaves an incomplete last plane out, "pad" reads what there is of it.

    Raises
    ------
    DataError
        If there is no complete plane, and no complete image to begin an incomplete one with.
    """
    rest = source.size - offset
    if image["n"] == 0:
        return _header_only(source, offset, dtype, masses, empty, rest)
    shape = (image["n"], image["h"], image["w"])
    one = StackSource(source, offset, dtype, shape, 1)
    complete, left = divmod(rest, one.frame_bytes)
    stack = replace(one, n_frames=complete)
    notes = _count_warnings(image, masses, complete, rest)
    if left and incomplete == "pad" and _worth_padding(one, complete, left):
        whole = left // dtype.itemsize * dtype.itemsize
        stack = replace(stack, n_frames=complete + 1, missing_bytes=one.frame_bytes - whole)
        text = (
            f"the last frame is incomplete: {stack.missing_bytes} of its {one.frame_bytes} bytes "
            "are missing and read as 0; see the coordinate recorded and attrs['missing_pixels']"
        )
        return Planes(stack, complete, {"missing_pixels": _missing_pixels(stack)}, (*notes, text))
    if left and complete == 0:
        raise DataError(
            f"does not hold one complete frame: {one.frame_bytes} bytes are needed, "
            f"{rest} follow the header",
            path=source.path,
            place=f"offset {offset}",
            hint="The file is truncated or its header is damaged; copy it again.",
        )
    if left:
        notes.append(f"{left} bytes of an incomplete last frame are left out")
    return Planes(stack, complete, {}, tuple(notes))


def _header_only(
    source: FileSource,
    offset: int,
    dtype: np.dtype[Any],
    masses: Masses | None,
    empty: tuple[int, int],
    rest: int,
) -> Planes:
    if masses is None:
        raise DataError(
            "holds no pixels and its mass table is damaged", path=source.path, place="offset 408"
        )
    stack = StackSource(source, offset, dtype, (len(masses.rows), *empty), 0)
    follow = f"; {rest} bytes that follow it are not described" if rest else ""
    return Planes(stack, 0, {}, (f"holds only a header, no frames{follow}",))


def _worth_padding(one: StackSource, complete: int, left: int) -> bool:
    """Tell whether the frame that is to be filled up is not merely claimed by a damaged header."""
    detectors = one.frame_shape[0]
    return complete > 0 or (detectors <= _MOST_MASSES and left >= one.frame_bytes // detectors)


def _count_warnings(
    image: dict[str, Any], masses: Masses | None, complete: int, rest: int
) -> list[str]:
    if rest == 0:
        return ["holds only a header, no frames"]
    planned = complete if masses is None else masses.planned
    if planned == image["z"] == complete:
        return []
    return [
        f"{planned} frames were planned and the header counts {image['z']}, but the file "
        f"holds {complete} complete frames; these are read"
    ]


def _missing_pixels(stack: StackSource) -> list[list[int]]:
    """Return what the last frame lacks, as [frame, detector, first pixel, one past the last].

    Pixels count along the rows, as stored, that is before any roll.
    """
    detectors, height, width = stack.frame_shape
    size = height * width
    recorded = detectors * size - stack.missing_bytes // stack.dtype.itemsize
    frame, first = stack.n_frames - 1, recorded // size
    return [
        [frame, detector, recorded - first * size if detector == first else 0, size]
        for detector in range(first, detectors)
    ]


def drop_zero_tail(planes: Planes) -> Planes:
    """Return the planes without those at the end that hold nothing but zeros.

    An aborted run leaves such planes. Where all planes are zero, all are kept, with a warning.

    Notes
    -----
    Reads from the end backwards, 4 MB at a time, as far as the last pixel that is not 0; that is
    the whole file only if there is none.
    """
    stack = planes.stack
    end = stack.offset + stack.n_frames * stack.frame_bytes - stack.missing_bytes
    last = _last_nonzero(stack.file, stack.offset, end)
    if last is None:
        text = "all frames hold nothing but zeros; all are kept"
        notes = (*planes.warnings, text) if stack.n_frames else planes.warnings
        return replace(planes, warnings=notes)
    kept = (last - stack.offset) // stack.frame_bytes + 1
    dropped = stack.n_frames - kept
    if not dropped:
        return planes
    attrs = {key: value for key, value in planes.attrs.items() if key != "missing_pixels"}
    attrs["zero_frames_dropped"] = dropped
    text = f"the last {dropped} frames hold nothing but zeros and are left out"
    cut = replace(stack, n_frames=kept, missing_bytes=0)
    return Planes(cut, planes.complete, attrs, (*planes.warnings, text))


def _last_nonzero(source: FileSource, start: int, stop: int) -> int | None:
    for high in range(stop, start, -_PIECE):
        low = max(high - _PIECE, start)
        found = np.flatnonzero(np.frombuffer(source.read(low, high - low), np.uint8))
        if found.size:
            return low + int(found[-1])
    return None
