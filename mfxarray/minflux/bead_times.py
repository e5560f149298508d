"""Times of washes: when beads tell the motion, where each wash begins on a common clock."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from mfxarray.chunked.washes import trace_times
from mfxarray.kernels.bead_motion import Motion
from mfxarray.minflux.rows import ROW, dask_rows, used_rows

__all__ = ["consensus_windows", "row_times", "time_offsets"]


def consensus_windows(motions: Sequence[Motion]) -> xr.Dataset:
    """Return when the motion of every wash is known.

    Returns
    -------
    xarray.Dataset
        Dimension ``wash``: ``start`` and ``end`` (s, on the clock of the wash) of the first and
        last moment at which enough beads are there, and ``unknown`` (s), the time between them at
        which they are not.
    """
    windows = np.array([motion.window for motion in motions]).reshape(-1, 2)
    unknown = []
    for motion, (start, end) in zip(motions, windows, strict=True):
        dark = ~np.isfinite(motion.left[:, 0])
        dark &= (motion.edges[:-1] >= start) & (motion.edges[1:] <= end)
        unknown.append(float(np.diff(motion.edges)[dark].sum()))
    columns = {
        "start": (windows[:, 0], "first time with enough beads"),
        "end": (windows[:, 1], "last time with enough beads"),
        "unknown": (np.array(unknown), "time in between without enough beads"),
    }
    return xr.Dataset(
        {
            name: ("wash", values, {"units": "s", "long_name": text})
            for name, (values, text) in columns.items()
        },
        {"wash": np.arange(len(motions), dtype=np.int32)},
    )


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
