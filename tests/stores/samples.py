"""Datasets shaped like ours, and tasks that fail, for the tests of stores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.provenance import origin

CHUNKS = (7, 100, 3)


class BlockFailedError(RuntimeError):
    """Raised inside a block."""


def table(n: int = 110, chunks: Any = CHUNKS, rows: str = "localization") -> xr.Dataset:
    """Return a table with every dtype we store, NaN, text and awkward attributes."""
    rng = np.random.default_rng(5)
    efo = rng.normal(1e5, 1e4, (n, 2))
    efo[::3, 1] = np.nan
    data = xr.Dataset(
        {
            "vld": (rows, rng.random(n) > 0.5, {"long_name": "valid"}),
            "efo": ((rows, "iteration"), efo, {"units": "Hz", "range": [0.5, 1]}),
            "tic": ((rows, "iteration"), rng.integers(0, 2**64 - 1, (n, 2), dtype="u8")),
            "eco": ((rows, "iteration"), np.zeros((n, 2), "i4")),
            "position": (
                (rows, "iteration", "axis"),
                rng.normal(0, 1e-6, (n, 2, 3)),
                {"units": "m", "long_name": "position"},
            ),
            "ext": ((rows, "iteration", "axis"), rng.random((n, 2, 3)).astype("f4")),
            "scale": ((), 0.7),
            "pixel": ("axis", np.array([1e-9, np.nan, 3e-9])),
        },
        coords={
            "tid": (rows, np.arange(n, dtype="i4") // 5),
            "tim": (rows, np.arange(n) * 1e-3, {"units": "s"}),
            "iteration": [3, 4],
            "axis": ["x", "y", "z"],
            "colour": ("axis", np.array(["far red", "µ", ""], object)),
        },
        attrs={
            **origin("open", {"name": "a µ.npy"}, {"strict": True}),
            "detectors": ["12C 14N", "µ S"],
            "nested": {"none": None, "x": 1.5},
        },
    )
    return data.chunk({rows: chunks}) if chunks is not None else data


def ions(frames: int = 11, chunks: int | None = 3, name: str | None = "counts") -> xr.DataArray:
    """Return a stack of ion images."""
    rng = np.random.default_rng(6)
    stack = xr.DataArray(
        rng.poisson(3, (frames, 2, 8, 9)).astype("u4"),
        dims=("frame", "detector", "y", "x"),
        coords={
            "frame": np.arange(1, frames + 1),
            "detector": ["12C 14N", "µ S"],
            "label": ("detector", ["12C 14N", "µ S"]),
            "y": np.arange(8) * 0.1,
        },
        name=name,
        attrs={"units": "counts", **origin("open", {"name": "a.im"}, {})},
    )
    return stack.chunk(frame=chunks) if chunks else stack


def failing(n: int = 110, chunks: Any = CHUNKS) -> xr.Dataset:
    """Return a table whose second block raises."""
    data = table(n, chunks)
    data["efo"] = data["efo"].copy(data=da.map_blocks(_fail, data["efo"].data, dtype="f8"))
    return data


def _fail(block: np.ndarray, block_info: Any = None) -> np.ndarray:
    if block_info and block_info[0]["chunk-location"][0] == 1:
        raise BlockFailedError("no more photons")
    return block


def assert_same(found: xr.Dataset, expected: xr.Dataset) -> None:
    """Compare everything that xarray compares, and dtypes, order and attribute text."""
    xr.testing.assert_identical(found, expected)
    assert list(found.data_vars) == list(expected.data_vars)
    assert json.dumps(found.attrs) == json.dumps(expected.attrs)
    for name, variable in expected.variables.items():
        assert found.variables[name].dtype == variable.dtype, name


def names(folder: Path) -> list[str]:
    """Return what lies in a folder."""
    return sorted(path.name for path in folder.iterdir())
