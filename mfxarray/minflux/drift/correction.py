"""Positions with the drift subtracted, once."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.blocks import as_dask
from mfxarray.kernels.drift.solve import Curve
from mfxarray.minflux.drift.table import curve_of
from mfxarray.minflux.rows import ROW, dask_rows
from mfxarray.provenance import record, was_done

__all__ = ["correct_drift"]

Array = np.ndarray[Any, Any]

_STEP = "correct_drift"
_CORRECTED = "position_drift_corrected"


def correct_drift(ds: xr.Dataset, drift: xr.Dataset, *, replace: bool = False) -> xr.Dataset:
    """Return the Dataset with the drift subtracted from the positions.

    Parameters
    ----------
    ds
        Localizations.
    drift
        Result of `estimate_drift`, of these localizations or of others of the same measurement.
    replace
        Whether the corrected positions take the place of ``position``; otherwise they are a new
        variable ``position_drift_corrected``.

    Raises
    ------
    ValueError
        If the drift was subtracted before, or the Dataset is not one of drift or localizations.

    Notes
    -----
    Lazy; the drift of every localization is that at its ``tim``, by a cubic spline through the
    windows.
    """
    if was_done(ds.attrs, _STEP) or _CORRECTED in ds:
        raise ValueError(
            "the drift was subtracted before (see .mfx.history); go back to the data before "
            "correct_drift"
        )
    if "position" not in ds or ROW not in ds["position"].dims or "tim" not in ds:
        raise ValueError("localizations with position and tim are needed to subtract a drift")
    curve = curve_of(drift)
    field = ds["position"].transpose(ROW, ..., "axis")
    data = as_dask(field.data)
    data = data.rechunk({data.ndim - 1: -1})
    tim = dask_rows(ds["tim"]).rechunk({0: data.chunks[0]})
    letters = "abcdefgh"[: data.ndim]
    corrected = da.blockwise(
        _subtracted,
        letters,
        data,
        letters,
        tim,
        "a",
        dtype=data.dtype,
        curve=curve,
        meta=np.empty((0,) * data.ndim, data.dtype),
    )
    attrs = {**field.attrs, "long_name": "position after correction of the drift"}
    name = "position" if replace else _CORRECTED
    variable = xr.Variable(field.dims, corrected, attrs).transpose(*ds["position"].dims)
    told = record(ds.attrs, _STEP, {"replace": replace}, others={"drift": drift.attrs})
    return ds.assign({name: variable}).assign_attrs(told)


def _subtracted(position: Array, tim: Array, *, curve: Curve) -> Array:
    shift = np.full((len(tim), 3), np.nan)
    known = np.isfinite(tim)
    shift[known] = curve(tim[known])
    between = (slice(None), *([None] * (position.ndim - 2)))
    return np.asarray(position - shift[between], position.dtype)
