"""The drift that is left in matched traces, and the covariance of the drift of the windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.interpolate import Akima1DInterpolator

from mfxarray.kernels.drift.matches import Matches
from mfxarray.kernels.drift.solve import Curve

__all__ = ["Bends", "covariance_of", "curve_deviation", "rest_of"]

Array = np.ndarray[Any, Any]

# variances of short windows that many times those of the long ones tell nothing
_BLIND = 16.0


@dataclass(frozen=True)
class Bends:
    """What windows half as long say.

    Attributes
    ----------
    times
        Mean times, seconds, shape (window,).
    values, variances
        Their drift and its variance, metres and m^2, shape (window, axis).
    """

    times: Array
    values: Array
    variances: Array


def rest_of(matches: Matches, times: Array, beyond: str) -> Array:
    """Return what is left of the drift of the windows, metres, shape (window, axis), mean 0.

    Parameters
    ----------
    matches
        Sums of matches after the correction so far.
    times
        Mean times of the windows, seconds.
    beyond
        See `drift_solve.Curve`.
    """
    rows = _rows(matches, times, beyond)
    pull = matches.pulls.sum(axis=0)
    found = [
        np.linalg.solve(_stiffness(rows, matches, axis), rows.T @ pull[:, axis])
        for axis in range(pull.shape[1])
    ]
    return np.stack(found, axis=1)


def covariance_of(matches: Matches, times: Array, beyond: str) -> Array:
    """Return the covariance of the drift of the windows, m^2, shape (axis, window, window).

    Notes
    -----
    Parts of the field are independent of each other whatever their structure is, so the scatter of
    their pulls gives the errors. It is compared to that of independent pairs of traces: the ratio,
    over all windows together, is what few parts in one window cannot tell.
    """
    rows = _rows(matches, times, beyond)
    found = []
    for axis in range(matches.pulls.shape[2]):
        back = np.linalg.inv(_stiffness(rows, matches, axis))
        parts = matches.pulls[:, :, axis] @ rows
        parts = parts[(parts != 0).any(axis=1)]
        scatter = parts.T @ parts * (len(parts) / max(len(parts) - 1, 1))
        alone = rows.T @ (rows * matches.squares[:, None]) * matches.spread[axis] ** 2
        clumped = max(float(np.trace(scatter) / max(np.trace(alone), 1e-300)), 1.0)
        pooled, own = back @ alone @ back * clumped, back @ scatter @ back
        # whichever of both says more, window by window
        more = np.sqrt(np.maximum(np.diag(own) / np.maximum(np.diag(pooled), 1e-300), 1.0))
        found.append(pooled * more[:, None] * more)
    return np.stack(found)


def curve_deviation(
    curve: Curve, values: Array, covariance: Array, at: Array, bends: Bends | None = None
) -> Array:
    """Return the standard deviation of a curve through windows, metres, shape (time, axis).

    Besides the errors of the windows it has the difference to another smooth curve through them,
    and beyond them what their curvature may do.
    """
    times = curve.times
    shares = Curve(times, np.eye(len(times)), curve.beyond)(at)
    errors = np.stack([((shares @ part) * shares).sum(axis=1) for part in covariance], axis=1)
    found = np.maximum(errors, 0.0) + _shape(curve, values, at) ** 2
    if bends is not None:
        found += _bending(curve, bends, covariance, at)
    return np.asarray(np.sqrt(found))


def _shape(curve: Curve, values: Array, at: Array) -> Array:
    """Return by how much another smooth curve through the windows differs."""
    times = curve.times
    if len(times) < 3:
        return np.zeros((len(at), values.shape[1]))
    inside = np.clip(at, times[0], times[-1])
    if len(times) > 3:
        other = Akima1DInterpolator(times, values)(inside)
    else:
        other = np.stack([np.interp(inside, times, axis) for axis in values.T], axis=1)
    outside = (at - inside)[:, None]
    bends = np.abs(np.diff(values, 2, axis=0)) / np.diff(times).mean() ** 2
    bend = np.where(outside < 0, bends[0], bends[-1])
    return np.asarray(np.abs(other - curve(inside)) + 0.5 * bend * outside**2)


def _bending(curve: Curve, bends: Bends, covariance: Array, at: Array) -> Array:
    """Return the variance for what shorter windows see, or cannot tell."""
    change = bends.values - curve(bends.times)
    change -= change.mean(axis=0)
    own = np.diagonal(covariance, axis1=1, axis2=2).mean(axis=1)
    seen = np.maximum(change**2 - bends.variances, 0.0)
    # where they know far less than the longer windows they exclude nothing
    seen = np.where(bends.variances > _BLIND * own, bends.variances, seen)
    return np.stack([np.interp(at, bends.times, axis) for axis in seen.T], axis=1)


def _rows(matches: Matches, times: Array, beyond: str) -> Array:
    """Return what each window has in the difference of the drift at the times of the pairs."""
    shares = Curve(times, np.eye(len(times)), beyond)
    rows = shares(matches.times[:, 1]) - shares(matches.times[:, 0])
    rows[~(matches.weight > 0)] = 0.0
    return np.asarray(rows)


def _stiffness(rows: Array, matches: Matches, axis: int) -> Array:
    """Return the matrix whose inverse turns pulls into shifts with mean 0."""
    found = rows.T @ (rows * matches.stiffness[:, [axis]])
    # pulls say nothing of a shift of all windows, nor of windows without matches: both stay 0
    size = max(float(np.trace(found)) / len(found), 1e-300)
    return np.asarray(found + size * (1.0 / len(found) + 1e-9 * np.eye(len(found))))
