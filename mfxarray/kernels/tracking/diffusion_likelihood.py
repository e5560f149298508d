"""Diffusion coefficients of tracks by maximum likelihood.

The model is that of `mfxarray.kernels.tracking.diffusion`. Its covariance is tridiagonal, so a
likelihood costs as much as a sum over the steps, and so do its derivatives, which are carried
along.

References
----------
Berglund (2010), Phys. Rev. E 82, 011917. Michalet, Berglund (2012), Phys. Rev. E 85, 061916.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mfxarray.kernels.tracking.diffusion import covariance_estimates
from mfxarray.kernels.tracking.displacements import StepColumn, Steps

__all__ = ["likelihood_derivatives", "likelihood_estimates"]

Array = np.ndarray[Any, Any]

# places of a first search, and steps of the golden section around the best of them
_PLACES, _ROUNDS = 13, 24
_SECTION = 0.5 * (3.0 - np.sqrt(5.0))


def likelihood_estimates(steps: Steps, sums: Array, blur: Array, known: float) -> Array:
    """Return the D and s of each track under which its steps are most likely.

    Parameters
    ----------
    steps, sums, blur, known
        As for `mfxarray.kernels.tracking.diffusion.covariance_estimates`.

    Returns
    -------
    numpy.ndarray
        D, its variance, s, its variance; shape (track, 4). Neither D nor s is below 0.

    Notes
    -----
    The scale has a closed form, so only the share of the error is searched for, from 0 to 1. The
    variances are those of the curvature of the likelihood at its top; where D or s is at its bound
    and the likelihood is not curved downwards there, those of the covariances of steps.
    """
    out = np.full((len(blur), 4), np.nan)
    squares = sums[:, StepColumn.SQUARES].sum(axis=1)
    arrays = (steps.time, steps.step, steps.follows, steps.bounds, steps.axes)
    _estimates(*arrays, squares, np.ascontiguousarray(blur, float), float(known), out)
    flat = np.isnan(out) & ~np.isnan(out[:, :1])
    if flat.any():
        out[flat] = covariance_estimates(steps, sums, blur, known)[flat]
    return out


def likelihood_derivatives(steps: Steps, blur: Array, diffusion: float, error: float) -> Array:
    """Return the log likelihood of each track for a given D and s, and its derivatives.

    Returns
    -------
    numpy.ndarray
        Log likelihood, by D, by s, by D twice, by D and s, by s twice; shape (track, 6). The log
        likelihood is -inf where D and s give no covariance.
    """
    out = np.zeros((len(blur), 6))
    arrays = (steps.time, steps.step, steps.follows, steps.bounds, steps.axes)
    _all_derivatives(*arrays, np.ascontiguousarray(blur, float), diffusion, error, out)
    return out


@njit(nogil=True, cache=True, error_model="numpy")
def _pieces(time, step, follows, blur, diffusion, error):  # type: ignore[no-untyped-def]
    """Return the log determinant of the covariance along an axis, and the quadratic form."""
    c = 2.0 * blur * diffusion - error
    logs, squares, d = 0.0, 0.0, 1.0
    x = y = z = 0.0
    for row in range(len(time)):
        q = c / d if follows[row] else 0.0
        d = 2.0 * diffusion * (time[row] - 2.0 * blur) + 2.0 * error - c * q
        if not d > 0.0:
            return np.inf, np.inf
        x, y, z = step[row, 0] - q * x, step[row, 1] - q * y, step[row, 2] - q * z
        logs += np.log(d)
        squares += (x * x + y * y + z * z) / d
    return logs, squares


@njit(nogil=True, cache=True, error_model="numpy")
def _misfit(time, step, follows, axes, blur, mean, known, scale, place):  # type: ignore[no-untyped-def]
    """Return minus twice the log likelihood, without constants, at a place from 0 to pi/2."""
    share = np.sin(place) ** 2
    if known == known:
        logs, squares = _pieces(time, step, follows, blur, _told(scale, share) / mean, known)
        return axes * logs + squares
    logs, squares = _pieces(time, step, follows, blur, (1.0 - share) / mean, share)
    return axes * logs + len(time) * axes * np.log(squares / (len(time) * axes))


@njit(nogil=True, cache=True, error_model="numpy")
def _told(scale, share):  # type: ignore[no-untyped-def]
    """Return a number from 0 to 32 times the scale for a share from 0 to 1."""
    return scale * np.tan(0.49 * np.pi * share)


@njit(nogil=True, cache=True, error_model="numpy")
def _search(time, step, follows, axes, blur, mean, known, scale):  # type: ignore[no-untyped-def]
    """Return the place of the smallest misfit."""
    width = 0.5 * np.pi / (_PLACES - 1)
    best, least = 0.0, np.inf
    for number in range(_PLACES):
        value = _misfit(time, step, follows, axes, blur, mean, known, scale, number * width)
        if value < least:
            best, least = number * width, value
    low, high = max(best - width, 0.0), min(best + width, 0.5 * np.pi)
    for _ in range(_ROUNDS):
        upper = high - best > best - low
        place = best + _SECTION * (high - best) if upper else best - _SECTION * (best - low)
        value = _misfit(time, step, follows, axes, blur, mean, known, scale, place)
        if value < least:
            low, high = (best, high) if upper else (low, best)
            best, least = place, value
        elif upper:
            high = place
        else:
            low = place
    return best


@njit(nogil=True, cache=True, error_model="numpy")
def _estimates(times, steps, followings, bounds, n_axes, totals, blurs, known, out):  # type: ignore[no-untyped-def]
    found = np.empty(6)
    for track in range(len(out)):
        own = slice(bounds[track], bounds[track + 1])
        time, step, follows = times[own], steps[own], followings[own]
        axes, blur = n_axes[track], blurs[track]
        mean = np.mean(time) if len(time) else 0.0
        least = 1 if known == known else 2
        if len(time) < least or not (mean > 0.0 and totals[track] > 0.0 and axes > 0):
            continue
        scale = totals[track] / (len(time) * axes)
        share = np.sin(_search(time, step, follows, axes, blur, mean, known, scale)) ** 2
        if known == known:
            d, s = _told(scale, share) / mean, known
        else:
            _, squares = _pieces(time, step, follows, blur, (1.0 - share) / mean, share)
            amount = squares / (len(time) * axes)
            d, s = amount * (1.0 - share) / mean, amount * share
        _derivatives(time, step, follows, axes, blur, d, s, found)
        out[track, 0], out[track, 2] = d, s
        _curvature(found, known == known, out[track])


@njit(nogil=True, cache=True, error_model="numpy")
def _curvature(found, known, out):  # type: ignore[no-untyped-def]
    """Fill in the variances of D and s; at a bound one may be known where the other is not."""
    dd, ds, ss = -found[3], -found[4], -found[5]
    determinant = dd * ss - ds * ds
    if known:
        out[1], out[3] = 1.0 / dd if dd > 0.0 else np.nan, 0.0
    elif dd > 0.0 and determinant > 0.0:
        out[1], out[3] = ss / determinant, dd / determinant
    else:
        out[1], out[3] = 1.0 / dd if dd > 0.0 else np.nan, 1.0 / ss if ss > 0.0 else np.nan


@njit(nogil=True, cache=True, error_model="numpy")
def _all_derivatives(times, steps, followings, bounds, n_axes, blurs, diffusion, error, out):  # type: ignore[no-untyped-def]
    for track in range(len(out)):
        own = slice(bounds[track], bounds[track + 1])
        _derivatives(
            times[own],
            steps[own],
            followings[own],
            n_axes[track],
            blurs[track],
            diffusion,
            error,
            out[track],
        )


@njit(nogil=True, cache=True, error_model="numpy")
def _derivatives(time, step, follows, axes, blur, diffusion, error, out):  # type: ignore[no-untyped-def]
    """Fill in the log likelihood and its derivatives by D and s, carried along the recursion."""
    out[:] = 0.0
    c, c_d, c_s = 2.0 * blur * diffusion - error, 2.0 * blur, -1.0
    d, e = 1.0, np.zeros(3)
    # first derivatives by D and s, second ones by DD, Ds, ss
    d1, d2, q1, q2 = np.zeros(2), np.zeros(3), np.zeros(2), np.zeros(3)
    e1, e2 = np.zeros((2, 3)), np.zeros((3, 3))
    c1 = np.array([c_d, c_s])
    for row in range(len(time)):
        q = 0.0
        q1[:] = 0.0
        q2[:] = 0.0
        if follows[row]:
            q = c / d
            for i in range(2):
                q1[i] = (c1[i] - q * d1[i]) / d
            for k in range(3):
                i, j = k // 2, (k + 1) // 2
                q2[k] = -(q1[j] * d1[i] + q1[i] * d1[j] + q * d2[k]) / d
        d = 2.0 * diffusion * (time[row] - 2.0 * blur) + 2.0 * error - c * q
        if not d > 0.0:
            out[0] = -np.inf
            return
        d1[0] = 2.0 * (time[row] - 2.0 * blur) - c1[0] * q - c * q1[0]
        d1[1] = 2.0 - c1[1] * q - c * q1[1]
        for k in range(3):
            i, j = k // 2, (k + 1) // 2
            d2[k] = -c1[i] * q1[j] - c1[j] * q1[i] - c * q2[k]
        out[0] -= 0.5 * axes * np.log(2.0 * np.pi * d)
        for i in range(2):
            out[1 + i] -= 0.5 * axes * d1[i] / d
        for k in range(3):
            out[3 + k] -= 0.5 * axes * (d2[k] / d - d1[k // 2] * d1[(k + 1) // 2] / (d * d))
        for axis in range(3):
            _add_axis(step[row, axis], axis, q, q1, q2, d, d1, d2, e, e1, e2, out)


@njit(nogil=True, cache=True, error_model="numpy")
def _add_axis(step, axis, q, q1, q2, d, d1, d2, e, e1, e2, out):  # type: ignore[no-untyped-def]
    """Add the square of one innovation over its variance, and go on to the next."""
    # second derivatives first: they need the values of the step before
    for k in range(3):
        i, j = k // 2, (k + 1) // 2
        mixed = q1[i] * e1[j, axis] + q1[j] * e1[i, axis]
        e2[k, axis] = -q2[k] * e[axis] - mixed - q * e2[k, axis]
    for i in range(2):
        e1[i, axis] = -q1[i] * e[axis] - q * e1[i, axis]
    e[axis] = step - q * e[axis]
    own = e[axis]
    out[0] -= 0.5 * own * own / d
    for i in range(2):
        out[1 + i] -= 0.5 * (2.0 * own * e1[i, axis] / d - own * own * d1[i] / (d * d))
    for k in range(3):
        i, j = k // 2, (k + 1) // 2
        straight = 2.0 * (e1[i, axis] * e1[j, axis] + own * e2[k, axis]) / d
        crossed = 2.0 * own * (e1[i, axis] * d1[j] + e1[j, axis] * d1[i]) / (d * d)
        curved = own * own * (2.0 * d1[i] * d1[j] / d - d2[k]) / (d * d)
        out[3 + k] -= 0.5 * (straight - crossed + curved)
