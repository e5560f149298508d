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

from mfxarray.chunked.blocks import graph_array, reread
from mfxarray.chunked.scratch import Scratch, Sorted, gather, keep_sorted
from mfxarray.options import get_options

__all__ = ["Cut", "Strip", "cut_strips", "rows_from_strips", "sum_over_strips", "values_by_strips"]

Array = np.ndarray[Any, Any]

# points of a strip: large enough for a kernel, small enough for several at work
_STRIP_ROWS = 500_000
# more than this waits in files
_IN_MEMORY = 128 * 2**20


@dataclass(frozen=True)
class Strip:
    """The points of a strip and of its margin, in the order of their rows.

    Attributes
    ----------
    points
        Positions, shape (point, axis).
    rows
        Their rows in the data, ascending, shape (point,).
    own
        Which lie in the strip itself; the others are its margin.
    columns
        What else travels with the points, one array (point,) each.
    low, high
        Edges along ``axis``; the first and the last strip reach to infinity.
    axis
        The axis that is cut.
    """

    points: Array
    rows: Array
    own: Array
    columns: tuple[Array, ...]
    low: float
    high: float
    axis: int


@dataclass(frozen=True)
class Cut:
    """A graph that cuts points into strips: ``keys`` give one `Strip` each."""

    name: str
    keys: list[Any]
    tasks: dict[Any, Any]
    inputs: tuple[da.Array, ...]
    chunks: tuple[int, ...]
    scratch: Scratch | None


def cut_strips(
    used: da.Array,
    position: da.Array,
    columns: Sequence[da.Array] = (),
    *,
    halo: float,
    strips: int | None = None,
    disk: bool | None = None,
) -> Cut:
    """Return the graph that brings the used points into strips.

    Parameters
    ----------
    used
        Shape (row,), bool.
    position
        Shape (row, axis), whole along the axes, chunked as ``used``; finite where used.
    columns
        Shape (row,) each, chunked alike.
    halo
        Width of the margin, in the unit of the positions; a point this far away is within it.
    strips
        How many; by default one for half a million rows.
    disk
        Whether points wait in files; by default if they are more than 128 MiB.

    Notes
    -----
    Two passes over positions: one for their extent, one that sorts every chunk. In memory are the
    chunks at work and the strips at work; without files also all points.
    """
    rows = used.chunks[0]
    number = strips or max(1, -(-sum(rows) // _STRIP_ROWS))
    name = f"strips-{tokenize(used, position, *columns, halo, number)}"
    dtype = _record_dtype(position, columns)
    in_files = sum(rows) * dtype.itemsize > _IN_MEMORY if disk is None else disk
    scratch = Scratch(get_options().scratch_folder) if in_files else None
    # sorting waits for the extent of all points, so it reads again
    again = [reread(array, "by-place") for array in (used, position, *columns)]
    blocks, firsts = range(len(rows)), np.cumsum((0, *rows)).tolist()
    tasks: dict[Any, Any] = {}
    for block in blocks:
        tasks[f"{name}-extent-{block}"] = (_extent, _key(used, block), _key(position, block))
        sort = partial(_sorted_part, dtype=dtype, first=firsts[block], scratch=scratch)
        parts = [_key(array, block) for array in again]
        tasks[f"{name}-part-{block}"] = (sort, f"{name}-axis", parts, f"{name}-{block}.bin")
    tasks[f"{name}-axis"] = (_longest, [f"{name}-extent-{block}" for block in blocks])
    tasks[f"{name}-parts"] = (list, [f"{name}-part-{block}" for block in blocks])
    tasks[f"{name}-edges"] = (_edges, f"{name}-parts", number)
    needs = (f"{name}-parts", f"{name}-edges", f"{name}-axis")
    keys: list[Any] = [(name, strip) for strip in range(number)]
    for strip, key in enumerate(keys):
        tasks[key] = (partial(_strip, number=strip, halo=halo), *needs)
    return Cut(name, keys, tasks, (used, position, *again), rows, scratch)


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
    found = [f"{name}-strip-{strip}" for strip in range(len(cut.keys))]
    for strip, key in enumerate(cut.keys):
        tasks[found[strip]] = (partial(_own_values, work=work), key)
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
        Keys that give ``(rows, values)`` each, rows ascending; every used row is in one of them.
    dtype, fill, width
        Of the result, see `values_by_strips`.
    take
        A last step that waits for all strips: a function of the values of a block and of the
        result of a key, and that key.
    found_dtype, found_width
        Of the values that strips found, where ``take`` changes them.
    """
    tail = () if width is None else (width,)
    kept_tail = tail if found_width is None else (found_width,)
    record = np.dtype([("row", np.int64), ("value", found_dtype or dtype, kept_tail)])
    for strip, key in enumerate(found):
        keep = partial(_by_row, dtype=record, scratch=cut.scratch)
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
        tasks[f"{name}-work-{strip}"] = (work, key)
        tasks[own] = (_add, before, f"{name}-work-{strip}", shape, np.dtype(dtype))
        before = own
    return graph_array(name, tasks, cut.inputs, tuple((size,) for size in shape), dtype)


def _add(total: Array | None, part: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    found = np.asarray(part, dtype).reshape(shape)
    return found if total is None else total + found


def _key(array: da.Array, block: int) -> tuple[Any, ...]:
    return (array.name, block, *(0 for _ in array.shape[1:]))


def _record_dtype(position: da.Array, columns: Sequence[da.Array]) -> np.dtype[Any]:
    places = [(f"p{axis}", np.float64) for axis in range(position.shape[1])]
    more = [(f"c{number}", column.dtype) for number, column in enumerate(columns)]
    return np.dtype([*places, ("row", np.int64), *more])


def _extent(used: Array, position: Array) -> Array:
    """Return lowest and highest position of a chunk, shape (2, axis); infinite where none is."""
    known = position[used]
    axes = position.shape[1]
    low, high = np.full(axes, np.inf), np.full(axes, -np.inf)
    return np.stack(
        [known.min(axis=0, initial=np.inf), known.max(axis=0, initial=-np.inf)]
        if len(known)
        else [low, high]
    )


def _longest(extents: list[Array]) -> int:
    low = np.min([extent[0] for extent in extents], axis=0)
    high = np.max([extent[1] for extent in extents], axis=0)
    return int(np.argmax(np.where(high >= low, high - low, 0.0)))


def _sorted_part(
    axis: int,
    parts: list[Array],
    name: str,
    *,
    dtype: np.dtype[Any],
    first: int,
    scratch: Scratch | None,
) -> Sorted:
    """Keep the used points of a chunk, sorted along the axis that is cut."""
    used, position, *columns = parts
    rows = np.flatnonzero(used)
    order = np.argsort(position[rows, axis], kind="stable")
    rows = rows[order]
    records = np.empty(len(rows), dtype)
    for number in range(position.shape[1]):
        records[f"p{number}"] = position[rows, number]
    records["row"] = rows + first
    for number, column in enumerate(columns):
        records[f"c{number}"] = column[rows]
    return keep_sorted(records, f"p{axis}", scratch, name)


def _edges(parts: list[Sorted], number: int) -> Array:
    """Return the edges of strips that hold about equally many points, from -inf to inf."""
    marks = np.sort(np.concatenate([part.marks for part in parts]))
    edges = np.full(number + 1, np.inf)
    edges[0] = -np.inf
    if len(marks):
        edges[1:-1] = marks[(len(marks) * np.arange(1, number)) // number]
    return edges


def _strip(parts: list[Sorted], edges: Array, axis: int, *, number: int, halo: float) -> Strip:
    low, high = float(edges[number]), float(edges[number + 1])
    largest = max((abs(edge) for edge in (low, high) if np.isfinite(edge)), default=0.0)
    # a distance that rounds to the halo must not be missed
    margin = halo * (1 + 1e-9) + 8 * np.spacing(largest)
    records = gather(parts, low - margin, high + margin)
    records = records[np.argsort(records["row"])]
    places = [name for name in records.dtype.names or () if name.startswith("p")]
    points = np.stack([records[name] for name in places], axis=1)
    key = points[:, axis]
    own = (key >= low) & (key < high)
    columns = tuple(
        np.ascontiguousarray(records[name])
        for name in records.dtype.names or ()
        if name.startswith("c")
    )
    rows = np.ascontiguousarray(records["row"])
    return Strip(points, rows, own, columns, low, high, axis)


def _own_values(strip: Strip, *, work: Callable[[Strip], Array]) -> tuple[Array, Array]:
    return strip.rows[strip.own], work(strip)


def _by_row(found: tuple[Array, Array], name: str, *, dtype: Any, scratch: Any) -> Sorted:
    rows, values = found
    records = np.empty(len(rows), dtype)
    records["row"], records["value"] = rows, values
    return keep_sorted(records, "row", scratch, name)


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
