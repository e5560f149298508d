"""Points that are hard for clustering, and clusters found from all pairs."""

from __future__ import annotations

import dask.array as da
import numpy as np
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import DBSCAN

__all__ = [
    "KINDS",
    "all_pairs",
    "as_chunks",
    "labels_of_pairs",
    "labels_of_sklearn",
    "points_of_kind",
]

KINDS = (
    "cloud",
    "clusters",
    "grid",
    "exact grid",
    "line",
    "duplicates",
    "two piles",
    "mixed scales",
)


def points_of_kind(kind: str, n: int, axes: int, rng: np.random.Generator) -> np.ndarray:
    """Return points in units of about eps = 0.1."""
    if kind == "cloud":
        return rng.random((n, axes)) * rng.choice([0.3, 1.0, 5.0])
    if kind == "clusters":
        return rng.random((max(n // 8, 1), axes))[rng.integers(0, max(n // 8, 1), n)] + rng.normal(
            scale=0.04, size=(n, axes)
        )
    if kind == "grid":
        # neighbours at eps or, by rounding, just off it
        return rng.integers(0, 7, (n, axes)) * 0.1
    if kind == "exact grid":
        return rng.integers(0, 9, (n, axes)) * 0.125
    if kind == "line":
        return np.outer(rng.integers(0, n + 1, n) * 0.1, np.eye(axes)[rng.integers(axes)])
    if kind == "duplicates":
        return rng.integers(0, 3, (n, axes)) * rng.choice([0.1, 0.07, 4.0])
    if kind == "two piles":
        # far apart: the strips between are empty
        far = np.where(rng.random(n) < 0.5, 0.0, 1e4)[:, np.newaxis]
        return far + rng.normal(scale=0.05, size=(n, axes))
    return rng.normal(size=(n, axes)) ** 5


def all_pairs(points: np.ndarray) -> np.ndarray:
    """Return squared distances, added axis by axis."""
    out = np.zeros((len(points), len(points)))
    for column in points.T:
        out += (column[:, np.newaxis] - column) ** 2
    return out


def labels_of_pairs(
    points: np.ndarray, eps: float, min_samples: int, group: np.ndarray | None = None
) -> np.ndarray:
    """Return clusters of all pairs, by the rule that is stated."""
    near = all_pairs(points) <= eps * eps
    if group is not None:
        near &= group[:, np.newaxis] == group
    core = near.sum(axis=1) >= min_samples
    part = connected_components(near & core & core[:, np.newaxis], directed=False)[1]
    out = np.full(len(points), len(points))
    known: dict[int, int] = {}
    for row in np.flatnonzero(core):
        out[row] = known.setdefault(int(part[row]), len(known))
    for row in np.flatnonzero(~core):
        out[row] = out[core & near[row]].min(initial=len(points))
    return np.where(out == len(points), -1, out)


def labels_of_sklearn(points: np.ndarray, eps: float, min_samples: int) -> np.ndarray:
    """Return the clusters of scikit-learn, or of all pairs where its answer depends on its tree.

    Its tree takes a whole box of points if the rounded root of a sum is at most eps, though the sum
    may be the next number above eps squared. For less than 12 points it takes no tree by default,
    but scalar products, which round otherwise.
    """
    if not len(points):
        return np.empty(0, np.int64)
    squared = all_pairs(points)
    if ((squared > eps * eps) & (np.sqrt(squared) <= eps)).any():
        return labels_of_pairs(points, eps, min_samples)
    return DBSCAN(eps=eps, min_samples=min_samples, algorithm="kd_tree").fit(points).labels_


def as_chunks(values: np.ndarray, chunk: int) -> da.Array:
    """Return rows in chunks of so many."""
    return da.from_array(values, (chunk, *values.shape[1:]))
