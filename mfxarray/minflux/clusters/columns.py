"""What statistics of clusters read of a table of tracks: places, clusters, washes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from dask.base import compute

__all__ = ["SCOPES", "ClusterColumns", "cluster_columns", "scope_of"]

Array = np.ndarray[Any, Any]

SCOPES = ("wash", "all")
_PLACES = {"track": "ltr", "trace": "centroid"}


@dataclass(frozen=True)
class ClusterColumns:
    """Columns of the rows of a table, computed.

    Attributes
    ----------
    dim
        Dimension of the rows.
    place
        Positions, m, shape (row, 3); empty if not asked for.
    labels
        Cluster of each row, shape (row,); -1 for none.
    wash
        Wash of each row, shape (row,); 0 where there are none.
    """

    dim: str
    place: Array
    labels: Array
    wash: Array

    def clusters(self, scope: str) -> tuple[Array, Array]:
        """Return the row of (wash, cluster) of each cluster, and the cluster of each row.

        Parameters
        ----------
        scope
            "wash": clusters of different washes are different ones even under one number; "all":
            a cluster has members in all washes, its wash is 0.

        Returns
        -------
        names, numbers
            Shapes (cluster, 2), rising, and (row,), -1 for rows without a cluster.
        """
        kept = self.labels >= 0
        wash = self.wash if scope == "wash" else np.zeros_like(self.wash)
        names, numbers = np.unique(
            np.column_stack([wash, self.labels])[kept], axis=0, return_inverse=True
        )
        found = np.full(len(self.labels), -1, np.int64)
        found[kept] = numbers.ravel()
        return names.reshape(-1, 2), found


def cluster_columns(
    table: xr.Dataset, column: str | xr.DataArray, *, places: bool = True
) -> ClusterColumns:
    """Return the columns of a table of tracks (``ltr``) or of traces (``centroid``).

    Parameters
    ----------
    table
        Result of `mfxarray.minflux.clusters.track_summary.track_summary` or
        `mfxarray.minflux.traces.table.traces`.
    column
        Clusters of its rows: the name of a variable, or an array.
    places
        Whether positions are wanted.

    Raises
    ------
    ValueError
        If it is no such table, or has no such clusters.
    """
    found = [dim for dim in _PLACES if dim in table.dims]
    if not found:
        raise ValueError("give a table of tracks (track_summary) or of traces")
    dim = found[0]
    labels = _labels(table, column)
    if labels.dims != (dim,) or labels.sizes[dim] != table.sizes[dim]:
        raise ValueError(f"clusters must have one number a {dim} of the table")
    if places and _PLACES[dim] not in table.variables:
        raise ValueError(f"the table lacks {_PLACES[dim]!r}")
    place = table[_PLACES[dim]].transpose(dim, "axis").data if places else np.empty((0, 3))
    wash = table["wash"].data if "wash" in table.variables else None
    given = [place, labels.data, *([] if wash is None else [wash])]
    computed = [np.asarray(array) for array in compute(*given)]
    numbers = computed[1].astype(np.int64)
    washes = np.zeros(len(numbers), np.int64) if wash is None else computed[2].astype(np.int64)
    return ClusterColumns(dim, computed[0].astype(float), numbers, washes)


def _labels(table: xr.Dataset, column: str | xr.DataArray) -> xr.DataArray:
    if isinstance(column, xr.DataArray):
        return column
    if column not in table.variables:
        raise ValueError(f"no clusters {column!r} in the table; there are {list(table.data_vars)}")
    return table[column]


def scope_of(table: xr.Dataset, column: str | xr.DataArray, scope: str | None) -> str:
    """Return whether clusters are counted within a wash or over all.

    Parameters
    ----------
    table, column
        As for `cluster_columns`.
    scope
        "wash" or "all"; if None what the clusters tell: their attribute "scope", else "wash" for
        the seed's ``cls_meas`` and ``cls_merged_meas``, else "all".

    Raises
    ------
    ValueError
        If the scope is unknown.
    """
    if scope is None:
        labels = _labels(table, column)
        usual = "wash" if labels.name in ("cls_meas", "cls_merged_meas") else "all"
        scope = str(labels.attrs.get("scope", usual))
    if scope not in SCOPES:
        raise ValueError(f"scope must be 'wash' or 'all', not {scope!r}")
    return scope
