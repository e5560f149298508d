"""Clusters cleaned up: one cluster a track by majority, and numbers for tracks without one.

References
----------
minflux-analysis (Findeisen, Politi): ``inter_cluster_cleanup`` of ``processlocalizations.py``.
"""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.trace_labels import label_traces, number_parts
from mfxarray.kernels.clusters.grouped_modes import dense_ranks, grouped_modes
from mfxarray.minflux.rows import ROW, dask_rows, index_of, trace_keys, used_rows
from mfxarray.provenance import record

__all__ = ["clean_clusters"]

Array = np.ndarray[Any, Any]


def clean_clusters(
    ds: xr.Dataset, labels: str | xr.DataArray = "cluster", *, unclustered: str = "own"
) -> xr.DataArray:
    """Return labels that are the same for all localizations of a track.

    Parameters
    ----------
    ds
        Localizations, with ``tid2`` of `mfxarray.minflux.clusters.splitting.split_emitters`;
        without it each trace is a track.
    labels
        Clusters of the localizations, -1 for noise: a variable of ``ds`` or an array along
        ``localization``.
    unclustered
        "own": a track without a cluster becomes a cluster of its own; "noise": it keeps -1.

    Returns
    -------
    xarray.DataArray
        Shape (localization,), int64. Each track has the label that most of its localizations have;
        of several the smallest cluster wins, and noise only if nothing is as frequent. Tracks
        without a cluster get the numbers after the largest one, in the order of their traces and,
        within these, of their ``tid2``; no other track of any wash has that number. Localizations
        that are not used or have no ``tid2`` have -1.

    Raises
    ------
    ValueError
        If there are no such labels, or ``unclustered`` is unknown.

    Notes
    -----
    Lazy but for the counting pass. Rows of traces that cross chunks are carried. Labels are kept
    until the largest is known, 8 bytes a localization.
    """
    if unclustered not in ("own", "noise"):
        raise ValueError(f"unclustered must be 'own' or 'noise', not {unclustered!r}")
    used, keys, index = used_rows(ds), list(trace_keys(ds).values()), index_of(ds)
    given = _labels(ds, labels).rechunk(used.chunks)
    tracks = _tracks(ds, used)
    voted = label_traces(_vote, used, keys, [tracks, given], index)
    attrs = {"long_name": "cluster of the track, -1 for none"}
    if unclustered == "own":
        # the largest label after the vote, as lost ones are free again
        first = da.max(voted, keepdims=True) + 1
        ranks = label_traces(_rank_unclustered, used, keys, [tracks, voted], index)
        own = number_parts(ranks, used, keys, index, first)
        voted = da.where(ranks >= 0, own, voted)
    name = labels if isinstance(labels, str) else labels.name
    source = ds[labels].attrs if isinstance(labels, str) else labels.attrs
    noted = record({**ds.attrs, **source}, "clean_clusters", {"unclustered": unclustered})
    kept = {key: noted[key] for key in (*source, "provenance")}
    return xr.DataArray(voted, dims=(ROW,), name=name, attrs={**kept, **attrs})


def _labels(ds: xr.Dataset, labels: str | xr.DataArray) -> da.Array:
    if isinstance(labels, str):
        if labels not in ds.variables:
            raise ValueError(f"no variable {labels!r}; give labels along localization")
        labels = ds[labels]
    if labels.dims != (ROW,) or labels.sizes[ROW] != ds.sizes[ROW]:
        raise ValueError("labels must have one number a localization of these data")
    return dask_rows(labels)


def _tracks(ds: xr.Dataset, used: da.Array) -> da.Array:
    if "tid2" in ds.variables:
        return dask_rows(ds["tid2"], used)
    return da.zeros(used.shape, chunks=used.chunks, dtype=np.int64)


def _runs(starts: Array, rows: int) -> Array:
    return np.repeat(np.arange(len(starts)), np.diff(np.append(starts, rows)))


def _vote(columns: list[Array], starts: Array, _: Array | None) -> Array:
    tracks, labels = columns
    out = np.full(len(labels), -1, np.int64)
    kept = tracks >= 0
    groups = np.column_stack([_runs(starts, len(labels)), tracks])[kept]
    names, modes = grouped_modes(groups, labels[kept].astype(np.int64))
    if not len(names):
        return out
    # names are sorted, so that a row finds its group by the place of the group's first row
    order = np.lexsort((groups[:, 1], groups[:, 0]))
    new = np.append(True, (np.diff(groups[order], axis=0) != 0).any(axis=1))
    number = np.empty(len(order), np.int64)
    number[order] = np.cumsum(new) - 1
    out[kept] = modes[number]
    return out


def _rank_unclustered(columns: list[Array], starts: Array, _: Array | None) -> Array:
    tracks, labels = columns
    return dense_ranks(starts, tracks, (labels < 0) & (tracks >= 0))[0]
