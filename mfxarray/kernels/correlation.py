"""Normalised correlation of two images over their true overlap, at every shift within reach.

No padding with zeros that could pull the answer to zero shift, and no wrap-around: for every
shift only the pixels that both images really have are compared, with the means and energies of
just those pixels.

References
----------
Padfield (2012), Masked object registration in the Fourier domain, IEEE Trans. Image Proc. 21, 2706,
of which this is the case of two rectangular masks; `mfxarray.kernels.masked` has the general one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from scipy import fft, special

from mfxarray.kernels.stabilise import CORRELATED

__all__ = ["Search", "Spectral", "Target", "locate", "spectral", "target"]

Array = np.ndarray[Any, Any]

# a frame in this many of pure noise may pass as confident
_FALSE_ALARM = 1e-4
# images are searched in blocks of pixels from twice this side on; 256 px keep all structure that
# the beam can draw, and the transforms stay cheap
_ENOUGH = 256


@dataclass(frozen=True)
class Search:
    """Where to look for the translation of a frame.

    Attributes
    ----------
    shape
        (y, x) of the frames.
    max_shift
        Largest translation along either axis, pixels.
    block
        Side of the blocks of the frame's pixels that became one pixel here.
    """

    shape: tuple[int, int]
    max_shift: int
    block: int = 1

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
        trials = max((2 * self.max_shift + 1) ** 2 / self.correlated, 1.0)
        return float(-special.ndtri(_FALSE_ALARM / trials))

    @property
    def correlated(self) -> float:
        """Return how many pixels of smoothed noise tell as much as one of plain noise."""
        # a block of b pixels smooths with a variance of (b^2 - 1) / 12
        return CORRELATED * (1 + (self.block**2 - 1) / 12) / self.block**2

    @property
    def factor(self) -> int:
        """Return the side of the blocks of pixels in which the whole reach is searched."""
        return max(min(self.shape) // _ENOUGH, 1)

    @property
    def coarse(self) -> Search:
        """Return the same search in blocks of pixels."""
        rows, columns = (size // self.factor for size in self.shape)
        reach = -(-self.max_shift // self.factor)
        return Search((rows, columns), min(reach, rows - 1, columns - 1), self.factor)


@dataclass(frozen=True)
class Spectral:
    """A frame made ready: its spectrum, and the integrals of its values and squares."""

    spectrum: Array
    values: Array
    squares: Array


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
        """Pixels of the overlap along the axis, for every shift."""
        return self.stop - self.start


def spectral(frame: Array, search: Search) -> Spectral:
    """Return a prepared frame, shape (y, x), ready to be located."""
    centred = (frame - frame.mean(dtype=np.float64)).astype(np.float32)
    return Spectral(fft.rfft2(centred, search.padded), *_integrals(centred))


def target(
    image: Array, search: Search, rows: slice | None = None, columns: slice | None = None
) -> Target:
    """Return a reference made ready.

    Parameters
    ----------
    image
        A prepared image or a mean of such, shape (y, x) or that of ``rows`` and ``columns``.
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
    sums, squares = _overlap_sums(_integrals(centred), *along)
    return Target(fft.rfft2(centred, search.padded), *along, sums, squares)


def locate(frame: Spectral, reference: Target, search: Search) -> tuple[int, int, Array]:
    """Return dy, dx of a frame onto a reference, and the scores around, shape (3, 3).

    Scores are correlation coefficients in standard deviations of what noise would give; -inf beyond
    the reach. Of equal ones the first is taken.
    """
    product = fft.irfft2(reference.spectrum * frame.spectrum.conj(), search.padded)
    rows, columns = reference.rows, reference.columns
    sums, squares = _overlap_sums((frame.values, frame.squares), _moved(rows), _moved(columns))
    pixels = np.multiply.outer(rows.size, columns.size).astype(np.float64)
    theirs = (reference.sums, reference.squares)
    return best_score(product, (sums, squares), theirs, pixels, search)


def best_score(
    product: Array,
    ours: tuple[Array, Array],
    theirs: tuple[Array, Array],
    pixels: Array,
    search: Search,
) -> tuple[int, int, Array]:
    """Return dy, dx and the scores around the best shift.

    Parameters
    ----------
    product
        Sums of products of both images, by circular shift.
    ours, theirs
        Sums and sums of squares of frame and reference over the overlap, from the most negative
        shift on.
    pixels
        Pixels of the overlap, likewise.
    search
        Where was looked.
    """
    dy, dx, around = _best_score(product, *ours, *theirs, pixels, search.correlated)
    return dy - search.max_shift, dx - search.max_shift, around


def _overlap(reference: slice, size: int, search: Search) -> _Overlap:
    shifts = np.arange(-search.max_shift, search.max_shift + 1)
    begin = np.maximum(reference.start, shifts)
    end = np.maximum(np.minimum(reference.stop, size + shifts), begin)
    return _Overlap(begin, end, shifts)


def _moved(overlap: _Overlap) -> _Overlap:
    """Return the same overlap in pixels of the frame."""
    shifts = overlap.shifts
    return _Overlap(overlap.start - shifts, overlap.stop - shifts, shifts)


def _overlap_sums(
    tables: tuple[Array, Array], rows: _Overlap, columns: _Overlap
) -> tuple[Array, Array]:
    """Return sums and sums of squares of an image over its overlap at every shift."""
    # far shifts may leave the image altogether; their overlap is empty wherever it is
    size_y, size_x = (size - 1 for size in tables[0].shape)
    top, bottom = np.clip(rows.start, 0, size_y), np.clip(rows.stop, 0, size_y)
    left, right = np.clip(columns.start, 0, size_x), np.clip(columns.stop, 0, size_x)
    first, second = np.empty((2, len(top), len(left)))
    _rectangle_sums(*tables, top, bottom, left, right, first, second)
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
def _score(i, j, product, sums, squares, sums2, squares2, pixels, correlated):  # type: ignore[no-untyped-def]
    # Fisher's z of the correlation coefficient
    n, reach = pixels[i, j], len(pixels) // 2
    if n < 1:
        return -np.inf
    variance = (squares[i, j] - sums[i, j] ** 2 / n) * (squares2[i, j] - sums2[i, j] ** 2 / n)
    if not variance > 1e-12 * squares[i, j] * squares2[i, j]:
        return 0.0
    cross = np.float64(product[i - reach, j - reach]) - sums[i, j] * sums2[i, j] / n
    ncc = min(max(cross / np.sqrt(variance), -0.9999999), 0.9999999)
    return np.arctanh(ncc) * np.sqrt(max(n / correlated - 3.0, 0.0))


@njit(nogil=True, cache=True, error_model="numpy")
def _best_score(product, sums, squares, sums2, squares2, pixels, correlated):  # type: ignore[no-untyped-def]
    n_y, n_x = pixels.shape
    reach = n_y // 2
    largest = np.sqrt(max(pixels.max() / correlated - 3.0, 0.0))
    best, best_i, best_j, least = -np.inf, 0, 0, -1.0
    for i in range(n_y):
        for j in range(n_x):
            n = pixels[i, j]
            if least > 0.0 and n >= 1:
                # a coefficient that could not win in the largest overlap needs no logarithm
                cross = np.float64(product[i - reach, j - reach]) - sums[i, j] * sums2[i, j] / n
                if cross <= 0.0:
                    continue
                first = squares[i, j] - sums[i, j] ** 2 / n
                second = squares2[i, j] - sums2[i, j] ** 2 / n
                if cross * cross < least * first * second:
                    continue
            score = _score(i, j, product, sums, squares, sums2, squares2, pixels, correlated)
            if score > best:
                best, best_i, best_j = score, i, j
                if best > 0.0:
                    least = 0.9999 * np.tanh(best / largest) ** 2
    around = np.full((3, 3), -np.inf)
    for i in range(max(best_i - 1, 0), min(best_i + 2, n_y)):
        for j in range(max(best_j - 1, 0), min(best_j + 2, n_x)):
            around[i - best_i + 1, j - best_j + 1] = _score(
                i, j, product, sums, squares, sums2, squares2, pixels, correlated
            )
    return best_i, best_j, around
