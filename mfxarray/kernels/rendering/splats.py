"""Points drawn as Gaussians of unit area, integrated over the pixels, each where it really is.

The content of a pixel is the difference of the normal distribution between its edges, so a point
is not moved to the centre of a pixel and none of its area is lost.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import njit

from mfxarray.kernels.rendering.grids import Grid, Tiles

__all__ = ["REACH", "add_splats", "sort_splats"]

Array = np.ndarray[Any, Any]

# standard deviations at which a Gaussian ends; 2e-9 of its area is beyond
REACH = 6.0
# a table this fine gives the distribution to 2e-11
_STEPS = 128
_MOST_PIXELS = 2048


def sort_splats(
    position: Array,
    selected: Array,
    sigma: Array,
    columns: tuple[int, ...],
    grid: Grid,
    tiles: Tiles,
    channel: Array | None = None,
    channels: int = 1,
) -> tuple[Array, Array, Array]:
    """Return the points whose Gaussian reaches into each tile, in their order within each.

    Parameters
    ----------
    position, selected, columns, grid, tiles, channel, channels
        As for `mfxarray.kernels.rendering.rendering.sort_points`; points beside the image count
        too, as far as they reach into it.
    sigma
        Standard deviation along each axis of the image, shape (point, axis), in the unit of the
        grid; points for which it is not above 0 and finite are left out.

    Returns
    -------
    table
        Place and standard deviation along each axis, in pixels, shape (splat, 2 * axis). A point is
        there once for each tile that it reaches.
    row
        Number of the point, int32.
    bounds
        Where each tile begins, shape (channels * tiles + 1,).

    Raises
    ------
    ValueError
        If a Gaussian reaches over more than 2048 pixels to a side.
    """
    axes = len(grid.shape)
    place = (np.asarray(position, np.float64)[:, list(columns)] - grid.first) / np.array(grid.size)
    width = np.ascontiguousarray(sigma / np.array(grid.size), np.float64)
    with np.errstate(invalid="ignore"):
        drawn = selected & ((width > 0) & np.isfinite(width) & np.isfinite(place)).all(axis=1)
    widest = width[drawn].max(initial=0.0) * REACH
    if widest > _MOST_PIXELS:
        raise ValueError(
            f"a Gaussian reaches over {widest:.0f} pixels; give larger pixels, or mask "
            "localizations of so large a sigma"
        )
    number = np.zeros(0, np.int32) if channel is None else channel
    counts = np.zeros(channels * tiles.count, np.int64)
    table, row = np.empty((0, 2 * axes)), np.empty(0, np.int32)
    cut = (tiles.shape, tiles.bits, tiles.across)
    _sort(place, width, drawn, number, cut, False, (counts, table, row))
    bounds = np.concatenate([[0], np.cumsum(counts)])
    table, row = np.empty((bounds[-1], 2 * axes)), np.empty(bounds[-1], np.int32)
    _sort(place, width, drawn, number, cut, True, (bounds[:-1].copy(), table, row))
    return table, row, bounds


def add_splats(sums: Array, table: Array, amounts: Array, corner: tuple[int, int, int]) -> None:
    """Add the Gaussians of a tile to its sums, in place, in their order.

    Parameters
    ----------
    sums
        Shape (k, z, y, x), float64.
    table
        Rows of the table of `sort_splats`.
    amounts
        What the area of each Gaussian is, shape (splat, k); shape (splat, 0) for 1.
    corner
        First pixel of the tile along z, y, x.
    """
    _add(sums, table, amounts, corner, _distribution())


@cache
def _distribution() -> Array:
    """Return the normal distribution from -REACH to REACH and its slope a step."""
    from scipy.special import ndtr

    at = np.linspace(-REACH, REACH, int(2 * REACH * _STEPS) + 1)
    slope = np.exp(-(at**2) / 2) / np.sqrt(2 * np.pi) / _STEPS
    # one row more than is reached, so that the last interval has an end
    table = np.stack([ndtr(at), slope], axis=1)
    return np.concatenate([table, table[-1:]])


@njit(nogil=True, cache=True, error_model="numpy")
def _below(at, table):  # type: ignore[no-untyped-def]
    """Return the normal distribution up to a value: a cubic between the rows of the table."""
    scaled = (at + REACH) * _STEPS
    # so that the area is 1 whatever the end
    if scaled <= 0.0:
        return 0.0
    if scaled >= len(table) - 2:
        return 1.0
    step = int(scaled)
    part = scaled - step
    low, slope = table[step, 0], table[step, 1]
    rise, next_slope = table[step + 1, 0] - low, table[step + 1, 1]
    bend = 3 * rise - 2 * slope - next_slope + part * (slope + next_slope - 2 * rise)
    return low + part * (slope + part * bend)


@njit(nogil=True, cache=True, error_model="numpy")
def _span(place, width, n):  # type: ignore[no-untyped-def]
    """Return the first and the last pixel that a Gaussian reaches; none where first > last."""
    # compared as floats: a place may be too far for an integer
    low, high = np.floor(place - REACH * width), np.floor(place + REACH * width)
    if low >= n or high < 0:
        return 0, -1
    return int(max(low, 0.0)), int(min(high, n - 1.0))


@njit(nogil=True, cache=True, error_model="numpy")
def _sort(place, width, drawn, channel, cut, fill, out):  # type: ignore[no-untyped-def]
    (nz, ny, nx), (bz, by, bx), (tz, ty, tx) = cut
    counts, table, order = out
    axes = place.shape[1]
    layer, first_z, last_z = 0, 0, 0
    for row in range(len(drawn)):
        if not drawn[row]:
            continue
        if len(channel):
            layer = channel[row]
        if axes == 3:
            first_z, last_z = _span(place[row, 0], width[row, 0], nz)
        first_y, last_y = _span(place[row, axes - 2], width[row, axes - 2], ny)
        first_x, last_x = _span(place[row, axes - 1], width[row, axes - 1], nx)
        if layer < 0 or first_z > last_z or first_y > last_y or first_x > last_x:
            continue
        for z in range(first_z >> bz, (last_z >> bz) + 1):
            for y in range(first_y >> by, (last_y >> by) + 1):
                for x in range(first_x >> bx, (last_x >> bx) + 1):
                    number = ((layer * tz + z) * ty + y) * tx + x
                    at = counts[number]
                    counts[number] = at + 1
                    if fill:
                        order[at] = row
                        table[at, :axes] = place[row]
                        table[at, axes:] = width[row]


@njit(nogil=True, cache=True, error_model="numpy")
def _weights(place, width, first, n, table, out):  # type: ignore[no-untyped-def]
    """Fill in the content of the pixels of a tile along one axis; return where they begin and end.

    Edges are those of the whole image, so a pixel gets the same bits however tiles are cut.
    """
    low, high = _span(place, width, first + n)
    low = max(low, first)
    before = _below((low - place) / width, table)
    for pixel in range(low, high + 1):
        after = _below((pixel + 1 - place) / width, table)
        out[pixel - low] = after - before
        before = after
    return low - first, high - first + 1


@njit(nogil=True, cache=True, error_model="numpy")
def _add(sums, table, amounts, corner, distribution):  # type: ignore[no-untyped-def]
    kinds, nz, ny, nx = sums.shape
    axes = table.shape[1] // 2
    in_z, in_y, in_x = np.ones(nz), np.empty(ny), np.empty(nx)
    z0, z1 = 0, 1
    y, x = axes - 2, axes - 1
    for point in range(len(table)):
        if axes == 3:
            z0, z1 = _weights(table[point, 0], table[point, 3], corner[0], nz, distribution, in_z)
        y0, y1 = _weights(
            table[point, y], table[point, axes + y], corner[1], ny, distribution, in_y
        )
        x0, x1 = _weights(
            table[point, x], table[point, axes + x], corner[2], nx, distribution, in_x
        )
        for kind in range(kinds):
            amount = amounts[point, kind] if amounts.shape[1] else 1.0
            for layer in range(z0, z1):
                for line in range(y0, y1):
                    factor = amount * in_z[layer - z0] * in_y[line - y0]
                    for pixel in range(x1 - x0):
                        sums[kind, layer, line, x0 + pixel] += factor * in_x[pixel]
