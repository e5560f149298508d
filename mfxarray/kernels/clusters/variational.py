"""Mixtures of Gaussians with diagonal covariances and a Dirichlet process prior of the weights.

Variational inference: how many components are populated is found, up to the number allowed.

References
----------
Blei, Jordan (2006), Variational inference for Dirichlet process mixtures. Bayesian Anal. 1, 121.
Bishop (2006), Pattern Recognition and Machine Learning, 10.2. Priors, defaults and the rule to
stop are those of scikit-learn's BayesianGaussianMixture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from mfxarray.kernels.clusters.kmeans import kmeans_start
from mfxarray.kernels.clusters.mixtures import MOST_ROUNDS, REGULARISATION, TOLERANCE, normalise
from mfxarray.kernels.clusters.streams import begin_stream, stream_names

__all__ = [
    "VariationalMixture",
    "best_variational",
    "fit_variational",
    "parts_by_variational",
    "variational_from",
]

Array = np.ndarray[Any, Any]

_LOG_2PI, _LOG_2 = float(np.log(2.0 * np.pi)), float(np.log(2.0))
_NONE = 10.0 * float(np.finfo(float).eps)
# prior of the mean: as if from so many points at the mean of all
_MEAN_POINTS = 1.0


@dataclass(frozen=True)
class VariationalMixture:
    """What is believed of a mixture of Gaussians after the points were seen.

    Attributes
    ----------
    resp
        To which part each component explains each point, shape (point, component).
    means, variances
        Shape (component, axis).
    concentrations
        Parameters a, b of the broken sticks of the weights, shape (component, 2).
    bound
        Lower bound of the log evidence but for constants.
    rounds
        Steps made; as many as were allowed if it did not converge.
    """

    resp: Array
    means: Array
    variances: Array
    concentrations: Array
    bound: float
    rounds: int

    @property
    def weights(self) -> Array:
        """Expected fractions, shape (component,), sum 1."""
        ones, rest = self.concentrations.T
        left = np.append(1.0, np.cumprod(rest / (ones + rest))[:-1])
        weights = ones / (ones + rest) * left
        return np.asarray(weights / weights.sum())


def fit_variational(
    points: Array,
    components: int,
    *,
    weight_prior: float,
    seed: int = 0,
    n_init: int = 3,
    tolerance: float = TOLERANCE,
    most_rounds: int = MOST_ROUNDS,
    regularisation: float = REGULARISATION,
) -> VariationalMixture:
    """Return the best of some fits, that with the highest bound, from different k-means.

    Parameters
    ----------
    points
        Shape (point, axis), finite, at least 2, in a unit in which they are not far from 1.
    components
        Most Gaussians, at most the number of points.
    weight_prior
        Concentration of the Dirichlet process: the smaller, the fewer components are populated.
    seed, n_init
        Of the starts, and how many.
    tolerance, most_rounds, regularisation
        As for `mfxarray.kernels.clusters.mixtures.fit_mixture`; the bound is that of all points.

    Raises
    ------
    ValueError
        If there are fewer points than components, or fewer than 2.
    """
    data = np.ascontiguousarray(points, float)
    if len(data) < 2 or not 1 <= components <= len(data) or n_init < 1:
        raise ValueError("give at least 2 points, no more components than points, n_init from 1")
    if not weight_prior > 0:
        raise ValueError(f"weight_prior must be above 0, not {weight_prior!r}")
    state = np.empty(1, np.uint64)
    begin_stream(stream_names(seed, np.zeros(1, np.int64))[0], state)
    rules = (tolerance, most_rounds, regularisation, weight_prior)
    return VariationalMixture(*best_variational(data, components, n_init, rules, state))


def variational_from(
    points: Array,
    resp: Array,
    *,
    weight_prior: float,
    tolerance: float = TOLERANCE,
    most_rounds: int = MOST_ROUNDS,
    regularisation: float = REGULARISATION,
) -> VariationalMixture:
    """Return the fit that starts from given responsibilities (point, component)."""
    rules = (tolerance, most_rounds, regularisation, weight_prior)
    return VariationalMixture(*_fit(np.ascontiguousarray(points, float), np.array(resp), rules))


@njit(nogil=True, cache=True, error_model="numpy")
def best_variational(points, components, n_init, rules, state):  # type: ignore[no-untyped-def]
    """Return resp, means, variances, concentrations, bound and rounds of the best of n_init."""
    resp = np.empty((len(points), components))
    kmeans_start(points, resp, state)
    best = _fit(points, resp, rules)
    for _ in range(1, n_init if components > 1 else 1):
        kmeans_start(points, resp, state)
        found = _fit(points, resp, rules)
        if found[4] > best[4]:
            best = found
    return best


@njit(nogil=True, cache=True, error_model="numpy")
def parts_by_variational(points, most, n_init, rules, state, labels, means):  # type: ignore[no-untyped-def]
    """Label points with their likeliest component and fill its means; return the components."""
    components = min(most, len(points))
    found = best_variational(points, components, n_init, rules, state)
    for point in range(len(points)):
        labels[point] = np.argmax(found[0][point])
    means[:components] = found[1]
    return components


@njit(nogil=True, cache=True, error_model="numpy")
def _fit(points, start, rules):  # type: ignore[no-untyped-def]
    tolerance, most_rounds, regularisation, weight_prior = rules
    resp = start.copy()
    components, axes = resp.shape[1], points.shape[1]
    means, variances = np.empty((components, axes)), np.empty((components, axes))
    counts, sticks = np.empty(components), np.empty((components, 2))
    centre, spread = _priors(points)
    belief = (regularisation, weight_prior, centre, spread)
    _maximise(points, resp, belief, counts, sticks, means, variances)
    bound, rounds = -np.inf, 0
    while rounds < most_rounds:
        before = bound
        entropy = _expect(points, counts, sticks, means, variances, resp)
        _maximise(points, resp, belief, counts, sticks, means, variances)
        bound = entropy + _evidence(counts, sticks, variances)
        rounds += 1
        if abs(bound - before) < tolerance:
            break
    _expect(points, counts, sticks, means, variances, resp)
    return resp, means, variances, sticks, bound, rounds


@njit(nogil=True, cache=True, error_model="numpy")
def _priors(points):  # type: ignore[no-untyped-def]
    """Return mean and sample variance of all points along each axis."""
    n, axes = points.shape
    centre, spread = np.empty(axes), np.empty(axes)
    for axis in range(axes):
        centre[axis] = points[:, axis].sum() / n
        spread[axis] = ((points[:, axis] - centre[axis]) ** 2).sum() / (n - 1)
    return centre, spread


@njit(nogil=True, cache=True, error_model="numpy")
def _maximise(points, resp, belief, counts, sticks, means, variances):  # type: ignore[no-untyped-def]
    regularisation, weight_prior, centre, spread = belief
    components, axes = means.shape
    for component in range(components):
        n = _NONE
        for point in range(len(points)):
            n += resp[point, component]
        counts[component] = n
        for axis in range(axes):
            summed = 0.0
            for point in range(len(points)):
                summed += resp[point, component] * points[point, axis]
            mean = summed / n
            squares = 0.0
            for point in range(len(points)):
                squares += resp[point, component] * (points[point, axis] - mean) ** 2
            own = squares / n + regularisation
            apart = mean - centre[axis]
            pull = _MEAN_POINTS / (_MEAN_POINTS + n)
            means[component, axis] = (_MEAN_POINTS * centre[axis] + n * mean) / (_MEAN_POINTS + n)
            scatter = spread[axis] + n * (own + pull * apart * apart)
            variances[component, axis] = scatter / (axes + n)
    left = 0.0
    for component in range(components - 1, -1, -1):
        sticks[component, 0] = 1.0 + counts[component]
        sticks[component, 1] = weight_prior + left
        left += counts[component]


@njit(nogil=True, cache=True, error_model="numpy")
def _expect(points, counts, sticks, means, variances, resp):  # type: ignore[no-untyped-def]
    """Fill responsibilities; return their entropy."""
    components, axes = means.shape
    constants = np.empty(components)
    broken = 0.0
    for component in range(components):
        one, rest = sticks[component]
        both = digamma(one + rest)
        freedom = axes + counts[component]
        value = digamma(one) - both + broken
        broken += digamma(rest) - both
        value -= 0.5 * axes * (_LOG_2PI + np.log(freedom) - _LOG_2)
        value -= 0.5 * axes / (_MEAN_POINTS + counts[component])
        for axis in range(axes):
            value += 0.5 * (digamma(0.5 * (freedom - axis)) - np.log(variances[component, axis]))
        constants[component] = value
    entropy = 0.0
    for point in range(len(points)):
        for component in range(components):
            squares = 0.0
            for axis in range(axes):
                step = points[point, axis] - means[component, axis]
                squares += step * step / variances[component, axis]
            resp[point, component] = constants[component] - 0.5 * squares
        normalise(resp[point])
        for component in range(components):
            part = resp[point, component]
            entropy -= part * np.log(part) if part > 0.0 else 0.0
    return entropy


@njit(nogil=True, cache=True, error_model="numpy")
def _evidence(counts, sticks, variances):  # type: ignore[no-untyped-def]
    """Return what sticks, means and variances add to the lower bound, but for constants."""
    components, axes = variances.shape
    total = 0.0
    for component in range(components):
        freedom = axes + counts[component]
        # of the precision matrix of the Wishart distribution, which is freedom times the scatter
        half = -0.5 * axes * np.log(freedom)
        for axis in range(axes):
            half -= 0.5 * np.log(variances[component, axis])
            total += math.lgamma(0.5 * (freedom - axis))
        total += freedom * half + 0.5 * freedom * axes * _LOG_2
        one, rest = sticks[component]
        total += math.lgamma(one) + math.lgamma(rest) - math.lgamma(one + rest)
        total -= 0.5 * axes * np.log(_MEAN_POINTS + counts[component])
    return total


@njit(nogil=True, cache=True, error_model="numpy")
def digamma(x):  # type: ignore[no-untyped-def]
    """Return the derivative of the logarithm of the gamma function, for x above 0."""
    value = 0.0
    while x < 10.0:
        value -= 1.0 / x
        x += 1.0
    square = 1.0 / (x * x)
    # asymptotic series with Bernoulli numbers, below 1e-15 from 10 on
    series = 1.0 / 12.0 - square * (
        1.0 / 120.0
        - square
        * (1.0 / 252.0 - square * (1.0 / 240.0 - square * (1.0 / 132.0 - square * 691.0 / 32760.0)))
    )
    return value + np.log(x) - 0.5 / x - square * series
