"""Points by place, out of core: strips across the field, each with a margin of its neighbours.

Whatever a point gets from its neighbours within a distance can be found strip by strip, if a strip
also sees the points that lie so far beyond its edges. The edges are quantiles of the longest axis,
found on the way, so that strips hold about equally many points. Results do not depend on them.
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
from mfxarray.chunked.cutting import Cut, Strip, cut_strips, points_between
from mfxarray.chunked.scratch import Scratch, Sorted, gather, keep_sorted

__all__ = [
    "Cut",
    "Keep",
    "Strip",
    "cut_strips",
    "keep_rows",
    "points_between",
    "rows_from_strips",
    "sum_over_strips",
    "values_by_strips",
]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Keep:
    """Where values of rows wait, their dtype, and the length of their second axis."""

    scratch: Scratch | None
    dtype: Any
    width: int | None = None


def keep_rows(found: tuple[Array, Array] | Sorted, name: str, *, how: Keep) -> Sorted:
    """Keep values with their rows, ascending, until the blocks of a result ask for them.

    Parameters
    ----------
    found
        Rows and values; what is kept already is given back.
    name
        Of the file.
    how
        Where and as what.
    """
    if not isinstance(found, tuple):
        return found
    rows, values = found
    tail = () if how.width is None else (how.width,)
    records = np.empty(len(rows), np.dtype([("row", np.int64), ("value", how.dtype, tail)]))
    records["row"], records["value"] = rows, values
    return keep_sorted(records, "row", how.scratch, name)


def values_by_strips(
    work: Callable[[Strip], Array], cut: Cut, *, dtype: Any, fill: Any, width: int | None = None
) -> da.Array:
    """Return what ``work`` finds for the own points of each strip, in the order of the data.

    Parameters
    ----------
    work
        Takes a strip to values of its own points, shape (own,) or (own, width).
    cut
        Result of `cut_strips`.
    dtype, fill
        Of the result; rows that are not used get ``fill``.
    width
        Length of the second axis, None for none.
    """
    token = tokenize(work, cut.name, dtype, width)
    name, tasks = f"by-strips-{token}", dict(cut.tasks)
    found = [(partial(_own_values, work=work), cut.tasks[key]) for key in cut.keys]
    return rows_from_strips(name, cut, tasks, found, take=None, dtype=dtype, fill=fill, width=width)


def rows_from_strips(
    name: str,
    cut: Cut,
    tasks: dict[Any, Any],
    found: Sequence[Any],
    *,
    dtype: Any,
    fill: Any,
    width: int | None = None,
    take: tuple[Callable[..., Array], Any] | None = None,
    found_dtype: Any = None,
    found_width: int | None = None,
) -> da.Array:
    """Return values that strips found, along the rows of the data.

    Parameters
    ----------
    name
        Of the result.
    cut
        Where the strips come from.
    tasks
        The graph so far; what is needed here is added.
    found
        Keys or tasks that give ``(rows, values)`` each, rows ascending, or what `keep_rows` made of
        them; every used row is in one of them. Tasks, with that of a strip inside, keep strips and
        values from waiting in the memory of a worker.
    dtype, fill, width
        Of the result, see `values_by_strips`.
    take
        A last step that waits for all strips: a function of the values of a block and of the
        result of a key, and that key.
    found_dtype, found_width
        Of the values that strips found, where ``take`` changes them.
    """
    tail = () if width is None else (width,)
    kept_width = width if found_width is None else found_width
    keep = partial(keep_rows, how=Keep(cut.scratch, found_dtype or dtype, kept_width))
    for strip, key in enumerate(found):
        tasks[f"{name}-kept-{strip}"] = (keep, key, f"{name}-{strip}.bin")
    tasks[f"{name}-kept"] = (list, [f"{name}-kept-{strip}" for strip in range(len(found))])
    stop = 0
    for block, length in enumerate(cut.chunks):
        start, stop = stop, stop + length
        put = partial(
            _rows_of_block,
            start=start,
            stop=stop,
            tail=tail,
            dtype=np.dtype(dtype),
            fill=fill,
            take=None if take is None else take[0],
        )
        last = None if take is None else take[1]
        tasks[(name, block, *(0 for _ in tail))] = (put, f"{name}-kept", last)
    chunks = (cut.chunks, *((size,) for size in tail))
    return graph_array(name, tasks, cut.inputs, chunks, dtype)


def sum_over_strips(
    work: Callable[[Strip], Array], cut: Cut, *, shape: tuple[int, ...], dtype: Any
) -> da.Array:
    """Return the sum of what ``work`` finds in each strip, added in the order of the strips.

    Notes
    -----
    Only sums of integers do not depend on how many strips there are.
    """
    name, tasks = f"strip-sum-{tokenize(work, cut.name, shape, dtype)}", dict(cut.tasks)
    before: Any = None
    for strip, key in enumerate(cut.keys):
        last = strip == len(cut.keys) - 1
        own = (name, *(0 for _ in shape)) if last else f"{name}-{strip}"
        tasks[f"{name}-work-{strip}"] = (work, cut.tasks[key])
        tasks[own] = (_add, before, f"{name}-work-{strip}", shape, np.dtype(dtype))
        before = own
    return graph_array(name, tasks, cut.inputs, tuple((size,) for size in shape), dtype)


def _add(total: Array | None, part: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    found = np.asarray(part, dtype).reshape(shape)
    return found if total is None else total + found


def _own_values(strip: Strip, *, work: Callable[[Strip], Array]) -> tuple[Array, Array]:
    return strip.rows[strip.own], work(strip)


def _rows_of_block(
    kept: list[Sorted],
    last: Any,
    *,
    start: int,
    stop: int,
    tail: tuple[int, ...],
    dtype: np.dtype[Any],
    fill: Any,
    take: Callable[..., Array] | None,
) -> Array:
    records = gather(kept, start, stop)
    values = records["value"] if take is None else take(records["value"], last)
    out = np.full((stop - start, *tail), fill, dtype)
    out[records["row"] - start] = values
    return out
