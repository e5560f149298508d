"""Spikes of images that are no ion counts: pixels far from the median of their neighbourhood."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage

from mfxarray.kernels.medians import local_median

__all__ = ["find_spikes", "replace_spikes"]

Array = np.ndarray[Any, Any]

# |pixel - median of its window| of normal noise in its standard deviations: median, and mean, of
# 3 x 3 (simulated, 2e6 pixels) and of wide windows
_NORMAL = {3: (0.581, 0.724)}
_WIDE = (0.6745, 0.798)
_RING = 7


def find_spikes(images: Array, median: Array, sigmas: float, kernel_size: int) -> Array:
    """Return which pixels deviate from their local median by more than ``sigmas``, bool.

    Parameters
    ----------
    images, median
        Counts and their local median, shape (..., y, x), unsigned or signed integers.
    sigmas
        Standard deviations, of which the largest of three counts: that of the image, from the
        median of the absolute deviations, with noise that grows as the square root of the level;
        that of the surroundings, from the mean deviation of the pixels two and three away, so that
        the grain of a sample is no spike; and one count.
    kernel_size
        Pixels of the window of the median.
    """
    middle, mean = _NORMAL.get(kernel_size, _WIDE)
    level = median.astype(np.float64)
    deviation = np.abs(images.astype(np.float64) - level)
    spread = np.sqrt(level + 1.0)
    usual = np.median(deviation / spread, axis=(-2, -1), keepdims=True) / middle * spread
    around = _ring_mean(deviation) / mean
    return np.asarray(deviation > sigmas * np.maximum(np.maximum(usual, around), 1.0))


def _ring_mean(values: Array) -> Array:
    """Return the mean of the pixels around each 3 x 3 window as far as 7 x 7."""
    sums = [
        size**2 * ndimage.uniform_filter(values, (0,) * (values.ndim - 2) + (size, size))
        for size in (_RING, 3)
    ]
    return np.asarray((sums[0] - sums[1]) / (_RING**2 - 3**2))


def replace_spikes(frames: Array, detectors: Array, sigmas: float, kernel_size: int) -> Array:
    """Return a copy of frames whose spikes in some detectors are replaced by the local median.

    Parameters
    ----------
    frames
        Shape (frame, detector, y, x).
    detectors
        Numbers of the detectors to clean; the others stay.
    sigmas, kernel_size
        See `find_spikes`.
    """
    cleaned = frames.copy()
    if not frames.size:
        return cleaned
    for detector in detectors:
        images = frames[:, detector]
        median = local_median(images, kernel_size)
        spikes = find_spikes(images, median, sigmas, kernel_size)
        cleaned[:, detector][spikes] = median[spikes]
    return cleaned
