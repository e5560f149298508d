"""Mixtures of Gaussians with diagonal covariances, by expectation and maximization.

References
----------
Dempster, Laird, Rubin (1977), Maximum likelihood from incomplete data via the EM algorithm.
J. R. Stat. Soc. B 39, 1. Schwarz (1978), Estimating the dimension of a model. Ann. Stat. 6, 461.
Defaults and the rule to stop are those of scikit-learn's GaussianMixture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from mfxarray.kernels.clusters.kmeans import kmeans_start, random_start
from mfxarray.kernels.clusters.streams import begin_stream, stream_names

__all__ = [
    "Mixture",
    "best_mixture",
    "bic_of",
    "fit_mixture",
    "mixture_from",
    "parts_by_bic",
    "responsibilities",
]

Array = np.ndarray[Any, Any]

TOLERANCE, MOST_ROUNDS, REGULARISATION = 1e-3, 100, 1e-6
_LOG_2PI = float(np.log(2.0 * np.pi))
# keeps components without points from dividing by 0
_NONE = 10.0 * float(np.finfo(float).eps)


@dataclass(frozen=True)
class Mixture:
    """A mixture of Gaussians.

    Attributes
    ----------
    weights
        Fractions, shape (component,), sum 1.
    means, variances
        Shape (component, axis).
    log_likelihood
        Of all points.
    bound
        Mean log likelihood of a point before the last step, by which starts are compared.
    rounds
        Steps made; as many as were allowed if it did not converge.
    """

    weights: Array
    means: Array
    variances: Array
    log_likelihood: float
    bound: float
    rounds: int

    def bic(self, n: int) -> float:
        """Return the Bayesian information criterion for ``n`` points: less is better."""
        return float(bic_of(self.log_likelihood, n, *self.means.shape))


def fit_mixture(
    points: Array,
    components: int,
    *,
    seed: int = 0,
    n_init: int = 3,
    start: str = "kmeans",
    least_variance: float = 0.0,
    tolerance: float = TOLERANCE,
    most_rounds: int = MOST_ROUNDS,
    regularisation: float = REGULARISATION,
) -> Mixture:
    """Return the best of some fits of a mixture from different starts.

    Parameters
    ----------
    points
        Shape (point, axis), finite, in a unit in which they are not far from 1.
    components
        Number of Gaussians, at most the number of points.
    seed, n_init
        Of the starts, and how many.
    start
        "kmeans" or "random".
    least_variance
        Variances are kept at this or above. It must not be 0 for few points: a component of a
        single one would be infinitely likely but for ``regularisation``.
    tolerance
        Stop when the mean log likelihood rises by less.
    most_rounds
        Stop then in any case.
    regularisation
        What is added to each variance.

    Raises
    ------
    ValueError
        If there are fewer points than components, or the start is unknown.
    """
    data = np.ascontiguousarray(points, float)
    if start not in ("kmeans", "random"):
        raise ValueError(f"start must be 'kmeans' or 'random', not {start!r}")
    if not 1 <= components <= len(data) or n_init < 1:
        raise ValueError(f"{len(data)} points allow 1 to {len(data)} components, n_init from 1")
    state = np.empty(1, np.uint64)
    begin_stream(stream_names(seed, np.zeros(1, np.int64))[0], state)
    rules = (tolerance, most_rounds, regularisation, least_variance)
    return Mixture(*best_mixture(data, components, n_init, start == "random", rules, state))


def mixture_from(
    points: Array,
    resp: Array,
    *,
    least_variance: float = 0.0,
    tolerance: float = TOLERANCE,
    most_rounds: int = MOST_ROUNDS,
    regularisation: float = REGULARISATION,
) -> Mixture:
    """Return the fit of a mixture that starts from given responsibilities (point, component)."""
    work = np.array(resp, float)
    rules = (tolerance, most_rounds, regularisation, least_variance)
    return Mixture(*_fit(np.ascontiguousarray(points, float), work, rules))


def responsibilities(points: Array, mixture: Mixture) -> Array:
    """Return to which part each component explains each point, shape (point, component)."""
    data = np.ascontiguousarray(points, float)
    resp = np.empty((len(data), len(mixture.weights)))
    _expect(data, mixture.weights, mixture.means, mixture.variances, resp)
    return resp


@njit(nogil=True, cache=True, error_model="numpy")
def bic_of(log_likelihood, n, components, axes):  # type: ignore[no-untyped-def]
    """Return the Bayesian information criterion of a mixture: less is better."""
    parameters = 2 * components * axes + components - 1
    return -2.0 * log_likelihood + parameters * np.log(np.float64(n))


@njit(nogil=True, cache=True, error_model="numpy")
def best_mixture(points, components, n_init, at_random, rules, state):  # type: ignore[no-untyped-def]
    """Return weights, means, variances, log likelihood, bound and rounds of the best of n_init."""
    resp = np.empty((len(points), components))
    kmeans_start(points, resp, state) if not at_random else random_start(resp, state)
    best = _fit(points, resp, rules)
    for _ in range(1, n_init if components > 1 else 1):
        if at_random:
            random_start(resp, state)
        else:
            kmeans_start(points, resp, state)
        found = _fit(points, resp, rules)
        if found[4] > best[4]:
            best = found
    return best


@njit(nogil=True, cache=True, error_model="numpy")
def parts_by_bic(points, most, n_init, rules, state, labels):  # type: ignore[no-untyped-def]
    """Label points with their likeliest component in the mixture of the lowest criterion.

    Returns how many components that has; the smaller number wins a tie.
    """
    least, chosen = np.inf, 0
    for components in range(1, min(most, len(points)) + 1):
        found = best_mixture(points, components, n_init, False, rules, state)
        value = bic_of(found[3], len(points), components, points.shape[1])
        if value < least:
            least, chosen = value, components
            resp = np.empty((len(points), components))
            _expect(points, found[0], found[1], found[2], resp)
            for point in range(len(points)):
                labels[point] = np.argmax(resp[point])
    return chosen


@njit(nogil=True, cache=True, error_model="numpy")
def _fit(points, resp, rules):  # type: ignore[no-untyped-def]
    tolerance, most_rounds, regularisation, least = rules
    components, axes = resp.shape[1], points.shape[1]
    weights = np.empty(components)
    means, variances = np.empty((components, axes)), np.empty((components, axes))
    _maximise(points, resp, regularisation, least, weights, means, variances)
    bound, rounds = -np.inf, 0
    while rounds < most_rounds:
        before = bound
        bound = _expect(points, weights, means, variances, resp) / len(points)
        _maximise(points, resp, regularisation, least, weights, means, variances)
        rounds += 1
        if abs(bound - before) < tolerance:
            break
    likelihood = _expect(points, weights, means, variances, resp)
    return weights, means, variances, likelihood, bound, rounds


@njit(nogil=True, cache=True, error_model="numpy")
def _maximise(points, resp, regularisation, least, weights, means, variances):  # type: ignore[no-untyped-def]
    n = len(points)
    for component in range(len(weights)):
        total = _NONE
        for point in range(n):
            total += resp[point, component]
        weights[component] = total / n
        for axis in range(points.shape[1]):
            summed = 0.0
            for point in range(n):
                summed += resp[point, component] * points[point, axis]
            mean = summed / total
            squares = 0.0
            for point in range(n):
                squares += resp[point, component] * (points[point, axis] - mean) ** 2
            means[component, axis] = mean
            variances[component, axis] = max(squares / total + regularisation, least)
    weights /= weights.sum()


@njit(nogil=True, cache=True, error_model="numpy")
def _expect(points, weights, means, variances, resp):  # type: ignore[no-untyped-def]
    """Fill responsibilities; return the log likelihood of all points."""
    components, axes = means.shape
    constants = np.empty(components)
    for component in range(components):
        constants[component] = np.log(weights[component]) - 0.5 * axes * _LOG_2PI
        for axis in range(axes):
            constants[component] -= 0.5 * np.log(variances[component, axis])
    likelihood = 0.0
    for point in range(len(points)):
        for component in range(components):
            squares = 0.0
            for axis in range(axes):
                step = points[point, axis] - means[component, axis]
                squares += step * step / variances[component, axis]
            resp[point, component] = constants[component] - 0.5 * squares
        likelihood += normalise(resp[point])
    return likelihood


@njit(nogil=True, cache=True, error_model="numpy")
def normalise(logs):  # type: ignore[no-untyped-def]
    """Turn logarithms into parts that sum to 1; return the logarithm of what their sum was."""
    highest = logs.max()
    total = 0.0
    for place in range(len(logs)):
        logs[place] = np.exp(logs[place] - highest)
        total += logs[place]
    for place in range(len(logs)):
        logs[place] /= total
    return highest + np.log(total)
