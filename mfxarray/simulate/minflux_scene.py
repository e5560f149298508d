"""What is simulated: the sequence of iterations, and emitters on rings at random places."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = [
    "BEAD_KEY",
    "BEAD_PLACE_KEY",
    "Scene",
    "Sequence",
    "generator",
    "make_scene",
    "make_sequence",
]

_RING_CORNERS = 8
_RING_RADIUS_M = 55e-9
_RINGS_PER_UM2 = 4.0
_RING_Z_M = 100e-9
# last key of the generators that are not those of a block of traces
_SCENE_KEY, BEAD_KEY, BEAD_PLACE_KEY = 2**32 - 1, 2**32 - 2, 2**32 - 3
_PATTERN_M = 360e-9
_LIMITS = {2: (160, 150, 100, 100, 150), 3: (160, 400, 100, 50, 67, 33, 67, 33, 100, 50)}
_GEOMETRY = {
    2: (0.8, 0.8, 0.42, 0.21, 0.11),
    3: (0.8, 0.8, 0.8, 0.8, 0.42, 0.42, 0.21, 0.21, 0.11, 0.11),
}
_RELOCALISED = {2: 2, 3: 4}
_CFR_FROM_END: dict[int, tuple[int, ...]] = {2: (), 3: (8, 4)}  # 2D: every iteration measures it


def generator(seed: int, wash: int, key: int) -> np.random.Generator:
    """Return the random generator of one block of traces (or of the scene, or of the beads)."""
    return np.random.default_rng((seed, wash, key))


@dataclass(frozen=True)
class Sequence:
    """The iterations of a localization.

    Attributes
    ----------
    dimensions
        2 or 3.
    limits
        Smallest number of photons of every iteration.
    ext
        Pattern size of every iteration, metres, shape (iteration, 3).
    relocalised
        How many iterations at the end are repeated for the later localizations of a trace.
    cfr_measured
        For every iteration, whether the centre-frequency ratio is measured in it.
    """

    dimensions: int
    limits: tuple[int, ...]
    ext: np.ndarray[Any, np.dtype[np.float64]]
    relocalised: int
    cfr_measured: tuple[bool, ...]

    @property
    def n_iterations(self) -> int:
        """Return the number of iterations."""
        return len(self.limits)


@dataclass(frozen=True)
class Scene:
    """Emitters, the same for every wash.

    Attributes
    ----------
    emitters
        Positions, metres, shape (emitter, 3).
    species
        Number of the fluorophore of every emitter, 0 or 1; one ring holds one fluorophore.
    """

    emitters: np.ndarray[Any, np.dtype[np.float64]] = field(repr=False)
    species: np.ndarray[Any, np.dtype[np.int64]] = field(repr=False)


def make_sequence(dimensions: int, iterations: int | None) -> Sequence:
    """Return the imaging sequence; other lengths drop or repeat iterations at its head.

    Raises
    ------
    ValueError
        If ``dimensions`` is not 2 or 3 or ``iterations`` is below 1.
    """
    if dimensions not in _LIMITS:
        raise ValueError(f"dimensions must be 2 or 3, not {dimensions!r}")
    count = len(_LIMITS[dimensions]) if iterations is None else iterations
    if count < 1:
        raise ValueError(f"iterations must be at least 1, not {iterations!r}")
    limits, geometry = _LIMITS[dimensions], _GEOMETRY[dimensions]
    limits = ((limits[0],) * count + limits)[-count:]
    geometry = ((geometry[0],) * count + geometry)[-count:]
    ext = np.repeat(np.array(geometry)[:, np.newaxis] * _PATTERN_M, 3, axis=1)
    columns = [count - back for back in _CFR_FROM_END[dimensions]] or list(range(count))
    measured = tuple(number in columns for number in range(count))
    return Sequence(dimensions, limits, ext, min(_RELOCALISED[dimensions], count), measured)


def make_scene(seed: int, dimensions: int, field_m: float) -> Scene:
    """Return rings of eight emitters with a radius of 55 nm, four rings per square micrometre."""
    rng = generator(seed, 0, _SCENE_KEY)
    rings = max(1, round(_RINGS_PER_UM2 * (field_m * 1e6) ** 2))
    centres = rng.uniform(0.0, field_m, (rings, 3))
    centres[:, 2] = rng.uniform(-_RING_Z_M, _RING_Z_M, rings) if dimensions == 3 else 0.0
    turn = rng.uniform(0.0, 2 * np.pi, (rings, 1))
    angle = turn + np.arange(_RING_CORNERS) * (2 * np.pi / _RING_CORNERS)
    emitters = np.repeat(centres[:, np.newaxis], _RING_CORNERS, axis=1)
    emitters[..., 0] += _RING_RADIUS_M * np.cos(angle)
    emitters[..., 1] += _RING_RADIUS_M * np.sin(angle)
    species = np.repeat(np.arange(rings) % 2, _RING_CORNERS)
    return Scene(emitters.reshape(-1, 3), species)
