"""Registered washes for the tools of the seed: a dictionary of arrays as .npy or .mat."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import compute

from mfxarray.minflux.beads.aligned import (
    aligned_beads,
    aligned_columns,
    aligned_wash,
    ref_error,
    unique_ids,
)
from mfxarray.minflux.beads.registration import BeadFit
from mfxarray.stores.export_rows import check_numbers, cut_alike, wash_labels, wash_numbers
from mfxarray.stores.numpy_pickle import write_pickled_npy
from mfxarray.stores.several_files import staged_files
from mfxarray.stores.tasks import Call, block_keys, in_order

__all__ = ["write_aligned"]

Array = np.ndarray[Any, Any]

_ENDINGS = (".npy", ".mat")
_ERROR = "ref_error"
# a variable of a MAT file of version 5, which a wash is, cannot be larger
_MAT_BYTES = 2**31 - 2**16
_HEAD_BYTES = 2**12


def write_aligned(
    ds: xr.Dataset,
    path: str | os.PathLike[str],
    fit: BeadFit | None = None,
    *,
    most_bytes: int = 4 * 2**30,
    overwrite: bool = False,
) -> list[Path]:
    """Write registered washes as the Python seed does, for tools that read its files.

    Parameters
    ----------
    ds
        Result of `register`. Those localizations are written that are valid, passed all filters,
        and whose motion the beads tell.
    path
        The new file. ".npy": a pickled dictionary, as the seed's own next step reads it; ".mat":
        a MAT file of version 5 with a struct a wash.
    fit
        Result of `fit_beads` with which they were registered. With it the beads are written too,
        as ``<name>_ref.npy`` or ``<name>_ref.mat``, and ``ref_error`` has numbers.
    most_bytes
        Refuse to hold more than this in memory.
    overwrite
        Replace files that are there, once the new ones are complete.

    Returns
    -------
    list of pathlib.Path
        The file, and that of the beads.

    Raises
    ------
    DataError
        If a file exists and ``overwrite`` is off, or the folder is missing.
    ValueError
        If the washes are not registered, the fit is of others, the ending is unknown, or the data
        are more than fits in memory or, a wash, into 2 GiB of a .mat file; write Zarr or Parquet
        then.

    Notes
    -----
    A key for every wash (its label; in .mat as MATLAB allows names) with ``tim``,
    ``tim_tid_mean``, ``tid``, ``lnc``, ``loc``, ``vld``, ``eco``, ``efo``, ``ltr``, ``lre``, and
    ``ref_error`` with ``se_xy``, ``se_z``, ``std_xy``, ``std_z`` (m); eco and efo where the data
    have them. The layout has no place for a part, so everything is in memory at once, and the
    beads twice. What differs from the seed's own files, where those are wrong: ``lnc`` and ``loc``
    are as measured; ``ltr`` is corrected once, in the frame of the reference wash, not of the
    beads' centroid; ``lre`` is NaN, not 0, where nothing was turned; ids of a wash begin above the
    largest one before; z is scaled as the Dataset is (the seed: by 0.7).

    Pickled files can run code when they are read; this one holds dictionaries, text and arrays
    only, and mfxarray itself never reads such files.
    """
    target = Path(path)
    ending = target.suffix.lower()
    if ending not in _ENDINGS:
        raise ValueError(f"the file must end in {' or '.join(_ENDINGS)}, not {os.fspath(path)!r}")
    keep, columns = aligned_columns(ds, fit)
    labels = wash_labels(ds)
    if fit is not None and len(fit.washes) != len(labels):
        raise ValueError(f"{len(labels)} washes, but a fit of {len(fit.washes)}")
    paths = [target]
    if fit is not None:
        paths.append(target.with_name(f"{target.stem}_ref{target.suffix}"))
    with staged_files(paths, overwrite=overwrite) as staged:
        keys = _keys(labels, ending)
        parts = _load(keep, wash_numbers(ds, keep), columns, keys, ending, most_bytes)
        contents: dict[str, Any] = dict(zip(keys, _washes(parts, fit), strict=True))
        _save(staged[0], {**contents, _ERROR: ref_error(fit)}, ending)
        if fit is not None:
            _save(staged[1], aligned_beads(fit), ending)
    return paths


def _keys(labels: Sequence[str], ending: str) -> list[str]:
    """Return the name of every wash in the file, none of them that of the errors."""
    found: list[str] = []
    for number, label in enumerate(labels, 1):
        name = label
        if ending == ".mat":
            name = re.sub(r"\W", "_", label, flags=re.ASCII)
            name = (name if name[:1].isalpha() else f"wash_{name}")[:31]
        if name in (*found, _ERROR):
            name = f"{name[:24]}_{number}"
        found.append(name)
    return found


def _load(
    keep: da.Array,
    numbers: da.Array,
    columns: Mapping[str, da.Array],
    keys: Sequence[str],
    ending: str,
    most_bytes: int,
) -> list[dict[str, Array]]:
    """Return the columns of every wash, once it is known that they fit."""
    keep, numbers, *arrays = cut_alike([keep, numbers, *columns.values()])
    count = partial(_count, n_washes=len(keys))
    counts = np.sum(_each_block(count, [keep, numbers]), axis=0)
    _check_size(counts, arrays, keys, ending, most_bytes)
    take = partial(_take, n_washes=len(keys))
    blocks = _each_block(take, [keep, numbers, *arrays])
    return [
        {
            name: np.concatenate([block[wash][place] for block in blocks])
            for place, name in enumerate(columns)
        }
        for wash in range(len(keys))
    ]


def _each_block(function: Any, arrays: Sequence[da.Array]) -> list[Any]:
    keys = [list(block_keys(array).values()) for array in arrays]
    calls: list[Call] = [
        (function, [row[block] for row in keys]) for block in range(arrays[0].numblocks[0])
    ]
    (found,) = compute(in_order(calls, arrays))
    return list(found)


def _count(blocks: list[Array], *, n_washes: int) -> Array:
    keep, numbers = blocks
    chosen = numbers[keep]
    check_numbers(chosen, n_washes)
    return np.bincount(chosen, minlength=n_washes)


def _take(blocks: list[Array], *, n_washes: int) -> list[list[Array]]:
    keep, numbers, *values = blocks
    masks = [keep & (numbers == wash) for wash in range(n_washes)]
    return [[block[mask] for block in values] for mask in masks]


def _check_size(
    counts: Array, arrays: Sequence[da.Array], keys: Sequence[str], ending: str, most_bytes: int
) -> None:
    read = sum(array.dtype.itemsize * int(np.prod(array.shape[1:])) for array in arrays)
    # lre, tim_tid_mean, vld, and a tid that may become wider
    row_bytes = read + 24 + 8 + 1 + 4
    total = int(counts.sum()) * row_bytes
    if total > most_bytes:
        raise ValueError(
            f"{total} bytes would be in memory at once, more than most_bytes={most_bytes}; write "
            "Zarr or Parquet, which need no more than a block"
        )
    largest = int(np.argmax(counts))
    size = int(counts[largest]) * row_bytes + _HEAD_BYTES
    if ending == ".mat" and size > _MAT_BYTES:
        raise ValueError(
            f"wash {keys[largest]!r} has {size} bytes, and a variable of a .mat file at most "
            "2 GiB; write .npy, Zarr or Parquet"
        )


def _washes(parts: Sequence[dict[str, Array]], fit: BeadFit | None) -> list[dict[str, Array]]:
    ids = unique_ids([part["tid"] for part in parts])
    found = []
    for number, (part, tid) in enumerate(zip(parts, ids, strict=True)):
        own = None if fit is None else fit.washes[number]
        offset = 0.0 if fit is None else fit.time_offset[number]
        found.append(aligned_wash({**part, "tid": tid}, own, offset))
    return found


def _save(path: str, contents: Mapping[str, Any], ending: str) -> None:
    if ending == ".npy":
        with open(path, "xb") as file:
            write_pickled_npy(file, contents)
        return
    from scipy.io import savemat

    savemat(path, dict(contents), appendmat=False)
