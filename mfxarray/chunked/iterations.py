"""Iterations of localizations in blocks: which were executed, which are repeated, their sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from mfxarray.chunked.blocks import KEPT, graph_array, reread
from mfxarray.chunked.plan import common_rows
from mfxarray.errors import DataError

__all__ = ["repeated_iterations", "sum_chosen", "sum_last", "sum_repeated"]

Array = np.ndarray[Any, Any]


def sum_last(counts: da.Array, position: da.Array) -> da.Array:
    """Return the counts of the last executed iteration of each row, 0 where none was.

    Parameters
    ----------
    counts
        Shape (row, iteration), integer.
    position
        Shape (row, iteration, axis); finite where the iteration was executed.

    Returns
    -------
    dask.array.Array
        Shape (row,), int64.
    """
    return _row_sums(_last_of, counts, position)


def sum_chosen(counts: da.Array, position: da.Array, chosen: Sequence[bool]) -> da.Array:
    """Return the counts of the chosen iterations as far as they were executed; see `sum_last`.

    Parameters
    ----------
    counts, position
        As for `sum_last`.
    chosen
        For every iteration whether it counts.
    """
    return _row_sums(partial(_chosen_of, chosen=tuple(chosen)), counts, position)


def sum_repeated(
    counts: da.Array, position: da.Array, valid: da.Array | None, keys: Sequence[da.Array]
) -> da.Array:
    """Return the counts of the repeated iterations, which the data themselves tell.

    Parameters
    ----------
    counts, position
        As for `sum_last`.
    valid, keys
        As for `repeated_iterations`.

    Notes
    -----
    Reads the rows twice: which iterations are repeated is known after all rows were seen, and
    blocks are not kept in memory until then.
    """
    chosen = repeated_iterations(position, valid, keys)
    again = (reread(array, "photons") for array in (counts, position))
    return _row_sums(_repeated_of, *again, chosen)


def repeated_iterations(
    position: da.Array, valid: da.Array | None, keys: Sequence[da.Array]
) -> da.Array:
    """Return for every iteration whether later localizations of a trace execute it, shape (K,).

    Parameters
    ----------
    position
        Shape (row, iteration, axis); finite where the iteration was executed.
    valid
        Rows that may tell, shape (row,), bool; all if None.
    keys
        What names a trace, each of shape (row,).

    Notes
    -----
    A row tells where it and the row before are valid, complete and of the same trace: what follows
    an aborted localization may be a new start of the whole sequence. One pass; a block gives two
    rows and a mask, so the border between two blocks counts like any other place. Computing fails
    with DataError if there are rows but none tells.
    """
    masks = [valid] if valid is not None else []
    rows = common_rows([array.chunks[0] for array in (position, *masks, *keys)])
    name = f"{KEPT}repeated-{tokenize(position, valid, *keys)}"
    blocks = {}
    for block in range(len(rows)):
        mask = (masks[0].name, block) if masks else None
        names = [(key.name, block) for key in keys]
        blocks[(f"{name}-ends", block)] = (_ends_of, (position.name, block, 0, 0), mask, names)
    count = position.shape[1]
    join = partial(_join_ends, n_iterations=count)
    tasks = {**blocks, (name, 0): (join, list(blocks))}
    return graph_array(name, tasks, (position, *masks, *keys), ((count,),), bool)


@dataclass(frozen=True)
class _Row:
    """A row at the end of a block: its trace, whether it may tell, what was executed."""

    keys: tuple[int, ...]
    usable: bool
    executed: Array


@dataclass(frozen=True)
class _Ends:
    """What a block tells: the iterations repeated within, how many rows tell, its end rows."""

    repeated: Array
    n_telling: int
    first: _Row
    last: _Row


def _ends_of(position: Array, valid: Array | None, keys: list[Array]) -> _Ends | None:
    executed = _executed(position)
    if not len(executed):
        return None
    usable = executed[:, -1] if valid is None else executed[:, -1] & valid
    telling = usable[1:] & usable[:-1]
    for key in keys:
        telling = telling & (key[1:] == key[:-1])

    def row(place: int) -> _Row:
        names = tuple(int(key[place]) for key in keys)
        return _Row(names, bool(usable[place]), executed[place].copy())

    repeated = np.asarray(executed[1:][telling].any(axis=0))
    return _Ends(repeated, int(np.count_nonzero(telling)), row(0), row(-1))


def _join_ends(blocks: list[_Ends | None], *, n_iterations: int) -> Array:
    found = [block for block in blocks if block is not None]
    repeated = np.zeros(n_iterations, bool)
    telling = 0
    for block in found:
        repeated |= block.repeated
        telling += block.n_telling
    for before, after in pairwise(found):
        last, first = before.last, after.first
        if last.usable and first.usable and last.keys == first.keys:
            repeated |= first.executed
            telling += 1
    if found and not telling:
        raise DataError(
            "no trace has two complete localizations one after the other, so the data do not tell "
            "which iterations are repeated",
            hint="Give the sequence (sequence=...) or the iterations (iterations=(...)).",
        )
    return repeated


def _row_sums(function: Any, counts: da.Array, position: da.Array, *more: da.Array) -> da.Array:
    common_rows([counts.chunks[0], position.chunks[0]])
    arguments: list[Any] = [counts, "rk", position, "rka"]
    for array in more:
        arguments += [array, "k"]
    return da.blockwise(
        function,
        "r",
        *arguments,
        align_arrays=False,
        dtype=np.int64,
        meta=np.empty(0, np.int64),
    )


# dask hands over the blocks along the lost axes as lists, here of one; joining would copy them


def _last_of(counts: list[Array], position: list[list[Array]]) -> Array:
    executed = _executed(position[0][0])
    last = executed.shape[1] - 1 - executed[:, ::-1].argmax(axis=1)
    found = np.take_along_axis(counts[0], last[:, np.newaxis], axis=1)[:, 0]
    return np.where(executed.any(axis=1), found, 0).astype(np.int64)


def _chosen_of(
    counts: list[Array], position: list[list[Array]], *, chosen: tuple[bool, ...]
) -> Array:
    return _sum(counts[0], position[0][0], np.array(chosen, bool))


def _repeated_of(counts: list[Array], position: list[list[Array]], chosen: list[Array]) -> Array:
    return _sum(counts[0], position[0][0], chosen[0])


def _sum(counts: Array, position: Array, chosen: Array) -> Array:
    taken = _executed(position[:, chosen])
    return np.asarray(np.sum(counts[:, chosen], axis=1, dtype=np.int64, where=taken))


def _executed(position: Array) -> Array:
    return np.asarray(np.isfinite(position).all(axis=-1))
