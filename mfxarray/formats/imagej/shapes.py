"""One region of interest of ImageJ: its header, its coordinates, its mask."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.imagej.paths import shape_outlines
from mfxarray.kernels.outlines import ellipse_outline, oval_mask, polygon_mask, rounded_outline

__all__ = ["AREAS", "ImagejRoi", "decode_roi"]

Array = np.ndarray[Any, Any]

AREAS = ("polygon", "rectangle", "oval", "freehand", "traced", "composite", "points")

_HEAD = struct.Struct(">4sHBxHHHHH16shiIIhhBBhii")
_FOUR = struct.Struct(">4f")
_NAME = struct.Struct(">ii")
_NAME_AT, _HEAD2_SIZE = 16, 52
_FLOAT_AT = 52
_TYPES = {
    0: "polygon",
    1: "rectangle",
    2: "oval",
    3: "line",
    4: "freeline",
    5: "polyline",
    7: "freehand",
    8: "traced",
    9: "angle",
    10: "points",
}
_ELLIPSE, _ROTATED = 3, 5
_UNREAD = {1: "text", 2: "an arrow", 4: "an image"}
_SPLINE, _SUBPIXEL = 1, 128
_POINTS_CAP = 1_000_000
_NAME_CAP = 1_000
_HINT = "The file is damaged; save the region again."


@dataclass(frozen=True)
class ImagejRoi:
    """A region of interest, in pixels (y, x) from the corner of the image.

    Attributes
    ----------
    name
        Its name.
    kind
        "polygon", "rectangle", "oval", "freehand", "traced", "composite", "points"; or "line",
        "freeline", "polyline", "angle", which have no area.
    outlines
        Corners of closed outlines, each (corner, 2); of points and lines the places themselves.
    box
        Top, left, height, width of a rectangle or oval, else of ImageJ's bounds.
    position
        Number of the image in ImageJ's stack, from 1; 0 if it belongs to all.
    """

    name: str
    kind: str
    outlines: tuple[Array, ...]
    box: tuple[float, float, float, float]
    position: int = 0

    def mask(self, shape: tuple[int, int]) -> Array:
        """Return the pixels of the region, bool (y, x).

        Parameters
        ----------
        shape
            Of the image; what lies outside is cut off.

        Raises
        ------
        ValueError
            If it is a line, which has no area.

        Notes
        -----
        Pixels whose centre lies inside; of points, the pixels that they lie in.
        """
        if self.kind not in AREAS:
            raise ValueError(f"{self.name!r} is a {self.kind}, which has no area")
        if self.kind == "oval":
            return oval_mask(self.box, shape)
        if self.kind != "points":
            return polygon_mask(self.outlines, shape)
        found = np.zeros(shape, bool)
        with np.errstate(invalid="ignore"):
            places = np.floor(self.outlines[0])
        inside = ((places >= 0) & (places < np.array(shape))).all(axis=1)
        y, x = places[inside].astype(np.int64).T
        found[y, x] = True
        return found


@dataclass(frozen=True)
class _Header:
    """The numbers of the header that we need."""

    version: int
    kind: str
    box: tuple[float, float, float, float]
    count: int
    four: tuple[float, float, float, float]
    segments: int
    subtype: int
    options: int
    arc: int
    position: int
    more_at: int

    def exact(self, since: int) -> bool:
        """Tell whether coordinates are stored as floats, as they may be since a version."""
        return bool(self.options & _SUBPIXEL) and self.version >= since


def decode_roi(
    data: bytes, name: str, *, path: object = None, place: str | None = None
) -> ImagejRoi:
    """Return the region that the bytes of a .roi file describe.

    Parameters
    ----------
    data
        All bytes.
    name
        What it is called if the bytes tell no name.
    path, place
        Where the bytes are from, for errors.

    Raises
    ------
    DataError
        If they are damaged, or the kind of region is not read.
    """
    try:
        head = _header(data)
        outlines, box = _outlines(data, head)
        _check_finite(outlines, box)
        known = _stored_name(data, head) or name
    except DataError as error:
        where = ", ".join(part for part in (place, error.place) if part)
        hint = error.hint or _HINT
        raise DataError(error.reason, path=path, place=where or None, hint=hint) from error
    kind = "composite" if head.segments > 0 else head.kind
    return ImagejRoi(known, kind, outlines, box, head.position)


def _header(data: bytes) -> _Header:
    if len(data) < _HEAD.size or data[:4] != b"Iout":
        raise DataError(f"is no ImageJ region: it begins with {data[:8]!r}")
    (_, version, number, *sides, count, four, _, segments, _, _, subtype, options, _, _, arc) = (
        _HEAD.unpack_from(data)[:-2]
    )
    position, more_at = _HEAD.unpack_from(data)[-2:]
    if number not in _TYPES:
        raise DataError(f"is a region of the unknown type {number}", place="offset 6")
    if subtype in _UNREAD and version >= 218:
        raise DataError(
            f"is {_UNREAD[subtype]}, which is no region", hint="Remove it in ImageJ's ROI Manager."
        )
    top, left, bottom, right = (_signed(side) for side in sides)
    if bottom < top or right < left:
        raise DataError(f"has bounds {(top, left, bottom, right)} the wrong way round")
    if segments < 0:
        raise DataError(f"promises {segments} numbers", place="offset 36")
    box = (float(top), float(left), float(bottom - top), float(right - left))
    return _Header(
        version,
        _TYPES[number],
        box,
        count,
        _FOUR.unpack(four),
        segments,
        subtype,
        options,
        arc,
        max(position, 0),
        more_at,
    )


def _signed(number: int) -> int:
    """Return a coordinate as ImageJ reads it: negative to -5000, beyond that large and positive."""
    return number - 65536 if number >= 65536 - 5000 else number


def _outlines(
    data: bytes, head: _Header
) -> tuple[tuple[Array, ...], tuple[float, float, float, float]]:
    """Return outlines and box of a region."""
    if head.segments > 0:
        return _composite(data, head), head.box
    if head.kind in ("rectangle", "oval"):
        box = head.box
        if head.exact(223):
            left, top, width, height = head.four
            box = (top, left, height, width)
        return (_box_outline(box, head.arc if head.kind == "rectangle" else 0),), box
    x0, y0, x1, y1 = head.four
    ends = np.array([[y0, x0], [y1, x1]], np.float64)
    if head.kind == "line":
        return (ends,), head.box
    if head.kind == "freehand" and head.subtype in (_ELLIPSE, _ROTATED):
        (size,) = struct.unpack_from(">f", data, _FLOAT_AT)
        return (_tilted(ends, size, head.subtype),), head.box
    if head.options & _SPLINE and head.version >= 218:
        raise DataError(
            "is a spline, of which only the knots are stored",
            hint="Turn it into a polygon in ImageJ with Edit > Selection > Interpolate.",
        )
    return (_coordinates(data, head),), head.box


def _box_outline(box: tuple[float, float, float, float], arc: int) -> Array:
    if arc > 0:
        return rounded_outline(box, float(arc))
    top, left, height, width = box
    rows, columns = (0, 0, 1, 1), (0, 1, 1, 0)
    return np.stack([top + np.array(rows) * height, left + np.array(columns) * width], axis=1)


def _tilted(ends: Array, size: float, subtype: int) -> Array:
    """Return the outline of an ellipse or a rotated rectangle along a line."""
    if subtype == _ELLIPSE:
        return ellipse_outline(ends[0], ends[1], size)
    along = ends[1] - ends[0]
    length = float(np.hypot(*along))
    across = np.array([-along[1], along[0]]) * (size / 2 / length if length > 0 else 0.0)
    return np.stack([ends[0] - across, ends[1] - across, ends[1] + across, ends[0] + across])


def _coordinates(data: bytes, head: _Header) -> Array:
    """Return the places of a polygon, a polyline or points, shape (place, 2)."""
    count = head.count
    if count == 0:
        # too many for two bytes
        (count,) = struct.unpack_from(">i", data, 18)
    if count <= 0:
        raise DataError(f"is a {head.kind} of {count} points", place="offset 16")
    wide = head.exact(222)
    start = 64 + (4 * count if wide else 0)
    needed = count * (8 if wide else 4)
    if count > _POINTS_CAP or start + needed > len(data):
        raise DataError(
            f"promises {count} points, {start + needed} bytes are needed, it has {len(data)}",
            place="offset 64",
        )
    kind = ">f4" if wide else ">u2"
    x, y = np.frombuffer(data, kind, 2 * count, start).reshape(2, count).astype(np.float64)
    if not wide:
        y, x = y + head.box[0], x + head.box[1]
    return np.stack([y, x], axis=1)


def _composite(data: bytes, head: _Header) -> tuple[Array, ...]:
    if head.kind != "rectangle" or 64 + 4 * head.segments > len(data):
        raise DataError(
            f"promises a shape of {head.segments} numbers in {len(data)} bytes", place="offset 36"
        )
    if head.segments > 4 * _POINTS_CAP:
        raise DataError(f"has a shape of {head.segments} numbers, too many", place="offset 36")
    numbers = np.frombuffer(data, ">f4", head.segments, 64).astype(np.float64)
    return shape_outlines(numbers)


def _check_finite(outlines: tuple[Array, ...], box: tuple[float, ...]) -> None:
    if not all(np.isfinite(outline).all() for outline in outlines) or not np.isfinite(box).all():
        raise DataError("has coordinates that are no numbers", place="offset 64")


def _stored_name(data: bytes, head: _Header) -> str | None:
    """Return the name in the second header, None where there is none."""
    if head.version < 218 or head.more_at <= 0:
        return None
    if head.more_at + _HEAD2_SIZE > len(data):
        raise DataError(
            f"promises a second header at {head.more_at}, it has {len(data)} bytes",
            place="offset 60",
        )
    offset, length = _NAME.unpack_from(data, head.more_at + _NAME_AT)
    if offset <= 0 or length <= 0:
        return None
    if length > _NAME_CAP or offset + 2 * length > len(data):
        raise DataError(
            f"promises a name of {length} characters at {offset}",
            place=f"offset {head.more_at + _NAME_AT}",
        )
    # a name cut in the middle of a character is still a name
    return data[offset : offset + 2 * length].decode("utf-16-be", errors="replace")
