"""Mixtures of Gaussians of single numbers, each of which may count more than once.

References
----------
Dempster, Laird, Rubin (1977), Maximum likelihood from incomplete data via the EM algorithm.
J. R. Stat. Soc. B 39, 1. Schwarz (1978), Estimating the dimension of a model. Ann. Stat. 6, 461.
Arthur, Vassilvitskii (2007), k-means++: the advantages of careful seeding. Proc. SODA 18, 1027.
Sheppard (1898), On the calculation of the most probable values of frequency-constants for data
arranged according to equidistant division of a scale. Proc. London Math. Soc. 29, 353.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

__all__ = [
    "Binned",
    "Gaussians",
    "fit_gaussians",
]

Array = np.ndarray[Any, Any]

TOLERANCE, MOST_ROUNDS = 1e-10, 1000
# starts are compared after at most so many rounds, and only the best is followed to the end
_ROUGH, _FEW_ROUNDS = 1e-7, 200
# how far starts lie from the middle, times as far as evenly filled components would
_STRETCHES = (0.8, 1.2, 0.4)
_LEAST_SHARE = 1e-6
# of the mean log likelihood, by which a later start must be better
_GAIN = 1e-7
_LOG_2PI = math.log(2.0 * math.pi)


@dataclass(frozen=True)
class Gaussians:
    """A mixture of Gaussians, in the order of their means.

    Attributes
    ----------
    means, widths
        Means and standard deviations, shape (component,).
    fractions
        Shape (component,), sum 1.
    log_likelihood
        Of all values, each as often as it counts.
    rounds
        Steps made from the start that won.
    converged
        Whether the last step raised the mean log likelihood by less than the tolerance.
    """

    means: Array
    widths: Array
    fractions: Array
    log_likelihood: float
    rounds: int
    converged: bool


@dataclass(frozen=True)
class Binned:
    """Values counted in bins of one width.

    Attributes
    ----------
    counts
        Shape (bin,), not negative.
    low, high
        Where the first bin begins and the last one ends.
    """

    counts: Array
    low: float
    high: float

    @property
    def width(self) -> float:
        """Width of a bin."""
        return (self.high - self.low) / len(self.counts)

    def filled(self) -> tuple[Array, Array]:
        """Return the centres of the bins that are not empty, and their counts."""
        bins = np.flatnonzero(self.counts)
        return self.low + (bins + 0.5) * self.width, self.counts[bins].astype(float)


def fit_gaussians(
    binned: Binned,
    components: int,
    values: Array | None = None,
    weights: Array | None = None,
    *,
    seed: int = 0,
    starts: int = 8,
    least_width: float = 0.01,
    tolerance: float = TOLERANCE,
    most_rounds: int = MOST_ROUNDS,
) -> Gaussians | None:
    """Return the likeliest mixture that is found from some starts, None if there is none.

    Parameters
    ----------
    binned
        All values, from which the starts are compared.
    components
        Number of Gaussians.
    values, weights
        The values themselves, sorted, and how often each counts; then the best start is followed to
        the maximum of their own likelihood. Without them the mixture is that of the bins.
    seed, starts
        Of the starts, and how many: up to three from quantiles, the rest drawn at random.
    least_width
        Of a component, in standard deviations of all values. Below it equal numbers, of which there
        are many where photons are few, would make a component of their own.
    tolerance
        Stop when the mean log likelihood rises by less.
    most_rounds
        Stop then in any case.

    Notes
    -----
    Bins of width h see a width of sqrt(s^2 + h^2 / 12), which is undone (Sheppard); means are off
    by far less than h / 2. A start is given up when a component loses all but 1e-6 of the values.
    None comes out of fewer different numbers than components.
    """
    centres, counts = binned.filled()
    if values is not None and weights is not None and len(values) <= len(binned.counts):
        centres, counts = values, weights
    if len(np.unique(centres)) < max(components, 2):
        return None
    middle, scale = _moments(centres, counts)
    rules = (least_width, tolerance, most_rounds)
    best = _best_start((centres - middle) / scale, counts, components, (seed, starts), rules)
    if best is None:
        return None
    if values is not None and weights is not None:
        scaled, used = (values - middle) / scale, weights
        best = _followed(scaled, used, best.means, best.widths, best.fractions, rules) or best
    return _unscaled(best, middle, scale, binned.width if values is None else 0.0, counts.sum())


def _moments(values: Array, weights: Array) -> tuple[float, float]:
    total = float(weights.sum())
    middle = float((weights * values).sum()) / total
    return middle, math.sqrt(float((weights * (values - middle) ** 2).sum()) / total)


def _best_start(
    values: Array, weights: Array, components: int, draws: tuple[int, int], rules: Any
) -> Gaussians | None:
    best: Gaussians | None = None
    rough = (rules[0], max(_ROUGH, rules[1]), min(_FEW_ROUNDS, rules[2]))
    for means in _starts(values, weights, components, *draws):
        widths = np.full(components, 1.0 / components)
        fractions = np.full(components, 1.0 / components)
        found = _followed(values, weights, means, widths, fractions, rough)
        # a gain that is only rounding must not decide
        if found is not None and (
            best is None or found.log_likelihood > best.log_likelihood + _GAIN * weights.sum()
        ):
            best = found
    if best is None:
        return None
    return _followed(values, weights, best.means, best.widths, best.fractions, rules) or best


def _starts(
    values: Array, weights: Array, components: int, seed: int, starts: int
) -> Iterator[Array]:
    """Yield the means to start from: quantiles, then values drawn far from each other."""
    order = np.argsort(values, kind="stable")
    ordered, reached = values[order], np.cumsum(weights[order]) / weights.sum()
    even = (np.arange(components) + 0.5) / components
    fixed = _STRETCHES[: starts if components > 1 else 1]
    for stretch in fixed:
        places = np.searchsorted(reached, 0.5 + (even - 0.5) * stretch)
        yield ordered[np.minimum(places, len(ordered) - 1)]
    generator = np.random.default_rng(seed)
    for _ in range(starts - len(fixed) if components > 1 else 0):
        yield _spread_draw(values, weights, components, generator)


def _spread_draw(
    values: Array, weights: Array, components: int, generator: np.random.Generator
) -> Array:
    """Return values drawn so that those far from the ones drawn before are likelier."""
    means = np.empty(components)
    chance = weights.astype(float)
    for number in range(components):
        reached = np.cumsum(chance)
        place = np.searchsorted(reached, generator.random() * reached[-1], side="right")
        means[number] = values[min(int(place), len(values) - 1)]
        nearest = np.abs(values[:, None] - means[: number + 1]).min(axis=1)
        chance = weights * nearest**2
    return means


def _followed(
    values: Array, weights: Array, means: Array, widths: Array, fractions: Array, rules: Any
) -> Gaussians | None:
    """Return the maximum that a start leads to, None if a component vanishes on the way."""
    state = np.stack([means, widths, fractions])
    likelihood, rounds, converged = _climb(values, weights.astype(float), state, *rules)
    if rounds < 0:
        return None
    return Gaussians(state[0], state[1], state[2], likelihood, rounds, bool(converged))


def _unscaled(found: Gaussians, middle: float, scale: float, bin_width: float, n: float) -> Any:
    order = np.argsort(found.means, kind="stable")
    widths = found.widths[order] * scale
    if bin_width:
        # what is narrower than a bin is not known better than that
        widths = np.sqrt(np.maximum(widths**2 - bin_width**2 / 12, bin_width**2 / 12))
    return Gaussians(
        found.means[order] * scale + middle,
        widths,
        found.fractions[order],
        found.log_likelihood - float(n) * math.log(scale),
        found.rounds,
        found.converged,
    )


@njit(nogil=True, cache=True, error_model="numpy")
def _climb(values, weights, state, least_width, tolerance, most_rounds):  # type: ignore[no-untyped-def]
    """Move means, widths and fractions to a maximum; rounds are -1 if a component vanishes."""
    components, total = state.shape[1], weights.sum()
    sums, logs = np.empty((3, components)), np.empty(components)
    before = -np.inf
    for number in range(most_rounds + 1):
        likelihood = _expect(values, weights, state, sums, logs) / total
        if abs(likelihood - before) < tolerance or number == most_rounds:
            return likelihood * total, number, number < most_rounds
        before = likelihood
        for part in range(components):
            if sums[0, part] < _LEAST_SHARE * total:
                return likelihood * total, -1, False
            step = sums[1, part] / sums[0, part]
            state[0, part] += step
            variance = sums[2, part] / sums[0, part] - step * step
            state[1, part] = max(np.sqrt(max(variance, 0.0)), least_width)
            state[2, part] = sums[0, part] / total
    return before * total, most_rounds, False


@njit(nogil=True, cache=True, error_model="numpy")
def _expect(values, weights, state, sums, logs):  # type: ignore[no-untyped-def]
    """Fill the sums of parts, of parts times distance and its square; return the likelihood."""
    components = state.shape[1]
    constants = np.log(state[2]) - np.log(state[1]) - 0.5 * _LOG_2PI
    sums[:] = 0.0
    likelihood = 0.0
    for place in range(len(values)):
        highest = -np.inf
        for part in range(components):
            step = (values[place] - state[0, part]) / state[1, part]
            logs[part] = constants[part] - 0.5 * step * step
            highest = max(highest, logs[part])
        total = 0.0
        for part in range(components):
            logs[part] = np.exp(logs[part] - highest)
            total += logs[part]
        likelihood += weights[place] * (highest + np.log(total))
        for part in range(components):
            share = weights[place] * logs[part] / total
            distance = values[place] - state[0, part]
            sums[0, part] += share
            sums[1, part] += share * distance
            sums[2, part] += share * distance * distance
    return likelihood
