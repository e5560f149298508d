"""Stacks of images for the tests of exports, and what they cost in memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import dask
import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.provenance import origin
from tests.stores.samples import BlockFailedError

HOSTILE = ["12C 14N", "a/b\\c", "µ\n\r\t\x1b[2J", "\u202egpj.exe", "=1+1", "", "ж" * 500]


def stack(
    frames: int = 6, size: tuple[int, int] = (13, 17), chunks: Any = None, names: Any = None
) -> xr.DataArray:
    """Return counts (frame, detector, y, x) with a scale of 0.25 by 0.5 µm."""
    names = ["12C", "12C 14N", "SE"] if names is None else names
    shape = (frames, len(names), *size)
    values = np.random.default_rng(3).poisson(40, shape).astype("u4")
    found = xr.DataArray(
        values,
        {
            "frame": np.arange(frames) * 2 + 1,
            "detector": ("detector", np.array(names, object)),
            "mass": ("detector", np.arange(len(names)) * 13.0),
            "y": ("y", (np.arange(size[0]) + 0.5) * 0.25, {"units": "µm"}),
            "x": ("x", (np.arange(size[1]) + 0.5) * 0.5 + 3, {"units": "µm"}),
        },
        ("frame", "detector", "y", "x"),
        "counts",
        {"units": "counts", "yields": [1.0, None], **origin("open", {"name": "a µ.im"}, {})},
    )
    return found.chunk(chunks if chunks is not None else {"frame": 2})


def failing() -> xr.DataArray:
    """Return a stack whose second block raises."""
    good = stack()
    return good.copy(data=da.map_blocks(_fail, good.data, dtype=good.dtype))


def _fail(block: np.ndarray, block_info: Any = None) -> np.ndarray:
    if block_info and block_info[0]["chunk-location"][0] == 1:
        raise BlockFailedError("no more ions")
    return block


def large() -> tuple[xr.DataArray, list[int]]:
    """Return a stack of 200 MB in blocks of 4 MB, and a list that grows with each block made."""
    made: list[int] = []

    def block(block_info: Any = None) -> np.ndarray:
        made.append(1)
        shape = block_info[None]["chunk-shape"]
        return np.arange(np.prod(shape), dtype="u4").reshape(shape) % 1000

    chunks = ((2,) * 50, (2,), (512,), (512,))
    values = da.map_blocks(block, chunks=chunks, dtype="u4", meta=np.empty((0,) * 4, "u4"))
    return xr.DataArray(values, dims=("frame", "detector", "y", "x"), name="counts"), made


def peak_of(work: Callable[[], object]) -> int:
    """Return the most bytes that Python and NumPy hold at a time while two threads work."""
    tracemalloc.start()
    try:
        with dask.config.set(scheduler="threads", num_workers=2):
            work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
