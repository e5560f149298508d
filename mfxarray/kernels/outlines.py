"""Outlines as masks: the pixels whose centre lies inside.

Places are pairs (y, x) in pixels from the corner of the image, so the centre of the first pixel is
(0.5, 0.5), as in ImageJ.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np

__all__ = ["band_areas", "ellipse_outline", "oval_mask", "polygon_mask", "rounded_outline"]

Array = np.ndarray[Any, Any]

# the area of an ellipse of 720 corners is 1.3e-5 too small: less than a pixel in 250 x 250
_CORNERS = 720


def polygon_mask(outlines: Sequence[Array], shape: tuple[int, int]) -> Array:
    """Return the pixels inside closed outlines, bool (y, x), by the even-odd rule.

    Parameters
    ----------
    outlines
        Each of shape (corner, 2); what lies in two of them is a hole.
    shape
        Of the image.

    Notes
    -----
    A centre exactly on an outline belongs to what is above or to the left of the outline, so
    polygons that share a side share no pixel. This is the rule of ImageJ.
    """
    found = np.zeros(shape, bool)
    places = [np.asarray(outline, np.float64).reshape(-1, 2) for outline in outlines]
    if not sum(len(corners) for corners in places):
        return found
    # only the part of the image around the outlines
    low = np.min([corners.min(axis=0) for corners in places if len(corners)], axis=0)
    high = np.max([corners.max(axis=0) for corners in places if len(corners)], axis=0)
    top, left = np.clip(np.floor(low), 0, shape).astype(int)
    bottom, right = np.clip(np.ceil(high), 0, shape).astype(int)
    if bottom <= top or right <= left:
        return found
    parity = np.zeros((bottom - top, right - left + 1), np.uint8)
    for corners in places:
        _toggle(parity, np.ascontiguousarray(corners), int(top), int(left))
    found[top:bottom, left:right] = np.cumsum(parity[:, :-1], axis=1) % 2
    return found


def oval_mask(box: tuple[float, float, float, float], shape: tuple[int, int]) -> Array:
    """Return the pixels with their centre in the ellipse that fills a box, its rim included.

    Parameters
    ----------
    box
        Top, left, height, width.
    shape
        Of the image.
    """
    top, left, height, width = box
    if height <= 0 or width <= 0:
        return np.zeros(shape, bool)
    y = (np.arange(shape[0]) + 0.5 - top - height / 2) / (height / 2)
    x = (np.arange(shape[1]) + 0.5 - left - width / 2) / (width / 2)
    return np.asarray(y[:, None] ** 2 + x**2 <= 1.0)


def ellipse_outline(first: Array, second: Array, aspect: float) -> Array:
    """Return the outline of an ellipse from the ends of its long axis and short over long."""
    centre, half = (first + second) / 2, (second - first) / 2
    across = np.array([-half[1], half[0]]) * aspect
    angle = np.arange(_CORNERS)[:, None] * (2 * np.pi / _CORNERS)
    return np.asarray(centre + np.cos(angle) * half + np.sin(angle) * across)


def rounded_outline(box: tuple[float, float, float, float], arc: float) -> Array:
    """Return the outline of a box (top, left, height, width) whose corners are rounded.

    Parameters
    ----------
    box
        The box.
    arc
        Diameter of the rounding.
    """
    top, left, height, width = box
    reach = np.array([min(arc, height), min(arc, width)]) / 2
    angles = np.linspace(0, np.pi / 2, _CORNERS // 4)
    parts = []
    for quarter, (down, right) in enumerate([(1, 1), (1, 0), (0, 0), (0, 1)]):
        middle = [
            top + (height - reach[0] if down else reach[0]),
            left + (width - reach[1] if right else reach[1]),
        ]
        turn = angles + quarter * np.pi / 2
        parts.append(np.stack([np.sin(turn), np.cos(turn)], axis=1) * reach + middle)
    return np.concatenate(parts)


@numba.njit(nogil=True, cache=True)
def _toggle(parity: Array, corners: Array, top: int, left: int) -> None:
    """Toggle the first pixel to the right of every crossing of an outline with a row's middle.

    Places are not moved to the corner of the part, nor divided before they are multiplied: two
    polygons that share a side must round its crossings alike.
    """
    height, width = parity.shape[0], parity.shape[1] - 1
    count = corners.shape[0]
    for number in range(count):
        y0, x0 = corners[number]
        y1, x1 = corners[(number + 1) % count]
        if y0 > y1:
            y0, x0, y1, x1 = y1, x1, y0, x0
        # rows whose middle lies in (y0, y1]
        first = int(np.floor(min(max(y0 - 0.5, top - 1.0), top + height))) + 1
        last = int(np.floor(min(max(y1 - 0.5, top - 1.0), top + height - 1.0)))
        for row in range(first, last + 1):
            crossing = x0 + (row + 0.5 - y0) * (x1 - x0) / (y1 - y0)
            # columns whose middle lies beyond the crossing
            column = int(np.floor(min(max(crossing - 0.5, left - 1.0), left + width - 1.0))) + 1
            parity[row - top, column - left] ^= 1


def band_areas(corners: Array, shape: tuple[int, int]) -> tuple[Array, Array, Array]:
    """Return which pixels each of many convex quadrangles covers, and how much of them.

    Parameters
    ----------
    corners
        Shape (quadrangle, 4, 2), corners in order around each.
    shape
        Of the image.

    Returns
    -------
    pixels, starts, areas
        As in `mfxarray.kernels.region_sums.Members`; areas in pixels.
    """
    pieces = [_covered(np.ascontiguousarray(quad), shape[0], shape[1]) for quad in corners]
    counts = [len(pixels) for pixels, _ in pieces]
    starts = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    pixels = np.concatenate([np.zeros(0, np.int64), *(found for found, _ in pieces)])
    areas = np.concatenate([np.zeros(0), *(found for _, found in pieces)])
    return pixels, starts, areas


@numba.njit(nogil=True, cache=True)
def _covered(quad: Array, height: int, width: int) -> tuple[Array, Array]:
    top = max(int(np.floor(quad[:, 0].min())), 0)
    bottom = min(int(np.ceil(quad[:, 0].max())), height)
    left = max(int(np.floor(quad[:, 1].min())), 0)
    right = min(int(np.ceil(quad[:, 1].max())), width)
    room = max(bottom - top, 0) * max(right - left, 0)
    pixels, areas = np.empty(room, np.int64), np.empty(room)
    count = 0
    for row in range(top, bottom):
        for column in range(left, right):
            area = _common_area(quad, row, column)
            if area > 0:
                pixels[count] = row * width + column
                areas[count] = area
                count += 1
    return pixels[:count], areas[:count]


@numba.njit(nogil=True, cache=True)
def _common_area(quad: Array, row: int, column: int) -> float:
    """Return the area that a quadrangle and a pixel share: cut at the four sides of the pixel."""
    shape = np.empty((16, 2))
    shape[:4] = quad
    count = 4
    for axis, place in ((0, row), (1, column)):
        for sign in (1.0, -1.0):
            limit = place if sign > 0 else place + 1
            cut = np.empty((16, 2))
            kept = 0
            for number in range(count):
                here, there = shape[number], shape[(number + 1) % count]
                near = sign * (here[axis] - limit)
                far = sign * (there[axis] - limit)
                if near >= 0:
                    cut[kept] = here
                    kept += 1
                if (near > 0 > far) or (near < 0 < far):
                    cut[kept] = here + (there - here) * (near / (near - far))
                    kept += 1
            shape, count = cut, kept
    area = 0.0
    for number in range(count):
        here, there = shape[number], shape[(number + 1) % count]
        area += (here[0] - row) * (there[1] - column) - (there[0] - row) * (here[1] - column)
    return abs(area) / 2
