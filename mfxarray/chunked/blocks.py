"""Dask arrays over the sources of files, and small tools that every chunked operation uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph, MaterializedLayer

__all__ = [
    "KEPT",
    "as_dask",
    "column_array",
    "field_array",
    "frame_array",
    "graph_array",
    "record_array",
    "reread",
    "whole",
]

# layers named so are shared by all passes, see `reread`
KEPT = "kept-"

Reader = Callable[[int, int], np.ndarray[Any, Any]]


def as_dask(data: Any) -> da.Array:
    """Return ``data`` if it is a dask array, else the same values as one with a single chunk."""
    return data if isinstance(data, da.Array) else da.from_array(np.asarray(data), chunks=-1)


def graph_array(
    name: str,
    tasks: dict[Any, Any],
    inputs: Sequence[da.Array],
    chunks: tuple[tuple[int, ...], ...],
    dtype: Any,
) -> da.Array:
    """Return a dask array from a plain graph whose keys are ``(name, block, ...)``."""
    needed: list[Any] = list(inputs)
    graph = HighLevelGraph.from_collections(name, tasks, dependencies=needed)
    meta = np.empty((0,) * len(chunks), dtype)
    return da.Array(graph, name, chunks, meta=meta)


def record_array(read: Reader, token: Any, rows: tuple[int, ...], dtype: Any) -> da.Array:
    """Return the records of a file as a dask array of a structured dtype, one read a block.

    Parameters
    ----------
    read
        Reads the records from a start to a stop row.
    token
        Identity of the source.
    rows
        Chunk sizes.
    dtype
        Dtype of a record.
    """
    name = f"records-{tokenize(token, rows)}"
    return graph_array(name, _reads(name, read, rows, ()), (), (rows,), dtype)


def frame_array(
    read: Reader, token: Any, frames: tuple[int, ...], shape: tuple[int, int, int], dtype: Any
) -> da.Array:
    """Return the frames of a stack as a dask array (frame, detector, y, x), one read a block."""
    name = f"frames-{tokenize(token, frames)}"
    chunks = (frames, *((size,) for size in shape))
    return graph_array(name, _reads(name, read, frames, (0, 0, 0)), (), chunks, dtype)


def column_array(
    read: Reader, token: Any, rows: tuple[int, ...], tail: tuple[int, ...], dtype: Any
) -> da.Array:
    """Return one field of a file whose fields lie apart, one read a block.

    Parameters
    ----------
    read
        Reads the field from a start to a stop row.
    token
        Identity of the source and the field.
    rows
        Chunk sizes.
    tail
        Sizes of the axes after the rows.
    dtype
        Dtype of the field.
    """
    name = f"column-{tokenize(token, rows)}"
    chunks = (rows, *((size,) for size in tail))
    return graph_array(name, _reads(name, read, rows, (0,) * len(tail)), (), chunks, dtype)


def _reads(
    name: str, read: Reader, sizes: tuple[int, ...], rest: tuple[int, ...]
) -> dict[Any, Any]:
    """Return one task a block, and the reader beside them: it may be large and travels once."""
    stops = np.cumsum(sizes).tolist()
    reader = f"{name}-reader"
    tasks: dict[Any, Any] = {reader: read}
    for block, (size, stop) in enumerate(zip(sizes, stops, strict=True)):
        tasks[(name, block, *rest)] = (_read_block, reader, stop - size, stop)
    return tasks


def _read_block(read: Reader, start: int, stop: int) -> np.ndarray[Any, Any]:
    return read(start, stop)


def field_array(
    records: da.Array,
    extract: Callable[..., np.ndarray[Any, Any]],
    path: tuple[str, ...],
    dtype: np.dtype[Any],
    tail: tuple[int, ...],
) -> da.Array:
    """Return one field of records; all fields of a block share the one read of its records.

    Parameters
    ----------
    records
        Result of `record_array`.
    extract
        Takes a block of records, ``path`` and ``dtype`` to the field.
    path
        Names that lead to the field.
    dtype
        Dtype of the field.
    tail
        Sizes of the axes after the rows.
    """
    letters = "abcdef"[: len(tail)]
    return da.blockwise(
        extract,
        "r" + letters,
        records,
        "r",
        path,
        None,
        dtype,
        None,
        name=f"{path[-1]}-{tokenize(records.name, extract, path, dtype)}",
        new_axes=dict(zip(letters, tail, strict=True)),
        dtype=dtype,
        meta=np.empty((0,) * (1 + len(tail)), dtype),
    )


def reread(array: da.Array, purpose: str) -> da.Array:
    """Return the same array with tasks of its own, named after their purpose.

    A second pass that waits for a global result of the first must not share blocks with it: dask
    would keep every block in memory until the result is there. With tasks of its own the second
    pass reads again, and memory stays bounded. Layers whose name begins with `KEPT` are small and
    dear; they stay shared.

    Notes
    -----
    `dask.graph_manipulation.clone` is made for this, but in dask 2026.8 it leaves the references
    between tasks of a materialized layer as they were, so blocks stay shared.
    """
    layers, dependencies = array.dask.layers, array.dask.dependencies
    renamed = _layers_above(array.name, dependencies)
    new_name = {name: f"{name}-{purpose}" for name in renamed}
    new_key = {key: _rename(key, purpose) for name in renamed for key in layers[name]}
    again: dict[str, Any] = {}
    needs: dict[str, set[str]] = {}
    for name, needed in dependencies.items():
        again[name], needs[name] = layers[name], set(needed)
        if name in renamed:
            tasks = {
                new_key[key]: _redirect(task, new_key, new_key[key])
                for key, task in layers[name].items()
            }
            again[new_name[name]] = MaterializedLayer(tasks)
            needs[new_name[name]] = {new_name.get(need, need) for need in needed}
    graph = HighLevelGraph(again, needs)
    return da.Array(graph, new_name[array.name], array.chunks, meta=array._meta)


def _layers_above(name: str, dependencies: Mapping[str, Set[str]]) -> set[str]:
    """Return the layers that an array is made of, as far as the next kept ones."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        layer = waiting.pop()
        if layer not in found and not layer.startswith(KEPT):
            found.add(layer)
            waiting.extend(dependencies[layer])
    return found


def _rename(key: Any, purpose: str) -> Any:
    first, rest = (key[0], key[1:]) if isinstance(key, tuple) else (key, ())
    new = f"{first}-{purpose}"
    return (new, *rest) if isinstance(key, tuple) else new


def _redirect(task: Any, keys: Mapping[Any, Any], own: Any) -> Any:
    """Return a task that refers to the new keys."""
    if hasattr(task, "substitute"):
        return task.substitute(
            {key: keys[key] for key in task.dependencies if key in keys}, key=own
        )
    if isinstance(task, list):
        return [_redirect(part, keys, own) for part in task]
    if isinstance(task, tuple) and task and callable(task[0]):
        return (task[0], *(_redirect(part, keys, own) for part in task[1:]))
    return keys[task] if isinstance(task, str | tuple) and task in keys else task


def whole(array: da.Array, axes: Sequence[int]) -> da.Array:
    """Return the array with a single chunk along the given axes."""
    wanted = {axis: -1 for axis in axes if array.numblocks[axis] != 1}
    return array.rechunk(wanted) if wanted else array
