"""Localizations as one table in memory, for work that needs columns and no graph."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mfxarray.formats.localizations import LocalizationFile, sentinel_to_nan
from mfxarray.formats.npy.fields import SourceField
from mfxarray.formats.openers import pick
from mfxarray.formats.tables import Table
from mfxarray.opening.measurements import measurements_of
from mfxarray.opening.minflux import localization_file
from mfxarray.schema import AXES

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_minflux_table"]

Array = np.ndarray[Any, Any]

_USUAL = ("efo", "cfr", "eco", "dcr", "fbg")
# small blocks come from memory that was used before; larger ones are cleared page by page each time
_BLOCK_BYTES = 4 * 2**20
_THREADS = 4


def read_minflux_table(
    path: str | os.PathLike[str],
    *,
    fields: Sequence[str] | None = None,
    dataset: str | None = None,
    masked: bool = False,
    strict: bool = True,
    units: str | None = None,
) -> pd.DataFrame:
    """Return the valid localizations of a MINFLUX file as a table in memory, one row each.

    Parameters
    ----------
    path, dataset, masked, strict, units
        As for `open_minflux`.
    fields
        Which fields to give beside ``tid``, ``tim``, ``x``, ``y``, ``z``, by their names in
        `open_minflux`; if not given, those of ``efo``, ``cfr``, ``eco``, ``dcr``, ``fbg`` that the
        file has. Not ``vld``, because all rows are valid.

    Returns
    -------
    pandas.DataFrame
        Rows in the order of the file: valid localizations with a position in the last iteration.
        SI units, z as stored. Fields with iterations are those of the last one, ``cfr`` that of the
        last one in which it was measured.

    Raises
    ------
    DataError
        As for `open_minflux`.
    ValueError
        If a field is unknown or has no one number a localization.

    Notes
    -----
    One pass in blocks of 4 MB on up to four threads; in memory are the wanted columns, and one of
    them twice. For data larger than memory, see `open_minflux`.
    """
    import pandas as pd

    wanted = pick(measurements_of(path, strict=strict, units=units), dataset)
    file = localization_file(wanted, records=False, view="valid", strict=strict)
    return pd.DataFrame(_joined(file.records, _columns(file, fields, masked)), copy=False)


@dataclass(frozen=True)
class _Column:
    """A field and the iteration of it that is wanted, None where it has none."""

    name: str
    path: tuple[str, ...]
    dtype: np.dtype[Any]
    iteration: int | None
    masked: bool = False

    def of(self, values: Array) -> Array:
        """Return the wanted values of a block, shape (n, ...), maybe a view."""
        return values if self.iteration is None else values[:, self.iteration]


def _columns(file: LocalizationFile, fields: Sequence[str] | None, masked: bool) -> list[_Column]:
    """Return the wanted columns; position, and vld where there is one, come first."""
    known = {field.variable.name: field for field in file.fields}
    if fields is None:
        fields = [name for name in _USUAL if name in known]
        if file.cfr_iteration is None and "cfr" in fields:
            fields.remove("cfr")
    flags = ["vld"] if "vld" in known else []
    names = dict.fromkeys(["position", *flags, "tid", "tim", *fields])
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"no field {unknown[0]!r}; there are {', '.join(sorted(known))}")
    return [_column(known[name], file.cfr_iteration, masked) for name in names]


def _column(field: SourceField, cfr_iteration: int | None, masked: bool) -> _Column:
    name = field.variable.name
    more = set(field.dims) - {"localization", "iteration"}
    if more and name != "position":
        raise ValueError(f"field {name!r} has no one number a localization but {sorted(more)}")
    if "iteration" not in field.dims:
        return _Column(name, field.path, field.dtype, None)
    if name != "cfr":
        return _Column(name, field.path, field.dtype, -1)
    if cfr_iteration is None:
        raise ValueError("cfr was measured in no iteration of this file; leave it out")
    return _Column(name, field.path, field.dtype, cfr_iteration, masked)


def _joined(records: Table, columns: list[_Column]) -> dict[str, Array]:
    """Return the columns of all blocks."""
    rows = max(_BLOCK_BYTES // records.dtype.itemsize, 1)
    # what is stored together is read together
    rows = max(rows // records.grain, 1) * records.grain
    starts = range(0, max(records.n_rows, 1), rows)
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        blocks = list(pool.map(partial(_block, records, columns, rows), starts))

        # popped, so that few columns are there twice
        def whole(name: str) -> Array:
            return np.concatenate([block.pop(name) for block in blocks])

        names = list(blocks[0])
        return dict(zip(names, pool.map(whole, names), strict=True))


def _block(records: Table, columns: list[_Column], rows: int, start: int) -> dict[str, Array]:
    stop = min(start + rows, records.n_rows)
    whole = None if records.columnar else records.read(start, stop)

    def values(column: _Column) -> Array:
        if whole is None:
            return column.of(records.column(column.path, start, stop))
        found = whole
        for name in column.path:
            found = found[name]
        return column.of(found)

    # one row an axis: far quicker than sums and selections along an axis of three
    position = np.ascontiguousarray(values(columns[0]).T, dtype=columns[0].dtype)
    keep = ~np.isnan(position).any(axis=0)
    found = {}
    for column in columns[1:]:
        if column.name == "vld":
            keep &= values(column).astype(bool)
            continue
        taken = values(column)[keep].astype(column.dtype, copy=False)
        found[column.name] = sentinel_to_nan(taken) if column.masked else taken
    first = {name: found.pop(name) for name in ("tid", "tim")}
    return {
        **first,
        **{name: axis[keep] for name, axis in zip(AXES, position, strict=True)},
        **found,
    }
