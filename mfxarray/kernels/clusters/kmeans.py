"""Starts of mixtures: k-means from far-apart centres, or responsibilities at random.

References
----------
Arthur, Vassilvitskii (2007), k-means++: the advantages of careful seeding. SODA, 1027.
Lloyd (1982), Least squares quantization in PCM. IEEE Trans. Inf. Theory 28, 129.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from mfxarray.kernels.clusters.streams import next_uniform

__all__ = ["kmeans_start", "random_start"]

_MOST_ROUNDS = 300


@njit(nogil=True, cache=True, error_model="numpy")
def kmeans_start(points, resp, state):  # type: ignore[no-untyped-def]
    """Fill responsibilities, shape (point, component), with 1 for the nearest of k means."""
    n, k = resp.shape
    centres = np.empty((k, points.shape[1]))
    _far_apart(points, centres, state)
    own = np.full(n, -1)
    for _ in range(_MOST_ROUNDS):
        if not _assign(points, centres, own):
            break
        _move(points, own, centres)
    resp[:] = 0.0
    for point in range(n):
        resp[point, own[point]] = 1.0


@njit(nogil=True, cache=True, error_model="numpy")
def random_start(resp, state):  # type: ignore[no-untyped-def]
    """Fill responsibilities, shape (point, component), with random ones that sum to 1."""
    for point in range(resp.shape[0]):
        total = 0.0
        for component in range(resp.shape[1]):
            # never 0 for all components of a point
            resp[point, component] = 1.0 - next_uniform(state)
            total += resp[point, component]
        resp[point] /= total


@njit(nogil=True, cache=True, error_model="numpy")
def _far_apart(points, centres, state):  # type: ignore[no-untyped-def]
    """Choose points as centres, each with a chance that grows as its squared distance to others."""
    n = len(points)
    nearest = np.full(n, np.inf)
    chosen = min(int(next_uniform(state) * n), n - 1)
    for number in range(len(centres)):
        centres[number] = points[chosen]
        total = 0.0
        for point in range(n):
            nearest[point] = min(nearest[point], _squared(points[point], centres[number]))
            total += nearest[point]
        # the last point that has a chance, should rounding leave the sum below
        left = next_uniform(state) * total
        chosen = min(int(next_uniform(state) * n), n - 1)
        for point in range(n):
            if nearest[point] > 0.0:
                chosen = point
                left -= nearest[point]
                if left < 0.0:
                    break


@njit(nogil=True, cache=True, error_model="numpy")
def _assign(points, centres, own):  # type: ignore[no-untyped-def]
    changed = False
    for point in range(len(points)):
        best, least = 0, np.inf
        for number in range(len(centres)):
            distance = _squared(points[point], centres[number])
            if distance < least:
                best, least = number, distance
        changed |= own[point] != best
        own[point] = best
    return changed


@njit(nogil=True, cache=True, error_model="numpy")
def _move(points, own, centres):  # type: ignore[no-untyped-def]
    """Move each centre to the mean of its points; one without points stays."""
    counts = np.zeros(len(centres))
    sums = np.zeros(centres.shape)
    for point in range(len(points)):
        counts[own[point]] += 1.0
        sums[own[point]] += points[point]
    for number in range(len(centres)):
        if counts[number] > 0.0:
            centres[number] = sums[number] / counts[number]


@njit(nogil=True, cache=True, error_model="numpy")
def _squared(one, other):  # type: ignore[no-untyped-def]
    total = 0.0
    for axis in range(len(one)):
        total += (one[axis] - other[axis]) ** 2
    return total
