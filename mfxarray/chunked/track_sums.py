"""Sums over the rows of a table and over their products, in an order that chunks do not change."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from mfxarray.chunked.blocks import graph_array

__all__ = ["ROWS", "sums_and_products"]

Array = np.ndarray[Any, Any]

# rows are added in pieces of so many, counted from the first of the table
ROWS = 2**15


def sums_and_products(rows: da.Array) -> da.Array:
    """Return the number of rows, their sums, and the sums of the products of their columns.

    Parameters
    ----------
    rows
        Shape (row, column); rows with a value that is not finite are left out.

    Returns
    -------
    dask.array.Array
        Shape (1 + column, 1 + column), symmetric, as of a table with a column of ones before the
        others: [0, 0] is the number of rows, [0, 1:] are the sums, [1:, 1:] the products.
    """
    width = rows.shape[1]
    own = rows.rechunk({0: ROWS, 1: width})
    name = f"sums-and-products-{tokenize(own)}"
    tasks: dict[Any, Any] = {}
    for block in range(own.numblocks[0]):
        tasks[f"{name}-part", block] = (_products, (own.name, block, 0))
    tasks[name, 0, 0] = (_added, list(tasks), width)
    return graph_array(name, tasks, (own,), ((1 + width,), (1 + width,)), float)


def _products(rows: Array) -> Array:
    known = rows[np.isfinite(rows).all(axis=1)]
    columns = np.column_stack([np.ones(len(known)), known])
    # no matrix product: its bits may depend on the number of threads
    return np.einsum("ri,rj->ij", columns, columns, optimize=False)


def _added(parts: list[Array], width: int) -> Array:
    total = np.zeros((1 + width, 1 + width))
    for part in parts:
        total += part
    return total
