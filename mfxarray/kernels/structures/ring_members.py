"""Which ring a point belongs to."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial import cKDTree

__all__ = ["distinct_rings", "inside_rings", "nearest_centres", "ring_members"]

Array = np.ndarray[Any, Any]


def ring_members(xy: Array, centres: Array, radii: Array, margin: float) -> Array:
    """Return the ring whose line is nearest to each point and within a margin, -1 for none.

    Parameters
    ----------
    xy
        Finite, shape (point, 2).
    centres, radii
        Of the rings, shapes (ring, 2) and (ring,).
    margin
        Largest distance to the line of a ring. Of equal distances the first ring counts.
    """
    found = np.full(len(xy), -1, np.int64)
    if not len(centres) or not len(xy):
        return found
    points, tree = cKDTree(xy), cKDTree(centres)
    reach = float(radii.max()) + margin
    pairs = tree.sparse_distance_matrix(points, reach, output_type="ndarray")
    ring, point = pairs["i"].astype(np.int64), pairs["j"].astype(np.int64)
    off = np.abs(np.hypot(*(xy[point] - centres[ring]).T) - radii[ring])
    near = off <= margin
    ring, point, off = ring[near], point[near], off[near]
    order = np.lexsort((ring, off, point))
    own, first = np.unique(point[order], return_index=True)
    found[own] = ring[order][first]
    return found


def nearest_centres(points: Array, centres: Array, distance: float, height: float) -> Array:
    """Return the nearest centre in x and y within a distance, -1 for none.

    Parameters
    ----------
    points
        Finite, shape (point, axis).
    centres
        Shape (centre, 3).
    distance
        Largest distance in x and y.
    height
        Largest distance along z, above or below; infinite for any. The centre is the nearest in
        x and y, whatever its height.
    """
    found = np.full(len(points), -1, np.int64)
    if not len(centres) or not len(points):
        return found
    far, nearest = map(np.asarray, cKDTree(centres[:, :2]).query(points[:, :2]))
    inside = far <= distance
    if np.isfinite(height):
        inside &= np.abs(points[:, 2] - centres[nearest, 2]) <= height
    found[inside] = nearest[inside]
    return found


def inside_rings(xy: Array, centres: Array, radii: Array) -> Array:
    """Return the ring with the nearest centre if a point lies within it, else -1.

    Parameters
    ----------
    xy
        Finite, shape (point, 2).
    centres, radii
        Of the rings, shapes (ring, 2) and (ring,).
    """
    reach = float(radii.max(initial=0.0))
    found = nearest_centres(xy, centres, reach, np.inf)
    own = np.flatnonzero(found >= 0)
    far = np.hypot(*(xy[own] - centres[found[own]]).T)
    found[own[far >= radii[found[own]]]] = -1
    return found


def distinct_rings(centres: Array, radii: Array, weights: Array) -> Array:
    """Return which rings stay when of two that overlap the lighter one goes, shape (ring,).

    Parameters
    ----------
    centres, radii
        Of the rings, shapes (ring, 2) and (ring,).
    weights
        Of equal ones the first ring stays.

    Notes
    -----
    Two rings overlap whose centres are nearer than the mean of their radii.
    """
    kept = np.zeros(len(centres), bool)
    if not len(centres):
        return kept
    near = cKDTree(centres).query_ball_point(centres, float(radii.max()))
    for ring in np.argsort(-weights, kind="stable"):
        others = [other for other in near[ring] if kept[other]]
        apart = np.hypot(*(centres[others] - centres[ring]).T)
        kept[ring] = bool((apart >= (radii[others] + radii[ring]) / 2).all())
    return kept
