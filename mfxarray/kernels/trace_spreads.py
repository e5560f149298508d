"""Spreads and standard errors out of the moments of traces, in one pass over these."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mfxarray.kernels.moments import Column

__all__ = ["trace_spreads"]

Array = np.ndarray[Any, Any]

# the mean of equal numbers is off by less than this part of it
_ROUNDING = 4 * float(np.finfo(float).eps)
_MEAN, _M2 = Column.MEAN.start, Column.M2.start


def trace_spreads(
    moments: Array, ddof: int, single: float, least: int, axes: tuple[int, ...] | None
) -> tuple[Array, Array, Array, Array]:
    """Return spread, pooled spread, standard error and pooled standard error of traces.

    Parameters
    ----------
    moments
        Shape (trace, 10), see `mfxarray.kernels.moments.Column`.
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
    n = len(moments)
    found = np.empty((n, 3)), np.empty(n), np.empty((n, 3)), np.empty(n)
    chosen = np.isin(np.arange(3), axes if axes is not None else ())
    _spreads(moments, ddof, single, least, chosen, axes is None, *found)
    return found


@njit(nogil=True, cache=True, error_model="numpy")
def _spreads(  # type: ignore[no-untyped-def]
    moments, ddof, single, least, chosen, differing, spread, pooled, error, pooled_error
):
    for trace in range(len(moments)):
        n = moments[trace, 0]
        degrees = n - ddof
        root = np.sqrt(n) if n >= least else np.nan
        total, count = 0.0, 0
        for axis in range(3):
            squares = moments[trace, _M2 + axis]
            variance = squares / degrees if degrees > 0 else single * single
            rounding = _ROUNDING * abs(moments[trace, _MEAN + axis])
            measured = squares > n * rounding * rounding if differing else chosen[axis]
            total += variance if measured else 0.0
            count += measured
            spread[trace, axis] = np.sqrt(variance)
            error[trace, axis] = spread[trace, axis] / root
        pooled[trace] = np.sqrt(total / max(count, 1)) if degrees > 0 else single
        pooled_error[trace] = pooled[trace] / root
