"""What one block of localizations gives to the time windows: its points, counts and times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mfxarray.kernels.drift.points import (
    Lattice,
    Windows,
    join_tables,
    make_table,
    rows_of_strips,
)
from mfxarray.kernels.drift.solve import Curve

__all__ = ["Sample", "band_table", "block_part", "halves_of", "total_content"]

Array = np.ndarray[Any, Any]
Limits = tuple[tuple[float, float], ...]

_MICROSECOND = 1e-6


@dataclass(frozen=True)
class Sample:
    """Which localizations are compared, and how they are placed.

    Attributes
    ----------
    windows
        Time windows.
    lattice
        Pixels.
    limits
        Lowest and highest position along each axis, metres; empty for no limits.
    curve
        Drift to subtract first, None for none.
    half
        0 or 1 for one half of the traces, None for all.
    """

    windows: Windows
    lattice: Lattice
    limits: Limits = ()
    curve: Curve | None = None
    half: int | None = None


def block_part(
    used: Array, position: Array, tim: Array, keys: list[Array], *, sample: Sample, span: Any
) -> tuple[Array, Array]:
    """Return the table of one block within a span of strips, and the content of the windows."""
    number = sample.windows.number_of(np.asarray(tim, float))
    number[~used] = -1
    if sample.half is not None:
        number[halves_of(keys) != sample.half] = -1
    where = np.asarray(position, float)
    for axis, (low, high) in enumerate(sample.limits):
        number[~((where[:, axis] >= low) & (where[:, axis] <= high))] = -1
    content = _window_content(tim, number, sample.windows)
    if sample.curve is not None:
        where = where - sample.curve(tim)
    height = sample.lattice.pixel * sample.lattice.strip
    # a strip more at both ends: what rounding moves is cut off exactly below
    near = (where[:, 1] >= (span[0] - 1) * height) & (where[:, 1] <= (span[1] + 1) * height)
    number[~near] = -1
    table = make_table(where, number, sample.lattice)
    return rows_of_strips(table, sample.lattice, *span), content


def _window_content(tim: Array, number: Array, windows: Windows) -> Array:
    inside = number >= 0
    own = number[inside]
    since = tim[inside] - (windows.start + own * windows.length)
    ticks = np.rint(since / _MICROSECOND).astype(np.int64)
    content = np.zeros((windows.count, 2), np.int64)
    content[:, 0] = np.bincount(own, minlength=windows.count)
    np.add.at(content[:, 1], own, ticks)
    return content


def halves_of(keys: list[Array]) -> Array:
    """Return 0 or 1 for each row, the same for all rows of a trace."""
    mixed = np.zeros(len(keys[0]), np.uint64)
    for key in keys:
        mixed = (mixed ^ key.astype(np.int64).view(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return (mixed * np.uint64(0xBF58476D1CE4E5B9)) >> np.uint64(63)


def band_table(
    parts: list[tuple[Array, Array]], *, lattice: Lattice, first: int, stop: int
) -> Array:
    """Return the table of a range of strips, of those of all blocks."""
    tables = [rows_of_strips(table, lattice, first, stop) for table, _ in parts]
    return join_tables(tables, lattice)


def total_content(parts: list[tuple[Array, Array]]) -> Array:
    """Return what is in the windows, of all blocks."""
    return np.asarray(sum(content for _, content in parts))
