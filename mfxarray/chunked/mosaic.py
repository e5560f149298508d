"""Fields put side by side on one canvas, tile by tile; a tile reads the fields that it touches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from mfxarray.chunked.blocks import graph_array, whole

__all__ = ["Placed", "coverage", "lay_first", "lay_weighted"]

Array = np.ndarray[Any, Any]
Tiles = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True)
class Placed:
    """Where a field lies on the canvas.

    Attributes
    ----------
    top, left
        First row and column, not negative.
    shape
        Rows and columns.
    exposure
        Frames that cover each pixel (y, x); pixels of exposure 0 are no part of the field. All are
        if None.
    """

    top: int
    left: int
    shape: tuple[int, int]
    exposure: da.Array | None = None


def lay_first(fields: Sequence[da.Array], placed: Sequence[Placed], tiles: Tiles) -> da.Array:
    """Return the canvas with, at every pixel, the first field that covers it.

    Where none does it is 0, of floats NaN.

    Parameters
    ----------
    fields
        Shape (..., y, x), all of the same type and leading sizes.
    placed
        Where they lie.
    tiles
        Sizes of the canvas' tiles along y and x.
    """
    return _laid(fields, placed, tiles, _first, fields[0].dtype)


def lay_weighted(
    fields: Sequence[da.Array], placed: Sequence[Placed], tiles: Tiles, power: int = 1
) -> da.Array:
    """Return the mean of the fields at every pixel, NaN where there is none; float64.

    A field weighs as much as a pixel is away from its nearest edge. With ``power`` 2 the weights of
    the mean are squared, which is what variances need.
    """
    compose = partial(_weighted, power=power)
    return _laid(fields, placed, tiles, compose, np.dtype(np.float64))


def coverage(placed: Sequence[Placed], tiles: Tiles) -> da.Array:
    """Return how many fields cover each pixel of the canvas, int64, shape (y, x)."""
    ones = [da.ones(one.shape, dtype=np.int64, chunks=-1) for one in placed]
    return _laid(ones, placed, tiles, _count, np.dtype(np.int64))


def _laid(
    fields: Sequence[da.Array],
    placed: Sequence[Placed],
    tiles: Tiles,
    compose: Any,
    dtype: np.dtype[Any],
) -> da.Array:
    lead = fields[0].ndim - 2
    wholes = _same_chunks([whole(field, (lead, lead + 1)) for field in fields], lead)
    masks = [None if one.exposure is None else whole(one.exposure, (0, 1)) for one in placed]
    name = f"mosaic-{tokenize(wholes, masks, [_place(p) for p in placed], tiles, compose)}"
    starts = [np.cumsum((0, *sizes)).tolist() for sizes in tiles]
    tasks: dict[Any, Any] = {}
    for row, column in product(range(len(tiles[0])), range(len(tiles[1]))):
        corner = (starts[0][row], starts[1][column])
        size = (tiles[0][row], tiles[1][column])
        touched = [i for i, one in enumerate(placed) if _touches(one, corner, size)]
        for block in product(*(range(count) for count in wholes[0].numblocks[:lead])):
            shape = tuple(wholes[0].chunks[axis][n] for axis, n in enumerate(block))
            arrays = [(wholes[i].name, *block, 0, 0) for i in touched]
            exposures = [None if (m := masks[i]) is None else (m.name, 0, 0) for i in touched]
            offsets = [(placed[i].top - corner[0], placed[i].left - corner[1]) for i in touched]
            tasks[(name, *block, row, column)] = (
                partial(_tile, compose=compose, offsets=offsets, shape=(*shape, *size)),
                dtype.str,
                arrays,
                exposures,
            )
    needed = [*wholes, *(mask for mask in masks if mask is not None)]
    return graph_array(name, tasks, needed, (*wholes[0].chunks[:lead], *tiles), dtype)


def _place(placed: Placed) -> tuple[int, int, tuple[int, int]]:
    return placed.top, placed.left, placed.shape


def _same_chunks(fields: list[da.Array], lead: int) -> list[da.Array]:
    """Return the fields with the chunks of the first one along the leading axes."""
    first = fields[0].chunks[:lead]
    wanted = dict(enumerate(first))
    return [one if one.chunks[:lead] == first else one.rechunk(wanted) for one in fields]


def _touches(one: Placed, corner: tuple[int, int], size: tuple[int, int]) -> bool:
    return (
        one.top < corner[0] + size[0]
        and one.left < corner[1] + size[1]
        and one.top + one.shape[0] > corner[0]
        and one.left + one.shape[1] > corner[1]
    )


def _tile(
    dtype: str,
    fields: list[Array],
    exposures: list[Array | None],
    compose: Any,
    offsets: list[tuple[int, int]],
    shape: tuple[int, ...],
) -> Array:
    """Return a tile, from the parts of the fields that lie on it."""
    parts = []
    for field, exposure, (top, left) in zip(fields, exposures, offsets, strict=True):
        (height, width), (rows, columns) = field.shape[-2:], shape[-2:]
        on_tile = (
            slice(max(top, 0), min(top + height, rows)),
            slice(max(left, 0), min(left + width, columns)),
        )
        of_field = tuple(
            slice(s.start - start, s.stop - start)
            for s, start in zip(on_tile, (top, left), strict=True)
        )
        valid = np.ones((height, width), bool) if exposure is None else exposure > 0
        weight = _weights(height, width) * valid
        inside: Any = (..., *of_field)
        parts.append((field[inside], valid[of_field], weight[of_field], on_tile))
    return np.asarray(compose(parts, shape, np.dtype(dtype)))


def _weights(height: int, width: int) -> Array:
    """Return how far every pixel's centre is from the nearest edge, in pixels."""
    rows, columns = (np.minimum(np.arange(n), np.arange(n)[::-1]) + 0.5 for n in (height, width))
    return np.minimum(rows[:, None], columns)


def _first(parts: list[Any], shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    tile = np.full(shape, np.nan if dtype.kind == "f" else 0, dtype)
    free = np.ones(shape[-2:], bool)
    for field, valid, _, place in parts:
        here = valid & free[place]
        np.copyto(tile[(..., *place)], field, where=here)
        free[place] &= ~here
    return tile


def _count(parts: list[Any], shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    tile = np.zeros(shape, dtype)
    for _, valid, _, place in parts:
        tile[place] += valid
    return tile


def _weighted(parts: list[Any], shape: tuple[int, ...], dtype: np.dtype[Any], power: int) -> Array:
    tile, total = np.zeros(shape, dtype), np.zeros(shape[-2:])
    for field, valid, weight, place in parts:
        # pixels that are no part of the field may hold anything
        tile[(..., *place)] += np.where(valid, field, 0) * weight**power
        total[place] += weight
    with np.errstate(invalid="ignore"):
        return tile / np.where(total > 0, total, np.nan) ** power
