"""One mixture of Gaussians of values in any chunks, with the same bits for every chunking.

A first pass counts the values and finds their ends, a second one counts them in bins, which are
integers, and takes the values themselves as far as they are few enough in all.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from mfxarray.chunked.blocks import graph_array, reread
from mfxarray.errors import DataError
from mfxarray.kernels.channels.mixture_1d import Binned, Gaussians, fit_gaussians
from mfxarray.kernels.channels.mixture_1d_facts import (
    bic_of,
    boundaries_of,
    memberships,
    parameter_errors,
    shares_of_bins,
)

__all__ = ["NUMBERS", "QUALITY_BINS", "MixtureArrays", "MixturePlan", "mixture_arrays"]

Array = np.ndarray[Any, Any]

_SPLIT = 8
# bins in which a mixture is compared with the values
QUALITY_BINS = 64


@dataclass(frozen=True)
class MixturePlan:
    """How a mixture is fitted.

    Attributes
    ----------
    components
        Numbers of Gaussians to try; of several the one with the lowest criterion is taken.
    max_exact
        Values up to which the likelihood is that of the values, not of bins.
    bins
        Number of bins, a multiple of `QUALITY_BINS`.
    separated
        Leave out numbers with two neighbours that no boundary separates, if others are left.
    seed, starts, least_width
        As for `mfxarray.kernels.channels.mixture_1d.fit_gaussians`.
    """

    components: tuple[int, ...]
    separated: bool
    max_exact: int
    bins: int
    seed: int
    starts: int
    least_width: float


@dataclass(frozen=True)
class MixtureArrays:
    """What comes out, each a dask array; arrays of components end in NaN where fewer are taken.

    Attributes
    ----------
    mean, width, fraction, mean_error, width_error, fraction_error
        Shape (component,).
    boundary
        Shape (component - 1,).
    counts, edges
        Histogram, shape (bin,), int64, and (bin + 1,).
    tried_bic, tried_log_likelihood
        Shape (number tried,).
    numbers
        What is named in `NUMBERS`, shape (number,).
    """

    mean: da.Array
    width: da.Array
    fraction: da.Array
    mean_error: da.Array
    width_error: da.Array
    fraction_error: da.Array
    boundary: da.Array
    counts: da.Array
    edges: da.Array
    tried_bic: da.Array
    tried_log_likelihood: da.Array
    numbers: da.Array


NUMBERS = (
    "components",
    "n",
    "weight",
    "exact",
    "log_likelihood",
    "bic",
    "rounds",
    "converged",
    "rmse",
    "rmse_relative",
    "misassigned",
)


def mixture_arrays(
    values: da.Array, weights: da.Array, plan: MixturePlan, *, again: bool
) -> MixtureArrays:
    """Return the mixture of all values that are not NaN.

    Parameters
    ----------
    values, weights
        Shape (row,), float64 and int64, chunked alike; values of weight 0 or less do not count.
    plan
        How to fit.
    again
        Make the values twice rather than keep them until all were seen.

    Notes
    -----
    Lazy. Computing fails with DataError if there are fewer different values than components.
    """
    ends = _ends_of(values, weights)
    first, often = (reread(one, "mixture") if again else one for one in (values, weights))
    counts = _histogram(first, often, ends, plan.bins)
    name = f"mixture-{tokenize(values, weights, plan, again)}"
    tasks: dict[Any, Any] = {}
    take = partial(_take, most=plan.max_exact)
    for block in range(values.numblocks[0]):
        tasks[(f"{name}-values", block)] = (
            take,
            (first.name, block),
            (often.name, block),
            (ends.name, 0),
        )
    fit = partial(_fit, plan=plan)
    tasks[(name, 0)] = (fit, (ends.name, 0), (counts.name, 0), list(tasks))
    whole = graph_array(name, tasks, (first, often, ends, counts), ((1,),), object)
    return MixtureArrays(
        **{one.name: _part(whole, one.name, plan) for one in fields(MixtureArrays)}
    )


def _part(whole: da.Array, field: str, plan: MixturePlan) -> da.Array:
    most = max(plan.components)
    sizes = {"boundary": most - 1, "counts": plan.bins, "edges": plan.bins + 1}
    sizes |= {"tried_bic": len(plan.components), "tried_log_likelihood": len(plan.components)}
    sizes["numbers"] = len(NUMBERS)
    name = f"{whole.name}-{field}"
    dtype = np.int64 if field == "counts" else float
    tasks = {(name, 0): (partial(_get, field=field), (whole.name, 0))}
    return graph_array(name, tasks, (whole,), ((sizes.get(field, most),),), dtype)


def _get(found: dict[str, Array], *, field: str) -> Array:
    return found[field]


def _ends_of(values: da.Array, weights: da.Array) -> da.Array:
    """Return how many values count, how often in all, the lowest and the highest, shape (4,)."""
    name = f"mixture-ends-{tokenize(values, weights)}"
    tasks: dict[Any, Any] = {}
    for block in range(values.numblocks[0]):
        tasks[(f"{name}-each", block)] = (_block_ends, (values.name, block), (weights.name, block))
    tasks[(name, 0)] = (_joined_ends, list(tasks))
    return graph_array(name, tasks, (values, weights), ((4,),), float)


def _known(values: Array, weights: Array) -> tuple[Array, Array]:
    counts = np.isfinite(values) & (weights > 0)
    return values[counts], weights[counts]


def _block_ends(values: Array, weights: Array) -> tuple[int, int, float, float]:
    own, often = _known(values, weights)
    low, high = own.min(initial=np.inf), own.max(initial=-np.inf)
    return len(own), int(often.sum(dtype=np.int64)), float(low), float(high)


def _joined_ends(parts: list[tuple[int, int, float, float]]) -> Array:
    n, weight, low, high = zip(*parts, strict=True)
    return np.array([sum(n), sum(weight), min(low), max(high)], float)


def _histogram(values: da.Array, weights: da.Array, ends: da.Array, bins: int) -> da.Array:
    name = f"mixture-counts-{tokenize(values, weights, ends, bins)}"
    count = partial(_count, bins=bins)
    tasks = {
        (name, block, 0): (count, (values.name, block), (weights.name, block), (ends.name, 0))
        for block in range(values.numblocks[0])
    }
    chunks = ((1,) * values.numblocks[0], (bins,))
    each = graph_array(name, tasks, (values, weights, ends), chunks, np.int64)
    return da.sum(each, axis=0, dtype=np.int64, split_every=_SPLIT)


def _count(values: Array, weights: Array, ends: Array, *, bins: int) -> Array:
    own, often = _known(values, weights)
    _, _, low, high = ends.tolist()
    counts = np.zeros((1, bins), np.int64)
    if high > low:
        places = ((own - low) * (bins / (high - low))).astype(np.int64)
        # sums of integers, which np.bincount would make floats of
        np.add.at(counts[0], np.minimum(places, bins - 1), often)
    return counts


def _take(values: Array, weights: Array, ends: Array, *, most: int) -> tuple[Array, Array] | None:
    return _known(values, weights) if ends[0] <= most else None


def _fit(ends: Array, counts: Array, parts: list[Any], *, plan: MixturePlan) -> dict[str, Array]:
    n, weight, low, high = ends.tolist()
    binned = Binned(counts, low, high)
    exact = n <= plan.max_exact
    values, weights = _sorted(parts) if exact else binned.filled() if high > low else (None, None)
    fits = {
        number: fit_gaussians(
            binned,
            number,
            values if exact else None,
            weights if exact else None,
            seed=plan.seed,
            starts=plan.starts,
            least_width=plan.least_width,
        )
        for number in plan.components
        if high > low
    }
    tried = {number: found for number, found in fits.items() if found is not None}
    if not tried:
        raise DataError(
            f"a mixture of {min(plan.components)} needs more different values than the "
            f"{int(n)} that are there",
            hint="Look at the field and the filters, or ask for fewer components.",
        )
    criteria = {
        number: bic_of(found.log_likelihood, number, weight) for number, found in tried.items()
    }
    apart = [one for one in tried if np.isfinite(boundaries_of(tried[one])).all()]
    best = min(apart if apart and plan.separated else tried, key=criteria.__getitem__)
    told = _told(tried[best], binned, values, weights, max(plan.components))
    told["tried_bic"] = np.array([criteria.get(one, np.nan) for one in plan.components])
    told["tried_log_likelihood"] = np.array(
        [tried[one].log_likelihood if one in tried else np.nan for one in plan.components]
    )
    numbers = {"components": best, "n": n, "weight": weight, "exact": exact}
    numbers |= {"log_likelihood": tried[best].log_likelihood, "bic": criteria[best]}
    numbers |= {"rounds": tried[best].rounds, "converged": tried[best].converged}
    numbers |= _quality(tried[best], binned, values, weights)
    told["numbers"] = np.array([numbers[name] for name in NUMBERS], float)
    return told


def _sorted(parts: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Return all values in order, so that sums do not depend on how they were cut."""
    values, weights = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((weights, values))
    return values[order].astype(float), weights[order].astype(float)


def _told(
    found: Gaussians, binned: Binned, values: Any, weights: Any, most: int
) -> dict[str, Array]:
    errors = parameter_errors(values, weights, found)
    edges = np.linspace(binned.low, binned.high, len(binned.counts) + 1)
    columns = {
        "mean": found.means,
        "width": found.widths,
        "fraction": found.fractions,
        **dict(zip(("mean_error", "width_error", "fraction_error"), errors, strict=True)),
    }
    told = {name: _padded(column, most) for name, column in columns.items()}
    told["boundary"] = _padded(boundaries_of(found), most - 1)
    return {**told, "counts": np.asarray(binned.counts), "edges": edges}


def _padded(values: Array, length: int) -> Array:
    return np.append(values, np.full(length - len(values), np.nan))


def _quality(found: Gaussians, binned: Binned, values: Any, weights: Any) -> dict[str, float]:
    """Return the rms difference of densities, the same as a share of the highest, and the error."""
    edges = np.linspace(binned.low, binned.high, QUALITY_BINS + 1)
    each = edges[1] - edges[0]
    counts = binned.counts.reshape(QUALITY_BINS, -1).sum(axis=1)
    seen = counts / counts.sum() / each
    rmse = float(np.sqrt(np.mean((seen - shares_of_bins(edges, found) / each) ** 2)))
    sure = memberships(values, found).max(axis=1)
    wrong = float((weights * (1.0 - sure)).sum() / weights.sum())
    return {"rmse": rmse, "rmse_relative": rmse / float(seen.max()), "misassigned": wrong}
