"""Translations as the seed (openformat.mims) finds them, bit for bit, for those who must compare.

Frames are padded with zeros, correlated around the edges, and added to a running sum. The answer
leans towards zero shift and may wrap; `mfxarray.kernels.beads.registration` does better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from scipy import fft

from mfxarray.kernels.shifts import shift_frames

__all__ = [
    "SeedRunning",
    "seed_register",
    "seed_settle",
    "seed_shift",
    "seed_spectra",
    "seed_start",
]

Array = np.ndarray[Any, Any]

# the running spectrum is renewed from the exact integer sum every so many frames
_RENEW = 32
# error of a correlation by single precision transforms, as a part of the product of the norms of
# both images: below 6.4e-7 for 64 to 1024 px and 0.01 to 500 counts (performance.md, A4)
_TOLERANCE = 4e-6


@dataclass(frozen=True)
class SeedRunning:
    """The state of the seed's registration.

    Attributes
    ----------
    index
        Number of the next frame.
    total
        Exact integer sum of the padded, shifted frames.
    norm
        Bound of the Euclidean norm of ``total``: the sum of the norms of the frames.
    """

    index: int
    total: Array
    norm: float


def seed_start(shape: tuple[int, int], padding: int) -> SeedRunning:
    """Return the state before the first frame of ``shape`` (y, x)."""
    height, width = (size + 2 * padding for size in shape)
    return SeedRunning(0, np.zeros((height, width), np.int64), 0.0)


def seed_spectra(planes: Array, padding: int) -> tuple[Array, Array, Array]:
    """Return padded frames, their spectra and their norms; each frame for itself."""
    padded = _pad(planes, padding)
    single = padded.astype(np.float32)
    norms = np.sqrt(np.einsum("fyx,fyx->f", single, single, dtype=np.float64))
    return padded, fft.rfft2(single, axes=(1, 2)), norms


def seed_register(
    state: SeedRunning, padded: Array, spectra: Array, norms: Array
) -> tuple[SeedRunning, Array]:
    """Return the state after a block of frames, and the translations, shape (frame, 2)."""
    total, norm = state.total.copy(), state.norm
    spectrum = fft.rfft2(total.astype(np.float32))
    shifts = np.zeros((len(padded), 2), np.int64)
    ramps = _Ramps(total.shape)
    for row, (frame, own, length) in enumerate(zip(padded, spectra, norms, strict=True)):
        if (state.index + row) % _RENEW == 0:
            spectrum = fft.rfft2(total.astype(np.float32))
        if state.index + row:
            noise = _TOLERANCE * norm * float(length)
            shifts[row] = _best_shift(total, frame, spectrum * own.conj(), noise)
        dy, dx = (int(shift) for shift in shifts[row])
        _add_rolled(total, frame, dy, dx)
        spectrum = spectrum + own * ramps.of(dy, dx)
        norm += float(length)
    return SeedRunning(state.index + len(padded), total, norm), shifts


def seed_settle(shifts: Array) -> Array:
    """Return translations with their median subtracted, the median cut to an integer."""
    return np.asarray(shifts - np.median(shifts, axis=0).astype(np.int64))


def seed_shift(frames: Array, shifts: Array, padding: int) -> Array:
    """Return padded frames rolled by their translations; what leaves on one side enters opposite.

    Parameters
    ----------
    frames
        Shape (frame, detector, y, x).
    shifts
        Shape (frame, 2), dy and dx.
    padding
        Pixels of zeros added on every side.
    """
    if np.abs(shifts).max(initial=0) <= padding:
        # nothing can wrap around, and moving is quicker than rolling
        return shift_frames(frames, shifts, padding)
    padded = _pad(frames, padding)
    for index, (dy, dx) in enumerate(shifts):
        padded[index] = np.roll(padded[index], (int(dy), int(dx)), axis=(1, 2))
    return padded


def _pad(frames: Array, padding: int) -> Array:
    width = [(0, 0)] * (frames.ndim - 2) + [(padding, padding)] * 2
    return np.pad(frames, width)


def _best_shift(total: Array, frame: Array, product: Array, noise: float) -> tuple[int, int]:
    """Return the shift of the largest correlation, settled in exact integers where it is close."""
    correlation = fft.irfft2(product, total.shape)
    close = _close_to_best(correlation, max(noise, 0.5))
    if len(close) > 1:
        own = frame.astype(np.int64)
        exact = [int((total * np.roll(own, (y, x), (0, 1))).sum()) for y, x in close]
        close = close[exact.index(max(exact)) :]
    dy, dx = (
        int(index) if index < (size + 1) // 2 else int(index) - size
        for index, size in zip(close[0], total.shape, strict=True)
    )
    return dy, dx


def _add_rolled(total: Array, frame: Array, dy: int, dx: int) -> None:
    total += np.roll(frame, (dy, dx), axis=(0, 1))


class _Ramps:
    """Phase factors that roll an image of a given shape in its spectrum."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        height, width = shape
        self._y = fft.fftfreq(height)
        self._x = fft.rfftfreq(width)

    def of(self, dy: int, dx: int) -> Array:
        """Return the factors for a roll by (dy, dx)."""
        along_y = np.exp(-2j * np.pi * self._y * dy).astype(np.complex64)
        along_x = np.exp(-2j * np.pi * self._x * dx).astype(np.complex64)
        return np.multiply.outer(along_y, along_x)


@njit(nogil=True, cache=True, error_model="numpy")
def _close_to_best(correlation, noise):  # type: ignore[no-untyped-def]
    # in index order, so that the first of equals comes first
    best = correlation.max()
    close = [(y, x) for y in range(0) for x in range(0)]
    for y in range(correlation.shape[0]):
        for x in range(correlation.shape[1]):
            if correlation[y, x] >= best - noise:
                close.append((y, x))
    return close
