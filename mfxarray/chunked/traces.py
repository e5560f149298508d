"""Moments per trace for rows in any chunks, with the same bits for every chunking.

One counting pass finds the runs of every block. It tells which traces go on in the next block and
how many rows of them came before, so that each block knows its part and every trace ends up whole
in the block where it starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from mfxarray.chunked.blocks import graph_array
from mfxarray.chunked.plan import group_small
from mfxarray.chunked.runs import RunIndex, keys_at, starts_of, used_only
from mfxarray.chunked.trace_rows import TABLE_ROWS
from mfxarray.kernels.moments import (
    Column,
    Piece,
    join_pieces,
    merge_runs,
    piece_of,
    run_moments,
)

__all__ = ["trace_moments"]

Array = np.ndarray[Any, Any]


def trace_moments(
    used: da.Array, keys: Sequence[da.Array], position: da.Array, tim: da.Array, index: RunIndex
) -> tuple[da.Array, da.Array]:
    """Return the keys and the moments of every trace, in the order in which the traces begin.

    Parameters
    ----------
    used
        Rows to use, shape (row,), bool.
    keys
        What names a trace, each of shape (row,).
    position
        Shape (row, 3).
    tim
        Shape (row,).
    index
        Result of `index_runs` for just these rows.

    Returns
    -------
    keys, moments
        Shapes (trace, key column), int64, and (trace, 10), see `mfxarray.kernels.moments.Column`.
    """
    inputs = (used, *keys, position, tim)
    name = f"trace-tables-{tokenize(*inputs)}"
    parts = _part_tasks(f"{name}-parts", inputs, index)
    tables, sizes = _table_tasks(name, f"{name}-parts", index)
    if index.n_traces < sum(sizes):
        tables, sizes = _merged(name, tables, index.n_traces), (index.n_traces,)
    # blocks of this one are pairs of arrays; it is taken apart at once
    pairs = graph_array(name, {**parts, **tables}, inputs, (sizes,), object)

    def part(number: int, width: int, dtype: Any) -> da.Array:
        own = f"trace-{('keys', 'moments')[number]}-{name}"
        tasks = {(own, i, 0): (itemgetter(number), (name, i)) for i in range(len(sizes))}
        return graph_array(own, tasks, (pairs,), (sizes, (width,)), dtype)

    return part(0, len(keys), np.int64), part(1, Column.WIDTH, float)


def _part_tasks(name: str, inputs: Sequence[da.Array], index: RunIndex) -> dict[Any, Any]:
    continuing = index.continuing()
    tasks = {}
    for block, (leads, offset) in enumerate(continuing):
        trails = _trails(continuing, index, block)
        blocks = [(array.name, block, *([0] * (array.ndim - 1))) for array in inputs]
        split = partial(_split_block, leads=leads, trails=trails, offset=offset)
        tasks[(name, block)] = (split, blocks)
    return tasks


def _trails(continuing: list[tuple[bool, int]], index: RunIndex, block: int) -> bool:
    """Tell whether the last run of a block goes on in the next block that has any."""
    if not len(index.blocks[block].keys):
        return False
    for later in range(block + 1, len(continuing)):
        if len(index.blocks[later].keys):
            return continuing[later][0]
    return False


@dataclass(frozen=True)
class _Part:
    """What one block gives to the table: whole traces, and pieces at its two ends."""

    keys: Array
    moments: Array
    lead: Piece | None
    trail: Piece | None
    trail_key: Array | None
    ends: bool


def _split_block(blocks: list[Array], *, leads: bool, trails: bool, offset: int) -> _Part:
    used, *columns = blocks
    *keys, xyz, tim = used_only(used, columns)
    xyz, tim = xyz.astype(float, copy=False), tim.astype(float, copy=False)
    starts = starts_of(keys)
    bounds = np.append(starts, len(tim))
    lead = trail = trail_key = None
    if leads:
        lead = piece_of(xyz[: bounds[1]], tim[: bounds[1]], offset)
    if trails and not (leads and len(starts) == 1):
        trail = piece_of(xyz[bounds[-2] :], tim[bounds[-2] :], 0)
        trail_key = keys_at(keys, starts[-1:])
    first = int(leads)
    last = max(len(starts) - int(trails), first)
    rows = slice(bounds[first], bounds[last])
    moments = run_moments(xyz[rows], tim[rows], starts[first:last] - bounds[first])
    ends = leads and not (trails and len(starts) == 1)
    return _Part(keys_at(keys, starts[first:last]), moments, lead, trail, trail_key, ends)


def _table_tasks(name: str, parts: str, index: RunIndex) -> tuple[dict[Any, Any], tuple[int, ...]]:
    continuing = index.continuing()
    owned = [
        len(block.keys) - int(leads)
        for block, (leads, _) in zip(index.blocks, continuing, strict=True)
    ]
    groups = group_small(owned, TABLE_ROWS)
    tasks = {}
    for number, (start, stop) in enumerate(groups):
        build = partial(_build_table, own=stop - start)
        needed = range(start, _open_until(index, continuing, stop))
        tasks[(name, number)] = (build, [(parts, block) for block in needed])
    return tasks, tuple(sum(owned[start:stop]) for start, stop in groups)


def _open_until(index: RunIndex, continuing: list[tuple[bool, int]], stop: int) -> int:
    """Return one past the last block with rows of the trace that is open before block ``stop``."""
    end = stop
    for later in range(stop, len(continuing)):
        n_runs = len(index.blocks[later].keys)
        if n_runs and not continuing[later][0]:
            break
        if n_runs:
            end = later + 1
        if n_runs > 1:
            break
    return end


def _build_table(parts: list[_Part], *, own: int) -> tuple[Array, Array]:
    """Return keys and moments of the traces that start in the first ``own`` parts."""
    keys: list[Array] = []
    moments: list[Array] = []
    open_key: Array | None = None
    pieces: list[Piece] = []
    for number, part in enumerate(parts):
        if open_key is not None and part.lead is not None:
            pieces.append(part.lead)
            if part.ends:
                keys.append(open_key)
                moments.append(join_pieces(pieces))
                open_key = None
        if number < own:
            keys.append(part.keys)
            moments.append(part.moments)
            if part.trail is not None:
                open_key, pieces = part.trail_key, [part.trail]
    if len(keys) == 1:
        return keys[0], moments[0]
    return np.concatenate(keys), np.concatenate(moments)


def _merged(name: str, tables: dict[Any, Any], n_traces: int) -> dict[Any, Any]:
    """Return tasks for one table in which traces that come back after others are one row."""
    apart = {(f"{key[0]}-runs", *key[1:]): task for key, task in tables.items()}
    merge = partial(_merge_tables, n_traces=n_traces)
    return {**apart, (name, 0): (merge, list(apart))}


def _merge_tables(tables: list[tuple[Array, Array]], *, n_traces: int) -> tuple[Array, Array]:
    keys, moments = (np.concatenate(column) for column in zip(*tables, strict=True))
    _, first, group = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))
    return keys[np.sort(first)], merge_runs(moments, order[group.reshape(-1)], n_traces)
