"""How far particles move: sums over the pairs of points of each track.

All sums are per track, in the order of its points, so that they do not depend on what else is in
the same call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from mfxarray.kernels.tracking.track_points import Tracks

__all__ = [
    "StepColumn",
    "Steps",
    "bin_sums",
    "frame_times",
    "jumps",
    "lag_sums",
    "step_sums",
    "steps_of",
]

Array = np.ndarray[Any, Any]


class StepColumn:
    """Where a sum of `step_sums` stands in its row."""

    N = 0  # points
    SEGMENTS = 1
    STEPS = 2  # between neighbours of a segment
    PAIRS = 3  # of steps that follow each other
    TIME = 4  # of all steps
    SQUARES = slice(5, 8)  # of steps, per axis
    PRODUCTS = slice(8, 11)  # of steps that follow each other, per axis
    WIDTH = 11


@dataclass(frozen=True)
class Steps:
    """Steps between neighbours of a segment, track by track.

    Attributes
    ----------
    time
        Seconds that each step took, shape (step,).
    step
        Metres, 0 along axes that do not count, shape (step, 3).
    follows
        Whether the step begins where the one before ended, shape (step,).
    bounds
        First step of each track and the end of the last, shape (track + 1,).
    axes
        Number of axes that count, shape (track,).
    """

    time: Array
    step: Array
    follows: Array
    bounds: Array
    axes: Array


def steps_of(tracks: Tracks) -> Steps:
    """Return the steps of tracks."""
    rows = np.flatnonzero(~tracks.cut)
    step = tracks.xyz[rows] - tracks.xyz[rows - 1]
    bounds = np.searchsorted(rows, tracks.bounds)
    step[~np.repeat(tracks.axes, np.diff(bounds), axis=0)] = 0.0
    time = tracks.tim[rows] - tracks.tim[rows - 1]
    return Steps(time, step, ~tracks.cut[rows - 1], bounds, tracks.dimensions)


def step_sums(tracks: Tracks) -> Array:
    """Return counts and sums of the steps of each track, shape (track, 11): see `StepColumn`."""
    out = np.zeros((len(tracks.axes), StepColumn.WIDTH))
    _step_sums(tracks.tim, tracks.xyz, tracks.bounds, tracks.cut, tracks.axes, out)
    return out


def frame_times(steps: Steps) -> Array:
    """Return the median time of a step of each track, shape (track,); NaN without steps."""
    out = np.empty(len(steps.axes))
    _medians(steps.time, steps.bounds, out)
    return out


def lag_sums(tracks: Tracks, lags: int) -> Array:
    """Return sums over all pairs of points that are 1, 2, ... points apart, in one segment.

    Returns
    -------
    numpy.ndarray
        Number of pairs, sum of the times between them, sum of the squared distances over the axes
        that count; shape (track, lags, 3).

    Notes
    -----
    Of irregular times the mean time of the pairs is the lag: a mean squared displacement that
    rises straight with time does so along mean lags too.
    """
    out = np.zeros((len(tracks.axes), lags, 3))
    _lag_sums(tracks.tim, tracks.xyz, tracks.bounds, tracks.cut, tracks.axes, out)
    return out


def bin_sums(tracks: Tracks, lags: int, width: float) -> Array:
    """Return sums over all pairs of points of a segment by the true time between them.

    Parameters
    ----------
    tracks
        Points.
    lags
        Number of bins.
    width
        Seconds. Bin k, from 1, has the pairs whose time is nearer to k times this than to any
        other multiple, the lower border included; pairs nearer to 0 belong to none.

    Returns
    -------
    numpy.ndarray
        As for `lag_sums`.
    """
    out = np.zeros((len(tracks.axes), lags, 3))
    _bin_sums(tracks.tim, tracks.xyz, tracks.bounds, tracks.cut, tracks.axes, float(width), out)
    return out


def jumps(tracks: Tracks, lag: int) -> tuple[Array, Array, Array]:
    """Return time and squared distance of all jumps over so many points, and jumps of each track.

    Returns
    -------
    tuple of numpy.ndarray
        Shapes (jump,), (jump,) and (track,); jumps track by track.
    """
    time, square = np.empty((2, len(tracks.tim)))
    counts = np.zeros(len(tracks.axes), np.int64)
    arrays = (tracks.tim, tracks.xyz, tracks.bounds, tracks.cut, tracks.axes)
    total = _jumps(*arrays, lag, time, square, counts)
    return time[:total], square[:total], counts


@njit(nogil=True, cache=True, error_model="numpy")
def _step_sums(tim, xyz, bounds, cut, axes, out):  # type: ignore[no-untyped-def]
    for track in range(len(bounds) - 1):
        own = out[track]
        own[0] = bounds[track + 1] - bounds[track]
        for row in range(bounds[track], bounds[track + 1]):
            if cut[row]:
                own[1] += 1
                continue
            own[2] += 1
            own[4] += tim[row] - tim[row - 1]
            follows = not cut[row - 1]
            own[3] += follows
            for axis in range(3):
                if axes[track, axis]:
                    step = xyz[row, axis] - xyz[row - 1, axis]
                    own[5 + axis] += step * step
                    if follows:
                        own[8 + axis] += step * (xyz[row - 1, axis] - xyz[row - 2, axis])


@njit(nogil=True, cache=True, error_model="numpy")
def _medians(values, bounds, out):  # type: ignore[no-untyped-def]
    for track in range(len(out)):
        own = values[bounds[track] : bounds[track + 1]]
        out[track] = np.median(own) if len(own) else np.nan


@njit(nogil=True, cache=True, error_model="numpy")
def _square(xyz, axes, row, other):  # type: ignore[no-untyped-def]
    total = 0.0
    for axis in range(3):
        if axes[axis]:
            step = xyz[row, axis] - xyz[other, axis]
            total += step * step
    return total


@njit(nogil=True, cache=True, error_model="numpy")
def _lag_sums(tim, xyz, bounds, cut, axes, out):  # type: ignore[no-untyped-def]
    lags = out.shape[1]
    for track in range(len(bounds) - 1):
        for row in range(bounds[track], bounds[track + 1]):
            other = row
            # backwards from each point to the start of its segment
            while not cut[other] and row - other < lags:
                other -= 1
                own = out[track, row - other - 1]
                own[0] += 1
                own[1] += tim[row] - tim[other]
                own[2] += _square(xyz, axes[track], row, other)


@njit(nogil=True, cache=True, error_model="numpy")
def _bin_sums(tim, xyz, bounds, cut, axes, width, out):  # type: ignore[no-untyped-def]
    lags = out.shape[1]
    for track in range(len(bounds) - 1):
        for row in range(bounds[track], bounds[track + 1]):
            other = row
            while not cut[other]:
                other -= 1
                time = tim[row] - tim[other]
                number = np.floor(time / width + 0.5)
                if number > lags:
                    break
                if number >= 1:
                    own = out[track, int(number) - 1]
                    own[0] += 1
                    own[1] += time
                    own[2] += _square(xyz, axes[track], row, other)


@njit(nogil=True, cache=True, error_model="numpy")
def _jumps(tim, xyz, bounds, cut, axes, lag, time, square, counts):  # type: ignore[no-untyped-def]
    total = 0
    for track in range(len(counts)):
        since = 0
        for row in range(bounds[track], bounds[track + 1]):
            since = 0 if cut[row] else since + 1
            if since >= lag:
                time[total] = tim[row] - tim[row - lag]
                square[total] = _square(xyz, axes[track], row, row - lag)
                total += 1
                counts[track] += 1
    return total
