"""Selection of rows with chunk sizes that are known before anything is read again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from mfxarray.chunked.blocks import graph_array
from mfxarray.chunked.plan import common_rows, group_small

__all__ = ["select_rows", "selection_groups"]

Array = np.ndarray[Any, Any]


def selection_groups(selected: Sequence[int], rows: Sequence[int]) -> list[tuple[int, int]]:
    """Return which blocks to join after a selection, so that few rows do not leave slivers.

    Parameters
    ----------
    selected
        Selected rows of every block.
    rows
        All rows of every block.
    """
    return group_small(selected, max(rows) // 2)


def select_rows(
    array: da.Array, mask: da.Array, counts: Sequence[int], groups: Sequence[tuple[int, int]]
) -> da.Array:
    """Return the rows of ``array`` where ``mask`` is true.

    Parameters
    ----------
    array
        Shape (row, ...).
    mask
        Shape (row,), bool, chunked as the rows of ``array``.
    counts
        Selected rows of every block; a task that finds another number fails.
    groups
        Ranges of blocks that become one block.

    Raises
    ------
    ChunkError
        If array and mask are cut differently.
    """
    common_rows([array.chunks[0], mask.chunks[0]])
    name = f"select-{tokenize(array, mask, tuple(groups))}"
    rest = [range(blocks) for blocks in array.numblocks[1:]]
    tasks: dict[Any, Any] = {}
    for number, (start, stop) in enumerate(groups):
        masks = [(mask.name, block) for block in range(start, stop)]
        take = partial(_take, count=sum(counts[start:stop]))
        for place in np.ndindex(*(len(axis) for axis in rest)):
            parts = [(array.name, block, *place) for block in range(start, stop)]
            tasks[(name, number, *place)] = (take, parts, masks)
    sizes = tuple(sum(counts[start:stop]) for start, stop in groups)
    return graph_array(name, tasks, (array, mask), (sizes, *array.chunks[1:]), array.dtype)


def _take(parts: list[Array], masks: list[Array], *, count: int) -> Array:
    taken = np.concatenate([part[mask] for part, mask in zip(parts, masks, strict=True)])
    if len(taken) != count:
        raise RuntimeError(f"{len(taken)} rows are selected, {count} were counted before")
    return taken
