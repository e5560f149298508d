"""Registered washes for the tests of exports."""

from __future__ import annotations

from functools import cache
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.minflux.beads.registration import BeadFit, fit_beads, register
from tests.minflux.wash_samples import washes_and_beads

LABELS = ("220510-Syp_P1", "220510-ATG9_P2", "P3")


@cache
def washes(**settings: Any) -> tuple[xr.Dataset, BeadFit]:
    """Return registered washes with labels, photons, masked and invalid rows; and their fit."""
    _, parts, beads = washes_and_beads(traces=30, localizations=6, **settings)
    fit = fit_beads(beads, **({"rotation": "z"} if "rotation_rad" in settings else {}))
    told = [_told(ds, number) for number, ds in enumerate(parts)]
    return register(told, fit=fit), fit


def _told(ds: xr.Dataset, number: int) -> xr.Dataset:
    rng = np.random.default_rng(number)
    rows = ds.sizes["localization"]
    position = ds["position"].values.copy()
    position[5] = np.nan
    columns = {
        "position": (("localization", "axis"), position),
        "efo": ("localization", rng.normal(5e4, 1e4, rows), {"units": "Hz"}),
        "eco": ("localization", rng.integers(50, 300, rows, dtype=np.int32)),
        "vld": ("localization", np.arange(rows) % 11 != 3),
        "selected": ("localization", np.arange(rows) % 13 != 4),
        "radius": ("localization", rng.random(rows) * 1e-9, {"units": "m"}),
    }
    attrs = {**ds.attrs, "data_set": LABELS[number]}
    return ds.assign(columns).assign_attrs(attrs).chunk(localization=50)


def used(ds: xr.Dataset, position: str = "position_registered") -> np.ndarray[Any, Any]:
    """Return which rows exports write, found with NumPy alone."""
    found = ds["vld"].values & ds["selected"].values
    for name in ("position", position):
        found = found & np.isfinite(ds[name].values).all(axis=-1)
    return found


def failing(ds: xr.Dataset, name: str = "efo") -> xr.Dataset:
    """Return the same with a variable that cannot be computed."""
    data = da.map_blocks(_fail, ds[name].data, dtype=ds[name].dtype)
    return ds.assign({name: ds[name].copy(data=data)})


def _fail(block: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if block.size > 1:
        raise BlockError("a block that fails")
    return block


class BlockError(RuntimeError):
    """Raised inside a block."""
