"""What decides which traces are split, and which parts are too bright: limits of all traces."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import tokenize

from mfxarray.chunked.blocks import KEPT, graph_array
from mfxarray.chunked.quantiles import quantiles
from mfxarray.chunked.trace_rows import reduce_traces
from mfxarray.kernels.clusters.trace_labels import run_spreads
from mfxarray.minflux.filtering.masks import position_rows
from mfxarray.minflux.rows import (
    dask_rows,
    index_of,
    last_iteration_of,
    trace_keys,
    used_rows,
)

__all__ = ["efo_rows", "limits_array", "split_limits", "wash_numbers"]

Array = np.ndarray[Any, Any]


def split_limits(
    ds: xr.Dataset, *, spread_quantile: float = 0.75, efo_factor: float = 2.0
) -> xr.Dataset:
    """Return the limits that `mfxarray.minflux.clusters.splitting.split_emitters` goes by.

    Parameters
    ----------
    ds
        Localizations; those count that are valid, have a position, and were masked by no filter.
    spread_quantile
        From 0 to 1.
    efo_factor
        Above 0.

    Returns
    -------
    xarray.Dataset
        ``spread_limit`` (m): the quantile of the spreads of all traces of all washes, rms over
        the measured axes of a trace with ddof 0; and ``efo_limit`` (Hz) along ``wash``: so many
        times the median of efo of all localizations of the wash, NaN without efo.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Notes
    -----
    Lazy but for the counting pass.
    """
    limits = limits_array(ds, spread_quantile, efo_factor)
    if limits is None:
        limits = da.zeros(1 + len(wash_numbers(ds)), chunks=-1)
    attrs = {"units": "m", "long_name": "spread from which a trace is examined"}
    bright = {"units": "Hz", "long_name": "efo above which a localization is too bright"}
    return xr.Dataset(
        {"spread_limit": ((), limits[0], attrs), "efo_limit": ("wash", limits[1:], bright)},
        {"wash": ("wash", wash_numbers(ds))},
    )


def wash_numbers(ds: xr.Dataset) -> Array:
    """Return the washes of used localizations, rising; 0 where there is no wash."""
    if len(trace_keys(ds)) == 1:
        return np.zeros(1, np.int64)
    return np.unique(np.concatenate([block.keys[:, 0] for block in index_of(ds).blocks]))


def efo_rows(ds: xr.Dataset, used: da.Array) -> da.Array | None:
    """Return efo of the last iteration, chunked as ``used``; None where there is none."""
    if "efo" not in ds.variables:
        return None
    return dask_rows(last_iteration_of(ds, "efo")).rechunk({0: used.chunks[0]})


def limits_array(ds: xr.Dataset, spread_quantile: float, efo_factor: float) -> da.Array | None:
    """Return spread limit and efo limit of each wash, shape (1 + wash,); None if all is allowed."""
    if not 0 <= spread_quantile <= 1:
        raise ValueError(f"spread_quantile must be 0 to 1, not {spread_quantile!r}")
    if not efo_factor > 0:
        raise ValueError(f"efo_factor must be above 0, infinity for no limit: {efo_factor!r}")
    used, keys = used_rows(ds), trace_keys(ds)
    washes = wash_numbers(ds)
    parts: list[da.Array] = []
    if spread_quantile > 0:
        spreads = reduce_traces(
            _spreads, used, list(keys.values()), [position_rows(ds)], index_of(ds), width=1
        )[:, 0]
        every = da.ones(spreads.shape, chunks=spreads.chunks, dtype=bool)
        parts.append(quantiles(spreads, every, [spread_quantile]))
    efo = efo_rows(ds, used) if np.isfinite(efo_factor) else None
    if efo is not None:
        for number in washes.tolist():
            own = used & (keys["wash"] == number) if "wash" in keys else used
            parts.append(quantiles(efo, own, [0.5]))
    if not parts:
        return None
    name = f"{KEPT}split-limits-{tokenize(*parts, efo_factor)}"
    places = [(part.name, 0) for part in parts]
    task = (_limits, places, spread_quantile > 0, efo_factor, len(washes))
    return graph_array(name, {(name, 0): task}, parts, ((1 + len(washes),),), float)


def _limits(parts: list[Array], spread: bool, factor: float, n_washes: int) -> Array:
    # the first of each part is how many values there were
    limit = parts[0][1] if spread else 0.0
    medians = [part[1] for part in parts[int(spread) :]]
    bright = factor * np.array(medians) if medians else np.full(n_washes, np.nan)
    return np.append(limit, bright)


def _spreads(columns: list[Array], starts: Array) -> tuple[Array, Array]:
    return run_spreads(columns[0], starts)[:, None], np.ones(len(starts), np.int64)
