"""Circles through clusters of points: least squares of distances, without what lies far off.

References
----------
G. Taubin, IEEE Trans. Pattern Anal. Mach. Intell. 13, 1115 (1991): the start.
W. Gander, G. H. Golub, R. Strebel, BIT 34, 558 (1994): least squares of distances.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

__all__ = ["CircleColumn", "fit_circles"]

Array = np.ndarray[Any, Any]

_STEPS = 100
_ROUNDS = 25
# a robust scale of fewer points tells nothing
_LEAST = 8
# 1 / 0.6745, so that the median of distances is a standard deviation
_NORMAL = 1.482602218505602
# a circle so much larger than its points is a line
_STRAIGHT = 1e4


class CircleColumn:
    """Where a number of `fit_circles` stands in its row."""

    X, Y, RADIUS = 0, 1, 2
    X_ERROR, Y_ERROR, RADIUS_ERROR = 3, 4, 5
    RESIDUAL = 6  # standard deviation of the distances to the circle
    N = 7  # points
    KEPT = 8  # points that count
    WIDTH = 9


def fit_circles(points: Array, starts: Array, outlier: float | None = None) -> tuple[Array, Array]:
    """Return the circle of each cluster, and which points count.

    Parameters
    ----------
    points
        x and y, cluster by cluster, shape (point, 2).
    starts
        First point of each cluster, shape (cluster,).
    outlier
        Points count that lie no further from the circle than so many standard deviations; None
        for all. The standard deviation is found from the median distance, and larger for few
        points: ``1.48 (1 + 10 / (n - 3))`` times that. Of fewer than 8 points all count.

    Returns
    -------
    table, kept
        Shape (cluster, 9), see `CircleColumn`; NaN where there is no circle: fewer than 3
        different points, or points on a line. ``kept``, shape (point,), bool.

    Notes
    -----
    The errors are those of least squares, ``s^2 (J^T J)^-1`` with n - 3 degrees of freedom; they
    are NaN for 3 points, and hold if points are independent of each other. What is cut off at k
    standard deviations would have widened them: they are corrected as for normal distances. The
    expected radius is too large by about ``s^2 / (2 r)``.
    """
    bounds = np.append(starts, len(points)).astype(np.int64)
    table = np.full((len(starts), CircleColumn.WIDTH), np.nan)
    kept = np.ones(len(points), np.bool_)
    limit = 0.0 if outlier is None else float(outlier)
    _fit(np.ascontiguousarray(points, float), bounds, limit, _cut_variance(limit), table, kept)
    return table, kept


def _cut_variance(limit: float) -> float:
    """Return the variance of a normal number of variance 1 that is cut off at the limit."""
    if not limit:
        return 1.0
    density = math.exp(-(limit**2) / 2) / math.sqrt(2 * math.pi)
    return 1.0 - 2 * limit * density / math.erf(limit / math.sqrt(2))


@njit(nogil=True, cache=True, error_model="numpy")
def _start(own, kept):  # type: ignore[no-untyped-def]
    """Return x, y and radius of Taubin's algebraic circle."""
    n, x_mean, y_mean = 0, 0.0, 0.0
    for row in range(len(own)):
        if kept[row]:
            n += 1
            x_mean += own[row, 0]
            y_mean += own[row, 1]
    x_mean /= n
    y_mean /= n
    xx, yy, xy, xz, yz, zz = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for row in range(len(own)):
        if kept[row]:
            x, y = own[row, 0] - x_mean, own[row, 1] - y_mean
            z = x * x + y * y
            xx += x * x / n
            yy += y * y / n
            xy += x * y / n
            xz += x * z / n
            yz += y * z / n
            zz += z * z / n
    trace, area = xx + yy, xx * yy - xy * xy
    spread = zz - trace * trace
    # smallest root of the characteristic polynomial, from 0 upwards
    third, second = 4.0 * trace, -3.0 * trace * trace - zz
    first = spread * trace + 4.0 * area * trace - xz * xz - yz * yz
    none = xz * (xz * yy - yz * xy) + yz * (yz * xx - xz * xy) - spread * area
    root = 0.0
    for _ in range(_STEPS):
        value = none + root * (first + root * (second + root * third))
        slope = first + root * (2.0 * second + 3.0 * root * third)
        step = value / slope
        if not abs(step) > 1e-14 * trace:
            break
        root -= step
    below = 2.0 * (root * root - root * trace + area)
    x = (xz * (yy - root) - yz * xy) / below
    y = (yz * (xx - root) - xz * xy) / below
    return x + x_mean, y + y_mean, np.sqrt(x * x + y * y + trace)


@njit(nogil=True, cache=True, error_model="numpy")
def _normal_matrix(own, weight, x, y, radius, matrix, right):  # type: ignore[no-untyped-def]
    """Fill J^T W J and J^T W d, and return the weighted sum of squares."""
    matrix[:] = 0.0
    right[:] = 0.0
    total = 0.0
    row_of = np.empty(3)
    row_of[2] = 1.0
    for row in range(len(own)):
        if weight[row] > 0.0:
            dx, dy = own[row, 0] - x, own[row, 1] - y
            length = np.sqrt(dx * dx + dy * dy)
            off = length - radius
            row_of[0] = dx / length if length > 0.0 else 0.0
            row_of[1] = dy / length if length > 0.0 else 0.0
            total += weight[row] * off * off
            for one in range(3):
                right[one] += weight[row] * row_of[one] * off
                for other in range(3):
                    matrix[one, other] += weight[row] * row_of[one] * row_of[other]
    return total


@njit(nogil=True, cache=True, error_model="numpy")
def _inverse(m, out):  # type: ignore[no-untyped-def]
    """Fill the inverse of a symmetric matrix of 3 x 3, and return whether there is one."""
    a = m[1, 1] * m[2, 2] - m[1, 2] * m[1, 2]
    b = m[0, 2] * m[1, 2] - m[0, 1] * m[2, 2]
    c = m[0, 1] * m[1, 2] - m[0, 2] * m[1, 1]
    size = m[0, 0] * a + m[0, 1] * b + m[0, 2] * c
    if not size > 1e-14 * m[0, 0] * m[1, 1] * m[2, 2]:
        return False
    out[0, 0], out[0, 1], out[0, 2] = a / size, b / size, c / size
    out[1, 1] = (m[0, 0] * m[2, 2] - m[0, 2] * m[0, 2]) / size
    out[1, 2] = (m[0, 1] * m[0, 2] - m[0, 0] * m[1, 2]) / size
    out[2, 2] = (m[0, 0] * m[1, 1] - m[0, 1] * m[0, 1]) / size
    out[1, 0], out[2, 0], out[2, 1] = out[0, 1], out[0, 2], out[1, 2]
    return True


@njit(nogil=True, cache=True, error_model="numpy")
def _refine(own, weight, circle):  # type: ignore[no-untyped-def]
    """Move a circle to the least sum of squares; return whether there is one."""
    matrix, right, inverse, damped = (
        np.empty((3, 3)), np.empty(3), np.empty((3, 3)), np.empty((3, 3)),
    )  # fmt: skip
    total = _normal_matrix(own, weight, circle[0], circle[1], circle[2], matrix, right)
    damping = 0.0
    for _ in range(_STEPS):
        damped[:] = matrix
        for one in range(3):
            damped[one, one] *= 1.0 + damping
        if not _inverse(damped, inverse):
            return False
        step = inverse @ right
        trial = circle + step
        if not abs(trial[2]) < _STRAIGHT:
            return False
        size = np.sqrt((step * step).sum())
        found = _normal_matrix(own, weight, trial[0], trial[1], trial[2], matrix, right)
        if found <= total:
            circle[:] = trial
            total, damping = found, damping / 10 if damping > 1e-6 else 0.0
        else:
            _normal_matrix(own, weight, circle[0], circle[1], circle[2], matrix, right)
            damping = max(damping * 10, 1e-3)
        # below this it is rounding
        if size < 1e-12 * circle[2]:
            return circle[2] > 0.0
    return circle[2] > 0.0


@njit(nogil=True, cache=True, error_model="numpy")
def _distances(own, circle):  # type: ignore[no-untyped-def]
    found = np.empty(len(own))
    for row in range(len(own)):
        dx, dy = own[row, 0] - circle[0], own[row, 1] - circle[1]
        found[row] = abs(np.sqrt(dx * dx + dy * dy) - circle[2])
    return found


@njit(nogil=True, cache=True, error_model="numpy")
def _robust(own, circle, weight):  # type: ignore[no-untyped-def]
    """Move a circle to the least sum of distances, almost: far points pull no more than near."""
    for _ in range(_ROUNDS):
        off = _distances(own, circle)
        scale = np.median(off)
        if not scale > 1e-12:
            break
        for row in range(len(own)):
            weight[row] = 1.0 / max(off[row] / scale, 1.0)
        before = circle.copy()
        if not _refine(own, weight, circle):
            circle[:] = before
            break
        if np.abs(circle - before).max() < 1e-6:
            break


@njit(nogil=True, cache=True, error_model="numpy")
def _exclude(own, circle, kept, limit):  # type: ignore[no-untyped-def]
    """Mark the points near the circle of those near the circle, until these do not change."""
    weight = np.ones(len(own))
    _robust(own, circle, weight)
    for _ in range(_ROUNDS):
        off = _distances(own, circle)
        scale = np.median(off) * _NORMAL * (1.0 + 10.0 / (len(own) - 3))
        near = off <= limit * scale + 1e-9
        if near.sum() < 3:
            break
        same = (near == kept).all()
        kept[:] = near
        before = circle.copy()
        if not _refine(own, kept.astype(np.float64), circle):
            circle[:] = before
            return False
        if same:
            break
    return True


@njit(nogil=True, cache=True, error_model="numpy")
def _fit(points, bounds, limit, cut_variance, table, kept):  # type: ignore[no-untyped-def]
    matrix, right, inverse = np.empty((3, 3)), np.empty(3), np.empty((3, 3))
    circle, origin = np.empty(3), np.empty(2)
    for cluster in range(len(table)):
        first, last = bounds[cluster], bounds[cluster + 1]
        n, row = last - first, table[cluster]
        row[7], row[8] = n, n
        if n < 3:
            continue
        # in units of their size around their middle, where numbers are near 1
        own = points[first:last] - points[first]
        origin[0], origin[1] = own[:, 0].sum() / n, own[:, 1].sum() / n
        own -= origin
        size = np.sqrt((own * own).sum() / n)
        if not size > 0.0:
            continue
        own /= size
        mine = kept[first:last]
        circle[0], circle[1], circle[2] = _start(own, mine)
        if not (circle[2] < _STRAIGHT and _refine(own, np.ones(n), circle)):
            continue
        cut = limit > 0.0 and n >= _LEAST
        if cut and not _exclude(own, circle, mine, limit):
            mine[:] = True
            continue
        total = _normal_matrix(
            own, mine.astype(np.float64), circle[0], circle[1], circle[2], matrix, right
        )
        count = mine.sum()
        row[8] = count
        for axis in range(2):
            row[axis] = points[first, axis] + (origin[axis] + circle[axis] * size)
        row[2] = circle[2] * size
        if count > 3 and _inverse(matrix, inverse):
            variance = total / (count - 3) / (cut_variance if cut else 1.0)
            row[6] = np.sqrt(variance) * size
            for one in range(3):
                row[3 + one] = np.sqrt(variance * inverse[one, one]) * size
