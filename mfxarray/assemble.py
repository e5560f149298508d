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

from mfxarray.chunked.blocks import column_array, field_array, frame_array, record_array
from mfxarray.chunked.plan import cut_frames, cut_rows
from mfxarray.chunked.shortcuts import remember_iterations, remember_selection
from mfxarray.formats.im.im import ImFile
from mfxarray.formats.im.series import InterleavedStack
from mfxarray.formats.localizations import (
    LocalizationFile,
    extract,
    extract_masked,
    read_column,
    trace_start_near,
)
from mfxarray.formats.npy.fields import SourceField
from mfxarray.formats.sources import StackSource
from mfxarray.formats.tables import Measurement, leaf_dtype
from mfxarray.options import get_options
from mfxarray.provenance import origin
from mfxarray.schema import AXES, BEADS, ION_IMAGES, by_name

__all__ = [
    "bead_tracks",
    "dask_ion_images",
    "dask_localizations",
    "lazy_ion_images",
    "lazy_localizations",
]

Array = np.ndarray[Any, Any]

# rows looked at around each wished cut, as far as all cuts together may read
_WINDOW_ROWS = 64
_WINDOW_BYTES = 2 * 2**20
# what an array that is not chunked reads at a time
_READ_BYTES = 16 * 2**20


def dask_localizations(
    file: LocalizationFile, *, masked: bool, chunk_bytes: int | None
) -> xr.Dataset:
    """Return localizations as dask arrays.

    All fields of a block share one read of its records; where fields lie apart, each reads its own.
    """
    records, token = file.records, file.records.identity()
    rows = _row_chunks(file, chunk_bytes)
    if records.columnar:

        def column(field: SourceField) -> da.Array:
            masks = _is_masked(field, masked)
            read = partial(read_column, records, field.path, dtype=field.dtype, masked=masks)
            name = (token, field.path, str(field.dtype), masks)
            return column_array(read, name, rows, field.shape_tail, field.dtype)

        return _localizations(file, masked, rows, column)
    blocks = record_array(records.read, token, rows, records.dtype)

    def make(field: SourceField) -> da.Array:
        take = _extractor(field, masked)
        found = field_array(blocks, take, field.path, field.dtype, field.shape_tail)
        if field.dims[1:2] != ("iteration",):
            return found

        def select(number: int) -> da.Array:
            only = partial(take, iteration=number)
            return field_array(blocks, only, field.path, field.dtype, field.shape_tail[1:])

        return remember_iterations(found, select)

    return _localizations(file, masked, rows, make)


def lazy_localizations(
    file: LocalizationFile, *, masked: bool, chunk_bytes: int | None
) -> xr.Dataset:
    """Return localizations as lazy arrays that read, each for itself, what is indexed."""
    records = file.records

    def make(field: SourceField) -> Any:
        read: Callable[[int, int], Array]
        take: Callable[..., Array] = _same
        if records.columnar:
            masks = _is_masked(field, masked)
            read = partial(read_column, records, field.path, dtype=field.dtype, masked=masks)
        else:
            read = records.read
            take = partial(_extractor(field, masked), path=field.path, dtype=field.dtype)
        shape = (records.n_rows, *field.shape_tail)
        lazy = _RangeArray(read, take, shape, field.dtype, records.dtype.itemsize)
        return indexing.LazilyIndexedArray(lazy)

    return _localizations(file, masked, _row_chunks(file, chunk_bytes), make)


def bead_tracks(measurement: Measurement) -> xr.Dataset:
    """Return the beads of a data set in memory, shape (bead, sample), NaN after the last sample."""
    tracks = measurement.beads.tracks() if measurement.beads is not None else ()
    longest = max((len(track.tim) for track in tracks), default=0)
    known = by_name(BEADS)

    def padded(arrays: list[Array], tail: tuple[int, ...] = ()) -> Array:
        found = np.full((len(tracks), longest, *tail), np.nan)
        for row, values in zip(found, arrays, strict=True):
            row[: len(values)] = values
        return found

    values: dict[str, Any] = {
        "bead": np.array([track.name for track in tracks], object),
        "gri": np.array([track.gri for track in tracks], np.int64),
        "used": np.array([track.used for track in tracks], bool),
        "tim": padded([track.tim for track in tracks]),
        "position": padded([track.position for track in tracks], (len(AXES),)),
        "str": padded([track.strength for track in tracks]),
    }
    variables = {
        name: (known[name].dims, value, known[name].attrs()) for name, value in values.items()
    }
    coords: dict[str, Any] = {name: variables.pop(name) for name in ("bead", "gri", "used", "tim")}
    coords["axis"] = ("axis", np.array(AXES, object), {"long_name": "axis of space"})
    attrs = {"data_set": measurement.label, "z_scaling": 1.0}
    opened = origin("open_minflux_tree", measurement.describe(), {"beads": len(tracks)})
    return xr.Dataset(variables, coords, {**attrs, **opened})


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
            {**field.variable.attrs(), **_widened(field, file.records.dtype)},
            {"preferred_chunks": {file.row_dim: rows}},
        )
        for field in file.fields
    }
    coords: dict[str, Any] = {name: variables.pop(name) for name in ("tid", "tim")}
    if file.iterations:
        numbers = list(file.iterations)
        coords["iteration"] = ("iteration", numbers, {"long_name": "iteration number"})
    coords["axis"] = ("axis", np.array(AXES, object), {"long_name": "axis of space"})
    opened = origin("open_minflux", file.origin, {"masked": masked, **file.choices})
    return xr.Dataset(variables, coords, {**file.attrs, **opened})


def _widened(field: SourceField, record: np.dtype[Any]) -> dict[str, str]:
    """Return the type in the file, where ours is wider."""
    stored = leaf_dtype(record, field.path)[0]
    return {} if stored.newbyteorder("=") == field.dtype else {"source_dtype": stored.str}


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
        **file.coords,
    }
    known = by_name(ION_IMAGES)
    coords = {
        name: (known[name].dims, value, known[name].attrs()) for name, value in values.items()
    }
    opened = origin("open_mims", file.stack.file.describe(), file.choices)
    attrs = {**known["counts"].attrs(), **file.attrs, **opened}
    encoding = {"preferred_chunks": {"frame": frames}}
    counts = xr.Variable(known["counts"].dims, data, attrs, encoding)
    # through a Dataset, because a DataArray made from a Variable forgets its encoding
    return xr.Dataset({"counts": counts}, coords)["counts"]


def _extractor(field: SourceField, masked: bool) -> Callable[..., Array]:
    return extract_masked if _is_masked(field, masked) else extract


def _is_masked(field: SourceField, masked: bool) -> bool:
    return masked and field.variable.name == "cfr"


def _same(frames: Array) -> Array:
    return frames


def _row_chunks(file: LocalizationFile, chunk_bytes: int | None) -> tuple[int, ...]:
    records = file.records
    wished = chunk_bytes or get_options().chunk_bytes
    row_bytes = records.dtype.itemsize
    known_bounds = getattr(records, "trace_bound", None)
    if known_bounds is not None:
        return cut_rows(records.n_rows, row_bytes, wished, known_bounds)
    if records.grain > 1:
        # pieces are stored whole, so a cut within one would read it twice
        grains = max(round(wished / (records.grain * row_bytes)), 1)
        rows = grains * records.grain
        return cut_rows(records.n_rows, 1, rows, lambda row: row)
    cuts = max(records.n_rows * row_bytes // wished, 1)
    window = max(min(_WINDOW_ROWS, _WINDOW_BYTES // (cuts * row_bytes)), 2)
    return cut_rows(
        records.n_rows, row_bytes, wished, lambda row: trace_start_near(records, row, window)
    )


def _frame_chunks(
    stack: StackSource | InterleavedStack, chunk_bytes: int | None
) -> tuple[int, ...]:
    wished = chunk_bytes or get_options().chunk_bytes
    return cut_frames(stack.n_frames, _frame_bytes(stack), wished)


def _frame_bytes(stack: StackSource | InterleavedStack) -> int:
    return int(np.prod(stack.frame_shape)) * stack.dtype.itemsize


def _token(file: Any, source: Any) -> tuple[Any, ...]:
    """Return the identity of a source: path, size, time, layout; never its content."""
    layout = {name: str(value) for name, value in vars(source).items() if name != "file"}
    return (file.path, file.size, file.mtime_ns, sorted(layout.items()))
