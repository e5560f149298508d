"""Noise of beads, from how each of them departs from the mean of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfxarray.kernels.beads.tracks import Brackets, Track, brackets, positions_at

__all__ = ["Noise", "bead_noise", "residuals", "without_strays"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Noise:
    """Variance of a raw bead sample along x, y, z.

    Attributes
    ----------
    white
        Independent from sample to sample, square metres, shape (3,).
    slow
        Shared by neighbouring samples of a bead but not by other beads, square metres, shape (3,).
    from_one_bead
        Whether there was no second bead at any time: then only what changes from sample to sample
        is seen.
    """

    white: Array
    slow: Array
    from_one_bead: bool


def residuals(tracks: Sequence[Track], homes: Array) -> list[Array]:
    """Return for every bead its place minus what the others tell, metres, shapes (sample, 3).

    NaN where no other bead is there.
    """
    found = []
    for number, track in enumerate(tracks):
        out = np.full((len(track.tim), 3), np.nan)
        steps = np.array(_steps(tracks, homes, number)).reshape(-1, len(track.tim), 3)
        known = np.isfinite(steps[..., 0]).any(axis=0)
        out[known] = np.nanmean(steps[:, known], axis=0)
        found.append(out)
    return found


def without_strays(tracks: Sequence[Track], homes: Array, tolerance: float) -> list[Track]:
    """Return the tracks without samples with which more beads disagree than agree.

    Parameters
    ----------
    tracks, homes
        The beads of a wash and their places.
    tolerance
        Displacements that differ by more, metres, disagree.

    Notes
    -----
    Two beads that disagree are both left out for that time: nothing tells which one moved. Nor is
    a bead trusted alone right before or after it was doubted.
    """
    found = []
    for number, track in enumerate(tracks):
        off = [np.abs(step).max(axis=1, initial=0.0) for step in _steps(tracks, homes, number)]
        agree = np.sum([one <= tolerance for one in off], axis=0)
        disagree = np.sum([one > tolerance for one in off], axis=0)
        stray = np.broadcast_to(agree < disagree, track.tim.shape)
        seen = np.broadcast_to(agree + disagree > 0, track.tim.shape)
        stray = _with_unseen(stray, seen)
        found.append(track.chosen(~stray) if stray.any() else track)
    return found


def _with_unseen(stray: Array, seen: Array) -> Array:
    """Add samples that no other bead sees and that lie next to a stray one."""
    places = np.flatnonzero(seen)
    if not len(places):
        return stray
    after = np.searchsorted(places, np.arange(len(seen)))
    next_one = stray[places[np.minimum(after, len(places) - 1)]] & (after < len(places))
    last_one = stray[places[np.maximum(after - 1, 0)]] & (after > 0)
    return np.asarray(stray | (~seen & (next_one | last_one)))


def _steps(tracks: Sequence[Track], homes: Array, number: int) -> list[Array]:
    """Return by how much the displacement of a bead differs from that of each of the others."""
    own = tracks[number].xyz - homes[number]
    return [
        own - (positions_at(track, brackets(track, tracks[number].tim)) - home)
        for other, (track, home) in enumerate(zip(tracks, homes, strict=True))
        if other != number
    ]


def bead_noise(tracks: Sequence[Track], homes: Array) -> Noise:
    """Return the noise of the beads of a wash.

    Parameters
    ----------
    tracks
        Raw beads.
    homes
        Their places, metres, shape (bead, 3).

    Notes
    -----
    A residual holds the noise of its own bead and of the interpolated others. Its variance and its
    covariance with the next residual are linear in the two variances, with factors that follow from
    the times alone; both are solved for. All beads share one noise, because the error of a mean
    over beads needs only the mean of their variances.
    """
    sums = np.zeros((2, 3))
    factors = np.zeros((2, 2))
    for number, residual in enumerate(residuals(tracks, homes)):
        _add_bead(tracks, number, residual, sums, factors)
    if factors[0, 0] == 0:
        return Noise(_from_steps(tracks), np.zeros(3), True)
    if abs(np.linalg.det(factors)) > 1e-9 * factors[0, 0] ** 2:
        white, slow = np.linalg.solve(factors, sums)
    else:
        white, slow = sums[0] / factors[0, 0], np.zeros(3)
    slow = np.where(slow > 0, slow, 0.0)
    white = np.maximum((sums[0] - factors[0, 1] * slow) / factors[0, 0], 0.0)
    return Noise(white, slow, False)


def _add_bead(
    tracks: Sequence[Track], number: int, residual: Array, sums: Array, factors: Array
) -> None:
    """Add the two sums of squares of a bead and the factors of white and slow noise in them."""
    times = tracks[number].tim
    others = [brackets(track, times) for i, track in enumerate(tracks) if i != number]
    known = np.isfinite(residual[:, 0])
    if not known.any():
        return
    there = np.maximum(np.sum([other.inside for other in others], axis=0), 1)
    white = sum(_own(other) for other in others) / there**2
    sums[0] += (residual[known] ** 2).sum(axis=0)
    factors[0] += (1 + white)[known].sum(), (1 + 1 / there)[known].sum()
    joined = known[1:] & known[:-1] & (np.diff(times) <= tracks[number].max_gap)
    both = there[1:] * there[:-1]
    common = sum(other.inside[1:] & other.inside[:-1] for other in others) / both
    shared = sum(_next(other) for other in others) / both
    sums[1] += (residual[1:] * residual[:-1])[joined].sum(axis=0)
    factors[1] += shared[joined].sum(), (1 + common)[joined].sum()


def _own(found: Brackets) -> Array:
    return np.asarray(found.inside * (found.weight**2 + (1 - found.weight) ** 2))


def _next(found: Brackets) -> Array:
    """Return the product sum of the weights of one time and the next, of the samples in both."""
    after, before = found.weight, 1 - found.weight
    step = np.diff(found.left)
    same = before[1:] * before[:-1] + after[1:] * after[:-1]
    product = np.select([step == 0, step == 1], [same, before[1:] * after[:-1]], 0.0)
    return np.asarray(product * (found.inside[1:] & found.inside[:-1]))


def _from_steps(tracks: Sequence[Track]) -> Array:
    """Return the noise of samples around the line through their neighbours; NaN for too few."""
    bends = [
        (track.xyz[:-2] - 2 * track.xyz[1:-1] + track.xyz[2:]) ** 2 / 6
        for track in tracks
        if len(track.tim) > 2
    ]
    return np.concatenate(bends).mean(axis=0) if bends else np.full(3, np.nan)
