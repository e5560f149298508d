"""Tracks: the points of traces in the order of time, cut into segments.

A track is the localizations of one trace. Where nothing was localized for too long it is cut; no
pair of points spans a cut. Axes that were not measured, as z of 2D data, are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

__all__ = ["TrackRules", "Tracks", "tracks_of"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class TrackRules:
    """How tracks are made of traces.

    Attributes
    ----------
    dimensions
        1: x; 2: x and y; 3: all; 0: those in which the points of a trace differ.
    trim
        Localizations to leave out at either end of each trace.
    gap
        A track is cut where two points are further apart in time than this times the smallest
        time between two points of it; infinity for never.
    gap_time
        The same in seconds.
    """

    dimensions: int = 0
    trim: int = 0
    gap: float = 2.5
    gap_time: float = float("inf")


@dataclass(frozen=True)
class Tracks:
    """Points of tracks in the order of time.

    Attributes
    ----------
    tim, xyz
        Shapes (point,) and (point, 3).
    bounds
        First point of each track and the end of the last, shape (track + 1,).
    cut
        Whether a segment begins at a point, shape (point,).
    axes
        Which axes count, shape (track, 3).
    """

    tim: Array
    xyz: Array
    bounds: Array
    cut: Array
    axes: Array

    @property
    def dimensions(self) -> Array:
        """Number of axes that count, shape (track,)."""
        return self.axes.sum(axis=1)


def tracks_of(tim: Array, xyz: Array, starts: Array, rules: TrackRules) -> Tracks:
    """Return the tracks of traces.

    Parameters
    ----------
    tim, xyz
        Seconds and metres, shapes (row,) and (row, 3), trace by trace. Rows without a time are
        left out.
    starts
        First row of each trace.
    rules
        How to cut.
    """
    bounds = np.append(starts, len(tim)).astype(np.int64)
    tim, xyz = np.ascontiguousarray(tim, float), np.ascontiguousarray(xyz, float)
    known = np.isfinite(tim)
    if not known.all():
        tim, xyz, bounds = _kept(known, tim, xyz, bounds)
    if _falls(tim, bounds):
        order = np.lexsort((tim, np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))))
        tim, xyz = tim[order], xyz[order]
    if rules.trim:
        tim, xyz, bounds = _kept(_inner(bounds, rules.trim), tim, xyz, bounds)
    cut, axes = np.zeros(len(tim), bool), np.zeros((len(bounds) - 1, 3), bool)
    _cuts(tim, bounds, float(rules.gap), float(rules.gap_time), cut)
    if rules.dimensions:
        axes[:, : rules.dimensions] = True
    else:
        _differing(xyz, bounds, axes)
    return Tracks(tim, xyz, bounds, cut, axes)


def _kept(keep: Array, tim: Array, xyz: Array, bounds: Array) -> tuple[Array, Array, Array]:
    before = np.append(0, np.cumsum(keep))
    return tim[keep], xyz[keep], before[bounds]


def _inner(bounds: Array, trim: int) -> Array:
    """Return which rows have so many others of their trace on either side."""
    lengths = np.diff(bounds)
    rank = np.arange(bounds[-1]) - np.repeat(bounds[:-1], lengths)
    return np.asarray((rank >= trim) & (np.repeat(lengths, lengths) - 1 - rank >= trim))


@njit(nogil=True, cache=True, error_model="numpy")
def _falls(tim, bounds):  # type: ignore[no-untyped-def]
    for track in range(len(bounds) - 1):
        for row in range(bounds[track] + 1, bounds[track + 1]):
            if tim[row] < tim[row - 1]:
                return True
    return False


@njit(nogil=True, cache=True, error_model="numpy")
def _cuts(tim, bounds, gap, gap_time, cut):  # type: ignore[no-untyped-def]
    for track in range(len(bounds) - 1):
        first, last = bounds[track], bounds[track + 1]
        if first == last:
            continue
        cut[first] = True
        least = np.inf
        for row in range(first + 1, last):
            step = tim[row] - tim[row - 1]
            if 0.0 < step < least:
                least = step
        most = min(gap * least, gap_time)
        for row in range(first + 1, last):
            cut[row] = tim[row] - tim[row - 1] > most


@njit(nogil=True, cache=True, error_model="numpy")
def _differing(xyz, bounds, axes):  # type: ignore[no-untyped-def]
    for track in range(len(bounds) - 1):
        for row in range(bounds[track] + 1, bounds[track + 1]):
            for axis in range(3):
                if xyz[row, axis] != xyz[row - 1, axis]:
                    axes[track, axis] = True
