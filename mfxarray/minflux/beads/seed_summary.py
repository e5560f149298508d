"""One row a trace under the names that the Python seed gives them.

References
----------
minflux-analysis (Findeisen, Politi), table of ``summary_per_tid2``.
"""

from __future__ import annotations

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.blocks import as_dask
from mfxarray.minflux.rows import ROW, index_of, last_iteration_of, remember_index, used_rows
from mfxarray.minflux.traces.table import traces

__all__ = ["CLUSTERS", "seed_summary", "with_position"]

CLUSTERS = ("cls_meas", "cls_all", "cls_merged_meas", "cls_merged_all")
_NO_CLUSTER = -1
# their name, ours
_NAMES = {
    "tim": "mean_time",
    "std": "spread_pooled",
    "se": "standard_error_pooled",
    "nl": "n",
    "ltr": "centroid",
    "std_xyz": "spread",
    "se_xyz": "standard_error",
}
_MEANS = {"loc": "position", "lnc": "position_uncorrected"}


def seed_summary(ds: xr.Dataset, position: str = "position") -> xr.Dataset:
    """Return one row a trace with the seed's columns.

    Parameters
    ----------
    ds
        Localizations, or a table of `mfxarray.minflux.traces.table.traces`.
    position
        Of localizations: which positions ``ltr`` and the spreads are made of.

    Returns
    -------
    xarray.Dataset
        Dimension ``trace``: ``tid2`` (row of the table, from 0, over all washes), ``tim`` (s),
        ``std``, ``se`` (m), ``nl``, the four ``cls_`` columns (-1 where there are no clusters),
        and along ``axis`` ``ltr``, ``std_xyz``, ``se_xyz`` (m); of localizations also ``loc`` and
        ``lnc``, the means of ``position`` and ``position_uncorrected``. Spreads of localizations
        are the seed's (ddof 0); those of a table are what it has.

    Raises
    ------
    ValueError
        If a table lacks what is needed.

    Notes
    -----
    Lazy as `traces` is. ``std`` is pooled over the axes that were measured; the seed takes all
    three, also for 2D data.
    """
    if ROW in ds.dims:
        told = with_position(ds, position)
        table = traces(told, ddof="python", medians=(), photons=None)
        return _renamed(table.assign(_means(ds, told)))
    return _renamed(ds)


def with_position(ds: xr.Dataset, position: str) -> xr.Dataset:
    """Return localizations in which other positions take the place of ``position``.

    Those localizations count that counted before and whose other position is known.
    """
    if position == "position":
        return ds
    return ds.assign(position=last_iteration_of(ds, position), selected=((ROW,), used_rows(ds)))


def _means(ds: xr.Dataset, told: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return further mean positions of the same localizations; NaN where one is unknown."""
    found = {}
    for name, ours in _MEANS.items():
        if ours not in ds.variables:
            continue
        place = last_iteration_of(ds, ours)
        # infinity is no position, but a row with it counts, so that the traces stay the same
        other = told.assign(position=place.where(place.notnull(), np.inf))
        other = other.assign(selected=((ROW,), used_rows(told)))
        remember_index(other, index_of(told))
        means = traces(other, ddof="python", medians=(), photons=None)["centroid"]
        found[name] = means.where(np.isfinite(means))
    return found


def _renamed(table: xr.Dataset) -> xr.Dataset:
    missing = [ours for ours in _NAMES.values() if ours not in table.variables]
    if missing:
        raise ValueError(f"the table of traces lacks {', '.join(missing)}; ds.mfx.traces() has all")
    rows = table.sizes["trace"]
    chunks = as_dask(table["n"].data).chunks
    found = {name: table[ours].variable for name, ours in _NAMES.items()}
    found["tid2"] = xr.Variable("trace", da.arange(rows, chunks=chunks, dtype=np.int64))
    found |= {name: table[name].variable for name in _MEANS if name in table.variables}
    for name in CLUSTERS:
        none = da.full(rows, _NO_CLUSTER, chunks=chunks, dtype=np.int64)
        known = name in table.variables
        found[name] = table[name].variable if known else xr.Variable("trace", none)
    kept = [name for name in ("wash", "tid", "selected") if name in table.variables]
    return xr.Dataset(found, {name: table[name].variable for name in kept}, table.attrs)
