"""Normalised correlation of two images over their true overlap, at every shift within reach.

No padding with zeros that could pull the answer to zero shift, and no wrap-around: for every
shift only the pixels that both images really have are compared, with the means and energies of
just those pixels.

References
----------
Anscombe (1948), Biometrika 35, 246, for the variance-stabilising square root.
Padfield (2012), Masked object registration in the Fourier domain, IEEE Trans. Image Proc. 21, 2706,
of which this is the case of two rectangular masks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from scipy import fft, special

__all__ = ["Search", "Target", "locate", "prepare", "target"]

Array = np.ndarray[Any, Any]

# noise smoothed by a Gaussian has fewer independent pixels by this factor, 4 pi sigma^2, when it is
# compared with an image that is smoother still
_SIGMA = 1.0
_CORRELATED = 4.0 * np.pi * _SIGMA**2
_WEIGHTS = np.exp(-0.5 * (np.arange(-3, 4) / _SIGMA) ** 2).astype(np.float32)
_WEIGHTS /= _WEIGHTS.sum()
# a frame in this many of pure noise may pass as confident
_FALSE_ALARM = 1e-4


@dataclass(frozen=True)
class Search:
    """Where to look for the translation of a frame.

    Attributes
    ----------
    shape
        (y, x) of the frames.
    max_shift
        Largest translation along either axis, pixels.
    """

    shape: tuple[int, int]
    max_shift: int

    @property
    def padded(self) -> tuple[int, int]:
        """Return the size of the transforms, free of wrap-around."""
        return (
            fft.next_fast_len(self.shape[0] + self.max_shift, real=True),
            fft.next_fast_len(self.shape[1] + self.max_shift, real=True),
        )

    @property
    def threshold(self) -> float:
        """Return the score that noise alone exceeds in one of ten thousand frames."""
        trials = max((2 * self.max_shift + 1) ** 2 / _CORRELATED, 1.0)
        return float(-special.ndtri(_FALSE_ALARM / trials))


@dataclass(frozen=True)
class Target:
    """A reference made ready: where it overlaps with a frame at every shift, and its sums there."""

    spectrum: Array
    rows: _Overlap
    columns: _Overlap
    sums: Array
    squares: Array


@dataclass(frozen=True)
class _Overlap:
    """First and last pixel (exclusive) of the overlap along one axis, for every shift."""

    start: Array
    stop: Array
    shifts: Array

    @property
    def size(self) -> Array:
        return self.stop - self.start


def prepare(planes: Array) -> Array:
    """Return counts made ready: Anscombe's square root, then a Gaussian of 1 px; float32.

    Parameters
    ----------
    planes
        Counts of one or of summed detectors, shape (frame, y, x).
    """
    stable = np.sqrt(planes.astype(np.float32) + np.float32(0.375)) * np.float32(2)
    ready = np.empty_like(stable)
    _smooth(stable, _WEIGHTS, ready)
    return ready


def target(
    image: Array, search: Search, rows: slice | None = None, columns: slice | None = None
) -> Target:
    """Return a reference made ready.

    Parameters
    ----------
    image
        Result of `prepare` or a mean of such, shape (y, x) or that of ``rows`` and ``columns``.
    search
        Where to look.
    rows, columns
        The part of the field that the image shows; all if not given.
    """
    rows = slice(0, search.shape[0]) if rows is None else rows
    columns = slice(0, search.shape[1]) if columns is None else columns
    centred = np.zeros(search.shape, np.float32)
    centred[rows, columns] = image - image.mean()
    along = _overlap(rows, search.shape[0], search), _overlap(columns, search.shape[1], search)
    sums, squares = _overlap_sums(centred, *along)
    return Target(fft.rfft2(centred, search.padded), *along, sums, squares)


def locate(frame: Array, reference: Target, search: Search) -> tuple[int, int, float, float]:
    """Return dy, dx, score and whether it is confident (1 or 0) for a frame onto a reference.

    Parameters
    ----------
    frame
        Result of `prepare`, shape (y, x).
    reference
        Result of `target`.
    search
        Where to look. A translation at the very edge of the reach is not confident.
    """
    centred = (frame - frame.mean(dtype=np.float64)).astype(np.float32)
    m = search.max_shift
    spectrum = fft.rfft2(centred, search.padded)
    product = fft.irfft2(reference.spectrum * spectrum.conj(), search.padded)
    rows, columns = reference.rows, reference.columns
    sums = _overlap_sums(centred, _moved(rows), _moved(columns))
    theirs = (reference.sums, reference.squares)
    sizes = (rows.size, columns.size)
    dy, dx, score = _best_score(product, sums, theirs, sizes, _CORRELATED)
    inside = max(abs(dy), abs(dx)) < m
    return dy, dx, score, float(inside and score >= search.threshold)


def _overlap(reference: slice, size: int, search: Search) -> _Overlap:
    shifts = np.arange(-search.max_shift, search.max_shift + 1)
    begin = np.maximum(reference.start, shifts)
    end = np.maximum(np.minimum(reference.stop, size + shifts), begin)
    return _Overlap(begin, end, shifts)


def _moved(overlap: _Overlap) -> _Overlap:
    """Return the same overlap in pixels of the frame."""
    shifts = overlap.shifts
    return _Overlap(overlap.start - shifts, overlap.stop - shifts, shifts)


def _overlap_sums(image: Array, rows: _Overlap, columns: _Overlap) -> tuple[Array, Array]:
    """Return sums and sums of squares of an image over its overlap at every shift."""
    # far shifts may leave the image altogether; their overlap is empty wherever it is
    size_y, size_x = image.shape
    top, bottom = np.clip(rows.start, 0, size_y), np.clip(rows.stop, 0, size_y)
    left, right = np.clip(columns.start, 0, size_x), np.clip(columns.stop, 0, size_x)
    first, second = np.empty((2, len(top), len(left)))
    table, table2 = _integrals(image)
    _rectangle_sums(table, table2, top, bottom, left, right, first, second)
    return first, second


@njit(nogil=True, cache=True, error_model="numpy")
def _integrals(image):  # type: ignore[no-untyped-def]
    height, width = image.shape
    first = np.zeros((height + 1, width + 1))
    second = np.zeros((height + 1, width + 1))
    for y in range(height):
        row, row2 = 0.0, 0.0
        for x in range(width):
            value = np.float64(image[y, x])
            row += value
            row2 += value * value
            first[y + 1, x + 1] = first[y, x + 1] + row
            second[y + 1, x + 1] = second[y, x + 1] + row2
    return first, second


@njit(nogil=True, cache=True, error_model="numpy")
def _rectangle_sums(table, table2, top, bottom, left, right, first, second):  # type: ignore[no-untyped-def]
    for i in range(len(top)):
        t, b = top[i], bottom[i]
        for j in range(len(left)):
            x, y = left[j], right[j]
            first[i, j] = table[b, y] - table[t, y] - table[b, x] + table[t, x]
            second[i, j] = table2[b, y] - table2[t, y] - table2[b, x] + table2[t, x]


@njit(nogil=True, cache=True, error_model="numpy")
def _best_score(product, ours, theirs, sizes, correlated):  # type: ignore[no-untyped-def]
    # correlation in standard deviations of what noise would give (Fisher's z), largest first found
    (sums, squares), (sums2, squares2), (height, width) = ours, theirs, sizes
    reach = len(height) // 2
    best, best_dy, best_dx = -np.inf, 0, 0
    for i in range(len(height)):
        for j in range(len(width)):
            n = np.float64(height[i] * width[j])
            if n < 1:
                continue
            variance = (squares[i, j] - sums[i, j] ** 2 / n) * (
                squares2[i, j] - sums2[i, j] ** 2 / n
            )
            score = 0.0
            if variance > 1e-12 * squares[i, j] * squares2[i, j]:
                cross = np.float64(product[i - reach, j - reach])
                ncc = (cross - sums[i, j] * sums2[i, j] / n) / np.sqrt(variance)
                ncc = min(max(ncc, -0.9999999), 0.9999999)
                score = np.arctanh(ncc) * np.sqrt(max(n / correlated - 3.0, 0.0))
            if score > best:
                best, best_dy, best_dx = score, i - reach, j - reach
    return best_dy, best_dx, best


@njit(nogil=True, cache=True, error_model="numpy")
def _smooth(images, weights, smoothed):  # type: ignore[no-untyped-def]
    # separable, edges repeated; in single precision, four times as quick as scipy's general filter
    n_images, height, width = images.shape
    radius = len(weights) // 2
    row = np.empty(width + 2 * radius, np.float32)
    for image in range(n_images):
        for y in range(height):
            row[:] = 0
            for k in range(len(weights)):
                source = images[image, min(max(y + k - radius, 0), height - 1)]
                for x in range(width):
                    row[x + radius] += weights[k] * source[x]
            row[:radius] = row[radius]
            row[width + radius :] = row[width + radius - 1]
            out = smoothed[image, y]
            out[:] = 0
            for k in range(len(weights)):
                for x in range(width):
                    out[x] += weights[k] * row[x + k]
