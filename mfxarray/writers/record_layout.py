"""Columns of a table to records: the dtype of a record, and records filled from columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfxarray.formats.npy.fields import ITERATION
from mfxarray.formats.tables import Path, leaf_dtype
from mfxarray.schema import CFR_NOT_MEASURED
from mfxarray.writers.casting import cast

__all__ = ["Column", "pack", "parse_descr", "record_of"]

Array = np.ndarray[Any, Any]

# a few hundred records stay in the cache of a core while their fields are filled one by one
_BYTES_AT_ONCE = 2**19
_DEPTH_CAP = 16


@dataclass(frozen=True)
class Column:
    """One field of a record, and the shape in which its values come.

    Attributes
    ----------
    path
        Names that lead to the field, such as ("itr", "loc").
    dtype
        Type of one value in the record.
    shape
        Sizes after the rows, iterations first.
    unmask
        NaN stands for Imspector's mark of a ratio that was not measured, and becomes it again.
    """

    path: Path
    dtype: np.dtype[Any]
    shape: tuple[int, ...] = ()
    unmask: bool = False


def record_of(columns: Sequence[Column], reference: np.dtype[Any] | None = None) -> np.dtype[Any]:
    """Return the dtype of a record, packed.

    Parameters
    ----------
    columns
        Its fields.
    reference
        A record that tells their order and how compounds are repeated; fields it does not have
        come after the others.

    Raises
    ------
    ValueError
        If two columns go to the same place.
    """
    return _compound(columns, 0, reference, 0)


def _compound(
    columns: Sequence[Column], depth: int, reference: np.dtype[Any] | None, used: int
) -> np.dtype[Any]:
    known = [] if reference is None else list(reference.names or ())
    present = list(dict.fromkeys(column.path[depth] for column in columns))
    names = [name for name in known if name in present]
    fields = []
    for name in [*names, *(name for name in present if name not in known)]:
        here = [column for column in columns if column.path[depth] == name]
        inner = reference[name] if reference is not None and name in known else None
        fields.append((name, *_field(here, depth, inner, used)))
    return np.dtype(fields)


def _field(
    here: Sequence[Column], depth: int, known: np.dtype[Any] | None, used: int
) -> tuple[np.dtype[Any], tuple[int, ...]]:
    ends = [len(column.path) == depth + 1 for column in here]
    if any(ends):
        if len(here) > 1:
            name = ".".join(here[0].path[: depth + 1])
            raise ValueError(f"two variables go to the field {name}; drop one of them")
        return here[0].dtype, here[0].shape[used:]
    extent: tuple[int, ...] = () if known is None else known.shape
    if depth == 0 and here[0].path[0] == ITERATION:
        extent = here[0].shape[:1]
    base = None if known is None else known.base
    return _compound(here, depth + 1, base, used + len(extent)), extent


def pack(*values: Array, columns: Sequence[Column], dtype: np.dtype[Any]) -> Array:
    """Return records filled from columns, shape (n,).

    Parameters
    ----------
    *values
        One array a column, shape (n, *column.shape).
    columns
        Where they go.
    dtype
        Type of a record; fields without a column are 0.

    Raises
    ------
    ValueError
        If a number does not fit its field.
    """
    n_rows = len(values[0])
    packed = np.empty(n_rows, dtype) if _is_full(columns, dtype) else np.zeros(n_rows, dtype)
    ready = [_ready(v, column) for v, column in zip(values, columns, strict=True)]
    fields = [_at(packed, column.path) for column in columns]
    step = max(1, _BYTES_AT_ONCE // dtype.itemsize)
    for start in range(0, n_rows, step):
        for field, found in zip(fields, ready, strict=True):
            field[start : start + step] = found[start : start + step]
    return packed


def _ready(values: Array, column: Column) -> Array:
    """Return values that can be put into the field as they are."""
    if column.unmask:
        values = np.where(np.isnan(values), CFR_NOT_MEASURED, values)
    if values.dtype.newbyteorder("=") == column.dtype.newbyteorder("="):
        return values
    return cast(values, column.dtype, ".".join(column.path), empty=column.path[0] == ITERATION)


def _at(records: Array, path: Path) -> Array:
    for name in path:
        records = records[name]
    return records


def _is_full(columns: Sequence[Column], dtype: np.dtype[Any]) -> bool:
    """Tell whether every byte of a record comes from a column."""
    total = 0
    for column in columns:
        base, shape = leaf_dtype(dtype, column.path)
        total += base.itemsize * int(np.prod(shape, dtype=np.int64))
    return total == dtype.itemsize


def parse_descr(descr: Any) -> np.dtype[Any]:
    """Return the dtype of a record described in nested lists, as zarr format 2 describes it.

    Raises
    ------
    ValueError
        If it is no such description, or holds Python objects.
    """
    try:
        found = _described(descr, 0)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"source_dtype {str(descr)[:60]!r} is no record ({error}); remove it"
        ) from error
    if found.hasobject:
        raise ValueError("source_dtype names Python objects, which are never written")
    return found


def _described(descr: Any, depth: int) -> np.dtype[Any]:
    if not isinstance(descr, list) or not descr or depth > _DEPTH_CAP:
        raise ValueError(f"{str(descr)[:60]!r} is no list of fields")
    fields: list[Any] = []
    for entry in descr:
        if not isinstance(entry, list) or len(entry) not in (2, 3) or type(entry[0]) is not str:
            raise ValueError(f"unreadable field {str(entry)[:60]!r}")
        kind = entry[1]
        if not entry[0] and str(kind).startswith("|V"):  # a gap between aligned fields
            continue
        base = _described(kind, depth + 1) if isinstance(kind, list) else kind
        fields.append((entry[0], base, *(tuple(extent) for extent in entry[2:])))
    return np.dtype(fields)
