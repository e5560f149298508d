"""Cutting images into regions: threshold, connected parts, flooding from markers."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any

import numba
import numpy as np
from scipy import ndimage

__all__ = ["connected", "flood", "keep_large", "otsu", "peaks"]

Array = np.ndarray[Any, Any]


def otsu(image: Array) -> float:
    """Return the threshold that splits values into the two classes farthest apart.

    Parameters
    ----------
    image
        Values; NaN is left out.

    Returns
    -------
    float
        The largest value of the lower class, so the upper one is ``image > threshold``.

    References
    ----------
    Otsu 1979, IEEE Trans. Syst. Man Cybern. 9, 62: the largest variance between classes. Every
    value of the image is tried, not only the edges of a histogram.
    """
    values, counts = np.unique(image[~np.isnan(image)], return_counts=True)
    if len(values) < 2:
        raise ValueError("all pixels have the same value, so no threshold splits them")
    below = np.cumsum(counts)[:-1]
    above = counts.sum() - below
    sums = np.cumsum(values * counts)
    means = sums[:-1] / below, (sums[-1] - sums[:-1]) / above
    between = below.astype(np.float64) * above * (means[0] - means[1]) ** 2
    return float(values[np.argmax(between)])


def connected(mask: Array, min_pixels: int, *, corners: bool = False) -> Array:
    """Return the connected parts of a mask, numbered from 1 in the order of their first pixel.

    Parameters
    ----------
    mask
        Shape (y, x), bool.
    min_pixels
        Smaller parts are left out.
    corners
        Pixels that touch at a corner are connected.
    """
    labels, _ = ndimage.label(mask, np.ones((3, 3)) if corners else None)
    return keep_large(labels, min_pixels)


def keep_large(labels: Array, min_pixels: int) -> Array:
    """Return labels without small regions, numbered anew without gaps in the same order."""
    sizes = np.bincount(labels.ravel())
    large = sizes >= max(min_pixels, 1)
    large[0] = False
    return np.where(large, np.cumsum(large), 0).astype(np.int32)[labels]


def peaks(image: Array, mask: Array, min_distance: int) -> Array:
    """Return one marker, numbered from 1, for every maximum inside a mask.

    Parameters
    ----------
    image
        Heights.
    mask
        Where to look.
    min_distance
        Of two maxima nearer than this the lower one is dropped, of two equal ones the later one.
    """
    size = 2 * min_distance + 1
    tops = mask & (image == ndimage.maximum_filter(image, size, mode="nearest"))
    places = np.argwhere(tops)
    order = np.argsort(-image[tops], kind="stable")
    markers = np.zeros(image.shape, np.int32)
    number = 0
    for y, x in places[order]:
        top, left = max(y - min_distance, 0), max(x - min_distance, 0)
        if not markers[top : y + min_distance + 1, left : x + min_distance + 1].any():
            number += 1
            markers[y, x] = number
    return markers


def flood(heights: Array, markers: Array, mask: Array) -> Array:
    """Return the basins of an image, flooded from markers, each pixel in one of them.

    Parameters
    ----------
    heights
        Shape (y, x); water comes to low pixels first.
    markers
        Same shape; labels from 1 where the water comes in, 0 elsewhere.
    mask
        Pixels that can be flooded.

    Returns
    -------
    ndarray
        int32; 0 where no water comes. Neighbours are the four with a common side. Of pixels of the
        same height the one reached first is flooded first.

    References
    ----------
    Meyer 1994, Signal Process. 38, 113: flooding by a priority queue.
    """
    found = np.where(mask, markers, 0).astype(np.int32)
    _flood(np.ascontiguousarray(heights, np.float64), found, np.ascontiguousarray(mask))
    return found


@numba.njit(nogil=True, cache=True)
def _flood(heights: Array, found: Array, mask: Array) -> None:
    n_rows, n_columns = heights.shape
    queue = [(heights[0, 0], 0, 0, 0)]
    queue.pop()
    for row in range(n_rows):
        for column in range(n_columns):
            if found[row, column]:
                heappush(queue, (heights[row, column], 0, row, column))
    age = 0
    while queue:
        _, _, row, column = heappop(queue)
        for down, right in ((-1, 0), (0, -1), (0, 1), (1, 0)):
            y, x = row + down, column + right
            if 0 <= y < n_rows and 0 <= x < n_columns and mask[y, x] and not found[y, x]:
                age += 1
                found[y, x] = found[row, column]
                heappush(queue, (heights[y, x], age, y, x))
