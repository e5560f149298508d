"""What the blocks of a table give of traces, and how that is put together.

A block reduces the traces that lie wholly in it. Of a short trace that it shares with others it
hands on the rows, of a long one what `Reduction.piece` keeps of these, so that memory for a trace
without end is bounded where its moments are all that is wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfxarray.chunked.runs import BlockTraces, starts_of, used_only
from mfxarray.chunked.trace_rows import rows_of_runs
from mfxarray.kernels.traces.moments import BLOCK

__all__ = ["Reduction", "TracePart", "fill_column", "join_shared", "reduce_block"]

Array = np.ndarray[Any, Any]
Columns = tuple[Array, ...]


@dataclass(frozen=True)
class Reduction:
    """How columns of a table are made of the rows of traces.

    Attributes
    ----------
    whole
        Takes columns, whose rows lie trace by trace, and the first row of each trace; gives the
        columns of the table.
    piece
        Takes the columns of some of the rows of one trace, and how many rows came before; gives
        what must be kept of them. Used of traces longer than
        `mfxarray.kernels.traces.moments.BLOCK`, so that what is kept of them can be less than their
        rows.
    join
        Takes all pieces of a trace in order; gives the same bits as ``whole`` of all its rows.
    columns
        Dtype of each column of the table, and its width or None for none.
    """

    whole: Callable[[list[Array], Array], Columns]
    piece: Callable[[list[Array], int], Any]
    join: Callable[[list[Any]], Columns]
    columns: tuple[tuple[Any, int | None], ...]


@dataclass(frozen=True)
class TracePart:
    """Some traces of a table, and what one block has of traces that are not whole in it.

    Attributes
    ----------
    numbers
        Which traces: a slice where they follow each other.
    columns
        Keys and results of these.
    shared
        Trace of each run whose trace is short but not whole, rows of each, and all these rows.
    pieces
        Number, keys and piece of each trace that is long.
    """

    numbers: slice | Array
    columns: Columns
    shared: tuple[Array, Array, list[Array]] | None = None
    pieces: tuple[tuple[int, Columns, Any], ...] = ()


def reduce_block(
    blocks: list[Any], *, reduction: Reduction, n_keys: int, place: BlockTraces
) -> TracePart:
    """Return what one block gives: a mask of used rows or None for all, keys, and columns."""
    used, *rest = blocks
    own = rest if used is None else used_only(used, rest)
    starts = starts_of(own[:n_keys])
    if len(starts) != place.n_runs:
        raise RuntimeError(f"{len(starts)} runs in a block, {place.n_runs} were counted before")
    bounds = np.append(starts, len(own[0]))
    whole = np.ones(len(starts), bool)
    whole[place.shared] = False
    columns, starts = rows_of_runs(whole, own, bounds)
    short = place.total <= BLOCK
    return TracePart(
        _numbers(place, whole),
        _reduced(reduction, columns, starts, n_keys),
        _shared_rows(own, bounds, place, place.shared[short]),
        tuple(_pieces(reduction, own, bounds, place, np.flatnonzero(~short), n_keys)),
    )


def _reduced(reduction: Reduction, columns: list[Array], starts: Array, n_keys: int) -> Columns:
    """Return the keys of whole traces and what comes out of them."""
    keys = (key[starts] for key in columns[:n_keys])
    return (*keys, *reduction.whole(columns[n_keys:], starts))


def _numbers(place: BlockTraces, whole: Array) -> slice | Array:
    """Return the traces that are whole in a block."""
    if place.numbers is not None:
        return place.numbers[whole]
    runs = np.flatnonzero(whole)
    if len(runs) and runs[-1] - runs[0] + 1 != len(runs):
        return place.first + runs
    start = place.first + int(runs[0]) if len(runs) else 0
    return slice(start, start + len(runs))


def _shared_rows(
    own: list[Array], bounds: Array, place: BlockTraces, runs: Array
) -> tuple[Array, Array, list[Array]] | None:
    if not len(runs):
        return None
    columns = _rows(own, bounds, runs)
    # copies, so that they do not keep the block
    return place.traces()[runs], np.diff(bounds)[runs], [column.copy() for column in columns]


def _rows(own: list[Array], bounds: Array, runs: Array) -> list[Array]:
    return rows_of_runs(np.isin(np.arange(len(bounds) - 1), runs), own, bounds)[0]


def _pieces(
    reduction: Reduction,
    own: list[Array],
    bounds: Array,
    place: BlockTraces,
    long: Array,
    n_keys: int,
) -> list[tuple[int, Columns, Any]]:
    """Return one piece a trace, of all its runs in the block."""
    found = []
    numbers = place.traces()[place.shared]
    for number in np.unique(numbers[long]).tolist():
        which = np.flatnonzero(numbers == number)
        columns = _rows(own, bounds, place.shared[which])
        piece = reduction.piece(columns[n_keys:], int(place.before[which[0]]))
        found.append((number, tuple(key[:1].copy() for key in columns[:n_keys]), piece))
    return found


def join_shared(
    parts: list[TracePart], *, reduction: Reduction, n_keys: int, traces: tuple[int, int]
) -> TracePart:
    """Return the traces from the one number to before the other that are whole in no block."""
    found = _joined_pieces(parts, reduction, traces)
    handed = [part.shared for part in parts if part.shared is not None]
    if handed:
        numbers, columns, starts = _joined_rows(handed, traces)
        found.append((numbers, _reduced(reduction, columns, starts, n_keys)))
    numbers = np.concatenate([part[0] for part in found])
    return TracePart(
        numbers, tuple(map(np.concatenate, zip(*(part[1] for part in found), strict=True)))
    )


def _joined_rows(
    handed: list[tuple[Array, Array, list[Array]]], traces: tuple[int, int]
) -> tuple[Array, list[Array], Array]:
    """Return the traces whose rows were handed on, these rows, and the first row of each."""
    numbers = np.concatenate([numbers for numbers, _, _ in handed])
    lengths = np.concatenate([lengths for _, lengths, _ in handed])
    # runs of a trace next to each other, in the order in which they were
    order = np.argsort(numbers, kind="stable")
    order = order[(numbers[order] >= traces[0]) & (numbers[order] < traces[1])]
    sizes, before = lengths[order], np.cumsum(lengths) - lengths
    places = np.cumsum(sizes) - sizes
    rows = np.arange(sizes.sum()) + np.repeat(before[order] - places, sizes)
    parts = zip(*(part for _, _, part in handed), strict=True)
    columns = [np.concatenate(part)[rows] for part in parts]
    first = np.diff(numbers[order], prepend=-1) != 0
    return numbers[order][first], columns, places[first]


def _joined_pieces(
    parts: list[TracePart], reduction: Reduction, traces: tuple[int, int]
) -> list[tuple[Array, Columns]]:
    """Return the traces of which pieces were handed on."""
    keys: dict[int, Columns] = {}
    pieces: dict[int, list[Any]] = {}
    for part in parts:
        for number, names, piece in part.pieces:
            if traces[0] <= number < traces[1]:
                keys.setdefault(number, names)
                pieces.setdefault(number, []).append(piece)
    return [
        (np.array([number]), (*names, *reduction.join(pieces[number])))
        for number, names in keys.items()
    ]


def fill_column(
    parts: list[TracePart],
    join: TracePart | None,
    *,
    number: int,
    first: int,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
) -> Array:
    """Return one column of a table from the parts of its blocks."""
    out = np.empty(shape, dtype)
    filled = 0
    for part in parts if join is None else [*parts, join]:
        column, numbers = part.columns[number], part.numbers
        filled += len(column)
        if not isinstance(numbers, slice):
            out[numbers - first] = column
        elif len(column):
            out[numbers.start - first : numbers.stop - first] = column
    if filled != shape[0]:
        raise RuntimeError(f"{filled} traces, {shape[0]} were counted before")
    return out
