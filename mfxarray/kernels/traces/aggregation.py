"""Localizations of a trace joined until they have enough photons, as Imspector does."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["group_starts", "weighted_means"]

Array = np.ndarray[Any, Any]


def group_starts(photons: Array, starts: Array, threshold: float) -> tuple[Array, Array]:
    """Return the first row of each group, and how many groups each run has.

    Parameters
    ----------
    photons
        Shape (row,).
    starts
        First row of each run, shape (run,).
    threshold
        A group ends with the row with which its photons reach this, or with its run.

    Returns
    -------
    groups, counts
        Shapes (group,) and (run,), int64.
    """
    bounds = np.append(starts, len(photons)).astype(np.int64)
    groups, counts = np.empty(len(photons), np.int64), np.empty(len(starts), np.int64)
    total = _group_starts(photons.astype(np.float64), bounds, threshold, groups, counts)
    return groups[:total], counts


def weighted_means(columns: Array, weights: Array, starts: Array) -> Array:
    """Return the weighted mean of each column over each run without NaN, shape (run, column).

    Parameters
    ----------
    columns
        Shape (row, column).
    weights
        Shape (row,). Where they sum to nothing, or to no number, all rows count alike.
    starts
        First row of each run, shape (run,).
    """
    bounds = np.append(starts, len(columns)).astype(np.int64)
    out = np.empty((len(starts), columns.shape[1]))
    values = np.ascontiguousarray(columns, np.float64)
    _weighted_means(values, weights.astype(np.float64), bounds, out)
    return out


@njit(nogil=True, cache=True, error_model="numpy")
def _group_starts(photons, bounds, threshold, groups, counts):  # type: ignore[no-untyped-def]
    total = 0
    for run in range(len(counts)):
        before = total
        gathered = threshold
        for row in range(bounds[run], bounds[run + 1]):
            if row == bounds[run] or gathered >= threshold:
                groups[total] = row
                total += 1
                gathered = 0.0
            gathered += photons[row]
        counts[run] = total - before
    return total


@njit(nogil=True, cache=True, error_model="numpy")
def _weighted_means(columns, weights, bounds, out):  # type: ignore[no-untyped-def]
    for run in range(len(out)):
        first, last = bounds[run], bounds[run + 1]
        for column in range(columns.shape[1]):
            # relative to the first known value: positions are far larger than their differences
            origin, weight, total, count, plain = np.nan, 0.0, 0.0, 0, 0.0
            for row in range(first, last):
                value = columns[row, column]
                if np.isnan(value):
                    continue
                if count == 0:
                    origin = value
                count += 1
                weight += weights[row]
                total += weights[row] * (value - origin)
                plain += value - origin
            if weight > 0.0 and np.isfinite(weight):
                out[run, column] = origin + total / weight
            else:
                out[run, column] = origin + plain / count
