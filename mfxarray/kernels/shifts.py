"""Translations of frames by whole pixels, or by parts of pixels, without wrap-around."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["area_cover", "cover_count", "shift_by_area", "shift_frames"]

Array = np.ndarray[Any, Any]


def shift_frames(frames: Array, shifts: Array, padding: int) -> Array:
    """Return frames moved by their translations; pixels without data are 0.

    Every count that stays on the canvas is kept as it is, so a padding of at least the largest
    translation conserves the counts of every frame exactly.

    Parameters
    ----------
    frames
        Shape (frame, detector, y, x).
    shifts
        dy and dx of every frame, shape (frame, 2), integers.
    padding
        Pixels added on every side of the canvas.
    """
    height, width = frames.shape[2:]
    canvas = (height + 2 * padding, width + 2 * padding)
    moved = np.zeros((*frames.shape[:2], *canvas), frames.dtype)
    for frame, (dy, dx) in enumerate(shifts):
        rows_to, rows_from = _overlap(int(dy) + padding, height, canvas[0])
        columns_to, columns_from = _overlap(int(dx) + padding, width, canvas[1])
        moved[frame, :, rows_to, columns_to] = frames[frame, :, rows_from, columns_from]
    return moved


def cover_count(shifts: Array, shape: tuple[int, int], padding: int) -> Array:
    """Return how many frames cover each pixel of the canvas, shape (y, x), int64."""
    canvas = (shape[0] + 2 * padding, shape[1] + 2 * padding)
    cover = np.zeros(canvas, np.int64)
    for dy, dx in shifts:
        rows, _ = _overlap(int(dy) + padding, shape[0], canvas[0])
        columns, _ = _overlap(int(dx) + padding, shape[1], canvas[1])
        cover[rows, columns] += 1
    return cover


def shift_by_area(frames: Array, shifts: Array, padding: int) -> Array:
    """Return frames moved by parts of pixels, float64; pixels without data are 0.

    The count of a pixel is shared out to the up to four pixels on which it comes to lie, by area.
    So nothing becomes negative, and the sum of what stays on the canvas is kept.

    Parameters
    ----------
    frames
        Shape (frame, detector, y, x).
    shifts
        dy and dx of every frame, shape (frame, 2).
    padding
        Pixels added on every side of the canvas.

    Raises
    ------
    ValueError
        If a translation is not finite.
    """
    canvas = tuple(size + 2 * padding for size in frames.shape[2:])
    moved = np.zeros((*frames.shape[:2], *canvas))
    for images, put, shift in zip(frames, moved, shifts, strict=True):
        _add_by_area(images, put, shift, padding)
    return moved


def area_cover(shifts: Array, shape: tuple[int, int], padding: int) -> Array:
    """Return how much of frames covers each pixel of the canvas, shape (y, x), float64."""
    cover = np.zeros((1, shape[0] + 2 * padding, shape[1] + 2 * padding))
    ones = np.ones((1, *shape))
    for shift in shifts:
        _add_by_area(ones, cover, shift, padding)
    return cover[0]


def _add_by_area(images: Array, put: Array, shift: Array, padding: int) -> None:
    if not np.isfinite(shift).all():
        raise ValueError(f"a frame has the translation {shift.tolist()}; give every frame one")
    whole = np.floor(shift)
    part = shift - whole
    for down, across in ((0, 0), (0, 1), (1, 0), (1, 1)):
        share = (part[0] if down else 1 - part[0]) * (part[1] if across else 1 - part[1])
        if share == 0:
            continue
        dy, dx = int(whole[0]) + down + padding, int(whole[1]) + across + padding
        rows_to, rows_from = _overlap(dy, images.shape[1], put.shape[1])
        columns_to, columns_from = _overlap(dx, images.shape[2], put.shape[2])
        put[:, rows_to, columns_to] += share * images[:, rows_from, columns_from]


def _overlap(offset: int, size: int, canvas: int) -> tuple[slice, slice]:
    """Return where a line of ``size`` put at ``offset`` lands, and what part of it lands there."""
    start, stop = min(max(offset, 0), canvas), max(min(offset + size, canvas), 0)
    stop = max(start, stop)
    return slice(start, stop), slice(start - offset, stop - offset)
