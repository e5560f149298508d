"""How likely the steps of a track are if it rests, moves freely, is confined, or is driven.

All four models give the probability of the same numbers, the steps within segments, so that their
likelihoods can be compared:

* immobile: only the localization error, variance s along each axis;
* free: diffusion D and error s, see `mfxarray.kernels.tracking.diffusion_likelihood`;
* directed: diffusion, error and a constant velocity;
* confined: diffusion in a harmonic trap, whose places have the variance V and forget themselves
  within the time V / D, and error. The centre of the trap is unknown in each segment: it is
  integrated out, so that a trap of infinite width is free diffusion.

The trap is a state of one number a axis that is observed with error: the likelihood is that of the
Kalman filter, which costs as much as a sum over the steps, with irregular times too.

References
----------
Monnier et al. (2012), Biophys. J. 103, 616 (Bayesian choice of models of motion). Harvey (1989),
Forecasting, structural time series models and the Kalman filter, chapter 3 (diffuse mean).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mfxarray.kernels.tracking.displacements import Steps

__all__ = ["ModelColumn", "motion_models"]

Array = np.ndarray[Any, Any]

_PLACES, _ROUNDS = 13, 20
_SECTION = 0.5 * (3.0 - np.sqrt(5.0))
# first search of the trap: its memory in mean steps, and the share of the error
_MEMORIES, _SHARES = 8, 6
_HALVINGS = 7


class ModelColumn:
    """Where a number of `motion_models` stands in its row."""

    LOGS = slice(0, 4)  # log likelihood if immobile, free, confined, directed
    FREE_D = 4
    ERROR_IMMOBILE = 5
    ERROR_FREE = 6
    CONFINED_D = 7
    ERROR_CONFINED = 8
    VARIANCE = 9  # of the places in the trap, along an axis
    DIRECTED_D = 10
    ERROR_DIRECTED = 11
    VELOCITY = slice(12, 15)
    VELOCITY_ERROR = 15  # along an axis
    WIDTH = 16


def motion_models(steps: Steps, least: int) -> Array:
    """Return likelihoods and parameters of the four models, shape (track, 16): see `ModelColumn`.

    Parameters
    ----------
    steps
        Steps of tracks.
    least
        Tracks with fewer steps get NaN.
    """
    out = np.full((len(steps.axes), ModelColumn.WIDTH), np.nan)
    arrays = (steps.time, steps.step, steps.follows, steps.bounds, steps.axes)
    _models(*arrays, max(least, 4), out)
    return out


@njit(nogil=True, cache=True, error_model="numpy")
def _free(time, step, follows, mean, share, driven, sums):  # type: ignore[no-untyped-def]
    """Fill in log determinant, quadratic form, and what tells the velocity along each axis."""
    d0, s = (1.0 - share) / mean, share
    sums[:] = 0.0
    d, u = 1.0, 0.0
    x = y = z = 0.0
    for row in range(len(time)):
        q = -s / d if follows[row] else 0.0
        d = 2.0 * d0 * time[row] + 2.0 * s + s * q
        if not d > 0.0:
            sums[0] = np.inf
            return
        x, y, z = step[row, 0] - q * x, step[row, 1] - q * y, step[row, 2] - q * z
        sums[0] += np.log(d)
        sums[1] += (x * x + y * y + z * z) / d
        if driven:
            u = time[row] - q * u
            sums[2] += u * u / d
            sums[3] += u * x / d
            sums[4] += u * y / d
            sums[5] += u * z / d
    if driven:
        sums[1] -= (sums[3] ** 2 + sums[4] ** 2 + sums[5] ** 2) / sums[2]


@njit(nogil=True, cache=True, error_model="numpy")
def _segment(time, step, memory, wide, s):  # type: ignore[no-untyped-def]
    """Return log determinant and quadratic form of the steps of one segment in a trap.

    Places count from the first point. Beside the filter of the points there is one of ones, which
    tells the centre.
    """
    spread, one = wide, 0.0
    px = py = pz = mx = my = mz = 0.0
    logs, total, told, tx, ty, tz = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for row in range(-1, len(time)):
        if row >= 0:
            px, py, pz = px + step[row, 0], py + step[row, 1], pz + step[row, 2]
            keep = np.exp(-time[row] / memory)
            spread = keep * keep * spread - wide * np.expm1(-2.0 * time[row] / memory)
            mx, my, mz, one = keep * mx, keep * my, keep * mz, keep * one
        f = spread + s
        ex, ey, ez, eu = px - mx, py - my, pz - mz, 1.0 - one
        logs += np.log(f)
        total += (ex * ex + ey * ey + ez * ez) / f
        told += eu * eu / f
        tx, ty, tz = tx + eu * ex / f, ty + eu * ey / f, tz + eu * ez / f
        gain = spread / f
        mx, my, mz, one = mx + gain * ex, my + gain * ey, mz + gain * ez, one + gain * eu
        spread *= 1.0 - gain
    return logs + np.log(told), total - (tx * tx + ty * ty + tz * tz) / told


@njit(nogil=True, cache=True, error_model="numpy")
def _trap(time, step, follows, mean, memory, share, sums):  # type: ignore[no-untyped-def]
    """Fill in log determinant and quadratic form of all steps in a trap, along one axis."""
    wide = (1.0 - share) / mean * memory
    sums[:] = 0.0
    first = 0
    while first < len(time):
        last = first + 1
        while last < len(time) and follows[last]:
            last += 1
        logs, squares = _segment(time[first:last], step[first:last], memory, wide, share)
        sums[0] += logs
        sums[1] += squares
        first = last


@njit(nogil=True, cache=True, error_model="numpy")
def _score(sums, count, axes):  # type: ignore[no-untyped-def]
    """Return the log likelihood at the most likely scale."""
    n = count * axes
    if not sums[1] > 0.0:
        return -np.inf
    found = -0.5 * (axes * sums[0] + n * np.log(2.0 * np.pi * sums[1] / n) + n)
    return found if found == found else -np.inf


@njit(nogil=True, cache=True, error_model="numpy")
def _best_share(time, step, follows, axes, mean, driven, sums):  # type: ignore[no-untyped-def]
    """Return the best share of the error, and fill in what belongs to it."""
    width = 0.5 * np.pi / (_PLACES - 1)
    best, most = 0.0, -np.inf
    for number in range(_PLACES):
        _free(time, step, follows, mean, np.sin(number * width) ** 2, driven, sums)
        value = _score(sums, len(time), axes)
        if value > most:
            best, most = number * width, value
    low, high = max(best - width, 0.0), min(best + width, 0.5 * np.pi)
    for _ in range(_ROUNDS):
        upper = high - best > best - low
        place = best + _SECTION * (high - best) if upper else best - _SECTION * (best - low)
        _free(time, step, follows, mean, np.sin(place) ** 2, driven, sums)
        value = _score(sums, len(time), axes)
        if value > most:
            low, high = (best, high) if upper else (low, best)
            best, most = place, value
        elif upper:
            high = place
        else:
            low = place
    share = np.sin(best) ** 2
    _free(time, step, follows, mean, share, driven, sums)
    return share


@njit(nogil=True, cache=True, error_model="numpy")
def _best_trap(time, step, follows, axes, mean, sums):  # type: ignore[no-untyped-def]
    """Return the best memory and share of the error, by steps that get smaller."""
    longest = np.log(max(4.0 * len(time), 8.0))
    shortest = np.log(0.5)
    wide, high = (longest - shortest) / (_MEMORIES - 1), 0.5 * np.pi / _SHARES
    at, place, most = shortest, 0.0, -np.inf
    for one in range(_MEMORIES):
        for two in range(_SHARES):
            _trap(
                time, step, follows, mean,
                mean * np.exp(shortest + one * wide), np.sin(two * high) ** 2, sums,
            )  # fmt: skip
            value = _score(sums, len(time), axes)
            if value > most:
                at, place, most = shortest + one * wide, two * high, value
    for _ in range(_HALVINGS):
        wide, high = 0.5 * wide, 0.5 * high
        for more, turn in ((wide, 0.0), (-wide, 0.0), (0.0, high), (0.0, -high)):
            other = min(max(place + turn, 0.0), 0.5 * np.pi)
            memory = mean * np.exp(min(max(at + more, shortest - 2.0), longest))
            _trap(time, step, follows, mean, memory, np.sin(other) ** 2, sums)
            value = _score(sums, len(time), axes)
            if value > most:
                at, place, most = np.log(memory / mean), other, value
    memory, share = mean * np.exp(at), np.sin(place) ** 2
    _trap(time, step, follows, mean, memory, share, sums)
    return memory, share


@njit(nogil=True, cache=True, error_model="numpy")
def _models(times, steps, followings, bounds, n_axes, least, out):  # type: ignore[no-untyped-def]
    sums = np.empty(6)
    for track in range(len(out)):
        own = slice(bounds[track], bounds[track + 1])
        time, step, follows = times[own], steps[own], followings[own]
        axes, found, count = n_axes[track], out[track], len(time)
        mean = np.mean(time) if count else 0.0
        if count < least or not mean > 0.0 or axes == 0:
            continue
        n = count * axes
        _free(time, step, follows, mean, 1.0, False, sums)
        found[0], found[5] = _score(sums, count, axes), sums[1] / n
        share = _best_share(time, step, follows, axes, mean, False, sums)
        amount = sums[1] / n
        found[1], found[4], found[6] = (
            _score(sums, count, axes), amount * (1.0 - share) / mean, amount * share,
        )  # fmt: skip
        share = _best_share(time, step, follows, axes, mean, True, sums)
        amount = sums[1] / n
        found[3], found[10], found[11] = (
            _score(sums, count, axes), amount * (1.0 - share) / mean, amount * share,
        )  # fmt: skip
        for axis in range(3):
            found[12 + axis] = sums[3 + axis] / sums[2]
        found[15] = np.sqrt(amount / sums[2])
        memory, share = _best_trap(time, step, follows, axes, mean, sums)
        amount = sums[1] / n
        found[2], found[7], found[8] = (
            _score(sums, count, axes), amount * (1.0 - share) / mean, amount * share,
        )  # fmt: skip
        found[9] = found[7] * memory
