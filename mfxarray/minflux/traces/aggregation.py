"""Localizations joined within their traces by their photons, and means of traces weighted by them.

The rule is Imspector's: photons are added up along a trace until they reach a threshold; what was
gathered becomes one point at the photon-weighted mean position, and gathering starts anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.trace_columns import split_columns
from mfxarray.chunked.trace_rows import reduce_traces, table_groups
from mfxarray.kernels.traces.aggregation import group_starts, weighted_means
from mfxarray.minflux.filtering.masks import position_rows
from mfxarray.minflux.photons import photons as photons_of
from mfxarray.minflux.relocalised import SequenceLike
from mfxarray.minflux.rows import (
    ROW,
    dask_rows,
    index_of,
    last_iteration_of,
    trace_keys,
    used_rows,
)
from mfxarray.minflux.traces.table import traces
from mfxarray.provenance import record
from mfxarray.schema import AXES, CFR_NOT_MEASURED, LOCALIZATIONS, by_name

__all__ = ["aggregate", "weighted_trace_means"]

Array = np.ndarray[Any, Any]

_TIMES = ("weighted", "first")
# fields whose plain means a point carries, where the data have them
_MEANS = ("ecc", "efo", "efc", "fbg", "cfr", "dcr")


def aggregate(
    ds: xr.Dataset,
    photons: float,
    *,
    count: str | xr.DataArray = "relocalised",
    time: str = "weighted",
    sequence: SequenceLike | None = None,
    iterations: Iterable[int] | None = None,
) -> xr.Dataset:
    """Return one localization for every so many photons of a trace, as Imspector aggregates.

    Parameters
    ----------
    ds
        Localizations; those count that are valid, have a position, and were masked by no filter.
    photons
        Threshold: a point is made when the photons gathered along a trace reach it. What is left
        at the end of a trace makes a point too.
    count
        Which photons, see `mfxarray.minflux.photons.photons`, or an array of one number a
        localization. Imspector counts the iterations at the final pattern size.
    time
        "weighted": photon-weighted mean time, as newer versions write; "first": time of the first
        localization of the point, as older ones do.
    sequence, iterations
        For ``count="relocalised"``.

    Returns
    -------
    xarray.Dataset
        Dimension ``localization``, in the order of the traces: coordinates ``tid``, ``tim`` and
        ``wash`` where there is one; ``position`` (m), ``eco`` (photons of the point), ``n``
        (localizations), ``bot`` and ``eot`` (first and last point of its trace), ``vld``, and means
        of ecc, efo, efc, fbg, cfr and dcr of the last iteration.

    Raises
    ------
    ValueError
        If the threshold is not above 0, or a parameter is unknown.

    Notes
    -----
    One pass over the photons is made at once to count the points; the rest is lazy and carries the
    rows of traces that cross chunks, so memory is bounded by the longest trace. Localizations with
    no photons at all are averaged plainly. The order within a trace is that of the times.
    """
    if not (np.isfinite(photons) and photons > 0):
        raise ValueError(f"photons must be above 0, not {photons!r}")
    if time not in _TIMES:
        raise ValueError(f"time must be one of {_TIMES}, not {time!r}")
    used, keys, index = used_rows(ds), trace_keys(ds), index_of(ds)
    weights = _weights(ds, count, sequence, iterations).rechunk(used.chunks)
    tim = dask_rows(ds["tim"], used)
    names = [name for name in _MEANS if _is_plain(ds, name)]
    fields = [_field(ds, name).rechunk(used.chunks) for name in names]
    columns = [weights, tim, position_rows(ds), *fields]
    lists = (used, list(keys.values()))
    tally = partial(_count_points, photons=float(photons))
    counts = reduce_traces(tally, *lists, columns[:2], index, width=1).compute()[:, 0]
    bounds = np.cumsum([0, *table_groups(index)[1]])
    sizes = tuple(int(part.sum()) for part in np.split(counts, bounds[1:-1]))
    make = partial(_points, photons=float(photons), time=time)
    keyed = [*columns, *(key.astype(np.int64) for key in keys.values())]
    width = 8 + len(names) + len(keys)
    table = reduce_traces(
        partial(make, n_keys=len(keys)), *lists, keyed, index, width=width, sizes=sizes
    )
    parameters = {"photons": photons, "count": count if isinstance(count, str) else "given"}
    noted = record(ds.attrs, "aggregate", {**parameters, "time": time})
    whole = np.dtype(np.int64 if weights.dtype.kind in "iub" else float)
    found = _dataset(ds, table, names, list(keys), whole).assign_attrs(noted)
    found.attrs.pop("masks", None)
    return found.assign_attrs(aggregated=True)


def weighted_trace_means(
    ds: xr.Dataset,
    weights: str | xr.DataArray = "all",
    *,
    sequence: SequenceLike | None = None,
    iterations: Iterable[int] | None = None,
) -> xr.Dataset:
    """Return the trace table with the photon-weighted mean position and time of each trace.

    Parameters
    ----------
    ds
        Localizations, as for `mfxarray.minflux.traces.table.traces`.
    weights
        Which photons, see `mfxarray.minflux.photons.photons`, or an array of one weight a
        localization. Weights that sum to 0 count alike.
    sequence, iterations
        For ``weights="relocalised"``.

    Returns
    -------
    xarray.Dataset
        The trace table, and ``centroid_weighted`` (m), ``mean_time_weighted`` (s).

    Notes
    -----
    Lazy as `mfxarray.minflux.traces.table.traces` is. Sums with weights are made over whole traces,
    so the rows of traces that cross chunks are carried.
    """
    used, keys = used_rows(ds), list(trace_keys(ds).values())
    weight = _weights(ds, weights, sequence, iterations).rechunk(used.chunks)
    columns = [weight, dask_rows(ds["tim"], used), position_rows(ds)]
    rows = reduce_traces(_means, used, keys, columns, index_of(ds), width=4)
    time, place = split_columns(_time_and_place, [rows], [(float, None), (float, 3)])
    table = traces(ds)
    what = weights if isinstance(weights, str) else "given"
    return table.assign(
        centroid_weighted=(
            ("trace", "axis"),
            place,
            {"units": "m", "long_name": "photon-weighted mean position"},
        ),
        mean_time_weighted=(
            ("trace",),
            time,
            {"units": "s", "long_name": "photon-weighted mean time"},
        ),
    ).assign_attrs(record(table.attrs, "weighted_trace_means", {"weights": what}))


def _means(columns: list[Array], starts: Array) -> tuple[Array, Array]:
    weights, tim, position = columns
    rows = weighted_means(np.column_stack([tim, position]), weights, starts)
    return rows, np.ones(len(starts), np.int64)


def _time_and_place(rows: Array) -> tuple[Array, ...]:
    return rows[:, 0].copy(), rows[:, 1:].copy()


def _weights(
    ds: xr.Dataset,
    which: str | xr.DataArray,
    sequence: SequenceLike | None,
    iterations: Iterable[int] | None,
) -> da.Array:
    if isinstance(which, xr.DataArray):
        if which.dims != (ROW,) or which.sizes[ROW] != ds.sizes[ROW]:
            raise ValueError("weights must have one number a localization of these data")
        return dask_rows(which)
    if "eco" in ds and "iteration" not in ds["eco"].dims:
        return dask_rows(ds["eco"]).astype(np.int64)
    return dask_rows(photons_of(ds, which, sequence=sequence, iterations=iterations))


def _is_plain(ds: xr.Dataset, name: str) -> bool:
    if name not in ds.variables or (name == "cfr" and ds.attrs.get("cfr_iteration", 0) is None):
        return False
    return set(ds[name].dims) <= {ROW, "iteration"}


def _field(ds: xr.Dataset, name: str) -> da.Array:
    values = dask_rows(last_iteration_of(ds, name)).astype(float)
    return da.where(values == CFR_NOT_MEASURED, np.nan, values) if name == "cfr" else values


def _in_time(columns: list[Array], starts: Array) -> list[Array]:
    """Return the rows of each run in the order of their times, which they mostly have."""
    tim = columns[1]
    falls = np.flatnonzero(np.diff(tim) < 0) + 1
    if np.isin(falls, starts).all():
        return columns
    run = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(tim))))
    order = np.lexsort((tim, run))
    return [column[order] for column in columns]


def _count_points(columns: list[Array], starts: Array, *, photons: float) -> tuple[Array, Array]:
    ordered = _in_time(columns, starts)
    _, counts = group_starts(ordered[0], starts, photons)
    return counts[:, np.newaxis].astype(float), np.ones(len(starts), np.int64)


def _points(
    columns: list[Array], starts: Array, *, photons: float, time: str, n_keys: int
) -> tuple[Array, Array]:
    """Return n, photons, bot, eot, time, position, means and keys of the points of whole traces."""
    weights, tim, position, *more = _in_time(columns, starts)
    groups, counts = group_starts(weights, starts, photons)
    fields, keys = more[: len(more) - n_keys], more[len(more) - n_keys :]
    n = np.diff(np.append(groups, len(tim)))
    first = np.isin(groups, starts)
    last = np.append(first[1:], True)[: len(groups)]
    means = weighted_means(np.column_stack([tim, position]), weights, groups)
    if time == "first":
        means[:, 0] = tim[groups]
    sums = np.add.reduceat(weights, groups) if len(groups) else weights[:0]
    plain = np.column_stack([*fields, np.empty((len(tim), 0))])
    others = weighted_means(plain, np.ones(len(tim)), groups)
    named = [key[groups] for key in keys]
    return np.column_stack([n, sums, first, last, means, others, *named]), counts


def _dataset(
    ds: xr.Dataset, table: da.Array, names: list[str], keys: list[str], counts: np.dtype[Any]
) -> xr.Dataset:
    own: list[tuple[str, Any]] = [
        ("n", np.int64),
        ("eco", counts),
        ("bot", bool),
        ("eot", bool),
        ("tim", float),
    ]
    dtypes = [*own, ("position", float), *((name, float) for name in names)]
    dtypes += [(name, ds[name].dtype) for name in keys]
    kinds = tuple(np.dtype(dtype) for _, dtype in dtypes)
    place = [name for name, _ in dtypes].index("position")
    shapes = [(dtype, 3 if number == place else None) for number, dtype in enumerate(kinds)]
    parts = split_columns(partial(_columns, dtypes=kinds, place=place), [table], shapes)
    known = by_name(LOCALIZATIONS)
    variables = {}
    for (name, _), data in zip(dtypes, parts, strict=True):
        dims = (ROW, "axis") if name == "position" else (ROW,)
        attrs = known[name].attrs() if name in known else {"units": "1", "long_name": name}
        variables[name] = (dims, data, attrs)
    variables["n"][2]["long_name"] = "localizations that were joined"
    variables["vld"] = ((ROW,), da.ones_like(parts[0], dtype=bool), known["vld"].attrs())
    coords: dict[str, Any] = {name: variables.pop(name) for name in ("tim", *keys)}
    coords["axis"] = ("axis", list(AXES), {"long_name": "axis of space"})
    return xr.Dataset(variables, coords, ds.attrs)


def _columns(rows: Array, *, dtypes: tuple[np.dtype[Any], ...], place: int) -> tuple[Array, ...]:
    """Return the columns of a table in their dtypes; the one at ``place`` is three wide."""
    stops = np.cumsum([3 if number == place else 1 for number in range(len(dtypes))])
    found = []
    for number, (stop, dtype) in enumerate(zip(stops.tolist(), dtypes, strict=True)):
        part = rows[:, stop - 3 : stop] if number == place else rows[:, stop - 1]
        found.append(np.rint(part).astype(dtype) if dtype.kind in "iu" else part.astype(dtype))
    return tuple(found)
