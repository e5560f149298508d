"""Points counted on pixels: exact whole numbers, and points sorted by the tile they fall into.

A pixel i reaches from the edge ``first + i * size`` to the next one; the lower edge belongs to it,
and the last edge of the image to the last pixel. Points are compared with these edges themselves,
so counts are those of `numpy.histogramdd` for the same edges, to the unit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mfxarray.kernels.rendering.grids import Grid, Tiles

__all__ = ["add_amounts", "add_places", "add_points", "sort_points"]

Array = np.ndarray[Any, Any]


def add_points(
    image: Array, position: Array, selected: Array, columns: tuple[int, ...], grid: Grid
) -> Array:
    """Add the selected points to an image of whole numbers, in place, and return the image.

    Parameters
    ----------
    image
        Shape of the grid, uint32, C-contiguous.
    position
        Shape (point, axis); NaN and points outside are left out.
    selected
        Shape (point,), bool.
    columns
        Column of ``position`` for each axis of the image: (1, 0) for (y, x).
    grid
        Pixels.

    Raises
    ------
    ValueError
        If the image is not as described.
    """
    if image.shape != grid.shape or image.dtype != np.uint32 or not image.flags.c_contiguous:
        raise ValueError(f"the image must be uint32 of shape {grid.shape}, C-contiguous")
    first, size, shape = grid.solid()
    _add_points(_table(position), selected, _three(columns), first, size, image.reshape(shape))
    return image


def sort_points(
    position: Array,
    selected: Array,
    columns: tuple[int, ...],
    grid: Grid,
    tiles: Tiles,
    channel: Array | None = None,
    channels: int = 1,
    rows: bool = True,
) -> tuple[Array, Array, Array]:
    """Return the points inside the image, sorted by channel and tile, in their order within each.

    Parameters
    ----------
    position, selected, columns, grid
        As for `add_points`.
    tiles
        How the image is cut.
    channel
        Number of the channel of each point, below 0 for points to leave out, int32; None for one
        channel.
    channels
        How many there are.
    rows
        Whether the numbers of the points are wanted.

    Returns
    -------
    place
        Pixel within the tile (x fastest, then y, then z, each counted to the full side), int32.
    row
        Number of the point, int32; empty if not wanted.
    bounds
        Where each tile begins, shape (channels * tiles + 1,); tiles of the first channel first.
    """
    first, size, shape = grid.solid()
    n = len(selected)
    number = np.zeros(0, np.int32) if channel is None else channel
    tile, place = np.empty(n, np.int32), np.empty(n, np.int32)
    row = np.empty(n if rows else 0, np.int32)
    counts = np.zeros(channels * tiles.count, np.int64)
    found = _find_places(
        _table(position),
        selected,
        number,
        _three(columns),
        (first, size, shape),
        (tiles.bits, tiles.across),
        (tile, place, row, counts),
    )
    bounds = np.concatenate([[0], np.cumsum(counts)])
    if len(counts) == 1:
        return place[:found], row[:found], bounds
    sorted_place, sorted_row = np.empty(found, np.int32), np.empty(found if rows else 0, np.int32)
    _scatter(tile[:found], place, row, bounds[:-1].copy(), sorted_place, sorted_row)
    return sorted_place, sorted_row, bounds


def add_places(image: Array, place: Array, bits: tuple[int, int, int]) -> None:
    """Add 1 to a tile (z, y, x) for each place of `sort_points`, in place."""
    _add_places(image, place, bits)


def add_amounts(sums: Array, place: Array, amounts: Array, bits: tuple[int, int, int]) -> None:
    """Add the amounts of each point, shape (point, k), to sums (k, z, y, x), in place, in order."""
    _add_amounts(sums, place, amounts, bits)


def _table(position: Array) -> Array:
    return np.ascontiguousarray(position, np.float64)


def _three(columns: tuple[int, ...]) -> tuple[int, int, int]:
    # -1: the axis has one pixel and nothing is looked up
    z, y, x = columns if len(columns) == 3 else (-1, *columns)
    return z, y, x


@njit(nogil=True, cache=True, error_model="numpy")
def _pixel(value, first, size, inverse, n):  # type: ignore[no-untyped-def]
    """Return the pixel of a value, -1 outside; NaN is outside."""
    if not (value >= first and value <= first + n * size):
        return -1
    at = min(int((value - first) * inverse), n - 1)
    # the product is rounded: the edges decide
    if value < first + at * size:
        return at - 1
    if at + 1 < n and value >= first + (at + 1) * size:
        return at + 1
    return at


@njit(nogil=True, cache=True, error_model="numpy")
def _add_points(position, selected, columns, first, size, image):  # type: ignore[no-untyped-def]
    nz, ny, nx = image.shape
    inverse = (1.0 / size[0], 1.0 / size[1], 1.0 / size[2])
    cz, cy, cx = columns
    z = 0
    for row in range(len(selected)):
        if not selected[row]:
            continue
        if cz >= 0:
            z = _pixel(position[row, cz], first[0], size[0], inverse[0], nz)
        y = _pixel(position[row, cy], first[1], size[1], inverse[1], ny)
        x = _pixel(position[row, cx], first[2], size[2], inverse[2], nx)
        if z >= 0 and y >= 0 and x >= 0:
            image[z, y, x] += np.uint32(1)


@njit(nogil=True, cache=True, error_model="numpy")
def _find_places(position, selected, channel, columns, grid, cut, out):  # type: ignore[no-untyped-def]
    first, size, shape = grid
    inverse = (1.0 / size[0], 1.0 / size[1], 1.0 / size[2])
    (bz, by, bx), (tz, ty, tx) = cut
    tile, place, order, counts = out
    cz, cy, cx = columns
    several = len(channel) > 0
    z, layer, found = 0, 0, 0
    for row in range(len(selected)):
        if not selected[row]:
            continue
        if cz >= 0:
            z = _pixel(position[row, cz], first[0], size[0], inverse[0], shape[0])
        y = _pixel(position[row, cy], first[1], size[1], inverse[1], shape[1])
        x = _pixel(position[row, cx], first[2], size[2], inverse[2], shape[2])
        if several:
            layer = channel[row]
        if z < 0 or y < 0 or x < 0 or layer < 0:
            continue
        number = ((layer * tz + (z >> bz)) * ty + (y >> by)) * tx + (x >> bx)
        z_in, y_in, x_in = z & ((1 << bz) - 1), y & ((1 << by) - 1), x & ((1 << bx) - 1)
        tile[found] = number
        place[found] = (((z_in << by) | y_in) << bx) | x_in
        if len(order):
            order[found] = row
        counts[number] += 1
        found += 1
    return found


@njit(nogil=True, cache=True)
def _scatter(tile, place, row, begin, sorted_place, sorted_row):  # type: ignore[no-untyped-def]
    for point in range(len(tile)):
        at = begin[tile[point]]
        begin[tile[point]] = at + 1
        sorted_place[at] = place[point]
        if len(row):
            sorted_row[at] = row[point]


@njit(nogil=True, cache=True)
def _add_places(image, place, bits):  # type: ignore[no-untyped-def]
    _, by, bx = bits
    for point in range(len(place)):
        at = place[point]
        image[at >> (bx + by), (at >> bx) & ((1 << by) - 1), at & ((1 << bx) - 1)] += np.uint32(1)


@njit(nogil=True, cache=True)
def _add_amounts(sums, place, amounts, bits):  # type: ignore[no-untyped-def]
    _, by, bx = bits
    for point in range(len(place)):
        at = place[point]
        z, y, x = at >> (bx + by), (at >> bx) & ((1 << by) - 1), at & ((1 << bx) - 1)
        for kind in range(amounts.shape[1]):
            sums[kind, z, y, x] += amounts[point, kind]
