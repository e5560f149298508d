"""The drift of means of traces: shifts that are more than chance and agree with each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mfxarray.chunked.drift import table_lags
from mfxarray.kernels.drift.graph import groups_of
from mfxarray.kernels.drift.peaks import judge_shifts
from mfxarray.kernels.drift.points import Windows
from mfxarray.kernels.drift.traces import Traces
from mfxarray.kernels.drift.trust import Bends, covariance_of
from mfxarray.minflux.drift.fit import (
    Fit,
    apart_windows,
    fit_matches,
    halved,
    narrowed,
    settled,
)
from mfxarray.minflux.drift.search import finest_factor, first_alignment
from mfxarray.minflux.drift.settings import DriftSettings
from mfxarray.minflux.drift.table import Found
from mfxarray.minflux.drift.task import Task, table_of
from mfxarray.minflux.drift.windows import check_filled

__all__ = ["align_traces", "judge_pairs"]

Array = np.ndarray[Any, Any]

_FEWEST_TRACES = 5
# of the time between windows, that matched traces must lie apart
_LEAST_SHARE = 0.3
# windows without which their own bends tell nothing
_FEWEST_BENDS = 4
# matches must lie on top of each other on pixels that many times the smallest
_FINE_ENOUGH = 2.0


def align_traces(
    traces: Traces,
    windows: Windows,
    dimensions: int,
    settings: DriftSettings,
    *,
    refine: bool = True,
) -> tuple[Windows, Found]:
    """Return the drift of windows, and the windows: shorter ones where the drift bends in them.

    Parameters
    ----------
    traces
        Means of traces.
    windows
        Time windows.
    dimensions
        2 or 3.
    settings
        Complete ones, see `DriftSettings.of_dimensions`.
    refine
        Whether windows may be halved.

    Raises
    ------
    ValueError
        If a window has too few traces, if windows are not connected by shifts that are more than
        chance and agree, or if the corrected traces do not come to lie on top of each other.
    """
    task = Task(traces, windows, dimensions, settings)
    check_filled(windows, task.counts, _FEWEST_TRACES, "traces")
    evidence, values, used = first_alignment(task)
    factor = finest_factor(evidence, used, windows.count)
    fit = fit_matches(task, values, task.pairs[used], factor, evidence.told)
    while True:
        fit = narrowed(fit)
        finer, bent = halved(fit)
        if finer is None or not (bent and refine and fit.factor <= _FINE_ENOUGH):
            break
        fit = finer
    _check_sharp(fit)
    _check_apart_in_time(fit)
    if refine:
        _check_bends(fit, finer)
    return fit.task.windows, _found(fit, finer)


def _check_sharp(fit: Fit) -> None:
    if fit.factor <= _FINE_ENOUGH:
        return
    windows, spread = fit.task.windows, fit.matches.spread.max()
    raise ValueError(
        f"{windows.count} windows of {windows.length:.4g} s have structure in common, but once "
        f"corrected it does not lie on top of itself: what agrees is spread over "
        f"{spread / 1e-9:.1f} nm or more. The drift bends within the windows, or the localizations "
        f"are coarse: give another window, a larger pixel, or leave the drift uncorrected"
    )


def _check_apart_in_time(fit: Fit) -> None:
    """Raise ValueError if windows share only what is seen where they border on each other."""
    times, weight = fit.task.times, fit.matches.weight
    seen = np.diff(fit.matches.times, axis=1)[:, 0]
    whole = times[fit.pairs[:, 1]] - times[fit.pairs[:, 0]]
    share = float(weight @ seen / max(float(weight @ whole), 1e-300))
    if share >= _LEAST_SHARE:
        return
    raise ValueError(
        f"what windows of {fit.task.windows.length:.4g} s have in common is seen around their "
        f"borders only, {share:.0%} of the time between their middles apart: the drift between "
        f"cannot be told. Give a shorter window, or leave the drift uncorrected"
    )


def _check_bends(fit: Fit, finer: Fit | None) -> None:
    """Raise ValueError if so few windows were left that bends between them cannot be told."""
    windows = fit.task.windows
    if windows.count >= _FEWEST_BENDS or (finer is not None and not apart_windows(finer).any()):
        return
    raise ValueError(
        f"only {windows.count} windows of {windows.length:.4g} s have structure in common that is "
        f"more than chance, and parts of them have none, so the drift between their middles cannot "
        f"be told. Loosen filters, leave the drift uncorrected, or ask for these windows (window=) "
        f"if the drift is known to be steady"
    )


def _blind(fit: Fit) -> Array:
    """Return what a bend within windows may be where it cannot be seen, metres, shape (axis,)."""
    width, d = fit.task.width(fit.factor), fit.task.dimensions
    if len(fit.values) < _FEWEST_BENDS:
        return np.asarray(width + np.ptp(fit.values[:, :d], axis=0) / 2.0)
    # no more than those from window to window
    bends = np.abs(np.diff(fit.values[:, :d], 2, axis=0)).max(axis=0)
    return np.minimum(bends / 4.0, width)


def _found(fit: Fit, finer: Fit | None) -> Found:
    task, matches, d = fit.task, fit.matches, fit.task.dimensions
    pairs, values, n = task.pairs, fit.values, task.windows.count
    which = np.full((n, n), -1)
    which[pairs[:, 0], pairs[:, 1]] = np.arange(len(pairs))
    used = which[fit.pairs[:, 0], fit.pairs[:, 1]]
    shifts, weights = np.full((len(pairs), 3), np.nan), np.zeros(len(pairs))
    rest = np.zeros((len(used), 3))
    rest[:, :d] = matches.pulls.sum(axis=0) / np.maximum(matches.stiffness, 1e-300)
    shifts[used] = rest + values[fit.pairs[:, 1]] - values[fit.pairs[:, 0]]
    weights[used] = matches.weight
    covariance = np.zeros((3, n, n))
    covariance[:d] = covariance_of(matches, task.times, task.settings.beyond)
    told = fit.told[:, :3]
    quality = np.stack([_agreement(told), told[:, 1]], axis=1)
    blind = np.append(_blind(fit), np.zeros(3 - d)) ** 2
    bends = Bends(task.times, values, np.zeros((n, 3)) + blind)
    if finer is not None:
        own = np.zeros((3, 2 * n, 2 * n))
        own[:d] = covariance_of(finer.matches, finer.task.times, task.settings.beyond)
        variances = np.diagonal(own, axis1=1, axis2=2).T + apart_windows(finer)[:, None] * blind
        bends = Bends(finer.task.times, finer.values, variances)
    return Found(
        task.times, values, task.counts, pairs, shifts, weights, quality, covariance, told, bends
    )


def _agreement(told: Array) -> Array:
    """Return the share of the places that agree on a shift that is not chance."""
    return np.asarray(1.0 - np.minimum(told[:, 2] / np.maximum(told[:, 1], 1e-300), 1.0))


def judge_pairs(
    traces: Traces,
    windows: Windows,
    dimensions: int,
    settings: DriftSettings,
    found: Found,
    *,
    uncertainty: bool,
) -> Found:
    """Return a drift found from localizations with what its traces tell of it.

    Notes
    -----
    ``chance`` as `find_peaks` tells it, for the shifts of the pairs; ``covariance`` from the traces
    that lie on top of each other after the correction. Windows that no shift that is more than
    chance connects to the others may be off by as much as was searched.
    """
    task = Task(traces, windows, dimensions, settings)
    lattice, table = table_of(task, traces, 1.0)
    steps, told, first = found.shifts / lattice.pixel, [], 0
    for lags in table_lags(table, lattice, task.search()):
        told.append(judge_shifts(lags, settings.peak(), steps[first : first + len(lags)]))
        first += len(lags)
    chance = np.concatenate(told)
    if not uncertainty:
        return replace(found, chance=chance)
    covariance = np.zeros((3, windows.count, windows.count))
    group = groups_of(found.pairs[chance[:, 0] < task.surely()], windows.count)
    if task.counts.min() > 0:
        _, matches = settled(task, found.values, found.pairs, 1.0, 1)
        covariance[:dimensions] = covariance_of(matches, task.times, settings.beyond)
    unknown = (settings.search() * lattice.pixel) ** 2 / 3.0
    apart = np.flatnonzero(group != np.bincount(group).argmax())
    covariance[:dimensions, apart, apart] += unknown
    return replace(found, chance=chance, covariance=covariance)
