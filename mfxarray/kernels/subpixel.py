"""Where a correlation has its top between pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["peak_offset"]

Array = np.ndarray[Any, Any]


def peak_offset(scores: Array) -> tuple[float, float]:
    """Return (y, x) of the top of a smooth peak, from its centre pixel, at most 0.5 either way.

    Parameters
    ----------
    scores
        Shape (3, 3), the largest in the centre; -inf where nothing is known.

    Returns
    -------
    tuple
        0 along an axis whose neighbours are not known, or where the peak is flat.

    Notes
    -----
    The top of a quadric fitted to the logarithms of all nine values by least squares: exact for
    a Gaussian peak, of whatever direction. With noise alone the logarithm does not exist; then the
    values themselves are taken.
    """
    known = np.isfinite(scores)
    if not known.all():
        return _along(scores[:, 1]), _along(scores[1, :])
    values = np.log(scores) if (scores > 0).all() else scores
    # least squares on the grid -1, 0, 1: closed form
    slope_y, slope_x = (values[2] - values[0]).sum() / 6, (values[:, 2] - values[:, 0]).sum() / 6
    curve_y = (values[2] - 2 * values[1] + values[0]).sum() / 3
    curve_x = (values[:, 2] - 2 * values[:, 1] + values[:, 0]).sum() / 3
    twist = (values[2, 2] - values[2, 0] - values[0, 2] + values[0, 0]) / 4
    determinant = curve_y * curve_x - twist * twist
    if not (curve_y < 0 and curve_x < 0 and determinant > 0):
        return 0.0, 0.0
    top_y = (twist * slope_x - curve_x * slope_y) / determinant
    top_x = (twist * slope_y - curve_y * slope_x) / determinant
    return _bounded(top_y), _bounded(top_x)


def _along(line: Array) -> float:
    """Return the top of the parabola through three values."""
    curve = line[0] - 2 * line[1] + line[2]
    return _bounded((line[0] - line[2]) / (2 * curve)) if np.isfinite(curve) and curve < 0 else 0.0


def _bounded(offset: float) -> float:
    return float(min(max(offset, -0.5), 0.5))
