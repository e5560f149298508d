"""Moments per trace for rows in any chunks, with the same bits for every chunking.

One counting pass finds the runs of every block. It tells which traces go on in the next block and
how many rows of them came before, so that each block knows its part and every trace ends up whole
in the block where it starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from mfxarray.chunked.blocks import graph_array
from mfxarray.chunked.plan import common_rows, group_small
from mfxarray.kernels.moments import Moments, Piece, join_pieces, merge_runs, piece_of, run_moments

__all__ = ["BlockRuns", "RunIndex", "index_runs", "trace_moments"]

Array = np.ndarray[Any, Any]

# traces in a block of the table
_TABLE_ROWS = 65_536


@dataclass(frozen=True)
class BlockRuns:
    """The runs of one block.

    Attributes
    ----------
    n_selected
        Rows selected in the block.
    keys
        Trace of each run of used rows, shape (run, key column).
    lengths
        Used rows of each run, shape (run,).
    """

    n_selected: int
    keys: Array
    lengths: Array


@dataclass(frozen=True)
class RunIndex:
    """The runs of all blocks, in order."""

    blocks: tuple[BlockRuns, ...]

    def grouped(self, groups: Sequence[tuple[int, int]]) -> RunIndex:
        """Return the index of the same rows in blocks that join ranges of these."""
        return RunIndex(tuple(_join_blocks(self.blocks[start:stop]) for start, stop in groups))

    def runs(self) -> BlockRuns:
        """Return the runs of all rows as if they were one block."""
        return _join_blocks(self.blocks)

    def continuing(self) -> list[tuple[bool, int]]:
        """Return for each block whether its first run began earlier, and with how many rows."""
        found: list[tuple[bool, int]] = []
        last: Array | None = None
        rows = 0
        for block in self.blocks:
            if not len(block.keys):
                found.append((False, 0))
                continue
            goes_on = last is not None and bool((block.keys[0] == last).all())
            found.append((goes_on, rows if goes_on else 0))
            single = len(block.keys) == 1 and goes_on
            rows = int(block.lengths[-1]) + (rows if single else 0)
            last = block.keys[-1]
        return found


def index_runs(selected: da.Array, used: da.Array, keys: Sequence[da.Array]) -> RunIndex:
    """Compute the runs of every block: the one counting pass.

    Parameters
    ----------
    selected
        Rows that pass the filters, shape (row,), bool.
    used
        Those of them that have a position, shape (row,), bool.
    keys
        What names a trace, each of shape (row,), integer.

    Notes
    -----
    Reads the rows once; returns about 24 bytes a trace.
    """
    rows = common_rows([array.chunks[0] for array in (selected, used, *keys)])
    found = da.map_blocks(
        _index_block,
        selected,
        used,
        *keys,
        chunks=((1,) * len(rows),),
        dtype=object,
        meta=np.empty(0, object),
    )
    return RunIndex(tuple(found.compute()))


def trace_moments(
    used: da.Array, keys: Sequence[da.Array], columns: Sequence[da.Array], index: RunIndex
) -> da.Array:
    """Return the moments of every trace, one structured row a trace, in order of appearance.

    Parameters
    ----------
    used
        Rows to use, shape (row,), bool.
    keys
        What names a trace, each of shape (row,).
    columns
        Values, each of shape (row,) or (row, column); together they give the columns.
    index
        Result of `index_runs` for just these rows.

    Returns
    -------
    dask array
        Shape (trace,), with the fields ``key``, ``n``, ``mean``, ``m2``, ``low``, ``high``.
    """
    token = tokenize(used, *keys, *columns)
    width = sum(column.shape[1] if column.ndim == 2 else 1 for column in columns)
    dtype = _table_dtype(len(keys), width)
    parts = _part_tasks(f"parts-{token}", used, keys, columns, index)
    name = f"moments-{token}"
    tables, sizes = _table_tasks(name, f"parts-{token}", index, dtype)
    table = graph_array(name, {**parts, **tables}, (used, *keys, *columns), (sizes,), dtype)
    return _regrouped(table, index)


def _index_block(selected: Array, used: Array, *keys: Array) -> Array:
    own = np.stack([np.asarray(key)[used].astype(np.int64) for key in keys], axis=1)
    starts = _run_starts(own)
    lengths = np.diff(np.append(starts, len(own)))
    out = np.empty(1, object)
    out[0] = BlockRuns(int(np.count_nonzero(selected)), own[starts], lengths)
    return out


def _run_starts(keys: Array) -> Array:
    if not len(keys):
        return np.empty(0, np.int64)
    changed = (keys[1:] != keys[:-1]).any(axis=1)
    return np.concatenate([[0], np.flatnonzero(changed) + 1])


def _join_blocks(blocks: Sequence[BlockRuns]) -> BlockRuns:
    keys = np.concatenate([block.keys for block in blocks])
    lengths = np.concatenate([block.lengths for block in blocks])
    starts = _run_starts(keys)
    summed = np.add.reduceat(lengths, starts) if len(starts) else lengths
    return BlockRuns(sum(block.n_selected for block in blocks), keys[starts], summed)


def _part_tasks(
    name: str,
    used: da.Array,
    keys: Sequence[da.Array],
    columns: Sequence[da.Array],
    index: RunIndex,
) -> dict[Any, Any]:
    continuing = index.continuing()
    tasks = {}
    for block, (leads, offset) in enumerate(continuing):
        trails = _trails(continuing, index, block)
        key_blocks = [(key.name, block) for key in keys]
        blocks = [(column.name, block, *([0] * (column.ndim - 1))) for column in columns]
        split = partial(_split_block, leads=leads, trails=trails, offset=offset)
        tasks[(name, block)] = (split, (used.name, block), key_blocks, blocks)
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
    moments: Moments
    lead: Piece | None
    trail: Piece | None
    trail_key: Array | None
    ends: bool


def _split_block(
    used: Array,
    keys: list[Array],
    columns: list[Array],
    *,
    leads: bool,
    trails: bool,
    offset: int,
) -> _Part:
    own = np.stack([np.asarray(key)[used].astype(np.int64) for key in keys], axis=1)
    values = np.column_stack([np.asarray(column)[used] for column in columns]).astype(float)
    starts = _run_starts(own)
    bounds = np.append(starts, len(own))
    lead = trail = trail_key = None
    first, last = int(leads), len(starts) - int(trails)
    if leads:
        lead = piece_of(values[: bounds[1]], offset)
    if trails and not (leads and len(starts) == 1):
        trail, trail_key = piece_of(values[bounds[-2] :], 0), own[-1]
    last = max(last, first)
    moments = run_moments(values[bounds[first] : bounds[last]], starts[first:last] - bounds[first])
    ends = leads and not (trails and len(starts) == 1)
    return _Part(own[starts[first:last]], moments, lead, trail, trail_key, ends)


def _table_tasks(
    name: str, parts: str, index: RunIndex, dtype: Any
) -> tuple[dict[Any, Any], tuple[int, ...]]:
    continuing = index.continuing()
    owned = [
        len(block.keys) - int(leads)
        for block, (leads, _) in zip(index.blocks, continuing, strict=True)
    ]
    groups = group_small(owned, _TABLE_ROWS)
    tasks = {}
    for number, (start, stop) in enumerate(groups):
        build = partial(_build_table, own=stop - start, dtype=dtype)
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


def _build_table(parts: list[_Part], *, own: int, dtype: Any) -> Array:
    """Return the table of the traces that start in the first ``own`` parts."""
    keys: list[Array] = []
    moments: list[Moments] = []
    open_key: Array | None = None
    pieces: list[Piece] = []
    for number, part in enumerate(parts):
        if open_key is not None and part.lead is not None:
            pieces.append(part.lead)
            if part.ends:
                keys.append(open_key[None])
                moments.append(join_pieces(pieces))
                open_key = None
        if number < own:
            keys.append(part.keys)
            moments.append(part.moments)
            if part.trail is not None and part.trail_key is not None:
                open_key, pieces = part.trail_key, [part.trail]
    return _as_table(np.concatenate(keys), Moments.concatenate(moments), dtype)


def _table_dtype(n_keys: int, width: int) -> np.dtype[Any]:
    parts = [(name, "f8", (width,)) for name in ("mean", "m2", "low", "high")]
    return np.dtype([("key", "i8", (n_keys,)), ("n", "i8"), *parts])


def _as_table(keys: Array, moments: Moments, dtype: Any) -> Array:
    table = np.empty(len(keys), dtype)
    table["key"] = keys
    for name in ("n", "mean", "m2", "low", "high"):
        table[name] = getattr(moments, name)
    return table


def _regrouped(table: da.Array, index: RunIndex) -> da.Array:
    """Return the table with one row a trace even where a trace comes back after another one."""
    keys = index.runs().keys
    n_traces = len(np.unique(keys, axis=0))
    if n_traces == len(keys):
        return table
    single = table.rechunk({0: -1})
    merge = partial(_merge_table, n_traces=n_traces)
    return single.map_blocks(merge, chunks=((n_traces,),), dtype=table.dtype, meta=table._meta)


def _merge_table(table: Array, *, n_traces: int) -> Array:
    _, first, group = np.unique(table["key"], axis=0, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))
    runs = Moments(*(table[name] for name in ("n", "mean", "m2", "low", "high")))
    merged = merge_runs(runs, order[group.reshape(-1)], n_traces)
    return _as_table(table["key"][np.sort(first)], merged, table.dtype)
