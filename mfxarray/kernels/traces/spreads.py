"""Spreads and standard errors out of the moments of traces, in short loops over all traces."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mfxarray.kernels.traces.moments import Column

__all__ = ["trace_spreads"]

Array = np.ndarray[Any, Any]

# the mean of equal numbers is off by less than this part of it
_ROUNDING = 4 * float(np.finfo(float).eps)


def trace_spreads(
    moments: Array, ddof: int, single: float, least: int, axes: tuple[int, ...] | None
) -> tuple[Array, Array, Array, Array]:
    """Return spread, pooled spread, standard error and pooled standard error of traces.

    Parameters
    ----------
    moments
        Shape (trace, 10), see `mfxarray.kernels.traces.moments.Column`.
    ddof
        What is subtracted from n in the variance.
    single
        Spread of a trace with no more than ``ddof`` localizations.
    least
        Traces with fewer localizations have no standard error.
    axes
        Axes that are pooled. If None those in which the localizations of a trace differ, by more
        than rounding can make: an axis that was not measured, as z of 2D data, holds one number.

    Returns
    -------
    tuple of numpy.ndarray
        Shapes (trace, 3), (trace,), (trace, 3), (trace,). Pooled is the root of the mean square.
    """
    columns = np.ascontiguousarray(moments.T)
    n, means, squares = columns[Column.N], columns[Column.MEAN], columns[Column.M2]
    spread, error = np.empty((2, 3, len(n)))
    pooled, pooled_error = np.empty((2, len(n)))
    total, count = np.zeros((2, len(n)))
    for axis in range(3):
        differing = axes is None
        if differing or axis in (axes or ()):
            _add(n, means[axis], squares[axis], ddof, differing, total, count)
        _root(n, squares[axis], ddof, single, spread[axis])
        _error(n, spread[axis], least, error[axis])
    total /= np.maximum(count, 1.0)
    _pooled(n, total, ddof, single, pooled)
    _error(n, pooled, least, pooled_error)
    return spread.T, pooled, error.T, pooled_error


# Each loop touches few arrays and has no branch, so that several traces are taken at once: roots
# and quotients one by one took three times as long.


@njit(nogil=True, cache=True, error_model="numpy")
def _add(n, means, squares, ddof, differing, total, count):  # type: ignore[no-untyped-def]
    """Add the variances of an axis where it was measured."""
    for trace in range(len(n)):
        rounding = _ROUNDING * abs(means[trace])
        measured = (squares[trace] > n[trace] * rounding * rounding) | (not differing)
        total[trace] += squares[trace] / (n[trace] - ddof) if measured else 0.0
        count[trace] += 1.0 if measured else 0.0


@njit(nogil=True, cache=True, error_model="numpy")
def _root(n, squares, ddof, single, spread):  # type: ignore[no-untyped-def]
    for trace in range(len(n)):
        found = np.sqrt(squares[trace] / (n[trace] - ddof))
        spread[trace] = found if n[trace] > ddof else single


@njit(nogil=True, cache=True, error_model="numpy")
def _pooled(n, total, ddof, single, pooled):  # type: ignore[no-untyped-def]
    for trace in range(len(n)):
        found = np.sqrt(total[trace])
        pooled[trace] = found if n[trace] > ddof else single


@njit(nogil=True, cache=True, error_model="numpy")
def _error(n, spread, least, error):  # type: ignore[no-untyped-def]
    for trace in range(len(n)):
        found = spread[trace] / np.sqrt(n[trace])
        error[trace] = found if n[trace] >= least else np.nan
