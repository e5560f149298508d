"""How points become an image: sorted by tiles, and added to each tile in their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from mfxarray.kernels.rendering.grids import Grid, Tiles
from mfxarray.kernels.rendering.rendering import add_amounts, add_places, sort_points
from mfxarray.kernels.rendering.splats import add_splats, sort_splats

__all__ = ["Drawing", "State", "add_parts", "sort_block"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Drawing:
    """What is drawn, and on which pixels.

    Attributes
    ----------
    grid
        Pixels, in the order of the axes of the image.
    tiles
        How they are cut.
    columns
        Column of the position for each axis of the image.
    splats
        Draw Gaussians; otherwise points are counted.
    sigma
        Of all Gaussians along each axis; None if each point has its own.
    channels
        Number of channels.
    amounts
        Number of amounts that come with each point.
    """

    grid: Grid
    tiles: Tiles
    columns: tuple[int, ...]
    splats: bool = False
    sigma: tuple[float, ...] | None = None
    channels: int = 1
    amounts: int = 0

    @property
    def counted(self) -> bool:
        """Tell whether points are counted."""
        return not self.splats

    @property
    def sums(self) -> int:
        """Number of images that are sums of floats; Gaussians without amounts are one."""
        return max(self.amounts, 1) if self.splats else self.amounts

    @property
    def point_bytes(self) -> int:
        """Bytes of a sorted point."""
        return 8 * self.amounts + (16 * len(self.grid.shape) if self.splats else 4)

    @property
    def tile_bytes(self) -> int:
        """Bytes of what is held of a whole tile."""
        pixels = 1 << sum(self.tiles.bits)
        return pixels * (4 * self.counted + 8 * self.sums)


@dataclass(frozen=True)
class State:
    """What a tile holds: counts (z, y, x), empty for Gaussians, and sums (k, z, y, x)."""

    counts: Array
    sums: Array


def sort_block(
    drawing: Drawing,
    band: tuple[int, int],
    used: Array,
    position: Array,
    sigma: Array | None,
    amounts: Array | None,
    channel: Array | None,
) -> list[tuple[Array, Array]]:
    """Return for each tile of a band its points, and their amounts (point, k).

    Parameters
    ----------
    drawing
        What is drawn.
    band
        First tile, and the one behind the last; channels count as further tiles.
    used, position, sigma, amounts, channel
        Shapes (row,), (row, axis), (row, axis of the image), (row, k), (row,).
    """
    several = (drawing.grid, drawing.tiles, channel, drawing.channels)
    if drawing.splats:
        widths = np.array(drawing.sigma) if sigma is None else sigma
        wide = np.broadcast_to(widths, (len(used), len(drawing.columns)))
        what, row, bounds = sort_splats(position, used, wide, drawing.columns, *several)
    else:
        what, row, bounds = sort_points(
            position, used, drawing.columns, *several, rows=amounts is not None
        )
    none = np.empty((len(what), 0))
    with_each = none if amounts is None else np.asarray(amounts[row], np.float64)
    ends = bounds[band[0] : band[1] + 1].tolist()
    # copies, or a view of one tile would keep all others in memory
    return [(what[a:b].copy(), with_each[a:b].copy()) for a, b in pairwise(ends)]


def add_parts(
    drawing: Drawing, tile: int, before: State | None, parts: Sequence[tuple[Array, Array]]
) -> State:
    """Return what a tile holds after its points of some blocks are added, in their order.

    Parameters
    ----------
    drawing
        What is drawn.
    tile
        Its number; channels count as further tiles.
    before
        What it held; it is not changed. None for nothing.
    parts
        Of `sort_block`, in the order of the blocks.
    """
    number = tile % drawing.tiles.count
    shape = drawing.tiles.shape_of(number)
    if before is None:
        counts = np.zeros(shape if drawing.counted else (0, 0, 0), np.uint32)
        sums = np.zeros((drawing.sums, *shape))
    else:
        counts, sums = before.counts.copy(), before.sums.copy()
    for what, amounts in parts:
        if drawing.splats:
            add_splats(sums, what, amounts, drawing.tiles.corner(number))
            continue
        add_places(counts, what, drawing.tiles.bits)
        if drawing.amounts:
            add_amounts(sums, what, amounts, drawing.tiles.bits)
    return State(counts, sums)
