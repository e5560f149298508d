"""How the arrays of a Dataset are cut into shards and chunks of a Zarr store."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from zarr.codecs import BloscCodec, BloscShuffle, Crc32cCodec

from mfxarray.stores.plain import is_text

__all__ = ["FRAME_DIM", "ROW_DIMS", "encodings", "plan_shards"]

ROW_DIMS = ("localization", "trace")
FRAME_DIM = "frame"
SHARD_ROWS = 131_072
CHUNK_ROWS = 65_536
SHARD_FRAME_BYTES = 16 * 2**20
# an array without rows or frames is one chunk up to here, then cut into tiles
TILE_FROM_BYTES = 256 * 2**20
TILE = 2_048


def plan_shards(data: xr.Dataset) -> dict[Hashable, int]:
    """Return the length of a shard along every dimension, the same for all arrays of a Dataset.

    Notes
    -----
    One plan for the whole Dataset, because ``Dataset.chunks`` refuses arrays of unequal chunks.
    """
    plan = {dim: max(1, size) for dim, size in data.sizes.items()}
    for dim in ROW_DIMS:
        if dim in plan and plan[dim] > CHUNK_ROWS:
            plan[dim] = SHARD_ROWS
    if FRAME_DIM in plan:
        stacks = [v for v in data.variables.values() if FRAME_DIM in v.dims]
        frame = max(math.ceil(v.nbytes / plan[FRAME_DIM]) for v in stacks)
        plan[FRAME_DIM] = min(plan[FRAME_DIM], max(1, SHARD_FRAME_BYTES // max(1, frame)))
    for variable in data.variables.values():
        _cut_large(variable, plan)
    return plan


def _cut_large(variable: xr.Variable, plan: dict[Hashable, int]) -> None:
    if math.prod(plan[d] for d in variable.dims) * variable.dtype.itemsize <= TILE_FROM_BYTES:
        return
    for dim in variable.dims:
        if dim not in ROW_DIMS:
            plan[dim] = min(plan[dim], TILE)


def encodings(data: xr.Dataset, plan: Mapping[Hashable, int]) -> dict[Hashable, dict[str, Any]]:
    """Return the Zarr encoding of every variable.

    Notes
    -----
    lz4 with byte shuffle wrote a 430 MiB table of localizations in 0.70 s at 62 % of its size;
    zstd with shuffle took 1.2 s for 55 %, zarr's default zstd 0.92 s for 62 % (2 cores). Writing
    is what users wait for. crc32c costs nothing measurable and finds every flipped bit.
    ``_FillValue: None`` keeps xarray from masking values, so NaN and 0 come back as written.
    """
    return {name: _encoding(variable, plan) for name, variable in data.variables.items()}


def _encoding(variable: xr.Variable, plan: Mapping[Hashable, int]) -> dict[str, Any]:
    found: dict[str, Any] = {"_FillValue": None, "compressors": _compressors(variable.dtype)}
    if not variable.ndim:
        return found
    shard = tuple(plan[dim] for dim in variable.dims)
    singles = _singles(variable)
    inner = tuple(1 if dim in singles else _inner(dim, plan[dim]) for dim in variable.dims)
    return found | {"chunks": inner} | ({"shards": shard} if inner != shard else {})


def _singles(variable: xr.Variable) -> set[Hashable]:
    """Return the dims along which an inner chunk holds one entry: they are read one at a time."""
    if not {*ROW_DIMS}.isdisjoint(variable.dims):
        return {"iteration"}
    return {FRAME_DIM, "detector"} if FRAME_DIM in variable.dims and variable.ndim > 2 else set()


def _inner(dim: Hashable, shard: int) -> int:
    return CHUNK_ROWS if dim in ROW_DIMS and shard > CHUNK_ROWS else shard


def _compressors(dtype: np.dtype[Any]) -> list[Any]:
    size = 1 if is_text(dtype) else dtype.itemsize
    shuffle = BloscShuffle.noshuffle if size == 1 else BloscShuffle.shuffle
    return [BloscCodec(typesize=size, cname="lz4", clevel=5, shuffle=shuffle), Crc32cCodec()]
