"""Streaming writer of ``.npy`` record files: rows arrive in blocks, the file appears when complete.

References
----------
NumPy enhancement proposal 1: format version 1.0, data at a multiple of 64 bytes. The header has
the text and padding that Imspector's exports have.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import ExitStack
from types import TracebackType
from typing import Any

import numpy as np

from mfxarray.writers.outgoing import Outgoing
from mfxarray.writers.replacing import check_free, replacing

__all__ = ["NpyWriter", "npy_header", "write_npy", "write_records"]

_ALIGNMENT = 64
_PREFIX = b"\x93NUMPY\x01\x00"


def npy_header(dtype: np.dtype[Any], n_rows: int) -> bytes:
    """Return the header of a file of ``n_rows`` records, up to the first data byte.

    Raises
    ------
    ValueError
        If the record holds Python objects, the number of rows is negative, or the text does not
        fit into format version 1.0.
    """
    if dtype.hasobject:
        raise ValueError(f"records of Python objects cannot be written: {dtype}")
    if n_rows < 0:
        raise ValueError(f"n_rows must not be negative, not {n_rows}")
    descr = np.lib.format.dtype_to_descr(dtype)
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': ({n_rows},), }}".encode()
    padding = -(len(_PREFIX) + 2 + len(text) + 1) % _ALIGNMENT
    body = text + b" " * padding + b"\n"
    if len(body) > 65_535:
        raise ValueError(f"the header needs {len(body)} bytes, format 1.0 has room for 65535")
    return _PREFIX + len(body).to_bytes(2, "little") + body


class NpyWriter:
    """Context manager that writes blocks of records to a file beside the target, then renames it.

    Parameters
    ----------
    path
        Target; an existing file is replaced only when the new one is complete.
    dtype
        Type of one record.
    n_rows
        Rows that will be written in all.

    Raises
    ------
    DataError
        If there is no folder for the target, or a folder in its place.
    ValueError
        If a block has another type, or the rows do not add up to ``n_rows``; the target is then
        as it was before.
    """

    def __init__(self, path: str | os.PathLike[str], dtype: np.dtype[Any], n_rows: int) -> None:
        self._path = path
        self._dtype, self._n_rows, self._done = dtype, n_rows, 0
        self._header = npy_header(dtype, n_rows)
        self._open = ExitStack()

    def __enter__(self) -> NpyWriter:
        self._file = self._open.enter_context(replacing(self._path, overwrite=True))
        self._file.write(self._header)
        return self

    def write(self, rows: np.ndarray[Any, Any]) -> None:
        """Append records, shape (n,).

        Raises
        ------
        ValueError
            If they have another type or are more than announced.
        """
        if rows.dtype != self._dtype or rows.ndim != 1:
            raise ValueError(f"a list of {self._dtype} is needed, not {rows.ndim}-d {rows.dtype}")
        if self._done + rows.size > self._n_rows:
            raise ValueError(f"{self._done + rows.size} rows, only {self._n_rows} were announced")
        self._file.write(np.ascontiguousarray(rows).view(np.uint8).data)
        self._done += rows.size

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._open.__exit__(kind, error, trace)
            return
        with self._open:  # what is raised here takes the file away
            if self._done != self._n_rows:
                raise ValueError(f"{self._done} rows were written, {self._n_rows} were announced")


def write_records(
    path: str | os.PathLike[str],
    blocks: Iterable[np.ndarray[Any, Any]],
    dtype: np.dtype[Any],
    n_rows: int,
) -> None:
    """Write blocks of records to an ``.npy`` file in one pass.

    Parameters
    ----------
    path
        Target; an existing file is replaced.
    blocks
        Arrays of ``dtype``, shape (n,) each.
    dtype
        Type of one record.
    n_rows
        Sum of all n.

    Raises
    ------
    DataError, ValueError
        As for `NpyWriter`.
    """
    with NpyWriter(path, dtype, n_rows) as writer:
        for rows in blocks:
            writer.write(rows)


def write_npy(path: str | os.PathLike[str], outgoing: Outgoing, *, overwrite: bool = False) -> None:
    """Write a data set as an ``.npy`` file of nested or flat records, as Imspector exports them.

    Parameters
    ----------
    path
        Target.
    outgoing
        The data set. Its label, attributes, regions and beads have no place in this format.
    overwrite
        Replace a file that is there, once the new one is complete.

    Raises
    ------
    DataError
        If the target exists and ``overwrite`` is off, or has no folder.
    ValueError
        As for `NpyWriter`.

    Notes
    -----
    One pass over the blocks; a block at a time in memory.
    """
    target = check_free(path, overwrite)
    write_records(target, outgoing.blocks(), outgoing.dtype, outgoing.n_rows)
