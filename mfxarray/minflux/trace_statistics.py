"""The variables of a trace table: what each is called, and how it comes out of the moments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mfxarray.kernels.moments import Column
from mfxarray.kernels.trace_medians import run_medians
from mfxarray.kernels.trace_spreads import trace_spreads
from mfxarray.schema import TRACES, Variable, by_name

__all__ = [
    "CONVENTIONS",
    "MEDIANS",
    "MOMENT_COLUMNS",
    "STATISTICS",
    "Convention",
    "carried_columns",
    "convention_of",
    "gaps_to_next",
    "moment_columns",
    "reduce_rows",
]

Array = np.ndarray[Any, Any]

_T, _TA = ("trace",), ("trace", "axis")

# fields whose medians a table holds, with their units
MEDIANS = {"efo": "Hz", "cfr": "1", "dcr": "1", "fbg": "Hz"}

STATISTICS: dict[str, Variable] = by_name(
    (
        *TRACES,
        Variable("spread_pooled", _T, "float64", "m", "rms spread over the measured axes"),
        Variable("standard_error", _TA, "float64", "m", "standard error of the mean position"),
        Variable("standard_error_pooled", _T, "float64", "m", "rms standard error, measured axes"),
        Variable("duration", _T, "float64", "s", "time from first to last localization"),
        Variable("t_loc", _T, "float64", "s", "time from first to last localization"),
        Variable("t_scan", _T, "float64", "s", "time from the end to the start of the next trace"),
        Variable("photons", _T, "int64", "1", "photons of all localizations of the trace"),
        *(
            Variable(f"{name}_median", _T, "float64", unit, f"median of {name}")
            for name, unit in MEDIANS.items()
        ),
    )
)


# what `moment_columns` returns: name, dtype and width
MOMENT_COLUMNS: tuple[tuple[str, Any, int | None], ...] = (
    ("n", np.int64, None),
    ("centroid", float, 3),
    ("spread", float, 3),
    ("spread_pooled", float, None),
    ("standard_error", float, 3),
    ("standard_error_pooled", float, None),
    ("start", float, None),
    ("end", float, None),
    ("mean_time", float, None),
    ("duration", float, None),
)


@dataclass(frozen=True)
class Convention:
    """How spreads are counted.

    Attributes
    ----------
    ddof
        What is subtracted from n in the variance.
    single
        Spread of a trace with no more than ``ddof`` localizations.
    least
        Traces with fewer localizations have no standard error.
    """

    ddof: int
    single: float = float("nan")
    least: int = 1


CONVENTIONS = {"python": Convention(0), "matlab": Convention(1, single=0.0, least=3)}


def convention_of(ddof: int | str) -> Convention:
    """Return how to count spreads: 0, 1, or the name of one of the seed's conventions.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    if isinstance(ddof, str) and ddof in CONVENTIONS:
        return CONVENTIONS[ddof]
    if isinstance(ddof, int) and not isinstance(ddof, bool) and ddof in (0, 1):
        return Convention(ddof)
    raise ValueError(f"ddof must be 0 or 1, 'python' or 'matlab', not {ddof!r}")


def moment_columns(
    rows: Array, *, convention: Convention, axes: tuple[int, ...] | None
) -> tuple[Array, ...]:
    """Return the variables that come out of moments, in the order of `MOMENT_COLUMNS`.

    Parameters
    ----------
    rows
        Moments, shape (trace, 10), see `mfxarray.kernels.moments.Column`.
    convention
        How to count.
    axes
        Axes that were measured; those in which the localizations of a trace differ if None.
    """
    spread, pooled, error, pooled_error = trace_spreads(
        rows, convention.ddof, convention.single, convention.least, axes
    )
    start, end = rows[:, Column.START], rows[:, Column.END]
    found = (
        rows[:, Column.N].astype(np.int64),
        rows[:, Column.MEAN],
        spread,
        pooled,
        error,
        pooled_error,
        start,
        end,
        rows[:, Column.MEAN_TIME],
        end - start,
    )
    return tuple(np.ascontiguousarray(part) for part in found)


def gaps_to_next(start: Array, end: Array, groups: Array) -> Array:
    """Return the time from the end of each trace to the start of the next one, shape (trace,).

    Parameters
    ----------
    start, end
        Times of each trace, s.
    groups
        Traces follow each other only within the same wash and thread, shape (trace, group column).

    Returns
    -------
    numpy.ndarray
        NaN for the last trace of a group and where the next one begins before this one ends.

    Notes
    -----
    The seed takes traces in the order of their ids; where ids rise in time this is the same.
    """
    steps = np.diff(np.column_stack([groups, start]), axis=0)
    if len(start) and (steps >= 0).all():
        order = np.arange(len(start))
    else:
        order = np.lexsort((end, start, *groups.T[::-1]))
    found = np.full(len(start), np.nan)
    before, after = order[:-1], order[1:]
    same = (groups[before] == groups[after]).all(axis=1)
    gaps = start[after] - end[before]
    found[before] = np.where(same & (gaps >= 0), gaps, np.nan)
    return found


def carried_columns(rows: Array, *, dtypes: tuple[Any, ...]) -> tuple[Array, ...]:
    """Return the columns of a table in their own dtypes."""
    return tuple(rows[:, place].astype(dtype) for place, dtype in enumerate(dtypes))


def reduce_rows(
    columns: list[Array], starts: Array, *, kinds: tuple[str, ...]
) -> tuple[Array, Array]:
    """Return one column a kind for each trace: "median", "sum" or "first" of its rows."""
    found = np.empty((len(starts), len(kinds)))
    for place, (column, kind) in enumerate(zip(columns, kinds, strict=True)):
        if kind == "median":
            found[:, place] = run_medians(column, starts)
        elif len(starts):
            whole = np.add.reduceat(column, starts) if kind == "sum" else column[starts]
            found[:, place] = whole
    return found, np.ones(len(starts), np.int64)
