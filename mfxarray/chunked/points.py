"""Points in any number of blocks: what comes with each, and how far they reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from mfxarray.chunked.blocks import graph_array, reread

__all__ = ["Points", "extent_of"]

Array = np.ndarray[Any, Any]

_SPLIT = 8


@dataclass(frozen=True)
class Points:
    """Points in blocks that are cut alike.

    Attributes
    ----------
    used
        Which count, shape (row,), bool.
    position
        Shape (row, axis), float.
    sigma
        Standard deviation along each axis of the image, shape (row, axis); None for one for all.
    amounts
        What is summed, shape (row, k); None for counts alone.
    channel
        Number of the channel of each row, below 0 for none, shape (row,), int32; None for one.
    """

    used: da.Array
    position: da.Array
    sigma: da.Array | None = None
    amounts: da.Array | None = None
    channel: da.Array | None = None

    def arrays(self) -> tuple[da.Array | None, ...]:
        """Return all arrays, in the order in which tasks take them."""
        return self.used, self.position, self.sigma, self.amounts, self.channel

    def again(self, purpose: str) -> Points:
        """Return the same points, read anew; see `mfxarray.chunked.blocks.reread`."""
        used, position = reread(self.used, purpose), reread(self.position, purpose)
        rest = (None if array is None else reread(array, purpose) for array in self.arrays()[2:])
        return Points(used, position, *rest)

    def blocks(self) -> list[list[Any]]:
        """Return the keys of the arrays of every block, None for an array that is not there."""
        return [
            [
                None if array is None else (array.name, number, *([0] * (array.ndim - 1)))
                for array in self.arrays()
            ]
            for number in range(self.used.numblocks[0])
        ]


def extent_of(points: Points, columns: Sequence[int], margin: Sequence[float]) -> da.Array:
    """Return the lowest and the highest place of the used points, shape (2, axis).

    Parameters
    ----------
    points
        Points; those without a number along an axis of the image, or with a sigma that is none, are
        left out.
    columns
        Columns of the position.
    margin
        Added to both sides along each axis; where there is a sigma for each point, in these.

    Returns
    -------
    dask.array.Array
        Infinite (low above high) without any point.
    """
    name = f"extent-{tokenize([a.name for a in points.arrays() if a is not None], columns, margin)}"
    look = partial(_extent, columns=tuple(columns), margin=tuple(margin))
    tasks: dict[Any, Any] = {}
    blocks = points.blocks()
    for number, (used, position, sigma, _, _) in enumerate(blocks):
        tasks[(name, number, 0)] = (look, used, position, sigma)
    inputs = [array for array in (points.used, points.position, points.sigma) if array is not None]
    width = 2 * len(columns)
    each = graph_array(name, tasks, inputs, ((1,) * len(blocks), (width,)), np.float64)
    both = da.min(each, axis=0, split_every=_SPLIT).reshape(2, len(columns))
    return both * np.array([[1.0], [-1.0]])


def _extent(
    used: Array,
    position: Array,
    sigma: Array | None,
    *,
    columns: tuple[int, ...],
    margin: tuple[float, ...],
) -> Array:
    place = position[:, list(columns)]
    around = np.array(margin) if sigma is None else np.array(margin) * sigma
    low, high = place - around, place + around
    known = used & np.isfinite(low).all(axis=1) & np.isfinite(high).all(axis=1)
    if sigma is not None:
        known &= (sigma > 0).all(axis=1)
    # highest as the lowest of the negative, so that one reduction does both
    both = np.concatenate([low[known], -high[known]], axis=1)
    return both.min(axis=0, initial=np.inf).reshape(1, -1)
