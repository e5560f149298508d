"""The motion of every wash, from the tracks of its beads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mfxarray.kernels.beads.homes import bead_groups, solve_homes
from mfxarray.kernels.beads.motion import Motion, common_motion
from mfxarray.kernels.beads.noise import Noise, bead_noise, without_strays
from mfxarray.kernels.beads.rotation import angle_covariance, refusal, rotation_between
from mfxarray.kernels.beads.tracks import Track, smooth_track
from mfxarray.minflux.beads.moved import WashTracks, all_differences, catalogue, without_moved

__all__ = ["FitChoices", "WashFit", "fit_tracks"]

Array = np.ndarray[Any, Any]

_NO_ROTATION = "none"
ROTATIONS = (_NO_ROTATION, "z", "rigid")
# turning the differences back and solving again settles within a few rounds for small angles
_ROUNDS = 30
_SETTLED_M = 1e-13


@dataclass(frozen=True)
class FitChoices:
    """How the motion is found.

    Attributes
    ----------
    rotation
        "none": translation by the centroid of the beads. "z": also one angle about z a wash.
        "rigid": also one rotation a wash.
    smooth
        Standard deviation of the weights in time with which tracks are smoothed, seconds; None
        joins samples by straight lines.
    tolerance
        A bead that stands further than this from its place among the others, metres, has moved on
        its own and is left out.
    least_beads
        Beads that must be there at a moment.
    reference
        Wash in whose frame all positions are given.
    """

    rotation: str = _NO_ROTATION
    smooth: float | None = None
    tolerance: float = 40e-9
    least_beads: int = 1
    reference: int = 0

    def __post_init__(self) -> None:
        if self.rotation not in ROTATIONS:
            raise ValueError(f"rotation must be one of {ROTATIONS}, not {self.rotation!r}")
        if self.smooth is not None and not self.smooth > 0:
            raise ValueError(f"smooth must be above 0 s, or None, not {self.smooth!r}")
        if not self.tolerance > 0:
            raise ValueError(f"tolerance must be above 0 m, not {self.tolerance!r}")
        if self.least_beads < 1:
            raise ValueError(f"least_beads must be 1 or more, not {self.least_beads!r}")


@dataclass(frozen=True)
class WashFit:
    """What was found in one wash.

    Attributes
    ----------
    tracks
        Raw tracks of the beads used, by name in the catalogue, without stray samples.
    homes
        Where the beads stand in this wash without motion: turned as the wash is, (bead, 3).
    motion
        The motion.
    noise
        Noise of the beads.
    left_out
        Beads left out, and why.
    """

    tracks: Mapping[str, Track] = field(repr=False)
    homes: Array = field(repr=False)
    motion: Motion = field(repr=False)
    noise: Noise
    left_out: Mapping[str, str]


def fit_tracks(washes: Sequence[Mapping[str, Track]], choices: FitChoices) -> tuple[WashFit, ...]:
    """Return the motion of every wash.

    Parameters
    ----------
    washes
        Tracks by name in the catalogue, one entry a wash.
    choices
        How.

    Raises
    ------
    ValueError
        If a wash has no bead, none in common with the others, beads that contradict each other
        without telling which one moved, or if they cannot tell the rotation that is wanted.
    """
    if not 0 <= choices.reference < len(washes):
        raise ValueError(f"reference must be 0 to {len(washes) - 1}, not {choices.reference!r}")
    for number, tracks in enumerate(washes):
        if not tracks:
            raise ValueError(f"wash {number} has no bead that can be used")
    parts = [WashTracks(dict(tracks), {}) for tracks in washes]
    parts = without_moved(parts, choices.tolerance, choices.reference, turning=choices.rotation)
    for _ in range(2):
        # strays are seen against homes, and homes are better without strays
        homes, rotations = _places(parts, choices)
        parts = [
            _cleaned(part, _of(homes, part, turn), choices)
            for part, turn in zip(parts, rotations, strict=True)
        ]
    homes, rotations = _places(parts, choices)
    _check_linked(parts)
    return _fits(parts, homes, rotations, choices)


def _check_linked(parts: Sequence[WashTracks]) -> None:
    """Refuse washes that no bead connects with the others."""
    names = catalogue(parts)
    there = np.array([[name in part.tracks for name in names] for part in parts])
    linked = bead_groups(there.astype(int) @ there.T.astype(int))
    apart = np.flatnonzero(linked != linked[0])
    if len(apart):
        raise ValueError(
            f"washes {apart.tolist()} have no bead in common with wash 0, so nothing tells how "
            f"they lie; match by geometry if the beads have other names"
        )


def _places(
    parts: Sequence[WashTracks], choices: FitChoices
) -> tuple[dict[str, Array], list[Array]]:
    """Return where every bead stands in the frame of the reference, and how each wash is turned."""
    names = catalogue(parts)
    steps = all_differences(parts, names, choices.tolerance)
    rotations = [np.eye(3) for _ in parts]
    homes = solve_homes(steps)
    if choices.rotation != _NO_ROTATION:
        own = [solve_homes([step]) for step in steps]
        for _ in range(_ROUNDS):
            rotations = [
                _rotation(parts, i, own[i], homes, names, choices) for i in range(len(parts))
            ]
            first = rotations[choices.reference]
            rotations = [turn @ first.T for turn in rotations]
            turned = [
                replace(step, mean=step.mean @ turn)
                for step, turn in zip(steps, rotations, strict=True)
            ]
            before, homes = homes, solve_homes(turned)
            if np.abs(homes - before).max() < _SETTLED_M:
                break
    return dict(zip(names, homes, strict=True)), rotations


def _rotation(
    parts: Sequence[WashTracks],
    number: int,
    own: Array,
    homes: Array,
    names: list[str],
    choices: FitChoices,
) -> Array:
    rows = [names.index(name) for name in parts[number].tracks]
    axial = choices.rotation == "z"
    noise = bead_noise(list(parts[number].tracks.values()), own[rows])
    error = np.sqrt(np.nanmax(_place_variance(parts[number], noise)))
    reason = refusal(own[rows], float(error), axial_only=axial)
    if reason is not None:
        raise ValueError(
            f"no rotation can be told in wash {number}: {reason}; use rotation='none', which "
            f"translates by the centroid of the beads"
        )
    return rotation_between(homes[rows], own[rows], axial_only=axial)


def _place_variance(part: WashTracks, noise: Noise) -> Array:
    """Return the variance of the mean place of a bead in a wash along x, y, z."""
    least = min(len(track.tim) for track in part.tracks.values())
    return np.asarray(noise.white / max(least, 1) + noise.slow)


def _of(homes: Mapping[str, Array], part: WashTracks, turn: Array) -> Array:
    """Return the homes of the beads of a wash, turned as the wash is about the origin."""
    return np.array([homes[name] for name in part.tracks]).reshape(-1, 3) @ turn.T


def _cleaned(part: WashTracks, homes: Array, choices: FitChoices) -> WashTracks:
    tracks = without_strays(list(part.tracks.values()), homes, choices.tolerance)
    named = dict(zip(part.tracks, tracks, strict=True))
    lost = {name: "stands elsewhere" for name, track in named.items() if len(track.tim) < 2}
    kept = {name: track for name, track in named.items() if name not in lost}
    return WashTracks(kept, {**part.left_out, **lost})


def _fits(
    parts: Sequence[WashTracks],
    homes: Mapping[str, Array],
    rotations: Sequence[Array],
    choices: FitChoices,
) -> tuple[WashFit, ...]:
    pivot = np.mean(list(homes.values()), axis=0)
    places = [
        (np.array([homes[name] for name in part.tracks]) - pivot) @ turn.T + pivot
        for part, turn in zip(parts, rotations, strict=True)
    ]
    noises = [
        bead_noise(list(part.tracks.values()), place)
        for part, place in zip(parts, places, strict=True)
    ]
    # each wash alone tells little of how far beads wander, and homes took a part of it
    slow = np.mean([noise.slow for noise in noises], axis=0) * len(parts) / max(len(parts) - 1, 1)
    fits = []
    for part, place, noise, turn in zip(parts, places, noises, rotations, strict=True):
        motion = replace(
            _motion(part, place, choices),
            white_variance=noise.white,
            slow_variance=slow,
            rotation=turn,
            angle_covariance=_angles(part, place, noise, choices),
            pivot=pivot,
        )
        fits.append(WashFit(part.tracks, place, motion, noise, part.left_out))
    return _in_reference_frame(fits, choices.reference)


def _motion(part: WashTracks, places: Array, choices: FitChoices) -> Motion:
    tracks = list(part.tracks.values())
    if choices.smooth is not None:
        tracks = [smooth_track(track, choices.smooth) for track in tracks]
    return common_motion(tracks, places, choices.least_beads)


def _angles(part: WashTracks, places: Array, noise: Noise, choices: FitChoices) -> Array:
    if choices.rotation == _NO_ROTATION:
        return np.zeros((3, 3))
    arms = places - places.mean(axis=0)
    variance = _place_variance(part, noise)
    return angle_covariance(arms, variance, axial_only=choices.rotation == "z")


def _in_reference_frame(fits: Sequence[WashFit], reference: int) -> tuple[WashFit, ...]:
    """Return the fits in the frame in which the reference wash has a mean motion of 0."""
    first = fits[reference].motion
    if not np.isfinite(first.left).any():
        raise ValueError("the reference wash has never enough beads at once")
    offset = first.mean()
    frame = first.slow_variance / max(len(fits[reference].tracks), 1)
    found = []
    for number, fit in enumerate(fits):
        own = np.zeros(3) if number == reference else frame
        motion = replace(fit.motion.shifted(offset), frame_variance=own)
        found.append(replace(fit, homes=fit.homes + offset, motion=motion))
    return tuple(found)
