"""Simulated patterns of points: at random, clustered, and two channels that share places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from tests.samples import localizations_of

__all__ = ["channels_of", "poisson", "shared_sites", "thomas"]

Array = np.ndarray


def poisson(n: int, sides: Sequence[float], rng: np.random.Generator) -> Array:
    """Return points at random in a box from 0 on, metres."""
    return rng.random((n, len(sides))) * np.asarray(sides)


def thomas(
    parents: int, children: float, sigma: float, sides: Sequence[float], rng: np.random.Generator
) -> Array:
    """Return clusters of Poisson numbers of points, on a torus, so that they are stationary."""
    centres = poisson(parents, sides, rng)
    numbers = rng.poisson(children, parents)
    points = np.repeat(centres, numbers, axis=0)
    return np.mod(points + rng.normal(scale=sigma, size=points.shape), np.asarray(sides))


def channels_of(*patterns: Array, rng: np.random.Generator | None = None) -> xr.Dataset:
    """Return localizations with a channel for each pattern, in mixed order if a generator is given.

    z is 0 of patterns in two dimensions.
    """
    points = np.concatenate(patterns)
    channel = np.repeat(np.arange(len(patterns)), [len(one) for one in patterns])
    position = np.zeros((len(points), 3))
    position[:, : points.shape[1]] = points
    order = np.arange(len(points)) if rng is None else rng.permutation(len(points))
    return localizations_of(position[order], channel=channel[order])


def shared_sites(
    alone: tuple[int, int],
    both: int,
    rng: np.random.Generator,
    *,
    side: float = 3e-6,
    points: int = 12,
    spread: float = 4e-9,
) -> tuple[xr.Dataset, Array]:
    """Return two channels with sites of their own and common ones, and the sites (site, axis).

    Sites of the first channel come first, then of the second, then common ones; they lie on a
    lattice, so that none touch.
    """
    total = sum(alone) + both
    cells = int(np.ceil(np.sqrt(total)))
    place = rng.permutation(cells**2)[:total]
    sites = np.column_stack([place // cells, place % cells]) * side / cells
    parts: list[list[Array]] = [[], []]
    for number, site in enumerate(sites):
        for channel in (0, 1):
            mine = sum(alone[:channel]) <= number < sum(alone[: channel + 1])
            if mine or number >= sum(alone):
                parts[channel].append(site + rng.normal(scale=spread, size=(points, 2)))
    return channels_of(*(np.concatenate(part) for part in parts), rng=rng), sites
