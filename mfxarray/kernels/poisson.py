"""Confidence intervals of a binomial fraction, made for ratios of Poisson counts.

Given n = a + b, the count a of two Poisson counts is binomial with p = mean_a / (mean_a + mean_b),
so an interval of p is one of the fraction a / (a + b), and of the ratio a / b as p / (1 - p).

Clopper and Pearson's interval takes quantiles of the beta distributions (a, b + 1) and (a + 1, b);
it covers too often (by 0.8 percentage points still at 100 counts each). Jeffreys' takes both from
(a + 1/2, b + 1/2); its mean is right, but it covers 91.7 % only at some means near 3 counts. Ours
takes (a + s, b + 1 - s), where s comes from the interval of Blaker for a single Poisson count: it
accepts as few values as reach the level, so the coverage stays just above it. Where both counts
are large s is 1/2.

References
----------
Clopper & Pearson 1934, Biometrika 26, 404. Blaker 2000, Can. J. Stat. 28, 783.
Brown, Cai & DasGupta 2001, Stat. Sci. 16, 101.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from scipy import special

__all__ = ["METHODS", "fraction_interval", "poisson_interval"]

Array = np.ndarray[Any, Any]

METHODS = ("blaker", "clopper-pearson", "jeffreys")
# from here on Jeffreys' interval covers 95 % within 0.3 percentage points at all means
_LARGE = 400
# the level is taken this much lower: then coverage stays below 95.5 % from 100 counts on
_EASE = 1.02
_CELLS = 64
_HALVINGS = 60


def fraction_interval(
    part: Array, rest: Array, *, confidence: float = 0.95, method: str = "blaker"
) -> tuple[Array, Array]:
    """Return the interval of p = part / (part + rest) for Poisson counts.

    Parameters
    ----------
    part, rest
        Counts, not negative; effective counts (value squared over variance) need not be whole.
        NaN gives NaN.
    confidence
        Probability that the interval covers the truth.
    method
        "blaker" (ours), "clopper-pearson" (never covers less) or "jeffreys".

    Returns
    -------
    low, high
        float64; 0 and 1 where nothing was counted.

    Notes
    -----
    About 3 µs a pixel. Coverage of 95 % for means from 3 to 1e5, summed exactly over Poisson and
    binomial probabilities (benchmarks/ratio_coverage.py), by the smaller mean:

    ============== ============= ================ =============
    smaller mean   blaker        clopper-pearson  jeffreys
    ============== ============= ================ =============
    3 to 10        94.9 - 98.7   95.5 - 99.1      91.5 - 97.3
    10 to 30       94.9 - 96.8   95.0 - 97.6      93.0 - 96.3
    30 to 100      94.9 - 96.0   95.0 - 96.7      93.9 - 95.9
    100 to 300     94.9 - 95.5   95.0 - 96.0      94.4 - 95.5
    300 and more   94.7 - 95.3   95.0 - 95.6      94.6 - 95.3
    ============== ============= ================ =============

    The extremes are those of a species that is rare beside the other; where both are of one size
    the random total smooths them.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, not {method!r}")
    part, rest = np.broadcast_arrays(np.asarray(part, float), np.asarray(rest, float))
    below, above = _shifts(part, rest, confidence, method)
    tail = (1.0 - confidence) / 2.0
    with np.errstate(invalid="ignore"):
        low = special.betaincinv(part + below, rest + 1.0 - below, tail)
        high = special.betaincinv(part + above, rest + 1.0 - above, 1.0 - tail)
    unknown = np.isnan(part) | np.isnan(rest)
    low = np.where(part == 0, 0.0, low)
    high = np.where(rest == 0, 1.0, high)
    return np.where(unknown, np.nan, low), np.where(unknown, np.nan, high)


def poisson_interval(largest: int, level: float) -> tuple[Array, Array]:
    """Return Blaker's interval of a Poisson mean for all counts from 0 to ``largest``.

    Parameters
    ----------
    largest
        Largest count.
    level
        Probability, at most, that the interval misses the mean.

    Returns
    -------
    low, high
        Shape (largest + 1,); the outermost means that the test does not reject.
    """
    counts = np.arange(largest + 1.0)
    some = np.maximum(counts, 1.0)
    # a limit lies between the one-sided limits of half the level and of all of it
    low = _outermost(
        _accepted_above,
        some,
        special.gammaincinv(some, level / 2),
        special.gammaincinv(some, level),
        level,
    )
    low[0] = 0.0
    high = _outermost(
        _accepted_below,
        counts,
        special.gammaincinv(counts + 1, 1 - level / 2),
        special.gammaincinv(counts + 1, 1 - level),
        level,
    )
    return low, high


def _shifts(part: Array, rest: Array, confidence: float, method: str) -> tuple[Array, Array]:
    """Return what is added to the first parameter of the beta distribution, for low and high."""
    if method != "blaker":
        below, above = (0.0, 1.0) if method == "clopper-pearson" else (0.5, 0.5)
        return np.full(part.shape, below), np.full(part.shape, above)
    low, high = _poisson_shifts(confidence)
    total = part + rest
    with np.errstate(invalid="ignore"):
        share = np.where(total > 0, part / total, 0.5)
    # a small part is as good as Poisson, and so is a small rest, seen from the other end
    below = (1 - share) * _look_up(low, part) + share * (1 - _look_up(high, rest))
    above = (1 - share) * _look_up(high, part) + share * (1 - _look_up(low, rest))
    return below, above


def _look_up(table: Array, counts: Array) -> Array:
    inside = np.interp(counts, np.arange(len(table)), table)
    return np.where(counts < len(table), inside, 0.5)


@lru_cache(maxsize=16)
def _poisson_shifts(confidence: float) -> tuple[Array, Array]:
    """Return s by count such that gamma quantiles of shape count + s are Blaker's limits."""
    level = 1.0 - confidence
    low, high = poisson_interval(_LARGE, min(level * _EASE, 0.999))
    return _shape_shift(low, level / 2), _shape_shift(high, 1 - level / 2)


def _shape_shift(limits: Array, probability: float) -> Array:
    counts = np.arange(float(len(limits)))
    small, large = np.full(len(limits), -0.5), np.full(len(limits), 1.5)
    for _ in range(_HALVINGS):
        middle = (small + large) / 2
        too_small = special.gammainc(np.maximum(counts + middle, 1e-12), limits) > probability
        small, large = np.where(too_small, middle, small), np.where(too_small, large, middle)
    return np.clip((small + large) / 2, 0.0, 1.0)


def _outermost(accepted: Any, counts: Array, outer: Array, inner: Array, level: float) -> Array:
    """Return the accepted mean that is nearest to ``outer``, searched in cells, then halved."""
    steps = np.linspace(0.0, 1.0, _CELLS + 1)
    grid = outer[:, None] + (inner - outer)[:, None] * steps
    fine = accepted(counts[:, None], grid) > level
    fine[:, -1] = True
    cell = np.maximum(fine.argmax(axis=1), 1)
    rows = np.arange(len(counts))
    wrong, right = grid[rows, cell - 1], grid[rows, cell]
    for _ in range(_HALVINGS):
        middle = (wrong + right) / 2
        fits = accepted(counts, middle) > level
        wrong, right = np.where(fits, wrong, middle), np.where(fits, middle, right)
    return right


def _accepted_above(counts: Array, means: Array) -> Array:
    """Return Blaker's acceptability of counts above the mean: both tails no likelier than theirs.

    The opposite tail is the largest P(X <= j) that does not exceed P(X >= count).
    """
    tail = special.gammainc(counts, means)
    j = np.floor(special.pdtrik(tail, means))
    # the inverse is a real number and may be off by rounding
    j = np.where(special.pdtr(np.maximum(j, -1) + 1, means) <= tail, j + 1, j)
    other = np.where(j >= 0, special.pdtr(np.maximum(j, 0), means), 0.0)
    before = np.where(j >= 1, special.pdtr(np.maximum(j - 1, 0), means), 0.0)
    return tail + np.where(other <= tail, other, before)


def _accepted_below(counts: Array, means: Array) -> Array:
    """Return Blaker's acceptability of counts below the mean, as `_accepted_above`."""
    tail = special.pdtr(counts, means)
    j = np.ceil(special.pdtrik(1.0 - tail, means)) + 1
    j = np.where(special.gammainc(j - 1, means) <= tail, j - 1, j)
    other = special.gammainc(j, means)
    return tail + np.where(other <= tail, other, special.gammainc(j + 1, means))
