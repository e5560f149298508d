"""Bytes of ImageJ regions, put together from the published header."""

from __future__ import annotations

import struct

import numpy as np

__all__ = ["TYPES", "roi_bytes"]

TYPES = {
    "polygon": 0,
    "rectangle": 1,
    "oval": 2,
    "line": 3,
    "freeline": 4,
    "polyline": 5,
    "freehand": 7,
    "traced": 8,
    "angle": 9,
    "points": 10,
}


def roi_bytes(
    kind: str = "rectangle",
    box: tuple[int, int, int, int] = (2, 3, 6, 9),
    *,
    points: np.ndarray | None = None,
    exact: np.ndarray | None = None,
    shape: list[float] | None = None,
    four: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0),
    name: str = "",
    version: int = 227,
    subtype: int = 0,
    options: int = 0,
    arc: int = 0,
    float52: float | None = None,
    position: int = 0,
) -> bytes:
    """Return a .roi file; box is top, left, bottom, right; points are (x, y) within the box."""
    body = b""
    count = 0
    if points is not None:
        count = len(points)
        body = np.asarray(points).T.astype(">i2").tobytes()
    if exact is not None:
        options |= 128
        body += np.asarray(exact).T.astype(">f4").tobytes()
    if shape is not None:
        body = np.asarray(shape, ">f4").tobytes()
    second = 64 + len(body)
    few = count if count < 2**16 else 0
    head = struct.pack(">4sHBx4hH", b"Iout", version, TYPES[kind], *box, few)
    head += struct.pack(">4f", *four) if count < 2**16 else struct.pack(">i12x", count)
    head += struct.pack(">hiIIhh", 1, len(shape or []), 0, 0, subtype, options)
    head += struct.pack(">f", float52) if float52 is not None else struct.pack(">BBh", 0, 0, arc)
    head += struct.pack(">ii", position, second)
    assert len(head) == 64
    more = struct.pack(">4x3i2i", 0, 0, 0, second + 64 if name else 0, len(name)).ljust(64, b"\0")
    return head + body + more + name.encode("utf-16-be")
