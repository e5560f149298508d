"""Opened files to labelled Datasets, with arrays of dask or with xarray's own lazy arrays."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from mfxarray.chunked.blocks import field_array, frame_array, record_array
from mfxarray.chunked.plan import cut_frames, cut_rows
from mfxarray.chunked.shortcuts import remember_selection
from mfxarray.formats.im import ImFile
from mfxarray.formats.npy import (
    LocalizationFile,
    SourceField,
    extract,
    sentinel_to_nan,
    trace_start_near,
)
from mfxarray.formats.sources import RecordSource, StackSource
from mfxarray.options import get_options
from mfxarray.provenance import origin
from mfxarray.schema import AXES, ION_IMAGES, by_name

__all__ = ["dask_ion_images", "dask_localizations", "lazy_ion_images", "lazy_localizations"]

Array = np.ndarray[Any, Any]

# rows looked at around each wished cut, as far as all cuts together may read
_WINDOW_ROWS = 64
_WINDOW_BYTES = 2 * 2**20
# what an array that is not chunked reads at a time
_READ_BYTES = 16 * 2**20


def dask_localizations(
    file: LocalizationFile, *, masked: bool, chunk_bytes: int | None
) -> xr.Dataset:
    """Return localizations as dask arrays; all fields of a block share one read of its records."""
    records = file.records
    rows = _row_chunks(file, chunk_bytes)
    blocks = record_array(records.read, _token(records.file, records), rows, records.dtype)

    def make(field: SourceField) -> da.Array:
        take = _extractor(field, masked)
        return field_array(blocks, take, field.path, field.dtype, field.shape_tail)

    return _localizations(file, masked, rows, make)


def lazy_localizations(
    file: LocalizationFile, *, masked: bool, chunk_bytes: int | None
) -> xr.Dataset:
    """Return localizations as lazy arrays that read, each for itself, what is indexed."""

    def make(field: SourceField) -> Any:
        take = partial(_extractor(field, masked), path=field.path, dtype=field.dtype)
        shape = (file.records.n_rows, *field.shape_tail)
        row_bytes = file.records.dtype.itemsize
        lazy = _RangeArray(file.records.read, take, shape, field.dtype, row_bytes)
        return indexing.LazilyIndexedArray(lazy)

    return _localizations(file, masked, _row_chunks(file, chunk_bytes), make)


def dask_ion_images(file: ImFile, *, chunk_bytes: int | None) -> xr.DataArray:
    """Return ion counts as a dask array of whole frames."""
    stack = file.stack
    frames = _frame_chunks(stack, chunk_bytes)
    native = stack.dtype.newbyteorder("=")
    token = _token(stack.file, stack)
    data = frame_array(stack.read, token, frames, stack.frame_shape, native)

    def select(numbers: tuple[int, ...]) -> da.Array:
        read = partial(stack.read, detectors=numbers)
        shape = (len(numbers), *stack.frame_shape[1:])
        return frame_array(read, (token, numbers), frames, shape, native)

    return _ion_images(file, frames, remember_selection(data, select))


def lazy_ion_images(file: ImFile, *, chunk_bytes: int | None) -> xr.DataArray:
    """Return ion counts as a lazy array that reads the frames that are indexed."""
    stack = file.stack
    native = stack.dtype.newbyteorder("=")
    shape = (stack.n_frames, *stack.frame_shape)
    lazy = _RangeArray(stack.read, _same, shape, native, _frame_bytes(stack))
    return _ion_images(file, _frame_chunks(stack, chunk_bytes), indexing.LazilyIndexedArray(lazy))


class _RangeArray(BackendArray):
    """An array over a source that reads ranges of rows or frames, a bounded piece at a time."""

    def __init__(
        self,
        read: Callable[[int, int], Array],
        take: Callable[[Array], Array],
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        row_bytes: int,
    ) -> None:
        self.shape, self.dtype = shape, dtype
        self._read, self._take = read, take
        self._step = max(_READ_BYTES // max(row_bytes, 1), 1)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        support = indexing.IndexingSupport.BASIC
        return indexing.explicit_indexing_adapter(key, self.shape, support, self._get)

    def _get(self, key: tuple[int | slice, ...]) -> Any:
        first, rest = key[0], key[1:]
        if isinstance(first, int | np.integer):
            row = int(first) % self.shape[0]
            return self._take(self._read(row, row + 1))[(0, *rest)]
        wanted = range(*first.indices(self.shape[0]))
        if not wanted:
            return self._take(self._read(0, 0))[(slice(0, 0), *rest)]
        low, high = min(wanted[0], wanted[-1]), max(wanted[0], wanted[-1]) + 1
        parts = [
            self._take(self._read(start, min(start + self._step, high)))[(slice(None), *rest)]
            for start in range(low, high, self._step)
        ]
        whole = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return whole[:: wanted.step] if wanted.step > 0 else whole[::-1][:: -wanted.step]


def _localizations(
    file: LocalizationFile,
    masked: bool,
    rows: tuple[int, ...],
    make: Callable[[SourceField], Any],
) -> xr.Dataset:
    variables = {
        field.variable.name: xr.Variable(
            field.dims,
            make(field),
            field.variable.attrs(),
            {"preferred_chunks": {"localization": rows}},
        )
        for field in file.fields
    }
    coords: dict[str, Any] = {name: variables.pop(name) for name in ("tid", "tim")}
    coords["iteration"] = ("iteration", list(file.iterations), {"long_name": "iteration number"})
    coords["axis"] = ("axis", np.array(AXES, object), {"long_name": "axis of space"})
    opened = origin("open_minflux", file.records.file.describe(), {"masked": masked})
    return xr.Dataset(variables, coords, {**file.attrs, **opened})


def _ion_images(file: ImFile, frames: tuple[int, ...], data: Any) -> xr.DataArray:
    _, height, width = file.stack.frame_shape
    values = {
        "frame": np.arange(file.stack.n_frames),
        "detector": np.array([detector.name for detector in file.detectors], object),
        "label": np.array([detector.label for detector in file.detectors], object),
        "mass": np.array([detector.mass for detector in file.detectors]),
        "trolley": np.array([detector.trolley for detector in file.detectors]),
        "y": (np.arange(height) + 0.5) * file.pixel_size_um[0],
        "x": (np.arange(width) + 0.5) * file.pixel_size_um[1],
    }
    known = by_name(ION_IMAGES)
    coords = {
        name: (known[name].dims, value, known[name].attrs()) for name, value in values.items()
    }
    opened = origin("open_mims", file.stack.file.describe(), {"roll": file.stack.roll})
    attrs = {**known["counts"].attrs(), **file.attrs, **opened}
    encoding = {"preferred_chunks": {"frame": frames}}
    counts = xr.Variable(known["counts"].dims, data, attrs, encoding)
    # through a Dataset, because a DataArray made from a Variable forgets its encoding
    return xr.Dataset({"counts": counts}, coords)["counts"]


def _extractor(field: SourceField, masked: bool) -> Callable[..., Array]:
    return _extract_masked if masked and field.variable.name == "cfr" else extract


def _extract_masked(rows: Array, path: tuple[str, ...], dtype: np.dtype[Any]) -> Array:
    return sentinel_to_nan(extract(rows, path, dtype))


def _same(frames: Array) -> Array:
    return frames


def _row_chunks(file: LocalizationFile, chunk_bytes: int | None) -> tuple[int, ...]:
    records: RecordSource = file.records
    wished = chunk_bytes or get_options().chunk_bytes
    row_bytes = records.dtype.itemsize
    cuts = max(records.n_rows * row_bytes // wished, 1)
    window = max(min(_WINDOW_ROWS, _WINDOW_BYTES // (cuts * row_bytes)), 2)
    return cut_rows(
        records.n_rows, row_bytes, wished, lambda row: trace_start_near(records, row, window)
    )


def _frame_chunks(stack: StackSource, chunk_bytes: int | None) -> tuple[int, ...]:
    wished = chunk_bytes or get_options().chunk_bytes
    return cut_frames(stack.n_frames, _frame_bytes(stack), wished)


def _frame_bytes(stack: StackSource) -> int:
    return int(np.prod(stack.frame_shape)) * stack.dtype.itemsize


def _token(file: Any, source: Any) -> tuple[Any, ...]:
    """Return the identity of a source: path, size, time, layout; never its content."""
    layout = {name: str(value) for name, value in vars(source).items() if name != "file"}
    return (file.path, file.size, file.mtime_ns, sorted(layout.items()))
