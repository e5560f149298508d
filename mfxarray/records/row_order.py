"""The order of records in which every trace is in one piece, for files that interleave traces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from mfxarray.errors import PlanError
from mfxarray.formats.tables import Table
from mfxarray.kernels.record_numbers import RecordKeys
from mfxarray.records.record_keys import Fetch, row_pieces

__all__ = ["ORDER_CAP", "RUNS_CAP", "fetch_ordered", "is_interleaved", "sorted_rows"]

Array = np.ndarray[Any, Any]
Blocks = Iterable[tuple[int, RecordKeys]]

# 64 MiB to keep, some 0.5 GB to build
ORDER_CAP = 2**23
# 128 MiB
RUNS_CAP = 2**24
_PART = 2**16
# reading on is cheaper than another read below this
_GAP_BYTES = 2**16


def is_interleaved(blocks: Blocks, n_runs: int, path: object = None) -> bool:
    """Tell whether a trace of a single thread comes back after another one.

    Parameters
    ----------
    blocks
        First row and keys of each block.
    n_runs
        Number of runs of kept records with equal trace numbers.
    path
        The file, for messages.

    Raises
    ------
    PlanError
        If there are more than `RUNS_CAP` runs.
    """
    if n_runs > RUNS_CAP:
        raise _too_large(f"{n_runs} runs of unsorted traces", RUNS_CAP, path)
    tids = np.empty(n_runs, np.int64)
    done = 0
    last: int | None = None
    for _, keys in blocks:
        tid = keys.tid[keys.keep]
        begins = np.ones(len(tid), np.bool_)
        begins[1:] = tid[1:] != tid[:-1]
        if len(tid):
            begins[0] = last is None or int(tid[0]) != last
            last = int(tid[-1])
        found = tid[begins]
        tids[done : done + len(found)] = found
        done += len(found)
    tids.sort()
    return bool(np.any(tids[1:] == tids[:-1]))


def sorted_rows(
    blocks: Blocks, n_kept: int, path: object = None
) -> tuple[Array, Iterator[tuple[int, RecordKeys]]]:
    """Return the rows of the view sorted stably by thread and trace, and their keys in that order.

    Parameters
    ----------
    blocks
        First row and keys of each block.
    n_kept
        Number of records of the view.
    path
        The file, for messages.

    Returns
    -------
    order : ndarray
        Row numbers, shape (n_kept,), int64.
    keys : iterator
        Place in the order and keys, part by part.

    Raises
    ------
    PlanError
        If there are more than `ORDER_CAP` records in the view.
    """
    if n_kept > ORDER_CAP:
        raise _too_large(f"{n_kept} records of interleaved traces", ORDER_CAP, path)
    rows: list[Array] = []
    parts: list[RecordKeys] = []
    for start, keys in blocks:
        kept = np.flatnonzero(keys.keep)
        rows.append(kept + start)
        parts.append(keys.take(kept))
    keys = _joined(parts)
    # lexsort is stable, its last key is the first one that counts
    places = np.lexsort((keys.tid, keys.thi))
    order = np.concatenate(rows)[places].astype(np.int64)
    return order, _in_order(keys, places)


def fetch_ordered(table: Table, rows: Array) -> Fetch:
    """Return access to the fields of records in any order.

    Notes
    -----
    Reads ranges of at most 8 MB, and none of the records between two that lie far apart. Of a
    table that is not columnar the wanted records are kept.
    """
    ascending = np.argsort(rows, kind="stable")
    back = np.empty_like(ascending)
    back[ascending] = np.arange(len(rows))
    wanted = rows[ascending]

    def column(name: str) -> Array:
        parts = [
            table.column((name,), start, stop)[inside]
            for start, stop, inside in _ranges(table, wanted)
        ]
        return np.concatenate(parts)[back]

    if table.columnar:
        return column
    parts = [table.read(start, stop)[inside] for start, stop, inside in _ranges(table, wanted)]
    records = np.concatenate(parts)[back]
    return lambda name: records[name]


def _ranges(table: Table, wanted: Array) -> Iterator[tuple[int, int, Array]]:
    """Yield ranges to read and the places in them of the wanted rows, which ascend."""
    gap = max(table.grain, _GAP_BYTES // max(table.dtype.itemsize, 1))
    borders = np.flatnonzero(np.diff(wanted) > gap) + 1
    for group in np.split(wanted, borders):
        for start, stop in row_pieces(table, int(group[0]), int(group[-1]) + 1):
            low, high = np.searchsorted(group, (start, stop)).tolist()
            if low < high:
                first, end = int(group[low]), int(group[high - 1]) + 1
                yield first, end, group[low:high] - first


def _in_order(keys: RecordKeys, places: Array) -> Iterator[tuple[int, RecordKeys]]:
    for start in range(0, len(places), _PART):
        yield start, keys.take(places[start : start + _PART])


def _joined(parts: list[RecordKeys]) -> RecordKeys:
    names = ("keep", "vld", "tid", "thi", "sqi", "itr", "fnl")
    return RecordKeys(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _too_large(found: str, cap: int, path: object) -> PlanError:
    where = "" if path is None else f"{path}: "
    return PlanError(
        f"{where}{found} cannot be brought in order in memory, at most {cap} can. "
        "Open it with records=True for the records as they are."
    )
