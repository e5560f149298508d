"""What only the values of a table tell about a measurement, found in a few of its rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mfxarray.formats.npy.fields import ITERATION, SourceField, check_layout, fields_of
from mfxarray.formats.samples import Sample
from mfxarray.formats.sources import FileSource
from mfxarray.formats.tables import Table

__all__ = ["RowFacts", "look_at"]

# Imspector fills these with zeros when it exports the last iteration only
_ZERO_IN_AGGREGATES = ("tic", "lnc", "ext", "fbg")


@dataclass(frozen=True)
class RowFacts:
    """What some rows of a table tell about all of them.

    Attributes
    ----------
    iterations
        Iteration numbers, one for each step along the dimension "iteration"; () in a flat view.
    cfr_iteration
        Index of the iteration whose cfr tells about the emitter, None where none was measured.
    aggregated
        Whether the records are an export of the last iteration only.
    bead_corrected
        Whether positions were moved by the bead correction, None where nothing tells.
    """

    iterations: tuple[int, ...]
    cfr_iteration: int | None
    aggregated: bool
    bead_corrected: bool | None

    def to_json(self) -> dict[str, Any]:
        """Return the facts as JSON-able values."""
        return {**asdict(self), "iterations": list(self.iterations)}

    @classmethod
    def from_json(cls, stored: Any, n_iterations: int) -> RowFacts:
        """Return the facts about nested records that `to_json` gave.

        Raises
        ------
        ValueError
            If they are none, or not of records of so many iterations.
        """
        if not isinstance(stored, dict) or stored.keys() != cls.__dataclass_fields__.keys():
            raise ValueError("no facts of rows")
        facts = cls(**stored)
        numbers, place = facts.iterations, facts.cfr_iteration
        sound = (
            isinstance(numbers, list)
            and all(type(number) is int and number >= 0 for number in numbers)
            and len(set(numbers)) == len(numbers) == n_iterations
            and (place is None or (type(place) is int and 0 <= place < n_iterations))
            and type(facts.aggregated) is bool
            and (facts.bead_corrected is None or type(facts.bead_corrected) is bool)
        )
        if not sound:
            raise ValueError("facts of rows that make no sense")
        return cls(tuple(numbers), place, facts.aggregated, facts.bead_corrected)


def look_at(records: Table, source: FileSource, windows: int | None = None) -> RowFacts:
    """Return what some rows of a table tell.

    Parameters
    ----------
    records
        The table.
    source
        The file, for errors.
    windows
        At how many places to look, by default as many as can be read with about 1 MB.

    Raises
    ------
    DataError
        If a field that every record needs is missing or has an unexpected type, or the rows cannot
        be read.
    """
    n_iterations = check_layout(source, records.dtype)
    sample = Sample(records, windows)
    aggregated = n_iterations == 1 and _is_aggregated(sample)
    return RowFacts(
        _iteration_numbers(sample, n_iterations) if n_iterations else (),
        None if n_iterations is None else _cfr_iteration(sample),
        aggregated,
        None if aggregated else _is_bead_corrected(sample, fields_of(records.dtype)),
    )


def _iteration_numbers(sample: Sample, n_iterations: int) -> tuple[int, ...]:
    counted = tuple(range(n_iterations))
    numbers = sample.column((ITERATION, ITERATION))
    if numbers is None or not len(numbers) or numbers.dtype.kind not in "iu" or numbers.ndim != 2:
        return counted
    stored = tuple(int(number) for number in numbers[0])
    return stored if min(stored) >= 0 and len(set(stored)) == n_iterations else counted


def _cfr_iteration(sample: Sample) -> int | None:
    cfr = sample.column((ITERATION, "cfr"))
    if cfr is None or cfr.dtype.kind != "f" or cfr.ndim != 2:
        return None
    for iteration in reversed(range(cfr.shape[1])):
        column = cfr[:, iteration]
        column = column[np.isfinite(column)]
        if column.size and column.min() != column.max():
            return iteration
    return None


def _is_aggregated(sample: Sample) -> bool:
    columns = [sample.column((ITERATION, name)) for name in _ZERO_IN_AGGREGATES]
    present = [column for column in columns if column is not None]
    return sum(len(column) for column in present) > 0 and not any(map(np.any, present))


def _is_bead_corrected(sample: Sample, fields: list[SourceField]) -> bool | None:
    """Return whether positions were moved by the bead correction, None where nothing tells."""
    paths = {known.path[-1]: known.path for known in fields if known.path[-1] in ("loc", "lnc")}
    if len(paths) < 2:
        return None
    loc, lnc = sample.column(paths["loc"]), sample.column(paths["lnc"])
    if loc is None or lnc is None:
        return None
    known = np.isfinite(loc) & np.isfinite(lnc)
    return bool((loc[known] != lnc[known]).any()) if known.any() else None
