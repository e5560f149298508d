"""The metadata of a Zarr store, and the tasks that fill its shards.

xarray writes the metadata and what is in memory; its own delayed writes are not used. They are one
task per variable and shard, and dask then finished one variable while the blocks of the others
waited in memory: 590 MiB of them for a table of 3.7 GiB, and growing with the table. Here one task
writes the shards of all variables over the same rows, and memory does not grow.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import dask.array as da
import numpy as np
import xarray as xr
import zarr
from dask.delayed import delayed
from zarr.core.buffer import Buffer
from zarr.storage import LocalStore

from mfxarray.stores.manifest import SEAL_NAME
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


def shard_tasks(data: xr.Dataset, folder: Path, plan: Mapping[Hashable, int]) -> list[Any]:
    """Write metadata and variables in memory; return the tasks that write the others.

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
    groups: dict[Hashable, tuple[list[_Place], list[Any]]] = {}
    for name, variable in data.variables.items():
        if isinstance(variable.data, da.Array):
            for key, region, block in _blocks(str(name), variable, plan):
                places, blocks = groups.setdefault(key, ([], []))
                places.append((str(name), region))
                blocks.append(block)
    write = delayed(_write_shards, pure=False)
    chain = None
    for places, blocks in groups.values():
        chain = delayed(_both, pure=False)(chain, write(str(folder), places, blocks))
    return chain


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
) -> Iterator[tuple[Hashable, tuple[slice, ...], Any]]:
    """Give every shard of a variable: the group that writes it, its region, its delayed values."""
    # not optimized here, else a source block would be read once for every variable
    grid = variable.data.to_delayed(optimize_graph=False)
    for index in np.ndindex(grid.shape):
        placed = zip(variable.dims, index, grid.shape, strict=True)
        key = tuple((dim, place) for dim, place, count in placed if count > 1)
        starts = (plan[dim] * place for dim, place in zip(variable.dims, index, strict=True))
        sizes = (chunks[place] for chunks, place in zip(variable.data.chunks, index, strict=True))
        region = tuple(slice(at, at + size) for at, size in zip(starts, sizes, strict=True))
        yield key or name, region, grid[index]


def _both(before: None, this: None) -> None:
    """Do nothing when two tasks are done."""


def _write_shards(folder: str, places: list[_Place], blocks: list[np.ndarray[Any, Any]]) -> None:
    """Write shards; run twice, it writes the same bytes."""
    store = Folder(folder)
    for (name, region), block in zip(places, blocks, strict=True):
        array = zarr.open_array(store, path=name, mode="r+", zarr_format=3)
        # open_array has a parameter for this, and ignores it for arrays that exist
        array.with_config({"write_empty_chunks": True})[region] = block
