"""Labels of rows that are found trace by trace, and numbers that run on over all traces.

A block labels the traces that lie wholly in it. Rows of a trace that crosses blocks, or comes back
after others, are carried to one task that labels it and gives the labels back to the blocks, so
labels are the same for every chunking. Memory is bounded by the longest trace.
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
from mfxarray.chunked.runs import BlockTraces, RunIndex, starts_of, used_only
from mfxarray.chunked.trace_rows import rows_of_runs

__all__ = ["label_traces", "number_parts"]

Array = np.ndarray[Any, Any]
# takes columns, whose rows lie trace by trace, the first row of each trace, and the limits; gives
# one integer a row
Label = Callable[[list[Array], Array, Array | None], Array]


@dataclass(frozen=True)
class _Part:
    """Labels of the used rows of a block, and the rows of the traces it shares."""

    labels: Array
    shared: list[tuple[int, list[Array]]]


def label_traces(
    label: Label,
    used: da.Array,
    keys: Sequence[da.Array],
    columns: Sequence[da.Array],
    index: RunIndex,
    limits: da.Array | None = None,
) -> da.Array:
    """Return what a function finds for the rows of whole traces, -1 for rows not used.

    Parameters
    ----------
    label
        Takes the columns of used rows, the first row of each trace, and the limits or None;
        returns one integer a row, shape (row,).
    used, keys
        Rows to use, shape (row,), and what names a trace, each of shape (row,).
    columns
        What ``label`` needs, each of shape (row, ...), chunked as ``used``.
    index
        Result of `mfxarray.chunked.runs.index_runs` for just these rows.
    limits
        What holds for all traces, in a single chunk of one axis.

    Returns
    -------
    dask.array.Array
        Shape (row,), int64.
    """
    inputs = (used, *keys, *columns)
    known = () if limits is None else (limits,)
    name = f"label-traces-{tokenize(label, *inputs, *known)}"
    limit = None if limits is None else (limits.name, 0)
    homes, needs, owned = _homes(index.places)
    tasks: dict[Any, Any] = {}
    for block, place in enumerate(index.places):
        own = [(array.name, block, *([0] * (array.ndim - 1))) for array in inputs]
        split = partial(_label_block, label=label, n_keys=len(keys), place=place)
        tasks[(f"{name}-parts", block)] = (split, own, limit)
        shared = sorted({homes[trace] for trace in _shared(place)})
        given = [(f"{name}-shared", home) for home in shared]
        merge = partial(_merge, place=place)
        keyed = [(array.name, block) for array in (used, *keys)]
        tasks[(name, block)] = (merge, keyed, (f"{name}-parts", block), given)
    for home, blocks in needs.items():
        join = partial(_label_shared, label=label, traces=frozenset(owned[home]))
        parts = [(f"{name}-parts", block) for block in sorted(blocks)]
        tasks[(f"{name}-shared", home)] = (join, parts, limit)
    return graph_array(name, tasks, (*inputs, *known), (used.chunks[0],), np.int64)


def _shared(place: BlockTraces) -> list[int]:
    return [int(trace) for trace in place.traces()[place.shared]]


def _homes(
    places: Sequence[BlockTraces],
) -> tuple[dict[int, int], dict[int, set[int]], dict[int, list[int]]]:
    """Return the first block of each shared trace, and for such blocks all blocks, all traces."""
    homes: dict[int, int] = {}
    needs: dict[int, set[int]] = {}
    owned: dict[int, list[int]] = {}
    for block, place in enumerate(places):
        for trace in _shared(place):
            if trace not in homes:
                homes[trace] = block
                owned.setdefault(block, []).append(trace)
            needs.setdefault(homes[trace], set()).add(block)
    return homes, needs, owned


def _label_block(
    blocks: list[Array], limits: Array | None, *, label: Label, n_keys: int, place: BlockTraces
) -> _Part:
    used, *rest = blocks
    own = used_only(used, rest)
    starts, columns = starts_of(own[:n_keys]), own[n_keys:]
    bounds = np.append(starts, len(own[0]))
    numbers = place.traces()
    shared = [
        (int(numbers[run]), [column[bounds[run] : bounds[run + 1]].copy() for column in columns])
        for run in place.shared.tolist()
    ]
    whole = np.ones(len(starts), bool)
    whole[place.shared] = False
    rows = np.repeat(whole, np.diff(bounds))
    columns, starts = rows_of_runs(whole, columns, bounds)
    labels = np.full(len(own[0]), -1, np.int64)
    labels[rows] = label(columns, starts, limits)
    return _Part(labels, shared)


def _label_shared(
    parts: list[_Part], limits: Array | None, *, label: Label, traces: frozenset[int]
) -> dict[int, Array]:
    """Return the labels of all rows of each of some traces."""
    pieces: dict[int, list[list[Array]]] = {}
    for part in parts:
        for number, columns in part.shared:
            if number in traces:
                pieces.setdefault(number, []).append(columns)
    found = {}
    for number, runs in pieces.items():
        columns = [np.concatenate(column) for column in zip(*runs, strict=True)]
        found[number] = label(columns, np.zeros(1, np.int64), limits)
    return found


def _merge(
    rows: list[Array], part: _Part, shared: list[dict[int, Array]], *, place: BlockTraces
) -> Array:
    """Return the labels of all rows of a block."""
    used, *keys = rows
    labels = part.labels
    known = {number: values for found in shared for number, values in found.items()}
    if len(place.shared):
        labels = labels.copy()
        starts = starts_of(used_only(used, keys))
        bounds = np.append(starts, len(labels))
        numbers = place.traces()
        for run, before in zip(place.shared.tolist(), place.before.tolist(), strict=True):
            start, stop = bounds[run], bounds[run + 1]
            labels[start:stop] = known[int(numbers[run])][before : before + stop - start]
    out = np.full(len(used), -1, np.int64)
    out[used] = labels
    return out


def number_parts(
    parts: da.Array,
    used: da.Array,
    keys: Sequence[da.Array],
    index: RunIndex,
    first: da.Array | None = None,
) -> da.Array:
    """Return numbers that run on over all parts of all traces, -1 where a row has no part.

    Parameters
    ----------
    parts
        Part of each row within its trace, 0 to the number of its parts - 1, or -1; shape (row,).
    used, keys, index
        As for `label_traces`.
    first
        The first number, an array of one number; 0 if not given.

    Returns
    -------
    dask.array.Array
        Shape (row,), int64: by traces in the order in which they begin, then by part.

    Notes
    -----
    One task sees how many parts each trace has, 8 bytes a trace. Until it has seen all, parts are
    kept in as few bytes as they need, mostly one a row.
    """
    base = () if first is None else (first,)
    name = f"number-parts-{tokenize(parts, used, *keys, *base)}"
    counts = []
    tasks: dict[Any, Any] = {}
    for block, place in enumerate(index.places):
        rows = [(array.name, block) for array in (used, *keys)]
        packed, firsts = (f"{name}-packed", block), (f"{name}-firsts", block)
        tasks[packed] = (_pack, rows, (parts.name, block))
        tasks[(f"{name}-counts", block)] = (_count_parts, packed)
        counts.append((f"{name}-counts", block))
        tasks[firsts] = (partial(_firsts_of, place=place), f"{name}-all")
        tasks[(name, block)] = (_number_block, packed, firsts)
    numbers = partial(_first_numbers, places=index.places, n_traces=index.n_traces)
    start = None if first is None else (first.name, *([0] * first.ndim))
    tasks[f"{name}-all"] = (numbers, counts, start)
    return graph_array(name, tasks, (parts, used, *keys, *base), (used.chunks[0],), np.int64)


@dataclass(frozen=True)
class _Packed:
    """Parts of the used rows of a block, which rows these are, and the rows of each run."""

    rows: int
    used: Array
    parts: Array
    lengths: Array


def _pack(rows: list[Array], parts: Array) -> _Packed:
    used, *keys = rows
    own = parts[used]
    starts = starts_of(used_only(used, keys))
    lengths = np.diff(np.append(starts, len(own)))
    small = np.promote_types(np.int8, np.min_scalar_type(own.max(initial=0)))
    return _Packed(len(used), np.packbits(used), own.astype(small), lengths.astype(np.int32))


def _count_parts(packed: _Packed) -> Array:
    """Return the number of parts that each run of a block shows."""
    starts = np.cumsum(packed.lengths) - packed.lengths
    if not len(starts):
        return np.zeros(0, np.int64)
    return np.maximum.reduceat(packed.parts.astype(np.int64), starts) + 1


def _first_numbers(
    counts: list[Array],
    start: Array | None,
    *,
    places: Sequence[BlockTraces],
    n_traces: int,
) -> Array:
    """Return the number of the first part of each trace."""
    most = np.zeros(n_traces, np.int64)
    for own, place in zip(counts, places, strict=True):
        np.maximum.at(most, place.traces(), own)
    base = 0 if start is None else int(np.ravel(start)[0])
    return np.cumsum(most) - most + base


def _firsts_of(firsts: Array, *, place: BlockTraces) -> Array:
    return firsts[place.traces()]


def _number_block(packed: _Packed, firsts: Array) -> Array:
    used = np.unpackbits(packed.used, count=packed.rows).astype(bool)
    numbers = np.repeat(firsts, packed.lengths) + packed.parts
    out = np.full(packed.rows, -1, np.int64)
    out[used] = np.where(packed.parts < 0, -1, numbers)
    return out
