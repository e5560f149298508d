"""The shifts of time windows that are more than chance, looked for on pixels of many sizes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mfxarray.chunked.drift import table_lags
from mfxarray.kernels.drift.graph import agree, groups_of
from mfxarray.kernels.drift.peaks import find_peaks, judge_shifts, judging_reach
from mfxarray.kernels.drift.traces import Traces
from mfxarray.minflux.drift.task import Task, table_of

__all__ = ["Evidence", "finest_factor", "first_alignment", "judged_at_zero"]

Array = np.ndarray[Any, Any]

# windows this close are compared on coarse pixels, where there are most pairs of traces
_COARSE, _COARSE_DISTANCE = 4, 3
# a chance so small that no coarser pixels are looked at
_CERTAIN = -25.0
# by how much a logarithm of chance must be smaller to take coarser pixels
_WORTH = 3.0
# how far a pair may be off what the others say, pixels
_TOLERANCE = 4.0


@dataclass(frozen=True)
class Evidence:
    """The best shift of every pair of windows: what `find_peaks` tells, and on which pixels."""

    pairs: Array
    shifts: Array
    told: Array
    factor: Array

    def better(self, other: Evidence) -> Evidence:
        """Return this, and the other where its chance is much smaller."""
        # a coarser pixel must be worth its loss of precision
        takes = (other.told[:, 0] < self.told[:, 0] - 3.0)[:, None]
        return Evidence(
            self.pairs,
            np.where(takes, other.shifts, self.shifts),
            np.where(takes, other.told, self.told),
            np.where(takes[:, 0], other.factor, self.factor),
        )


def first_alignment(task: Task) -> tuple[Evidence, Array, Array]:
    """Return evidence, drift of the windows and which pairs count, after all searches."""
    settings = task.settings
    values = np.zeros((task.windows.count, 3))
    for _ in range(settings.repeats + 1):
        before = values
        evidence = _evidence(task, before)
        values, weights = _consistent(task, evidence, before)
        if np.abs(values - before).max() < _TOLERANCE * (settings.pixel or 0.0):
            break
    _check_connected(task, evidence, weights)
    return evidence, values, weights > 0


def finest_factor(evidence: Evidence, used: Array, n_windows: int) -> float:
    """Return the smallest factor of the pixel whose pairs connect all windows."""
    factors = np.unique(evidence.factor[used]).tolist()
    for factor in factors:
        if not groups_of(evidence.pairs[used & (evidence.factor <= factor)], n_windows).any():
            return float(factor)
    return float(factors[-1])


def judged_at_zero(task: Task, values: Array, factor: float) -> Array:
    """Return what `find_peaks` tells of a drift: of shift 0 once it is subtracted."""
    # a Gaussian of matches is as wide as one that smooths lags on pixels twice as large
    lattice, table = table_of(task, task.corrected(values), 2.0 * factor)
    peak = task.settings.peak()
    search = replace(task.search(), reach=judging_reach(peak))
    parts = [
        judge_shifts(lags, peak, np.zeros((len(lags), 3)))
        for lags in table_lags(table, lattice, search)
    ]
    return np.concatenate(parts)


def _evidence(task: Task, values: Array) -> Evidence:
    traces, factors = task.corrected(values), task.factors()
    near = task.pairs[:, 1] - task.pairs[:, 0] <= _COARSE_DISTANCE
    found = _at_factor(task, traces, factors[0])
    for factor in factors[1:]:
        if (found.told[near, 0] < _CERTAIN).all():
            break
        found = found.better(_at_factor(task, traces, factor))
    return found


def _at_factor(task: Task, traces: Traces, factor: int) -> Evidence:
    lattice, table = table_of(task, traces, factor)
    every, pairs, peak = task.search(), task.pairs, task.settings.peak()
    near = min(every.distance, _COARSE_DISTANCE) if factor >= _COARSE else every.distance
    search = replace(every, distance=near)
    parts = [find_peaks(lags, peak) for lags in table_lags(table, lattice, search)]
    shifts, told = np.zeros((len(pairs), 3)), np.zeros((len(pairs), 4))
    looked = pairs[:, 1] - pairs[:, 0] <= near
    found = np.concatenate([part[0] for part in parts]) * lattice.pixel
    shifts[looked] = np.where(np.isfinite(found), found, 0.0)
    told[looked] = np.concatenate([part[1] for part in parts])
    return Evidence(pairs, shifts, told, np.full(len(pairs), factor))


def _consistent(task: Task, evidence: Evidence, before: Array) -> tuple[Array, Array]:
    pairs = task.pairs
    sure = evidence.told[:, 0] < task.surely()
    pixel = evidence.factor * float(task.settings.pixel or 0.0)
    excess = np.maximum(evidence.told[:, 1] - evidence.told[:, 2], 0.0)
    weights = np.where(sure, excess / evidence.factor**2, 0.0)
    whole = evidence.shifts + before[pairs[:, 1]] - before[pairs[:, 0]]
    return agree(pairs, whole, weights, _TOLERANCE * pixel, task.windows.count)


def _check_connected(task: Task, evidence: Evidence, weights: Array) -> None:
    group = groups_of(task.pairs[weights > 0], task.windows.count)
    apart = np.flatnonzero(group != np.bincount(group).argmax())
    if not len(apart):
        return
    sure, agrees = int((evidence.told[:, 0] < task.surely()).sum()), int((weights > 0).sum())
    names = ", ".join(map(str, apart[:8].tolist())) + (" ..." if len(apart) > 8 else "")
    raise ValueError(
        f"time windows {names} have no structure in common with the others that is more than "
        f"chance: of {len(weights)} pairs of {task.windows.count} windows of "
        f"{task.windows.length:.4g} s {sure} have a shift that chance makes with a probability of "
        f"less than {task.settings.false_alarm:g}, and {agrees} of these agree with each other. "
        f"Give a longer window, loosen filters, or leave the drift uncorrected"
    )
