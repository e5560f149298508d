"""Blocks of an array written to their place in one file, in parallel and in any order.

The array lies in the file as plain bytes, last dimension fastest, so every block has places of its
own: tasks need no lock, may run on other machines that see the file, and run twice write the same
bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np

from mfxarray.stores.tasks import Call, block_keys

__all__ = ["FlatArray", "write_calls"]

Array = np.ndarray[Any, Any]
Cast = Callable[[Array, np.dtype[Any]], Array]


@dataclass(frozen=True)
class FlatArray:
    """Where an array lies in a file.

    Attributes
    ----------
    path
        The file; it exists.
    offset
        First byte of the array.
    shape
        Of the whole array, one dimension or more.
    dtype
        In the file, byte order included.
    """

    path: str
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def write_calls(
    target: FlatArray, source: da.Array, first: tuple[int, ...], cast: Cast
) -> Iterator[tuple[tuple[int, ...], Call]]:
    """Give for every block of ``source`` where it begins, and the call that writes it.

    Parameters
    ----------
    target
        Where to.
    source
        An array of as many dimensions, chunked as it likes.
    first
        Where its first element goes.
    cast
        Makes the dtype of the file of a block; raises where that is impossible.
    """
    starts = [np.concatenate(([0], np.cumsum(sizes))) for sizes in source.chunks]
    for index, key in block_keys(source).items():
        start = tuple(
            int(edges[place]) + shift
            for edges, place, shift in zip(starts, index, first, strict=True)
        )
        yield start, (partial(_write, target, start, cast), [key])


def _write(target: FlatArray, start: tuple[int, ...], cast: Cast, blocks: list[Array]) -> None:
    block = np.ascontiguousarray(cast(np.asarray(blocks[0]), target.dtype), target.dtype)
    if not block.size:
        return
    # the last dimensions that the block fills lie in the file without gaps
    whole = len(target.shape)
    while whole and block.shape[whole - 1] == target.shape[whole - 1]:
        whole -= 1
    head = max(whole - 1, 0)
    strides = np.cumprod((1, *target.shape[:0:-1]), dtype=np.int64)[::-1]
    # r+: a task that outlives a failed write must not make a new file
    with Path(target.path).open("r+b") as file:
        for index in product(*(range(size) for size in block.shape[:head])):
            place = [i + at for i, at in zip(index, start, strict=False)] + list(start[head:])
            file.seek(target.offset + int(np.dot(place, strides)) * target.dtype.itemsize)
            file.write(memoryview(block[index].reshape(-1)).cast("B"))
