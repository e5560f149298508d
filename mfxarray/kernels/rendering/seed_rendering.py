"""Gaussian stamps as the MATLAB seed renders them, to compare with its pictures.

Kept as it was: pixel i is centred on ``first + i * size`` with i from 1, so all is half a pixel
from where our pixels are; peaks are 1; points near the border are left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mfxarray.kernels.rendering.grids import Grid

__all__ = ["seed_stamps"]

Array = np.ndarray[Any, Any]


def seed_stamps(
    position: Array, fwhm: tuple[float, ...], columns: tuple[int, ...], grid: Grid
) -> tuple[Array, Array]:
    """Return the image of stamps of peak 1, float64, and which points are in it.

    Parameters
    ----------
    position
        Shape (point, axis); NaN are left out.
    fwhm
        Full width at half maximum along each axis of the image, in the unit of the grid.
    columns
        Column of ``position`` for each axis of the image.
    grid
        Pixels; ``first`` is the lower limit of the seed's region, from which it counts.

    Notes
    -----
    With ``p = (x - first) / size`` and ``i = round(p)`` (halves away from zero) a point adds
    ``exp(-4 ln2 sum((k - (p - i))**2 / (fwhm / size)**2))`` at ``i + k``, for all whole k up to L
    along each axis, ``L = ceil(2 * max(fwhm / size))``. Points with i below L + 1 or above
    n - L - 1 along an axis are left out.
    """
    place = (np.asarray(position, np.float64)[:, list(columns)] - grid.first) / np.array(grid.size)
    width = np.array(fwhm) / np.array(grid.size)
    reach = int(np.ceil(2 * width.max()))
    whole = np.floor(np.abs(place) + 0.5) * np.sign(place)
    inside = ((whole >= reach + 1) & (whole <= np.array(grid.shape) - reach - 1)).all(axis=1)
    image = np.zeros(grid.solid()[2])
    if len(grid.shape) == 2:
        place, whole = (np.insert(part, 0, 1.0, axis=1) for part in (place, whole))
        width = np.insert(width, 0, np.inf)
    reaches = (reach if len(grid.shape) == 3 else 0, reach, reach)
    _stamp(image, place[inside], whole[inside].astype(np.int64), width, reaches)
    return image.reshape(grid.shape), inside


@njit(nogil=True, cache=True, error_model="numpy")
def _stamp(image, place, whole, width, reaches):  # type: ignore[no-untyped-def]
    factor = 4 * np.log(2.0)
    for point in range(len(place)):
        z, y, x = whole[point, 0], whole[point, 1], whole[point, 2]
        for k in range(-reaches[0], reaches[0] + 1):
            dz = (k - (place[point, 0] - z)) / width[0]
            for i in range(-reaches[1], reaches[1] + 1):
                dy = (i - (place[point, 1] - y)) / width[1]
                for j in range(-reaches[2], reaches[2] + 1):
                    dx = (j - (place[point, 2] - x)) / width[2]
                    # the seed counts pixels from 1
                    value = np.exp(-factor * (dz * dz + dy * dy + dx * dx))
                    image[z + k - 1, y + i - 1, x + j - 1] += value
