"""Times of traces and corrected positions of one wash, block by block."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from mfxarray.chunked.blocks import KEPT, graph_array, reread
from mfxarray.chunked.plan import common_rows
from mfxarray.kernels.beads.motion import Motion
from mfxarray.kernels.beads.times import (
    TimeSums,
    join_sums,
    mean_times,
    time_sums,
    times_of_rows,
)

__all__ = ["registered_rows", "trace_times"]

Array = np.ndarray[Any, Any]


def trace_times(tid: da.Array, tim: da.Array, used: da.Array) -> da.Array:
    """Return for every row the mean time of its trace, seconds, shape (row,).

    Parameters
    ----------
    tid, tim, used
        Shape (row,). Only used rows count; a trace without any gets NaN.

    Notes
    -----
    Reads the columns twice: first the mean times of all traces, 32 bytes each, then the ids again
    for the rows. The same bits for every chunking, also where traces come back after others.
    """
    rows = common_rows([array.chunks[0] for array in (tid, tim, used)])
    # the pass for the means has reads of its own: positions, which tell what is used, are needed
    # again with the times, and would all wait in memory otherwise
    ids, times, chosen = (reread(array, "trace-times") for array in (tid, tim, used))
    name = f"{KEPT}trace-times-{tokenize(tid, tim, used)}"
    parts: dict[Any, Any] = {
        (f"{name}-parts", block): (
            time_sums,
            (ids.name, block),
            (times.name, block),
            (chosen.name, block),
        )
        for block in range(len(rows))
    }
    tasks = {**parts, (name, 0): (_table, list(parts))}
    # its only block is a pair of arrays; it is taken apart at once
    table = graph_array(name, tasks, (ids, times, chosen), ((1,),), object)
    return da.blockwise(
        _times_of_block,
        "r",
        tid,
        "r",
        table,
        "t",
        align_arrays=False,
        dtype=float,
        meta=np.empty(0),
    )


def _table(parts: list[TimeSums]) -> tuple[Array, Array]:
    sums = join_sums(parts)
    return sums.ids, mean_times(sums)


def _times_of_block(tid: Array, table: list[tuple[Array, Array]]) -> Array:
    ids, means = table[0]
    return times_of_rows(tid, ids, means)


def registered_rows(position: da.Array, times: da.Array, motion: Motion) -> da.Array:
    """Return registered positions and the variance of their correction, shape (row, 6).

    Parameters
    ----------
    position
        Measured, metres, shape (row, 3).
    times
        The time that counts for each row, seconds, shape (row,).
    motion
        What is undone.
    """
    rows = common_rows([position.chunks[0], times.chunks[0]])
    name = f"registered-{tokenize(position, times, motion)}"
    # the motion stands beside the tasks: it may be large and travels once
    tasks: dict[Any, Any] = {f"{name}-motion": motion}
    for block in range(len(rows)):
        parts = (position.name, block, 0), (times.name, block)
        tasks[(name, block, 0)] = (_undo, *parts, f"{name}-motion")
    return graph_array(name, tasks, (position, times), (rows, (6,)), float)


def _undo(position: Array, times: Array, motion: Motion) -> Array:
    """Return rows of x, y, z and their variances; NaN where nothing was measured."""
    measured = position.astype(float, copy=False)
    found = np.concatenate(motion.undo(measured, times), axis=1)
    # aggregated exports hold zeros where there is no uncorrected position
    found[(measured[:, 0] == 0) & (measured[:, 1] == 0)] = np.nan
    found[~np.isfinite(found).all(axis=1)] = np.nan
    return found
