"""Points brought together by their group out of core: each group is seen whole, in row order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from dask.base import compute
from dask.delayed import delayed

from mfxarray.chunked.blocks import reread
from mfxarray.chunked.scratch import Scratch, Sorted, gather, keep_sorted
from mfxarray.kernels.clusters.digit_sort import sorted_order
from mfxarray.options import get_options

__all__ = ["by_group"]

Array = np.ndarray[Any, Any]

# points of a part: a group is never cut
_PART_ROWS = 500_000
_IN_MEMORY = 128 * 2**20
_LAST = np.iinfo(np.int64).max


def by_group(
    group: da.Array,
    columns: Sequence[da.Array],
    work: Callable[..., Any],
    *,
    parts: int | None = None,
    disk: bool | None = None,
) -> list[Any]:
    """Return what ``work`` finds in each part of the groups, computed.

    Parameters
    ----------
    group
        Shape (row,), int64; rows below 0 are in none.
    columns
        What belongs to the rows, shape (row, ...) each, chunked alike along the rows.
    work
        Takes groups (ascending), rows (ascending in each group) and the columns of a part.
    parts
        How many; by default one for half a million rows.
    disk
        Whether rows wait in files; by default if they are more than 128 MiB.

    Notes
    -----
    In memory are the parts at work; without files also all rows.
    """
    rows = group.chunks[0]
    number = parts or max(1, -(-sum(rows) // _PART_ROWS))
    again = [reread(column, "by-group") for column in columns]
    dtype = np.dtype(
        [("group", np.int64), ("row", np.int64)]
        + [(f"c{place}", one.dtype, one.shape[1:]) for place, one in enumerate(columns)]
    )
    in_files = sum(rows) * dtype.itemsize > _IN_MEMORY if disk is None else disk
    scratch = Scratch(get_options().scratch_folder) if in_files else None
    firsts = np.cumsum((0, *rows)).tolist()
    blocks = [one.to_delayed(optimize_graph=False).reshape(len(rows)) for one in (group, *again)]
    kept = []
    for place, block in enumerate(zip(*blocks, strict=True)):
        keep = partial(_kept, dtype=dtype, first=firsts[place], scratch=scratch)
        kept.append(delayed(keep, pure=False)(list(block), f"{place}.bin"))
    edges = delayed(_edges)(kept, number)
    run = delayed(partial(_part, work=work))
    return list(compute(*(run(kept, edges, part) for part in range(number))))


def _kept(
    block: list[Array], name: str, *, dtype: np.dtype[Any], first: int, scratch: Scratch | None
) -> Sorted:
    group, *columns = block
    rows = np.flatnonzero(group >= 0)
    rows = rows[sorted_order(group[rows])]
    records = np.empty(len(rows), dtype)
    records["group"], records["row"] = group[rows], rows + first
    for place, column in enumerate(columns):
        records[f"c{place}"] = column[rows]
    return keep_sorted(records, "group", scratch, name)


def _edges(kept: list[Sorted], number: int) -> Array:
    marks = np.sort(np.concatenate([part.marks for part in kept]))
    edges = np.full(number + 1, _LAST)
    edges[0] = 0
    if len(marks):
        edges[1:-1] = marks[(len(marks) * np.arange(1, number)) // number]
    return edges


def _part(kept: list[Sorted], edges: Array, part: int, *, work: Callable[..., Any]) -> Any:
    records = gather(kept, edges[part], edges[part + 1])
    # parts follow each other in the order of rows, so equal groups stay in it
    records = records[sorted_order(records["group"])]
    columns = [records[name] for name in (records.dtype.names or ())[2:]]
    return work(records["group"], records["row"], *columns)
