"""Pixels of an image, and how images are cut into tiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Grid", "Tiles"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Grid:
    """Pixels of an image in the order of its axes: (y, x) or (z, y, x).

    Attributes
    ----------
    first
        Lower edge of the image along each axis.
    size
        Size of a pixel along each axis, in the same unit.
    shape
        Number of pixels along each axis.

    Raises
    ------
    ValueError
        If there is no pixel, or pixels are so small that their edges cannot be told apart.
    """

    first: tuple[float, ...]
    size: tuple[float, ...]
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.shape) not in (2, 3) or not len(self.first) == len(self.size) == len(
            self.shape
        ):
            raise ValueError("an image has 2 or 3 axes, each with its first edge, size and number")
        for first, size, n in zip(self.first, self.size, self.shape, strict=True):
            far = max(abs(first), abs(first + n * size))
            if n < 1 or not size > 0 or not np.isfinite(far):
                raise ValueError(f"an axis needs a pixel of a size above 0, not {n} of {size!r}")
            if size < 1024 * np.spacing(far):
                raise ValueError(
                    f"pixels of {size:.3g} at {far:.3g} are too small to be told apart; "
                    "give larger ones"
                )

    def edges(self, axis: int) -> Array:
        """Return the edges of the pixels along an axis, one more than there are pixels."""
        return np.asarray(self.first[axis] + np.arange(self.shape[axis] + 1) * self.size[axis])

    def centres(self, axis: int) -> Array:
        """Return the centres of the pixels along an axis."""
        return np.asarray(self.first[axis] + (np.arange(self.shape[axis]) + 0.5) * self.size[axis])

    def solid(self) -> tuple[tuple[float, ...], tuple[float, ...], tuple[int, ...]]:
        """Return first edges, sizes and shape of three axes; z of a plane is one pixel."""
        if len(self.shape) == 3:
            return self.first, self.size, self.shape
        return (0.0, *self.first), (1.0, *self.size), (1, *self.shape)


@dataclass(frozen=True)
class Tiles:
    """How an image is cut; the sides are powers of two, and the last tiles may be smaller.

    Attributes
    ----------
    shape
        Of the image, three axes.
    bits
        Binary logarithm of the side of a tile along each axis.
    """

    shape: tuple[int, int, int]
    bits: tuple[int, int, int]

    @property
    def across(self) -> tuple[int, int, int]:
        """Number of tiles along each axis."""
        z, y, x = (-(-n >> bit) for n, bit in zip(self.shape, self.bits, strict=True))
        return z, y, x

    @property
    def count(self) -> int:
        """Number of all tiles."""
        z, y, x = self.across
        return z * y * x

    def place(self, number: int) -> tuple[int, int, int]:
        """Return where along each axis a tile is."""
        _, rows, columns = self.across
        return number // (rows * columns), number // columns % rows, number % columns

    def corner(self, number: int) -> tuple[int, int, int]:
        """Return the first pixel of a tile."""
        z, y, x = (at << bit for at, bit in zip(self.place(number), self.bits, strict=True))
        return z, y, x

    def shape_of(self, number: int) -> tuple[int, int, int]:
        """Return the number of pixels of a tile."""
        corner = self.corner(number)
        ends = zip(corner, self.shape, self.bits, strict=True)
        z, y, x = (min(n - at, 1 << bit) for at, n, bit in ends)
        return z, y, x
