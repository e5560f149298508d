"""Streaming writer of MAT files of version 7.3: HDF5 behind a user block of 512 bytes."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from mfxarray.formats.hdf5.hdf5 import h5py_module
from mfxarray.writers.mat_variables import MatVariable, aligned_blocks, mat_groups
from mfxarray.writers.outgoing import Outgoing
from mfxarray.writers.replacing import check_free, replacing

__all__ = ["write_mat73"]

_TEXT = b"MATLAB 7.3 MAT-file, written by mfxarray"
_USER_BLOCK = 512
# a chunk holds one column, so that the last iteration is read without the others
_CHUNK_ROWS = 16 * 1024
_LEVEL = 3


def write_mat73(
    path: str | os.PathLike[str],
    outgoing: Outgoing,
    *,
    compress: bool = True,
    overwrite: bool = False,
) -> None:
    """Write records as the variables of a MAT file of version 7.3.

    Parameters
    ----------
    path
        Target; it appears when it is complete.
    outgoing
        The records, nested or flat.
    compress
        Deflate the values, in chunks that are read for themselves.
    overwrite
        Replace a file that is there.

    Raises
    ------
    DataError
        If something is there and ``overwrite`` is off, the folder is missing, or h5py is not
        installed.
    ValueError
        If a name or type does not exist in MATLAB.

    Notes
    -----
    One pass over the blocks, and memory for 16384 records.
    """
    module = h5py_module(path)
    groups = mat_groups(outgoing)
    check_free(path, overwrite)
    with replacing(path, overwrite=overwrite) as target:
        with module.File(target, "w", userblock_size=_USER_BLOCK, libver="earliest") as file:
            made = []
            for group in groups:
                where = file if group.name is None else file.create_group(group.name)
                if group.name is not None:
                    where.attrs["MATLAB_class"] = np.bytes_("struct")
                for variable in group.variables:
                    made.append((variable, _dataset(where, variable, outgoing.n_rows, compress)))
            for first, block in aligned_blocks(outgoing, _CHUNK_ROWS):
                for variable, dataset in made:
                    _put(dataset, variable, first, block)
        target.seek(0)
        target.write(_user_block())


def _user_block() -> bytes:
    return _TEXT.ljust(116) + bytes(8) + b"\x00\x02IM" + bytes(_USER_BLOCK - 128)


def _dataset(where: Any, variable: MatVariable, n_rows: int, compress: bool) -> Any:
    if not n_rows:
        # MATLAB stores the size of an empty array in place of its values
        dataset = where.create_dataset(variable.name, data=np.array(variable.shape, "<u8"))
        dataset.attrs["MATLAB_empty"] = np.uint8(1)
    else:
        shape = tuple(reversed(variable.shape))
        settings: dict[str, Any] = {}
        if compress:
            chunk = min(_CHUNK_ROWS, n_rows)
            rows = _row_axis(variable)
            chunks = tuple(chunk if axis == rows else 1 for axis in range(len(shape)))
            settings = {"chunks": chunks, "compression": _LEVEL, "shuffle": True}
        dataset = where.create_dataset(variable.name, shape, variable.dtype, **settings)
    dataset.attrs["MATLAB_class"] = np.bytes_(variable.matlab_class)
    if variable.matlab_class == "logical":
        dataset.attrs["MATLAB_int_decode"] = np.int32(1)
    return dataset


def _row_axis(variable: MatVariable) -> int:
    # 1×N in MATLAB is (N, 1) here, N×K is (K, N)
    return 0 if variable.shape[0] == 1 and variable.n_lanes == 1 else len(variable.shape) - 1


def _put(dataset: Any, variable: MatVariable, first: int, block: np.ndarray[Any, Any]) -> None:
    rows = _row_axis(variable)
    box = [slice(None)] * len(variable.shape)
    box[rows] = slice(first, first + len(block))
    shape = list(dataset.shape)
    shape[rows] = len(block)
    dataset[tuple(box)] = variable.lanes(block).reshape(shape)
