"""Exact quantiles of rows in any chunks, without holding or sorting them all."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from mfxarray.chunked.blocks import graph_array, reread
from mfxarray.kernels.ranks import (
    at_ranks,
    count_leading,
    finite_between,
    ranks_and_bins,
    values_in_bins,
)

__all__ = ["quantiles"]

Array = np.ndarray[Any, Any]

_SPLIT = 8
_LEADING = 65536


def quantiles(
    values: da.Array, used: da.Array, fractions: Sequence[float], *, hazen: bool = False
) -> da.Array:
    """Return how many used values are finite and their quantiles, shape (1 + fraction,), float64.

    Parameters
    ----------
    values, used
        Shape (row,), float and bool, chunked alike.
    fractions
        Between 0 and 1: 0 is the smallest value, 0.5 the median, 1 the largest.
    hazen
        Take the value of rank r, counted from 1, as the quantile of (r - 0.5) / n, as MATLAB does;
        otherwise as numpy does.

    Returns
    -------
    dask.array.Array
        Quantiles are NaN where there is no finite value.

    Notes
    -----
    Lazy. A first pass counts values by the leading bits of their sort key, a second takes only the
    values that share these bits with a wanted rank, equal ones once; no block is kept between the
    two. Several calls that are computed together read the rows only twice in all.
    """
    counts = da.map_blocks(
        count_leading,
        values,
        used,
        chunks=((1,) * values.numblocks[0], (_LEADING,)),
        new_axis=[1],
        dtype=np.int64,
        meta=np.empty((0, 0), np.int64),
    )
    total = da.sum(counts, axis=0, dtype=np.int64, split_every=_SPLIT)
    again = [reread(array, "quantiles") for array in (values, used)]
    name = f"quantiles-{tokenize(values, used, tuple(fractions), hazen)}"
    take = partial(_take, fractions=tuple(fractions), hazen=hazen)
    finish = partial(_finish, fractions=tuple(fractions), hazen=hazen)
    taken: dict[Any, Any] = {}
    for block in range(values.numblocks[0]):
        parts = [(array.name, block) for array in again]
        taken[(f"{name}-take", block)] = (take, *parts, (total.name, 0))
    tasks = {**taken, (name, 0): (finish, (total.name, 0), list(taken))}
    return graph_array(name, tasks, (*again, total), ((1 + len(fractions),),), float)


def _take(
    values: Array, used: Array, total: Array, *, fractions: tuple[float, ...], hazen: bool
) -> Any:
    """Return the values of a block, and how often each, among which wanted ranks lie."""
    _, bins = ranks_and_bins(total, fractions, hazen)
    return values_in_bins(values, used, bins)


def _finish(
    total: Array,
    parts: list[tuple[Array, Array]],
    *,
    fractions: tuple[float, ...],
    hazen: bool,
) -> Array:
    n = int(total.sum())
    if not n:
        return np.array([0.0, *(np.nan for _ in fractions)])
    ranks, bins = ranks_and_bins(total, fractions, hazen)
    found = at_ranks(parts, bins, np.cumsum(total) - total, ranks)
    lie = [finite_between(n, fraction, hazen) for fraction in fractions]
    between = [found[low] + (found[high] - found[low]) * share for low, high, share in lie]
    return np.array([float(n), *between])
