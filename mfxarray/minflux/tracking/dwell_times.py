"""How long traces last, and how long it is dark between them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr

from mfxarray.errors import DataError
from mfxarray.minflux.rows import selected_rows
from mfxarray.minflux.traces.table import traces
from mfxarray.provenance import record

__all__ = ["dead_times", "dwell_times"]

Array = np.ndarray[Any, Any]

_LEVEL = 0.95


def dwell_times(
    ds: xr.Dataset,
    *,
    shortest: float = 0.0,
    recording_end: float | None = None,
    tolerance: float = 0.0,
) -> xr.Dataset:
    """Return how long each trace lasts, and the mean of an exponential law with its error.

    Parameters
    ----------
    ds
        Localizations; those count that are valid, have a position, and were masked by no filter.
    shortest
        Seconds. Shorter traces are left out of the fit, and the law is taken from there on: what
        is too short to be seen or has a single localization does not bias the mean then.
    recording_end
        Time at which the recording ends, seconds; that of the last localization of each wash if not
        given.
    tolerance
        Traces that last until less than so many seconds before that end are censored: they would
        have gone on, nobody knows how long.

    Returns
    -------
    xarray.Dataset
        Along ``trace``: ``dwell_time`` (s), the time from its first to its last localization, 0
        for a single one, and ``censored``. ``mean`` (s) of the exponential law by maximum
        likelihood, ``mean_error``, ``mean_low`` and ``mean_high`` (95 %); ``median``; ``events``
        that ended in sight, ``n_censored``, ``n_fitted``.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Notes
    -----
    The estimate is the sum of all times beyond ``shortest``, censored ones too, over the number of
    ends that were seen; twice the sum over the mean follows a chi-squared law of twice as many
    degrees, which gives the interval. It is exact without censored traces, and good with few.
    From first to last localization the time is too short by about that of one localization.
    Computes the table of traces: 40 bytes a trace.

    References
    ----------
    Lawless (2003), Statistical models and methods for lifetime data, chapter 4.
    """
    _check(shortest, tolerance)
    table = _table(ds)
    time, wash = table["duration"].values, _washes(table)
    censored = np.zeros(len(time), bool)
    for one in np.unique(wash):
        own = wash == one
        end = table["end"].values[own].max() if recording_end is None else recording_end
        censored[own] = table["end"].values[own] >= end - tolerance
    parameters = {"shortest": shortest, "recording_end": recording_end, "tolerance": tolerance}
    about = {"units": "s", "long_name": "time from the first to the last localization"}
    told = {"long_name": "the recording ended before the trace"}
    found = _law(time, censored, shortest).assign(
        dwell_time=("trace", time, about), censored=("trace", censored, told)
    )
    return _noted(ds, table, found, "dwell_times", parameters)


def dead_times(
    ds: xr.Dataset,
    *,
    shortest: float = 0.0,
    first: int | None = None,
    recording_end: float | None = None,
) -> xr.Dataset:
    """Return the times between traces, and the mean of an exponential law with its error.

    Parameters
    ----------
    ds
        As for `dwell_times`.
    shortest
        Seconds; as for `dwell_times`.
    first
        Count only the first so many gaps of each wash, in time: later ones are longer where
        molecules bleach (the seed takes 100).
    recording_end
        Time at which the recording ends, seconds. If given, what is dark from the last trace of
        each wash to there counts as a time whose end was not seen.

    Returns
    -------
    xarray.Dataset
        Along ``trace``: ``dead_time`` (s), from its end to the start of the next trace of the same
        wash and thread, NaN where there is none or both overlap; and ``mean``, ``mean_error``,
        ``mean_low``, ``mean_high``, ``median``, ``events``, ``n_censored`` and ``n_fitted`` as of
        `dwell_times`; ``event_rate`` (1/s), traces over the time from the first start to the last
        end, summed over washes.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Notes
    -----
    The seed takes traces in the order of their ids, and counts overlaps as negative gaps; here
    traces follow each other in time. Computes the table of traces.
    """
    _check(shortest, 0.0)
    if first is not None and (isinstance(first, bool) or first < 1):
        raise ValueError(f"first must be 1 gap or more, or None, not {first!r}")
    table = _table(ds)
    gap, wash = table["t_scan"].values, _washes(table)
    start, end = table["start"].values, table["end"].values
    used, open_gaps, length = np.isfinite(gap), [], 0.0
    for one in np.unique(wash):
        own = np.flatnonzero(wash == one)
        length += float(end[own].max() - start[own].min())
        if first is not None:
            known = own[used[own]]
            used[known[np.argsort(start[known], kind="stable")][first:]] = False
        elif recording_end is not None and recording_end > end[own].max():
            open_gaps.append(recording_end - float(end[own].max()))
    times = np.append(gap[used], open_gaps)
    censored = np.arange(len(times)) >= used.sum()
    parameters = {"shortest": shortest, "first": first, "recording_end": recording_end}
    about = {"units": "s", "long_name": "time to the start of the next trace"}
    rate = len(gap) / length if length > 0 else math.nan
    found = _law(times, censored, shortest).assign(
        dead_time=("trace", gap, about),
        event_rate=((), rate, {"units": "1/s", "long_name": "traces in a second"}),
    )
    return _noted(ds, table, found, "dead_times", parameters)


def _check(shortest: float, tolerance: float) -> None:
    if not (shortest >= 0 and tolerance >= 0 and np.isfinite(shortest)):
        raise ValueError("shortest and tolerance must be 0 or more seconds")


def _table(ds: xr.Dataset) -> xr.Dataset:
    table = traces(ds, medians=(), photons=None)
    wanted = [name for name in ("start", "end", "duration", "t_scan") if name in table]
    found = table[wanted].compute()
    if not found.sizes["trace"]:
        n = int(selected_rows(ds).sum().compute())
        raise DataError(f"no trace in {n} selected localizations", hint="Loosen the filters.")
    return found


def _washes(table: xr.Dataset) -> Array:
    n = table.sizes["trace"]
    return table["wash"].values if "wash" in table.variables else np.zeros(n, np.int64)


def _law(times: Array, censored: Array, shortest: float) -> xr.Dataset:
    """Return the exponential law of times beyond a shortest one, some of which went on."""
    from scipy.stats import chi2

    kept = times >= shortest
    ends = int((kept & ~censored).sum())
    total = float((times[kept] - shortest).sum())
    mean = total / ends if ends and total > 0 else math.nan
    tails = (0.5 * (1 + _LEVEL), 0.5 * (1 - _LEVEL))
    low, high = (
        2 * total / float(chi2.ppf(tail, 2 * ends)) if mean == mean else math.nan for tail in tails
    )
    seconds = {
        "mean": (mean, "mean of the exponential law"),
        "mean_error": (mean / math.sqrt(max(ends, 1)), "standard error of the mean"),
        "mean_low": (low, "lower end of the 95 % interval of the mean"),
        "mean_high": (high, "upper end of the 95 % interval of the mean"),
        "median": (float(np.median(times[kept])) if kept.any() else math.nan, "median time"),
    }
    counts = {
        "events": (ends, "times whose end was seen"),
        "n_censored": (int((kept & censored).sum()), "times whose end was not seen"),
        "n_fitted": (int(kept.sum()), "times not below the shortest"),
    }
    return xr.Dataset(
        {
            name: ((), value, {"units": "s", "long_name": text})
            for name, (value, text) in seconds.items()
        }
        | {name: ((), value, {"long_name": text}) for name, (value, text) in counts.items()}
    )


def _noted(
    ds: xr.Dataset, table: xr.Dataset, found: xr.Dataset, step: str, parameters: dict[str, Any]
) -> xr.Dataset:
    names = [name for name in ("wash", "tid") if name in table.variables]
    coords = {name: ("trace", table[name].values, table[name].attrs) for name in names}
    return found.assign_coords(coords).assign_attrs(record(ds.attrs, step, parameters))
