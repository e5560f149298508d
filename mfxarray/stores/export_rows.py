"""What exports of localizations and of traces have in common: rows, columns, names of washes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.blocks import as_dask, whole
from mfxarray.minflux.rows import dask_rows, last_iteration_of, used_rows
from mfxarray.options import get_options

__all__ = [
    "Field",
    "best_position",
    "check_numbers",
    "cut_alike",
    "first_time",
    "has_washes",
    "kept_rows",
    "row_dim_of",
    "safe_text",
    "wash_labels",
    "wash_numbers",
]

Array = np.ndarray[Any, Any]

# from the most to the least corrected
_POSITIONS = ("position_registered", "position_drift_corrected", "position")
_LONGEST = 120
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


@dataclass(frozen=True)
class Field:
    """One variable of an export.

    Attributes
    ----------
    names
        Names of its columns.
    data
        Shape (row,) or (row, ...) with as many values a row as there are names.
    texts
        If given, ``data`` are numbers of these texts.
    """

    names: tuple[str, ...]
    data: da.Array
    texts: tuple[str, ...] | None = None

    def scaled(self, factor: float) -> Field:
        """Return the field in another unit."""
        return self if factor == 1.0 else replace(self, data=self.data * factor)


def row_dim_of(ds: xr.Dataset) -> str:
    """Return "localization" or "trace".

    Raises
    ------
    ValueError
        If the Dataset is neither a table of localizations nor one of traces.
    """
    for dim in ("localization", "trace"):
        if dim in ds.dims:
            return dim
    found = ", ".join(map(str, ds.dims)) or "none"
    raise ValueError(
        f"localizations or a table of traces are needed, this Dataset has the dimensions {found}"
    )


def has_washes(ds: xr.Dataset) -> bool:
    """Tell whether rows are numbered by wash."""
    return "wash" in ds.variables and ds["wash"].dims == (row_dim_of(ds),)


def wash_labels(ds: xr.Dataset) -> tuple[str, ...]:
    """Return the label of every wash, each its own; that of the data set where there is one wash.

    Raises
    ------
    ValueError
        If washes are numbered below 0.

    Notes
    -----
    Lazy where ``attrs["washes"]`` holds the labels; otherwise the numbers are read.
    """
    if not has_washes(ds):
        return (safe_text(str(ds.attrs.get("data_set", "P1"))),)
    told = ds.attrs.get("washes")
    if isinstance(told, list | tuple) and told:
        return _unique([safe_text(str(label)) for label in told])
    if isinstance(told, str):
        return (safe_text(told),)
    numbers = as_dask(ds["wash"].data)
    if not numbers.size:
        return ("wash 0",)
    low, high = (int(end) for end in da.compute(numbers.min(), numbers.max()))
    if low < 0:
        raise ValueError(f"washes are numbered from 0, not from {low}")
    return tuple(f"wash {number}" for number in range(high + 1))


def _unique(labels: Sequence[str]) -> tuple[str, ...]:
    found: list[str] = []
    for label in labels:
        name, number = label, 2
        while name in found:
            name, number = f"{label}_{number}", number + 1
        found.append(name)
    return tuple(found)


def safe_text(text: str) -> str:
    """Return text without control characters, at most 120 letters, that is no formula.

    Notes
    -----
    Spreadsheets compute cells that begin with = + - or @; such text gets an apostrophe in front,
    which they take for a mark of text.
    """
    plain = _CONTROL.sub("_", text)[:_LONGEST]
    return f"'{plain}" if plain.lstrip().startswith(("=", "+", "-", "@")) else plain


def best_position(ds: xr.Dataset, name: str | None = None) -> str:
    """Return the name of the positions to export: those wanted, else the most corrected ones.

    Raises
    ------
    ValueError
        If there is no such variable, or it holds no positions.
    """
    wanted = (
        next((p for p in _POSITIONS if p in ds.variables), "position") if name is None else name
    )
    if wanted not in ds.variables or "axis" not in ds[wanted].dims:
        raise ValueError(f"there are no positions called {wanted!r}")
    return wanted


def kept_rows(ds: xr.Dataset, position: da.Array) -> da.Array:
    """Return which rows are written: those that count and whose position is known.

    Parameters
    ----------
    ds
        Localizations, of which those count that are valid and passed all filters; or traces, of
        which those count that passed all filters.
    position
        What is written, shape (row, axis).
    """
    known = da.isfinite(position).all(axis=1)
    if row_dim_of(ds) == "localization":
        return used_rows(ds).rechunk(known.chunks) & known
    if "selected" not in ds.variables:
        return known
    return as_dask(ds["selected"].data).rechunk(known.chunks) & known


def wash_numbers(ds: xr.Dataset, like: da.Array) -> da.Array:
    """Return the number of the wash of every row, from 0, int32."""
    if has_washes(ds):
        return as_dask(ds["wash"].data).astype(np.int32).rechunk(like.chunks[:1])
    return da.zeros(like.shape[:1], chunks=like.chunks[:1], dtype=np.int32)


def check_numbers(numbers: Array, n_labels: int) -> None:
    """Refuse numbers of washes that have no label."""
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < n_labels:
        odd = numbers.max() if numbers.max() >= n_labels else numbers.min()
        raise ValueError(
            f"there is a wash {odd}, and attrs['washes'] has labels for 0 to {n_labels - 1}"
        )


def first_time(ds: xr.Dataset) -> float:
    """Return ``tim`` of the first localization that counts; reads as far as that, 0 for none."""
    used = used_rows(ds)
    tim = dask_rows(last_iteration_of(ds, "tim"), used)
    for block in range(used.numblocks[0]):
        counts, times = da.compute(used.blocks[block], tim.blocks[block])
        if counts.any():
            return float(times[counts.argmax()])
    return 0.0


def cut_alike(arrays: Sequence[da.Array]) -> list[da.Array]:
    """Return arrays of the same rows in the same blocks of rows, whole along their other axes.

    Raises
    ------
    ValueError
        If the sizes of the blocks are unknown.
    """
    lengths = arrays[0].chunks[0]
    if any(size != size for size in lengths):
        raise ValueError("the row blocks have unknown sizes; call compute_chunk_sizes() first")
    row_bytes = sum(array.dtype.itemsize * int(np.prod(array.shape[1:])) for array in arrays)
    most = max(1, get_options().chunk_bytes // max(1, row_bytes))
    if len(lengths) == 1 and lengths[0] > most:
        # data in memory come as one block; their text would be several times as large
        lengths = da.core.normalize_chunks((most,), arrays[0].shape[:1])[0]
    return [
        da.rechunk(whole(array, range(1, array.ndim)), {0: lengths}, method="tasks")
        for array in arrays
    ]
