"""What every operation on localizations needs: their rows, their mask, their traces' runs."""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.blocks import as_dask, whole
from mfxarray.chunked.runs import RunIndex, index_runs
from mfxarray.chunked.shortcuts import select_iteration
from mfxarray.kernels.traces.known import known_rows

__all__ = [
    "ROW",
    "dask_rows",
    "index_of",
    "last_iteration",
    "last_iteration_of",
    "remember_index",
    "selected_rows",
    "trace_keys",
    "used_rows",
]

Array = np.ndarray[Any, Any]

ROW = "localization"

# results of counting passes, keyed by the names of the arrays counted; names tell content
_known: OrderedDict[tuple[str, ...], RunIndex] = OrderedDict()
_MOST_KNOWN = 16


def dask_rows(field: xr.DataArray, like: da.Array | None = None) -> da.Array:
    """Return a field of shape (localization, ...) as a dask array, whole along its other axes.

    Parameters
    ----------
    field
        The field.
    like
        An array whose row chunks it takes.
    """
    data = as_dask(field.transpose(ROW, ...).data)
    data = whole(data, range(1, data.ndim))
    return data if like is None else data.rechunk({0: like.chunks[0]})


def selected_rows(ds: xr.Dataset) -> da.Array:
    """Return the mask of localizations that passed all filters so far, shape (localization,)."""
    rows = dask_rows(ds["tid"])
    if "selected" in ds:
        return dask_rows(ds["selected"], rows)
    return _all_rows(rows.chunks[0])


@lru_cache(maxsize=16)
def _all_rows(chunks: tuple[int, ...]) -> da.Array:
    # asked for several times in one operation; naming an array of many chunks takes a while
    return da.ones(sum(chunks), chunks=(chunks,), dtype=bool)


def used_rows(ds: xr.Dataset) -> da.Array:
    """Return the mask of selected, valid localizations whose position is known."""
    selected = selected_rows(ds)
    if "vld" in ds:
        selected = selected & dask_rows(ds["vld"], selected)
    position = dask_rows(last_iteration_of(ds, "position"), selected)
    return da.blockwise(
        _known_block, "r", selected, "r", position, "ra", dtype=bool, meta=np.empty(0, bool)
    )


def _known_block(selected: Array, position: list[Array]) -> Array:
    # dask hands over the blocks along the lost axis as a list, here of one
    return known_rows(selected, position[0])


def trace_keys(ds: xr.Dataset) -> dict[str, da.Array]:
    """Return what names a trace: ``tid``, after ``wash`` where there are several."""
    names = ["wash", "tid"] if "wash" in ds.variables and ds["wash"].dims == (ROW,) else ["tid"]
    selected = selected_rows(ds)
    return {name: dask_rows(ds[name], selected) for name in names}


def last_iteration_of(ds: xr.Dataset, name: str) -> xr.DataArray:
    """Return a field in the iteration that tells: the last one, for cfr the last measured one.

    Raises
    ------
    ValueError
        If cfr is wanted and was measured in no iteration.
    """
    field = ds[name]
    if "iteration" not in field.dims:
        return field
    if name != "cfr":
        return _at_iteration(field, field.sizes["iteration"] - 1)
    which = ds.attrs.get("cfr_iteration", field.sizes["iteration"] - 1)
    if which is None:
        raise ValueError(
            "cfr was measured in no iteration of this file; leave it out of the filter"
        )
    return _at_iteration(field, int(which))


def _at_iteration(field: xr.DataArray, number: int) -> xr.DataArray:
    found = field.isel(iteration=number, drop=True)
    if field.chunks is None or field.dims[:2] != (ROW, "iteration"):
        return found
    return found.copy(data=select_iteration(field.data, number))


def last_iteration(ds: xr.Dataset) -> xr.Dataset:
    """Return the Dataset with every field in the iteration that tells, without that dimension."""
    fields = {
        name: last_iteration_of(ds, str(name))
        for name in ds.data_vars
        if not (name == "cfr" and ds.attrs.get("cfr_iteration", 0) is None)
    }
    rest = ds.drop_vars([name for name in ds.variables if "iteration" in ds[name].dims])
    return rest.assign(fields)


def index_of(ds: xr.Dataset) -> RunIndex:
    """Return the runs of the traces; the counting pass is made once for the same data."""
    selected, used, *keys = _counted(ds)
    names = _names((selected, used, *keys))
    if names not in _known:
        _keep(names, index_runs(selected, used, keys))
    return _known[names]


def remember_index(ds: xr.Dataset, index: RunIndex) -> None:
    """Keep an index that was found on the way, so that no pass is made for it."""
    _keep(_names(_counted(ds)), index)


def _counted(ds: xr.Dataset) -> tuple[da.Array, ...]:
    return (selected_rows(ds), used_rows(ds), *trace_keys(ds).values())


def _names(arrays: tuple[da.Array, ...]) -> tuple[str, ...]:
    return tuple(str(array.name) for array in arrays)


def _keep(key: tuple[str, ...], index: RunIndex) -> None:
    _known[key] = index
    while len(_known) > _MOST_KNOWN:
        _known.popitem(last=False)
