"""Pixels that stand out from their neighbours by more than Poisson noise allows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit
from scipy.special import betaincinv, pdtr, pdtrc

__all__ = ["critical_counts", "poisson_candidates", "vote_level"]

Array = np.ndarray[Any, Any]

# the critical counts are tabulated for references below this; from there on sqrt(count) is normal
_REFERENCES = 160
_RATES = np.geomspace(3e-3, 2.0 * _REFERENCES, 200)
_ROUNDS = 25
# rates between those looked at may have a little more votes, and beyond the table sqrt(count) is
# not quite normal
_TARGET = 0.97
_LONGER = 1.01


def vote_level(false_positives: float, voters: int, num_outliers: int) -> float:
    """Return the chance of one detector's vote that gives the chance of enough votes.

    Parameters
    ----------
    false_positives
        Probability that at least ``num_outliers`` of ``voters`` detectors vote for a clean pixel.
    voters, num_outliers
        Number of detectors, and of votes that make a pixel hot.
    """
    return float(betaincinv(num_outliers, voters - num_outliers + 1, false_positives))


@lru_cache(maxsize=16)
def critical_counts(level: float) -> tuple[Array, Array]:
    """Return the least counts that are a vote, given what the neighbours have.

    Parameters
    ----------
    level
        Largest probability of a vote where all pixels have the same rate, whatever the rate.

    Returns
    -------
    table
        Critical count by the kind of pixel (0 inside, 1 on an edge, 2 in a corner of the image) and
        by the reference, the second largest of its eight neighbours; int64, shape (3, references).
    roots
        For larger references the critical count is ``(sqrt(reference) + root)**2``; shape (3,).

    Notes
    -----
    The reference is itself drawn from few counts. Its distribution at a rate is known exactly, so
    the probability of a vote at that rate is a sum over all references. The critical counts are
    quantiles of what is to be expected after a reference was seen (with the scale-free prior
    1 / sqrt(rate)), at the largest probability for which no rate has more votes than ``level``.
    Beyond an edge the image is mirrored without repeating the edge: neighbours count twice there,
    which widens the distribution, hence the kinds. About 0.2 s, once a level.
    """
    counts = np.arange(3.0 * _REFERENCES + 60)
    below = pdtr(counts, _RATES[:, None])
    beyond = np.ones_like(below)
    beyond[:, 1:] = pdtrc(counts[:-1], _RATES[:, None])
    # P(second largest <= count); on edges three, in corners all neighbours are there twice or more
    kinds = (below**7 * (8 - 7 * below), below**4 * (2 - below), below**3)
    table = np.stack([_calibrated(cumulative, beyond, level) for cumulative in kinds])
    tail = np.arange(_REFERENCES // 2, _REFERENCES)
    roots = _LONGER * (np.sqrt(table[:, tail]) - np.sqrt(tail)).max(axis=1)
    return table, roots


def _calibrated(cumulative: Array, beyond: Array, level: float) -> Array:
    """Return the critical counts of one kind of pixel, by bisection of the predictive level."""
    chance = np.diff(cumulative, axis=1, prepend=0.0)[:, :_REFERENCES]
    weight = np.sqrt(_RATES)[:, None] * chance  # equal steps of log(rate): 1 / sqrt(rate) d rate
    predicted = (weight / weight.sum(axis=0)).T @ beyond
    # rates whose references the table holds
    known = np.flatnonzero(_RATES < 0.8 * _REFERENCES)
    low, high = np.log(level) - 9.0, np.log(level) + 3.0
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        critical = (predicted > np.exp(middle)).sum(axis=1)
        votes = (chance[known] * beyond[known[:, None], critical]).sum(axis=1)
        low, high = (middle, high) if votes.max() <= _TARGET * level else (low, middle)
    return (predicted > np.exp(low)).sum(axis=1)


def poisson_candidates(
    frames: Array,
    *,
    voters: Array | Sequence[int],
    false_positives: float,
    outlier_factor: float,
    min_count: float,
    num_outliers: int,
    num_nonzero: int,
) -> Array:
    """Return which pixels stand out in enough detectors at once, shape (frame, y, x), bool.

    The reference of a pixel is the second largest of its eight neighbours, so that one hot
    neighbour does not hide it, and neither edges nor lines of the sample are taken for hot. A
    detector votes where its count is a critical one (see `critical_counts`) and at least
    ``outlier_factor * max(reference, min_count)``. A pixel is a candidate where at least
    ``num_outliers`` detectors vote and at least ``num_nonzero`` have a count.

    Parameters
    ----------
    frames
        Counts, shape (frame, detector, y, x); at least two rows and columns.
    voters
        Numbers of the detectors that vote.
    false_positives
        Largest probability that a pixel is a candidate by chance, where the counts are Poisson
        and a pixel's rate is that of its neighbours.

    Notes
    -----
    One pass compares with straight lines below the critical counts, in vector instructions; the
    few pixels left are decided by the table.
    """
    frames = np.ascontiguousarray(frames)
    numbers = np.asarray(voters, np.int64)
    table, roots = critical_counts(vote_level(false_positives, len(numbers), num_outliers))
    out = np.zeros((len(frames), *frames.shape[2:]), np.bool_)
    rule = (float(outlier_factor), float(min_count), int(num_outliers), int(num_nonzero))
    _candidates(frames, numbers, table, roots, _lines_below(table, roots), rule, out)
    return out


def _lines_below(table: Array, roots: Array) -> tuple[float, float, float]:
    """Return floor, slope and gap: no critical count is below both of two lines of the reference.

    They are ``floor + slope * reference``, as far as the table goes, and ``reference + gap``.
    """
    least = table.min(axis=0)
    slope = ((least[1:] - least[0]) / np.arange(1, len(least))).min()
    gap = (2 * roots * np.sqrt(len(least)) + roots**2).min()
    return float(least[0]), float(slope), float(gap)


@njit(nogil=True, cache=True, error_model="numpy")
def _candidates(frames, voters, table, roots, lines, rule, out):  # type: ignore[no-untyped-def]
    n_frames, _, height, width = frames.shape
    most = np.empty(width + 2, frames.dtype)
    second = np.empty(width + 2, frames.dtype)
    votes = np.empty(width, np.uint8)
    num_outliers = rule[2]
    for frame in range(n_frames):
        for y in range(height):
            votes[:] = 0
            above, below = _mirror(y - 1, height), _mirror(y + 1, height)
            for voter in voters:
                image = frames[frame, voter]
                _top_of_columns(image[above], image[y], image[below], most, second)
                _screen(image[above], image[y], image[below], most, second, lines, rule, votes)
            for x in range(width):
                if votes[x] >= num_outliers:
                    out[frame, y, x] = _confirm(frames[frame], y, x, voters, table, roots, rule)


@njit(nogil=True, cache=True, error_model="numpy")
def _top_of_columns(above, here, below, most, second):  # type: ignore[no-untyped-def]
    width = here.size
    for x in range(width):
        small, large = min(above[x], here[x]), max(above[x], here[x])
        most[x + 1] = max(large, below[x])
        second[x + 1] = max(small, min(large, below[x]))
    for row in (most, second):
        row[0] = row[2]
        row[width + 1] = row[width - 1]


@njit(nogil=True, cache=True, error_model="numpy")
def _screen(above, here, below, most, second, lines, rule, votes):  # type: ignore[no-untyped-def]
    floor, slope, gap = lines
    factor, least = rule[0], rule[0] * rule[1]
    for x in range(here.size):
        left, right = most[x], most[x + 2]
        beside = max(min(left, right), max(second[x], second[x + 2]))
        largest, other = max(above[x], below[x]), min(above[x], below[x])
        reference = np.float64(max(min(max(left, right), largest), max(beside, other)))
        critical = min(floor + slope * reference, reference + gap)
        level = max(max(factor * reference, least), critical)
        votes[x] += np.uint8(np.float64(here[x]) >= level)


@njit(nogil=True, cache=True, error_model="numpy")
def _confirm(images, y, x, voters, table, roots, rule):  # type: ignore[no-untyped-def]
    factor, least, num_outliers, num_nonzero = rule
    height, width = images.shape[1:]
    kind = int(y in (0, height - 1)) + int(x in (0, width - 1))
    votes, filled = 0, 0
    for voter in voters:
        count = np.float64(images[voter, y, x])
        reference = _second_largest(images[voter], y, x)
        if reference < table.shape[1]:
            critical = np.float64(table[kind, int(reference)])
        else:
            critical = (np.sqrt(reference) + roots[kind]) ** 2
        if count >= max(critical, factor * max(reference, least)):
            votes += 1
        if count > 0:
            filled += 1
    return votes >= num_outliers and filled >= num_nonzero


@njit(nogil=True, cache=True, error_model="numpy")
def _second_largest(image, y, x):  # type: ignore[no-untyped-def]
    most, second = 0.0, 0.0
    for dy in range(-1, 2):
        row = _mirror(y + dy, image.shape[0])
        for dx in range(-1, 2):
            if dy == 0 and dx == 0:
                continue
            value = np.float64(image[row, _mirror(x + dx, image.shape[1])])
            second = max(second, min(most, value))
            most = max(most, value)
    return second


@njit(nogil=True, cache=True, error_model="numpy")
def _mirror(index, size):  # type: ignore[no-untyped-def]
    # mode "mirror" does not repeat the edge pixel: a pixel is never its own neighbour
    if index < 0:
        return -index
    return index if index < size else 2 * size - 2 - index
