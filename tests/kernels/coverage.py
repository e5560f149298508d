"""The exact coverage of intervals of a ratio of two Poisson counts: sums of probabilities."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import stats

__all__ = ["coverage", "poisson_coverage"]

Interval = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def coverage(above: float, below: float, interval: Interval) -> float:
    """Return how often the interval covers the truth for two Poisson means.

    The total is Poisson; given the total the first count is binomial. For each total, the counts
    whose interval covers the true fraction are a range, found by halving.
    """
    truth, mean = above / (above + below), above + below
    width = 8 * np.sqrt(mean) + 10
    totals = np.arange(max(0, int(mean - width)), int(mean + width) + 1)
    weights = stats.poisson.pmf(totals, mean)

    def first(holds: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Return the smallest count of each total for which a rising condition holds."""
        low, high = np.full(totals.shape, -1), totals + 1
        while (high - low > 1).any():
            middle = (low + high) // 2
            found = holds(np.clip(middle, 0, totals)) | (middle > totals)
            low, high = np.where(found, low, middle), np.where(found, middle, high)
        return high

    least = first(lambda count: interval(count, totals - count)[1] >= truth)
    most = first(lambda count: interval(count, totals - count)[0] > truth) - 1
    inside = stats.binom.cdf(most, totals, truth) - stats.binom.cdf(least - 1, totals, truth)
    return float((weights * inside).sum() / weights.sum())


def poisson_coverage(means: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return how often intervals of a Poisson mean, given by count, cover it."""
    counts = np.arange(len(low))
    return np.array(
        [stats.poisson.pmf(counts[(low <= mean) & (mean <= high)], mean).sum() for mean in means]
    )
