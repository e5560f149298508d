"""The drift at which matched traces lie on top of each other, as sharp as they tell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import chi2

from mfxarray.kernels.drift.graph import groups_of
from mfxarray.kernels.drift.matches import Matches, sum_matches
from mfxarray.kernels.drift.points import Windows
from mfxarray.kernels.drift.solve import Curve
from mfxarray.kernels.drift.traces import near_counts
from mfxarray.kernels.drift.trust import covariance_of, rest_of
from mfxarray.minflux.drift.search import judged_at_zero
from mfxarray.minflux.drift.task import Task

__all__ = ["Fit", "apart_windows", "fit_matches", "halved", "narrowed", "settled"]

Array = np.ndarray[Any, Any]

_NEWTON_STEPS = 8
# of a step that ends them, metres
_SETTLED = 0.02e-9
# traces without which a window is not halved, and windows beyond which none is
_FEWEST_HALF, _MOST_HALVES = 3, 160
# probability of a bend that is none, for which windows are halved
_BENT = 1e-3
# chance of the pairs that must connect windows for what they say to be known
_LIKELY = 0.03
# error of halved windows, in widths of the matches, up to which they are taken
_WELL_KNOWN = 0.4


@dataclass(frozen=True)
class Fit:
    """Matched traces lie on top of each other: the drift at which they do."""

    task: Task
    values: Array
    matches: Matches
    pairs: Array
    factor: float
    told: Array


def fit_matches(task: Task, values: Array, pairs: Array, factor: float, told: Array) -> Fit:
    """Return the fit of matches of some pairs of windows, that starts from a drift."""
    values, matches = settled(task, values, pairs, factor)
    return Fit(task, values, matches, pairs, factor, told)


def narrowed(fit: Fit) -> Fit:
    """Return the fit of the narrowest matches that are still more than chance."""
    task = fit.task
    while fit.factor > 1:
        finer = max(fit.factor / 2.0, 1.0)
        trial, _ = settled(task, fit.values, fit.pairs, float(np.sqrt(finer * fit.factor)))
        trial, _ = settled(task, trial, fit.pairs, finer)
        told = judged_at_zero(task, trial, finer)
        # there were so many places for them to lie
        sure = told[:, 0] + np.log(2.0**task.dimensions) < task.surely()
        if groups_of(task.pairs[sure], task.windows.count).any():
            break
        fit = fit_matches(task, trial, task.pairs[sure], finer, told)
    return fit


def halved(fit: Fit) -> tuple[Fit | None, bool]:
    """Return the fit of windows half as long, and whether the drift bends in the longer ones."""
    task, windows = fit.task, fit.task.windows
    half = Windows(windows.start, windows.length / 2.0, 2 * windows.count, windows.closed)
    finer = replace(task, windows=half)
    if finer.counts.min() < _FEWEST_HALF or half.count > _MOST_HALVES:
        return None, False
    known = np.eye(windows.count, dtype=bool)
    known[fit.pairs[:, 0], fit.pairs[:, 1]] = True
    parents = finer.pairs // 2
    pairs = finer.pairs[known[parents[:, 0], parents[:, 1]]]
    before = Curve(task.times, fit.values, task.settings.beyond)(finer.times)
    found = fit_matches(finer, before, pairs, fit.factor, fit.told)
    found = replace(found, told=judged_at_zero(finer, found.values, fit.factor))
    if apart_windows(found).any():
        return found, False
    covariance = covariance_of(found.matches, finer.times, task.settings.beyond)
    change = (found.values - before)[:, : task.dimensions]
    change -= change.mean(axis=0)
    square = sum(
        float(change[:, axis] @ np.linalg.pinv(part, hermitian=True) @ change[:, axis])
        for axis, part in enumerate(covariance)
    )
    least = float(chi2.isf(_BENT, (half.count - 1) * task.dimensions))
    worst = float(np.sqrt(np.diagonal(covariance, axis1=1, axis2=2).max()))
    return found, square > least and worst < _WELL_KNOWN * task.width(fit.factor)


def apart_windows(fit: Fit) -> Array:
    """Return which windows no likely pair connects to most others, shape (window,)."""
    likely = fit.task.pairs[fit.told[:, 0] < np.log(_LIKELY)]
    group = groups_of(likely, fit.task.windows.count)
    return np.asarray(group != np.bincount(group).argmax())


def settled(
    task: Task, values: Array, pairs: Array, factor: float, steps: int = _NEWTON_STEPS
) -> tuple[Array, Matches]:
    """Return the drift at which matched traces lie on top of each other, and their sums."""
    d, settings = task.dimensions, task.settings
    width = task.width(factor)
    weight = 1.0 / np.sqrt(near_counts(task.traces.position[:, :d], task.number, width))
    values = values.copy()
    for step in range(steps):
        position = task.corrected(values).position[:, :d]
        matches = sum_matches(position, task.traces.time, task.number, weight, pairs, width)
        rest = np.clip(rest_of(matches, task.times, settings.beyond), -width / 2, width / 2)
        if np.abs(rest).max() < _SETTLED or step == steps - 1:
            break
        values[:, :d] += rest
    return values - values.mean(axis=0), matches
