"""How far particles jump in a step: a histogram, and one or two populations in it."""

from __future__ import annotations

from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import compute

from mfxarray.chunked.trace_labels import label_traces
from mfxarray.chunked.track_sums import sums_and_products
from mfxarray.errors import DataError
from mfxarray.kernels.tracking.displacements import jumps
from mfxarray.kernels.tracking.track_points import TrackRules, Tracks, tracks_of
from mfxarray.minflux.rows import (
    dask_rows,
    index_of,
    last_iteration_of,
    trace_keys,
    used_rows,
)
from mfxarray.minflux.tracking.jump_fit import JumpTable, fit_populations
from mfxarray.minflux.tracking.rows import rules_of, rules_record, track_rows
from mfxarray.provenance import record

__all__ = ["jump_distances"]

Array = np.ndarray[Any, Any]

# longer jumps than this times the root mean square are counted together
_FAR = 10.0
_TIMES = 32


def jump_distances(
    ds: xr.Dataset,
    *,
    lag: int = 1,
    populations: int | None = None,
    localization_sigma: float = 0.0,
    blur_time: float = 0.0,
    bins: int = 256,
    dimensions: int | None = None,
    trim: int = 0,
    gap: float | None = 2.5,
    gap_time: float | None = None,
) -> xr.Dataset:
    """Return the histogram of jumps, and the populations of freely moving particles in it.

    Parameters
    ----------
    ds
        Localizations; those count that are valid, have a position, and were masked by no filter.
    lag
        Localizations that a jump goes over.
    populations
        1 or 2; the number with the lower Bayesian information criterion if not given.
    localization_sigma
        Localization error along an axis, metres; `mfxarray.minflux.tracking.tracking.diffusion` of
        the ensemble tells it. Without it D is that of motion and error together.
    blur_time
        b of `mfxarray.kernels.tracking.diffusion`, seconds: R times the time of a localization.
    bins
        Bins of distance.
    dimensions, trim, gap, gap_time
        As for `mfxarray.minflux.tracking.tracking.diffusion`. If dimensions are not given, most of
        those that a trace has; jumps of traces with fewer are left out.

    Returns
    -------
    xarray.Dataset
        ``counts`` (time_bin, distance_bin), exact, with ``beyond`` (time_bin), the jumps longer
        than the last edge; ``distance_edge`` (m) and ``time_edge`` (s). Along ``component``,
        slowest first: ``D`` (m^2/s), ``fraction`` of the jumps, their errors, and ``expected``
        jumps in each bin of distance. ``bic`` of 1 and 2 populations along ``tried``;
        ``components``, the number chosen.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    DataError
        If there is no jump.

    Notes
    -----
    Computes: one pass for the limits, one for the counts. The likelihood is that of the binned
    distances with the time each jump took, so missed localizations and irregular times do no harm.
    It takes jumps as independent: errors are too small where those of one track are not, for
    overlapping jumps (lag above 1) and for a localization error that is not small.

    References
    ----------
    Schütz, Schindler, Schmidt (1997), Biophys. J. 73, 1073.
    """
    rules = rules_of(dimensions, trim, gap, gap_time)
    _check(lag, populations, localization_sigma, blur_time, bins)
    axes, far, times, total = _limits(ds, rules, lag)
    edges = np.linspace(0.0, far, bins + 1)
    time_edges = _time_edges(*times)
    counts = _counts(ds, rules, lag, axes, edges, time_edges)
    table = JumpTable(counts, edges, time_edges, axes, localization_sigma**2, blur_time)
    found = fit_populations(table, populations)
    parameters = {
        "lag": lag,
        "populations": populations,
        "localization_sigma": localization_sigma,
        "blur_time": blur_time,
        "bins": bins,
        **rules_record(rules),
    }
    attrs = record(ds.attrs, "jump_distances", parameters) | {"lag": lag}
    return found.assign(n=((), total, {"long_name": "jumps"})).assign_attrs(attrs)


def _check(lag: int, populations: int | None, sigma: float, blur: float, bins: int) -> None:
    if isinstance(lag, bool) or lag < 1 or bins < 8:
        raise ValueError("lag must be 1 or more, bins 8 or more")
    if populations not in (None, 1, 2):
        raise ValueError(f"populations must be 1, 2 or None, not {populations!r}")
    if not (sigma >= 0 and blur >= 0):
        raise ValueError("localization_sigma and blur_time must not be below 0")


def _extremes(tracks: Tracks, *, lag: int) -> Array:
    """Return axes, longest jump, its shortest and longest time, sum of squares and number."""
    time, square, counts = jumps(tracks, lag)
    out = np.full((len(counts), 6), np.nan)
    some = counts > 0
    starts = (np.cumsum(counts) - counts)[some]
    if len(starts):
        out[some, 1] = np.sqrt(np.maximum.reduceat(square, starts))
        out[some, 2] = np.minimum.reduceat(time, starts)
        out[some, 3] = np.maximum.reduceat(time, starts)
        out[some, 4] = np.add.reduceat(square, starts)
        out[some, 0], out[some, 5] = tracks.dimensions[some], counts[some]
    return out


def _limits(
    ds: xr.Dataset, rules: TrackRules, lag: int
) -> tuple[int, float, tuple[float, float], int]:
    """Return the number of axes, the last edge, shortest and longest time, and all jumps."""
    rows = track_rows(ds, rules, partial(_extremes, lag=lag), 6)
    highest, lowest = np.full(6, -np.inf), np.full(6, np.inf)
    found = da.map_blocks(
        _ends, rows, chunks=((2,) * rows.numblocks[0], (6,)), dtype=float, meta=np.empty((0, 0))
    )
    ends, sums = compute(found, sums_and_products(rows))
    if len(ends):
        highest, lowest = np.max(ends[0::2], axis=0), np.min(ends[1::2], axis=0)
    if not (sums[0, 0] > 0 and highest[1] > 0 and highest[3] > 0):
        raise DataError(
            "no track of these localizations has a jump",
            hint="A jump needs localizations of one trace at different times and places.",
        )
    root = float(np.sqrt(sums[0, 5] / sums[0, 6]))
    far = min(float(highest[1]) * (1 + 1e-9), _FAR * root)
    return int(highest[0]), far, (float(lowest[2]), float(highest[3])), int(sums[0, 6])


def _ends(rows: Array) -> Array:
    known = rows[np.isfinite(rows[:, 0])]
    if not len(known):
        return np.array([np.full(6, -np.inf), np.full(6, np.inf)])
    return np.array([known.max(axis=0), known.min(axis=0)])


def _time_edges(shortest: float, longest: float) -> Array:
    """Return edges of the times of jumps; a single bin where they hardly differ."""
    if longest - shortest < 1e-6 * longest:
        return np.array([shortest * (1 - 1e-6), longest * (1 + 1e-6)])
    return np.linspace(shortest, longest * (1 + 1e-9), _TIMES + 1)


def _counts(
    ds: xr.Dataset, rules: TrackRules, lag: int, axes: int, edges: Array, time_edges: Array
) -> Array:
    """Return the jumps in each bin of time and distance, the last one for those beyond."""
    used, keys = used_rows(ds), list(trace_keys(ds).values())
    position = dask_rows(last_iteration_of(ds, "position"), used)
    columns = [dask_rows(ds["tim"], used), position]
    own = TrackRules(rules.dimensions, rules.trim, rules.gap, rules.gap_time)
    label = partial(_bins, rules=own, lag=lag, axes=axes, edges=edges, time_edges=time_edges)
    labels = label_traces(label, used, keys, columns, index_of(ds))
    size = (len(time_edges) - 1) * len(edges)
    each = da.map_blocks(
        _count, labels, size=size, chunks=((1,) * labels.numblocks[0], (size,)), new_axis=[1],
        dtype=np.int64, meta=np.empty((0, 0), np.int64),
    )  # fmt: skip
    total = da.sum(each, axis=0, dtype=np.int64, split_every=8).compute()
    return np.asarray(total).reshape(len(time_edges) - 1, len(edges))


def _bins(
    columns: list[Array],
    starts: Array,
    limits: Array | None,
    *,
    rules: TrackRules,
    lag: int,
    axes: int,
    edges: Array,
    time_edges: Array,
) -> Array:
    """Return bins of jumps in the first rows of each trace; only their counts are wanted."""
    tracks = tracks_of(columns[0], columns[1], starts, rules)
    time, square, counts = jumps(tracks, lag)
    at = np.searchsorted(time_edges, time, side="right") - 1
    far = np.searchsorted(edges, np.sqrt(square), side="right") - 1
    numbers = np.clip(at, 0, len(time_edges) - 2) * len(edges) + far
    numbers[np.repeat(tracks.dimensions != axes, counts)] = -1
    out = np.full(len(columns[0]), -1, np.int64)
    before = np.cumsum(counts) - counts
    out[np.repeat(starts - before, counts) + np.arange(len(numbers))] = numbers
    return out


def _count(labels: Array, *, size: int) -> Array:
    return np.bincount(labels[labels >= 0], minlength=size)[np.newaxis].astype(np.int64)
