"""Datasets of simulated tracks."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from mfxarray.simulate.minflux_tracks import SimulatedTracks, simulate_tracks
from tests.samples import localizations_of

D, ERROR, FRAME = 5e-13, 10e-9, 1e-3


def track_data(chunks: int | None = None, **settings: Any) -> tuple[SimulatedTracks, xr.Dataset]:
    """Return the truth and localizations, of 2D free motion if nothing else is said."""
    found = simulate_tracks(**{"diffusion": D, "error": ERROR, "frame": FRAME, **settings})
    data = localizations_of(found.position, tid=found.tid.astype(np.int64), tim=found.tim)
    return found, data.chunk({"localization": chunks or -1})


def shuffled(data: xr.Dataset, seed: int = 0) -> xr.Dataset:
    """Return the same localizations, the traces mixed, each in its own order."""
    order = np.random.default_rng(seed).permutation(data.sizes["localization"])
    tid = data["tid"].values[order]
    own = np.argsort(np.argsort(tid, kind="stable"), kind="stable")
    # the places a trace has got are filled in the order of its rows
    return data.isel(localization=np.argsort(data["tid"].values, kind="stable")[own])
