"""Conditions on localizations that depend on the rest of their trace, or on their neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.neighbours import density_sums
from mfxarray.chunked.trace_rows import reduce_traces, trace_places, values_of_rows
from mfxarray.kernels.traces.settling import first_settled
from mfxarray.minflux.filtering.conditions import Condition, check_bounds, within
from mfxarray.minflux.filtering.masks import position_rows
from mfxarray.minflux.rows import index_of, trace_keys, used_rows
from mfxarray.minflux.traces.table import traces

__all__ = ["Dense", "Settled", "TraceLength", "TracePlaces", "TraceRange", "places_of"]

Array = np.ndarray[Any, Any]


def places_of(ds: xr.Dataset) -> da.Array:
    """Return trace, place in the trace and length of the trace for every row, shape (row, 3)."""
    return trace_places(used_rows(ds), list(trace_keys(ds).values()), index_of(ds))


@dataclass(frozen=True)
class TraceLength(Condition):
    """Localizations of traces that have so many valid, selected localizations, bounds included."""

    kind = "trace_length"
    low: int | None = None
    high: int | None = None

    def __post_init__(self) -> None:
        check_bounds("trace length", self.low, self.high)

    def rows(self, ds: xr.Dataset) -> da.Array:
        """Return which localizations pass; one counting pass is made."""
        lengths = places_of(ds)[:, 2]
        return within(lengths, self.low, self.high) & (lengths > 0)


@dataclass(frozen=True)
class TracePlaces(Condition):
    """Localizations at some places of their trace.

    Attributes
    ----------
    skip_first, skip_last
        Localizations to leave out at the start and the end of each trace.
    first, last
        Keep at most so many from what is left, counted from its start or its end; give one.
    """

    kind = "trace_places"
    skip_first: int = 0
    skip_last: int = 0
    first: int | None = None
    last: int | None = None

    def __post_init__(self) -> None:
        given = [self.skip_first, self.skip_last, self.first or 0, self.last or 0]
        if min(given) < 0:
            raise ValueError("numbers of localizations to skip or to keep must not be negative")
        if self.first is not None and self.last is not None:
            raise ValueError("give either first= or last=, not both")

    def rows(self, ds: xr.Dataset) -> da.Array:
        """Return which localizations pass; one counting pass is made."""
        places = places_of(ds)
        from_start = places[:, 1] - self.skip_first
        from_end = places[:, 2] - 1 - self.skip_last - places[:, 1]
        found = (places[:, 2] > 0) & (from_start >= 0) & (from_end >= 0)
        if self.first is not None:
            found = found & (from_start < self.first)
        if self.last is not None:
            found = found & (from_end < self.last)
        return found


@dataclass(frozen=True)
class TraceRange(Condition):
    """Localizations of traces whose statistic lies between bounds; NaN never does.

    Attributes
    ----------
    statistic
        A variable of the trace table with one value a trace: "duration", "spread_pooled",
        "efo_median", "photons", ...
    low, high, closed
        Bounds, as for `mfxarray.minflux.filtering.masks.Range`.
    ddof
        As for `mfxarray.minflux.traces.table.traces`.
    """

    kind = "trace_range"
    statistic: str
    low: float | None = None
    high: float | None = None
    closed: str = "both"
    ddof: int | str = 1

    def __post_init__(self) -> None:
        check_bounds(self.statistic, self.low, self.high, self.closed)

    def rows(self, ds: xr.Dataset) -> da.Array:
        """Return which localizations pass; one counting pass is made."""
        table = traces(ds, ddof=self.ddof)
        if self.statistic not in table or table[self.statistic].dims != ("trace",):
            known = sorted(str(name) for name in table if table[name].dims == ("trace",))
            raise ValueError(f"no statistic {self.statistic!r}; there are {', '.join(known)}")
        passes = within(table[self.statistic].data, self.low, self.high, self.closed)
        return values_of_rows(passes, used_rows(ds), list(trace_keys(ds).values()), index_of(ds))


@dataclass(frozen=True)
class Settled(Condition):
    """Localizations from where their trace has converged.

    A trace has converged at the first localization whose mean distance to all localizations of
    the trace is below ``distance`` (metres); what comes before is dropped, and all of a trace
    that never does.

    Notes
    -----
    The approach of a molecule at the start of a trace pulls means and widens spreads. Costs the
    square of the length of a trace until it is found.
    """

    kind = "settled"
    distance: float

    def __post_init__(self) -> None:
        if not self.distance > 0:
            raise ValueError(f"distance must be above 0 metres, not {self.distance!r}")

    def rows(self, ds: xr.Dataset) -> da.Array:
        """Return which localizations pass; one counting pass is made."""
        used, keys, index = used_rows(ds), list(trace_keys(ds).values()), index_of(ds)
        find = partial(_first_settled, distance=self.distance)
        first = reduce_traces(find, used, keys, [position_rows(ds)], index, width=1)[:, 0]
        places = places_of(ds)
        return (places[:, 2] > 0) & (places[:, 1] >= values_of_rows(first, used, keys, index))


def _first_settled(columns: list[Array], starts: Array, *, distance: float) -> tuple[Array, Array]:
    found = first_settled(columns[0], starts, distance)
    return found[:, np.newaxis], np.ones(len(starts), np.int64)


@dataclass(frozen=True)
class Dense(Condition):
    """Localizations with neighbours: the sum of Gaussians around all others reaches a threshold.

    Attributes
    ----------
    fwhm
        Full width at half maximum of the Gaussians, metres.
    threshold
        Least sum over the other localizations of ``exp(-4 ln2 r^2 / fwhm^2)``. The seed counts
        the localization itself too, as nearly 1, so its threshold T is T - 1 here.

    Notes
    -----
    Exact: no grid, no border that is lost. Gaussians are cut off where they fall below 1e-7. Found
    by strips across the field; in memory are a few of them with half a million localizations each.
    """

    kind = "dense"
    fwhm: float
    threshold: float = 1.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.fwhm) and self.fwhm > 0):
            raise ValueError(f"fwhm must be above 0 metres, not {self.fwhm!r}")

    def rows(self, ds: xr.Dataset) -> da.Array:
        """Return which localizations pass."""
        sums = density_sums(used_rows(ds), position_rows(ds), fwhm=self.fwhm)
        # what is not used has no sum
        return sums >= self.threshold
