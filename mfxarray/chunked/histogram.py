"""Histograms and limits of points in a plane, block by block; no block waits for another."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np

__all__ = ["plane_histogram", "plane_limits"]

Array = np.ndarray[Any, Any]
Limits = tuple[tuple[float, float], tuple[float, float]]

_SPLIT = 8


def plane_histogram(points: da.Array, limits: Limits, bins: tuple[int, int]) -> da.Array:
    """Return how many points fall into each bin, shape ``bins``, int64.

    Parameters
    ----------
    points
        Shape (point, 2); points with a NaN are left out.
    limits
        Lowest and highest value along both columns. The lowest is included; points on the highest
        belong to the last bin.
    bins
        Number of bins along both columns.

    Notes
    -----
    Lazy, one pass. A task holds a block of points and one histogram. Counts are integers, so the
    order in which blocks are added does not matter.
    """
    each = da.map_blocks(
        _count,
        points,
        limits=limits,
        bins=bins,
        chunks=((1,) * points.numblocks[0], (bins[0],), (bins[1],)),
        new_axis=[2],
        dtype=np.int64,
        meta=np.empty((0, 0, 0), np.int64),
    )
    return da.sum(each, axis=0, dtype=np.int64, split_every=_SPLIT)


def plane_limits(points: da.Array) -> da.Array:
    """Return the lowest and the highest value of each column, shape (2, 2): (low, high), column.

    NaN are left out; without any number the lowest is inf and the highest -inf.
    """
    each = da.map_blocks(
        _extent,
        points,
        chunks=((1,) * points.numblocks[0], (4,)),
        dtype=float,
        meta=np.empty((0, 0)),
    )
    return da.min(each, axis=0, split_every=_SPLIT).reshape(2, 2) * np.array([[1.0], [-1.0]])


def _count(points: Array, *, limits: Limits, bins: tuple[int, int]) -> Array:
    inside = np.ones(len(points), bool)
    places = np.zeros(len(points), np.int64)
    for column, ((low, high), n) in enumerate(zip(limits, bins, strict=True)):
        values = points[:, column]
        with np.errstate(invalid="ignore"):
            inside &= (values >= low) & (values <= high)
            scaled = np.where(inside, (values - low) * (n / (high - low)), 0.0)
        places = places * n + np.minimum(scaled.astype(np.int64), n - 1)
    counts = np.bincount(places[inside], minlength=bins[0] * bins[1])
    return counts.reshape(1, *bins)


def _extent(points: Array) -> Array:
    # highest as the lowest of the negative, so that one reduction does both
    both = np.concatenate([points, -points], axis=1)
    known = np.where(np.isnan(both), np.inf, both)
    return np.asarray(known.min(axis=0, initial=np.inf).reshape(1, 4))
