"""The metadata of a Zarr store, and the tasks that fill its shards.

xarray writes the metadata and what is in memory. Its own delayed writes are not used: they are one
task per variable and shard, and dask finishes one variable while blocks of the others wait in
memory. Here one task gathers the blocks of all variables over the same rows, and one writes the
shards of all variables that it takes from these blocks. dask's rechunking between them would be
four fifths of all tasks.
"""

from __future__ import annotations

import asyncio
import math
from bisect import bisect_right
from collections.abc import AsyncIterator, Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from operator import itemgetter
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
from mfxarray.stores.tasks import Call, block_keys, in_order
from mfxarray.stores.zarr_layout import encodings

__all__ = ["Folder", "shard_tasks"]

_Array: TypeAlias = np.ndarray[Any, Any]
_Source: TypeAlias = tuple[int, int, Hashable, int]


@dataclass(frozen=True)
class _Piece:
    """Where a part of a shard lies: in which blocks, which of these, which rows of it."""

    blocks: Hashable
    number: int
    rows: slice


@dataclass(frozen=True)
class _Shard:
    """A shard of a variable: its place in the array, and its pieces along one axis."""

    name: str
    region: tuple[slice, ...]
    axis: int
    pieces: tuple[_Piece, ...]


class Folder(LocalStore):
    """A local store that hides the seal and never brings back a folder that was removed.

    zarr makes folders on demand, all the way up, so a task that outlives a failed write would bring
    its folder back.
    """

    async def _open(self, *, mode: Any = None) -> None:
        """Open the folder, which must be there."""
        if not self.root.exists():
            raise FileNotFoundError(f"{self.root} does not exist")
        # past LocalStore, which would make it
        await super(LocalStore, self)._open()

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
    lazy = {
        str(name): _along_one(variable, plan)
        for name, variable in data.variables.items()
        if isinstance(variable.data, da.Array)
    }
    _write_metadata(data, folder, plan)
    groups: dict[Hashable, list[_Shard]] = {}
    blocks: dict[Hashable, list[Hashable]] = {}
    for name, variable in lazy.items():
        for group, shard in _shards(name, variable, plan, blocks):
            groups.setdefault(group, []).append(shard)
    label = f"mfxarray-blocks-{uuid4().hex}"
    names = {place: (label, number) for number, place in enumerate(blocks)}
    gather = {names[place]: (list, keys) for place, keys in blocks.items()}
    write = [_call(folder, shards, names) for shards in groups.values()]
    return in_order(write, [variable.data for variable in lazy.values()], gather)


def _write_metadata(data: xr.Dataset, folder: Path, plan: Mapping[Hashable, int]) -> None:
    """Write what describes all variables, and the values of those in memory."""
    found = {name: _unwritten(variable) for name, variable in data.variables.items()}
    coords = xr.Coordinates({name: found.pop(name) for name in data.coords}, indexes={})
    # write_empty_chunks: a chunk of zeros is stored too, so a missing file is always a fault
    xr.Dataset(found, coords, data.attrs).to_zarr(
        Folder(folder),
        mode="w-",
        zarr_format=3,
        consolidated=False,
        encoding=encodings(data, plan),
        write_empty_chunks=True,
        compute=False,
    )


def _unwritten(variable: xr.Variable) -> xr.Variable:
    """Return the variable; a lazy one in one piece, for which xarray plans a write, not done."""
    values = variable.data
    if not isinstance(values, da.Array):
        return variable
    one = da.empty(values.shape, dtype=values.dtype, chunks=values.shape)
    return xr.Variable(variable.dims, one, variable.attrs)


def _along_one(variable: xr.Variable, plan: Mapping[Hashable, int]) -> xr.Variable:
    """Return the variable; where it is cut along several dimensions, cut into shards."""
    if len(_cut_dims(variable, plan)) < 2:
        return variable
    lengths = tuple(plan[dim] for dim in variable.dims)
    # "tasks": neighbours only; the peer-to-peer method would send all data through disks
    return variable.copy(data=da.rechunk(variable.data, lengths, method="tasks"))


def _cut_dims(variable: xr.Variable, plan: Mapping[Hashable, int]) -> list[Hashable]:
    blocks = zip(variable.dims, variable.data.numblocks, strict=True)
    return [dim for dim, count in blocks if count > 1 or variable.sizes[dim] > plan[dim]]


def _shards(
    name: str,
    variable: xr.Variable,
    plan: Mapping[Hashable, int],
    blocks: dict[Hashable, list[Hashable]],
) -> Iterator[tuple[Hashable, _Shard]]:
    """Give every shard of a variable and the group that writes it; add the blocks it needs."""
    cut = _cut_dims(variable, plan)
    counts = [max(1, math.ceil(variable.sizes[dim] / plan[dim])) for dim in variable.dims]
    axis = variable.dims.index(cut[0]) if cut else 0
    sources = _sources(name, variable, axis, blocks) if len(cut) < 2 else None
    for index in np.ndindex(*counts):
        region = tuple(
            slice(plan[dim] * place, min(plan[dim] * (place + 1), variable.sizes[dim]))
            for dim, place in zip(variable.dims, index, strict=True)
        )
        placed = zip(variable.dims, index, counts, strict=True)
        group = tuple((dim, place) for dim, place, count in placed if count > 1) or name
        pieces: tuple[_Piece, ...]
        if sources is None:
            pieces = (_whole(group, (variable.data.name, *index), blocks),)
        else:
            pieces = tuple(_overlaps(sources, region[axis] if region else slice(0, 1)))
        yield group, _Shard(name, region, axis, pieces)


def _whole(group: Hashable, key: Hashable, blocks: dict[Hashable, list[Hashable]]) -> _Piece:
    keys = blocks.setdefault(group, [])
    keys.append(key)
    return _Piece(group, len(keys) - 1, slice(None))


def _sources(
    name: str, variable: xr.Variable, axis: int, blocks: dict[Hashable, list[Hashable]]
) -> list[_Source]:
    """Return start, stop and place of the blocks along an axis; blocks of equal rows lie together.

    An array without dimensions counts as one row.
    """
    chunks = variable.data.chunks[axis] if variable.ndim else (1,)
    bounds = pairwise(np.cumsum([0, *chunks]).tolist())
    found: list[_Source] = []
    for (start, stop), key in zip(bounds, block_keys(variable.data).values(), strict=True):
        if stop > start:
            place: Hashable = (variable.dims[axis], start, stop) if variable.ndim else name
            keys = blocks.setdefault(place, [])
            keys.append(key)
            found.append((start, stop, place, len(keys) - 1))
    return found


def _overlaps(sources: list[_Source], rows: slice) -> Iterator[_Piece]:
    first = bisect_right(sources, rows.start, key=itemgetter(1))
    for start, stop, place, number in sources[first:]:
        if start >= rows.stop:
            return
        part = slice(max(rows.start - start, 0), min(rows.stop, stop) - start)
        yield _Piece(place, number, part)


def _call(folder: Path, shards: list[_Shard], names: Mapping[Hashable, Hashable]) -> Call:
    """Return the writing of some shards, and the keys of the blocks that it needs."""
    needed = list(dict.fromkeys(piece.blocks for shard in shards for piece in shard.pieces))
    return partial(_write_shards, str(folder), shards, needed), [names[one] for one in needed]


def _write_shards(
    folder: str, shards: list[_Shard], needed: list[Hashable], blocks: list[list[_Array]]
) -> None:
    """Write shards; run twice, it writes the same bytes."""
    store = Folder(folder)
    known = dict(zip(needed, blocks, strict=True))
    for shard in shards:
        parts = [_part(known[one.blocks][one.number], shard, one.rows) for one in shard.pieces]
        if not parts:  # of no rows
            continue
        array = zarr.open_array(store, path=shard.name, mode="r+", zarr_format=3)
        # open_array has a parameter for this, and ignores it for arrays that exist
        array = array.with_config({"write_empty_chunks": True})
        array[shard.region] = parts[0] if len(parts) == 1 else np.concatenate(parts, shard.axis)


def _part(block: _Array, shard: _Shard, rows: slice) -> _Array:
    return block[(*(slice(None),) * shard.axis, rows)] if shard.region else block
