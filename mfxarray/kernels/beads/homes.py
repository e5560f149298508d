"""Where beads stand relative to each other, whatever moves all of them together.

Differences between two beads at the same time do not know of drift or of jumps of the stage. From
them follow the places (homes) of all beads, also of beads that are not there all the time; the
common motion is what remains. So a bead that comes or goes shifts nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse.csgraph import connected_components

from mfxarray.kernels.beads.tracks import Track, brackets, positions_at

__all__ = ["Differences", "bead_groups", "best_shift", "differences", "solve_homes"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Differences:
    """Mean differences between the beads of a wash.

    Attributes
    ----------
    mean
        Place of the first bead minus that of the second, metres, shape (bead, bead, 3).
    count
        Samples that the mean is made of, 0 where the two were never there at once,
        shape (bead, bead).
    """

    mean: Array
    count: Array


def differences(tracks: Sequence[Track], tolerance: float) -> Differences:
    """Return the differences between all pairs of beads.

    Parameters
    ----------
    tracks
        The beads.
    tolerance
        Differences further than this from their median, metres, do not count.
    """
    beads = len(tracks)
    mean, count = np.zeros((beads, beads, 3)), np.zeros((beads, beads))
    for one in range(beads):
        for two in range(one + 1, beads):
            step = _one_difference(tracks[one], tracks[two], tolerance)
            if len(step):
                mean[one, two], count[one, two] = step.mean(axis=0), len(step)
                mean[two, one], count[two, one] = -mean[one, two], len(step)
    return Differences(mean, count)


def _one_difference(one: Track, two: Track, tolerance: float) -> Array:
    step = one.xyz - positions_at(two, brackets(two, one.tim))
    step = step[np.isfinite(step).all(axis=1)]
    if not len(step):
        return step
    near = np.abs(step - np.median(step, axis=0)).max(axis=1) <= tolerance
    return np.asarray(step[near])


def bead_groups(count: Array) -> Array:
    """Return for every bead the number of the group of beads that it is linked with."""
    return np.asarray(connected_components(count > 0, directed=False)[1])


def solve_homes(parts: Sequence[Differences]) -> Array:
    """Return the places that explain all differences best, shape (bead, 3).

    Parameters
    ----------
    parts
        Differences, one entry a wash, all with the same beads. Each group of linked beads has its
        mean at 0.
    """
    weight = np.sum([part.count for part in parts], axis=0)
    right = np.sum(
        [(part.count[..., np.newaxis] * part.mean).sum(axis=1) for part in parts], axis=0
    )
    matrix = np.diag(weight.sum(axis=1)) - weight
    homes = np.zeros(right.shape)
    groups = bead_groups(weight)
    for group in np.unique(groups):
        own = np.flatnonzero(groups == group)
        # any constant may be added; the one that makes the mean 0 also makes the matrix regular
        regular = matrix[np.ix_(own, own)] + weight.max(initial=1.0) / len(own)
        homes[own] = np.linalg.solve(regular, right[own])
    return homes


def best_shift(first: Array, second: Array, tolerance: float) -> tuple[Array, bool]:
    """Return which of the same beads kept their places, up to a shift common to them.

    Parameters
    ----------
    first, second
        Places twice, shape (bead, 3).
    tolerance
        How far a bead may be off, metres.

    Returns
    -------
    kept, certain
        Which beads belong to the largest set that moved together, shape (bead,), and whether
        there is no other set as large.
    """
    shifts = second - first
    distance = np.linalg.norm(shifts[:, np.newaxis] - shifts[np.newaxis], axis=-1)
    near = distance <= tolerance
    votes = near.sum(axis=1)
    best = int(np.argmax(votes))
    # refined once: a bead at the rim of the set must not decide what the set is
    middle = shifts[near[best]].mean(axis=0)
    kept = np.linalg.norm(shifts - middle, axis=1) <= tolerance
    rivals = votes[~kept]
    return kept, not len(rivals) or int(rivals.max()) < int(np.count_nonzero(kept))
