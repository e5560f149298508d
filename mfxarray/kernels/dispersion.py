"""Scatter of counts over frames against what counting statistics predict.

References
----------
Fisher 1925, Statistical Methods for Research Workers, section 19: the index of dispersion.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import chdtrc

__all__ = ["VARIABLES", "count_dispersion", "ratio_dispersion"]

Array = np.ndarray[Any, Any]

VARIABLES = ("chi2_reduced", "p_value", "dof", "trend")


def count_dispersion(counts: Array, variance: Array, frames: Array, least: float) -> Array:
    """Return chi-square over degrees of freedom, p-value, degrees of freedom and trend.

    Parameters
    ----------
    counts, variance
        Shape (frame, ...); for raw counts both are the same.
    frames
        Frames in each entry, which it is expected to be proportional to.
    least
        NaN where the mean counts are fewer (in effective counts, value over variance per count).

    Returns
    -------
    ndarray
        Shape (4, ...), in the order of `VARIABLES`; the trend in standard deviations.

    Notes
    -----
    ``sum((n - m)^2 / (s m))``, where m is the common rate times the frames and s the mean variance
    of a count, 1 for raw counts.
    """
    values = np.ascontiguousarray(counts, np.float64)
    share = _column(frames / frames.sum(), values)
    with np.errstate(all="ignore"):
        per_count = _sum(variance) / _sum(values)
        expected = _sum(values) * share
        off = values - expected
        chi2 = _sum(off**2 / (per_count * expected))
        dof = np.full(chi2.shape, len(values) - 1.0)
        place = _column(np.arange(len(values)), values)
        place = place - _sum(place * share)
        trend = _sum(place * off) / np.sqrt(per_count * _sum(expected * place**2))
        enough = _sum(values) / per_count >= least * len(values)
    return _judged(chi2, dof, trend, enough)


def ratio_dispersion(
    above: Array, below: Array, above_variance: Array, below_variance: Array, least: float
) -> Array:
    """Return the same as `count_dispersion` for the ratio of two counts.

    Parameters
    ----------
    above, below
        Counts of shape (frame, ...).
    above_variance, below_variance
        Their variances; the counts themselves for raw ones.
    least
        NaN where either has fewer effective counts, on the mean of all frames.

    Notes
    -----
    Given the sum of both, the first is binomial with the share p of all frames:
    ``sum((a - p t)^2 / (t p (1 - p)))`` with ``t = a + b``. What changes both alike, such as the
    current of the beam, cancels. Frames without counts are left out.
    """
    with np.errstate(all="ignore"):
        first = _effective(above, above_variance)
        second = _effective(below, below_variance)
        total = first + second
        part = _sum(first) / _sum(total)
        off = first - part * total
        used = total > 0
        chi2 = _sum(np.where(used, off**2 / (total * part * (1 - part)), 0.0))
        dof = np.maximum(_sum(used) - 1.0, 0.0)
        place = _column(np.arange(len(total)), total)
        place = place - _sum(place * total) / _sum(total)
        trend = _sum(place * off) / np.sqrt(part * (1 - part) * _sum(total * place**2))
        enough = np.minimum(_sum(first), _sum(second)) >= least * len(total)
    return _judged(chi2, dof, trend, enough)


def _judged(chi2: Array, dof: Array, trend: Array, enough: Array) -> Array:
    with np.errstate(all="ignore"):
        fits = enough & (dof > 0) & np.isfinite(chi2)
        reduced, probability = chi2 / dof, chdtrc(np.maximum(dof, 1.0), chi2)
    known = [np.where(fits, found, np.nan) for found in (reduced, probability)]
    return np.stack([*known, dof, np.where(fits, trend, np.nan)])


def _effective(values: Array, variance: Array) -> Array:
    """Return counts in units of their mean variance a count, in which they are like Poisson's."""
    found = np.ascontiguousarray(values, np.float64)
    return found / (_sum(variance) / _sum(found))


def _sum(values: Array) -> Array:
    """Return the sum over frames, one after the other: the same bits for every shape."""
    total = np.zeros(values.shape[1:])
    for frame in np.asarray(values, np.float64):
        total += frame
    return total


def _column(values: Array, like: Array) -> Array:
    return np.asarray(values, np.float64).reshape(-1, *(1,) * (like.ndim - 1))
