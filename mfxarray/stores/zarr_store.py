"""Sealed Zarr stores: format 3, sharded, complete or absent.

Two traps of xarray are avoided on opening: the chunks it prefers are inner chunks, not shards, and
its keys in dask graphs do not change when a store is replaced.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import compute, tokenize

from mfxarray.errors import DataError
from mfxarray.stores.plain import TEXT, is_text, plain_attrs, restore_text, text_dtype, text_list
from mfxarray.stores.seal import SEAL_NAME, Seal, check_sealed, is_sealed, staged
from mfxarray.stores.zarr_layout import FRAME_DIM, ROW_DIMS, plan_shards
from mfxarray.stores.zarr_tasks import Folder, shard_tasks

__all__ = ["open_zarr", "open_zarr_array", "write_zarr"]

# variables without rows or frames up to this size are read on opening: labels, masses, pixel grids
_LOAD_BYTES = 64 * 1024
_RESERVED = {"coordinates", "_FillValue", "dtype", "_ARRAY_DIMENSIONS"}


def write_zarr(
    data: xr.Dataset | xr.DataArray, path: str | os.PathLike[str], *, overwrite: bool = False
) -> None:
    """Write a Dataset or DataArray as a sealed Zarr store, complete or not at all.

    Parameters
    ----------
    data
        What to write; dask arrays are computed under the scheduler that is active (threads,
        synchronous, or a distributed Client whose workers see the same folder).
    path
        Folder of the new store.
    overwrite
        Replace a store that is there, once the new one is complete.

    Raises
    ------
    DataError
        If ``path`` exists and ``overwrite`` is False, before any work.
    ValueError
        If attributes have no JSON form, or a dtype has no place in a store.

    Notes
    -----
    One pass over the data. Shards are 131072 rows of all iterations and axes, or whole frames of
    about 16 MiB; every shard is written by exactly one task. A task writes the shards of all
    variables over the same rows or frames, so a thread holds one shard of every variable and the
    source blocks that it overlaps.
    """
    marker = None
    if isinstance(data, xr.DataArray):
        variable = data.name if data.name is not None else "data"
        marker = {"variable": variable, "named": data.name is not None}
        data = data.to_dataset(name=variable)
        attrs = data[variable].attrs
    else:
        attrs = data.attrs
    plain = _plain_dataset(data)
    plan = plan_shards(plain)
    extra = {**_notes(data), "array": marker}
    with staged(path, kind="zarr", attrs=attrs, extra=extra, overwrite=overwrite) as folder:
        compute(shard_tasks(plain, folder, plan))


def _notes(data: xr.Dataset) -> dict[str, Any]:
    """Return what Zarr itself does not keep: order, coordinates, dtypes of text."""
    kinds = {str(name): text_dtype(variable) for name, variable in data.variables.items()}
    return {
        "order": list(data.variables),
        "coords": list(data.coords),
        "text": {name: kind for name, kind in kinds.items() if kind is not None},
    }


def _plain_dataset(data: xr.Dataset) -> xr.Dataset:
    """Return the Dataset without encodings and indexes, its text of variable length."""
    found = {name: _plain_variable(name, v) for name, v in data.variables.items()}
    coords = {name: found.pop(name) for name in data.coords}
    bare = xr.Coordinates(coords, indexes={})
    return xr.Dataset(found, bare, plain_attrs(data.attrs, "Dataset"))


def _plain_variable(name: Hashable, variable: xr.Variable) -> xr.Variable:
    if not isinstance(name, str) or not name or "/" in name or name.startswith("__"):
        raise ValueError(f"variable name {name!r} is no key of a Zarr store; rename it")
    attrs = plain_attrs(variable.attrs, name)
    if not _RESERVED.isdisjoint(attrs):
        clash = sorted(_RESERVED.intersection(attrs))
        raise ValueError(f"{name}.attrs holds {clash}, which Zarr readers interpret; rename them")
    values = variable.data
    if is_text(variable.dtype):
        if isinstance(values, da.Array):
            values = da.map_blocks(_text, values, name, dtype=TEXT, meta=np.empty(0, TEXT))
        else:
            values = _text(np.asarray(values), name)
    elif variable.dtype.kind not in "biufc" or variable.dtype.itemsize > 16:
        raise ValueError(f"{name} has dtype {variable.dtype}; convert it to numbers or text first")
    elif not variable.dtype.isnative:
        values = values.astype(variable.dtype.newbyteorder("="))
    return xr.Variable(variable.dims, values, attrs)


def _text(values: np.ndarray[Any, Any], name: str) -> np.ndarray[Any, Any]:
    return np.array(text_list(values, name), TEXT).reshape(values.shape)


def open_zarr(path: str | os.PathLike[str], *, allow_unsealed: bool = False) -> xr.Dataset:
    """Return the Dataset in a Zarr store, lazily, one dask chunk per shard.

    Parameters
    ----------
    path
        Folder written by `write_zarr`.
    allow_unsealed
        Open an unfinished store too, with a warning: what was never written reads as fill values.

    Raises
    ------
    DataError
        If there is no store, or it cannot be read.
    IncompleteStoreError
        If it has no seal, or files are missing or have another size.

    Notes
    -----
    Reads metadata and variables below 64 kB that have neither rows nor frames.
    """
    return _open(path, allow_unsealed)[0]


def open_zarr_array(path: str | os.PathLike[str], *, allow_unsealed: bool = False) -> xr.DataArray:
    """Return the DataArray in a Zarr store, lazily; see `open_zarr` for the errors.

    Raises
    ------
    DataError
        Also if the store was not written from a DataArray.
    """
    data, seal = _open(path, allow_unsealed)
    marker = seal.extra.get("array") if seal else None
    if marker is None and len(data.data_vars) == 1:
        marker = {"variable": next(iter(data.data_vars)), "named": True}
    if marker is None or marker.get("variable") not in data.data_vars:
        names = ", ".join(map(str, data.data_vars))
        hint = "Use open_zarr and choose a variable."
        raise DataError(f"holds a Dataset ({names}), not one DataArray", path=path, hint=hint)
    array: xr.DataArray = data[marker["variable"]]
    return array if marker.get("named") else array.rename(None)


def _open(path: str | os.PathLike[str], allow_unsealed: bool) -> tuple[xr.Dataset, Seal | None]:
    store = Path(os.path.abspath(os.fspath(path)))
    if allow_unsealed and store.is_dir() and not is_sealed(store):
        warnings.warn(
            f"{store} has no seal: its writing never finished. Parts may be missing and read as "
            "0 or NaN; do not publish numbers from it.",
            UserWarning,
            stacklevel=3,
        )
        return _lazy(_read(store), store, {}), None
    seal = check_sealed(store, kind="zarr")
    data = _read(store)
    order = seal.extra.get("order")
    if not isinstance(order, list) or set(order) != set(data.variables):
        hint = "It was changed after it was sealed; write it again."
        raise DataError("its seal and its arrays do not agree", path=store, hint=hint)
    return _lazy(data, store, seal.extra), seal


def _read(store: Path) -> xr.Dataset:
    try:
        source: Any = Folder(store, read_only=True)  # xarray takes Zarr stores, its types do not
        return xr.open_dataset(
            source,
            engine="zarr",
            chunks=None,
            cache=False,
            mask_and_scale=False,
            decode_times=False,
            decode_timedelta=False,
            backend_kwargs={"consolidated": False, "zarr_format": 3},
        )
    except (ValueError, KeyError, TypeError, OSError) as error:
        hint = "The store is damaged; write or copy it again."
        raise DataError(f"cannot be read as Zarr 3: {error}", path=store, hint=hint) from error


def _lazy(data: xr.Dataset, store: Path, notes: dict[str, Any]) -> xr.Dataset:
    """Return the Dataset as it was written, one dask chunk per shard, small tables in memory."""
    plan = _shards(data)
    token = _state(store)
    text = notes.get("text", {})
    found = {}
    for name in notes.get("order", list(data.variables)):
        variable = data.variables[name]
        if _is_small(variable):
            variable = variable.load()
        else:
            chunks = {dim: plan[dim] for dim in variable.dims}
            variable = variable.chunk(chunks, name=f"zarr-{name}-{tokenize(token, name)}")
        found[name] = restore_text(variable, text.get(name)).drop_encoding()
    coords = {*notes.get("coords", ()), *data.coords}
    named = {name: found.pop(name) for name in list(found) if name in coords}
    return xr.Dataset(found, named, data.attrs)


def _shards(data: xr.Dataset) -> dict[Hashable, int]:
    plan: dict[Hashable, int] = {}
    for variable in data.variables.values():
        shape = variable.encoding.get("shards") or variable.encoding.get("chunks") or ()
        for dim, length in zip(variable.dims, shape, strict=True):
            plan[dim] = max(length, plan.get(dim, 1))
    return plan


def _is_small(variable: xr.Variable) -> bool:
    long = {*ROW_DIMS, FRAME_DIM}.intersection(map(str, variable.dims))
    return isinstance(variable, xr.IndexVariable) or (not long and variable.nbytes <= _LOAD_BYTES)


def _state(store: Path) -> str:
    # a replaced store must not share dask keys with the old one
    mark = store / (SEAL_NAME if is_sealed(store) else "zarr.json")
    state = mark.stat()
    return f"{store}-{state.st_ino}-{state.st_mtime_ns}-{state.st_size}"
