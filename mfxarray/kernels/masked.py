"""Normalised correlation of two images of which only some pixels are to be compared.

References
----------
Padfield (2012), Masked object registration in the Fourier domain, IEEE Trans. Image Proc. 21, 2706.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import fft

from mfxarray.kernels.correlation import Search, best_score

__all__ = ["MaskedSpectral", "MaskedTarget", "locate_masked", "masked_spectral", "masked_target"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class MaskedSpectral:
    """Spectra of the pixels that are seen, of their values and of the squares of these."""

    seen: Array
    values: Array
    squares: Array


MaskedTarget = MaskedSpectral


def masked_spectral(image: Array, seen: Array, search: Search) -> MaskedSpectral:
    """Return an image, shape (y, x), with the pixels that count (bool), made ready.

    Notes
    -----
    In double precision: sums over the overlap come out of the transforms too.
    """
    inside = seen.astype(np.float64)
    mean = float((image * inside).sum() / max(inside.sum(), 1.0))
    centred = (image - mean) * inside
    return MaskedSpectral(
        *(fft.rfft2(part, search.padded) for part in (inside, centred, centred * centred))
    )


masked_target = masked_spectral


def locate_masked(
    frame: MaskedSpectral, reference: MaskedTarget, search: Search
) -> tuple[int, int, Array]:
    """Return dy, dx of a frame onto a reference, and the scores around; see `locate`."""

    def correlate(theirs: Array, ours: Array) -> Array:
        return np.asarray(fft.irfft2(theirs * ours.conj(), search.padded))

    def shifts_of(circular: Array) -> Array:
        around = np.arange(-search.max_shift, search.max_shift + 1)
        return circular[np.ix_(around, around)]

    # whole numbers but for rounding
    pixels = np.rint(shifts_of(correlate(reference.seen, frame.seen)))
    ours, theirs = (
        (
            shifts_of(correlate(reference.seen, frame.values)),
            shifts_of(correlate(reference.seen, frame.squares)),
        ),
        (
            shifts_of(correlate(reference.values, frame.seen)),
            shifts_of(correlate(reference.squares, frame.seen)),
        ),
    )
    return best_score(correlate(reference.values, frame.values), ours, theirs, pixels, search)
