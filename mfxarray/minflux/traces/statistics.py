"""The variables of a trace table: what each is called, and how it comes out of the moments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mfxarray.chunked.traces import Reduction
from mfxarray.kernels.traces.medians import run_medians
from mfxarray.kernels.traces.moments import (
    Column,
    Piece,
    join_pieces,
    piece_of,
    run_moments,
    run_sums,
)
from mfxarray.kernels.traces.spreads import trace_spreads
from mfxarray.schema import TRACES, Variable, by_name

__all__ = [
    "CONVENTIONS",
    "MEDIANS",
    "MOMENT_COLUMNS",
    "STATISTICS",
    "Carried",
    "Convention",
    "convention_of",
    "gaps_to_next",
    "reduce_carried",
    "reduce_moments",
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


# what `reduce_moments` gives: name, dtype and width
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


def reduce_moments(convention: Convention, axes: tuple[int, ...] | None) -> Reduction:
    """Return how the columns named in `MOMENT_COLUMNS` are made of position and time.

    Parameters
    ----------
    convention
        How to count.
    axes
        Axes that were measured; those in which the localizations of a trace differ if None.
    """
    finish = partial(_moment_columns, convention=convention, axes=axes)
    return Reduction(
        partial(_whole_moments, finish=finish),
        _piece_of_moments,
        partial(_join_moments, finish=finish),
        tuple(part[1:] for part in MOMENT_COLUMNS),
    )


def _whole_moments(
    columns: list[Array], starts: Array, *, finish: Callable[[Array], tuple[Array, ...]]
) -> tuple[Array, ...]:
    xyz, tim = (column.astype(float, copy=False) for column in columns)
    return finish(run_moments(xyz, tim, starts))


def _piece_of_moments(columns: list[Array], offset: int) -> Piece:
    xyz, tim = (column.astype(float, copy=False) for column in columns)
    return piece_of(xyz, tim, offset)


def _join_moments(
    pieces: list[Piece], *, finish: Callable[[Array], tuple[Array, ...]]
) -> tuple[Array, ...]:
    return finish(join_pieces(pieces))


def _moment_columns(
    rows: Array, *, convention: Convention, axes: tuple[int, ...] | None
) -> tuple[Array, ...]:
    """Return the variables that come out of moments, in the order of `MOMENT_COLUMNS`."""
    spread, pooled, error, pooled_error = trace_spreads(
        rows, convention.ddof, convention.single, convention.least, axes
    )
    start, end = rows[:, Column.START], rows[:, Column.END]
    return (
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


@dataclass(frozen=True)
class Carried:
    """A column that needs all rows of a trace at once.

    Attributes
    ----------
    kind
        "median", "sum" of integers, or "first".
    missing
        A number that counts as not measured.
    """

    kind: str
    missing: float = float("nan")

    @property
    def dtype(self) -> Any:
        """Dtype of the column."""
        return np.int64 if self.kind == "sum" else float

    def __call__(self, column: Array, starts: Array) -> Array:
        """Return one number a trace."""
        if self.kind == "median":
            return run_medians(column, starts, self.missing)
        if self.kind == "sum":
            return run_sums(column, starts)
        return np.asarray(column[starts], float)


def reduce_carried(kinds: Sequence[Carried]) -> Reduction:
    """Return how columns are reduced one by one."""
    return Reduction(
        partial(_whole_carried, kinds=tuple(kinds)),
        _rows_of_piece,
        partial(_join_carried, kinds=tuple(kinds)),
        tuple((kind.dtype, None) for kind in kinds),
    )


def _whole_carried(
    columns: list[Array], starts: Array, *, kinds: tuple[Carried, ...]
) -> tuple[Array, ...]:
    return tuple(kind(column, starts) for kind, column in zip(kinds, columns, strict=True))


def _rows_of_piece(columns: list[Array], offset: int) -> list[Array]:
    # copies, so that they do not keep the block
    return [column.copy() for column in columns]


def _join_carried(pieces: list[list[Array]], *, kinds: tuple[Carried, ...]) -> tuple[Array, ...]:
    columns = [np.concatenate(column) for column in zip(*pieces, strict=True)]
    return _whole_carried(columns, np.zeros(1, np.int64), kinds=kinds)


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
    after = start[1:]
    order: Array | slice = slice(None)
    if not _in_order(start, groups):
        order = np.lexsort((end, start, *groups.T[::-1]))
        start, end, groups, after = start[order], end[order], groups[order], start[order][1:]
    gaps = after - end[:-1]
    follows = gaps >= 0
    for group in groups.T:
        follows &= group[1:] == group[:-1]
    found = np.full(len(start), np.nan)
    found[order] = np.append(np.where(follows, gaps, np.nan), np.full(len(start[:1]), np.nan))
    return found


def _in_order(start: Array, groups: Array) -> bool:
    """Tell whether traces rise in every group column and in time."""
    columns = (start, *groups.T)
    return all(bool((column[1:] >= column[:-1]).all()) for column in columns)
