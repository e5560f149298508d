"""MINFLUX records as JSON text, the way Python's json writes lists of objects."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from mfxarray.writers.outgoing import Outgoing
from mfxarray.writers.replacing import replacing

__all__ = ["write_json"]

# Python objects of a block take some twenty times the bytes of the records
_BLOCK_BYTES = 2**20


def write_json(
    path: str | os.PathLike[str],
    outgoing: Outgoing,
    *,
    wrap: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write records as a list of objects; the file appears when it is complete.

    Parameters
    ----------
    path
        The file.
    outgoing
        The data set; only its records are written.
    wrap
        Key of an object around the list, such as ``"mfx"``; none if not given.
    overwrite
        Whether a file of that name is replaced.

    Raises
    ------
    DataError
        If the target exists, or its folder does not.
    ValueError
        If a field is no number, truth value or compound of these.

    Notes
    -----
    The text is that of ``json.dump``: shortest digits that give the same double, tokens ``NaN`` and
    ``Infinity``. Numbers of 16 and 32 bits are written as the doubles that they are. About 25 MB/s,
    in bounded memory.
    """
    _check_dtype(outgoing.dtype)
    with replacing(path, overwrite=overwrite) as file:
        file.write(b"[" if wrap is None else b"{" + json.dumps(wrap).encode() + b": [")
        first = True
        step = max(1, _BLOCK_BYTES // max(outgoing.dtype.itemsize, 1))
        for block in outgoing.blocks():
            for start in range(0, len(block), step):
                text = json.dumps(_objects(block[start : start + step]))[1:-1]
                file.write((text if first else ", " + text).encode())
                first = False
        file.write(b"]" if wrap is None else b"]}")


def _check_dtype(dtype: np.dtype[Any]) -> None:
    for name in dtype.names or ():
        base = dtype[name].base
        if base.names is not None:
            _check_dtype(base)
        elif base.kind not in "?biuf" or base.itemsize > 8:
            raise ValueError(f"field {name} of type {base} has no form in JSON; leave it out")


def _objects(rows: np.ndarray[Any, Any]) -> list[Any]:
    """Return an object for each record, lists of them where a field has several."""
    names = rows.dtype.names or ()
    columns = [_column(rows[name]) for name in names]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _column(values: np.ndarray[Any, Any]) -> list[Any]:
    if values.dtype.names is None:
        return list(values.tolist())
    flat: list[Any] = _objects(values.reshape(-1))
    for size in reversed(values.shape[1:]):
        flat = [flat[start : start + size] for start in range(0, len(flat), size)]
    return flat
