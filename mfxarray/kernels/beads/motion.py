"""The common motion of the beads of a wash at any time, with its uncertainty.

Every bead is interpolated on its own time axis, its home is subtracted, and the beads that are
there are averaged. Between two neighbouring samples of any bead that is a straight line, so a table
of such intervals holds the motion exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mfxarray.kernels.beads.rotation import cross_matrices
from mfxarray.kernels.beads.tracks import Brackets, Track, brackets

__all__ = ["Motion", "common_motion"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Motion:
    """Motion of a wash: a position x of the reference is seen at pivot + R (x - pivot) + d(t).

    Attributes
    ----------
    edges
        Bounds of the intervals, seconds, shape (interval + 1,).
    left, right
        d at the two ends of every interval, metres, shape (interval, 3); NaN where too few beads
        are there.
    white
        Share of the white noise of a bead sample in the variance of d at the start, the middle and
        the end of every interval, shape (interval, 3).
    beads
        Beads there, shape (interval,).
    white_variance, slow_variance
        Variance of a bead sample along x, y, z: independent from one to the next, and what stays
        the same for long, square metres, shape (3,).
    frame_variance
        Variance of the frame of the reference itself, square metres, shape (3,).
    rotation
        R, shape (3, 3).
    angle_covariance
        Covariance of the angles of R, shape (3, 3).
    pivot
        Metres, shape (3,).
    """

    edges: Array = field(repr=False)
    left: Array = field(repr=False)
    right: Array = field(repr=False)
    white: Array = field(repr=False)
    beads: Array = field(repr=False)
    white_variance: Array = field(default_factory=lambda: np.zeros(3))
    slow_variance: Array = field(default_factory=lambda: np.zeros(3))
    frame_variance: Array = field(default_factory=lambda: np.zeros(3))
    rotation: Array = field(default_factory=lambda: np.eye(3))
    angle_covariance: Array = field(default_factory=lambda: np.zeros((3, 3)))
    pivot: Array = field(default_factory=lambda: np.zeros(3))

    @property
    def window(self) -> tuple[float, float]:
        """Return the first and the last time at which the motion is known; NaN for none."""
        known = np.flatnonzero(np.isfinite(self.left[:, 0]))
        if not len(known):
            return float("nan"), float("nan")
        return float(self.edges[known[0]]), float(self.edges[known[-1] + 1])

    def shifted(self, offset: Array) -> Motion:
        """Return the same motion in a frame in which all reference positions are larger by offset.

        What is seen stays where it is, so d becomes smaller by as much.
        """
        return replace(
            self,
            left=self.left - offset,
            right=self.right - offset,
            pivot=self.pivot + offset,
        )

    def mean(self) -> Array:
        """Return the mean of d over the time in which it is known, metres, shape (3,)."""
        known = np.isfinite(self.left[:, 0])
        length = np.diff(self.edges)[known]
        middle = 0.5 * (self.left[known] + self.right[known])
        return np.asarray((length[:, np.newaxis] * middle).sum(axis=0) / length.sum())

    def at(self, times: Array) -> tuple[Array, Array]:
        """Return d and its variance along x, y, z at some times, shapes (time, 3); NaN outside."""
        if not len(self.left):
            nothing = np.full((len(times), 3), np.nan)
            return nothing, nothing.copy()
        place = np.searchsorted(self.edges, times, "right") - 1
        inside = (times >= self.edges[0]) & (times <= self.edges[-1])
        place = np.clip(place, 0, len(self.left) - 1)
        start = self.edges[place]
        part = ((times - start) / (self.edges[place + 1] - start))[:, np.newaxis]
        left = self.left[place]
        moved = left + part * (self.right[place] - left)
        first, middle, last = (self.white[place, number, np.newaxis] for number in range(3))
        # the parabola through the values at the start, the middle and the end
        bend = 2 * (first - 2 * middle + last)
        white = first + part * (last - first - bend * (1 - part))
        beads = np.maximum(self.beads[place], 1)[:, np.newaxis]
        variance = white * self.white_variance + self.slow_variance / beads + self.frame_variance
        outside = ~inside[:, np.newaxis]
        return np.where(outside, np.nan, moved), np.where(outside, np.nan, variance)

    def undo(self, positions: Array, times: Array) -> tuple[Array, Array]:
        """Return positions as the reference would show them, and the variance of the correction.

        Parameters
        ----------
        positions
            Measured, metres, shape (row, 3).
        times
            Seconds, shape (row,).
        """
        moved, variance = self.at(times)
        arm = positions - self.pivot - moved
        if (self.rotation == np.eye(3)).all():
            # written so that without a rotation nothing is rounded twice
            return positions - moved, variance
        back = self.rotation.T
        slopes = cross_matrices(arm)
        turned = np.einsum("ria,ab,rib->ri", slopes, self.angle_covariance, slopes)
        found = np.einsum("ij,rj->ri", back, arm) + self.pivot
        return found, np.einsum("ij,rj->ri", back**2, variance + turned)


def common_motion(tracks: Sequence[Track], homes: Array, least_beads: int) -> Motion:
    """Return the mean displacement of the beads from their homes, interval by interval.

    Parameters
    ----------
    tracks
        The beads of a wash.
    homes
        Their places, metres, shape (bead, 3).
    least_beads
        With fewer beads there, the motion is unknown.
    """
    times = [track.tim for track in tracks if len(track.tim) > 1]
    edges = np.unique(np.concatenate(times)) if times else np.zeros(0)
    count = max(len(edges) - 1, 0)
    left, right, white = np.zeros((3, count, 3))
    beads = np.zeros(count, np.int64)
    middle = 0.5 * (edges[1:] + edges[:-1])
    for track, home in zip(tracks, homes, strict=True):
        found = brackets(track, middle)
        rows = np.flatnonzero(found.inside)
        for total, at in ((left, edges[:-1]), (right, edges[1:])):
            total[rows] += _inside(track, found, rows, at) - home
        for number, at in enumerate((edges[:-1], middle, edges[1:])):
            white[rows, number] += _white(track, found, rows, at)
        beads[rows] += 1
    unknown = beads < max(least_beads, 1)
    number_of = np.maximum(beads, 1)[:, np.newaxis]
    left, right, white = left / number_of, right / number_of, white / number_of**2
    for table in (left, right, white):
        table[unknown] = np.nan
    return Motion(edges, left, right, white, np.where(unknown, 0, beads))


def _weight(track: Track, found: Brackets, rows: Array, at: Array) -> Array:
    left = found.left[rows]
    return np.asarray((at[rows] - track.tim[left]) / (track.tim[left + 1] - track.tim[left]))


def _inside(track: Track, found: Brackets, rows: Array, at: Array) -> Array:
    left, weight = found.left[rows], _weight(track, found, rows, at)[:, np.newaxis]
    return np.asarray(track.xyz[left] + weight * (track.xyz[left + 1] - track.xyz[left]))


def _white(track: Track, found: Brackets, rows: Array, at: Array) -> Array:
    left, weight = found.left[rows], _weight(track, found, rows, at)
    other = 1 - weight
    own = other**2 * track.white[left] + weight**2 * track.white[left + 1]
    return np.asarray(own + 2 * weight * other * track.shared[left])
