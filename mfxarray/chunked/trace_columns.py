"""The columns of a trace table as arrays of their own, with few tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from mfxarray.chunked.blocks import graph_array

__all__ = ["split_columns"]

Array = np.ndarray[Any, Any]


def split_columns(
    function: Callable[..., tuple[Array, ...]],
    tables: Sequence[da.Array],
    columns: Sequence[tuple[Any, int | None]],
) -> list[da.Array]:
    """Return the columns that a function makes of blocks of tables, each as an array of its own.

    Parameters
    ----------
    function
        Takes a block of each table; returns one array a column.
    tables
        Shape (trace, ...), cut alike and only along traces.
    columns
        Dtype of each column, and its width or None for none.

    Notes
    -----
    One task a block and one a column of it: dask's own slicing makes several, and these tasks are
    so short that their number is what costs.
    """
    sizes = tables[0].chunks[0]
    name = f"columns-{tokenize(function, *tables)}"
    made = {}
    for block in range(len(sizes)):
        parts = [(table.name, block, *([0] * (table.ndim - 1))) for table in tables]
        made[(name, block)] = (function, *parts)
    together = graph_array(name, made, tables, (sizes,), object)
    found = []
    for number, (dtype, width) in enumerate(columns):
        own, rest = f"{name}-{number}", () if width is None else (0,)
        tasks = {
            (own, block, *rest): (itemgetter(number), (name, block)) for block in range(len(sizes))
        }
        chunks = (sizes,) if width is None else (sizes, (width,))
        found.append(graph_array(own, tasks, (together,), chunks, dtype))
    return found
