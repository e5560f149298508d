"""Beads of a simulated wash: they see the same motion as the localizations."""

from __future__ import annotations

from typing import Any

import numpy as np

from mfxarray.simulate.minflux_blocks import Motion
from mfxarray.simulate.minflux_scene import BEAD_KEY, BEAD_PLACE_KEY, generator

__all__ = ["bead_positions", "bead_table"]

_BEADS = 4
_USED = 3
_FIRST_GRI = 61
_INTERVAL_S = 4.0
_MOST_SAMPLES = 2000
_NOISE_M = 0.5e-9
_FAILED_FRACTION = 0.02
_DEPTH = 0.02  # share of the field over which the beads lie in z

Array = np.ndarray[Any, Any]


def bead_positions(seed: int, dimensions: int, field_m: float) -> Array:
    """Return four beads without motion, metres, shape (bead, 3); the same for every wash."""
    beads = generator(seed, 0, BEAD_PLACE_KEY).uniform(0.0, field_m, (_BEADS, 3))
    beads[:, 2] *= _DEPTH if dimensions == 3 else 0.0
    return beads


def bead_table(
    seed: int, wash: int, positions: Array, motion: Motion, duration_s: float
) -> dict[str, Any]:
    """Return the samples of all beads, interleaved in time as the instrument writes them.

    Parameters
    ----------
    seed, wash
        What the noise depends on.
    positions
        Beads without motion, metres, shape (bead, 3). Where all z are 0 they stay 0.
    motion
        Displacement of the scene.
    duration_s
        Time to cover. Every bead is sampled every 4 s, at most about 2000 times.
    """
    rng = generator(seed, wash, BEAD_KEY)
    interval = max(_INTERVAL_S, duration_s / _MOST_SAMPLES)
    turns, beads = int(duration_s / interval) + 2, len(positions)
    flat = not positions[:, 2].any()
    time = interval * np.arange(turns * beads) / beads
    number = np.tile(np.arange(beads), turns)
    noise = rng.normal(0.0, _NOISE_M, (time.size, 3)) * (1, 1, not flat)
    xyz = positions[number] + motion.at(time) + noise
    strength = np.where(
        rng.random(time.size) < _FAILED_FRACTION, 0.0, rng.normal(1.0, 0.05, time.size)
    )
    points = [
        {"name": f"R{bead + 1}", "gri": _FIRST_GRI + bead, "tim": at, "xyz": place, "str": signal}
        for bead, at, place, signal in zip(
            number.tolist(), time.tolist(), xyz.tolist(), strength.tolist(), strict=True
        )
    ]
    return {"points": points, "used": [f"R{bead + 1}" for bead in range(_USED)]}
