"""Traces in which several emitters were localized, split into parts of one emitter each.

References
----------
minflux-analysis (Findeisen, Politi): ``cluster_tid`` and ``set_tid2`` of
``processlocalizations.py``, and ``minflux_filter.m``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.blocks import reread
from mfxarray.chunked.trace_labels import label_traces, number_parts
from mfxarray.chunked.trace_rows import reduce_traces
from mfxarray.kernels.clusters.trace_labels import METHODS, SplitRules, split_runs
from mfxarray.minflux.clusters.split_limits import efo_rows, limits_array, wash_numbers
from mfxarray.minflux.filtering.masks import position_rows
from mfxarray.minflux.rows import ROW, index_of, trace_keys, used_rows
from mfxarray.provenance import record

__all__ = ["PRESETS", "split_emitters", "split_events"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class _Preset:
    """Numbers of `split_emitters` that are not given."""

    eps: float = 20e-9
    min_localizations: int = 3
    split_factor: float = 0.0
    spread_quantile: float = 0.0
    efo_factor: float = float("inf")
    max_components: int = 3
    weight_prior: float = 1.0 / 3.0
    least_spread: float = 1e-9
    # NaN: the spread limit
    merge_distance: float = 8e-9
    n_init: int = 3


PRESETS: dict[str | None, _Preset] = {
    None: _Preset(),
    "seed": _Preset(
        split_factor=2.0,
        spread_quantile=0.75,
        efo_factor=2.0,
        least_spread=0.0,
        merge_distance=float("nan"),
    ),
    "matlab": _Preset(eps=10e-9),
}


def split_emitters(
    ds: xr.Dataset,
    method: str = "dbscan",
    *,
    preset: str | None = None,
    eps: float | None = None,
    min_localizations: int | None = None,
    split_factor: float | None = None,
    spread_quantile: float | None = None,
    efo_factor: float | None = None,
    max_components: int | None = None,
    weight_prior: float | None = None,
    least_spread: float | None = None,
    merge_distance: float | None = None,
    n_init: int | None = None,
    seed: int = 0,
) -> xr.Dataset:
    """Return the Dataset with ``trace_part`` and ``tid2``: traces split into single emitters.

    Parameters
    ----------
    ds
        Localizations; those count that are valid, have a position, and were masked by no filter.
    method
        "dbscan": what hangs together within ``eps``; "gmm": the mixture of Gaussians with the
        lowest Bayesian information criterion; "bayes": a variational mixture with a Dirichlet
        process prior, of which components close to each other are joined.
    preset
        Where numbers come from that are not given. None: every trace is examined, none is too
        bright. "seed": as the Python seed, see Notes. "matlab": as the MATLAB filter, which takes
        "dbscan" of every trace with eps 10 nm.
    eps
        Of "dbscan", metres; 20 nm.
    min_localizations
        Parts of examined traces with fewer are rejected; of "dbscan" also the neighbours that make
        a core point, itself included; 3.
    split_factor
        Traces with fewer than this times ``min_localizations`` are one part; seed 2, else 0.
    spread_quantile
        Traces that spread less than this quantile of all traces are one part; seed 0.75, else 0.
        See `mfxarray.minflux.clusters.split_limits.split_limits`.
    efo_factor
        A part is rejected if more than half of its localizations have an efo above this times the
        median of their wash: two emitters that shone at once; seed 2, else infinity.
    max_components
        Most parts that a mixture makes of a trace; 3.
    weight_prior
        Of "bayes": concentration of the process; 1/3.
    least_spread
        Of "gmm": smallest standard deviation of a part along an axis, metres; 1 nm, seed 0. With
        0 single localizations make parts of their own, as they are infinitely likely.
    merge_distance
        Of "bayes": components with closer means are one part, metres; 8 nm, seed the spread limit.
    n_init
        Starts of a mixture, of which the best counts; 3.
    seed
        Of the starts. Each trace has its own random numbers from (seed, wash, tid).

    Returns
    -------
    xarray.Dataset
        ``trace_part``: part of each localization within its trace, numbered from 0 in the order
        in which parts begin, -1 if rejected or not used; ``tid2``: number of the part over all
        traces and washes, without gaps, by traces in the order in which they begin. Both int64.

    Raises
    ------
    ValueError
        If a parameter is unknown or out of range.

    Notes
    -----
    Of simulated traces of 30 localizations, from emitters of 2 to 4 nm spread that take turns,
    "gmm" finds the right number of parts in 99 % of those of one emitter, in 95 to 97 % of those of
    two that are 10 to 20 nm (and at least 4 times their spread) apart, in 99 % of those of three at
    20 nm; "bayes" in 93 to 100 %, 97 to 99 % and 88 %. "dbscan" needs gaps wider than ``eps``.

    Lazy but for the counting pass; the same labels for every chunking and scheduler. Rows of
    traces that cross chunks are carried, so memory is bounded by the longest trace.

    With "seed" the following differs from the seed, whose own behaviour is taken as an error.
    "gmm" runs. "bayes" compares the means of all populated components, not of the first two
    whether populated or not, and joins close ones, not all. Every part of an examined trace needs
    ``min_localizations``, not the smallest only and not of "bayes" only. A part is too bright if
    more than half of it is (the seed: from half, rounded to even, so that a single localization
    always was), and parts of traces that were not examined can be too. Spreads are those of the
    measured axes: the third axis of 2D data neither lowers the spread nor counts in mixtures.
    A trace all of which is rejected has no ``tid2``; numbers have no gaps and never collide.
    Random numbers are seeded.
    """
    given = {
        "eps": eps,
        "min_localizations": min_localizations,
        "split_factor": split_factor,
        "spread_quantile": spread_quantile,
        "efo_factor": efo_factor,
        "max_components": max_components,
        "weight_prior": weight_prior,
        "least_spread": least_spread,
        "merge_distance": merge_distance,
        "n_init": n_init,
    }
    numbers = _numbers(preset, {name: value for name, value in given.items() if value is not None})
    rules = _rules(method, numbers, seed)
    limits = limits_array(ds, numbers.spread_quantile, numbers.efo_factor)
    parts, used, keys = _label(ds, rules, limits)
    ids = number_parts(parts, used, keys, index_of(ds))
    parameters: dict[str, Any] = {"method": method, "preset": preset, **vars(numbers), "seed": seed}
    for name in ("efo_factor", "merge_distance"):
        # infinity and NaN are no JSON
        parameters[name] = parameters[name] if np.isfinite(parameters[name]) else None
    return ds.assign(
        trace_part=((ROW,), parts, {"long_name": "part of its trace, -1 if rejected"}),
        tid2=((ROW,), ids, {"long_name": "number of the part over all traces, -1 if rejected"}),
    ).assign_attrs(record(ds.attrs, "split_emitters", parameters))


def split_events(ds: xr.Dataset) -> xr.Dataset:
    """Return the traces that were split: those with more than one part, or partly rejected.

    Parameters
    ----------
    ds
        Result of `split_emitters`.

    Returns
    -------
    xarray.Dataset
        Along ``trace``: coordinates ``tid`` and ``wash`` where there is one; ``n`` localizations,
        ``parts``, and ``n_rejected`` localizations. The seed lists tid and n of the same traces.

    Notes
    -----
    Computes ``trace_part``.
    """
    if "trace_part" not in ds.variables:
        raise ValueError("no 'trace_part' here; split_emitters makes it")
    used, keys = used_rows(ds), trace_keys(ds)
    columns = [ds["trace_part"].data, *keys.values()]
    arrays = [da.asarray(column).rechunk(used.chunks) for column in columns]
    table = reduce_traces(
        _count_parts, used, list(keys.values()), arrays, index_of(ds), width=3 + len(keys)
    )
    rows = table.compute().astype(np.int64)
    parts, rejected = rows[:, 1:3].T
    rows = rows[(parts + (rejected > 0)) > 1]
    long_names = ("localizations", "parts that were kept", "localizations that were rejected")
    fields = {
        name: ("trace", rows[:, column], {"units": "1", "long_name": long_names[column]})
        for column, name in enumerate(("n", "parts", "n_rejected"))
    }
    coords = {name: ("trace", rows[:, 3 + place]) for place, name in enumerate(keys)}
    return xr.Dataset(fields, coords, record(ds.attrs, "split_events", {}))


def _count_parts(columns: list[Array], starts: Array) -> tuple[Array, Array]:
    parts, *keys = columns
    lengths = np.diff(np.append(starts, len(parts)))
    if not len(starts):
        return np.empty((0, 3 + len(keys))), lengths
    kept = np.maximum.reduceat(parts, starts) + 1
    rejected = np.add.reduceat((parts < 0).astype(np.int64), starts)
    rows = np.column_stack([lengths, kept, rejected, *(key[starts] for key in keys)])
    return rows.astype(float), np.ones(len(starts), np.int64)


def _numbers(preset: str | None, given: dict[str, Any]) -> _Preset:
    if preset not in PRESETS:
        raise ValueError(f"preset must be 'seed', 'matlab' or None, not {preset!r}")
    numbers = replace(PRESETS[preset], **given)
    if numbers.min_localizations < 1 or numbers.max_components < 1 or numbers.n_init < 1:
        raise ValueError("min_localizations, max_components and n_init must be 1 or more")
    if not (numbers.eps > 0 and np.isfinite(numbers.eps) and numbers.weight_prior > 0):
        raise ValueError("eps (metres) and weight_prior must be above 0")
    if (
        numbers.merge_distance < 0
        or numbers.split_factor < 0
        or not 0 <= numbers.least_spread < 1e-3
    ):
        raise ValueError("split_factor, least_spread and merge_distance (m) must not be below 0")
    return numbers


def _rules(method: str, numbers: _Preset, seed: int) -> SplitRules:
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, not {method!r}")
    if isinstance(seed, bool) or not 0 <= seed < 2**64:
        raise ValueError(f"seed must be a whole number from 0, not {seed!r}")
    return SplitRules(
        method,
        numbers.eps,
        numbers.min_localizations,
        int(np.ceil(numbers.split_factor * numbers.min_localizations)),
        numbers.max_components,
        numbers.n_init,
        numbers.weight_prior,
        numbers.least_spread,
        numbers.merge_distance,
        seed,
    )


def _label(
    ds: xr.Dataset, rules: SplitRules, limits: da.Array | None
) -> tuple[da.Array, da.Array, list[da.Array]]:
    """Return parts of all localizations, and mask and keys they were made of."""
    used, keys = used_rows(ds), list(trace_keys(ds).values())
    efo = efo_rows(ds, used) if limits is not None else None
    columns = [position_rows(ds), *([] if efo is None else [efo])]
    if limits is not None:
        # limits wait for all blocks, which must not wait in memory for the limits
        used, *rest = (reread(array, "split") for array in (used, *keys, *columns))
        keys, columns = rest[: len(keys)], rest[len(keys) :]
    label = partial(_parts, rules=rules, n_keys=len(keys), washes=tuple(wash_numbers(ds).tolist()))
    return label_traces(label, used, keys, [*keys, *columns], index_of(ds), limits), used, keys


def _parts(
    columns: list[Array],
    starts: Array,
    limits: Array | None,
    *,
    rules: SplitRules,
    n_keys: int,
    washes: tuple[int, ...],
) -> Array:
    """Return the part of each row of whole traces."""
    keys = [key[starts].astype(np.int64) for key in columns[:n_keys]]
    wash, tid = keys if n_keys == 2 else (np.zeros(len(starts), np.int64), keys[0])
    position, *efo = columns[n_keys:]
    if limits is None:
        limits = np.append(0.0, np.full(len(washes), np.nan))
    bright = limits[1 + np.searchsorted(washes, wash)]
    counted = efo[0] if efo else np.full(len(position), np.nan)
    return split_runs(position, counted, (wash, tid), starts, rules, float(limits[0]), bright)
