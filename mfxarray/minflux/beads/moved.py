"""Beads that moved on their own between washes, left out before anything is fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfxarray.kernels.beads.homes import Differences, bead_groups, best_shift, solve_homes
from mfxarray.kernels.beads.homes import differences as find_differences
from mfxarray.kernels.beads.rotation import refusal, rotation_between
from mfxarray.kernels.beads.tracks import Track

__all__ = ["WashTracks", "all_differences", "catalogue", "without_moved"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class WashTracks:
    """The beads of a wash.

    Attributes
    ----------
    tracks
        Raw tracks by name in the catalogue.
    left_out
        Beads left out, and why.
    """

    tracks: dict[str, Track]
    left_out: dict[str, str]


def all_differences(
    parts: Sequence[WashTracks], names: Sequence[str], tolerance: float
) -> list[Differences]:
    """Return the differences between the beads of every wash, along the whole catalogue."""
    empty = Track(np.zeros(0), np.zeros((0, 3)), np.zeros(0), np.zeros(0), 0.0)
    return [
        find_differences([part.tracks.get(name, empty) for name in names], tolerance)
        for part in parts
    ]


def catalogue(parts: Sequence[WashTracks]) -> list[str]:
    """Return the names of all beads."""
    return list(dict.fromkeys(name for part in parts for name in part.tracks))


def without_moved(
    parts: Sequence[WashTracks], tolerance: float, reference: int, *, turning: str
) -> list[WashTracks]:
    """Return the washes without beads that stand elsewhere among the others than before.

    Parameters
    ----------
    parts
        All washes.
    tolerance
        How far a bead may be off, metres.
    reference
        Wash that is looked at first.
    turning
        Rotation that a wash may have: "none", "z" or "rigid".

    Raises
    ------
    ValueError
        If beads contradict each other and do not tell which of them moved.
    """
    names = catalogue(parts)
    steps = all_differences(parts, names, tolerance)
    known: dict[str, Array] = {}
    found = list(parts)
    for number in sorted(range(len(parts)), key=lambda number: number != reference):
        places = dict(zip(names, solve_homes([steps[number]]), strict=True))
        groups = bead_groups(steps[number].count)
        moved: list[str] = []
        for group in np.unique(groups):
            members = [names[i] for i in np.flatnonzero(groups == group)]
            own = {name: places[name] for name in members if name in parts[number].tracks}
            moved += _moved_of(own, known, tolerance, number, turning)
        text = f"moved on its own by more than {tolerance * 1e9:.3g} nm"
        kept = {name: t for name, t in parts[number].tracks.items() if name not in moved}
        found[number] = WashTracks(kept, dict.fromkeys(moved, text))
    return found


def _moved_of(
    own: Mapping[str, Array], known: dict[str, Array], tolerance: float, wash: int, turning: str
) -> list[str]:
    """Return which of a group of beads moved; beads that are new enter what is known."""
    common = [name for name in own if name in known]
    if known and not common:
        return []  # nothing tells how these lie to the others
    here = np.array([own[name] for name in common]).reshape(-1, 3)
    there = np.array([known[name] for name in common]).reshape(-1, 3)
    turn = _turn_back(here, there, tolerance, turning)
    here = here @ turn.T
    kept, certain = best_shift(here, there, tolerance) if common else (np.ones(0, bool), True)
    if not certain:
        raise ValueError(
            f"the beads {', '.join(common)} of wash {wash} stand differently to each other than "
            f"before, and they do not tell which of them moved; exclude it, or match by geometry "
            f"if the names were given anew"
        )
    shift = (there[kept] - here[kept]).mean(axis=0) if common else np.zeros(3)
    for name, place in own.items():
        known.setdefault(name, turn @ place + shift)
    return [name for name, stays in zip(common, kept, strict=True) if not stays]


def _turn_back(here: Array, there: Array, tolerance: float, turning: str) -> Array:
    """Return the rotation that brings beads back, none where it does not explain all of them."""
    axial = turning == "z"
    if turning == "none" or refusal(here, 0.0, axial_only=axial) is not None:
        return np.eye(3)
    turn = rotation_between(here, there, axial_only=axial)
    off = here @ turn.T - there
    explained = np.linalg.norm(off - off.mean(axis=0), axis=1).max() <= tolerance
    return turn if explained else np.eye(3)
