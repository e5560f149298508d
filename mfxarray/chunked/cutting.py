"""Points cut into strips across the field, out of core, each with a margin of its neighbours.

What to do with strips is in `mfxarray.chunked.strips`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from mfxarray.chunked.blocks import reread
from mfxarray.chunked.scratch import Scratch, Sorted, gather, keep_sorted
from mfxarray.kernels.clusters.digit_sort import sorted_order, sorted_places
from mfxarray.options import get_options

__all__ = ["Cut", "Strip", "cut_strips", "points_between"]

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
    """A graph that cuts points into strips: ``keys`` give one `Strip` each.

    The key ``parts`` gives all points sorted along the axis that the key ``axis`` gives, in parts
    for `points_between`, and the key ``edges`` the edges of the strips.
    """

    name: str
    keys: list[Any]
    tasks: dict[Any, Any]
    inputs: tuple[da.Array, ...]
    chunks: tuple[int, ...]
    scratch: Scratch | None

    @property
    def parts(self) -> str:
        """Return the key of the sorted points."""
        return f"{self.name}-parts"

    @property
    def axis(self) -> str:
        """Return the key of the axis that is cut."""
        return f"{self.name}-axis"

    @property
    def edges(self) -> str:
        """Return the key of the edges, from -inf to inf, shape (strip + 1,)."""
        return f"{self.name}-edges"


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


def _key(array: da.Array, block: int) -> tuple[Any, ...]:
    return (array.name, block, *(0 for _ in array.shape[1:]))


def _record_dtype(position: da.Array, columns: Sequence[da.Array]) -> np.dtype[Any]:
    places = [(f"p{axis}", np.float64) for axis in range(position.shape[1])]
    more = [(f"c{number}", column.dtype) for number, column in enumerate(columns)]
    return np.dtype([*places, ("row", np.int64), *more])


def _extent(used: Array, position: Array) -> Array:
    """Return lowest and highest position of a chunk, shape (2, axis); infinite where none is."""
    known = position if used.all() else position[used]
    # numpy is slow along the first of two axes
    return np.array(
        [
            [known[:, axis].min(initial=np.inf) for axis in range(known.shape[1])],
            [known[:, axis].max(initial=-np.inf) for axis in range(known.shape[1])],
        ]
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
    known = position[:, axis] if len(rows) == len(used) else position[rows, axis]
    rows = rows[sorted_places(known)]
    records = np.empty(len(rows), dtype)
    places = position.take(rows, axis=0)
    for number in range(position.shape[1]):
        records[f"p{number}"] = places[:, number]
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
    strip = points_between(parts, axis, low - margin, high + margin)
    key = strip.points[:, axis]
    return replace(strip, own=(key >= low) & (key < high), low=low, high=high)


def points_between(parts: list[Sorted], axis: int, low: float, high: float) -> Strip:
    """Return all points from low to before high, as a strip without a margin.

    Parameters
    ----------
    parts, axis
        Results of the keys ``Cut.parts`` and ``Cut.axis``.
    low, high
        Range along the axis.
    """
    records = gather(parts, low, high)
    names = records.dtype.names or ()
    order = sorted_order(records["row"])
    places = [name for name in names if name.startswith("p")]
    points = np.empty((len(order), len(places)))
    for number, name in enumerate(places):
        points[:, number] = records[name][order]
    columns = tuple(records[name][order] for name in names if name.startswith("c"))
    own = np.ones(len(order), bool)
    return Strip(points, records["row"][order], own, columns, low, high, axis)
