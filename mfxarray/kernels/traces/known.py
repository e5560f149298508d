"""Rows whose position is known."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["known_rows"]

Array = np.ndarray[Any, Any]


def known_rows(selected: Array, position: Array) -> Array:
    """Return which selected rows have no NaN in their position, shape (row,), bool.

    Parameters
    ----------
    selected
        Shape (row,), bool.
    position
        Shape (row, axis), float.

    Notes
    -----
    Ten times as quick as ``~np.isnan(position).any(axis=1)``, which was the longest step of a
    trace table.
    """
    out = np.empty(len(selected), np.bool_)
    if position.shape[1] == 3:
        _known_3(selected, np.ascontiguousarray(position, np.float64), out)
        return out
    return np.asarray(selected & ~np.isnan(position).any(axis=1))


@njit(nogil=True, cache=True, error_model="numpy")
def _known_3(selected, position, out):  # type: ignore[no-untyped-def]
    for row in range(len(selected)):
        x, y, z = position[row, 0], position[row, 1], position[row, 2]
        # only NaN differs from itself; no branch, so that rows are taken several at a time
        out[row] = selected[row] & (x == x) & (y == y) & (z == z)
