"""Images of points in any number of blocks, tile by tile.

The points of each block are sorted by the tile they fall into, as small numbers, and each tile adds
up its own in the order of the rows. So no task holds more than a block or a tile, and the bits of
an image do not depend on blocks, tiles or workers: not even where it is a sum of floats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from mfxarray.chunked.blocks import graph_array
from mfxarray.chunked.plan import group_small
from mfxarray.chunked.points import Points
from mfxarray.kernels.rendering.drawing import Drawing, State, add_parts, sort_block
from mfxarray.kernels.rendering.grids import Tiles

__all__ = ["Drawn", "draw", "tiles_of"]

Array = np.ndarray[Any, Any]

# sorted points, or tiles, that are held at once by all workers together
HELD_BYTES = 400 * 2**20
# rows that one task sorts, if blocks are smaller
GROUP_ROWS = 2**19
_MOST_TASKS = 2_000_000


@dataclass(frozen=True)
class Drawn:
    """Images of shape (channel, z, y, x) whose blocks are tiles.

    Attributes
    ----------
    counts
        Points in each pixel, uint32; None for Gaussians.
    sums
        Sums of the amounts in each pixel, float64.
    """

    counts: da.Array | None
    sums: tuple[da.Array, ...]


def tiles_of(shape: Sequence[int]) -> Tiles:
    """Return how an image of that shape is cut; it depends on nothing else.

    Parameters
    ----------
    shape
        (y, x) or (z, y, x).

    Notes
    -----
    Tiles of 4 MB of counts (1024 x 1024, or 16 x 256 x 256) stay in a processor's cache; they are
    larger for images of more than 8192 pixels to a side, whose graph would become too large, and
    smaller for small images, so that there is work for several workers.
    """
    z, y, x = (1, *shape) if len(shape) == 2 else tuple(shape)
    most = 10 if len(shape) == 2 else 8
    most += sum(max(y, x) > limit for limit in (8192, 32768))
    rows, columns = (min(max((n - 1).bit_length() - 1, 7), most) for n in (y, x))
    return Tiles((z, y, x), (min((z - 1).bit_length(), 4), rows, columns))


def draw(points: Points, drawing: Drawing) -> Drawn:
    """Return images of points, lazily.

    Raises
    ------
    ValueError
        If the image has so many tiles that dask could not hold the graph.

    Notes
    -----
    One pass over the points as long as these, sorted, are no more than 400 MiB (4 bytes a counted
    point, 8 more for each amount; 32 bytes a Gaussian in a plane, 48 in space). More points are
    taken in portions of an eighth of that, which are added to the tiles held; if these are more
    than 400 MiB too, the points are read once for each 400 MiB of tiles. So all workers together
    hold no more than 450 MiB, besides the blocks and tiles at work.
    """
    groups = group_small(points.used.chunks[0], GROUP_ROWS)
    rows = [sum(points.used.chunks[0][start:stop]) for start, stop in groups]
    portions = _portions(rows, drawing.point_bytes)
    count = drawing.channels * drawing.tiles.count
    if count * max(len(groups), 2) > _MOST_TASKS:
        raise ValueError(
            f"an image of {' x '.join(map(str, drawing.grid.shape))} pixels has too many tiles; "
            "give limits or larger pixels"
        )
    bands = _bands(count, drawing.tile_bytes if len(portions) > 1 else 0)
    names = [str(array.name) for array in points.arrays() if array is not None]
    name = f"render-{tokenize(names, drawing, HELD_BYTES, GROUP_ROWS)}"
    tasks: dict[Any, Any] = {}
    inputs: list[da.Array] = []
    for number, band in enumerate(bands):
        source = points.again(f"{name}-{number}") if number else points
        inputs += [array for array in source.arrays() if array is not None]
        _add_band(tasks, f"{name}-{number}", source, drawing, groups, portions, band)
    last = len(portions) - 1
    states = {
        tile: (f"{name}-{number}", "tile", last, tile)
        for number, band in enumerate(bands)
        for tile in band
    }
    image = partial(_image, name, tasks, inputs, drawing, states)
    counts = image("counts") if drawing.counted else None
    return Drawn(counts, tuple(image(kind) for kind in range(drawing.sums)))


def _portions(rows: Sequence[int], point_bytes: int) -> list[tuple[int, int]]:
    """Return ranges of groups whose sorted points are held at once."""
    if sum(rows) * point_bytes <= HELD_BYTES:
        return [(0, len(rows))]
    return group_small(rows, max(HELD_BYTES // (8 * point_bytes), 1))


def _bands(count: int, tile_bytes: int) -> list[range]:
    """Return ranges of tiles that are held at once."""
    each = max(HELD_BYTES // tile_bytes, 1) if tile_bytes else count
    return [range(start, min(start + each, count)) for start in range(0, count, each)]


def _add_band(
    tasks: dict[Any, Any],
    name: str,
    points: Points,
    drawing: Drawing,
    groups: list[tuple[int, int]],
    portions: list[tuple[int, int]],
    band: range,
) -> None:
    """Add the tasks of some tiles: points sorted group by group, and added portion by portion."""
    blocks = points.blocks()
    drawer = f"{name}-drawing"
    tasks[drawer] = drawing
    ends = (band.start, band.stop)
    portion_of = {
        group: number for number, ends_of in enumerate(portions) for group in range(*ends_of)
    }
    for number, (start, stop) in enumerate(groups):
        parts = [
            None if keys[0] is None else list(keys)
            for keys in zip(*blocks[start:stop], strict=True)
        ]
        portion = portion_of[number]
        done = (name, "done", portion - 1) if portion else None
        tasks[(name, "sort", number)] = (_sort, drawer, ends, done, *parts)
        for tile in band:
            pick = (_pick, (name, "sort", number), tile - band.start)
            tasks[(name, "part", number, tile)] = pick
    for portion, (start, stop) in enumerate(portions):
        for tile in band:
            before = (name, "tile", portion - 1, tile) if portion else None
            found = [(name, "part", number, tile) for number in range(start, stop)]
            tasks[(name, "tile", portion, tile)] = (_add, drawer, tile, before, found)
        # without waiting for it dask would sort all portions first
        tasks[(name, "done", portion)] = (_done, [(name, "tile", portion, tile) for tile in band])


def _image(
    name: str,
    tasks: dict[Any, Any],
    inputs: list[da.Array],
    drawing: Drawing,
    states: dict[int, Any],
    kind: int | str,
) -> da.Array:
    """Return one image of what the tiles hold."""
    tiles = drawing.tiles
    shape, across = tiles.shape, tiles.across
    chunks = tuple(
        tuple(b - a for a, b in pairwise([*range(0, n, 1 << bit), n]))
        for n, bit in zip(shape, tiles.bits, strict=True)
    )
    own = f"{name}-image-{kind}"
    found = dict(tasks)
    for tile, key in states.items():
        place = (tile // math.prod(across), *tiles.place(tile % tiles.count))
        found[(own, *place)] = (_take, key, kind)
    dtype = np.uint32 if kind == "counts" else np.float64
    return graph_array(own, found, inputs, ((1,) * drawing.channels, *chunks), dtype)


def _sort(
    drawing: Drawing,
    band: tuple[int, int],
    done: None,
    used: list[Array],
    position: list[Array],
    *rest: list[Array] | None,
) -> list[tuple[Array, Array]]:
    others = (None if part is None else _joined(part) for part in rest)
    return sort_block(drawing, band, _joined(used), _joined(position), *others)


def _joined(parts: list[Array]) -> Array:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _done(states: list[State]) -> None:
    """Do nothing when a portion is added to all tiles of a band."""


def _pick(parts: list[tuple[Array, Array]], number: int) -> tuple[Array, Array]:
    return parts[number]


def _add(
    drawing: Drawing, tile: int, before: State | None, parts: list[tuple[Array, Array]]
) -> State:
    return add_parts(drawing, tile, before, parts)


def _take(state: State, kind: int | str) -> Array:
    found = state.counts if kind == "counts" else state.sums[int(kind)]
    return found[np.newaxis]
