"""What is found for whole traces, whatever the chunks, and what is given back to their rows.

Blocks reduce the traces that lie wholly in them. Of a trace that crosses blocks, or comes back
after others, its rows are carried to the one task that reduces it, so every trace is reduced from
the same rows in the same order for every chunking. Memory is bounded by the longest trace.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from mfxarray.chunked.blocks import graph_array
from mfxarray.chunked.plan import group_small
from mfxarray.chunked.runs import BlockTraces, RunIndex, starts_of, used_only

__all__ = [
    "TABLE_ROWS",
    "reduce_traces",
    "rows_of_runs",
    "shared_rows",
    "table_groups",
    "trace_places",
    "values_of_rows",
]

Array = np.ndarray[Any, Any]
# takes columns, whose rows lie trace by trace, and the first row of each trace; gives rows of
# numbers and how many of them belong to each trace
Reduce = Callable[[list[Array], Array], tuple[Array, Array]]

# traces in a block of the table: its columns have a few MB then, and few tasks make it
TABLE_ROWS = 2**19


@dataclass(frozen=True)
class _Part:
    """What one block gives: results of its whole traces, and rows of those it shares."""

    numbers: Array
    lengths: Array
    rows: Array
    shared: list[tuple[int, list[Array]]]


def table_groups(
    index: RunIndex, least: int | None = None
) -> tuple[list[tuple[int, int]], tuple[int, ...]]:
    """Return which blocks make a block of the trace table, and the traces in each of these.

    A trace belongs to the block in which it begins; traces that come back make one single block.

    Parameters
    ----------
    index
        Result of `index_runs`.
    least
        Traces that a block of the table has at least where there are so many; `TABLE_ROWS` if not
        given.
    """
    owned = [
        len(block.keys) - int(leads)
        for block, (leads, _) in zip(index.blocks, index.continuing(), strict=True)
    ]
    if index.n_traces < sum(owned):
        return [(0, len(owned))], (index.n_traces,)
    groups = group_small(owned, TABLE_ROWS if least is None else least)
    return groups, tuple(sum(owned[start:stop]) for start, stop in groups)


def reduce_traces(
    reduce: Reduce,
    used: da.Array,
    keys: Sequence[da.Array],
    columns: Sequence[da.Array],
    index: RunIndex,
    *,
    width: int,
    sizes: tuple[int, ...] | None = None,
) -> da.Array:
    """Return the result of ``reduce`` for all traces, in the order in which they begin.

    Parameters
    ----------
    reduce
        Takes the columns of used rows and the first row of each trace; returns rows of ``width``
        numbers, shape (row, width), and how many belong to each trace, shape (trace,).
    used, keys
        As for `mfxarray.chunked.traces.trace_columns`.
    columns
        What ``reduce`` needs, each of shape (row, ...).
    index
        Result of `index_runs` for just these rows.
    width
        Numbers in a row of the result.
    sizes
        Rows in each block of the result, see `table_groups`; one row a trace if not given.

    Returns
    -------
    dask.array.Array
        Shape (row, width), float64.
    """
    inputs = (used, *keys, *columns)
    name = f"reduce-traces-{tokenize(reduce, width, sizes, *inputs)}"
    tasks: dict[Any, Any] = {}
    for block, place in enumerate(index.places):
        blocks = [(array.name, block, *([0] * (array.ndim - 1))) for array in inputs]
        split = partial(_reduce_block, reduce=reduce, n_keys=len(keys), place=place)
        tasks[(f"{name}-parts", block)] = (split, blocks)
    groups, counts = table_groups(index)
    bounds = np.cumsum([0, *counts]).tolist()
    shared, homes = shared_rows(index.places)
    for number, (start, stop) in enumerate(groups):
        traces = (bounds[number], bounds[number + 1])
        build = partial(_build, reduce=reduce, traces=traces, width=width)
        within = (shared >= traces[0]) & (shared < traces[1])
        last = max(stop, int(homes[within].max(initial=-1)) + 1)
        needed = [(f"{name}-parts", block) for block in range(start, last)]
        tasks[(name, number, 0)] = (build, needed)
    return graph_array(name, tasks, inputs, (sizes or counts, (width,)), float)


def shared_rows(places: Sequence[BlockTraces]) -> tuple[Array, Array]:
    """Return the traces that share rows between runs, and in which block each such run is."""
    numbers = [place.traces()[place.shared] for place in places]
    blocks = np.repeat(np.arange(len(places)), [len(part) for part in numbers])
    return np.concatenate(numbers), blocks


def _reduce_block(blocks: list[Array], *, reduce: Reduce, n_keys: int, place: BlockTraces) -> _Part:
    used, *rest = blocks
    own = used_only(used, rest)
    starts = starts_of(own[:n_keys])
    columns = own[n_keys:]
    numbers = place.traces()
    bounds = np.append(starts, len(own[0]))
    shared = [
        (int(numbers[run]), [column[bounds[run] : bounds[run + 1]].copy() for column in columns])
        for run in place.shared.tolist()
    ]
    whole = np.ones(len(starts), bool)
    whole[place.shared] = False
    columns, starts = rows_of_runs(whole, columns, bounds)
    rows, lengths = reduce(columns, starts)
    return _Part(numbers[whole], lengths, rows, shared)


def rows_of_runs(whole: Array, columns: list[Array], bounds: Array) -> tuple[list[Array], Array]:
    """Return the rows of some runs and where these begin, without a copy where they adjoin."""
    runs = np.flatnonzero(whole)
    if not len(runs):
        return [column[:0] for column in columns], runs
    first, last = int(runs[0]), int(runs[-1]) + 1
    if last - first == len(runs):
        rows = slice(bounds[first], bounds[last])
        return [column[rows] for column in columns], bounds[first:last] - bounds[first]
    lengths = np.diff(bounds)
    keep = np.repeat(whole, lengths)
    starts = np.cumsum(lengths[whole]) - lengths[whole]
    return [column[keep] for column in columns], starts


def _build(parts: list[_Part], *, reduce: Reduce, traces: tuple[int, int], width: int) -> Array:
    """Return the rows of the traces from the one number to before the other."""
    pieces: dict[int, list[list[Array]]] = {}
    found = []
    for part in parts:
        # whole traces of later blocks belong to later tables
        if len(part.numbers) and part.numbers[0] < traces[1]:
            found.append((part.numbers, part.lengths, part.rows))
        for number, columns in part.shared:
            if traces[0] <= number < traces[1]:
                pieces.setdefault(number, []).append(columns)
    if pieces:
        joined = [list(map(np.concatenate, zip(*runs, strict=True))) for runs in pieces.values()]
        starts = np.cumsum([0, *(len(columns[0]) for columns in joined)])[:-1]
        columns = [np.concatenate(column) for column in zip(*joined, strict=True)]
        rows, lengths = reduce(columns, starts)
        found.append((np.array(list(pieces)), lengths, rows))
    return _ordered(found, traces, width)


def _ordered(found: list[tuple[Array, Array, Array]], traces: tuple[int, int], width: int) -> Array:
    """Return the rows sorted by the number of their trace."""
    if not found:
        return np.empty((0, width))
    numbers, lengths, rows = (np.concatenate(column) for column in zip(*found, strict=True))
    if len(numbers) != traces[1] - traces[0]:
        raise RuntimeError(f"{len(numbers)} traces, {traces[1] - traces[0]} were counted before")
    order = np.argsort(np.repeat(numbers, lengths), kind="stable")
    return np.asarray(rows[order], dtype=float)


def trace_places(used: da.Array, keys: Sequence[da.Array], index: RunIndex) -> da.Array:
    """Return for every row its trace, its place in it and the length of it, shape (row, 3), int64.

    Traces and places count from 0; rows that are not used have -1, -1 and 0.
    """
    name = f"trace-places-{tokenize(used, *keys)}"
    tasks = {}
    for block, place in enumerate(index.places):
        blocks = [(array.name, block) for array in (used, *keys)]
        tasks[(name, block, 0)] = (partial(_places_block, place=place), blocks)
    return graph_array(name, tasks, (used, *keys), (used.chunks[0], (3,)), np.int64)


def _places_block(blocks: list[Array], *, place: BlockTraces) -> Array:
    used, *keys = blocks
    own = used_only(used, keys)
    starts = starts_of(own)
    lengths = np.diff(np.append(starts, len(own[0])))
    before, total = np.zeros(len(starts), np.int64), lengths.copy()
    before[place.shared], total[place.shared] = place.before, place.total
    out = np.empty((len(used), 3), np.int64)
    out[:] = (-1, -1, 0)
    rank = np.arange(len(own[0])) + np.repeat(before - starts, lengths)
    columns = (np.repeat(place.traces(), lengths), rank, np.repeat(total, lengths))
    for column, values in enumerate(columns):
        out[used, column] = values
    return out


def values_of_rows(
    values: da.Array, used: da.Array, keys: Sequence[da.Array], index: RunIndex
) -> da.Array:
    """Return for every row the value of its trace, shape (row,).

    Parameters
    ----------
    values
        Shape (trace,), in the order in which traces begin, float or bool; rows that are not used
        get NaN or False.
    used, keys, index
        As for `trace_places`.
    """
    name = f"values-of-rows-{tokenize(values, used, *keys)}"
    stops = np.cumsum(values.chunks[0])
    tasks = {}
    for block, place in enumerate(index.places):
        numbers = place.traces()
        low, high = (numbers.min(), numbers.max()) if place.n_runs else (0, -1)
        first, last = np.searchsorted(stops, (low, high), side="right").tolist()
        tables = range(first, last + 1 if place.n_runs else first)
        offset = int(stops[tables[0]] - values.chunks[0][tables[0]]) if len(tables) else 0
        give = partial(_give, place=place, offset=offset, dtype=values.dtype)
        rows = [(array.name, block) for array in (used, *keys)]
        tasks[(name, block)] = (give, rows, [(values.name, table) for table in tables])
    inputs = (values, used, *keys)
    return graph_array(name, tasks, inputs, (used.chunks[0],), values.dtype)


def _give(
    rows: list[Array], tables: list[Array], *, place: BlockTraces, offset: int, dtype: Any
) -> Array:
    used, *keys = rows
    own = used_only(used, keys)
    lengths = np.diff(np.append(starts_of(own), len(own[0])))
    out = np.full(len(used), False if np.dtype(dtype).kind == "b" else np.nan, dtype)
    if place.n_runs:
        joined = tables[0] if len(tables) == 1 else np.concatenate(tables)
        out[used] = np.repeat(joined[place.traces() - offset], lengths)
    return out
