"""How many neighbours a point has, weighted by a Gaussian of their distance: exact, by cells."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["neighbour_density"]

Array = np.ndarray[Any, Any]

# the Gaussian is 1e-7 there
_REACH = float(np.sqrt(np.log(1e7) / (4 * np.log(2.0))))


def neighbour_density(xyz: Array, fwhm: float) -> Array:
    """Return the sum over the other points of ``exp(-4 ln2 r^2 / fwhm^2)``, shape (point,).

    Parameters
    ----------
    xyz
        Points, shape (point, 3), finite.
    fwhm
        Full width at half maximum of the Gaussian.

    Notes
    -----
    Points are sorted into cells as wide as the Gaussian reaches; neighbours are in the 27 cells
    around. Terms below 1e-7 are left out. The sum of a point runs over the cells in their order and
    within a cell in the order of the points, so it does not depend on how they were cut.
    """
    if not len(xyz):
        return np.empty(0)
    reach = _REACH * fwhm
    cells = np.floor((xyz - xyz.min(axis=0)) / reach).astype(np.int64)
    # one empty cell on each side, so that no neighbour wraps around
    shape = cells.max(axis=0) + 3
    code = ((cells[:, 0] + 1) * shape[1] + cells[:, 1] + 1) * shape[2] + cells[:, 2] + 1
    order = np.argsort(code, kind="stable")
    codes, firsts = np.unique(code[order], return_index=True)
    bounds = np.append(firsts, len(xyz))
    steps = np.array([shape[1] * shape[2], shape[2]], np.int64)
    out = np.empty(len(xyz))
    points = np.ascontiguousarray(xyz[order], np.float64)
    _sum(points, codes, bounds, steps, 4 * np.log(2.0) / fwhm**2, reach**2, order, out)
    return out


@njit(nogil=True, cache=True, error_model="numpy")
def _sum(points, codes, bounds, steps, factor, reach, order, out):  # type: ignore[no-untyped-def]
    for cell in range(len(codes)):
        for row in range(bounds[cell], bounds[cell + 1]):
            out[order[row]] = 0.0
        for dx in range(-1, 2):
            for dy in range(-1, 2):
                # the three cells along z follow each other
                low = codes[cell] + dx * steps[0] + dy * steps[1] - 1
                near = np.searchsorted(codes, low)
                while near < len(codes) and codes[near] <= low + 2:
                    _add(points, bounds, cell, near, factor, reach, order, out)
                    near += 1


@njit(nogil=True, cache=True, error_model="numpy")
def _add(points, bounds, cell, near, factor, reach, order, out):  # type: ignore[no-untyped-def]
    for row in range(bounds[cell], bounds[cell + 1]):
        total = 0.0
        for other in range(bounds[near], bounds[near + 1]):
            dx = points[other, 0] - points[row, 0]
            dy = points[other, 1] - points[row, 1]
            dz = points[other, 2] - points[row, 2]
            squared = dx * dx + dy * dy + dz * dz
            if other != row and squared <= reach:
                total += np.exp(-factor * squared)
        out[order[row]] += total
