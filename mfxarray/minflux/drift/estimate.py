"""The drift of the sample, found from the localizations themselves by time windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.drift import Rows, measure_shifts, summarise_rows
from mfxarray.kernels.drift.blocks import Sample
from mfxarray.kernels.drift.lags import Search
from mfxarray.kernels.drift.points import Lattice, Windows
from mfxarray.kernels.drift.solve import Curve, solve_windows
from mfxarray.kernels.drift.summary import Summary
from mfxarray.kernels.drift.traces import Traces
from mfxarray.minflux.drift.alignment import align_traces, judge_pairs
from mfxarray.minflux.drift.settings import DriftSettings, settings_of
from mfxarray.minflux.drift.table import Found, drift_table
from mfxarray.minflux.drift.windows import (
    check_filled,
    choose_windows,
    fewer_windows,
    window_times,
)
from mfxarray.minflux.rows import dask_rows, index_of, last_iteration_of, trace_keys, used_rows
from mfxarray.minflux.traces.table import traces

__all__ = ["estimate_drift"]

Array = np.ndarray[Any, Any]

# of a pass that ends the repeats, metres
_SETTLED = 0.02e-9
# windows this close are compared in the first coarse pass, when far ones may be out of reach
_FIRST_DISTANCE = 3
_FLAT = 1e-9


def estimate_drift(
    ds: xr.Dataset,
    *,
    preset: str | DriftSettings = "default",
    window: float | None = None,
    dimensions: int | None = None,
    uncertainty: bool = True,
    **changes: Any,
) -> xr.Dataset:
    """Return the drift as a function of time, with the time windows and pairs it was found from.

    Parameters
    ----------
    ds
        Localizations; those count that are valid, have a position, and were masked by no filter.
    preset
        "default", which compares means of traces; "seed", which is the MATLAB code of the seed
        without its bias of the centre, and compares localizations; or "paint21", which is the same
        with windows of at least 600 s instead of 400 s.
    window
        Length of the time windows, seconds. Chosen from the data if not given: "default" takes
        longer ones where windows have too little in common, and halves them where the drift bends.
    dimensions
        2 or 3; by default 3 where the positions along z spread over more than 1 nm.
    uncertainty
        Tell it; of localizations it costs two further passes.
    **changes
        Parameters that differ from the preset, see `DriftSettings`.

    Returns
    -------
    xarray.Dataset
        ``drift`` (time, axis) in metres, to be subtracted, its mean over windows 0, and
        ``drift_uncertainty``, one standard deviation; ``window_drift`` (window, axis) with the
        windows' times and numbers of localizations, from which `correct_drift` interpolates, and
        ``window_significance``, that of its surest pair; for every pair of windows ``pair_shift``
        (NaN for pairs that do not count), ``pair_residual``, ``pair_weight``, ``pair_contrast``,
        ``pair_correlation``, and ``pair_significance``: minus the logarithm to base 10 of the
        probability that windows without common structure have such a shift, from ``pair_places``
        that agree on it and ``pair_expected``. Below 2 or 3 a shift may be none.

    Raises
    ------
    ValueError
        If there are too few windows, or traces or localizations in one; a parameter is wrong; or,
        of traces, windows are not connected by shifts that are more than chance and agree, or
        traces do not come to lie on top of each other once corrected.

    Notes
    -----
    Computes at once. Of traces: one pass for times and extents and one for the means of traces,
    which are held, 60 bytes a trace. Of localizations: one pass more for every refinement, 32 bytes
    for each of at most 8 million localizations. Memory does not depend on the field: to this come a
    block of rows, and 32 MB of correlations for a task. The same bits for every chunking and any
    number of workers.

    A shift counts if chance makes it with a probability of less than ``false_alarm`` over all pairs
    of windows. Chance is that of a Poisson distribution of places (traces of a window within the
    width of the peak are one place) around the density found at lags around, times the lags as
    small as that one. Then the drift is moved until traces of different windows lie on top of each
    other, in Gaussians that become narrower as long as what they hold is more than chance. Its
    uncertainty is from the scatter between parts of the field, and from what windows half as long
    say; where these are blind it is as large as the bends may be. A drift within windows that
    cannot be seen from few of them is not ruled out.

    The correlation of two windows is summed over pairs of points, so there is neither an image nor
    a centre of one, nor do shifts wrap around. Localizations of traces longer than windows hold
    back the drift; means of traces do not.
    Washes whose times overlap must be taken one by one.

    References
    ----------
    L. M. Ostersehlt et al., "DNA-PAINT MINFLUX nanoscopy", Nature Methods 19, 1072 (2022).
    """
    rows = _rows_of(ds)
    settings = settings_of(preset, changes)
    summary = summarise_rows(rows)
    if not summary.count:
        raise ValueError("no localization is left to find a drift from; loosen the filters")
    n = _dimensions(summary, dimensions)
    settings = settings.of_dimensions(n)
    windows = choose_windows(summary, settings, window, lambda: index_of(ds).n_traces)
    task = _Task(rows, summary, settings, windows, n)
    means, sizes = _trace_means(ds)
    if settings.points == "traces":
        windows, found = _aligned(task, means, chosen=window is None)
        counts = _localizations(windows, means, sizes)
        found = replace(found, counts=counts)
    else:
        found = _judged(task, means, _refined(task), uncertainty)
    if not uncertainty:
        found = replace(found, covariance=None)
    name = preset if isinstance(preset, str) else "own"
    parameters = {
        "preset": name,
        "window": windows.length,
        "dimensions": n,
        **settings.parameters(),
    }
    return drift_table(ds.attrs, summary, windows, settings, found, parameters)


def _trace_means(ds: xr.Dataset) -> tuple[Traces, Array]:
    """Return the means of the traces, and how many localizations they have."""
    table = traces(ds, medians=(), photons=None)[["n", "centroid", "mean_time"]].compute()
    position = table["centroid"].transpose("trace", "axis").values
    times, sizes = table["mean_time"].values, table["n"].values
    known = np.isfinite(times)
    return Traces(position[known], times[known]), sizes[known]


def _localizations(windows: Windows, means: Traces, sizes: Array) -> Array:
    number = windows.number_of(means.time)
    inside = number >= 0
    found = np.bincount(number[inside], sizes[inside], windows.count)
    return found.astype(np.int64)


def _aligned(task: _Task, means: Traces, *, chosen: bool) -> tuple[Windows, Found]:
    """Return windows and drift: of the most windows whose drift is certain enough.

    Windows that were asked for are not changed.
    """
    means, windows = means.within(_limits(task)), task.windows
    while True:
        try:
            return align_traces(means, windows, task.dimensions, task.settings, refine=chosen)
        except ValueError:
            fewer = fewer_windows(windows) if chosen else None
            # what the fewest windows say tells most
            if fewer is None:
                raise
            windows = fewer


def _judged(task: _Task, means: Traces, found: Found, uncertainty: bool) -> Found:
    """Return a drift of localizations with its significance and uncertainty."""
    means = means.within(_limits(task))
    judged = judge_pairs(
        means, task.windows, task.dimensions, task.settings, found, uncertainty=uncertainty
    )
    if judged.covariance is None:
        return judged
    halves = _half_difference(task, found)
    number = np.arange(task.windows.count)
    own = judged.covariance[:, number, number].T
    covariance = judged.covariance.copy()
    # whichever of both is larger, window by window
    covariance[:, number, number] = np.fmax(own, halves**2).T
    return replace(judged, covariance=covariance)


@dataclass(frozen=True)
class _Task:
    """What all passes share."""

    rows: Rows
    summary: Summary
    settings: DriftSettings
    windows: Windows
    dimensions: int


def _rows_of(ds: xr.Dataset) -> Rows:
    used = used_rows(ds)
    tim = dask_rows(ds["tim"], used)
    position = dask_rows(last_iteration_of(ds, "position"), used)
    keys = tuple(key.rechunk(used.chunks) for key in trace_keys(ds).values())
    return Rows(used & da.isfinite(tim), position, tim, keys)


def _dimensions(summary: Summary, wanted: int | None) -> int:
    if wanted is not None and wanted not in (2, 3):
        raise ValueError(f"dimensions must be 2 or 3, not {wanted!r}")
    if wanted is not None:
        return wanted
    low, high = summary.quantiles(2, (0.01, 0.99))
    return 3 if high - low > _FLAT else 2


def _refined(task: _Task) -> Found:
    """Return the drift of the windows after all passes."""
    settings = task.settings
    found: Found | None = None
    for number, factor in enumerate(settings.coarse):
        distance = _FIRST_DISTANCE if number == 0 else settings.max_distance
        found = _pass(task, found, factor, distance)
    for _ in range(settings.repeats - 1):
        before = found
        found = _pass(task, found, 1, settings.max_distance)
        if before is not None and np.abs(found.values - before.values).max() < _SETTLED:
            return found
    return _pass(task, found, 1, settings.max_distance)


def _pass(
    task: _Task, before: Found | None, factor: int, distance: int | None, half: int | None = None
) -> Found:
    """Return the drift after one more pass over the localizations, corrected by that before."""
    settings, windows = task.settings, task.windows
    pixel = float(settings.pixel or 0.0) * factor
    lattice = Lattice(pixel, task.dimensions, max(settings.reach() // 4, 1))
    search = Search(settings.reach(), windows.count, min(distance or windows.count, windows.count))
    start = np.zeros((windows.count, 3)) if before is None else before.values
    curve = None if before is None else Curve(before.times, start, settings.beyond)
    sample = Sample(windows, lattice, _limits(task), curve, half)
    strips = task.summary.strips(pixel * lattice.strip, _moved(task, curve))
    shifts, quality, content = measure_shifts(task.rows, sample, search, settings.peak(), strips)
    check_filled(windows, content[:, 0])
    pairs = search.pairs()
    weights = settings.pair_weights(
        pairs[:, 1] - pairs[:, 0], content[pairs, 0], quality[:, 0], windows.count
    )
    steps = shifts * pixel
    # what was subtracted before belongs to the shift of the pair; the penalty then sees all of it
    whole = steps + start[pairs[:, 1]] - start[pairs[:, 0]]
    roughness = float(settings.roughness or 0.0)
    values = solve_windows(pairs, whole, weights, windows.count, roughness)
    times = window_times(windows, content)
    return Found(times, values, content[:, 0], pairs, whole, weights, quality)


def _limits(task: _Task) -> tuple[tuple[float, float], ...]:
    if task.settings.quantiles is None:
        return ()
    return tuple(task.summary.quantiles(axis, task.settings.quantiles) for axis in (0, 1))


def _moved(task: _Task, curve: Curve | None) -> float:
    """Return how far a correction may move localizations, metres."""
    if curve is None:
        return 0.0
    times = np.linspace(task.summary.first, task.summary.last, 20 * task.windows.count)
    return 1.5 * float(np.abs(curve(times)).max())


def _half_difference(task: _Task, found: Found) -> Array:
    """Return the standard deviation of the drift of every window, from two halves of the traces."""
    run: Callable[..., Found] = partial(_pass, task, found, 1, task.settings.max_distance)
    try:
        first, second = run(half=0), run(half=1)
    except ValueError:
        # a half may be too poor where the whole is not
        return np.full_like(found.values, np.nan)
    difference = first.values - second.values
    # each half has twice the variance of the whole, so their difference has four times
    degrees = max(len(difference) - 1, 1)
    pooled = np.sqrt((difference**2).sum(axis=0) / degrees) / 2.0
    share = np.sqrt(found.counts.mean() / found.counts)
    return np.asarray(pooled * share[:, None])
