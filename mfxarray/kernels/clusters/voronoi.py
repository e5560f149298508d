"""Sizes of Voronoi cells: area in two dimensions, volume in three."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial import QhullError, Voronoi

__all__ = ["cell_sizes"]

Array = np.ndarray[Any, Any]


def cell_sizes(points: Array) -> tuple[Array, Array]:
    """Return the size of the Voronoi cell of each point, and how many points share it.

    Parameters
    ----------
    points
        Shape (point, axis) with 2 or 3 axes, finite.

    Returns
    -------
    size
        In the unit of the points to the power of the axes; infinite at the rim, where points lie on
        a line or a plane, and where Qhull finds no cell.
    multiplicity
        How many points have the same place.

    Notes
    -----
    A cell is made of one pyramid for each point that it borders on: its base is the face that they
    share, its height half their distance. Points are moved and scaled first, as Qhull needs.
    """
    if not len(points):
        return np.empty(0), np.empty(0, np.int64)
    places, which, multiplicity = np.unique(points, axis=0, return_inverse=True, return_counts=True)
    low, span = places.min(axis=0), float(np.ptp(places, axis=0).max())
    sizes = np.full(len(places), np.inf)
    if span > 0:
        sizes = _sizes((places - low) / span) * span ** points.shape[1]
    which = which.reshape(-1)
    return sizes[which], multiplicity[which]


def _sizes(points: Array) -> Array:
    axes = points.shape[1]
    try:
        found = Voronoi(points)
    except QhullError:
        # too few, or on a line or a plane
        return np.full(len(points), np.inf)
    lengths = np.array([len(face) for face in found.ridge_vertices])
    corners = np.concatenate([np.asarray(face) for face in found.ridge_vertices])
    starts = np.cumsum(lengths) - lengths
    unbounded = np.minimum.reduceat(corners, starts) < 0
    # scipy gives the corners of a face in their order around it
    first = found.vertices[np.repeat(corners[starts], lengths)]
    here = found.vertices[corners]
    after = np.arange(1, len(corners) + 1)
    after[starts + lengths - 1] = starts
    there = found.vertices[corners[after]]
    if axes == 2:
        faces = np.linalg.norm(there - here, axis=1)[starts]
    else:
        normal = np.cross(here - first, there - first)
        faces = np.linalg.norm(np.add.reduceat(normal, starts, axis=0), axis=1) / 2
    between = points[found.ridge_points[:, 0]] - points[found.ridge_points[:, 1]]
    pyramids = faces * np.linalg.norm(between, axis=1) / (2 * axes)
    pyramids[unbounded] = np.inf
    sizes = np.zeros(len(points))
    for side in range(2):
        np.add.at(sizes, found.ridge_points[:, side], pyramids)
    return np.where(sizes > 0, sizes, np.inf)
