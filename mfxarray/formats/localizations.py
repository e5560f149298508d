"""The labelled view of a table of records: which variable each field is, and facts of the file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mfxarray.formats.npy.fields import ITERATION, SourceField, check_layout, fields_of
from mfxarray.formats.row_facts import RowFacts, look_at
from mfxarray.formats.sequence import dump_sequences, sequences_of
from mfxarray.formats.tables import Measurement, Table
from mfxarray.schema import CFR_NOT_MEASURED

__all__ = [
    "LocalizationFile",
    "descr_of",
    "describe",
    "extract",
    "extract_masked",
    "model_of",
    "read_column",
    "sentinel_to_nan",
    "trace_start_near",
]


@dataclass(frozen=True)
class LocalizationFile:
    """An opened data set of localizations; it holds no handle and travels to any worker.

    Attributes
    ----------
    records
        The table of records.
    origin
        Name, size and fingerprint of the file, for the history.
    fields
        All fields in the order of the file.
    iterations
        Iteration numbers, one for each step along the dimension "iteration"; () in a flat view.
    cfr_iteration
        Index of the iteration whose cfr tells about the emitter, None where none was measured.
    attrs
        JSON-able facts about the file.
    choices
        What the user chose when the data set was opened, for its history.
    """

    records: Table
    origin: dict[str, Any]
    fields: tuple[SourceField, ...]
    iterations: tuple[int, ...]
    cfr_iteration: int | None
    attrs: dict[str, Any]
    choices: dict[str, Any] = field(default_factory=dict)

    @property
    def row_dim(self) -> str:
        """Return the name of the dimension of the rows: "localization", "record" if flat."""
        return self.fields[0].dims[0]


def describe(
    measurement: Measurement,
    records: Table,
    *,
    stored: np.dtype[Any] | None = None,
    facts: RowFacts | None = None,
) -> LocalizationFile:
    """Return the fields and facts of a data set.

    Parameters
    ----------
    measurement
        What the container says.
    records
        The rows to describe: those of the container, their columnar cache, or the localizations
        that flat records were regrouped into.
    stored
        Dtype of the records in the file, where it is not that of ``records``.
    facts
        What the values tell, where that is known; looked for in some rows if not.

    Raises
    ------
    DataError
        If a field that every record needs is missing or has an unexpected type.

    Notes
    -----
    Reads about 1 MB of records, however large the file is; none if ``facts`` are given.
    """
    stored = records.dtype if stored is None else stored
    n_iterations = check_layout(measurement.source, records.dtype)
    if facts is None:
        facts = look_at(records, measurement.source)
    fields = tuple(
        known
        for known in fields_of(records.dtype)
        if not (facts.aggregated and known.path == (ITERATION, "lnc"))
    )
    attrs: dict[str, Any] = {
        "source_file": measurement.name,
        "format": measurement.container,
        "format_version": model_of(stored),
        "vendor": "Abberior Imspector",
        "data_set": measurement.label,
    }
    if n_iterations is not None:
        attrs |= {
            "n_iterations": n_iterations,
            "iterations": list(facts.iterations),
            "cfr_iteration": facts.cfr_iteration,
            "aggregated": facts.aggregated,
        }
    attrs |= {"bead_corrected": facts.bead_corrected, "z_scaling": 1.0}
    attrs |= _container_attrs(measurement)
    attrs["source_dtype"] = json.dumps(descr_of(stored))
    origin = measurement.describe()
    numbers, measured = facts.iterations, facts.cfr_iteration
    return LocalizationFile(records, origin, fields, numbers, measured, attrs)


def extract(
    rows: np.ndarray[Any, Any],
    path: tuple[str, ...],
    dtype: np.dtype[Any],
    iteration: int | None = None,
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
    iteration
        The only iteration wanted, of a field that has several; all if None.
    """
    field: np.ndarray[Any, Any] = rows
    for name in path:
        field = field[name]
    chosen = field if iteration is None else field[:, iteration]
    return np.array(chosen, dtype=dtype, order="C")


def extract_masked(
    rows: np.ndarray[Any, Any],
    path: tuple[str, ...],
    dtype: np.dtype[Any],
    iteration: int | None = None,
) -> np.ndarray[Any, Any]:
    """Return what `extract` does, with NaN where Imspector says "not measured"."""
    return sentinel_to_nan(extract(rows, path, dtype, iteration))


def read_column(
    records: Table,
    path: tuple[str, ...],
    start: int,
    stop: int,
    *,
    dtype: np.dtype[Any],
    masked: bool,
) -> np.ndarray[Any, Any]:
    """Return one field of a table whose fields lie apart, in another type, maybe masked."""
    found = np.asarray(records.column(path, start, stop), dtype=dtype, order="C")
    return sentinel_to_nan(found) if masked else found


def trace_start_near(records: Table, row: int, window: int) -> int:
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
    tid = records.column(("tid",), row - 1, min(row + max(window, 0), records.n_rows))
    begins = np.flatnonzero(tid[1:] != tid[:-1])
    return row + int(begins[0]) if begins.size else row


def sentinel_to_nan(cfr: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return a copy with NaN in place of exactly -1/32768, Imspector's "not measured"."""
    values = np.array(cfr, dtype=np.result_type(cfr, np.float16))
    values[values == CFR_NOT_MEASURED] = np.nan
    return values


def model_of(dtype: np.dtype[Any]) -> str:
    """Return the data model of records, "v1 nested" or "v2 flat"."""
    if ITERATION not in (dtype.names or ()):
        return "v1 nested"  # refused later, by `check_layout`, with a message that tells why
    base, _ = dtype[ITERATION].subdtype or (dtype[ITERATION], ())
    return "v1 nested" if base.names else "v2 flat"


def descr_of(dtype: np.dtype[Any]) -> list[Any]:
    """Return a structured dtype as nested lists, as the metadata of zarr format 2 has it."""
    found: list[Any] = []
    for name in dtype.names or ():
        base, shape = dtype[name].subdtype or (dtype[name], ())
        kind = base.str if base.names is None else descr_of(base)
        found.append([name, kind, list(shape)] if shape else [name, kind])
    return found


def _container_attrs(measurement: Measurement) -> dict[str, Any]:
    found = dict(measurement.attrs)
    if measurement.sequence:
        found["measurement"] = json.dumps(measurement.sequence)
        if sequences := sequences_of(measurement.sequence):
            found["sequences"] = dump_sequences(sequences)
    if measurement.missing_rows:
        found["missing_rows"] = [list(rows) for rows in measurement.missing_rows]
    return found
