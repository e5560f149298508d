"""The runs of traces in the blocks of a table: one counting pass, kept as an index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import dask.array as da
import numpy as np

from mfxarray.chunked.plan import common_rows
from mfxarray.kernels.traces.moments import run_starts

__all__ = [
    "BlockRuns",
    "BlockTraces",
    "RunIndex",
    "index_runs",
    "keys_at",
    "starts_of",
    "used_only",
]

Array = np.ndarray[Any, Any]


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

    @cached_property
    def rising(self) -> bool:
        """Whether every run is of a later trace than the one before, as ids in files are."""
        steps = np.diff(self.keys, axis=0)
        later = steps[:, -1] > 0
        for column in range(steps.shape[1] - 2, -1, -1):
            later = (steps[:, column] > 0) | ((steps[:, column] == 0) & later)
        return bool(later.all())

    @cached_property
    def n_used(self) -> int:
        """Used rows of the block."""
        return int(self.lengths.sum())


@dataclass(frozen=True)
class BlockTraces:
    """To which traces the runs of one block belong, and what of these lies elsewhere.

    Attributes
    ----------
    n_runs
        Runs of the block.
    first
        Number of the trace of the first run.
    numbers
        Trace of each run, shape (run,); None where they rise by one from ``first``, which says the
        same in no room.
    shared
        Runs whose trace has rows in other runs, here or in other blocks, shape (shared run,).
    before, total
        Rows of their traces in earlier runs, and in all; shape (shared run,).
    """

    n_runs: int
    first: int
    numbers: Array | None
    shared: Array
    before: Array
    total: Array

    def traces(self) -> Array:
        """Return the trace of each run, shape (run,), int64."""
        if self.numbers is not None:
            return self.numbers
        return np.arange(self.first, self.first + self.n_runs)


@dataclass(frozen=True)
class RunIndex:
    """The runs of all blocks, in order."""

    blocks: tuple[BlockRuns, ...]

    @cached_property
    def n_traces(self) -> int:
        """Number of traces, counting one that comes back after another as one."""
        if self._rising:
            owned = (len(block.keys) - leads for block, (leads, _) in self._with_leads())
            return sum(owned)
        return len(np.unique(self.runs().keys, axis=0))

    def grouped(self, groups: Sequence[tuple[int, int]]) -> RunIndex:
        """Return the index of the same rows in blocks that join ranges of these."""
        return RunIndex(tuple(_join_blocks(self.blocks[start:stop]) for start, stop in groups))

    @cached_property
    def places(self) -> tuple[BlockTraces, ...]:
        """For each block the traces of its runs, numbered in the order in which they begin."""
        return self._places_of_rising() if self._rising else self._places_of_any()

    @cached_property
    def _rising(self) -> bool:
        """Whether the traces of all rows rise, so that none comes back after another."""
        ends = [block.keys[[0, -1]].tolist() for block in self.blocks if len(block.keys)]
        borders = all(one[1] <= other[0] for one, other in pairwise(ends))
        return borders and all(block.rising for block in self.blocks)

    def _with_leads(self) -> Iterator[tuple[BlockRuns, tuple[bool, int]]]:
        return zip(self.blocks, self.continuing(), strict=True)

    def _places_of_rising(self) -> tuple[BlockTraces, ...]:
        """Return the places where only the traces at the borders of blocks can be shared."""
        firsts, number = [], 0
        runs: Counter[int] = Counter()
        rows: Counter[int] = Counter()
        for block, (leads, _) in self._with_leads():
            firsts.append(number - int(leads))
            for run in {0, len(block.keys) - 1} if len(block.keys) else ():
                runs[firsts[-1] + run] += 1
                rows[firsts[-1] + run] += int(block.lengths[run])
            number = firsts[-1] + len(block.keys)
        found = []
        for first, (block, (leads, before)) in zip(firsts, self._with_leads(), strict=True):
            n_runs = len(block.keys)
            ends = sorted({0, n_runs - 1}) if n_runs else []
            shared = [run for run in ends if runs[first + run] > 1]
            earlier = [before if leads and run == 0 else 0 for run in shared]
            total = [rows[first + run] for run in shared]
            columns = (np.array(part, np.int64) for part in (shared, earlier, total))
            found.append(BlockTraces(n_runs, first, None, *columns))
        return tuple(found)

    def _places_of_any(self) -> tuple[BlockTraces, ...]:
        keys = np.concatenate([block.keys for block in self.blocks])
        lengths = np.concatenate([block.lengths for block in self.blocks])
        numbers = _numbered(keys, self.n_traces)
        shared = np.flatnonzero(np.bincount(numbers, minlength=1)[numbers] > 1)
        total = _sums(numbers, lengths)[numbers[shared]]
        before = _before(numbers[shared], lengths[shared])
        stops = np.cumsum([len(block.keys) for block in self.blocks]).tolist()
        found = []
        for block, stop in zip(self.blocks, stops, strict=True):
            start = stop - len(block.keys)
            low, high = np.searchsorted(shared, (start, stop))
            own = (part[low:high] for part in (shared - start, before, total))
            found.append(_block_traces(numbers[start:stop], *own))
        return tuple(found)

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


def _index_block(selected: Array, used: Array, *keys: Array) -> Array:
    own = used_only(used, keys)
    starts = starts_of(own)
    lengths = np.diff(np.append(starts, len(own[0])))
    out = np.empty(1, object)
    out[0] = BlockRuns(int(np.count_nonzero(selected)), keys_at(own, starts), lengths)
    return out


def used_only(used: Array, columns: Sequence[Array]) -> list[Array]:
    """Return the used rows of every column, without a copy where all are used."""
    return list(columns) if used.all() else [column[used] for column in columns]


def starts_of(keys: Sequence[Array]) -> Array:
    """Return the rows at which any of the keys changes."""
    starts = [run_starts(key) for key in keys]
    return starts[0] if len(starts) == 1 else np.unique(np.concatenate(starts))


def keys_at(keys: Sequence[Array], rows: Array) -> Array:
    """Return the keys at some rows side by side, shape (row, key column), int64."""
    return np.stack([key[rows].astype(np.int64) for key in keys], axis=1)


def _block_traces(numbers: Array, shared: Array, before: Array, total: Array) -> BlockTraces:
    first = int(numbers[0]) if len(numbers) else 0
    rising = bool((np.diff(numbers) == 1).all())
    kept = None if rising else numbers.copy()
    return BlockTraces(len(numbers), first, kept, shared, before, total)


def _numbered(keys: Array, n_traces: int) -> Array:
    """Return for each run the number of its trace, counted in the order in which they begin."""
    changes = (keys[1:] != keys[:-1]).any(axis=1)
    joined = np.concatenate([[0], np.cumsum(changes)])[: len(keys)]
    if not len(keys) or joined[-1] + 1 == n_traces:
        return joined.astype(np.int64)
    order = np.lexsort(keys.T[::-1])
    new = np.append(True, (keys[order][1:] != keys[order][:-1]).any(axis=1))
    # the sort is stable, so the first of each group is the run that begins the trace
    group = np.empty(len(keys), np.int64)
    group[order] = np.cumsum(new) - 1
    rank = np.empty(n_traces, np.int64)
    rank[np.argsort(order[new])] = np.arange(n_traces)
    return rank[group]


def _sums(numbers: Array, lengths: Array) -> Array:
    found = np.zeros(int(numbers.max(initial=-1)) + 1, np.int64)
    np.add.at(found, numbers, lengths)
    return found


def _before(numbers: Array, lengths: Array) -> Array:
    """Return for each run how many rows the earlier runs of its trace have."""
    order = np.argsort(numbers, kind="stable")
    sums = np.cumsum(lengths[order]) - lengths[order]
    firsts = np.append(True, np.diff(numbers[order]) != 0)[: len(order)]
    sums -= np.repeat(sums[firsts], np.diff(np.append(np.flatnonzero(firsts), len(order))))
    found = np.empty(len(order), np.int64)
    found[order] = sums
    return found


def _join_blocks(blocks: Sequence[BlockRuns]) -> BlockRuns:
    keys = np.concatenate([block.keys for block in blocks])
    lengths = np.concatenate([block.lengths for block in blocks])
    starts = starts_of(list(keys.T))
    summed = np.add.reduceat(lengths, starts) if len(starts) else lengths
    return BlockRuns(sum(block.n_selected for block in blocks), keys[starts], summed)
