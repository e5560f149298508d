"""Cross-correlations of time windows for localizations in any blocks, band by band of the field.

All that is summed over blocks and bands are whole numbers, so neither the blocks nor the workers
change a bit of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from dask.base import persist, tokenize
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph

from mfxarray.kernels.drift.blocks import Sample, band_table, block_part, total_content
from mfxarray.kernels.drift.lags import Search, count_lags
from mfxarray.kernels.drift.points import Lattice, rows_of_strips
from mfxarray.kernels.drift.shifts import Peak, find_shifts
from mfxarray.kernels.drift.summary import Summary, join_summaries, summarise_block

__all__ = ["Rows", "measure_shifts", "summarise_rows", "table_lags"]

Array = np.ndarray[Any, Any]

_SPLIT = 8
# localizations in a band; more bands keep more workers busy, but the halos cost
_BAND_ROWS = 100_000
# localizations of which the tables are held at once: 32 bytes each, twice while they are joined
_HELD_ROWS = 8_000_000
_LAG_BYTES = 32 * 2**20


@dataclass(frozen=True)
class Rows:
    """Localizations in blocks that are cut alike.

    Attributes
    ----------
    used
        Which rows count, shape (row,), bool.
    position
        Metres, shape (row, 3).
    tim
        Seconds, shape (row,).
    keys
        What names the trace of a row, each of shape (row,), integer.
    """

    used: da.Array
    position: da.Array
    tim: da.Array
    keys: tuple[da.Array, ...]

    def blocks(self) -> list[list[Any]]:
        """Return the keys of the arrays of every block."""
        arrays = (self.used, self.position, self.tim, *self.keys)
        return [
            [(array.name, number, *([0] * (array.ndim - 1))) for array in arrays]
            for number in range(self.used.numblocks[0])
        ]

    def delayed(self, tasks: dict[Any, Any], key: Any) -> Delayed:
        """Return the result of a task."""
        needed: list[Any] = [self.used, self.position, self.tim, *self.keys]
        graph = HighLevelGraph.from_collections(key[0], tasks, dependencies=needed)
        return Delayed(key, graph, layer=key[0])


def summarise_rows(rows: Rows) -> Summary:
    """Return times and extents of the rows that count: one pass."""
    name = f"drift-summary-{_token(rows)}"
    tasks: dict[Any, Any] = {
        (name, number): (summarise_block, *block[:3]) for number, block in enumerate(rows.blocks())
    }
    key = _tree(tasks, list(tasks), join_summaries, f"{name}-joined")
    found: Summary = rows.delayed(tasks, key).compute()
    return found


def measure_shifts(
    rows: Rows, sample: Sample, search: Search, peak: Peak, strips: Array
) -> tuple[Array, Array, Array]:
    """Return shift and quality of every pair of windows, and what is in the windows.

    Parameters
    ----------
    rows
        Localizations.
    sample
        Which of them, on which pixels.
    search, peak
        Which pairs are compared, and how their shift is found.
    strips
        How many localizations are in each strip of the field, shape (strip, 2): number, count.

    Returns
    -------
    shifts, quality, content
        See `mfxarray.kernels.drift.shifts.find_shifts`; and of shape (window, 2): localizations,
        and the sum of their times since the window began, microseconds.

    Notes
    -----
    One pass over the rows where their tables fit (32 bytes a localization), otherwise one for every
    8 million localizations. A task holds a block, or a band of the field, and 32 MB of
    correlations.
    """
    groups = _groups(_bands(strips))
    held = [_band_tables(rows, sample, search, group) for group in groups]
    if len(groups) == 1:
        # small enough to be kept for the batches of windows
        tables, content = held[0]
        *tables, content = persist(*tables, content)
        held = [(tables, content)]
    shifts, quality = [], []
    for first, stop in _batches(search, sample.lattice.dimensions):
        lags = sum(
            _lags_of(tables, group, sample.lattice, search, (first, stop))
            for (tables, _), group in zip(held, groups, strict=True)
        )
        found = find_shifts(np.asarray(lags), peak)
        shifts.append(found[0])
        quality.append(found[1])
    # of each group all rows were seen, so the first tells
    return np.concatenate(shifts), np.concatenate(quality), np.asarray(held[0][1].compute())


def table_lags(table: Array, lattice: Lattice, search: Search) -> Iterator[Array]:
    """Yield the correlations of one table, batch by batch of pairs.

    Parameters
    ----------
    table
        Points, see `mfxarray.kernels.drift.points.make_table`.
    lattice, search
        Pixels, and which pairs are compared.
    """
    if not len(table):
        table = np.zeros((0, lattice.columns), np.int32)
        bands = [(0, 1)]
    else:
        numbers, counts = np.unique(table[:, 3] // lattice.strip, return_counts=True)
        bands = [band[:2] for band in _bands(np.stack([numbers, counts], axis=1))]
    around = search.strips(lattice)
    parts = [rows_of_strips(table, lattice, first - around, stop + around) for first, stop in bands]
    name = f"drift-table-{tokenize(table, bands)}"
    held = [Delayed((name, number), {(name, number): part}) for number, part in enumerate(parts)]
    for first, stop in _batches(search, lattice.dimensions):
        yield _lags_of(held, bands, lattice, search, (first, stop))


def _token(*what: Any) -> str:
    names = [
        [array.name for array in (part.used, part.position, part.tim, *part.keys)]
        if isinstance(part, Rows)
        else part
        for part in what
    ]
    return str(tokenize(names))


def _tree(
    tasks: dict[Any, Any], keys: list[Any], join: Callable[[list[Any]], Any], name: str
) -> Any:
    """Add tasks that join results in a tree, and return the key of the last."""
    level = 0
    while len(keys) > 1 or level == 0:
        joined = []
        for start in range(0, len(keys), _SPLIT):
            key = (name, level, start // _SPLIT)
            tasks[key] = (join, keys[start : start + _SPLIT])
            joined.append(key)
        keys, level = joined, level + 1
    tasks[(name,)] = keys[0]
    return (name,)


def _bands(strips: Array) -> list[tuple[int, int, int]]:
    """Return ranges of strips with about as many localizations each: first, stop, count."""
    bands: list[tuple[int, int, int]] = []
    first, count = int(strips[0, 0]), 0
    for strip, rows in strips.tolist():
        count += rows
        if count >= _BAND_ROWS:
            bands.append((first, strip + 1, count))
            first, count = strip + 1, 0
    if count or not bands:
        bands.append((first, int(strips[-1, 0]) + 1, count))
    return bands


def _groups(bands: list[tuple[int, int, int]]) -> list[list[tuple[int, int]]]:
    """Return the bands in groups whose tables fit."""
    groups: list[list[tuple[int, int]]] = [[]]
    held = 0
    for first, stop, count in bands:
        if held and held + count > _HELD_ROWS:
            groups.append([])
            held = 0
        groups[-1].append((first, stop))
        held += count
    return groups


def _batches(search: Search, dimensions: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of first windows whose correlations fit."""
    each = 8 * (2 * search.reach + 1) ** dimensions
    most = max(_LAG_BYTES // each, 1)
    first = 0
    while first < search.windows:
        stop = first + 1
        while stop < search.windows and len(search.pairs(first, stop + 1)) <= most:
            stop += 1
        yield first, stop
        first = stop


def _band_tables(
    rows: Rows, sample: Sample, search: Search, bands: list[tuple[int, int]]
) -> tuple[list[Any], Any]:
    """Return the tables of points of bands and their surroundings, and the content of windows."""
    around = search.strips(sample.lattice)
    curve = None if sample.curve is None else sample.curve.token()
    told = (sample.windows, sample.lattice, sample.limits, curve, sample.half, bands, around)
    name = f"drift-{_token(rows, told)}"
    span = (bands[0][0] - around, bands[-1][1] + around)
    part = partial(block_part, sample=sample, span=span)
    tasks: dict[Any, Any] = {
        (name, "part", number): (part, *block[:3], block[3:])
        for number, block in enumerate(rows.blocks())
    }
    parts = list(tasks)
    for number, (first, stop) in enumerate(bands):
        table = partial(
            band_table, lattice=sample.lattice, first=first - around, stop=stop + around
        )
        tasks[(name, "band", number)] = (table, parts)
    tasks[(name, "content")] = (total_content, parts)
    tables = [rows.delayed(tasks, (name, "band", number)) for number in range(len(bands))]
    return tables, rows.delayed(tasks, (name, "content"))


def _lags_of(
    tables: list[Any],
    bands: list[tuple[int, int]],
    lattice: Lattice,
    search: Search,
    windows: tuple[int, int],
) -> Array:
    """Return the correlations of one batch of windows, summed over bands."""
    name = f"drift-lags-{tokenize([table.key for table in tables], search, windows)}"
    count = partial(count_lags, lattice=lattice, search=search, first=windows[0], stop=windows[1])
    tasks: dict[Any, Any] = {
        (name, number): (_count, count, table.key, band)
        for number, (table, band) in enumerate(zip(tables, bands, strict=True))
    }
    key = _tree(tasks, list(tasks), _total, f"{name}-sum")
    graph = HighLevelGraph.from_collections(name, tasks, dependencies=tables)
    found: Array = Delayed(key, graph, layer=name).compute()
    return found


def _count(count: Callable[..., Array], table: Array, strips: tuple[int, int]) -> Array:
    return count(table, strips=tuple(strips))


def _total(parts: list[Array]) -> Array:
    return parts[0] if len(parts) == 1 else np.sum(parts, axis=0)
