"""How well positions can be known: Cramér-Rao bounds, and how many of them are independent."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

__all__ = [
    "axial_bound",
    "effective_numbers",
    "excess_error",
    "lateral_bound",
    "signal_to_background",
]

Array = np.ndarray[Any, Any]


def lateral_bound(
    photons: ArrayLike, pattern_size: float, fwhm: float, sbr: ArrayLike = math.inf
) -> Array:
    """Return the smallest possible standard deviation along x or y, in the unit of the sizes.

    Parameters
    ----------
    photons
        Photons N of the pattern, background included.
    pattern_size
        Diameter L of the circle on which three of the four positions of the donut lie.
    fwhm
        Full width at half maximum that describes the donut.
    sbr
        Signal over background, infinite without background.

    Returns
    -------
    numpy.ndarray
        NaN where photons or ratio are not above 0.

    Raises
    ------
    ValueError
        If a size is not a number above 0, or L is not below ``fwhm / sqrt(ln 2)``.

    Notes
    -----
    Holds for an emitter in the centre of the pattern and four exposures of equal length.

    References
    ----------
    Balzarotti et al. (2017), Science 355, 606; Marin & Ries (2024), arXiv 2410.12427.
    """
    check_sizes(pattern_size, fwhm)
    narrowing = 1 - pattern_size**2 * math.log(2) / fwhm**2
    return _bound(photons, sbr, pattern_size / (2 * math.sqrt(2) * narrowing), 3 / 4)


def axial_bound(photons: ArrayLike, pattern_size: float, sbr: ArrayLike = math.inf) -> Array:
    """Return the smallest possible standard deviation along z, in the unit of the size.

    Parameters
    ----------
    photons
        Photons N of the pattern, background included.
    pattern_size
        Distance L between the outer two of three positions of the quadratic minimum.
    sbr
        Signal over background, infinite without background.

    Returns
    -------
    numpy.ndarray
        NaN where photons or ratio are not above 0.

    Raises
    ------
    ValueError
        If the size is not a number above 0.

    References
    ----------
    Marin & Ries (2024), arXiv 2410.12427.
    """
    check_sizes(pattern_size)
    return _bound(photons, sbr, pattern_size / 4, 2 / 3)


def check_sizes(pattern_size: float, fwhm: float | None = None) -> None:
    """Raise ValueError unless the sizes are numbers above 0 for which there is a bound."""
    for name, size in (("pattern_size", pattern_size), ("fwhm", fwhm)):
        if size is not None and not (math.isfinite(size) and size > 0):
            raise ValueError(f"{name} must be a number above 0, not {size!r}")
    if fwhm is not None and pattern_size >= fwhm / math.sqrt(math.log(2)):
        raise ValueError(
            f"pattern_size must be below fwhm / sqrt(ln 2) = {fwhm / math.sqrt(math.log(2)):.4g}, "
            f"not {pattern_size!r}: a wider pattern has no bound of this form"
        )


def _bound(photons: ArrayLike, sbr: ArrayLike, scale: float, share: float) -> Array:
    counts, ratio = np.asarray(photons, float), np.asarray(sbr, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        background = np.where(ratio > 0, 1 / ratio, np.nan)
        known = np.where(counts > 0, counts, np.nan)
        return scale / np.sqrt(known) * np.sqrt((1 + background) * (1 + share * background))


def signal_to_background(total: ArrayLike, background: ArrayLike) -> Array:
    """Return signal over background of a rate that holds both, NaN where it cannot be known.

    Parameters
    ----------
    total
        Emission rate with its background (``efo``).
    background
        Rate of the background (``fbg``). Files hold 0 where it was not measured and huge numbers
        where it was not sensed, so it counts only above 0 and below ``total``.
    """
    rate, below = np.asarray(total, float), np.asarray(background, float)
    known = (below > 0) & (rate > below) & np.isfinite(rate)
    return np.where(known, (rate - below) / np.where(known, below, 1.0), np.nan)


def excess_error(measured: ArrayLike, bound: ArrayLike) -> Array:
    """Return what is measured beyond the bound: 0 where it is below, NaN where one is not finite.

    Notes
    -----
    Independent errors add in squares: ``measured**2 = bound**2 + excess**2``.
    """
    one, other = np.asarray(measured, float), np.asarray(bound, float)
    known = np.isfinite(one) & np.isfinite(other)
    one, other = np.where(known, one, np.nan), np.where(known, other, np.nan)
    return np.sqrt(np.maximum((one - other) * (one + other), 0.0))


def effective_numbers(xyz: Array, starts: Array) -> Array:
    """Return how many independent localizations tell as much of the mean, shape (run, axis).

    Parameters
    ----------
    xyz
        Finite positions in the order of time, shape (row, axis).
    starts
        First row of each run, shape (run,).

    Returns
    -------
    numpy.ndarray
        Between 1 and the length of the run; NaN where all positions are the same.

    Notes
    -----
    ``n / (1 + 2 sum of rho_k)`` with the autocorrelation ``rho_k`` at a lag of k localizations,
    summed in pairs of lags as long as these are positive, none counted for more than the one
    before (Geyer's initial monotone sequence). Never above n: what looks anticorrelated in a short
    run mostly is the mean that was subtracted. The time is n times the correlation length.

    References
    ----------
    Geyer (1992), Practical Markov chain Monte Carlo, Statistical Science 7, 473.
    """
    bounds = np.append(starts, len(xyz)).astype(np.int64)
    out = np.empty((len(starts), xyz.shape[1]))
    _effective_numbers(np.ascontiguousarray(xyz, np.float64), bounds, out)
    return out


@njit(nogil=True, cache=True, error_model="numpy")
def _effective_numbers(xyz, bounds, out):  # type: ignore[no-untyped-def]
    for run in range(len(out)):
        first, n = bounds[run], bounds[run + 1] - bounds[run]
        apart = np.empty(n)
        for axis in range(out.shape[1]):
            # relative to the first one: positions are far larger than their differences
            mean, same = 0.0, True
            for row in range(n):
                apart[row] = xyz[first + row, axis] - xyz[first, axis]
                mean += apart[row] / n
                same = same and apart[row] == 0.0
            if same:
                out[run, axis] = np.nan
                continue
            apart -= mean
            total, squares, before = 0.0, 0.0, np.inf
            for lag in range(0, n, 2):
                even, odd = 0.0, 0.0
                for row in range(n - lag):
                    even += apart[row] * apart[row + lag]
                for row in range(n - lag - 1):
                    odd += apart[row] * apart[row + lag + 1]
                if lag == 0:
                    squares = even
                elif even + odd <= 0.0:
                    break
                before = min(before, even + odd)
                total += before
            length = 2.0 * total / squares - 1.0
            out[run, axis] = n / min(max(length, 1.0), float(n))
