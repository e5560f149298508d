"""Traces split into parts of one emitter each: by density, or by a mixture of Gaussians.

A trace is examined if it has enough localizations and is spread enough; any other is one part.
Parts with too few localizations, and parts most of whose localizations are too bright, are
rejected: -1. The rest are numbered from 0 in the order in which they begin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from mfxarray.kernels.clusters.mixtures import MOST_ROUNDS, TOLERANCE, parts_by_bic
from mfxarray.kernels.clusters.streams import begin_stream, stream_names
from mfxarray.kernels.clusters.trace_dbscan import label_dense, label_many
from mfxarray.kernels.clusters.variational import parts_by_variational

__all__ = ["METHODS", "SplitRules", "run_spreads", "split_runs"]

Array = np.ndarray[Any, Any]

METHODS = ("dbscan", "gmm", "bayes")
# mixtures see nanometres, as the numbers of scikit-learn's regularisation are made for about 1
_NM = 1e9
# runs of so many points are sorted into cells, where to look at each pair takes longer
_MANY = 1000


@dataclass(frozen=True)
class SplitRules:
    """How traces are split.

    Attributes
    ----------
    method
        "dbscan", "gmm" or "bayes".
    eps
        Of "dbscan": largest distance of neighbours, metres.
    min_localizations
        Of a part; of "dbscan" also the neighbours of a core point, itself included.
    examined_from
        Localizations of a trace that is examined.
    max_components, n_init
        Of mixtures: most parts, and starts of which the best is taken.
    weight_prior
        Of "bayes": concentration of the Dirichlet process.
    least_spread
        Of "gmm": smallest standard deviation of a part along an axis, metres.
    merge_distance
        Of "bayes": components with closer means are one part, metres; NaN takes the spread limit.
    seed
        Of the starts.
    """

    method: str
    eps: float = 20e-9
    min_localizations: int = 3
    examined_from: int = 0
    max_components: int = 3
    n_init: int = 3
    weight_prior: float = 1.0 / 3.0
    least_spread: float = 0.0
    merge_distance: float = 0.0
    seed: int = 0


def run_spreads(xyz: Array, starts: Array) -> Array:
    """Return the spread of each run, m, shape (run,): rms over measured axes, ddof 0.

    Parameters
    ----------
    xyz
        Positions, shape (row, 3).
    starts
        First row of each run; a run ends where the next one starts.

    Notes
    -----
    An axis in which all localizations of a run are equal was not measured.
    """
    bounds = np.append(starts, len(xyz)).astype(np.int64)
    out = np.empty(len(starts))
    _run_spreads(np.ascontiguousarray(xyz, float), bounds, out)
    return out


def split_runs(
    xyz: Array,
    efo: Array,
    keys: tuple[Array, Array],
    starts: Array,
    rules: SplitRules,
    spread_limit: float,
    efo_limits: Array,
) -> Array:
    """Return the part to which each localization belongs within its run, -1 if it is rejected.

    Parameters
    ----------
    xyz, efo
        Positions (m) and emission frequencies (Hz), shapes (row, 3) and (row,).
    keys
        Wash and trace id of each run: they name its random numbers.
    starts
        First row of each run, shape (run,).
    rules
        How to split.
    spread_limit
        Runs that spread less are one part, m.
    efo_limits
        Of each run: a part is rejected if more than half of its localizations are above; infinity
        or NaN rejects none.

    Returns
    -------
    numpy.ndarray
        Shape (row,), int64.
    """
    bounds = np.append(starts, len(xyz)).astype(np.int64)
    labels = np.empty(len(xyz), np.int64)
    places = np.ascontiguousarray(xyz, float)
    if rules.method == "dbscan":
        for run in np.flatnonzero(np.diff(bounds) >= _MANY).tolist():
            own = slice(bounds[run], bounds[run + 1])
            labels[own] = label_many(places[own], rules.eps, rules.min_localizations)
    names = stream_names(rules.seed, *keys)
    floor = (rules.least_spread * _NM) ** 2
    apart = spread_limit if np.isnan(rules.merge_distance) else rules.merge_distance
    _split_runs(
        places,
        np.ascontiguousarray(efo, float),
        names,
        bounds,
        (METHODS.index(rules.method), rules.examined_from, spread_limit),
        (rules.eps, rules.min_localizations),
        (rules.max_components, rules.n_init, rules.weight_prior, floor, apart * _NM),
        np.ascontiguousarray(efo_limits, float),
        labels,
    )
    return labels


@njit(nogil=True, cache=True, error_model="numpy")
def _run_spreads(xyz, bounds, out):  # type: ignore[no-untyped-def]
    for run in range(len(out)):
        out[run] = _spread(xyz[bounds[run] : bounds[run + 1]])


@njit(nogil=True, cache=True, error_model="numpy")
def _split_runs(xyz, efo, names, bounds, gate, density, mixture, efo_limits, labels):  # type: ignore[no-untyped-def]
    method, examined_from, spread_limit = gate
    state = np.empty(1, np.uint64)
    for run in range(len(bounds) - 1):
        first, last = bounds[run], bounds[run + 1]
        points, own = xyz[first:last], labels[first:last]
        if len(points) < examined_from or not _spread(points) >= spread_limit:
            own[:] = 0
        else:
            if method == 0 and len(points) < _MANY:
                label_dense(points, density[0], density[1], own)
            elif method > 0:
                own[:] = 0
                begin_stream(names[run], state)
                _by_mixture(_measured(points), method, mixture, state, own)
            _reject_small(own, density[1])
        _reject_bright(own, efo[first:last], efo_limits[run])
        _number_by_first(own)


@njit(nogil=True, cache=True, error_model="numpy")
def _by_mixture(points, method, mixture, state, labels):  # type: ignore[no-untyped-def]
    most, n_init, weight_prior, floor, apart = mixture
    if len(points) < 2 or points.shape[1] == 0:
        return
    if method == 1:
        rules = (TOLERANCE, MOST_ROUNDS, 1e-6, floor)
        parts_by_bic(points, most, n_init, rules, state, labels)
        return
    means = np.empty((most, points.shape[1]))
    rules = (TOLERANCE, MOST_ROUNDS, 1e-6, weight_prior)
    count = parts_by_variational(points, most, n_init, rules, state, labels, means)
    _merge_close(labels, means[:count], apart)


@njit(nogil=True, cache=True, error_model="numpy")
def _merge_close(labels, means, least):  # type: ignore[no-untyped-def]
    """Join populated components whose means are closer than that, directly or through others."""
    populated = np.zeros(len(means), np.bool_)
    for label in labels:
        populated[label] = True
    joined = np.arange(len(means))
    for one in range(len(means)):
        for other in range(one):
            if not (populated[one] and populated[other]):
                continue
            if np.sqrt(((means[one] - means[other]) ** 2).sum()) < least:
                old, new = joined[one], joined[other]
                joined[joined == old] = new
    for place in range(len(labels)):
        labels[place] = joined[labels[place]]


@njit(nogil=True, cache=True, error_model="numpy")
def _reject_small(labels, least):  # type: ignore[no-untyped-def]
    counts = np.zeros(labels.max() + 1, np.int64)
    for label in labels:
        if label >= 0:
            counts[label] += 1
    for place in range(len(labels)):
        if labels[place] >= 0 and counts[labels[place]] < least:
            labels[place] = -1


@njit(nogil=True, cache=True, error_model="numpy")
def _reject_bright(labels, efo, limit):  # type: ignore[no-untyped-def]
    size = labels.max() + 1
    counts, bright = np.zeros(size, np.int64), np.zeros(size, np.int64)
    for place in range(len(labels)):
        if labels[place] >= 0:
            counts[labels[place]] += 1
            bright[labels[place]] += efo[place] > limit
    for place in range(len(labels)):
        label = labels[place]
        if label >= 0 and 2 * bright[label] > counts[label]:
            labels[place] = -1


@njit(nogil=True, cache=True, error_model="numpy")
def _number_by_first(labels):  # type: ignore[no-untyped-def]
    numbers = np.full(labels.max() + 1, -1)
    found = 0
    for place in range(len(labels)):
        label = labels[place]
        if label < 0:
            continue
        if numbers[label] < 0:
            numbers[label] = found
            found += 1
        labels[place] = numbers[label]


@njit(nogil=True, cache=True, error_model="numpy")
def _spread(points):  # type: ignore[no-untyped-def]
    total, axes = 0.0, 0
    for axis in range(points.shape[1]):
        column = points[:, axis]
        if column.min() < column.max():
            # relative to the first: positions are far larger than their differences
            mean = (column - column[0]).mean()
            total += ((column - column[0] - mean) ** 2).mean()
            axes += 1
    return np.sqrt(total / max(axes, 1))


@njit(nogil=True, cache=True, error_model="numpy")
def _measured(points):  # type: ignore[no-untyped-def]
    """Return nanometres from the first point, along the axes in which points differ."""
    kept = np.empty(points.shape, np.float64)
    axes = 0
    for axis in range(points.shape[1]):
        column = points[:, axis]
        if column.min() < column.max():
            kept[:, axes] = (column - column[0]) * _NM
            axes += 1
    return np.ascontiguousarray(kept[:, :axes])
