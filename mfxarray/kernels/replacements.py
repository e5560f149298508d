"""What takes the place of masked pixels: nothing at all, or a draw of the local level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit

__all__ = ["draw_masked", "miss_masked"]

Array = np.ndarray[Any, Any]

# the constants of Steele, Lea and Flood's splitmix64, which makes a good hash of any counter
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_LAST = np.uint64(0x94D049BB133111EB)
# Poisson numbers are summed from pieces of this mean; exp(-mean) must not underflow
_PIECE = 32.0
# above this the normal distribution with its first correction is as good (to 1e-5 of a quantile)
_NORMAL = 1e5


def miss_masked(frames: Array, mask: Array, detectors: Array) -> Array:
    """Return a float64 copy of ``frames`` in which masked pixels are NaN.

    Parameters
    ----------
    frames
        Counts, shape (frame, detector, y, x).
    mask
        Pixels to leave out, shape (frame, y, x), bool.
    detectors
        Numbers of the detectors to clean; the others stay.
    """
    missing = frames.astype(np.float64)
    for detector in detectors:
        missing[:, detector][mask] = np.nan
    return missing


def draw_masked(
    frames: Array,
    mask: Array,
    detectors: Array,
    *,
    radius: int,
    seed: int,
    frame_numbers: Array,
    streams: Sequence[int],
) -> Array:
    """Return a copy of ``frames`` in which masked pixels are Poisson draws of their local level.

    The level is the mean of those neighbours within ``radius`` that are not masked themselves; the
    neighbourhood grows until there is one. Where a whole image is masked nothing changes.

    Parameters
    ----------
    frames
        Counts, shape (frame, detector, y, x).
    mask
        Pixels to replace, shape (frame, y, x), bool.
    detectors
        Numbers of the detectors to clean; the others stay.
    radius
        Pixels around the masked one, 1 for 3 x 3.
    seed
        Any integer; another one gives other draws.
    frame_numbers
        A number for every frame, int64.
    streams
        A number for each of ``detectors``.

    Notes
    -----
    There is no state: a draw is a hash of seed, frame number, stream, y and x. So it is the same
    however the stack is cut and whoever draws it.
    """
    drawn = frames.copy()
    top = int(np.iinfo(frames.dtype).max)
    key = np.uint64(seed % 2**64)
    _draw(
        frames,
        mask,
        np.asarray(detectors, np.int64),
        np.asarray(streams, np.int64),
        np.asarray(frame_numbers, np.int64),
        radius,
        key,
        float(top),
        drawn,
    )
    return drawn


@njit(nogil=True, cache=True, error_model="numpy")
def _draw(frames, mask, detectors, streams, numbers, radius, seed, top, drawn):  # type: ignore[no-untyped-def]
    n_frames, height, width = mask.shape
    for frame in range(n_frames):
        for y in range(height):
            for x in range(width):
                if not mask[frame, y, x]:
                    continue
                for place in range(detectors.size):
                    detector = detectors[place]
                    level = _level(frames[frame, detector], mask[frame], y, x, radius)
                    if level < 0:
                        continue
                    key = _mix(_mix(seed, numbers[frame]), streams[place])
                    key = _mix(_mix(key, y), x)
                    drawn[frame, detector, y, x] = min(_poisson(level, key), top)


@njit(nogil=True, cache=True, error_model="numpy")
def _level(image, mask, y, x, radius):  # type: ignore[no-untyped-def]
    height, width = image.shape
    while True:
        top, bottom = max(y - radius, 0), min(y + radius + 1, height)
        left, right = max(x - radius, 0), min(x + radius + 1, width)
        total, number = 0.0, 0
        for row in range(top, bottom):
            for column in range(left, right):
                if not mask[row, column]:
                    total += np.float64(image[row, column])
                    number += 1
        if number:
            return total / number
        if bottom - top == height and right - left == width:
            return -1.0
        radius += 1


@njit(nogil=True, cache=True, error_model="numpy")
def _mix(key, value):  # type: ignore[no-untyped-def]
    mixed = key ^ (np.uint64(value) * _GOLDEN + _GOLDEN)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _LAST
    return mixed ^ (mixed >> np.uint64(31))


@njit(nogil=True, cache=True, error_model="numpy")
def _uniform(key, number):  # type: ignore[no-untyped-def]
    # 53 bits, never 0 and never 1
    return (np.float64(_mix(key, number) >> np.uint64(11)) + 0.5) * 2.0**-53


@njit(nogil=True, cache=True, error_model="numpy")
def _poisson(level, key):  # type: ignore[no-untyped-def]
    if level > _NORMAL:
        angle = 2.0 * np.pi * _uniform(key, 1)
        normal = np.sqrt(-2.0 * np.log(_uniform(key, 0))) * np.cos(angle)
        return np.floor(level + np.sqrt(level) * normal + (normal * normal - 1.0) / 6.0 + 0.5)
    pieces = int(np.ceil(level / _PIECE))
    mean = level / max(pieces, 1)
    total = 0.0
    for piece in range(pieces):
        chance = np.exp(-mean)
        left = _uniform(key, piece) - chance
        count = 0
        while left > 0.0 and chance > 0.0:
            count += 1
            chance *= mean / count
            left -= chance
        total += count
    return total
