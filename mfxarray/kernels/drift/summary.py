"""What is needed to choose time windows: times, extents and quantiles of localizations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["UNIT", "Summary", "join_summaries", "summarise_block"]

Array = np.ndarray[Any, Any]

# positions are counted in steps of this, metres
UNIT = 1e-9


@dataclass(frozen=True)
class Summary:
    """Times and positions of localizations.

    Attributes
    ----------
    count
        Localizations.
    first, last
        Earliest and latest time, seconds.
    places
        Along x, y, z: (whole nanometres, localizations there).
    """

    count: int
    first: float
    last: float
    places: tuple[tuple[Array, Array], ...]

    def quantiles(self, axis: int, shares: tuple[float, float]) -> tuple[float, float]:
        """Return Hazen quantiles of the positions along an axis, metres, to half a nanometre."""
        values, counts = self.places[axis]
        ends = np.cumsum(counts)
        found = []
        for share in shares:
            # the sample of rank r lies at probability (r - 0.5) / n
            rank = min(max(share * self.count + 0.5, 1.0), float(self.count))
            low, high = np.floor(rank), np.ceil(rank)
            below, above = (values[np.searchsorted(ends, place)] for place in (low, high))
            found.append((below + (rank - low) * (above - below) + 0.5) * UNIT)
        return found[0], found[1]

    def strips(self, height: float, shift: float) -> Array:
        """Return numbers of strips along y and their localizations, shape (strip, 2).

        Parameters
        ----------
        height
            Of a strip, metres.
        shift
            How far positions may be moved by a correction, metres; the first and the last strip
            take it in.
        """
        values, counts = self.places[1]
        strips = np.floor(values * UNIT / height).astype(np.int64)
        numbers, own = np.unique(strips, return_inverse=True)
        found = np.stack([numbers, np.bincount(own, weights=counts).astype(np.int64)], axis=1)
        beyond = int(np.ceil(shift / height)) + 1
        ends = np.array([[numbers[0] - beyond, 0], [numbers[-1] + beyond, 0]])
        return np.concatenate([ends[:1], found, ends[1:]])


def summarise_block(used: Array, position: Array, tim: Array) -> Summary:
    """Return the summary of a block."""
    kept, times = np.asarray(position, float)[used], np.asarray(tim, float)[used]
    if not len(kept):
        empty = (np.zeros(0, np.int64), np.zeros(0, np.int64))
        return Summary(0, np.inf, -np.inf, (empty, empty, empty))
    places = tuple(_counted(np.floor(kept[:, axis] / UNIT).astype(np.int64)) for axis in range(3))
    return Summary(len(kept), float(times.min()), float(times.max()), places)


def join_summaries(parts: list[Summary]) -> Summary:
    """Return one summary of several."""
    places = tuple(_added([part.places[axis] for part in parts]) for axis in range(3))
    return Summary(
        sum(part.count for part in parts),
        min(part.first for part in parts),
        max(part.last for part in parts),
        places,
    )


def _counted(values: Array) -> tuple[Array, Array]:
    low = int(values.min())
    spread = int(values.max()) - low + 1
    if spread > 4 * len(values) + 65_536:
        found, counts = np.unique(values, return_counts=True)
        return found, counts
    counts = np.bincount(values - low, minlength=spread)
    found = np.flatnonzero(counts)
    return found + low, counts[found]


def _added(parts: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    if len(parts) == 1:
        return parts[0]
    values, own = np.unique(np.concatenate([part[0] for part in parts]), return_inverse=True)
    counts = np.zeros(len(values), np.int64)
    np.add.at(counts, own, np.concatenate([part[1] for part in parts]))
    return values, counts
