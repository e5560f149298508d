"""What a mixture of Gaussians of single numbers tells: densities, boundaries, errors."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.special import ndtr

from mfxarray.kernels.channels.mixture_1d import Gaussians

__all__ = [
    "bic_of",
    "boundaries_of",
    "densities",
    "memberships",
    "parameter_errors",
    "shares_of_bins",
]

Array = np.ndarray[Any, Any]


def bic_of(log_likelihood: float, components: int, n: float) -> float:
    """Return the Bayesian information criterion of a mixture of ``n`` values: less is better."""
    return (3 * components - 1) * math.log(n) - 2.0 * log_likelihood


def densities(values: Array, found: Gaussians) -> Array:
    """Return the density of each component times its fraction, shape (value, component)."""
    return np.asarray(np.exp(_log_densities(values, found)))


def memberships(values: Array, found: Gaussians) -> Array:
    """Return the probability of each component for each value, shape (value, component)."""
    logs = _log_densities(values, found)
    # far from all components densities are 0, but not their quotients
    parts = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(parts / parts.sum(axis=1, keepdims=True))


def _log_densities(values: Array, found: Gaussians) -> Array:
    steps = (np.asarray(values)[:, None] - found.means) / found.widths
    constants = np.log(found.fractions / found.widths) - 0.5 * math.log(2.0 * math.pi)
    return np.asarray(constants - 0.5 * steps**2)


def boundaries_of(found: Gaussians) -> Array:
    """Return where the weighted densities of neighbours are equal, shape (component - 1,).

    Returns
    -------
    numpy.ndarray
        Between the two means; NaN where the one is denser than the other at both means, so that
        nothing separates them.

    Notes
    -----
    With u = x - (m0 + m1) / 2 the logarithms of the densities differ by a quadratic in u. For equal
    widths s the solution is u = s^2 / (m1 - m0) ln(w0 / w1): the rarer component gets less room.
    """
    parts = np.stack([found.means, found.widths, found.fractions], axis=1).tolist()
    return np.array([_boundary(*one, *other) for one, other in pairwise(parts)])


def _boundary(m0: float, s0: float, w0: float, m1: float, s1: float, w1: float) -> float:
    half = (m1 - m0) / 2
    # log density of the lower component minus that of the higher one: a u^2 + b u + c
    a = 0.5 / s1**2 - 0.5 / s0**2
    b = -half / s0**2 - half / s1**2
    c = 0.5 * (half / s1) ** 2 - 0.5 * (half / s0) ** 2 + math.log((w0 * s1) / (w1 * s0))
    below, above = (a * u * u + b * u + c for u in (-half, half))
    if not (half > 0 and below > 0 > above):
        return math.nan
    root = math.sqrt(max(b * b - 4 * a * c, 0.0))
    # b is negative: this form of the root between the means never subtracts equal numbers
    return (m0 + m1) / 2 + 2 * c / (-b + root)


def parameter_errors(values: Array, weights: Array, found: Gaussians) -> tuple[Array, Array, Array]:
    """Return standard errors of means, widths and fractions, each of shape (component,).

    Notes
    -----
    Of the empirical information: the sum over values of the products of the derivatives of their
    log likelihood. NaN where that is singular.
    """
    components = len(found.means)
    resp = memberships(values, found)
    steps = (values[:, None] - found.means) / found.widths
    scores = [resp * steps / found.widths, resp * (steps**2 - 1) / found.widths]
    odds = resp / found.fractions
    # the last fraction is what the others leave
    scores.append(odds[:, :-1] - odds[:, -1:])
    table = np.concatenate(scores, axis=1)
    information = (table * weights[:, None]).T @ table
    return _errors(information, components)


def _errors(information: Array, components: int) -> tuple[Array, Array, Array]:
    size = np.sqrt(np.diag(information))
    unknown = np.full(components, np.nan)
    if not np.isfinite(size).all() or (size == 0).any():
        return unknown, unknown, unknown
    scaled = information / np.outer(size, size)
    if np.linalg.cond(scaled) > 1e12:
        return unknown, unknown, unknown
    covariance = np.linalg.inv(scaled) / np.outer(size, size)
    variances = np.diag(covariance)
    free = covariance[2 * components :, 2 * components :]
    fractions = np.append(np.diag(free), free.sum())
    found = (variances[:components], variances[components : 2 * components], fractions)
    means, widths, shares = (np.sqrt(np.maximum(part, 0.0)) for part in found)
    return means, widths, shares


def shares_of_bins(edges: Array, found: Gaussians) -> Array:
    """Return which share of all values the mixture expects between edges, shape (edge - 1,)."""
    below = ndtr((np.asarray(edges)[:, None] - found.means) / found.widths) @ found.fractions
    return np.diff(below)
