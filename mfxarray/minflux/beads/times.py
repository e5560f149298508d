"""Times of washes: where each begins on a common clock, and when its rows were measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from mfxarray.chunked.washes import trace_times
from mfxarray.minflux.rows import ROW, dask_rows, used_rows

__all__ = ["row_times", "time_offsets"]


def time_offsets(ends: Sequence[float]) -> tuple[float, ...]:
    """Return what is added to the times of every wash so that they follow each other.

    Parameters
    ----------
    ends
        Last time of every wash, on its own clock, seconds.
    """
    return tuple(float(offset) for offset in np.cumsum([0.0, *ends[:-1]]))


def row_times(ds: xr.Dataset, at: str) -> xr.DataArray:
    """Return the time at which the motion is taken for every localization, seconds.

    Parameters
    ----------
    ds
        One wash.
    at
        "trace": the mean time of its trace, over valid localizations that passed the filters, so
        that bead noise moves a trace but does not widen it. "localization": its own time.

    Notes
    -----
    Lazy. "trace" reads ``tid``, ``tim`` and what masks rows twice.
    """
    if at not in ("trace", "localization"):
        raise ValueError(f'at must be "trace" or "localization", not {at!r}')
    used = used_rows(ds)
    tim = dask_rows(ds["tim"], used)
    times = tim if at == "localization" else trace_times(dask_rows(ds["tid"], used), tim, used)
    text = "time at which the motion is taken"
    return xr.DataArray(times, dims=(ROW,), attrs={"units": "s", "long_name": text})
