"""One row a trace: how many localizations, where, how scattered, when, how bright."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import tokenize

from mfxarray.chunked.blocks import graph_array
from mfxarray.chunked.runs import RunIndex
from mfxarray.chunked.traces import trace_columns
from mfxarray.minflux.photons import photons as photons_of
from mfxarray.minflux.rows import (
    ROW,
    dask_rows,
    index_of,
    last_iteration_of,
    trace_keys,
    used_rows,
)
from mfxarray.minflux.traces.statistics import (
    MEDIANS,
    MOMENT_COLUMNS,
    STATISTICS,
    Carried,
    convention_of,
    gaps_to_next,
    reduce_carried,
    reduce_moments,
)
from mfxarray.provenance import record
from mfxarray.schema import AXES, CFR_NOT_MEASURED

__all__ = ["traces"]

Array = np.ndarray[Any, Any]


def traces(
    ds: xr.Dataset,
    *,
    ddof: int | str = 1,
    axes: Iterable[str] | None = None,
    medians: Iterable[str] = tuple(MEDIANS),
    photons: str | None = "all",
) -> xr.Dataset:
    """Return a table with one row a trace, in the order in which the traces begin.

    Parameters
    ----------
    ds
        Localizations; those count that are valid, have a position, and were masked by no filter.
        A trace is named by ``tid``, or by ``wash`` and ``tid`` where there is a wash.
    ddof
        What is subtracted from n in the variance: 1 for a sample, 0 for all there is. The spread
        of a trace with no more than ``ddof`` localizations is NaN. "python" counts as the Python
        seed does: 0. "matlab" as the MATLAB seed does: 1, a single localization has spread 0, and
        only traces of at least 3 have a standard error.
    axes
        Axes over which spreads are pooled; if not given, those in which the localizations of the
        trace differ, so not z of 2D data.
    medians
        Fields of which the median is wanted; those that the data do not have are left out.
    photons
        Which photons are summed, see `mfxarray.minflux.photons.photons`; None for none.

    Returns
    -------
    xarray.Dataset
        Dimensions ``trace`` and ``axis``: ``n``; ``centroid``, ``spread`` and ``standard_error``
        (m, of the last iteration), the latter two also pooled over axes; ``start``, ``end``,
        ``mean_time``, ``duration``, ``t_loc`` (which is the duration) and ``t_scan`` (s);
        ``photons``; ``efo_median`` and its like.

    Raises
    ------
    ValueError
        If a parameter is not one of those named.

    Notes
    -----
    Lazy after `compact`, which counts the traces on its way; otherwise one counting pass over mask,
    position and tid is made first, because a Dataset must know its length. All variables come of
    one pass when computed together. The same bits for every chunking: see
    `mfxarray.kernels.traces.moments`. Medians cannot be merged: the rows of a trace that crosses
    chunks are carried, so memory for them is bounded by the longest trace. ``t_scan`` is the gap to
    the next trace by time in the same wash and thread, NaN where there is none or the two overlap;
    it joins the times of all traces in one task, 40 bytes a trace.
    """
    convention, wanted, medians = convention_of(ddof), _axis_numbers(axes), tuple(medians)
    keys, used = trace_keys(ds), used_rows(ds)
    position, tim = dask_rows(last_iteration_of(ds, "position"), used), dask_rows(ds["tim"], used)
    index, names = index_of(ds), list(keys.values())
    reduction = reduce_moments(convention, wanted)
    columns = trace_columns(reduction, used, names, [position, tim], index)
    named = dict(zip(keys, columns, strict=False))
    columns = columns[len(keys) :]
    found = dict(zip((part[0] for part in MOMENT_COLUMNS), columns, strict=True))
    found["t_loc"] = found["duration"]
    more = _carried(ds, used, names, medians, photons, index)
    groups = [data for name, data in named.items() if name != "tid"]
    groups += [more.pop("thi")] if "thi" in more else []
    found["t_scan"] = _t_scan(found["start"], found["end"], groups)
    found |= more
    variables = {
        name: (STATISTICS[name].dims, data, STATISTICS[name].attrs())
        for name, data in found.items()
    }
    coords: dict[str, Any] = {name: ("trace", data, ds[name].attrs) for name, data in named.items()}
    coords["axis"] = ("axis", list(AXES), {"long_name": "axis of space"})
    # what is as usual is told by the variables
    parameters: dict[str, Any] = {"ddof": ddof}
    if wanted is not None:
        parameters["axes"] = [AXES[number] for number in wanted]
    if medians != tuple(MEDIANS):
        parameters["medians"] = list(medians)
    if photons != "all":
        parameters["photons"] = photons
    return xr.Dataset(variables, coords, record(ds.attrs, "traces", parameters))


def _axis_numbers(axes: Iterable[str] | None) -> tuple[int, ...] | None:
    if axes is None:
        return None
    wanted = tuple(axes)
    if not wanted or not set(wanted) <= set(AXES):
        raise ValueError(f"axes must be some of {AXES}, not {wanted!r}")
    return tuple(sorted(AXES.index(name) for name in set(wanted)))


def _carried(
    ds: xr.Dataset,
    used: da.Array,
    keys: list[da.Array],
    medians: tuple[str, ...],
    photons: str | None,
    index: RunIndex,
) -> dict[str, da.Array]:
    """Return the statistics that need all rows of a trace at once."""
    unknown = sorted(set(medians) - set(MEDIANS))
    if unknown:
        raise ValueError(f"medians are known of {', '.join(MEDIANS)}, not of {unknown[0]!r}")
    columns: dict[str, tuple[Carried, da.Array]] = {}
    for name in medians:
        values = _median_field(ds, name)
        if values is not None:
            missing = CFR_NOT_MEASURED if name == "cfr" else float("nan")
            columns[f"{name}_median"] = (Carried("median", missing), values)
    if photons is not None and "eco" in ds.variables:
        columns["photons"] = (Carried("sum"), _photons(ds, photons))
    if "thi" in ds.variables and ds["thi"].dims == (ROW,):
        columns["thi"] = (Carried("first"), dask_rows(ds["thi"]))
    if not columns:
        return {}
    reduction = reduce_carried([kind for kind, _ in columns.values()])
    arrays = [values.rechunk({0: used.chunks[0]}) for _, values in columns.values()]
    found = trace_columns(reduction, used, keys, arrays, index)[len(keys) :]
    return dict(zip(columns, found, strict=True))


def _median_field(ds: xr.Dataset, name: str) -> da.Array | None:
    """Return a field with one number a localization, None if there is none."""
    if name not in ds.variables or (name == "cfr" and ds.attrs.get("cfr_iteration", 0) is None):
        return None
    field = last_iteration_of(ds, name)
    if field.dims != (ROW,):
        return None
    return dask_rows(field)


def _photons(ds: xr.Dataset, which: str) -> da.Array:
    """Return the photons of each localization; eco itself where there are no iterations."""
    if "iteration" not in ds["eco"].dims:
        return dask_rows(ds["eco"])
    return dask_rows(photons_of(ds, which))


def _t_scan(start: da.Array, end: da.Array, groups: list[da.Array]) -> da.Array:
    """Return the gaps between traces; one task sees the times of all."""
    inputs = [start, end, *groups]
    name = f"t-scan-{tokenize(*inputs)}"
    tasks: dict[Any, Any] = {}
    parts = [[(array.name, block) for block in range(array.numblocks[0])] for array in inputs]
    tasks[f"{name}-all"] = (_all_gaps, parts)
    stops = np.cumsum(start.chunks[0]).tolist()
    for block, (size, stop) in enumerate(zip(start.chunks[0], stops, strict=True)):
        tasks[(name, block)] = (_piece, f"{name}-all", stop - size, stop)
    return graph_array(name, tasks, inputs, (start.chunks[0],), float)


def _all_gaps(parts: list[list[Array]]) -> Array:
    start, end, *groups = (_joined(blocks) for blocks in parts)
    columns = [part.astype(np.int64) for part in groups]
    return gaps_to_next(
        start, end, np.column_stack([np.empty((len(start), 0), np.int64), *columns])
    )


def _joined(blocks: list[Array]) -> Array:
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def _piece(values: Array, start: int, stop: int) -> Array:
    return values[start:stop]
