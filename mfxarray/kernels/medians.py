"""Local medians of ion images, and the candidates for hot pixels that they give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit
from scipy import ndimage

__all__ = ["hot_candidates", "local_median", "replace_masked"]

Array = np.ndarray[Any, Any]


def local_median(images: Array, kernel_size: int) -> Array:
    """Return the median over ``kernel_size`` x ``kernel_size`` pixels of every image.

    Parameters
    ----------
    images
        Shape (..., y, x). Edges are reflected, as scipy's mode ``reflect`` does.
    kernel_size
        Odd number of pixels.

    Notes
    -----
    3 x 3 shares the sorted columns as `hot_candidates` does, about 1 ns a pixel; other sizes use
    scipy.
    """
    if kernel_size == 3 and images.ndim > 1 and images.size:
        flat = np.ascontiguousarray(images).reshape(-1, *images.shape[-2:])
        median = np.empty_like(flat)
        _medians_3x3(flat, median)
        return median.reshape(images.shape)
    size = (1,) * (images.ndim - 2) + (kernel_size, kernel_size)
    return np.asarray(ndimage.median_filter(images, size=size, mode="reflect"))


def hot_candidates(
    frames: Array,
    voters: Array | Sequence[int],
    *,
    kernel_size: int,
    outlier_factor: float,
    min_count: float,
    num_outliers: int,
    num_nonzero: int,
) -> Array:
    """Return which pixels stand out in enough detectors at once, shape (frame, y, x), bool.

    A detector votes for a pixel where ``count >= outlier_factor * max(median, min_count)``. A pixel
    is a candidate where at least ``num_outliers`` detectors vote and at least ``num_nonzero`` have
    a count.

    Parameters
    ----------
    frames
        Counts, shape (frame, detector, y, x).
    voters
        Numbers of the detectors that vote.

    Notes
    -----
    The 3 x 3 median sorts the three pixels of every column once and shares them between the three
    neighbours; the loops compile to vector instructions. Other sizes use scipy.
    """
    voters = np.asarray(voters, np.int64)
    if kernel_size == 3:
        frames = np.ascontiguousarray(frames)
        out = np.empty((len(frames), *frames.shape[2:]), np.bool_)
        _candidates_3x3(frames, voters, outlier_factor, min_count, num_outliers, num_nonzero, out)
        return out
    counts = frames[:, voters]
    median = local_median(counts, kernel_size)
    votes = counts >= outlier_factor * np.maximum(median, min_count)
    return (votes.sum(1) >= num_outliers) & ((counts > 0).sum(1) >= num_nonzero)


def replace_masked(frames: Array, mask: Array, detectors: Array, kernel_size: int) -> Array:
    """Return a copy of ``frames`` with masked pixels replaced by their local median.

    Parameters
    ----------
    frames
        Counts, shape (frame, detector, y, x).
    mask
        Pixels to replace, shape (frame, y, x), bool.
    detectors
        Numbers of the detectors to clean; the others stay.
    """
    cleaned = frames.copy()
    radius = kernel_size // 2
    _replace(frames, mask, np.asarray(detectors, np.int64), radius, cleaned)
    return cleaned


@njit(nogil=True, cache=True, error_model="numpy")
def _candidates_3x3(frames, voters, factor, min_count, num_outliers, num_nonzero, out):  # type: ignore[no-untyped-def]
    n_frames, _, height, width = frames.shape
    low = np.empty(width + 2, frames.dtype)
    mid = np.empty(width + 2, frames.dtype)
    high = np.empty(width + 2, frames.dtype)
    votes = np.empty(width, np.uint8)
    filled = np.empty(width, np.uint8)
    for frame in range(n_frames):
        for y in range(height):
            votes[:] = 0
            filled[:] = 0
            above, below = max(y - 1, 0), min(y + 1, height - 1)
            for voter in voters:
                image = frames[frame, voter]
                _sort_columns(image[above], image[y], image[below], low, mid, high)
                _vote(image[y], low, mid, high, factor, min_count, votes, filled)
            for x in range(width):
                out[frame, y, x] = (votes[x] >= num_outliers) & (filled[x] >= num_nonzero)


@njit(nogil=True, cache=True, error_model="numpy")
def _medians_3x3(images, median):  # type: ignore[no-untyped-def]
    number, height, width = images.shape
    low = np.empty(width + 2, images.dtype)
    mid = np.empty(width + 2, images.dtype)
    high = np.empty(width + 2, images.dtype)
    for i in range(number):
        image = images[i]
        for y in range(height):
            above, below = max(y - 1, 0), min(y + 1, height - 1)
            _sort_columns(image[above], image[y], image[below], low, mid, high)
            for x in range(width):
                median[i, y, x] = _middle(low, mid, high, x)


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _middle(low, mid, high, x):  # type: ignore[no-untyped-def]
    first = max(max(low[x], low[x + 1]), low[x + 2])
    last = min(min(high[x], high[x + 1]), high[x + 2])
    small, large = min(mid[x], mid[x + 1]), max(mid[x], mid[x + 1])
    middle = max(small, min(large, mid[x + 2]))
    small, large = min(first, middle), max(first, middle)
    return max(small, min(large, last))


@njit(nogil=True, cache=True, error_model="numpy")
def _sort_columns(above, here, below, low, mid, high):  # type: ignore[no-untyped-def]
    width = here.size
    for x in range(width):
        small, large = min(above[x], here[x]), max(above[x], here[x])
        low[x + 1] = min(small, below[x])
        high[x + 1] = max(large, below[x])
        mid[x + 1] = max(small, min(large, below[x]))
    # reflecting by one pixel repeats the edge
    for row in (low, mid, high):
        row[0] = row[1]
        row[width + 1] = row[width]


@njit(nogil=True, cache=True, error_model="numpy")
def _vote(here, low, mid, high, factor, min_count, votes, filled):  # type: ignore[no-untyped-def]
    for x in range(here.size):
        median = _middle(low, mid, high, x)
        level = factor * max(np.float64(median), min_count)
        votes[x] += np.uint8(np.float64(here[x]) >= level)
        filled[x] += np.uint8(here[x] > 0)


@njit(nogil=True, cache=True, error_model="numpy")
def _replace(frames, mask, detectors, radius, cleaned):  # type: ignore[no-untyped-def]
    n_frames, height, width = mask.shape
    window = np.empty((2 * radius + 1) ** 2, frames.dtype)
    for frame in range(n_frames):
        for y in range(height):
            for x in range(width):
                if not mask[frame, y, x]:
                    continue
                for detector in detectors:
                    image = frames[frame, detector]
                    if radius == 1:
                        cleaned[frame, detector, y, x] = _median_of_9(image, y, x)
                    else:
                        _gather(image, y, x, radius, window)
                        cleaned[frame, detector, y, x] = window[window.size // 2]


@njit(nogil=True, cache=True, error_model="numpy")
def _median_of_9(image, y, x):  # type: ignore[no-untyped-def]
    above, below = max(y - 1, 0), min(y + 1, image.shape[0] - 1)
    left, right = max(x - 1, 0), min(x + 1, image.shape[1] - 1)
    low1, mid1, high1 = _sort3(image[above, left], image[y, left], image[below, left])
    low2, mid2, high2 = _sort3(image[above, x], image[y, x], image[below, x])
    low3, mid3, high3 = _sort3(image[above, right], image[y, right], image[below, right])
    middle = _sort3(mid1, mid2, mid3)[1]
    return _sort3(max(max(low1, low2), low3), middle, min(min(high1, high2), high3))[1]


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _sort3(a, b, c):  # type: ignore[no-untyped-def]
    small, large = min(a, b), max(a, b)
    return min(small, c), max(small, min(large, c)), max(large, c)


@njit(nogil=True, cache=True, error_model="numpy")
def _gather(image, y, x, radius, window):  # type: ignore[no-untyped-def]
    # sorted by insertion while it is gathered: quicker than a general sort for a few values
    count = 0
    for dy in range(-radius, radius + 1):
        row = _reflect(y + dy, image.shape[0])
        for dx in range(-radius, radius + 1):
            value = image[row, _reflect(x + dx, image.shape[1])]
            place = count
            while place > 0 and window[place - 1] > value:
                window[place] = window[place - 1]
                place -= 1
            window[place] = value
            count += 1


@njit(nogil=True, cache=True, error_model="numpy")
def _reflect(index, size):  # type: ignore[no-untyped-def]
    # mode "reflect" repeats the edge pixel: d c b a | a b c d | d c b a
    if 0 <= index < size:
        return index
    index %= 2 * size
    return index if index < size else 2 * size - 1 - index
