"""The variables of a MATLAB file that hold the records of a data set."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfxarray.formats.npy.fields import ITERATION
from mfxarray.formats.tables import Path, leaf_dtype
from mfxarray.writers.outgoing import Outgoing

__all__ = ["Group", "MatVariable", "aligned_blocks", "check_name", "mat_groups"]

Array = np.ndarray[Any, Any]
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,30}")
_CLASSES = {"f8": "double", "f4": "single", "b1": "logical"}
_CLASSES |= {
    f"{kind}{size}": f"{'u' * (kind == 'u')}int{8 * size}" for kind in "iu" for size in (1, 2, 4, 8)
}


@dataclass(frozen=True)
class MatVariable:
    """One variable: a field of the records, column by column.

    Attributes
    ----------
    name
        Name in MATLAB.
    path
        Names that lead to the field in a record.
    shape
        Shape in MATLAB.
    dtype
        Type of the values in the file, little-endian; uint8 for logical.
    matlab_class
        "double", "logical", "int32" and so on.
    n_lanes
        Number of columns of N values.
    """

    name: str
    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    matlab_class: str
    n_lanes: int

    @property
    def n_bytes(self) -> int:
        """Bytes of the values."""
        return math.prod(self.shape) * self.dtype.itemsize

    def lanes(self, rows: Array) -> Array:
        """Return the values of a block of records, shape (n_lanes, n), contiguous."""
        values = rows
        for name in self.path:
            values = values[name]
        lanes = np.moveaxis(values, 0, -1)
        # the first axis after the rows runs fastest among the lanes
        order = (*reversed(range(lanes.ndim - 1)), lanes.ndim - 1)
        found = np.ascontiguousarray(lanes.transpose(order), self.dtype)
        return found.reshape(self.n_lanes, len(rows))


@dataclass(frozen=True)
class Group:
    """Variables that stand together: at the top level (name None), or as fields of a struct."""

    name: str | None
    variables: tuple[MatVariable, ...]


def mat_groups(outgoing: Outgoing) -> tuple[Group, ...]:
    """Return the variables as Imspector names and shapes them.

    Returns
    -------
    tuple of Group
        The fields of a record at the top level, then for nested records the struct ``itr``.

    Raises
    ------
    ValueError
        If a field has a name or a type that MATLAB does not have.

    Notes
    -----
    Vectors are 1×N. With a single iteration its axis is left out, as Imspector does. MATLAB has no
    float16, such fields become double.
    """
    dtype, top, inner = outgoing.dtype, [], []
    for name in dtype.names or ():
        field = dtype[name]
        if field.base.names is None:
            top.append(_variable(outgoing, (name,), field.shape))
        elif name == ITERATION and len(field.shape) == 1:
            for part in field.base.names:
                shape = (*field.shape, *field.base[part].shape)
                shape = shape[1:] if shape[0] == 1 else shape
                inner.append(_variable(outgoing, (name, part), shape))
        else:
            raise ValueError(f"field {name} is a compound, which no MATLAB file has; drop it")
    return (Group(None, tuple(top)), *([Group(ITERATION, tuple(inner))] if inner else []))


def check_name(name: str) -> str:
    """Return a name, or raise ValueError if MATLAB would not accept it."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a MATLAB variable; rename it")
    return name


def _variable(outgoing: Outgoing, path: Path, tail: tuple[int, ...]) -> MatVariable:
    scalar = leaf_dtype(outgoing.dtype, path)[0]
    if scalar == np.float16:
        scalar = np.dtype("f8")
    code = scalar.str[1:]
    if code not in _CLASSES:
        raise ValueError(f"field {'.'.join(path)} of type {scalar} has no MATLAB class; drop it")
    stored = np.dtype("u1") if code == "b1" else scalar.newbyteorder("<")
    shape = (outgoing.n_rows, *tail) if tail else (1, outgoing.n_rows)
    return MatVariable(check_name(path[-1]), path, shape, stored, _CLASSES[code], math.prod(tail))


def aligned_blocks(outgoing: Outgoing, rows: int) -> Iterator[tuple[int, Array]]:
    """Yield (first row, block) with blocks of exactly ``rows`` rows, the last one as it comes.

    Raises
    ------
    ValueError
        If the blocks have another dtype, or their rows do not add up to ``n_rows``.
    """
    buffer = np.empty(min(rows, outgoing.n_rows), outgoing.dtype)
    first = filled = 0
    for block in outgoing.blocks():
        if block.dtype != outgoing.dtype:
            raise ValueError(f"a block has the type {block.dtype}, not {outgoing.dtype}")
        if first + filled + len(block) > outgoing.n_rows:
            raise ValueError(f"the blocks have more than the {outgoing.n_rows} rows announced")
        done = 0
        while done < len(block):
            count = min(len(buffer) - filled, len(block) - done)
            buffer[filled : filled + count] = block[done : done + count]
            filled, done = filled + count, done + count
            if filled == len(buffer):
                yield first, buffer
                first, filled = first + filled, 0
    if filled:
        yield first, buffer[:filled]
    if first + filled != outgoing.n_rows:
        raise ValueError(f"the blocks have {first + filled} rows, {outgoing.n_rows} announced")
