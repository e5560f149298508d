"""Ion images made ready for correlation: noise of one strength everywhere, smoothed by 1 px.

References
----------
Anscombe (1948), Biometrika 35, 246, for the variance-stabilising square root.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["CORRELATED", "prepare", "shrink"]

Array = np.ndarray[Any, Any]

_SIGMA = 1.0
# noise smoothed by a Gaussian has fewer independent pixels by this factor, 4 pi sigma^2, when it is
# compared with an image that is smoother still
CORRELATED = 4.0 * np.pi * _SIGMA**2
_WEIGHTS = np.exp(-0.5 * (np.arange(-3, 4) / _SIGMA) ** 2).astype(np.float32)
_WEIGHTS /= _WEIGHTS.sum()


def prepare(planes: Array) -> Array:
    """Return counts made ready: Anscombe's square root, then a Gaussian of 1 px; float32.

    Parameters
    ----------
    planes
        Counts of one or of summed detectors, shape (frame, y, x). Corrected counts below 0 are
        taken as 0.
    """
    ready = np.empty(planes.shape, np.float32)
    stable = np.empty(planes.shape[1:], np.float32)
    for plane, smoothed in zip(planes, ready, strict=True):
        # one frame after the other in the same memory: a stack of roots would not fit the cache
        np.copyto(stable, plane, casting="unsafe")
        if planes.dtype.kind != "u":
            np.maximum(stable, np.float32(0), out=stable)
        stable += np.float32(0.375)
        np.sqrt(stable, out=stable)
        stable *= np.float32(2)
        _smooth(stable, _WEIGHTS, smoothed)
    return ready


def shrink(image: Array, factor: int) -> Array:
    """Return the means of blocks of ``factor`` x ``factor`` pixels, float32; a rest is cut off."""
    if factor == 1:
        return image.astype(np.float32, copy=False)
    shrunk = np.zeros((image.shape[0] // factor, image.shape[1] // factor), np.float32)
    _shrink(image, factor, shrunk)
    return shrunk


@njit(nogil=True, cache=True, error_model="numpy")
def _shrink(image, factor, shrunk):  # type: ignore[no-untyped-def]
    height, width = shrunk.shape
    share = np.float32(1.0 / (factor * factor))
    for y in range(height):
        for row in range(y * factor, (y + 1) * factor):
            for x in range(width):
                for column in range(factor):
                    shrunk[y, x] += share * image[row, x * factor + column]


@njit(nogil=True, cache=True, error_model="numpy")
def _smooth(image, weights, smoothed):  # type: ignore[no-untyped-def]
    # separable, edges repeated; in single precision, four times as quick as scipy's general filter
    height, width = image.shape
    radius = len(weights) // 2
    row = np.empty(width + 2 * radius, np.float32)
    middle = row[radius : radius + width]
    for y in range(height):
        row[:] = 0
        for k in range(len(weights)):
            source, weight = image[min(max(y + k - radius, 0), height - 1)], weights[k]
            for x in range(width):
                middle[x] += weight * source[x]
        row[:radius] = row[radius]
        row[width + radius :] = row[width + radius - 1]
        out = smoothed[y]
        out[:] = 0
        for k in range(len(weights)):
            source, weight = row[k : k + width], weights[k]
            for x in range(width):
                out[x] += weight * source[x]
