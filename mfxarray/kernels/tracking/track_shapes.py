"""Paths of tracks: their length, where they end, how far they reach, how they turn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mfxarray.kernels.tracking.track_points import Tracks

__all__ = ["ShapeColumn", "track_shapes"]

Array = np.ndarray[Any, Any]


class ShapeColumn:
    """Where a number of `track_shapes` stands in its row."""

    N = 0  # points
    SEGMENTS = 1
    TIME = 2  # of all steps
    PATH = 3  # length of all steps
    NET = 4  # distance from the first point to the last
    DURATION = 5  # from the first point to the last
    GYRATION = 6  # root of the mean squared distance to the mean
    ANGLES = 7  # turns between two steps that have a length
    COSINES = 8  # sum of the cosines of these turns
    FORWARD = 9  # turns by less than a right angle
    GAP = 10  # longest time between two points
    WIDTH = 11


def track_shapes(tracks: Tracks, lag: int = 1) -> Array:
    """Return what is told of the path of each track, shape (track, 11): see `ShapeColumn`.

    Parameters
    ----------
    tracks
        Points.
    lag
        Turns are those between steps over so many points that follow each other; steps without
        length have no direction and are left out.

    Notes
    -----
    What a track without points or without turns does not have is 0; its counts tell.
    """
    out = np.zeros((len(tracks.axes), ShapeColumn.WIDTH))
    _shapes(tracks.tim, tracks.xyz, tracks.bounds, tracks.cut, tracks.axes, lag, out)
    return out


@njit(nogil=True, cache=True, error_model="numpy")
def _distance(xyz, axes, row, other):  # type: ignore[no-untyped-def]
    total = 0.0
    for axis in range(3):
        if axes[axis]:
            step = xyz[row, axis] - xyz[other, axis]
            total += step * step
    return np.sqrt(total)


@njit(nogil=True, cache=True, error_model="numpy")
def _cosine(xyz, axes, row, lag):  # type: ignore[no-untyped-def]
    product, before, after = 0.0, 0.0, 0.0
    for axis in range(3):
        if axes[axis]:
            one = xyz[row - lag, axis] - xyz[row - 2 * lag, axis]
            two = xyz[row, axis] - xyz[row - lag, axis]
            product += one * two
            before += one * one
            after += two * two
    return product / np.sqrt(before * after) if before > 0.0 and after > 0.0 else np.nan


@njit(nogil=True, cache=True, error_model="numpy")
def _gyration(xyz, axes, first, last):  # type: ignore[no-untyped-def]
    total = 0.0
    for axis in range(3):
        if axes[axis]:
            # from the first point, so that the mean is small
            mean = 0.0
            for row in range(first, last):
                mean += xyz[row, axis] - xyz[first, axis]
            mean /= last - first
            for row in range(first, last):
                off = xyz[row, axis] - xyz[first, axis] - mean
                total += off * off
    return np.sqrt(total / (last - first))


@njit(nogil=True, cache=True, error_model="numpy")
def _shapes(tim, xyz, bounds, cut, axes, lag, out):  # type: ignore[no-untyped-def]
    for track in range(len(bounds) - 1):
        first, last = bounds[track], bounds[track + 1]
        own = out[track]
        own[0] = last - first
        if last == first:
            continue
        own[4] = _distance(xyz, axes[track], last - 1, first)
        own[5] = tim[last - 1] - tim[first]
        own[6] = _gyration(xyz, axes[track], first, last)
        since = 0
        for row in range(first, last):
            if row > first:
                own[10] = max(own[10], tim[row] - tim[row - 1])
            if cut[row]:
                own[1] += 1
                since = 0
                continue
            since += 1
            own[2] += tim[row] - tim[row - 1]
            own[3] += _distance(xyz, axes[track], row, row - 1)
            if since >= 2 * lag:
                cosine = _cosine(xyz, axes[track], row, lag)
                if cosine == cosine:
                    own[7] += 1
                    own[8] += cosine
                    own[9] += cosine > 0.0
