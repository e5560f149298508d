"""Localizations in npz archives: columns, one array each, or one array of records.

References
----------
The columns X, Y, Z, T, ECO, EFO, TID, TIC, ITR, ID are those of Zatyrus. T restarts in every
trace, TIC counts 25 ns from the start of the acquisition.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.flat_columns import (
    AXIS,
    FIELDS,
    LENGTHS,
    check_units,
    place_of,
    record_of,
    to_kind,
)
from mfxarray.formats.npy.fields import ITERATION
from mfxarray.formats.npy.npz_members import NpzMember, read_members
from mfxarray.formats.npy.npz_records import RecordStream
from mfxarray.formats.sources import FileSource, RecordSource
from mfxarray.formats.tables import Measurement, Path, Piece, Stream, Table, leaf_dtype

__all__ = ["NpzColumns", "NpzStream", "open_npz"]

_TICK_SECONDS = 25e-9
_BLOCK_ROWS = 65_536
_NAMES = FIELDS | {"t"}
Array = np.ndarray[Any, Any]


def open_npz(
    path: str | os.PathLike[str], *, units: str | None = None, strict: bool = True
) -> tuple[Measurement, ...]:
    """Return the data sets of an npz archive.

    Parameters
    ----------
    path
        The file.
    units
        Unit of the columns X, Y, Z: "m", "um", "µm", "nm". An archive does not say it.
    strict
        Accepted for all containers; an archive is read whole or not at all.

    Raises
    ------
    DataError
        If the archive is damaged, holds Python objects or no localizations, or ``units`` is
        missing for columns or given for records.
    ValueError
        If ``units`` is no unit.

    Notes
    -----
    Reads the directory and the headers. Arrays that are not compressed are read in place, others
    are a stream. Columns that the data model does not know are kept.
    """
    check_units(units)
    source = FileSource.open(path)
    members, others = read_members(source)
    records = [member for member in members if ITERATION in (member.dtype.names or ())]
    if records and units is None:
        return tuple(_records(source, member) for member in records)
    if records:
        hint = "Leave the argument units out."
        raise DataError("holds records, whose unit is the metre", path=source.path, hint=hint)
    return (_columns(source, members, others, units),)


def _records(source: FileSource, member: NpzMember) -> Measurement:
    rows: Table | Stream = RecordStream(member)
    if member.stored:
        place = member.offset + member.header
        rows = RecordSource(source, place, member.dtype, member.n_rows)
    return Measurement(rows, source, "npz", member.name, attrs={"z_scaling": 1.0})


def _columns(
    source: FileSource, members: list[NpzMember], others: list[str], units: str | None
) -> Measurement:
    plain = [member for member in members if member.dtype.names is None]
    named = {_name(member.name): member for member in plain}
    if len(named) < len(plain):
        raise DataError("holds arrays whose names differ in case only", path=source.path)
    if not {"x", "y"} <= set(named):
        have = ", ".join(member.name for member in members)[:100] or "none"
        hint = "Give an archive of columns X, Y, Z, T, TID or of MINFLUX records."
        raise DataError(f"has no arrays X and Y, only {have}", path=source.path, hint=hint)
    if lost := [name for name in others if name.lower() in _NAMES]:
        hint = "The archive is damaged; save it again."
        raise DataError(f"array {lost[0]} is no list of numbers", path=source.path, hint=hint)
    if units is None:
        hint = 'Give it, such as units="nm".'
        raise DataError("does not say in which unit X and Y are", path=source.path, hint=hint)
    n_rows = named["x"].n_rows
    kept = {name: member for name, member in named.items() if member.n_rows == n_rows}
    short = [named[name] for name in named if name not in kept]
    if any(_name(member.name) in _NAMES for member in short):
        text = f"{short[0].name} has {short[0].n_rows} entries, X has {n_rows}"
        raise DataError(text, path=source.path, hint="The archive is damaged; save it again.")
    dropped = [*others, *(member.name for member in short)]
    columns, warnings = _places(kept, units)
    if dropped:
        warnings.append(f"arrays that are no columns are left out: {', '.join(dropped)[:200]}")
    names = [column.name for column in columns]
    filled = tuple(name for name in ("z", "tim", "tid", "vld") if name not in names)
    if "tid" in filled:
        warnings.append("there are no trace ids: every row is taken for a trace of its own")
    if "tim" in filled:
        warnings.append("there are no times: they are NaN")
    whole = all(column.member.stored for column in columns)
    kind = NpzColumns if whole else NpzStream
    attrs = {"z_scaling": 1.0, "filled": list(filled)}
    rows = kind(source, tuple(columns), filled, n_rows)
    return Measurement(rows, source, "npz", attrs=attrs, warnings=tuple(warnings))


def _name(name: str) -> str:
    return name.lower() if name.lower() in _NAMES else name


@dataclass(frozen=True)
class _Column:
    """An array, the name of its variable, and what its values are divided or multiplied by."""

    member: NpzMember
    name: str
    per_unit: float = 1.0
    factor: float = 1.0

    def convert(self, values: Array, dtype: np.dtype[Any]) -> Array:
        """Return values of the archive in the unit and type of the field."""
        if self.factor != 1.0:
            values = values * self.factor
        if self.per_unit != 1.0:
            values = values / self.per_unit
        try:
            return to_kind(values, dtype, self.member.name, self.member.file.path)
        except DataError as error:
            hint = "The archive is damaged; save it again."
            raise DataError(error.reason, path=error.path, hint=hint) from error


def _places(kept: dict[str, NpzMember], units: str) -> tuple[list[_Column], list[str]]:
    """Return the columns, with times from TIC where it is there."""
    found, warnings = [], []
    for name, member in kept.items():
        if name == "t":
            continue
        found.append(_Column(member, name, LENGTHS[units] if name in AXIS else 1.0))
    clock = kept.get("t")
    if "tim" not in kept and "tic" in kept:
        found.append(_Column(kept["tic"], "tim", factor=_TICK_SECONDS))
    elif "tim" not in kept and clock is not None:
        found.append(_Column(clock, "tim"))
        clock = None
        warnings.append("times are those of T, taken for seconds: they may restart in each trace")
    if clock is not None:
        found.append(_Column(clock, clock.name))
    return found, warnings


@dataclass(frozen=True)
class _Columns:
    """Columns of an archive as nested records with one iteration."""

    source: FileSource
    columns: tuple[_Column, ...]
    filled: tuple[str, ...]
    n_rows: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """Record of the columns that are there."""
        kinds = {
            column.name: column.member.dtype.newbyteorder("<").str
            for column in self.columns
            if column.member.dtype.itemsize <= 8
        }
        return record_of([column.name for column in self.columns], kinds)

    def identity(self) -> str:
        """Return path, size, time and layout as text."""
        return repr(self)

    def _fill(self, start: int, stop: int) -> dict[str, Array]:
        """Return what the archive does not have but a record does."""
        count = stop - start
        filled: dict[str, Array] = {
            "z": np.zeros(count),
            "tim": np.full(count, np.nan),
            "tid": np.arange(start, stop, dtype="<i4"),
            "vld": np.ones(count, "?"),
        }
        return {name: filled[name] for name in self.filled}


class NpzColumns(_Columns):
    """Columns that are read in place; see `tables.Table`."""

    grain: ClassVar[int] = 1
    columnar: ClassVar[bool] = True

    def read(self, start: int, stop: int) -> Array:
        """Return whole records ``start`` to ``stop`` (exclusive), shape (stop - start,)."""
        rows = np.zeros(stop - start, self.dtype)
        for name, values in self._values(start, stop, None):
            path, index = place_of(name)
            at: tuple[Any, ...] = (slice(None), *index)
            _field(rows, path)[at] = values
        return rows

    def column(self, path: Path, start: int, stop: int) -> Array:
        """Return one field of these records, shape (stop - start, ...)."""
        dtype, shape = leaf_dtype(self.dtype, path)
        found = np.zeros((stop - start, *shape), dtype)
        for name, values in self._values(start, stop, path):
            at: tuple[Any, ...] = (slice(None), *place_of(name)[1])
            found[at] = values
        return found

    def _values(self, start: int, stop: int, path: Path | None) -> Iterator[tuple[str, Array]]:
        for name, values in self._fill(start, stop).items():
            if path in (None, place_of(name)[0]):
                yield name, values
        for column in self.columns:
            here = place_of(column.name)[0]
            if path in (None, here):
                member = column.member
                place = member.offset + member.header
                raw = RecordSource(self.source, place, member.dtype, member.n_rows)
                yield (
                    column.name,
                    column.convert(raw.read(start, stop), leaf_dtype(self.dtype, here)[0]),
                )


class NpzStream(_Columns):
    """Columns of which some are compressed; see `tables.Stream`."""

    def pieces(self) -> Iterator[tuple[float, Piece]]:
        """Yield column after column, in blocks of 65536 rows."""
        for number, column in enumerate(self.columns):
            path, index = place_of(column.name)
            dtype = leaf_dtype(self.dtype, path)[0]
            start = 0
            for values in column.member.blocks(_BLOCK_ROWS):
                share = (number + start / max(self.n_rows, 1)) / len(self.columns)
                yield share, Piece(path, start, column.convert(values, dtype), index)
                start += len(values)
        for start in range(0, self.n_rows, _BLOCK_ROWS):
            stop = min(start + _BLOCK_ROWS, self.n_rows)
            for name, values in self._fill(start, stop).items():
                path, index = place_of(name)
                yield 1.0, Piece(path, start, values, index)


def _field(rows: Array, path: Path) -> Array:
    for name in path:
        rows = rows[name]
    return rows
