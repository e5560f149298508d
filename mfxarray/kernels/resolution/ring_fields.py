"""Pixels and rings of a field of view, whole or in tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import fft

from mfxarray.kernels.rendering.grids import Grid, Tiles
from mfxarray.kernels.resolution.fourier_rings import Rings

__all__ = ["Field", "field_of"]

# a field of more pixels than this is cut into tiles
MOST_PIXELS = 2**25
_TILE_BITS = {2: 12, 3: 8}


@dataclass(frozen=True)
class Field:
    """Pixels, how they are cut, and the rings of a tile.

    Attributes
    ----------
    grid
        Pixels in the order (y, x) or (z, y, x).
    tiles
        How they are cut into images that are transformed one by one.
    rings
        Rings of such an image, which may be larger than a tile: the rest is 0.
    """

    grid: Grid
    tiles: Tiles
    rings: Rings

    @property
    def columns(self) -> tuple[int, ...]:
        """Columns of a position (x, y, z) for each axis of the image."""
        return tuple(range(len(self.grid.shape)))[::-1]

    @property
    def filled(self) -> float:
        """Share of the pixels transformed that belong to the field."""
        transformed = self.tiles.count * np.prod(self.rings.shape, dtype=float)
        return float(np.prod(self.grid.shape, dtype=float) / transformed)


def field_of(
    grid: Grid,
    *,
    width: float | None = None,
    tile: int | None = None,
    corners: bool = False,
    pad: bool = True,
) -> Field:
    """Return how a field is cut and which rings it has.

    Parameters
    ----------
    grid
        Its pixels.
    width
        Of the rings at least, 1/m; they are never narrower than 1 over the shortest side of what
        is transformed, so that none is empty.
    tile
        Pixels to a side of a tile, a power of two; by default the whole field up to 2^25 pixels,
        and 4096 (256 in 3D) beyond.
    corners
        Reach to 0.8 of the frequency in the corners of the spectrum; otherwise to that which the
        pixels sample along the axes.
    pad
        Add zeros to a size that is fast to transform.

    Raises
    ------
    ValueError
        If ``tile`` is no power of two.
    """
    solid = (1, *grid.shape)[-3:]
    whole = tuple((n - 1).bit_length() for n in solid)
    if tile is not None and (tile < 16 or tile & (tile - 1)):
        raise ValueError(f"tile must be a power of two of at least 16 pixels, not {tile!r}")
    if tile is None and np.prod(grid.shape, dtype=float) <= MOST_PIXELS:
        bits = whole
    else:
        most = _TILE_BITS[len(grid.shape)] if tile is None else tile.bit_length() - 1
        bits = tuple(min(bit, most) for bit in whole)
    tiles = Tiles((solid[0], solid[1], solid[2]), (bits[0], bits[1], bits[2]))
    sides = [min(n, 1 << bit) for n, bit in zip(solid, bits, strict=True)][-len(grid.shape) :]
    last = len(sides) - 1
    shape = tuple(
        fft.next_fast_len(n, real=axis == last) if pad else n for axis, n in enumerate(sides)
    )
    lengths = [n * size for n, size in zip(sides, grid.size, strict=True)]
    least = 1 / min(lengths)
    ring = least if width is None else max(width, least)
    return Field(
        grid, tiles, Rings(shape, grid.size, ring, _count(shape, grid.size, ring, corners))
    )


def _count(shape: Sequence[int], sizes: Sequence[float], width: float, corners: bool) -> int:
    highest = [n // 2 / (n * size) for n, size in zip(shape, sizes, strict=True)]
    if corners:
        last = int(np.sqrt(np.square(highest).sum()) / width + 0.5)
        return max(int(np.ceil(0.8 * last)), 2)
    # rounding must not lose the last ring
    return int(min(1 / (2 * size) for size in sizes) / width * (1 + 1e-12)) + 1
