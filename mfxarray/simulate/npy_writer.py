"""Streaming writer of ``.npy`` record files: rows arrive in blocks, the file appears when complete.

References
----------
NumPy enhancement proposal 1: format version 1.0, data at a multiple of 64 bytes. The header has
the text and padding that Imspector's exports have.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable
from types import TracebackType
from typing import Any

import numpy as np

__all__ = ["NpyWriter", "npy_header", "write_records"]

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
    ValueError
        If a block has another type, or the rows do not add up to ``n_rows``; the target is then
        as it was before.
    """

    def __init__(self, path: str | os.PathLike[str], dtype: np.dtype[Any], n_rows: int) -> None:
        self._target = os.path.abspath(os.fspath(path))
        folder, name = os.path.split(self._target)
        self._temporary = os.path.join(folder, f".{name}.{uuid.uuid4().hex}.tmp")
        self._dtype, self._n_rows, self._done = dtype, n_rows, 0
        self._header = npy_header(dtype, n_rows)

    def __enter__(self) -> NpyWriter:
        # unbuffered: blocks are large, and a second copy of them would cost time
        self._file = open(self._temporary, "xb", buffering=0)
        self._write(self._header)
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
        self._write(np.ascontiguousarray(rows).view(np.uint8).data)
        self._done += rows.size

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._check_complete()
                os.fsync(self._file.fileno())
                self._file.close()
                os.replace(self._temporary, self._target)
        finally:
            self._file.close()
            if os.path.exists(self._temporary):
                os.unlink(self._temporary)

    def _check_complete(self) -> None:
        if self._done != self._n_rows:
            raise ValueError(f"{self._done} rows were written, {self._n_rows} were announced")

    def _write(self, data: bytes | memoryview) -> None:
        rest = memoryview(data)
        while rest.nbytes:  # a raw file may take less than it is given
            rest = rest[self._file.write(rest) :]


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
        Target.
    blocks
        Arrays of ``dtype``, shape (n,) each.
    dtype
        Type of one record.
    n_rows
        Sum of all n.

    Raises
    ------
    ValueError
        As for `NpyWriter`.
    """
    with NpyWriter(path, dtype, n_rows) as writer:
        for rows in blocks:
            writer.write(rows)
