"""Diffusion coefficients of tracks by the covariances of their steps.

Along each axis a freely moving particle that is localized at times t_k with error variance s has
Gaussian steps with

    var(step_k) = 2 D (dt_k - 2 b) + 2 s,    cov(step_k, step_k+1) = 2 D b - s,

and steps further apart are independent. The time b tells the motion blur: it is R times the time of
a localization, and R is 1/6 if light is gathered all that time, 0 if in a flash. Times need not be
regular.

References
----------
Berglund (2010), Phys. Rev. E 82, 011917. Vestergaard, Blainey, Flyvbjerg (2014), Phys. Rev. E 89,
022726.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mfxarray.kernels.tracking.displacements import StepColumn, Steps

__all__ = ["covariance_estimates"]

Array = np.ndarray[Any, Any]


def covariance_estimates(steps: Steps, sums: Array, blur: Array, known: float) -> Array:
    """Return what the covariances of steps tell of each track.

    Parameters
    ----------
    steps
        Steps of tracks.
    sums
        Result of `step_sums` for them.
    blur
        Seconds b of each track, shape (track,).
    known
        Variance of the localization error along an axis, m^2; NaN where it is to be found.

    Returns
    -------
    numpy.ndarray
        D, its variance, s, its variance; shape (track, 4). NaN where there are too few steps.

    Notes
    -----
    The estimates are unbiased, also for irregular times: D is half the mean squared step, plus the
    mean product of steps that follow each other, over the mean time. Both are quadratic forms of
    Gaussian steps, whose variance 2 tr(A S A S) is exact; with regular times it is that of
    Vestergaard et al. It needs the true D and s: what was found takes their place.
    """
    number, pairs, time = (sums[:, at] for at in (StepColumn.STEPS, StepColumn.PAIRS, 4))
    axes = steps.axes
    squares = sums[:, StepColumn.SQUARES].sum(axis=1)
    products = sums[:, StepColumn.PRODUCTS].sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        if np.isnan(known):
            found = (squares / 2 + products * number / pairs) / (time * axes)
            error = 2 * blur * found - products / (pairs * axes)
            diagonal, beside = 1 / (2 * time), number / (2 * pairs * time)
            forms = (diagonal, beside, 2 * blur * diagonal, 2 * blur * beside - 1 / (2 * pairs))
        else:
            clear = time - 2 * blur * number
            found = (squares / axes - 2 * known * number) / (2 * clear)
            error = np.full(len(found), known)
            forms = (1 / (2 * clear), 0.0 * clear, 0.0 * clear, 0.0 * clear)
        model = (blur, np.maximum(found, 0.0), np.maximum(error, 0.0))
        spreads = [_form_variances(steps, model, *pair) / axes for pair in (forms[:2], forms[2:])]
    out = np.column_stack([found, spreads[0], error, spreads[1]])
    out[~np.isfinite(found)] = np.nan
    return out


def _form_variances(
    steps: Steps, model: tuple[Array, Array, Array], diagonal: Array, beside: Array
) -> Array:
    out = np.empty(len(steps.axes))
    _fill_variances(steps.time, steps.follows, steps.bounds, *model, diagonal, beside, out)
    return out


@njit(nogil=True, cache=True, error_model="numpy")
def _fill_variances(time, follows, bounds, blur, diffusion, error, diagonal, beside, out):  # type: ignore[no-untyped-def]
    """Fill in 2 tr(A S A S) of one axis, for A and S that are tridiagonal within segments."""
    for track in range(len(out)):
        d, s, b = diffusion[track], error[track], blur[track]
        alpha, beta, c = diagonal[track], beside[track], 2.0 * b * d - s
        # diagonal of the product A S: that of the step before waits for what comes after it
        total, waiting, before = 0.0, 0.0, 0.0
        for row in range(bounds[track], bounds[track + 1]):
            a = max(2.0 * d * (time[row] - 2.0 * b) + 2.0 * s, 0.0)
            own = alpha * a
            if follows[row]:
                waiting += beta * c
                own += beta * c
                total += 2.0 * (alpha * c + beta * a) * (alpha * c + beta * before)
                if follows[row - 1]:
                    total += 2.0 * beta * c * beta * c
            total += waiting * waiting
            waiting, before = own, a
        out[track] = 2.0 * (total + waiting * waiting)
