"""Localizations of time windows as whole numbers on a fine lattice, merged where they coincide.

Sums of whole numbers do not depend on their order, so whatever is computed from these tables has
the same bits however the localizations were cut into blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["STEPS", "Lattice", "Windows", "join_tables", "make_table", "rows_of_strips"]

Array = np.ndarray[Any, Any]

# steps of the fine lattice in a pixel
STEPS = 16
_MOST = 2**62


@dataclass(frozen=True)
class Windows:
    """Time windows of one length, one after the other.

    Attributes
    ----------
    start
        Beginning of the first, seconds.
    length
        Seconds.
    count
        How many.
    closed
        Whether the end of the last window belongs to it.
    """

    start: float
    length: float
    count: int
    closed: bool

    @property
    def stop(self) -> float:
        """Return the end of the last window, seconds."""
        return self.start + self.count * self.length

    def number_of(self, tim: Array) -> Array:
        """Return the number of the window of each time, -1 outside all windows."""
        with np.errstate(invalid="ignore"):
            number = np.floor((tim - self.start) / self.length)
        if self.closed:
            number[(number >= self.count) & (tim <= self.stop * (1 + 1e-12))] = self.count - 1
        outside = ~((number >= 0) & (number < self.count))
        number[outside] = -1
        return number.astype(np.int32)


@dataclass(frozen=True)
class Lattice:
    """How positions become whole numbers.

    Attributes
    ----------
    pixel
        Metres.
    dimensions
        2 or 3.
    strip
        Height of a strip of the field along y, pixels.
    """

    pixel: float
    dimensions: int
    strip: int

    @property
    def columns(self) -> int:
        """Return the columns of a table: window, count, pixels and sums of steps along axes."""
        return 2 + 2 * self.dimensions


def make_table(position: Array, number: Array, lattice: Lattice) -> Array:
    """Return the merged table of localizations, shape (point, column), int32.

    Parameters
    ----------
    position
        Metres, shape (row, 3) or (row, 2); all finite.
    number
        Window of each row, -1 for rows to leave out.
    lattice
        Pixels.

    Returns
    -------
    numpy.ndarray
        Columns: window, localizations, pixel along each axis, and along each axis the sum over the
        localizations of their steps beyond the pixel's lower edge. Sorted by strip, window, x.

    Raises
    ------
    ValueError
        If the field has more pixels than can be numbered.
    """
    d = lattice.dimensions
    inside = number >= 0
    fine = np.rint(position[inside, :d] * (STEPS / lattice.pixel))
    if fine.size and np.abs(fine).max() >= 2**31:
        raise ValueError(
            f"positions up to {np.abs(position[inside, :d]).max():.3g} m are too far from 0 for a "
            f"pixel of {lattice.pixel:.3g} m; give a larger pixel or remove stray localizations"
        )
    whole = fine.astype(np.int32)
    pixel = whole >> 4
    table = np.empty((len(whole), lattice.columns), np.int32)
    table[:, 0] = number[inside]
    table[:, 1] = 1
    table[:, 2 : 2 + d] = pixel
    table[:, 2 + d :] = whole & (STEPS - 1)
    return _merge(table, lattice)


def join_tables(tables: list[Array], lattice: Lattice) -> Array:
    """Return one merged table of several."""
    if len(tables) == 1:
        return tables[0]
    return _merge(np.concatenate(tables), lattice)


def rows_of_strips(table: Array, lattice: Lattice, first: int, stop: int) -> Array:
    """Return the rows of the strips from ``first`` to ``stop``, a view."""
    strips = table[:, 3] // lattice.strip
    begin, end = np.searchsorted(strips, [first, stop])
    return table[begin:end]


def _merge(table: Array, lattice: Lattice) -> Array:
    if not len(table):
        return table
    key = _sort_key(table, lattice)
    order = np.argsort(key)
    key = key[order]
    starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    rows = table[order]
    d = lattice.dimensions
    merged = rows[starts]
    merged[:, 1] = np.add.reduceat(rows[:, 1], starts)
    for column in range(2 + d, 2 + 2 * d):
        merged[:, column] = np.add.reduceat(rows[:, column], starts)
    return merged


def _sort_key(table: Array, lattice: Lattice) -> Array:
    """Return one number a row that sorts by strip, window, x and then by the other axes."""
    y = table[:, 3].astype(np.int64)
    strips = y // lattice.strip
    parts = [strips, table[:, 0], table[:, 2], y - strips * lattice.strip]
    if lattice.dimensions == 3:
        parts.append(table[:, 4])
    key, size = np.zeros(len(table), np.int64), 1
    for part in parts:
        low, high = int(part.min()), int(part.max())
        size *= high - low + 1
        if size > _MOST:
            raise ValueError(
                f"a field with {size:.1e} pixels is too large for a pixel of {lattice.pixel:.3g} m;"
                f" give a larger pixel or remove stray localizations"
            )
        key = key * (high - low + 1) + (part.astype(np.int64) - low)
    return key
