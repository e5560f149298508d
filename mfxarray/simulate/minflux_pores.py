"""Nuclear pores with a known truth: rings of corners, some labelled, each seen several times.

References
----------
J. V. Thevathasan et al., Nat. Methods 16, 1045 (2019): Nup96, eight corners on 107 nm, two rings
50 nm apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["PoreSettings", "SimulatedPores", "simulate_pores"]

Array = np.ndarray[Any, Any]

_TRACE_STEP_S = 0.2
_ROW_STEP_S = 1e-3


@dataclass(frozen=True)
class PoreSettings:
    """What is simulated; lengths in metres.

    Attributes
    ----------
    pores
        How many.
    seed
        The same seed and settings give the same numbers.
    diameter_m
        Of the circle of corners.
    corners
        Corners of a ring.
    rings
        1 or 2 rings, one above the other.
    ring_distance_m
        Between two rings.
    copies
        Places for a label at each corner of a ring.
    labelling
        Share of these places that are labelled.
    visits
        Mean number of traces of a labelled molecule, at least one each.
    localizations
        Mean number of localizations of a trace, at least one each.
    precision_m
        Standard deviation of a localization, along z too.
    jitter_m
        Standard deviation of a molecule around its corner along x, y, and z.
    spacing_m
        Distance of pores on a square grid, from which they are shifted by up to a tenth.
    background
        Traces at random places, for each pore.
    flat
        Set all z to 0.
    """

    pores: int = 30
    seed: int = 0
    diameter_m: float = 107e-9
    corners: int = 8
    rings: int = 1
    ring_distance_m: float = 50e-9
    copies: int = 1
    labelling: float = 0.6
    visits: float = 2.0
    localizations: float = 4.0
    precision_m: float = 2e-9
    jitter_m: float = 0.0
    spacing_m: float = 300e-9
    background: float = 0.0
    flat: bool = False

    def __post_init__(self) -> None:
        if min(self.pores, self.corners, self.copies) < 1 or self.rings not in (1, 2):
            raise ValueError("pores, corners and copies must be at least 1, and rings 1 or 2")
        if not 0 <= self.labelling <= 1:
            raise ValueError(f"labelling is a share from 0 to 1, not {self.labelling!r}")
        if min(self.diameter_m, self.spacing_m) <= 0:
            raise ValueError("diameter_m and spacing_m must be above 0")
        if min(self.precision_m, self.jitter_m, self.background, self.seed) < 0:
            raise ValueError("precision_m, jitter_m, background and seed must not be negative")
        if min(self.visits, self.localizations) < 0:
            raise ValueError("visits and localizations must not be negative")


@dataclass(frozen=True)
class SimulatedPores:
    """Localizations of pores, and what is true about them.

    Attributes
    ----------
    position, tid, tim
        Metres, shape (localization, 3); trace ids from 0; seconds, rising.
    pore, corner
        Of each localization, -1 for background.
    centre
        Metres, shape (pore, 3).
    phase
        Angle of the first corner, radians, from 0 to below 2 pi / corners, shape (pore,).
    labelled
        Which corners have at least one label, shape (pore, corner).
    settings
        Of the simulation.
    """

    position: Array = field(repr=False)
    tid: Array = field(repr=False)
    tim: Array = field(repr=False)
    pore: Array = field(repr=False)
    corner: Array = field(repr=False)
    centre: Array = field(repr=False)
    phase: Array = field(repr=False)
    labelled: Array = field(repr=False)
    settings: PoreSettings


def simulate_pores(settings: PoreSettings | None = None, **more: Any) -> SimulatedPores:
    """Return localizations of pores that lie in a plane, in random order of their traces.

    Parameters
    ----------
    settings
        What is simulated; if not given, the attributes of `PoreSettings` as keywords.
    **more
        These attributes.
    """
    if settings is not None and more:
        raise ValueError("give either settings or its attributes, not both")
    s = settings or PoreSettings(**more)
    rng = np.random.default_rng((s.seed, 5000))
    centre, phase = _centres(s, rng)
    present = rng.random((s.pores, s.corners, s.rings, s.copies)) < s.labelling
    pore, corner, ring, _ = np.nonzero(present)
    angle = phase[pore] + corner * (2 * np.pi / s.corners)
    height = (ring - (s.rings - 1) / 2) * s.ring_distance_m
    radius = s.diameter_m / 2
    place = centre[pore] + np.column_stack([radius * np.cos(angle), radius * np.sin(angle), height])
    place += rng.normal(0, s.jitter_m, place.shape)
    visits = np.maximum(rng.poisson(s.visits, len(place)), 1)
    trace = np.repeat(np.arange(len(place)), visits)
    others = _background(s, rng)
    place = np.concatenate([place[trace], others])
    none = np.full(len(others), -1)
    pore, corner = (np.concatenate([part[trace], none]) for part in (pore, corner))
    order = rng.permutation(len(place))
    rows = np.maximum(rng.poisson(s.localizations, len(place)), 1)
    tid = np.repeat(np.arange(len(place)), rows)
    position = place[order][tid] + rng.normal(0, s.precision_m, (len(tid), 3))
    if s.flat:
        position[:, 2], centre[:, 2] = 0.0, 0.0
    within = np.arange(len(tid)) - np.repeat(np.cumsum(rows) - rows, rows)
    tim = tid * _TRACE_STEP_S + within * _ROW_STEP_S
    labelled = np.asarray(present.any(axis=(2, 3)))
    return SimulatedPores(
        position, tid, tim, pore[order][tid], corner[order][tid], centre, phase, labelled, s
    )


def _centres(s: PoreSettings, rng: np.random.Generator) -> tuple[Array, Array]:
    side = int(np.ceil(np.sqrt(s.pores)))
    grid = np.stack(np.divmod(np.arange(s.pores), side), axis=1) * s.spacing_m
    shift = rng.uniform(-0.1, 0.1, grid.shape) * s.spacing_m
    centre = np.column_stack([grid + shift, np.zeros(s.pores)])
    return centre, rng.uniform(0, 2 * np.pi / s.corners, s.pores)


def _background(s: PoreSettings, rng: np.random.Generator) -> Array:
    side = int(np.ceil(np.sqrt(s.pores)))
    number = round(s.background * s.pores)
    place = rng.uniform(-0.5, side - 0.5, (number, 3)) * s.spacing_m
    half = s.ring_distance_m / 2 * (s.rings - 1)
    place[:, 2] = rng.uniform(-1, 1, number) * half
    return place
