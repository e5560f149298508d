"""Whole-pixel translations of frames, without wrap-around."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["cover_count", "shift_frames"]

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


def _overlap(offset: int, size: int, canvas: int) -> tuple[slice, slice]:
    """Return where a line of ``size`` put at ``offset`` lands, and what part of it lands there."""
    start, stop = min(max(offset, 0), canvas), max(min(offset + size, canvas), 0)
    stop = max(start, stop)
    return slice(start, stop), slice(start - offset, stop - offset)
