"""Quotients of counts, what is made of them, their errors and their confidence intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mfxarray.kernels.poisson import fraction_interval

__all__ = [
    "FRACTION",
    "RATIO",
    "Quantity",
    "delta_from",
    "effective_counts",
    "interval",
    "turnover_between",
    "value_and_error",
]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Quantity:
    """A monotone function of the ratio R of two counts.

    Attributes
    ----------
    of
        Takes R, infinity included, to the quantity.
    slope
        Takes R to the derivative.
    falls
        True where the quantity falls as R grows.
    """

    of: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    falls: bool = False


def value_and_error(
    above: Array,
    below: Array,
    above_variance: Array | None = None,
    below_variance: Array | None = None,
    **options: Any,
) -> Array:
    """Return the quantity of ``above / below`` and its standard error, shape (2, ...).

    Parameters
    ----------
    above, below
        Independent counts.
    above_variance, below_variance
        Their variances; the counts themselves if None.
    **options
        ``quantity`` (Quantity) and ``least``: NaN where the effective counts of both together are
        fewer.

    Notes
    -----
    Delta method: ``sd(R) = sqrt(var_above + R^2 var_below) / below``. Where that is 0, because
    nothing was counted, it tells nothing and is NaN. What is not finite is NaN.
    """
    quantity: Quantity = options["quantity"]
    width, width_below = _variances(above, above_variance), _variances(below, below_variance)
    with np.errstate(all="ignore"):
        ratio = above / below
        spread = np.sqrt(width + ratio * ratio * width_below) / np.abs(below)
        error = np.abs(quantity.slope(ratio)) * spread
        found = np.stack([quantity.of(ratio), np.where(error > 0, error, np.nan)])
        counts = effective_counts(above, above_variance)
        counts = counts + effective_counts(below, below_variance)
    return np.where(np.isfinite(found) & (counts >= options["least"]), found, np.nan)


def interval(
    above: Array,
    below: Array,
    above_variance: Array | None = None,
    below_variance: Array | None = None,
    **options: Any,
) -> Array:
    """Return both ends of the confidence interval of a quantity, shape (2, ...).

    Parameters
    ----------
    above, below
        Independent counts.
    above_variance, below_variance
        Their variances; the counts themselves if None.
    **options
        ``quantity`` and ``least`` as for `value_and_error`; ``confidence`` and ``method`` of
        `mfxarray.kernels.poisson.fraction_interval`.

    Notes
    -----
    Exact for Poisson counts and multiples of them (a yield). For other corrected counts it is that
    of as many effective counts, value squared over variance, which have the same relative error.
    NaN for negative values, and where a count of 0 was corrected and its scale is lost.
    """
    quantity: Quantity = options["quantity"]
    with np.errstate(all="ignore"):
        first = effective_counts(above, above_variance)
        second = effective_counts(below, below_variance)
        unit = _per_count(above, above_variance) / _per_count(below, below_variance)
        low, high = fraction_interval(
            np.where(above >= 0, first, np.nan),
            np.where(below >= 0, second, np.nan),
            confidence=options["confidence"],
            method=options["method"],
        )
        ends = [np.where(end == 0, 0.0, unit * end / (1.0 - end)) for end in (low, high)]
        ends[1] = np.where(high == 1, np.where(np.isnan(below), np.nan, np.inf), ends[1])
        found = np.stack([quantity.of(end) for end in (ends[::-1] if quantity.falls else ends)])
    return np.where(first + second >= options["least"], found, np.nan)


def effective_counts(values: Array, variance: Array | None = None) -> Array:
    """Return the Poisson counts with the same relative error; the counts, where they are raw."""
    if variance is None:
        return values
    return np.where(values == 0, 0.0, values * (values / variance))


def _variances(values: Array, variance: Array | None) -> Array:
    return values if variance is None else variance


def _per_count(values: Array, variance: Array | None) -> Any:
    """Return how much one effective count weighs."""
    return 1.0 if variance is None else variance / values


def _ratio(ratio: Array) -> Array:
    return ratio


def _one(ratio: Array) -> Array:
    return np.ones_like(ratio)


def _fraction(ratio: Array) -> Array:
    return np.where(np.isinf(ratio), 1.0, ratio / (1.0 + ratio))


def _fraction_slope(ratio: Array) -> Array:
    return 1.0 / (1.0 + ratio) ** 2


RATIO = Quantity(_ratio, _one)
FRACTION = Quantity(_fraction, _fraction_slope)


def delta_from(standard: float) -> Quantity:
    """Return the deviation from a standard ratio, permil: ``1000 (R / standard - 1)``."""
    return Quantity(partial(_delta, standard=standard), partial(_delta_slope, standard=standard))


def _delta(ratio: Array, standard: float) -> Array:
    return 1000.0 * (ratio / standard - 1.0)


def _delta_slope(ratio: Array, standard: float) -> Array:
    return np.full_like(ratio, 1000.0 / standard)


def turnover_between(background: float, reference: float) -> Quantity:
    """Return the way from a background to a reference ratio as atom fractions, percent.

    ``100 (R - bg) / (ref - bg) * (1 + ref) / (1 + R)``.
    """
    ends: dict[str, Any] = {"background": background, "reference": reference}
    return Quantity(
        partial(_turnover, **ends), partial(_turnover_slope, **ends), reference < background
    )


def _turnover(ratio: Array, background: float, reference: float) -> Array:
    scale = 100.0 * (1.0 + reference) / (reference - background)
    way = np.where(np.isinf(ratio), 1.0, (ratio - background) / (1.0 + ratio))
    return scale * way


def _turnover_slope(ratio: Array, background: float, reference: float) -> Array:
    scale = 100.0 * (1.0 + reference) / (reference - background)
    return scale * (1.0 + background) / (1.0 + ratio) ** 2
