"""Neighbours within a distance out of core: how many, or how near, strip by strip."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import dask.array as da
import numpy as np

from mfxarray.chunked.strips import Strip, cut_strips, values_by_strips
from mfxarray.kernels.clusters.cells import number_groups
from mfxarray.kernels.clusters.neighbours import count_within
from mfxarray.kernels.traces.density import REACH, neighbour_density

__all__ = ["counts_within", "density_sums"]

Array = np.ndarray[Any, Any]


def counts_within(
    used: da.Array,
    position: da.Array,
    groups: Sequence[da.Array] = (),
    *,
    radius: float,
    strips: int | None = None,
) -> da.Array:
    """Return how many other points of the same group lie within a radius; -1 where not used.

    Parameters
    ----------
    used, position, groups, strips
        As for `mfxarray.chunked.dbscan.dbscan`.
    radius
        Largest distance, in the unit of the positions.
    """
    cut = cut_strips(used, position, groups, halo=radius, strips=strips)
    return values_by_strips(partial(_counts, radius=radius), cut, dtype=np.int64, fill=-1)


def density_sums(
    used: da.Array,
    position: da.Array,
    groups: Sequence[da.Array] = (),
    *,
    fwhm: float,
    strips: int | None = None,
) -> da.Array:
    """Return the sum of Gaussians around the other points of the same group; NaN where not used.

    Parameters
    ----------
    used, position, groups, strips
        As for `mfxarray.chunked.dbscan.dbscan`.
    fwhm
        Full width at half maximum, in the unit of the positions; see
        `mfxarray.kernels.traces.density.neighbour_density`.
    """
    cut = cut_strips(used, position, groups, halo=REACH * fwhm, strips=strips)
    return values_by_strips(partial(_sums, fwhm=fwhm), cut, dtype=float, fill=np.nan)


def _counts(strip: Strip, *, radius: float) -> Array:
    group = number_groups(strip.columns)
    return count_within(strip.points, radius, strip.own, group)[strip.own]


def _sums(strip: Strip, *, fwhm: float) -> Array:
    group = number_groups(strip.columns)
    return neighbour_density(strip.points, fwhm, strip.own, group)[strip.own]
