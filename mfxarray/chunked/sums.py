"""Sums over runs of frames of chunked arrays, the same bits for every chunking."""

from __future__ import annotations

from itertools import pairwise, product
from operator import add
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from mfxarray.chunked.blocks import graph_array
from mfxarray.kernels.sums import add_frames, sum_dtype

__all__ = ["sum_runs"]

Array = np.ndarray[Any, Any]


def sum_runs(array: da.Array, starts: list[int]) -> da.Array:
    """Return the sum of every run of frames, shape (run, ...).

    Parameters
    ----------
    array
        Shape (frame, ...), any chunks.
    starts
        First frame of every run, ascending from 0; a run ends where the next begins.

    Returns
    -------
    dask array
        int64 for integers, else float64; one chunk a run.

    Notes
    -----
    A run is a chain from chunk to chunk: one sum and the chunk at hand are in memory. Integers are
    summed within chunks first, side by side; floats one by one in their order, because the order
    decides the last bits.
    """
    name = f"sum-runs-{tokenize(array, starts)}"
    stops = [*starts[1:], array.shape[0]]
    bounds = np.cumsum((0, *array.chunks[0])).tolist()
    link = _link_floats if array.dtype.kind == "f" else _link_integers
    tasks: dict[Any, Any] = {}
    for place in product(*(range(count) for count in array.numblocks[1:])):
        for run, (start, stop) in enumerate(zip(starts, stops, strict=True)):
            link(tasks, name, (array.name, bounds), (run, *place), (start, stop))
    chunks = ((1,) * len(starts), *array.chunks[1:])
    return graph_array(name, tasks, (array,), chunks, sum_dtype(array.dtype))


def _link_floats(
    tasks: dict[Any, Any],
    name: str,
    source: tuple[str, list[int]],
    place: tuple[int, ...],
    frames: tuple[int, int],
) -> None:
    """Add the tasks of one run at one place of the grid of chunks: frame after frame."""
    before: Any = None
    for block, part in _parts(source[1], *frames):
        link = (f"link-{name}", *place, block)
        tasks[link] = (_add_part, before, (source[0], block, *place[1:]), *part)
        before = link
    tasks[(name, *place)] = (_as_run, before)


def _link_integers(
    tasks: dict[Any, Any],
    name: str,
    source: tuple[str, list[int]],
    place: tuple[int, ...],
    frames: tuple[int, int],
) -> None:
    """Add the tasks of one run at one place: the sum of every chunk, then their sum."""
    before: Any = None
    for block, part in _parts(source[1], *frames):
        within = (f"part-{name}", *place, block)
        tasks[within] = (_add_part, None, (source[0], block, *place[1:]), *part)
        link = (f"link-{name}", *place, block)
        if before is not None:
            tasks[link] = (add, before, within)
        before = within if before is None else link
    tasks[(name, *place)] = (_as_run, before)


def _parts(bounds: list[int], start: int, stop: int) -> list[tuple[int, tuple[int, int]]]:
    """Return the chunks that a run touches, and which of their frames."""
    return [
        (block, (max(start - low, 0), min(stop, high) - low))
        for block, (low, high) in enumerate(pairwise(bounds))
        if low < stop and high > start
    ]


def _add_part(total: Array | None, frames: Array, start: int, stop: int) -> Array:
    return add_frames(total, frames[start:stop])


def _as_run(total: Array) -> Array:
    return total[None]
