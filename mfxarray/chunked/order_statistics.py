"""Exact order statistics of rows in any chunks, without holding or sorting them all.

A first pass counts values by the leading bits of their sort key, a second takes only the values
that share these bits with a wanted rank, equal ones once. Both are made at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dask.array as da
import numpy as np

__all__ = ["order_statistics", "sorted_ranks"]

Array = np.ndarray[Any, Any]

_BITS = 16
_SPLIT = 8
_SIGN = np.uint64(1) << np.uint64(63)


def sorted_ranks(n: int, fraction: float) -> tuple[int, int, float]:
    """Return the two ranks that a quantile lies between, and how far from the first to the second.

    Linear interpolation, as numpy's default.
    """
    place = fraction * (n - 1)
    low = min(int(np.floor(place)), n - 1)
    return low, min(low + 1, n - 1), place - low


def order_statistics(
    values: da.Array, used: da.Array, fractions: Sequence[float]
) -> tuple[int, Array]:
    """Return how many used values are finite, and their quantiles, shape (fraction,).

    Parameters
    ----------
    values, used
        Shape (row,), float and bool, chunked alike.
    fractions
        Between 0 and 1: 0 is the smallest value, 0.5 the median, 1 the largest.

    Returns
    -------
    n, quantiles
        NaN where there is no finite value.
    """
    counts = da.map_blocks(
        _count_block,
        values,
        used,
        chunks=((1,) * values.numblocks[0], (1 << _BITS,)),
        new_axis=[1],
        dtype=np.int64,
        meta=np.empty((0, 0), np.int64),
    )
    total = np.asarray(da.sum(counts, axis=0, dtype=np.int64, split_every=_SPLIT).compute())
    n = int(total.sum())
    if not n:
        return 0, np.full(len(fractions), np.nan)
    wanted = [sorted_ranks(n, fraction) for fraction in fractions]
    ranks = np.unique([rank for low, high, _ in wanted for rank in (low, high)])
    stops = np.cumsum(total)
    bins = np.unique(np.searchsorted(stops, ranks, side="right"))
    parts = da.map_blocks(
        _take_block,
        values,
        used,
        bins=bins,
        chunks=((1,) * values.numblocks[0],),
        dtype=object,
        meta=np.empty(0, object),
    ).compute()
    found = _at_ranks(list(parts), bins, stops - total, ranks)
    quantiles = [
        found[low] + (found[high] - found[low]) * share if share else found[low]
        for low, high, share in wanted
    ]
    return n, np.array(quantiles)


def _keys(values: Array, used: Array) -> Array:
    """Return numbers that sort as the finite used values do, uint64."""
    kept = values[used & np.isfinite(values)].astype(np.float64) + 0.0  # -0.0 becomes 0.0
    bits = kept.view(np.uint64)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def _values(keys: Array) -> Array:
    bits = np.where(keys & _SIGN, keys & ~_SIGN, ~keys)
    return np.asarray(bits.view(np.float64))


def _leading(keys: Array) -> Array:
    return (keys >> np.uint64(64 - _BITS)).astype(np.int64)


def _count_block(values: Array, used: Array) -> Array:
    return np.bincount(_leading(_keys(values, used)), minlength=1 << _BITS).reshape(1, -1)


def _take_block(values: Array, used: Array, *, bins: Array) -> Array:
    keys = _keys(values, used)
    out = np.empty(1, object)
    out[0] = np.unique(keys[np.isin(_leading(keys), bins)], return_counts=True)
    return out


def _at_ranks(
    parts: list[tuple[Array, Array]], bins: Array, before: Array, ranks: Array
) -> dict[int, float]:
    """Return the value at each rank; ``before`` counts what is smaller than each bin."""
    keys, counts = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(keys, kind="stable")
    keys, counts = keys[order], counts[order]
    leading = _leading(keys)
    found: dict[int, float] = {}
    for number in bins.tolist():
        own = leading == number
        stops = before[number] + np.cumsum(counts[own])
        values = _values(keys[own])
        for rank in ranks[(ranks >= before[number]) & (ranks < stops[-1])].tolist():
            found[rank] = float(values[np.searchsorted(stops, rank, side="right")])
    return found
