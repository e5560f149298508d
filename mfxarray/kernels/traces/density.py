"""How many neighbours a point has, weighted by a Gaussian of their distance: exact, by cells."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mfxarray.kernels.clusters.cells import around_cell, around_column, make_cells, pointers

__all__ = ["REACH", "neighbour_density"]

Array = np.ndarray[Any, Any]

# in units of the width; the Gaussian is 1e-7 there
REACH = float(np.sqrt(np.log(1e7) / (4 * np.log(2.0))))
# terms are rounded to this, so that sums do not depend on their order
_UNIT = 2.0**-36


def neighbour_density(
    points: Array, fwhm: float, asked: Array | None = None, group: Array | None = None
) -> Array:
    """Return the sum over the other points of ``exp(-4 ln2 r^2 / fwhm^2)``, shape (point,).

    Parameters
    ----------
    points
        Shape (point, axis), finite.
    fwhm
        Full width at half maximum of the Gaussian.
    asked
        Which points need the sum, shape (point,), bool, all by default; the others get 0.
    group
        Shape (point,), from 0; only points of the own group are summed over.

    Notes
    -----
    Points are sorted into cells as wide as the Gaussian reaches; neighbours are in the cells
    around. Terms below 1e-7 are left out and the others rounded to multiples of 2**-36, whose sum
    is exact: it depends neither on the order of the points nor on what lies out of reach.
    """
    reach = REACH * fwhm
    cells = make_cells(points, reach * (1 + 1e-7), 1, group)
    wanted = np.ones(len(points), np.bool_) if asked is None else asked[cells.order]
    out = np.zeros(len(points))
    sums = np.zeros(len(points), np.int64)
    _sum(cells, 4 * np.log(2.0) / fwhm**2, reach**2, wanted, sums)
    out[cells.order] = sums * _UNIT
    return out


@njit(nogil=True, cache=True, error_model="numpy")
def _sum(cells, factor, squared, asked, out):  # type: ignore[no-untyped-def]
    walk, near, ends, starts, stops = pointers(cells)
    for column in range(len(cells.columns)):
        columns = around_column(cells.columns[column], cells, walk, near, ends)
        for cell in range(cells.column_firsts[column], cells.column_firsts[column + 1]):
            runs = around_cell(cells.levels[cell], cells, columns, near, ends, starts, stops)
            for point in range(cells.firsts[cell], cells.firsts[cell + 1]):
                if asked[point]:
                    for run in range(runs):
                        first, last = cells.firsts[starts[run]], cells.firsts[stops[run]]
                        out[point] += _terms(cells, point, first, last, factor, squared)


@njit(nogil=True, cache=True, error_model="numpy")
def _terms(cells, point, first, last, factor, squared):  # type: ignore[no-untyped-def]
    x, y, z = cells.x[point], cells.y[point], cells.z[point]
    total = 0
    for other in range(first, last):
        dx, dy, dz = cells.x[other] - x, cells.y[other] - y, cells.z[other] - z
        distance = dx * dx + dy * dy + dz * dz
        if distance <= squared and other != point:
            total += int(np.rint(np.exp(-factor * distance) / _UNIT))
    return total
