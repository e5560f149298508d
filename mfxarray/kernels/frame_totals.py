"""Frames whose total counts do not fit to those of the frames around them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import betainc, betaincc

__all__ = ["DEAD", "FINE", "HIGH", "LOW", "expected_totals", "judge_totals"]

Array = np.ndarray[Any, Any]

FINE, DEAD, LOW, HIGH = 0, 1, 2, 3
# with fewer frames nobody can say which of them is the odd one
_FEWEST = 3
# a line needs more
_FEWEST_LINE = 5
# the mean of a Poisson number is at most so far from its median, above and below
_ABOVE, _BELOW = np.log(2), 1 / 3


def expected_totals(totals: Array, window: int) -> Array:
    """Return the running median of totals along frames, same shape, float64.

    Parameters
    ----------
    totals
        Shape (frame, detector).
    window
        Odd number of frames.

    Notes
    -----
    Near the ends the window is shifted inwards and keeps its size. Its median would be off there
    where totals fall or rise, so a line through the window is taken instead, with the median of the
    slopes of all pairs (Theil and Sen) if there are at least five frames. NaN for fewer than three.
    """
    frames = len(totals)
    if frames < _FEWEST:
        return np.full(totals.shape, np.nan)
    size = min(window, frames)
    starts = np.clip(np.arange(frames) - size // 2, 0, frames - size)
    views = np.lib.stride_tricks.sliding_window_view(totals, size, axis=0)
    expected = np.asarray(np.median(views, axis=-1)[starts], np.float64)
    if size >= _FEWEST_LINE:
        for frame in np.flatnonzero(np.arange(frames) - starts != size // 2):
            expected[frame] = _on_line(views[starts[frame]], frame - starts[frame])
    return expected


def _on_line(values: Array, place: int) -> Array:
    """Return where the Theil-Sen lines through values (detector, frame) are at a place."""
    places = np.arange(values.shape[1])
    first, second = np.triu_indices(places.size, 1)
    slopes = np.median((values[:, second] - values[:, first]) / (second - first), axis=1)
    return np.median(values + slopes[:, None] * (place - places), axis=1)


def judge_totals(
    totals: Array, expected: Array, *, window: int, limit: float, false_positives: float
) -> Array:
    """Return FINE, DEAD, LOW or HIGH for every frame and detector, int8.

    A total is off where it differs from the expected one by more than ``limit`` times that, and by
    more than noise explains: the counting noise of the total and of what is expected, and the usual
    scatter of this detector's totals, taken from the median absolute deviation so that the odd
    frames do not widen it.

    Parameters
    ----------
    totals, expected
        Shape (frame, detector); see `expected_totals`.
    window
        Frames of the running median.
    limit
        Least relative deviation.
    false_positives
        Largest fraction of sound totals that may be off by chance, both sides together.

    Notes
    -----
    Counts with more than Poisson scatter are taken as negative binomial, with mean and variance
    as above.
    """
    nothing = (totals == 0).all(axis=1, keepdims=True)
    if len(totals) < _FEWEST:
        return np.where(nothing & (totals == 0), DEAD, FINE).astype(np.int8)
    expected = np.maximum(expected, 0.0)
    level = np.maximum(expected, 1.0)
    deviation = (totals - expected) / level
    share = _noise_of_expected(len(totals), min(window, len(totals)))
    off_centre = np.abs(deviation - np.median(deviation, axis=0))
    scatter = 1.4826 * np.median(off_centre, axis=0)
    tails = []
    for mean in (np.maximum(expected - _BELOW, 1e-9), expected + _ABOVE):
        variance = np.maximum(mean * (1 + share), (scatter * mean) ** 2)
        tails.append((mean**2 / (variance - mean), mean / variance))
    # the two tails of the negative binomial distribution
    fewer = betainc(tails[0][0], totals + 1, tails[0][1])
    more = betaincc(tails[1][0], np.maximum(totals, 1), tails[1][1])
    low = (deviation < -limit) & (fewer < false_positives / 2)
    high = (deviation > limit) & (more < false_positives / 2)
    verdict = np.where(low, LOW, np.where(high, HIGH, FINE))
    return np.where((low & (totals == 0)) | nothing, DEAD, verdict).astype(np.int8)


def _noise_of_expected(frames: int, size: int) -> Array:
    """Return the variance of what is expected in that of one total, shape (frame, 1).

    pi / 2 / n for a median of n normal numbers; at a place beside the middle of a line, with about
    the efficiency of least squares, its squared distance over the sum of all squares more.
    """
    starts = np.clip(np.arange(frames) - size // 2, 0, frames - size)
    beside = np.arange(frames) - starts - size // 2
    squares = size * (size**2 - 1) / 12
    slope = beside**2 / squares if size >= _FEWEST_LINE else 0 * beside
    return (np.pi / 2 * (1 / size + slope))[:, None]
