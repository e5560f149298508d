"""Stable sorting by digits: several times as quick as comparing, for numbers of a small range."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["sorted_order", "sorted_places"]

Array = np.ndarray[Any, Any]


def sorted_order(keys: Array, order: Array | None = None) -> Array:
    """Return the order that sorts integers, int64; equal ones keep their order.

    Parameters
    ----------
    keys
        Integers, shape (n,), whose largest differs by less than 2**63 from the smallest.
    order
        An order to begin with, for sorting by several keys; the last to sort by is the first.
    """
    if not len(keys):
        return np.empty(0, np.int64)
    begin = np.arange(len(keys)) if order is None else order.astype(np.int64)
    above = keys.astype(np.int64) - keys.min()
    return _by_digits(above if order is None else above[order], begin)  # type: ignore[no-any-return]


def sorted_places(places: Array) -> Array:
    """Return the order that sorts finite floats, int64; equal ones keep their order."""
    # the bits of floats above 0 are integers in their order, those below 0 in the contrary
    bits = (np.asarray(places, np.float64) + 0.0).view(np.int64)
    below, above = np.flatnonzero(bits < 0), np.flatnonzero(bits >= 0)
    if not len(below):
        return sorted_order(bits)
    order = below[sorted_order(np.iinfo(np.int64).min - bits[below])]
    return np.concatenate([order, above[sorted_order(bits[above])]])


@njit(nogil=True, cache=True, error_model="numpy")
def _by_digits(keys, order):  # type: ignore[no-untyped-def]
    largest = keys.max()
    other_keys, other_order = np.empty_like(keys), np.empty_like(order)
    shift = 0
    while shift < 63 and (largest >> shift) > 0:
        places = np.zeros(2049, np.int64)
        for i in range(len(keys)):
            places[((keys[i] >> shift) & 2047) + 1] += 1
        for digit in range(2048):
            places[digit + 1] += places[digit]
        for i in range(len(keys)):
            digit = (keys[i] >> shift) & 2047
            place = places[digit]
            places[digit] += 1
            other_keys[place], other_order[place] = keys[i], order[i]
        keys, other_keys = other_keys, keys
        order, other_order = other_order, order
        shift += 11
    return order
