"""Sums of two spectra over rings (shells in 3D) of equal spatial frequency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from scipy import fft

__all__ = ["Rings", "half_spectrum", "ring_coefficients", "ring_sums"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Rings:
    """Rings of a spectrum: ring k is around the frequency ``k * width``, half a width to each side.

    Attributes
    ----------
    shape
        Of the image that is transformed, (y, x) or (z, y, x).
    pixel
        Size of a pixel along each axis, metres.
    width
        1/m.
    count
        How many rings there are; what lies beyond is left out.
    """

    shape: tuple[int, ...]
    pixel: tuple[float, ...]
    width: float
    count: int

    @property
    def frequency(self) -> Array:
        """Frequencies of the rings, shape (ring,), 1/m."""
        return np.arange(self.count) * self.width

    def squares(self) -> tuple[Array, Array]:
        """Return the squared frequencies, in ring widths, of rows and columns of the spectrum."""
        steps = [
            np.square(fft.fftfreq(n, size) / self.width)
            for n, size in zip(self.shape, self.pixel, strict=True)
        ]
        rows = steps[0] if len(steps) == 2 else np.add.outer(steps[0], steps[1]).ravel()
        columns = np.square(fft.rfftfreq(self.shape[-1], self.pixel[-1]) / self.width)
        return np.ascontiguousarray(rows), columns


def half_spectrum(image: Array) -> Array:
    """Return the Fourier transform of a real image without the half that its other half tells.

    Shape ``(..., x // 2 + 1)``; complex64 of float32, complex128 of float64.
    """
    return np.asarray(fft.rfftn(image))


def ring_sums(total: Array, first: Array, rings: Rings) -> Array:
    """Return what the correlation of the two halves of a data set is made of, ring by ring.

    Parameters
    ----------
    total
        Half spectrum of the image of all points, see `half_spectrum`.
    first
        That of the points of the first half; the second half is what is left.
    rings
        The rings.

    Returns
    -------
    numpy.ndarray
        Shape (3, ring), float64: sums of the real part of the product of the first spectrum with
        the conjugate of the second, of the squares of the first, and of the second. Both halves of
        the plane count.
    """
    rows, columns = rings.squares()
    sums = np.zeros((rings.count, 3))
    all_rows, first_rows = (part.reshape(len(rows), -1) for part in (total, first))
    _ring_sums(all_rows, first_rows, rows, columns, rings.shape[-1] % 2 == 0, sums)
    return np.ascontiguousarray(sums.T)


def ring_coefficients(rings: Rings) -> Array:
    """Return how many coefficients of the whole spectrum each ring has, shape (ring,), int64."""
    counts = np.zeros(rings.count, np.int64)
    rows, columns = rings.squares()
    rows, times = np.unique(rows, return_counts=True)
    _ring_counts(rows, times, columns, rings.shape[-1] % 2 == 0, counts)
    return counts


@njit(nogil=True, cache=True)
def _ring_sums(total, first, rows, columns, even, sums):  # type: ignore[no-untyped-def]
    count, last = len(sums), len(columns) - 1
    rings = np.empty(last + 1, np.int32)
    for row in range(len(rows)):
        # a loop of its own, which the compiler makes of vectors
        for column in range(last + 1):
            rings[column] = np.int32(np.sqrt(rows[row] + columns[column]) + 0.5)
        for column in range(last + 1):
            ring = rings[column]
            # frequencies grow along a row
            if ring >= count:
                break
            # the other half of the plane has the conjugate of all but these columns
            weight = 1.0 if column == 0 or (even and column == last) else 2.0
            a, t = first[row, column], total[row, column]
            ar, ai = np.float64(a.real), np.float64(a.imag)
            br, bi = np.float64(t.real) - ar, np.float64(t.imag) - ai
            sums[ring, 0] += weight * (ar * br + ai * bi)
            sums[ring, 1] += weight * (ar * ar + ai * ai)
            sums[ring, 2] += weight * (br * br + bi * bi)


@njit(nogil=True, cache=True)
def _ring_counts(rows, times, columns, even, counts):  # type: ignore[no-untyped-def]
    last = len(columns) - 1
    for row in range(len(rows)):
        for column in range(last + 1):
            ring = int(np.sqrt(rows[row] + columns[column]) + 0.5)
            if ring >= len(counts):
                break
            weight = 1 if column == 0 or (even and column == last) else 2
            counts[ring] += weight * times[row]
