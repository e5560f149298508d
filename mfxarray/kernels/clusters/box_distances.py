"""Distances of points at random in a box: their distribution, exact up to quadrature.

The probability that two points of a rectangle or box lie closer than r is the integral of its set
covariance, averaged over directions, over the ball of radius r. That is what counts of pairs are
compared with to correct for the border.

References
----------
J. Ohser, D. Stoyan, "On the second-order and orientation analysis of planar stationary point
processes", Biometrical Journal 23 (1981) 523. W. Hoeffding, "A class of statistics with
asymptotically normal distribution", Ann. Math. Stat. 19 (1948) 293 (variances of sums over pairs).
"""

from __future__ import annotations

from math import pi
from typing import Any

import numpy as np
from numba import njit

__all__ = ["ball_size", "closer_than", "inside_balls"]

Array = np.ndarray[Any, Any]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)


def ball_size(radius: Array, axes: int) -> Array:
    """Return area or volume of balls."""
    return pi * radius**2 if axes == 2 else 4 / 3 * pi * radius**3


def closer_than(distances: Array, sides: Array) -> Array:
    """Return the probability that two points at random in a box are closer than each distance.

    Parameters
    ----------
    distances
        Any shape, from 0.
    sides
        Of the rectangle or box, two or three.

    Notes
    -----
    Gauss-Legendre quadrature between all kinks; relative accuracy 1e-12 up to the shortest side,
    1e-7 beyond.
    """
    sides = np.sort(np.asarray(sides, float))
    flat = np.asarray(distances, float).ravel()
    return np.array([_closer(r, sides) for r in flat]).reshape(np.shape(distances))


def inside_balls(centres: Array, radius: Array, low: Array, high: Array) -> Array:
    """Return the size of the part of balls that lies in a box, shape (centre, radius).

    Parameters
    ----------
    centres
        Shape (centre, axis) with two or three axes, anywhere.
    radius
        Shape (radius,).
    low, high
        Corners of the box, shape (axis,). If high is below low the box is empty.

    Notes
    -----
    Closed form in two dimensions; in three a quadrature along the last axis, good to about 1e-4.
    """
    out = np.zeros((len(centres), len(radius)))
    if (high > low).all():
        below, above = (np.ascontiguousarray(end - centres) for end in (low, high))
        _inside(below, above, np.asarray(radius, float), *_QUADRATURE, out)
    return out


_QUADRATURE = np.polynomial.legendre.leggauss(16)


def _closer(r: float, sides: Array) -> float:
    """Integrate over the difference along the longest side; sides ascend."""
    others, last = sides[:-1], sides[-1]
    if r <= 0:
        return 0.0
    top = min(r, last)
    # where the rest of the distance passes a side or a diagonal of the others
    kinks = [r * r - square for square in _corner_squares(others)]
    marks = [np.sqrt(kink) for kink in kinks if 0 < kink < top * top]
    # x = r sin(angle): the rest of the distance is smooth then
    angles = np.arcsin(np.clip(np.unique([0.0, *marks, top]) / r, 0, 1))
    half, middle = np.diff(angles)[:, None] / 2, (angles[1:] + angles[:-1])[:, None] / 2
    angle = middle + half * _NODES
    rest = r * np.cos(angle)
    if len(others) > 1:
        share = np.array([_closer(one, others) for one in rest.ravel()]).reshape(rest.shape)
    else:
        share = _within_side(rest, others[0])
    density = 2 / last * (1 - r * np.sin(angle) / last)
    return float((density * share * rest * _WEIGHTS * half).sum())


def _corner_squares(sides: Array) -> list[float]:
    squares = [float(side) ** 2 for side in sides]
    return squares if len(squares) == 1 else [*squares, sum(squares)]


def _within_side(distance: Array, side: float) -> Array:
    """Return the probability that two places on a side differ by less."""
    share = np.minimum(distance / side, 1.0)
    return share * (2 - share)


@njit(nogil=True, cache=True, error_model="numpy")
def _inside(below, above, radius, nodes, weights, out):  # type: ignore[no-untyped-def]
    for centre in range(len(below)):
        x0, y0 = below[centre, 0], below[centre, 1]
        x1, y1 = above[centre, 0], above[centre, 1]
        for number in range(len(radius)):
            r = radius[number]
            if below.shape[1] == 2:
                out[centre, number] = _disc_in_rectangle(x0, x1, y0, y1, r)
                continue
            start = np.arcsin(min(max(below[centre, 2] / r, -1.0), 1.0)) if r > 0 else 0.0
            stop = np.arcsin(min(max(above[centre, 2] / r, -1.0), 1.0)) if r > 0 else 0.0
            for node in range(len(nodes)):
                angle = (start + stop) / 2 + (stop - start) / 2 * nodes[node]
                rest = r * np.cos(angle)
                area = _disc_in_rectangle(x0, x1, y0, y1, rest)
                out[centre, number] += area * rest * weights[node] * (stop - start) / 2


@njit(nogil=True, cache=True, error_model="numpy")
def _disc_in_rectangle(x0, x1, y0, y1, r):  # type: ignore[no-untyped-def]
    """Return the area of a disc around 0 in a rectangle."""
    return _corner(x1, y1, r) - _corner(x0, y1, r) - _corner(x1, y0, r) + _corner(x0, y0, r)


@njit(nogil=True, cache=True, error_model="numpy")
def _corner(x, y, r):  # type: ignore[no-untyped-def]
    """Return the area of a disc in the rectangle from 0 to (x, y), negative where one is."""
    sign = 1.0 if (x < 0) == (y < 0) else -1.0
    u, v = min(abs(x), r), min(abs(y), r)
    if u * u + v * v <= r * r:
        return sign * u * v
    # below the circle: flat at v up to where the circle falls to v, then along the circle
    left = np.sqrt(r * r - v * v)
    return sign * (v * left + _under_circle(u, r) - _under_circle(left, r))


@njit(nogil=True, cache=True, error_model="numpy")
def _under_circle(x, r):  # type: ignore[no-untyped-def]
    return (x * np.sqrt(max(r * r - x * x, 0.0)) + r * r * np.arcsin(min(x / r, 1.0))) / 2
