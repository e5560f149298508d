"""Ion images to files of other programs, block by block."""

from __future__ import annotations

import math
import os
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.formats.nrrd.nrrd import PROVENANCE_KEY
from mfxarray.options import get_options
from mfxarray.provenance import history
from mfxarray.writers.nrrd import TYPES, PlaneFile, mims_keys, nrrd_header
from mfxarray.writers.replacing import check_free, replacing

__all__ = ["write_nrrd"]

_DIMS = ("frame", "detector", "y", "x")


def write_nrrd(
    path: str | os.PathLike[str],
    data: xr.DataArray | xr.Dataset,
    *,
    dtype: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write ion images to a ``.nrrd`` file that OpenMIMS reads.

    Parameters
    ----------
    path
        Target; it appears when it is complete.
    data
        Counts (frame, detector, y, x), or sums without ``frame``; of corrected counts with their
        variance, the counts are written.
    dtype
        "uint16", "float" or "uint32". By default "uint16" where the counts have at most 2 bytes,
        else "float", as OpenMIMS has it. OpenMIMS does not read "uint32".
    overwrite
        Replace what is there.

    Raises
    ------
    ValueError
        If ``data`` are no ion images, or a count cannot be written exactly: "float" holds
        integers up to 2^24.
    DataError
        If the target cannot be written.

    Notes
    -----
    One pass over the data, one block of frames a worker in memory; workers write into the file
    themselves, so all of them must see its folder. Steps that were done are in the key
    ``mfxarray_provenance``; see `mims_keys` for what the others keep.
    """
    counts, attrs = _counts(data)
    name = _type_name(counts, dtype)
    blocks = _blocks(counts)
    shape = (blocks.shape[0], blocks.shape[1], blocks.shape[2], blocks.shape[3])
    if 0 in shape:
        raise ValueError(f"there are no pixels to write: {shape}")
    head = nrrd_header(shape, name, _keys(counts, attrs))
    check_free(path, overwrite)
    with replacing(path, overwrite=overwrite) as file:
        target = PlaneFile(file.name, len(head), name, shape)
        file.write(head)
        file.truncate(target.size)
        file.flush()
        written = int(_put_all(blocks, target).sum().compute())
    if written != shape[0]:
        raise RuntimeError(f"{written} of {shape[0]} frames were written")


def _counts(data: xr.DataArray | xr.Dataset) -> tuple[xr.DataArray, dict[str, Any]]:
    if isinstance(data, xr.Dataset):
        if "counts" not in data:
            raise ValueError(f"a Dataset of ion counts has the variable 'counts', not {list(data)}")
        counts = data["counts"]
    else:
        counts = data
    found = counts if "frame" in counts.dims else counts.expand_dims("frame")
    if set(found.dims) != set(_DIMS):
        raise ValueError(f"ion images have the dimensions {_DIMS}, these have {counts.dims}")
    if found.dtype.kind not in "uif":
        raise ValueError(f"ion images hold numbers, not {found.dtype}")
    attrs = {str(key): value for key, value in {**data.attrs, **counts.attrs}.items()}
    return found.transpose(*_DIMS), attrs


def _type_name(counts: xr.DataArray, wanted: str | None) -> str:
    if wanted is None:
        return "uint16" if counts.dtype.kind == "u" and counts.dtype.itemsize < 3 else "float"
    if wanted not in TYPES:
        raise ValueError(f"dtype must be one of {', '.join(TYPES)}, not {wanted!r}")
    return wanted


def _blocks(counts: xr.DataArray) -> da.Array:
    """Return the counts as blocks of whole frames."""
    data = counts.data
    if isinstance(data, da.Array):
        whole = {axis: -1 for axis in (1, 2, 3) if data.numblocks[axis] != 1}
        return data.rechunk(whole) if whole else data
    one = math.prod(data.shape[1:]) * data.dtype.itemsize
    step = max(get_options().chunk_bytes // max(one, 1), 1)
    return da.from_array(np.asarray(data), chunks=(step, -1, -1, -1))


def _put_all(blocks: da.Array, target: PlaneFile) -> da.Array:
    """Return, lazily, how many frames each block has written."""
    starts = np.cumsum((0, *blocks.chunks[0][:-1]))
    first = da.from_array(starts, chunks=1)
    return da.blockwise(
        partial(_put, target=target),
        "f",
        blocks,
        "fdyx",
        first,
        "f",
        concatenate=True,
        adjust_chunks={"f": 1},
        align_arrays=False,
        dtype=np.int64,
        meta=np.empty(0, np.int64),
    )


def _put(block: Any, start: Any, target: PlaneFile) -> Any:
    return np.array([target.put(int(start[0]), np.asarray(block))], np.int64)


def _keys(counts: xr.DataArray, attrs: dict[str, Any]) -> dict[str, str]:
    detectors = (
        [str(one) for one in counts["detector"].values] if "detector" in counts.coords else []
    )
    count, height, width = counts.shape[1:]
    names = detectors or [f"channel_{number + 1}" for number in range(count)]
    masses = counts["mass"].values.tolist() if "mass" in counts.coords else [math.nan] * count
    labels = [str(one) for one in counts["label"].values] if "label" in counts.coords else names
    steps = history(attrs)
    found = mims_keys(
        labels,
        masses,
        (height, width),
        (_step(counts, "y"), _step(counts, "x")),
        attrs,
        [str(step["step"]) for step in steps],
    )
    if "n_frames" in counts.coords:
        found["mfxarray_n_frames"] = " ".join(map(str, np.ravel(counts["n_frames"].values)))
    if steps:
        found[PROVENANCE_KEY] = str(attrs["provenance"])
    return found


def _step(counts: xr.DataArray, dim: str) -> float:
    if dim not in counts.coords or counts.sizes[dim] < 2:
        return math.nan
    places = counts[dim].values
    return float(places[1] - places[0])
