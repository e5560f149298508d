"""Order statistics in two passes: counts by leading bits, then the values that share them."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["at_ranks", "count_leading", "finite_between", "ranks_and_bins", "values_in_bins"]

Array = np.ndarray[Any, Any]

_BITS = 16
_SIGN = np.uint64(1) << np.uint64(63)


def count_leading(values: Array, used: Array) -> Array:
    """Return how many finite used values have each of the leading bits, shape (1, 65536)."""
    return np.bincount(_leading(_keys(values, used)), minlength=1 << _BITS).reshape(1, -1)


def values_in_bins(values: Array, used: Array, bins: Array) -> tuple[Array, Array]:
    """Return the keys of the finite used values whose leading bits are in ``bins``, and counts."""
    keys = _keys(values, used)
    return np.unique(keys[np.isin(_leading(keys), bins)], return_counts=True)


def ranks_and_bins(total: Array, fractions: tuple[float, ...], hazen: bool) -> tuple[Array, Array]:
    """Return the ranks, from 0, that quantiles need, and the leading bits that they lie in.

    Parameters
    ----------
    total
        Sum over all blocks of `count_leading`, shape (65536,).
    fractions, hazen
        As for `finite_between`.
    """
    n = int(total.sum())
    if not n:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    lie = [finite_between(n, fraction, hazen) for fraction in fractions]
    ranks = np.unique([rank for low, high, _ in lie for rank in (low, high)])
    return ranks, np.unique(np.searchsorted(np.cumsum(total), ranks, side="right"))


def at_ranks(
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


def finite_between(n: int, fraction: float, hazen: bool) -> tuple[int, int, float]:
    """Return the two ranks, from 0, that a quantile lies between, and how far it is on its way.

    Linear interpolation: of ranks from 0 to n - 1 as numpy does, or with ``hazen`` of ranks at
    (r + 1/2) / n as MATLAB does.
    """
    place = min(max(fraction * n - 0.5, 0.0), n - 1.0) if hazen else fraction * (n - 1)
    low = min(int(np.floor(place)), n - 1)
    return low, min(low + 1, n - 1), place - low


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
