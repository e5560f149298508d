"""Composite shapes of ImageJ: a list of pen movements, turned into outlines."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from mfxarray.errors import DataError

__all__ = ["shape_outlines"]

Array = np.ndarray[Any, Any]

_MOVE, _QUADRATIC, _CUBIC, _CLOSE = 0, 2, 3, 4
# numbers that follow each movement: move, line, quadratic and cubic Bezier curve, close
_ARGUMENTS = {_MOVE: 2, 1: 2, _QUADRATIC: 4, _CUBIC: 6, _CLOSE: 0}
# points on a curve; a quarter of a circle of radius 100 is off by less than 0.04 pixels
_STEPS = 32
_CURVES_CAP = 30_000


def shape_outlines(numbers: Array) -> tuple[Array, ...]:
    """Return the closed outlines of a composite shape, float32 (corner, 2), y before x.

    Parameters
    ----------
    numbers
        Kind of a movement and its places (x, y), one after the other, float64.

    Raises
    ------
    DataError
        If there is an unknown movement, or the list ends too early.
    """
    kinds, starts = _movements(numbers.tolist())
    counts = np.choose(np.clip(kinds, 0, _CLOSE), [1, 1, _STEPS, _STEPS, 0])
    behind = np.cumsum(counts)
    points = _points(numbers, kinds, starts, behind, int(counts.sum()))
    # a move begins an outline, a close ends one
    cuts = np.unique(np.where(kinds == _MOVE, behind - counts, behind)[_breaks(kinds)])
    bounds = [0, *cuts.tolist(), len(points)]
    pairs = pairwise(bounds)
    return tuple(points[first:last] for first, last in pairs if last - first > 2)


def _movements(values: list[float]) -> tuple[Array, Array]:
    """Return the kinds of all movements, and where their places begin in the list."""
    kinds, starts = [], []
    at, end = 0, len(values)
    while at < end:
        kind = values[at]
        needed = _ARGUMENTS.get(kind)  # type: ignore[call-overload]
        if needed is None or at + 1 + needed > end:
            raise DataError(
                f"has a shape with the movement {kind:g} and {end - at - 1} numbers left",
                place=f"number {at} of the shape",
            )
        kinds.append(int(kind))
        starts.append(at + 1)
        at += 1 + needed
    found = np.array(kinds, np.int64)
    curves = np.count_nonzero((found == _QUADRATIC) | (found == _CUBIC))
    if curves > _CURVES_CAP:
        raise DataError(f"has a shape of {curves} curves, more than {_CURVES_CAP}")
    return found, np.array(starts, np.int64)


def _breaks(kinds: Array) -> Array:
    return np.asarray((kinds == _MOVE) | (kinds == _CLOSE))


def _points(numbers: Array, kinds: Array, starts: Array, behind: Array, total: int) -> Array:
    """Return the places of all movements, curves as many short lines, shape (place, 2)."""
    # as narrow as the file has them: hostile files hold many
    points = np.zeros((total, 2), np.float32)
    drawn = kinds != _CLOSE
    ends = starts[drawn] + 2 * np.clip(kinds[drawn], 1, _CUBIC) - 1
    # y before x
    last = np.stack([numbers[ends], numbers[ends - 1]], axis=1)
    points[behind[drawn] - 1] = last
    before = np.concatenate([np.zeros((1, 2)), last])[np.cumsum(drawn) - 1 + (~drawn)]
    t = np.linspace(0, 1, _STEPS + 1)[1:, None]
    for kind in (_QUADRATIC, _CUBIC):
        chosen = np.flatnonzero(kinds == kind)
        control = [before[chosen]]
        for number in range(kind):
            at = starts[chosen] + 2 * number
            control.append(np.stack([numbers[at + 1], numbers[at]], axis=1))
        places = (behind[chosen] - _STEPS)[:, None] + np.arange(_STEPS)
        points[places] = _bezier([corner[:, None] for corner in control], t)
    return points


def _bezier(control: list[Array], t: Array) -> Array:
    """Return places on Bezier curves: halfway points of halfway points (de Casteljau)."""
    layer = control
    while len(layer) > 1:
        layer = [one * (1 - t) + two * t for one, two in pairwise(layer)]
    return layer[0]
