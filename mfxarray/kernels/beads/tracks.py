"""Tracks of beads: the good samples of each, between which positions are interpolated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

__all__ = ["Brackets", "Track", "brackets", "clean_track", "positions_at", "smooth_track"]

Array = np.ndarray[Any, Any]

# samples of beads come every 4 s; a gap is what is far longer than the rest
_LEAST_GAP_S = 10.0
_GAP_SAMPLES = 5.0
# beyond this many widths a Gaussian is nothing
_REACH = 5.0


@dataclass(frozen=True)
class Track:
    """The good samples of one bead in one wash.

    Attributes
    ----------
    tim
        Times, strictly increasing, seconds, shape (n,).
    xyz
        Positions, metres, shape (n, 3).
    white
        Variance of every position in units of the white noise of a raw sample, shape (n,).
    shared
        Covariance of every position with the next one, in the same units, shape (n - 1,).
    max_gap
        Samples further apart than this, seconds, are not joined.
    """

    tim: Array
    xyz: Array
    white: Array
    shared: Array
    max_gap: float

    def chosen(self, keep: Array) -> Track:
        """Return the track of some of its raw samples."""
        n = int(np.count_nonzero(keep))
        found = (self.tim[keep], self.xyz[keep], np.ones(n), np.zeros(max(n - 1, 0)))
        return Track(*found, self.max_gap)


@dataclass(frozen=True)
class Brackets:
    """Between which samples of a track some times lie.

    Attributes
    ----------
    left
        Number of the sample before, shape (time,).
    weight
        Weight of the sample after, 0 to 1, shape (time,).
    inside
        Whether the time lies between two samples that are joined, shape (time,).
    """

    left: Array
    weight: Array
    inside: Array


def clean_track(tim: Array, xyz: Array, strength: Array, max_gap: float | None) -> Track:
    """Return the samples that can be used, in order of time.

    Parameters
    ----------
    tim, xyz, strength
        Shapes (n,), (n, 3) and (n,). Failed samples (strength 0), unknown values and times that
        come again are left out.
    max_gap
        Longest gap that is bridged, seconds; five times the median interval, and at least 10 s,
        if None.
    """
    good = (strength != 0) & np.isfinite(strength) & np.isfinite(tim)
    good &= np.isfinite(xyz).all(axis=1)
    times, first = np.unique(tim[good], return_index=True)
    if max_gap is None:
        usual = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
        max_gap = max(_LEAST_GAP_S, _GAP_SAMPLES * usual)
    n = len(times)
    return Track(times, xyz[good][first], np.ones(n), np.zeros(max(n - 1, 0)), float(max_gap))


def brackets(track: Track, times: Array) -> Brackets:
    """Return between which samples of a track the times lie."""
    if len(track.tim) < 2:
        nothing = np.zeros(len(times))
        return Brackets(nothing.astype(np.int64), nothing, np.zeros(len(times), bool))
    left = np.searchsorted(track.tim, times, "right") - 1
    left = np.clip(left, 0, len(track.tim) - 2)
    length = track.tim[left + 1] - track.tim[left]
    weight = (times - track.tim[left]) / length
    inside = (times >= track.tim[0]) & (times <= track.tim[-1]) & (length <= track.max_gap)
    return Brackets(left, weight, inside)


def positions_at(track: Track, found: Brackets) -> Array:
    """Return interpolated positions, shape (time, 3); NaN where samples are not joined."""
    out = np.full((len(found.left), 3), np.nan)
    left, weight = found.left[found.inside], found.weight[found.inside, np.newaxis]
    before, after = track.xyz[left], track.xyz[left + 1] if len(left) else track.xyz[left]
    out[found.inside] = before + weight * (after - before)
    return out


def smooth_track(track: Track, width: float) -> Track:
    """Return the track after a local straight line was fitted around every sample.

    Parameters
    ----------
    track
        Raw samples.
    width
        Standard deviation of the Gaussian weights in time, seconds.

    Notes
    -----
    Lines rather than means, so that a steady drift keeps its place at both ends. Gaps stay gaps:
    samples beyond one have no part in the fit. Noise is carried along exactly.

    References
    ----------
    Fan, Gijbels (1996), Local Polynomial Modelling and Its Applications, section 3.1.
    """
    n = len(track.tim)
    if n < 2 or width <= 0:
        return track
    xyz, white, shared = track.xyz.copy(), np.ones(n), np.zeros(n - 1)
    part = np.concatenate([[0], np.cumsum(np.diff(track.tim) > track.max_gap)])
    first = np.searchsorted(track.tim, track.tim - _REACH * width)
    last = np.searchsorted(track.tim, track.tim + _REACH * width, "right")
    first = np.maximum(first, np.searchsorted(part, part, "left"))
    last = np.minimum(last, np.searchsorted(part, part, "right"))
    before, start = np.empty(0), 0
    for sample in range(n):
        rows = slice(first[sample], last[sample])
        weights = _line_weights(track.tim[rows] - track.tim[sample], width)
        xyz[sample] = weights @ track.xyz[rows]
        white[sample] = weights @ weights
        if sample:
            shared[sample - 1] = _overlap(before, start, weights, int(first[sample]))
        before, start = weights, int(first[sample])
    return replace(track, xyz=xyz, white=white, shared=shared)


def _line_weights(offset: Array, width: float) -> Array:
    """Return the weights with which samples give the value at 0 of the line through them."""
    kernel = np.exp(-0.5 * (offset / width) ** 2)
    s0, s1, s2 = kernel.sum(), kernel @ offset, kernel @ offset**2
    spread = s0 * s2 - s1 * s1
    if spread <= 1e-9 * s0 * s0 * width * width:
        return np.asarray(kernel / s0)
    return np.asarray(kernel * (s2 - s1 * offset) / spread)


def _overlap(one: Array, start_one: int, two: Array, start_two: int) -> float:
    """Return the product sum of two rows of weights that begin at different samples."""
    low = max(start_one, start_two)
    high = min(start_one + len(one), start_two + len(two))
    if high <= low:
        return 0.0
    return float(one[low - start_one : high - start_one] @ two[low - start_two : high - start_two])
