"""How many-fold the angles of clusters are: their angular spectrum, and what chance would give.

References
----------
Lord Rayleigh, Phil. Mag. 10, 73 (1880): the test of directions.
D. Wilkie, J. R. Stat. Soc. C 32, 311 (1983): its probability.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["angular_order", "angular_sites", "rayleigh_p"]

Array = np.ndarray[Any, Any]


def angular_sites(angles: Array, starts: Array, gaps: Array) -> tuple[Array, Array, Array, Array]:
    """Return the mean angles of points that hang together along the circle.

    Parameters
    ----------
    angles
        Radians, cluster by cluster, shape (point,); NaN for points that do not count.
    starts
        First point of each cluster, shape (cluster,).
    gaps
        Largest angle between neighbours of one site, one a cluster, radians.

    Returns
    -------
    sites, bounds, empty, member
        Angles, cluster by cluster, shape (site,), the first of each cluster at ``bounds``, shape
        (cluster + 1,); the largest angle between neighbouring points of each cluster, shape
        (cluster,), 2 pi for a single one, NaN without points; and the site of each point, shape
        (point,), -1 for none.
    """
    counts, empty = np.zeros(len(starts), np.int64), np.full(len(starts), np.nan)
    found, member = np.empty(len(angles)), np.full(len(angles), -1, np.int64)
    ends = np.append(starts, len(angles)).astype(np.int64)
    _sites(
        np.ascontiguousarray(angles, float),
        ends,
        np.ascontiguousarray(gaps, float),
        found,
        counts,
        empty,
        member,
    )
    bounds = np.concatenate([[0], np.cumsum(counts)])
    take = np.arange(bounds[-1]) + np.repeat(ends[:-1] - bounds[:-1], counts)
    shift = np.repeat(bounds[:-1], np.diff(ends))
    return found[take], bounds, empty, np.where(member >= 0, member + shift, -1)


@njit(nogil=True, cache=True, error_model="numpy")
def _sites(angles, ends, gaps, found, counts, empty, member):  # type: ignore[no-untyped-def]
    turn = 2.0 * np.pi
    for cluster in range(len(counts)):
        own = angles[ends[cluster] : ends[cluster + 1]] % turn
        # NaN last
        order = np.argsort(own)
        n = len(own)
        while n > 0 and np.isnan(own[order[n - 1]]):
            n -= 1
        if n == 0:
            continue
        steps = np.empty(n)
        for at in range(n - 1):
            steps[at] = own[order[at + 1]] - own[order[at]]
        steps[n - 1] = own[order[0]] + turn - own[order[n - 1]]
        widest = int(np.argmax(steps))
        empty[cluster] = steps[widest]
        place, total, members = ends[cluster], 0.0, 0
        # begins behind the widest gap, so that no site is cut in two
        for number in range(1, n + 1):
            at = (widest + number) % n
            # along the circle, never back to its start
            total += own[order[at]] + (turn if at <= widest else 0.0)
            members += 1
            member[place + order[at]] = counts[cluster]
            if number == n or steps[at] > gaps[cluster]:
                found[place + counts[cluster]] = (total / members) % turn
                counts[cluster] += 1
                total, members = 0.0, 0


def angular_order(
    angles: Array, bounds: Array, orders: tuple[int, ...]
) -> tuple[Array, Array, Array]:
    """Return the angular spectrum, and phase with its error for each order.

    Parameters
    ----------
    angles
        Radians, cluster by cluster, shape (angle,).
    bounds
        First angle of each cluster, and the end, shape (cluster + 1,).
    orders
        Numbers n of the symmetries.

    Returns
    -------
    spectrum, phase, error
        Shape (cluster, order) each. ``spectrum``: ``|sum exp(i n angle)|^2 / N``, N if all angles
        fit and about 1 by chance. ``phase``: radians from 0 to below 2 pi / n, where the corners
        stand; NaN without angles. ``error``: its standard error.
    """
    count = np.diff(bounds)
    n = np.asarray(orders, float)
    sums = np.zeros((len(count), len(orders)), complex)
    cluster = np.repeat(np.arange(len(count)), count)
    for column, order in enumerate(orders):
        cos = np.bincount(cluster, np.cos(order * angles), len(count))
        sums[:, column] = cos + 1j * np.bincount(cluster, np.sin(order * angles), len(count))
    number = np.where(count, count, np.nan)[:, None]
    spectrum = np.abs(sums) ** 2 / number
    step = 2 * np.pi / n
    # rounding may lead a small negative angle to the full step
    phase = np.mod(np.angle(sums) / n, step)
    phase = np.where(phase >= step, 0.0, phase)
    length = np.clip(np.abs(sums) / number, 1e-300, 1.0)
    error = np.sqrt(-2 * np.log(length) / number) / n
    return spectrum, np.where(np.isnan(number), np.nan, phase), error


def rayleigh_p(score: Array, count: Array, tried: int = 1) -> Array:
    """Return the probability that random angles reach a score in one of several orders.

    Parameters
    ----------
    score
        ``|sum exp(i n angle)|^2 / N``.
    count
        Angles N.
    tried
        Orders among which the best was chosen.

    Notes
    -----
    Within 0.01 of the exact probability from 4 angles on, and above it where angles are few.
    """
    n = np.asarray(count, float)
    # squared length of the sum, at most N^2
    squared = np.minimum(np.asarray(score, float) * n, n * n)
    single = np.exp(np.sqrt(1 + 4 * n + 4 * (n * n - squared)) - (1 + 2 * n))
    return -np.expm1(tried * np.log1p(-np.minimum(single, 1 - 1e-16)))
