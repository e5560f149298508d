"""Corrections of counts and of their variance, several in one pass.

Each formula maps a count c to c'; the variance is multiplied by the square of the slope dc'/dc
(delta method). ``values`` of a step are its one or two parameters for every detector:

background
    ``c' = c - expected``: the expected background counts, taken as known exactly.
dead time
    ``c' = c / (1 - c per_count)``, where per_count is the dead time over the dwell time: the
    non-paralysable ``r / (1 - r tau)`` for a rate r. NaN where no rate gives such counts.
efficiency
    ``c' = c / fraction``: the fraction of the ions that a detector registers.
qsa
    ``c' = c (1 + beta K')`` with K = c / primaries, K' = K / (1 - K / 2), for ions that arrive
    together. NaN where K is 2 or more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

__all__ = [
    "BACKGROUND",
    "CAESIUM_PER_PA",
    "DEAD_TIME",
    "EFFICIENCY",
    "QSA",
    "Step",
    "correct_block",
]

Array = np.ndarray[Any, Any]

BACKGROUND, DEAD_TIME, EFFICIENCY, QSA = range(4)
# singly charged ions a second in a primary current of 1 pA
CAESIUM_PER_PA = 6.2415e6
# pixels that stay in the cache while all steps are taken
_TILE = 4096


@dataclass(frozen=True)
class Step:
    """One correction.

    Attributes
    ----------
    formula
        BACKGROUND, DEAD_TIME, EFFICIENCY or QSA.
    values
        Its parameter for every detector: expected counts, dead time over dwell time, fraction,
        primary ions in a pixel.
    weights
        A second one: beta of QSA.
    """

    formula: int
    values: tuple[float, ...]
    weights: tuple[float, ...] = ()


def correct_block(
    counts: Array, variance: Array | None, detectors: Array, *, steps: Sequence[Step], axis: int
) -> Array:
    """Return corrected counts and their variance, shape (2, ...), float64.

    Parameters
    ----------
    counts
        Any shape and numeric dtype.
    variance
        Same shape; None for Poisson counts, whose variance they are.
    detectors
        Number of every detector in this block, its place in the steps' values.
    steps
        Corrections, first to last.
    axis
        Axis of the detectors.
    """
    shape = counts.shape
    outer, inner = int(np.prod(shape[:axis])), int(np.prod(shape[axis + 1 :]))
    found = np.empty((2, outer, shape[axis], inner))
    found[0] = counts.reshape(found.shape[1:])
    found[1] = found[0] if variance is None else variance.reshape(found.shape[1:])
    formulas = np.array([step.formula for step in steps], np.int64)
    rows = [(step.values, step.weights or step.values) for step in steps]
    values = np.ascontiguousarray(np.array(rows, np.float64)[:, :, detectors])
    _take(found, formulas, values)
    return found.reshape(2, *shape)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _take(found: Array, formulas: Array, values: Array) -> None:
    _, outer, detectors, inner = found.shape
    for block in range(outer):
        for detector in range(detectors):
            for start in range(0, inner, _TILE):
                counts = found[0, block, detector, start : start + _TILE]
                variance = found[1, block, detector, start : start + _TILE]
                for step in range(formulas.size):
                    value, weight = values[step, 0, detector], values[step, 1, detector]
                    if formulas[step] == BACKGROUND:
                        counts -= value
                    elif formulas[step] == DEAD_TIME:
                        _dead_time(counts, variance, value)
                    elif formulas[step] == EFFICIENCY:
                        _efficiency(counts, variance, value)
                    else:
                        _qsa(counts, variance, value, weight)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _dead_time(counts: Array, variance: Array, per_count: float) -> None:
    for index in range(counts.size):
        alive = 1.0 - counts[index] * per_count
        alive = alive if alive > 0.0 else np.nan
        counts[index] /= alive
        slope = 1.0 / (alive * alive)
        variance[index] *= slope * slope


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _efficiency(counts: Array, variance: Array, fraction: float) -> None:
    for index in range(counts.size):
        counts[index] /= fraction
        variance[index] /= fraction * fraction


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _qsa(counts: Array, variance: Array, primaries: float, beta: float) -> None:
    for index in range(counts.size):
        share = counts[index] / primaries
        rest = 1.0 - share / 2.0
        rest = rest if rest > 0.0 else np.nan
        factor = 1.0 + beta * share / rest
        slope = factor + beta * share / (rest * rest)
        counts[index] *= factor
        variance[index] *= slope * slope
