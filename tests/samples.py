"""Small simulated files that several tests share."""

from __future__ import annotations

from pathlib import Path

import dask.array as da
import numpy as np
import xarray as xr

import mfxarray as mfx

__all__ = [
    "four_chunkings",
    "ion_stack",
    "localization_file",
    "localizations_of",
    "two_data_sets",
]


def localization_file(folder: Path, **settings) -> Path:
    """Return a nested .npy file of about 3000 localizations with invalid ones among them."""
    path = folder / "run.npy"
    mfx.simulate_minflux(path, **{"localizations": 3000, "seed": 4, **settings})
    return path


def ion_stack(folder: Path, **settings) -> Path:
    """Return an .im file of 20 frames, 7 detectors, with drift and hot pixels."""
    path = folder / "stack.im"
    mfx.simulate_mims(path, **{"frames": 20, "size": 64, "seed": 4, **settings})
    return path


def four_chunkings(data: xr.Dataset | xr.DataArray, dim: str) -> list[xr.Dataset | xr.DataArray]:
    """Return the same data in one chunk, small ones, uneven ones, and as they come."""
    n = data.sizes[dim]
    uneven = np.diff(np.unique([0, 1, n // 7, n // 3, n // 3 + 1, n]))
    return [
        data.chunk({dim: n}),
        data.chunk({dim: max(n // 9, 1)}),
        data.chunk({dim: tuple(int(size) for size in uneven)}),
        data if isinstance(data, xr.Dataset) or isinstance(data.data, da.Array) else data.chunk(),
    ]


def two_data_sets(folder):
    """Two data sets in one .msr file, one with beads, and the Datasets they were written from."""
    runs = {}
    for label, seed in (("P1", 1), ("P2", 2)):
        path = folder / f"{label}.npy"
        mfx.simulate_minflux(path, localizations=2000, seed=seed)
        runs[label] = mfx.open_minflux(path)
    times = np.arange(50.0)[None].repeat(2, 0)
    beads = xr.Dataset(
        {
            "position": (("bead", "sample", "axis"), np.arange(300.0).reshape(2, 50, 3) * 1e-9),
            "str": (("bead", "sample"), np.where(times == 7, 0.0, 1.0)),
        },
        {
            "bead": ["R2", "R10"],
            "gri": ("bead", [61, 7]),
            "used": ("bead", [True, False]),
            "tim": (("bead", "sample"), times),
        },
    )
    nodes = {f"/{label}/localizations": run for label, run in runs.items()}
    path = folder / "pair.msr"
    mfx.write_minflux(xr.DataTree.from_dict({**nodes, "/P1/beads": beads}), path, model="v2")
    return path, runs, beads


def localizations_of(position: np.ndarray, **columns: np.ndarray) -> xr.Dataset:
    """Return localizations at given places (metres), one trace of its own each by default."""
    rows = len(position)
    given = {"tid": np.arange(rows, dtype=np.int64), "tim": np.arange(rows, dtype=float)} | columns
    data = {name: ("localization", values) for name, values in given.items()}
    fields = data | {
        "position": (("localization", "axis"), np.asarray(position, float), {"units": "m"})
    }
    return xr.Dataset(fields, {"axis": ("axis", list("xyz"))}).set_coords(["tid", "tim"])
