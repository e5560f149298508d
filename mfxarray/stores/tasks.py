"""Many writing tasks as one graph that dask works through from the first row to the last."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeAlias
from uuid import uuid4

import dask.array as da
import numpy as np
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph

__all__ = ["Call", "block_keys", "in_order"]

Call: TypeAlias = tuple[Callable[[list[Any]], Any], list[Hashable]]


def block_keys(array: da.Array) -> dict[tuple[int, ...], Hashable]:
    """Return the graph key of every block, by the block's index."""
    return {index: (array.name, *index) for index in np.ndindex(array.numblocks)}


def in_order(calls: Sequence[Call], arrays: Sequence[da.Array]) -> Delayed:
    """Return one delayed list of the results of all calls.

    Parameters
    ----------
    calls
        Functions of a list of blocks, and the keys of these blocks. Neighbours in the sequence
        should need neighbouring blocks.
    arrays
        The arrays to which the keys belong.

    Notes
    -----
    The calls run in parallel, but each is followed by an empty task that also waits for the empty
    task before it. That chain is the longest path of the graph, so dask starts at its beginning;
    without it dask starts in many places at once, and blocks that two calls share wait in memory:
    590 MiB of a table of 3.7 GiB, growing with the table, against 120 MiB with it.

    One layer of plain tasks, because a ``delayed`` call per task takes time that grows with the
    square of their number (20 s for 1000). The arrays are not optimized one by one, which would
    read a block they share once for each of them.
    """
    name = f"mfxarray-write-{uuid4().hex}"
    graph: dict[Any, Any] = {(f"{name}-chain", -1): None}
    for index, (function, keys) in enumerate(calls):
        graph[(name, index)] = (function, keys)
        graph[(f"{name}-chain", index)] = (_both, (f"{name}-chain", index - 1), (name, index))
    written = [(name, index) for index in range(len(calls))]
    graph[f"{name}-all"] = (_collect, written, (f"{name}-chain", len(calls) - 1))
    sources: list[Any] = list(arrays)
    layers = HighLevelGraph.from_collections(f"{name}-all", graph, dependencies=sources)
    return Delayed(f"{name}-all", layers)


def _both(before: None, this: Any) -> None:
    """Do nothing when two tasks are done."""


def _collect(results: list[Any], chain: None) -> list[Any]:
    return list(results)
