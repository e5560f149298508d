"""One row a trace: how many localizations, where, how scattered, when."""

from __future__ import annotations

from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.traces import trace_moments
from mfxarray.kernels.moments import Column
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
        Localizations; those count that are valid, have a position, and were masked by no filter.
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
    position = dask_rows(last_iteration_of(ds, "position"), used)
    tim = dask_rows(ds["tim"], used)
    names, rows = trace_moments(used, list(keys.values()), position, tim, index_of(ds))
    known = by_name(TRACES)
    found = {
        "n": rows[:, Column.N].astype(np.int64),
        "centroid": rows[:, Column.MEAN],
        "spread": da.map_blocks(
            partial(_spread, ddof=ddof),
            rows,
            chunks=(rows.chunks[0], (3,)),
            dtype=float,
            meta=rows._meta,
        ),
        "start": rows[:, Column.START],
        "end": rows[:, Column.END],
        "mean_time": rows[:, Column.MEAN_TIME],
    }
    variables = {
        name: (known[name].dims, data, known[name].attrs()) for name, data in found.items()
    }
    coords: dict[str, Any] = {
        name: ("trace", names[:, column].astype(key.dtype), ds[name].attrs)
        for column, (name, key) in enumerate(keys.items())
    }
    coords["axis"] = ("axis", list(AXES), {"long_name": "axis of space"})
    return xr.Dataset(variables, coords, record(ds.attrs, "traces", {"ddof": ddof}))


def _spread(rows: Array, *, ddof: int) -> Array:
    degrees = rows[:, [Column.N]] - ddof
    variance = np.full((len(rows), 3), np.nan)
    np.divide(rows[:, Column.M2], degrees, out=variance, where=degrees > 0)
    return np.sqrt(variance)
