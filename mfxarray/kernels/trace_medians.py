"""Medians of runs of rows: exact, so that all rows of a run must be at hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["run_medians"]

Array = np.ndarray[Any, Any]

# what is no longer than this is sorted by insertion, which is quicker there
_SHORT = 12


def run_medians(values: Array, starts: Array) -> Array:
    """Return the median of each run without its NaN, NaN where nothing is left, shape (run,).

    Parameters
    ----------
    values
        Shape (row,).
    starts
        First row of each run, shape (run,); a run ends where the next one starts.
    """
    column = values.astype(np.float64, copy=False)
    bounds = np.append(starts, len(column)).astype(np.int64)
    out = np.empty(len(starts))
    longest = int(np.diff(bounds).max(initial=0))
    _run_medians(column, bounds, np.empty(longest), out)
    return out


@njit(nogil=True, cache=True, error_model="numpy")
def _run_medians(values, bounds, room, out):  # type: ignore[no-untyped-def]
    for run in range(len(out)):
        count = 0
        for row in range(bounds[run], bounds[run + 1]):
            value = values[row]
            room[count] = value
            # only NaN differs from itself
            count += value == value
        if count == 0:
            out[run] = np.nan
            continue
        high = count // 2
        upper = _select(room, count, high)
        if count % 2:
            out[run] = upper
            continue
        # what is selected leaves nothing larger before it
        lower = room[0]
        for place in range(1, high):
            lower = max(lower, room[place])
        out[run] = (lower + upper) / 2.0


@njit(nogil=True, cache=True, error_model="numpy")
def _select(room, count, wanted):  # type: ignore[no-untyped-def]
    """Return the value that would stand at a place if all were sorted; reorders them."""
    low, high = 0, count
    while high - low > _SHORT:
        first, middle, last = room[low], room[(low + high) // 2], room[high - 1]
        pivot = max(min(first, middle), min(max(first, middle), last))
        # exchanges are made always and only counted sometimes: a branch that cannot be foreseen
        # takes longer than the exchange
        smaller = low
        for place in range(low, high):
            value = room[place]
            room[place] = room[smaller]
            room[smaller] = value
            smaller += value < pivot
        if wanted < smaller:
            high = smaller
            continue
        equal = smaller
        for place in range(smaller, high):
            value = room[place]
            room[place] = room[equal]
            room[equal] = value
            equal += value == pivot
        if wanted < equal:
            return pivot
        low = equal
    _insert(room, low, high)
    return room[wanted]


@njit(nogil=True, cache=True, error_model="numpy")
def _insert(room, low, high):  # type: ignore[no-untyped-def]
    for place in range(low + 1, high):
        value = room[place]
        before = place - 1
        while before >= low and room[before] > value:
            room[before + 1] = room[before]
            before -= 1
        room[before + 1] = value
