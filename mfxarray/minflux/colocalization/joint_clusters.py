"""Joint clusters of channels: how they are made, which count, and the numbers of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.pairs import Marked
from mfxarray.kernels.traces.moments import Column, run_moments, run_starts
from mfxarray.minflux.clusters.dbscan import dbscan

__all__ = ["Gates", "joint_labels", "numbers_of_clusters"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Gates:
    """How joint clusters are made, and which of them count.

    Attributes
    ----------
    eps, min_samples
        As for `mfxarray.minflux.clusters.dbscan.dbscan`.
    max_size
        Size that clusters must stay below, metres; None for any.
    min_localizations
        Number of points that clusters must have more than.
    """

    eps: float
    min_samples: int
    max_size: float | None
    min_localizations: int

    def __post_init__(self) -> None:
        if self.max_size is not None and not self.max_size > 0:
            raise ValueError(f"max_size must be above 0 metres or None, not {self.max_size!r}")
        if self.min_localizations < 0:
            raise ValueError(
                f"min_localizations must not be negative, not {self.min_localizations!r}"
            )

    def keep(self, n: Array, size: Array) -> Array:
        """Return which clusters count, by their numbers of points and their sizes."""
        kept = n > self.min_localizations
        # the size of a single point is unknown
        return kept if self.max_size is None else kept & (size < self.max_size)


def joint_labels(marked: Marked, gates: Gates) -> da.Array:
    """Return the joint cluster of each point, shape (point,), int64; -1 for none."""
    centroid = da.where(marked.used[:, None], marked.position, np.nan)
    points = xr.Dataset({"centroid": (("trace", "axis"), centroid)})
    labels: da.Array = dbscan(points, eps=gates.eps, min_samples=gates.min_samples).data
    return labels


def numbers_of_clusters(
    group: Array, position: Array, channel: Array, channels: int, gates: Gates
) -> tuple[dict[str, Array], Array]:
    """Return numbers of each cluster of a part of the points.

    Parameters
    ----------
    group
        Cluster of each point, ascending, shape (point,).
    position, channel
        Shape (point, axis) and (point,).
    channels
        Number of channels.
    gates
        Which clusters count.

    Returns
    -------
    clusters, places
        Columns ``label``, ``counts``, ``n``, ``position``, ``spread``, ``size``, ``kept``; and the
        place of the cluster of each point among these.
    """
    starts = run_starts(group)
    places = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(group))))
    counts = np.zeros((len(starts), channels), np.int64)
    np.add.at(counts, (places, channel), 1)
    axes = position.shape[1]
    padded = np.zeros((len(position), 3))
    padded[:, :axes] = position
    moments = run_moments(padded, np.zeros(len(position)), starts)
    n = counts.sum(axis=1)
    variance = np.full((len(starts), axes), np.nan)
    several = n > 1
    variance[several] = moments[several, Column.M2][:, :axes] / (n[several, None] - 1)
    size = np.sqrt(variance.sum(axis=1))
    clusters = {
        "label": group[starts],
        "counts": counts,
        "n": n,
        "position": moments[:, Column.MEAN][:, :axes],
        "spread": np.sqrt(variance),
        "size": size,
        "kept": gates.keep(n, size),
    }
    return clusters, places
