"""The metadata of a Zarr store, and the tasks that fill its shards.

xarray writes the metadata and what is in memory. Its own delayed writes are not used: they are one
task per variable and shard, and dask finishes one variable while blocks of the others wait in
memory. Here one task writes the shards of all variables over the same rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import dask.array as da
import numpy as np
import xarray as xr
import zarr
from dask.delayed import Delayed
from zarr.core.buffer import Buffer
from zarr.storage import LocalStore

from mfxarray.stores.manifest import SEAL_NAME
from mfxarray.stores.tasks import block_keys, in_order
from mfxarray.stores.zarr_layout import encodings

__all__ = ["Folder", "shard_tasks"]

_Place: TypeAlias = tuple[str, tuple[slice, ...]]


class Folder(LocalStore):
    """A local store that hides the seal and never brings back a folder that was removed.

    zarr makes folders on demand, all the way up, so a task that outlives a failed write would bring
    its folder back.
    """

    async def set(self, key: str, value: Buffer) -> None:
        """Write one key in one step."""
        await asyncio.to_thread(_put, self.root, key, value.as_numpy_array())

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Give the names below a prefix."""
        async for name in super().list_dir(prefix):
            if name != SEAL_NAME:
                yield name


def _put(root: Path, key: str, values: np.ndarray[Any, Any]) -> None:
    path = root / key
    for parent in reversed(path.relative_to(root).parents[:-1]):
        (root / parent).mkdir(exist_ok=True)  # fails where the root is gone
    temporary = path.with_name(f"{path.name}.{uuid4().hex}.partial")
    with temporary.open("wb") as file:
        file.write(np.ascontiguousarray(values).view(np.uint8).data)
    temporary.replace(path)


def shard_tasks(data: xr.Dataset, folder: Path, plan: Mapping[Hashable, int]) -> Delayed:
    """Write metadata and variables in memory; return the delayed writing of the others.

    Parameters
    ----------
    data
        What to write, without encodings and indexes.
    folder
        Empty folder.
    plan
        Length of a shard along every dimension.
    """
    data = _rechunked(data, plan)
    # write_empty_chunks: a chunk of zeros is stored too, so a missing file is always a fault
    data.to_zarr(
        Folder(folder),
        mode="w-",
        zarr_format=3,
        consolidated=False,
        encoding=encodings(data, plan),
        write_empty_chunks=True,
        compute=False,
    )
    groups: dict[Hashable, tuple[list[_Place], list[Hashable]]] = {}
    lazy = {str(n): v for n, v in data.variables.items() if isinstance(v.data, da.Array)}
    for name, variable in lazy.items():
        for group, region, key in _blocks(name, variable, plan):
            places, keys = groups.setdefault(group, ([], []))
            places.append((name, region))
            keys.append(key)
    write = [(partial(_write_shards, str(folder), at), keys) for at, keys in groups.values()]
    return in_order(write, [variable.data for variable in lazy.values()])


def _rechunked(data: xr.Dataset, plan: Mapping[Hashable, int]) -> xr.Dataset:
    """Return the Dataset with dask chunks equal to shards, whatever the cluster prefers."""
    found = dict(data.variables)
    for name, variable in data.variables.items():
        if isinstance(variable.data, da.Array):
            lengths = tuple(plan[dim] for dim in variable.dims)
            # "tasks": neighbours only; the peer-to-peer method would send all data through disks
            shards = da.rechunk(variable.data, lengths, method="tasks")
            found[name] = variable.copy(data=shards)
    coords = {name: found.pop(name) for name in data.coords}
    return xr.Dataset(found, xr.Coordinates(coords, indexes={}), data.attrs)


def _blocks(
    name: str, variable: xr.Variable, plan: Mapping[Hashable, int]
) -> Iterator[tuple[Hashable, tuple[slice, ...], Hashable]]:
    """Give every shard of a variable: the group that writes it, its region, its graph key."""
    for index, key in block_keys(variable.data).items():
        placed = zip(variable.dims, index, variable.data.numblocks, strict=True)
        group = tuple((dim, place) for dim, place, count in placed if count > 1)
        starts = (plan[dim] * place for dim, place in zip(variable.dims, index, strict=True))
        sizes = (chunks[place] for chunks, place in zip(variable.data.chunks, index, strict=True))
        region = tuple(slice(at, at + size) for at, size in zip(starts, sizes, strict=True))
        yield group or name, region, key


def _write_shards(folder: str, places: list[_Place], blocks: list[np.ndarray[Any, Any]]) -> None:
    """Write shards; run twice, it writes the same bytes."""
    store = Folder(folder)
    for (name, region), block in zip(places, blocks, strict=True):
        array = zarr.open_array(store, path=name, mode="r+", zarr_format=3)
        # open_array has a parameter for this, and ignores it for arrays that exist
        array.with_config({"write_empty_chunks": True})[region] = block
