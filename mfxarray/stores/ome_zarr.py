"""OME-Zarr 0.5 on Zarr 3: images with axes, scale and channel names, and coarser copies of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
import zarr
from dask.base import compute

from mfxarray.stores.image_stack import ImageStack, image_stack, printable
from mfxarray.stores.ome_metadata import Shown, axis_names, group_attributes
from mfxarray.stores.seal import staged
from mfxarray.stores.tasks import Call, block_keys, in_order
from mfxarray.stores.zarr_layout import TILE, encodings, plan_shards
from mfxarray.stores.zarr_tasks import Folder

__all__ = ["write_ome_zarr"]

Array = np.ndarray[Any, Any]

_DIMS = ("frame", "detector", "y", "x")
_COARSER = ("mean", "sum")
# values of a channel looked at for how bright to show it
_LOOK = 65_536
_TOP_PERCENT = 99.9
# frames up to here are one shard
_WHOLE_BYTES = 64 * 2**20


def write_ome_zarr(
    data: xr.DataArray | xr.Dataset,
    path: str | os.PathLike[str],
    *,
    levels: int = 1,
    coarser: str = "mean",
    name: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write images as a sealed OME-Zarr image, complete or not at all.

    Parameters
    ----------
    data
        Images with the dimensions y and x, with or without frames or depths z, and one more for
        channels (detector). In a Dataset every variable adds channels: a ratio and its error, or
        counts ("12C") and their variance ("12C variance").
    path
        Folder of the new image; by custom it ends in ``.ome.zarr``.
    levels
        Number of resolutions; each halves rows and columns, and leaves out a last odd one.
    coarser
        "mean" of 2 x 2 pixels, to look at; rounded for integers. "sum" keeps counts.
    name
        Of the image; that of the folder if not given.
    overwrite
        Replace a store that is there, once the new one is complete.

    Raises
    ------
    DataError
        If ``path`` exists and ``overwrite`` is off, or its folder is missing, before any work.
    ValueError
        If the data are no images, attributes have no JSON form, or there are too many levels for
        their size.

    Notes
    -----
    One pass: a task writes a shard of about 16 MiB in all its resolutions, so in memory are the
    shards at work and the source blocks they overlap. Channels keep their values; different dtypes
    become the one that holds all. Coordinates other than the scale are not written; our own Zarr
    keeps all. The window in which a channel is shown ends at the largest 99.9 percentile of a
    shard.
    """
    stack = image_stack(data)
    if coarser not in _COARSER:
        raise ValueError(f"coarser must be one of {_COARSER}, not {coarser!r}")
    if levels < 1 or min(stack.shape[2:]) >> (levels - 1) < 1:
        raise ValueError(f"levels must be 1 or more, with a pixel left in each, not {levels}")
    label = printable(name if name is not None else Path(path).name)
    # whatever cannot be written as JSON is refused before the work
    group_attributes(stack, label, levels, [Shown(0.0, 0.0, 0.0)] * stack.shape[1], coarser)
    with staged(path, kind="ome-zarr", attrs=stack.attrs, overwrite=overwrite) as folder:
        image, layout = _planned(stack)
        for level in range(levels):
            _create(folder, stack, image, layout, level)
        write = partial(_write, str(folder), levels, coarser, _order(stack))
        (seen,) = compute(in_order(list(_calls(image, write)), [image]))
        shown = _merged(seen, stack.shape[1])
        attributes = group_attributes(stack, label, levels, shown, coarser)
        zarr.open_group(Folder(folder), mode="r+", zarr_format=3).attrs.put(attributes)


def _planned(stack: ImageStack) -> tuple[da.Array, dict[str, Any]]:
    """Return all channels as one array whose blocks are shards, and how Zarr stores it."""
    kind = stack.dtype.newbyteorder("=")
    # "u" of 1 bit is no dtype that programs for images know
    kind = np.dtype(np.uint8) if kind.kind == "b" else kind
    image = da.concatenate([part.astype(kind) for part in stack.parts], axis=1)
    table = xr.Dataset({"image": (_DIMS, image)})
    plan = plan_shards(table)
    if plan["y"] * plan["x"] * kind.itemsize > _WHOLE_BYTES:
        # one frame is held by a task, with what it is made of and its coarser copies
        plan |= {dim: min(plan[dim], TILE) for dim in ("y", "x")}
    # "tasks": neighbours only; the peer-to-peer method would send all data through disks
    cut = da.rechunk(image, tuple(plan[dim] for dim in _DIMS), method="tasks")
    return cut, encodings(table, plan)["image"]


def _order(stack: ImageStack) -> tuple[int, ...]:
    """Return which of (frame, channel, y, x) are the axes of the stored image, in their order."""
    if stack.deep:
        return 1, 0, 2, 3
    return (1, 2, 3) if stack.frames is None else (0, 1, 2, 3)


def _create(
    folder: Path, stack: ImageStack, image: da.Array, layout: dict[str, Any], level: int
) -> None:
    def lengths(values: tuple[int, ...]) -> tuple[int, ...]:
        rows_columns = (max(length >> level, 1) for length in values[2:])
        both = (*values[:2], *rows_columns)
        return tuple(both[axis] for axis in _order(stack))

    shards = layout.get("shards")
    zarr.create_array(
        Folder(folder),
        name=str(level),
        shape=lengths(image.shape),
        dtype=image.dtype,
        chunks=lengths(layout["chunks"]),
        shards=None if shards is None else lengths(shards),
        compressors=layout["compressors"],
        fill_value=0,
        dimension_names=axis_names(stack),
        zarr_format=3,
    )


def _calls(image: da.Array, write: Any) -> Iterator[Call]:
    starts = [np.concatenate(([0], np.cumsum(sizes))) for sizes in image.chunks]
    for index, key in block_keys(image).items():
        start = tuple(int(edges[at]) for edges, at in zip(starts, index, strict=True))
        yield partial(write, start), [key]


def _write(
    folder: str,
    levels: int,
    coarser: str,
    order: tuple[int, ...],
    start: tuple[int, ...],
    blocks: list[Array],
) -> tuple[int, list[Shown]]:
    """Write a shard in all its resolutions; return what its channels show."""
    block = blocks[0]
    store = Folder(Path(folder))
    for level in range(levels):
        if level:
            block = _halved(block, coarser)
        at = (*start[:2], start[2] >> level, start[3] >> level)
        region = tuple(slice(a, a + size) for a, size in zip(at, block.shape, strict=True))
        array = zarr.open_array(store, path=str(level), mode="r+", zarr_format=3)
        # a chunk of zeros is stored too, so a missing file is always a fault
        whole = array.with_config({"write_empty_chunks": True})
        if block.size:
            # of images without frames the first axis has one entry
            values = block if len(order) == 4 else block[0]
            places = order if len(order) == 4 else (0, 1, 2)
            whole[tuple(region[axis] for axis in order)] = values.transpose(places)
    return start[1], [_shown(image) for image in np.moveaxis(blocks[0], 1, 0)]


def _halved(block: Array, coarser: str) -> Array:
    """Return blocks of 2 x 2 pixels as one, in the same dtype."""
    rows, columns = (size // 2 for size in block.shape[2:])
    wide = np.dtype(np.float64) if block.dtype.kind == "f" else np.dtype(np.int64)
    cut = block[:, :, : 2 * rows, : 2 * columns].reshape(*block.shape[:2], rows, 2, columns, 2)
    total = cut.sum(axis=(3, 5), dtype=wide)
    if coarser == "mean":
        # half rounds up
        total = total / 4 if wide.kind == "f" else (total + 2) // 4
    elif wide.kind == "i" and total.size and total.max() > np.iinfo(block.dtype).max:
        raise ValueError(f"sums of counts do not fit {block.dtype}; take coarser='mean'")
    return total.astype(block.dtype)


def _shown(image: Array) -> Shown:
    known = image.ravel()
    known = known[np.isfinite(known)] if known.dtype.kind == "f" else known
    if not known.size:
        return Shown(0.0, 0.0, 0.0)
    some = known[:: max(1, known.size // _LOOK)]
    top = float(np.percentile(some, _TOP_PERCENT))
    return Shown(float(known.min()), float(known.max()), top)


def _merged(seen: list[tuple[int, list[Shown]]], channels: int) -> list[Shown]:
    found: list[Shown | None] = [None] * channels
    for first, here in seen:
        for number, shown in enumerate(here, first):
            before = found[number]
            found[number] = shown if before is None else before.with_(shown)
    return [shown if shown is not None else Shown(0.0, 0.0, 0.0) for shown in found]
