"""Small stacks of ion counts with the attributes that a header gives, made without a file."""

from __future__ import annotations

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.provenance import origin

__all__ = ["NAMES", "counts_like", "ion_stack", "single"]

NAMES = ["12C", "13C", "12C 14N", "12C 15N", "SE"]
MASSES = [12.0, 13.0, 26.0, 27.0, 0.0]
LEVELS = [200.0, 3.0, 40.0, 0.4, 90.0]


def counts_like(values: np.ndarray, names: list[str] | None = None, **attrs) -> xr.DataArray:
    """Return counts (frame, detector, y, x) with a header's attributes."""
    names = NAMES if names is None else names
    masses = dict(zip(NAMES, MASSES, strict=True))
    n_frames, _, height, width = values.shape
    coords = {
        "frame": np.arange(n_frames),
        "detector": np.array(names, object),
        "mass": ("detector", [masses.get(name, 50.0) for name in names]),
        "y": (np.arange(height) + 0.5) * 0.1,
        "x": (np.arange(width) + 0.5) * 0.1,
    }
    ions = [masses.get(name, 50.0) > 0 for name in names]
    header = {
        "units": "counts",
        "long_name": "secondary ion counts",
        "dwell_time_s": 0.001,
        "dead_time_ns": [44.0 if ion else None for ion in ions],
        "yield_percent": [100.0 if ion else None for ion in ions],
        "background_cps": [0.0 if ion else None for ion in ions],
        **origin("open_mims", {"name": "made"}, {}),
    }
    dims = ("frame", "detector", "y", "x")
    return xr.DataArray(values, coords, dims, "counts", {**header, **attrs})


def ion_stack(frames: int = 11, height: int = 12, width: int = 10, **attrs) -> xr.DataArray:
    """Return a Poisson stack of four ions and electrons as a dask array."""
    rng = np.random.default_rng(5)
    levels = np.array(LEVELS)[:, None, None]
    values = rng.poisson(levels, (frames, len(NAMES), height, width)).astype(np.uint32)
    stack = counts_like(values, **attrs)
    return stack.copy(data=da.from_array(values, chunks=(3, -1, -1, -1)))


def single(counts: dict[str, float], dwell_time_s: float = 1.0, **attrs) -> xr.DataArray:
    """Return one frame of one pixel with the given counts by detector."""
    values = np.array(list(counts.values()), np.uint32).reshape(1, -1, 1, 1)
    return counts_like(values, list(counts), dwell_time_s=dwell_time_s, **attrs)
