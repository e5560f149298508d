"""Sizes of clusters: standard deviations along principal axes, and the longest distance."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["cluster_shapes", "ellipsoid_volumes"]

Array = np.ndarray[Any, Any]

# distances are compared with bounds that rounding may leave this much too low
_ROUNDING = 1.0 + 1e-12


def cluster_shapes(points: Array, starts: Array) -> tuple[Array, Array, Array]:
    """Return centroid, standard deviations along principal axes, and longest distance of clusters.

    Parameters
    ----------
    points
        Positions, cluster by cluster, shape (point, axis).
    starts
        First point of each cluster, shape (cluster,).

    Returns
    -------
    centroids, spreads, longest
        Shapes (cluster, axis), (cluster, axis), (cluster,). Spreads are sample standard deviations
        (n - 1), the largest first; spreads and longest distances of single points are NaN.

    Notes
    -----
    Longest distances look at pairs in the order of how far points are from the centroid, and stop
    as soon as no pair can be longer.
    """
    n, axes = len(starts), points.shape[1]
    bounds = np.append(starts, len(points)).astype(np.int64)
    centroids, covariances = np.empty((n, axes)), np.empty((n, axes, axes))
    longest = np.empty(n)
    _shapes(np.ascontiguousarray(points, float), bounds, centroids, covariances, longest)
    single = np.diff(bounds) < 2
    covariances[single] = 0.0
    # scaled, so that variances of nanometres are not near the smallest numbers
    scale = np.maximum(np.abs(covariances).max(axis=(1, 2), initial=0.0), np.finfo(float).tiny)
    values = np.linalg.eigvalsh(covariances / scale[:, None, None])[:, ::-1]
    spreads = np.sqrt(np.maximum(values, 0.0) * scale[:, None])
    # n points span no more than n - 1 directions; beyond is rounding
    spreads[np.arange(axes) >= np.diff(bounds)[:, None] - 1] = 0.0
    spreads[single] = np.nan
    return centroids, spreads, longest


def ellipsoid_volumes(spreads: Array, counts: Array) -> Array:
    """Return the volumes of ellipsoids with semi-axes ``spreads``, NaN for fewer than 3 points.

    Parameters
    ----------
    spreads
        Along three principal axes, shape (cluster, 3).
    counts
        Points of each cluster, shape (cluster,).
    """
    volumes = 4.0 / 3.0 * np.pi * spreads.prod(axis=1)
    return np.where(counts >= 3, volumes, np.nan)


@njit(nogil=True, cache=True, error_model="numpy")
def _shapes(points, bounds, centroids, covariances, longest):  # type: ignore[no-untyped-def]
    for cluster in range(len(longest)):
        own = points[bounds[cluster] : bounds[cluster + 1]]
        origin = own[0].copy()
        apart = own - origin
        n, axes = apart.shape
        mean = np.empty(axes)
        for axis in range(axes):
            mean[axis] = apart[:, axis].sum() / n
        centroids[cluster] = origin + mean
        apart -= mean
        for one in range(axes):
            for other in range(one + 1):
                total = (apart[:, one] * apart[:, other]).sum()
                covariances[cluster, one, other] = total / (n - 1)
                covariances[cluster, other, one] = total / (n - 1)
        longest[cluster] = _longest(apart) if n > 1 else np.nan


@njit(nogil=True, cache=True, error_model="numpy")
def _longest(apart):  # type: ignore[no-untyped-def]
    radius = np.sqrt((apart * apart).sum(axis=1))
    order = np.argsort(-radius)
    best = 0.0
    for one in range(1, len(order)):
        if (radius[order[one]] + radius[order[0]]) * _ROUNDING < best:
            break
        for other in range(one):
            if (radius[order[one]] + radius[order[other]]) * _ROUNDING < best:
                break
            squares = 0.0
            for axis in range(apart.shape[1]):
                squares += (apart[order[one], axis] - apart[order[other], axis]) ** 2
            best = max(best, np.sqrt(squares))
    return best
