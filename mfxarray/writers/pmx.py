"""Streaming writer of ``.pmx`` files of version 3, as sessions of pyMINFLUX save them."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from mfxarray.formats.hdf5.hdf5 import h5py_module
from mfxarray.formats.npy.fields import ITERATION
from mfxarray.writers.mat_variables import aligned_blocks
from mfxarray.writers.outgoing import Outgoing
from mfxarray.writers.pmx_frames import Frame, Groups, flat_frame, last_frame, survey
from mfxarray.writers.replacing import replacing

__all__ = ["write_pmx"]

Array = np.ndarray[Any, Any]
_CHUNK_ROWS = 16 * 1024
_RECORD_CHUNK_BYTES = 256 * 1024
_LEVEL = 4
# what pyMINFLUX wants to find; the scaling says that z of the table for ParaView is as measured
_PARAMETERS = {
    "z_scaling_factor": np.float64(1.0),
    "min_trace_length": np.int64(1),
    "dwell_time": np.float64(1.0),
    "scale_bar_size": np.float64(500.0),
    "is_tracking": np.int8(0),
    "pool_dcr": np.int8(0),
}


def write_pmx(path: str | os.PathLike[str], outgoing: Outgoing, *, overwrite: bool = False) -> None:
    """Write records as a ``.pmx`` file of version 3.

    Parameters
    ----------
    path
        Target; it appears when it is complete.
    outgoing
        The records. Nested ones become ``raw/npy``, flat ones the matrix ``raw/df``, in metres and
        unscaled; all rows, invalid ones included.
    overwrite
        Replace a file that is there.

    Raises
    ------
    DataError
        If something is there and ``overwrite`` is off, the folder is missing, or h5py is not
        installed.
    ValueError
        If flat records have fields that are no numbers, or of an unknown shape.

    Notes
    -----
    Two passes over the blocks, and memory for 16384 records. ``paraview/dataframe`` has one row
    for each valid localization, taken from the last iteration, in nanometres, z unscaled; cfr of
    nested records is from the last iteration in which it was measured. A field ``fluo`` is added
    where there is none; all localizations are then of fluorophore 1. Of several detectors flat
    files keep the first dcr, and their localizations are numbered in ``iid`` (-1 for invalid
    records).
    """
    module = h5py_module(path)
    nested = outgoing.dtype[ITERATION].base.names is not None
    facts = survey(outgoing, _CHUNK_ROWS)
    with replacing(path, overwrite=overwrite) as target:  # noqa: SIM117
        with module.File(target, "w") as file:
            file.attrs["file_version"] = "3.0"
            file.attrs["reader_version"] = np.int64(1 if nested else 2)
            parameters = file.create_group("parameters")
            for name, value in {**_PARAMETERS, "num_fluorophores": facts.n_fluorophores}.items():
                parameters.create_dataset(name, data=value)
            if nested:
                _write_nested(file, outgoing, facts.frame)
            else:
                _write_flat(file, outgoing, facts.frame)


def _write_nested(file: Any, outgoing: Outgoing, frame: Frame) -> None:
    dtype = _with_fluo(outgoing.dtype)
    rows = max(1, min(outgoing.n_rows, _RECORD_CHUNK_BYTES // dtype.itemsize))
    settings = {"chunks": (rows,), "compression": _LEVEL} if outgoing.n_rows else {}
    raw = file.create_dataset("raw/npy", (outgoing.n_rows,), dtype, **settings)
    table = _FrameWriter(file, "paraview/dataframe", frame)
    step = max(rows, _CHUNK_ROWS // rows * rows)
    for first, block in aligned_blocks(outgoing, step):
        records = _added(block, dtype)
        raw[first : first + len(block)] = records
        table.append(*last_frame(records, first, frame))


def _write_flat(file: Any, outgoing: Outgoing, frame: Frame) -> None:
    dtype = _with_fluo(outgoing.dtype)
    matrix = flat_frame(dtype, outgoing.n_rows)
    raw = _FrameWriter(file, "raw/df", matrix)
    table = _FrameWriter(file, "paraview/dataframe", frame)
    groups = Groups()
    for first, block in aligned_blocks(outgoing, _CHUNK_ROWS):
        records = _added(block, dtype)
        numbers = groups.number(records)
        raw.append(matrix.values(records, numbers), np.arange(first, first + len(block)))
        table.append(*last_frame(records, first, frame, numbers))


def _with_fluo(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if "fluo" in (dtype.names or ()):
        return dtype
    return np.dtype([*((name, dtype[name]) for name in dtype.names or ()), ("fluo", "u1")])


def _added(block: Array, dtype: np.dtype[Any]) -> Array:
    if block.dtype == dtype:
        return block
    records = np.ones(len(block), dtype)
    for name in block.dtype.names or ():
        records[name] = block[name]
    return records


class _FrameWriter:
    """Appends to a matrix with named columns, and to the row numbers beside it."""

    def __init__(self, file: Any, place: str, frame: Frame) -> None:
        shape = (frame.n_rows, len(frame.names))
        rows = min(_CHUNK_ROWS, max(1, frame.n_rows))
        chunks = {"compression": _LEVEL} if frame.n_rows else {}
        # a column is read without the others
        matrix = {"chunks": (rows, 1), **chunks} if frame.n_rows else {}
        self._matrix = file.create_dataset(place, shape, "f8", **matrix)
        self._matrix.attrs["column_names"] = list(frame.names)
        self._matrix.attrs["column_types"] = list(frame.types)
        self._index = file.create_dataset(f"{place}_index", (frame.n_rows,), "i8", **chunks)
        self._done = 0

    def append(self, values: Array, index: Array) -> None:
        """Write the next rows of the table and their labels."""
        stop = self._done + len(values)
        self._matrix[self._done : stop] = values
        self._index[self._done : stop] = index
        self._done = stop
