"""Two heights that clusters of numbers lie at: the best split, exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["LevelColumn", "two_levels"]

Array = np.ndarray[Any, Any]


class LevelColumn:
    """Where a number of `two_levels` stands in its row."""

    LOW, HIGH = 0, 1
    SPREAD = 2  # standard deviation around the levels
    N_LOW, N_HIGH = 3, 4
    WIDTH = 5


def two_levels(values: Array, starts: Array) -> Array:
    """Return two levels with the least sum of squared distances to the nearer one, per cluster.

    Parameters
    ----------
    values
        Cluster by cluster, shape (point,); NaN for what does not count.
    starts
        First value of each cluster, shape (cluster,).

    Returns
    -------
    numpy.ndarray
        Shape (cluster, 5), see `LevelColumn`; NaN for fewer than 3 values. One level alone is
        split in the middle, which makes levels 1.6 standard deviations apart.

    Notes
    -----
    Sorted values are split at every place; there is no start that matters.
    """
    table = np.full((len(starts), LevelColumn.WIDTH), np.nan)
    bounds = np.append(starts, len(values)).astype(np.int64)
    _levels(np.ascontiguousarray(values, float), bounds, table)
    return table


@njit(nogil=True, cache=True, error_model="numpy")
def _levels(values, bounds, table):  # type: ignore[no-untyped-def]
    for cluster in range(len(table)):
        own = values[bounds[cluster] : bounds[cluster + 1]]
        own = np.sort(own[~np.isnan(own)])
        n = len(own)
        if n < 3:
            continue
        middle = own.sum() / n
        own = own - middle
        total, squares, below = own.sum(), (own * own).sum(), 0.0
        best, split = -1.0, 1
        for number in range(1, n):
            below += own[number - 1]
            above = total - below
            # what the levels explain of the squares
            gain = below * below / number + above * above / (n - number)
            if gain > best:
                best, split = gain, number
        low, high = own[:split].sum() / split, own[split:].sum() / (n - split)
        row = table[cluster]
        row[0], row[1] = low + middle, high + middle
        rest = max(squares - split * low * low - (n - split) * high * high, 0.0)
        row[2] = np.sqrt(rest / (n - 2))
        row[3], row[4] = split, n - split
