"""One row a trace: how many localizations, where, how scattered, when."""

from __future__ import annotations

from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.traces import trace_moments
from mfxarray.minflux.rows import dask_rows, index_of, last_iteration_of, trace_keys, used_rows
from mfxarray.provenance import record
from mfxarray.schema import AXES, TRACES, by_name

__all__ = ["traces"]

Array = np.ndarray[Any, Any]


def traces(ds: xr.Dataset, *, ddof: int = 1) -> xr.Dataset:
    """Return a table with one row a trace, in the order in which the traces begin.

    Parameters
    ----------
    ds
        Localizations; those that no filter masked and that have a position count.
    ddof
        What is subtracted from n in the variance: 1 for a sample (MATLAB's std), 0 as in the
        Python seed. The spread of a trace with no more than ``ddof`` localizations is NaN.

    Returns
    -------
    xarray.Dataset
        Dimensions ``trace`` and ``axis``: ``n``, ``centroid`` and ``spread`` (m, of the last
        iteration), ``start``, ``end`` and ``mean_time`` (s).

    Notes
    -----
    Lazy after `compact`, which counts the traces on its way; otherwise one counting pass over mask,
    position and tid is made first, because a Dataset must know its length. The same bits for every
    chunking: see `mfxarray.kernels.moments`.
    """
    if ddof not in (0, 1):
        raise ValueError(f"ddof must be 0 or 1, not {ddof!r}")
    keys = trace_keys(ds)
    used = used_rows(ds)
    fields = (last_iteration_of(ds, "position"), ds["tim"])
    columns = [dask_rows(field, used) for field in fields]
    table = trace_moments(used, list(keys.values()), columns, index_of(ds))

    def part(take: Any, shape: tuple[int, ...], dtype: Any) -> da.Array:
        return da.map_blocks(
            take,
            table,
            new_axis=list(range(1, 1 + len(shape))) or None,
            chunks=(table.chunks[0], *((size,) for size in shape)),
            dtype=dtype,
            meta=np.empty((0,) * (1 + len(shape)), dtype),
        )

    known = by_name(TRACES)
    found = {
        "n": part(partial(_field, name="n"), (), np.int64),
        "centroid": part(partial(_axes, name="mean"), (3,), float),
        "spread": part(partial(_spread, ddof=ddof), (3,), float),
        "start": part(partial(_time, name="low"), (), float),
        "end": part(partial(_time, name="high"), (), float),
        "mean_time": part(partial(_time, name="mean"), (), float),
    }
    variables = {
        name: (known[name].dims, data, known[name].attrs()) for name, data in found.items()
    }
    coords: dict[str, Any] = {
        name: (
            "trace",
            part(partial(_key, column=column, dtype=array.dtype), (), array.dtype),
            ds[name].attrs,
        )
        for column, (name, array) in enumerate(keys.items())
    }
    coords["axis"] = ("axis", list(AXES), {"long_name": "axis of space"})
    return xr.Dataset(variables, coords, record(ds.attrs, "traces", {"ddof": ddof}))


def _field(table: Array, *, name: str) -> Array:
    return np.ascontiguousarray(table[name])


def _key(table: Array, *, column: int, dtype: np.dtype[Any]) -> Array:
    return table["key"][:, column].astype(dtype)


def _axes(table: Array, *, name: str) -> Array:
    return np.ascontiguousarray(table[name][:, :3])


def _time(table: Array, *, name: str) -> Array:
    return np.ascontiguousarray(table[name][:, 3])


def _spread(table: Array, *, ddof: int) -> Array:
    degrees = table["n"][:, None] - ddof
    variance = np.full((len(table), 3), np.nan)
    np.divide(table["m2"][:, :3], degrees, out=variance, where=degrees > 0)
    return np.sqrt(variance)
