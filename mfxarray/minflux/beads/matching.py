"""Which bead of one wash is which of another: by name, or by the figure that they form."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mfxarray.kernels.beads.tracks import Track

__all__ = ["match_beads"]

Array = np.ndarray[Any, Any]
Wash = Mapping[str, Track]

_MOST_BEADS = 200


def match_beads(
    washes: Sequence[Wash], *, by: str = "name", tolerance: float = 150e-9, reference: int = 0
) -> tuple[dict[str, str], ...]:
    """Return for every wash which of its beads is which bead of the catalogue.

    Parameters
    ----------
    washes
        Tracks by name, one entry a wash.
    by
        "name": beads of the same name are the same; zeros before a number do not matter (R1 is
        R01). "geometry": names do not count; a wash is laid upon the others so that most beads
        meet, and beads that are each other's nearest, nearer than ``tolerance``, are the same.
    tolerance
        Metres.
    reference
        Wash that gives the names.

    Returns
    -------
    tuple of dict
        For every wash, name of the bead in the wash to its name in the catalogue. A bead that the
        catalogue does not know yet enters it.

    Raises
    ------
    ValueError
        If the figures of two washes fit in two ways or in none.
    """
    if by not in ("name", "geometry"):
        raise ValueError(f'by must be "name" or "geometry", not {by!r}')
    if by == "name":
        return tuple(_by_name(washes, reference))
    return tuple(_by_geometry(washes, tolerance, reference))


def _by_name(washes: Sequence[Wash], reference: int) -> list[dict[str, str]]:
    known: dict[str, str] = {}
    found: list[dict[str, str]] = [{} for _ in washes]
    for number in _order(len(washes), reference):
        plain = [_plain(name) for name in washes[number]]
        # names that differ only by zeros within one wash are different beads
        for name, short in zip(washes[number], plain, strict=True):
            key = short if plain.count(short) == 1 else name
            found[number][name] = known.setdefault(key, name)
    return found


def _plain(name: str) -> str:
    return re.sub(r"(?<![0-9])0+(?=[0-9])", "", name)


def _by_geometry(washes: Sequence[Wash], tolerance: float, reference: int) -> list[dict[str, str]]:
    found: list[dict[str, str]] = [{} for _ in washes]
    names: list[str] = []
    places = np.zeros((0, 3))
    for number in _order(len(washes), reference):
        own = list(washes[number])
        if len(own) > _MOST_BEADS:
            raise ValueError(f"{len(own)} beads are too many to match by geometry")
        here = np.array([np.median(washes[number][name].xyz, axis=0) for name in own])
        here = here.reshape(-1, 3)
        first = not len(places)
        pairs, shift = ({}, np.zeros(3)) if first else _laid_upon(here, places, tolerance, number)
        for row, name in enumerate(own):
            if row in pairs:
                found[number][name] = names[pairs[row]]
                continue
            label = name if name not in names else f"{name} (wash {number})"
            names.append(label)
            found[number][name] = label
            places = np.vstack([places, here[row] + shift])
    return found


def _order(count: int, reference: int) -> list[int]:
    return [reference, *(number for number in range(count) if number != reference)]


def _laid_upon(
    here: Array, places: Array, tolerance: float, wash: int
) -> tuple[dict[int, int], Array]:
    """Return which bead here is which of the catalogue, and the shift that makes them meet.

    Every pair of beads proposes a shift; the one by which most beads meet is taken, then the one
    with the smallest distances.
    """
    if len(here) < 2 or len(places) < 2:
        raise ValueError(
            f"wash {wash} has {len(here)} beads and the others {len(places)}: one bead fits "
            f"anywhere; match by name"
        )
    tried = []
    for shift in (places[:, np.newaxis] - here[np.newaxis]).reshape(-1, 3):
        pairs, error = _nearest(here + shift, places, tolerance)
        tried.append((-len(pairs), error, shift, pairs))
    tried.sort(key=lambda entry: entry[:2])
    best = tried[0]
    if -best[0] < 2:
        raise ValueError(
            f"the beads of wash {wash} fit those of the others nowhere within "
            f"{tolerance * 1e9:.3g} nm; match by name, or leave out beads that moved"
        )
    rivals = [entry for entry in tried if entry[0] == best[0] and entry[3] != best[3]]
    if rivals:
        raise ValueError(
            f"the beads of wash {wash} fit those of the others in several ways, "
            f"{-best[0]} beads each; match by name"
        )
    own, other = np.array(list(best[3].items())).T
    return best[3], np.median(places[other] - here[own], axis=0)


def _nearest(here: Array, places: Array, tolerance: float) -> tuple[dict[int, int], float]:
    """Return the beads that are each other's nearest, and the sum of their squared distances."""
    distance = np.linalg.norm(here[:, np.newaxis] - places[np.newaxis], axis=-1)
    forth, back = distance.argmin(axis=1), distance.argmin(axis=0)
    own = np.arange(len(here))
    meets = (back[forth] == own) & (distance[own, forth] <= tolerance)
    pairs = {int(row): int(forth[row]) for row in own[meets]}
    return pairs, float((distance[own, forth][meets] ** 2).sum())
