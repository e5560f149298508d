"""One row a track: the columns of the Python seed in its order, and what else is known of it.

References
----------
minflux-analysis (Findeisen, Politi): ``summary_per_tid2`` of ``processlocalizations.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.trace_columns import split_columns
from mfxarray.chunked.trace_rows import reduce_traces, table_groups, trace_places
from mfxarray.minflux.beads.seed_summary import with_position
from mfxarray.minflux.clusters.track_columns import (
    CLUSTER_COLUMNS,
    SummaryColumn,
    columns_of,
    known_columns,
    made_of,
)
from mfxarray.minflux.photons import photons as photons_of
from mfxarray.minflux.rows import (
    dask_rows,
    index_of,
    last_iteration_of,
    trace_keys,
    used_rows,
)
from mfxarray.minflux.traces.statistics import Convention, convention_of
from mfxarray.provenance import record
from mfxarray.schema import AXES

__all__ = ["track_summary"]

Array = np.ndarray[Any, Any]

_MEANS = {"loc": "position", "lnc": "position_uncorrected"}


def track_summary(
    ds: xr.Dataset,
    *,
    position: str = "position",
    ddof: int | str = 1,
    clusters: Mapping[str, str | xr.DataArray] | None = None,
    photons: str | None = "all",
) -> xr.Dataset:
    """Return a table with one row a track, by traces as they begin, then by ``tid2``.

    Parameters
    ----------
    ds
        Localizations, with ``tid2`` of `mfxarray.minflux.clusters.splitting.split_emitters`, -1 for
        those left out; without it each trace is a track.
    position
        Which positions ``ltr`` and the spreads are made of; those localizations count that have
        one.
    ddof
        What is subtracted from n in the variance, 0 or 1; "python" as the Python seed: 0.
    clusters
        Clusters of localizations by the name of their column: a variable of ``ds`` or an array;
        if not given, the variables ``cls_meas`` and ``cls_all`` where there are such.
    photons
        Which photons are summed, see `mfxarray.minflux.photons.photons`; None for none.

    Returns
    -------
    xarray.Dataset
        Dimensions ``track`` and ``axis``; coordinates ``tid`` and, where there is one, ``wash``.
        Columns in the order of the seed: ``tid2``, ``tim``, ``loc``, ``lnc`` (if known), ``ltr``,
        ``std``, ``se``, ``nl``, ``std_xyz``, ``se_xyz``, ``cls_meas``, ``cls_all``,
        ``cls_merged_meas``, ``cls_merged_all`` (-1 where there are none; of the first localization,
        which has that of all after `mfxarray.minflux.clusters.cleanup.clean_clusters`), other
        clusters; then ``efo_mean``, ``efo_median``, ``photons`` (if known), ``start``, ``end``,
        ``duration``.

    Raises
    ------
    ValueError
        If a parameter is unknown, or clusters are not along ``localization``.

    Notes
    -----
    Lazy; with ``tid2`` one pass over it is made at once to count tracks. Rows of traces that cross
    chunks are carried. ``std`` is pooled over the axes in which the localizations of a track
    differ; the seed divides by three also for 2D data.
    """
    convention = convention_of(ddof)
    source = with_position(ds, position)
    used, keys, index = used_rows(source), trace_keys(source), index_of(source)
    names = list(keys.values())
    labels = _clusters(ds, clusters)
    fields = _fields(ds, source, used, photons) | {
        name: array.rechunk(used.chunks) for name, array in labels.items()
    }
    if "tid2" in ds.variables:
        tracks = dask_rows(ds["tid2"], used)
        counts = reduce_traces(_count, used, names, [tracks], index, width=1).compute()[:, 0]
        bounds = np.cumsum([0, *table_groups(index)[1]])
        sizes = tuple(int(part.sum()) for part in np.split(counts, bounds[1:-1]))
    else:
        tracks, sizes = trace_places(used, names, index)[:, 0], None
    columns = [c for c in known_columns(list(labels)) if c[0] in made_of(fields)]
    width = sum(3 if along else 1 for _, along, *_ in columns) + len(keys)
    reduce = partial(
        _reduce,
        names=tuple(fields),
        wanted=tuple(column[0] for column in columns),
        convention=convention,
        n_keys=len(keys),
    )
    arrays = [tracks, *names, *fields.values()]
    table = reduce_traces(reduce, used, names, arrays, index, width=width, sizes=sizes)
    parameters = {"position": position, "ddof": ddof, "clusters": list(labels)}
    attrs = record(ds.attrs, "track_summary", {**parameters, "photons": photons})
    found = _dataset(ds, table, columns, list(keys)).assign_attrs(attrs)
    for name in set(labels) & set(ds.variables):
        found[name].attrs.update({k: v for k, v in ds[name].attrs.items() if k == "scope"})
    return found


def _clusters(
    ds: xr.Dataset, clusters: Mapping[str, str | xr.DataArray] | None
) -> dict[str, da.Array]:
    if clusters is None:
        clusters = {name: name for name in CLUSTER_COLUMNS[:2] if name in ds.variables}
    found = {}
    for name, labels in clusters.items():
        if isinstance(labels, str) and labels not in ds.variables:
            raise ValueError(f"no variable {labels!r}; give labels along localization")
        array = ds[labels] if isinstance(labels, str) else labels
        if array.dims != ("localization",) or array.shape != ds["tid"].shape:
            raise ValueError(f"clusters {name!r} must have one number a localization of these data")
        found[name] = dask_rows(array)
    return found


def _fields(
    ds: xr.Dataset, source: xr.Dataset, used: da.Array, photons: str | None
) -> dict[str, da.Array]:
    """Return what columns are made of."""
    found = {
        "tim": dask_rows(ds["tim"], used),
        "ltr": dask_rows(last_iteration_of(source, "position"), used),
    }
    for name, ours in _MEANS.items():
        if ours in ds.variables:
            found[name] = dask_rows(last_iteration_of(ds, ours), used)
    if "efo" in ds.variables:
        found["efo"] = dask_rows(last_iteration_of(ds, "efo"), used)
    if photons is not None and "eco" in ds.variables:
        plain = "iteration" not in ds["eco"].dims
        found["photons"] = dask_rows(ds["eco"] if plain else photons_of(ds, photons), used)
    return found


def _count(columns: list[Array], starts: Array) -> tuple[Array, Array]:
    _, _, counts = _tracks(columns[0], starts)
    return counts[:, None].astype(float), np.ones(len(starts), np.int64)


def _tracks(tracks: Array, starts: Array) -> tuple[Array, Array, Array]:
    """Return rows in the order of runs and tracks, where tracks begin there, and tracks a run."""
    run = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(tracks))))
    rows = np.flatnonzero(tracks >= 0)
    rows = rows[np.lexsort((tracks[rows], run[rows]))]
    steps = (np.diff(tracks[rows]) != 0) | (np.diff(run[rows]) != 0)
    begins = np.flatnonzero(np.append(True, steps)[: len(rows)])
    return rows, begins, np.bincount(run[rows[begins]], minlength=len(starts))


def _reduce(
    arrays: list[Array],
    starts: Array,
    *,
    names: tuple[str, ...],
    wanted: tuple[str, ...],
    convention: Convention,
    n_keys: int,
) -> tuple[Array, Array]:
    """Return the wanted columns and the keys of the tracks of whole traces."""
    rows, begins, counts = _tracks(arrays[0], starts)
    tid2, *keys = (array[rows[begins]] for array in arrays[: 1 + n_keys])
    fields = {name: array[rows] for name, array in zip(names, arrays[1 + n_keys :], strict=True)}
    made = columns_of(fields, begins, convention) | {"tid2": tid2}
    return np.column_stack([*(made[name] for name in wanted), *keys]).astype(float), counts


def _dataset(
    ds: xr.Dataset, table: da.Array, columns: list[SummaryColumn], keys: list[str]
) -> xr.Dataset:
    kinds = [(dtype, 3 if along else None) for _, along, dtype, _, _ in columns]
    kinds += [(ds[name].dtype, None) for name in keys]
    parts = split_columns(partial(_cut, kinds=tuple(kinds)), [table], kinds)
    variables = {
        name: (("track", "axis") if along else ("track",), data, {"units": unit, "long_name": text})
        for (name, along, _, unit, text), data in zip(columns, parts, strict=False)
    }
    coords: dict[str, Any] = {
        name: ("track", data, ds[name].attrs)
        for name, data in zip(keys, parts[len(columns) :], strict=True)
    }
    coords["axis"] = ("axis", list(AXES), {"long_name": "axis of space"})
    return xr.Dataset(variables, coords)


def _cut(rows: Array, *, kinds: tuple[tuple[Any, int | None], ...]) -> tuple[Array, ...]:
    """Return the columns of a table, one or three wide, in their dtypes."""
    found, stop = [], 0
    for dtype, width in kinds:
        start, stop = stop, stop + (width or 1)
        part = rows[:, start:stop] if width else rows[:, start]
        found.append(np.ascontiguousarray(part).astype(dtype))
    return tuple(found)
