"""MINFLUX localizations in ``.npy`` files: Imspector's nested export, one record a localization."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfxarray.formats.npy_fields import (
    ITERATION,
    SourceField,
    check_layout,
    fields_of,
    record_dtype,
)
from mfxarray.formats.npy_header import read_header
from mfxarray.formats.sources import FileSource, RecordSource
from mfxarray.schema import CFR_NOT_MEASURED

__all__ = [
    "LocalizationFile",
    "SourceField",
    "extract",
    "open_npy",
    "record_dtype",
    "sentinel_to_nan",
    "trace_start_near",
]

# Imspector fills these with zeros when it exports the last iteration only
_ZERO_IN_AGGREGATES = ("tic", "lnc", "ext", "fbg")
_SAMPLE_BYTES = 2**19
_HEAD_ROWS = 512
_WINDOWS = 64


@dataclass(frozen=True)
class LocalizationFile:
    """An opened file of localizations; it holds no handle and travels to any worker.

    Attributes
    ----------
    records
        The table of records.
    fields
        All fields in the order of the file.
    iterations
        Iteration numbers, one for each step along the dimension "iteration".
    cfr_iteration
        Index of the iteration whose cfr tells about the emitter, None where none was measured.
    attrs
        JSON-able facts about the file.
    """

    records: RecordSource
    fields: tuple[SourceField, ...]
    iterations: tuple[int, ...]
    cfr_iteration: int | None
    attrs: dict[str, Any]


def open_npy(path: str | os.PathLike[str]) -> LocalizationFile:
    """Return the layout of a nested MINFLUX ``.npy`` file.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    LocalizationFile
        Records and fields; the data stay on disk.

    Raises
    ------
    DataError
        If the file is damaged, truncated, no MINFLUX export, or of the newer flat layout.

    Notes
    -----
    Reads the header and about 1 MB of records, however large the file is.
    """
    source = FileSource.open(path)
    header = read_header(source)
    n_iterations = check_layout(source, header.dtype)
    records = RecordSource(source, header.offset, header.dtype, header.n_rows)
    sample = _sample(records)
    iterations = _iteration_numbers(sample, n_iterations)
    cfr_iteration = _cfr_iteration(sample)
    aggregated = _is_aggregated(sample, n_iterations)
    fields = tuple(
        field
        for field in fields_of(header.dtype)
        if not (aggregated and field.path == (ITERATION, "lnc"))
    )
    attrs = {
        "source_file": os.path.basename(source.path),
        "format": "npy",
        "format_version": "v1 nested",
        "vendor": "Abberior Imspector",
        "n_iterations": n_iterations,
        "iterations": list(iterations),
        "cfr_iteration": cfr_iteration,
        "aggregated": aggregated,
    }
    return LocalizationFile(records, fields, iterations, cfr_iteration, attrs)


def extract(
    rows: np.ndarray[Any, Any], path: tuple[str, ...], dtype: np.dtype[Any]
) -> np.ndarray[Any, Any]:
    """Return one field of a block of records as a contiguous array, shape (n, ...).

    Parameters
    ----------
    rows
        Records, shape (n,).
    path
        Names that lead to the field.
    dtype
        Type of the result, as a rule the native type of the field.
    """
    field: np.ndarray[Any, Any] = rows
    for name in path:
        field = field[name]
    return np.array(field, dtype=dtype, order="C")


def trace_start_near(records: RecordSource, row: int, window: int) -> int:
    """Return the first row from ``row`` on at which a trace begins, ``row`` where none is near.

    Parameters
    ----------
    records
        The table.
    row
        Wished row; up to 0 gives 0, from the end on gives the number of rows.
    window
        How many rows to look at.

    Notes
    -----
    One read of at most ``window`` + 1 records.
    """
    if row <= 0:
        return 0
    if row >= records.n_rows:
        return records.n_rows
    tid = records.read(row - 1, min(row + max(window, 0), records.n_rows))["tid"]
    begins = np.flatnonzero(tid[1:] != tid[:-1])
    return row + int(begins[0]) if begins.size else row


def sentinel_to_nan(cfr: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return a copy with NaN in place of exactly -1/32768, Imspector's "not measured"."""
    values = np.array(cfr, dtype=np.result_type(cfr, np.float16))
    values[values == CFR_NOT_MEASURED] = np.nan
    return values


def _sample(records: RecordSource) -> np.ndarray[Any, Any]:
    """Return rows from the start and from evenly spaced places, the same whatever the chunks."""
    affordable = max(1, _SAMPLE_BYTES // records.dtype.itemsize)
    if records.n_rows <= 2 * affordable:
        return records.read(0, records.n_rows)
    parts = [records.read(0, min(_HEAD_ROWS, affordable))]
    windows = min(_WINDOWS, affordable)
    length = affordable // windows
    for start in np.linspace(0, records.n_rows - length, windows).astype(np.int64).tolist():
        parts.append(records.read(start, start + length))
    return np.concatenate(parts)


def _iteration_numbers(sample: np.ndarray[Any, Any], n_iterations: int) -> tuple[int, ...]:
    counted = tuple(range(n_iterations))
    nested = sample[ITERATION]
    if not sample.size or ITERATION not in (nested.dtype.names or ()):
        return counted
    numbers = nested[ITERATION][0]
    if numbers.dtype.kind not in "iu" or numbers.ndim != 1:
        return counted
    stored = tuple(int(number) for number in numbers)
    return stored if min(stored) >= 0 and len(set(stored)) == n_iterations else counted


def _cfr_iteration(sample: np.ndarray[Any, Any]) -> int | None:
    nested = sample[ITERATION]
    if not sample.size or "cfr" not in (nested.dtype.names or ()):
        return None
    cfr = nested["cfr"]
    if cfr.dtype.kind != "f" or cfr.ndim != 2:
        return None
    for iteration in reversed(range(cfr.shape[1])):
        column = cfr[:, iteration]
        column = column[np.isfinite(column)]
        if column.size and column.min() != column.max():
            return iteration
    return None


def _is_aggregated(sample: np.ndarray[Any, Any], n_iterations: int) -> bool:
    nested = sample[ITERATION]
    present = [name for name in _ZERO_IN_AGGREGATES if name in (nested.dtype.names or ())]
    if n_iterations != 1 or not sample.size or not present:
        return False
    return not any(np.any(nested[name]) for name in present)
