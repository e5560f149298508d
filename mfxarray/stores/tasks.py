"""Many writing tasks as one graph that dask works through from the first row to the last."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeAlias
from uuid import uuid4

import dask
import dask.array as da
import numpy as np
from dask.base import get_scheduler
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph
from dask.system import CPU_COUNT

from mfxarray.stores.joining import hold_back, join_tasks

__all__ = ["Call", "block_keys", "in_order"]

Call: TypeAlias = tuple[Callable[[list[Any]], Any], list[Hashable]]

_LEAST_AHEAD = 4


def block_keys(array: da.Array) -> dict[tuple[int, ...], Hashable]:
    """Return the graph key of every block, by the block's index."""
    return {index: (array.name, *index) for index in np.ndindex(array.numblocks)}


def in_order(
    calls: Sequence[Call], arrays: Sequence[da.Array], between: Mapping[Any, Any] | None = None
) -> Delayed:
    """Return one delayed list of the results of all calls.

    Parameters
    ----------
    calls
        Functions of a list of blocks, and the keys of these blocks. Neighbours in the sequence
        should need neighbouring blocks.
    arrays
        The arrays to which the keys belong.
    between
        Tasks between blocks and calls, whose keys the calls may name too.

    Notes
    -----
    The calls run in parallel, but each is followed by an empty task that also waits for the empty
    task before it. That chain is the longest path of the graph, so dask starts at its beginning;
    without it dask starts in many places at once, and blocks that two calls share wait in memory:
    590 MiB of a table of 3.7 GiB, growing with the table, against 120 MiB with it.

    A call, and what is made for it first, waits for the call twice as many places before as there
    are threads. On a cluster the chain alone does not keep a worker from making blocks for later
    calls while it waits for another worker.

    Tasks that only feed one other are made one with it, see `join_tasks`: a call that waits for the
    result of a first pass over all data would otherwise have its blocks read, and waiting, before.

    One layer of plain tasks, because a ``delayed`` call per task takes time that grows with the
    square of their number (20 s for 1000). The arrays are not optimized one by one, which would
    read a block they share once for each of them.
    """
    name = f"mfxarray-write-{uuid4().hex}"
    sources: list[Any] = list(arrays)
    written = [(name, index) for index in range(len(calls))]
    tasks = {**(between or {}), **dict(zip(written, calls, strict=True))}
    layers = HighLevelGraph.from_collections(name, tasks, dependencies=sources)
    chain = [(f"{name}-chain", index) for index in range(len(calls))]
    ahead = max(2 * _threads(), _LEAST_AHEAD)
    graph: dict[Any, Any] = join_tasks(layers.to_dict(), written)
    graph = hold_back(graph, written, [*[None] * ahead, *chain][: len(calls)])
    graph[(f"{name}-chain", -1)] = None
    for index, key in enumerate(written):
        graph[chain[index]] = (_both, (f"{name}-chain", index - 1), key)
    graph[f"{name}-all"] = (_collect, written, (f"{name}-chain", len(calls) - 1))
    return Delayed(f"{name}-all", graph)


def _threads() -> int:
    """Return how many tasks the scheduler that is active runs at once."""
    client = getattr(get_scheduler(), "__self__", None)  # of a method, if it is a Client's
    if client is not None and hasattr(client, "nthreads"):
        return sum(client.nthreads().values())
    return dask.config.get("num_workers", None) or CPU_COUNT


def _both(before: None, this: Any) -> None:
    """Do nothing when two tasks are done."""


def _collect(results: list[Any], chain: None) -> list[Any]:
    return list(results)
