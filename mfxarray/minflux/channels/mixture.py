"""Fluorophores told apart by a value, the detector channel ratio or any other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.mixture_1d import (
    NUMBERS,
    QUALITY_BINS,
    MixtureArrays,
    MixturePlan,
    mixture_arrays,
)
from mfxarray.minflux.channels.labels import assign_channels
from mfxarray.minflux.channels.values import (
    COUNT,
    POOLED,
    STATISTICS,
    is_table,
    photon_weighted,
    point_values,
    rows_of,
    trace_values,
)
from mfxarray.minflux.filtering.masks import value_of_rows
from mfxarray.minflux.points import points_of
from mfxarray.provenance import record

__all__ = ["assign_channels", "choose_components", "fit_mixture", "photon_weighted"]

Array = np.ndarray[Any, Any]

_MEANING = {
    "mean": "mean of the component",
    "width": "standard deviation of the component",
    "fraction": "share of the values that the component has",
    "mean_error": "standard error of the mean",
    "width_error": "standard error of the width",
    "fraction_error": "standard error of the fraction",
    "boundary": "where the weighted densities of neighbouring components are equal",
    "counts": "values in a bin",
    "edges": "edges of the bins",
    "tried_bic": "Bayesian information criterion of so many components",
    "tried_log_likelihood": "log likelihood of so many components",
    "components": "number of components",
    "n": "values that were fitted",
    "weight": "sum of the weights of the values",
    "exact": "the likelihood is that of the values, not of bins",
    "log_likelihood": "log likelihood of all values",
    "bic": "Bayesian information criterion, less is better",
    "rounds": "steps made",
    "converged": "the likelihood rises no more",
    "rmse": f"rms difference of density between values and mixture, {QUALITY_BINS} bins",
    "rmse_relative": "rmse as a share of the highest density",
    "misassigned": "share of values that the likeliest component is not right for, as expected",
}
_DIMS = {"boundary": "between", "counts": "bin", "edges": "edge"}
_KINDS = {"components": int, "n": int, "weight": int, "rounds": int, "exact": bool}
_KINDS["converged"] = bool
_OF_VALUES = ("mean", "width", "mean_error", "width_error", "boundary", "edges")


def fit_mixture(
    ds: xr.Dataset,
    field: str = "dcr",
    components: int = 2,
    *,
    per: str = "trace",
    statistic: str = "mean",
    weights: str | None = None,
    max_exact: int = 200_000,
    bins: int = 1024,
    least_width: float = 0.01,
    starts: int = 8,
    seed: int = 0,
) -> xr.Dataset:
    """Return the mixture of Gaussians that a field of localizations or traces is made of.

    Parameters
    ----------
    ds
        Localizations; those that are valid, selected and have a position count. Or a table of
        traces.
    field
        What to tell fluorophores apart by: a variable with one value a localization (or a trace,
        in a table). Of one with iterations the last is taken; "dcr_pooled" is dcr weighted by
        photons over the repeated iterations, see `photon_weighted`.
    components
        Number of fluorophores.
    per
        "trace": one value a trace. "localization".
    statistic
        What of the localizations of a trace: "mean" or "median".
    weights
        Variable of whole numbers that say how often a value counts, summed over the localizations
        of a trace; "n" for the number of localizations of a trace. By default each value counts
        once. Standard errors and BIC take each count for an independent value.
    max_exact
        Up to so many values the likelihood is that of the values themselves; above it of bins.
    bins
        Number of bins between the lowest and the highest value, a multiple of 64.
    least_width
        Smallest width of a component, as a share of the standard deviation of all values.
    starts, seed
        How many starts the best is taken of, and what the random ones among them depend on.

    Returns
    -------
    xarray.Dataset
        Dimension ``component`` in the order of the means: ``mean``, ``width``, ``fraction`` and
        their standard errors. ``boundary`` between neighbours, NaN where nothing separates them.
        ``log_likelihood``, ``bic``, ``rmse`` (with 64 bins), ``misassigned`` (share of values
        expected in the wrong component), ``n``, ``exact``, ``converged``; ``counts`` and ``edges``
        of the histogram.

    Raises
    ------
    ValueError
        If a parameter makes no sense, or a field is missing or has several values.
    DataError
        On computing, if there are fewer different values than components.

    Notes
    -----
    Lazy; the traces of localizations are counted first, where they were not yet. The field is read
    twice for localizations; values of traces are kept, 16 bytes each. Values do not enter that are
    not finite, dcr outside 0 to 1, and cfr that was not measured. The same bits for every
    chunking: bins hold integers, values are sorted.

    With bins of width h = (highest - lowest) / ``bins``, widths are corrected for h^2 / 12, and
    means, widths and fractions are off by less than h^2 / s of components of width s: for dcr
    (h = 0.001, s = 0.05) by less than 2e-5. The starts are compared on the bins in any case.
    Components are Gaussians; lognormal, gamma and other families are not there.

    References
    ----------
    See `mfxarray.kernels.channels.mixture_1d`.
    """
    _check_numbers([components])
    plan = MixturePlan((components,), False, max_exact, bins, seed, starts, least_width)
    return _fitted(ds, field, per, statistic, weights, plan).drop_dims("tried")


def choose_components(
    ds: xr.Dataset,
    field: str = "dcr",
    most: int = 4,
    *,
    separated: bool = True,
    per: str = "localization",
    statistic: str = "mean",
    weights: str | None = None,
    max_exact: int = 200_000,
    bins: int = 1024,
    least_width: float = 0.01,
    starts: int = 8,
    seed: int = 0,
) -> xr.Dataset:
    """Return the mixture of 1 to ``most`` components whose BIC is lowest.

    Parameters
    ----------
    most
        Most components to try.
    separated
        Leave out mixtures in which nothing separates two neighbours, one being denser at both
        means: those make the shape of one fluorophore, as means of long and of short traces do.

    The others are those of `fit_mixture`.

    Returns
    -------
    xarray.Dataset
        As that of `fit_mixture`, with ``most`` components, of which those after the number
        ``components`` are NaN; and ``tried_bic`` and ``tried_log_likelihood`` along ``tried``.

    Notes
    -----
    Lazy, in the same passes as one fit. Values of localizations by default: those of traces scatter
    the more the shorter a trace is, so that one fluorophore is no Gaussian, and BIC takes several.
    It also takes more for outliers and where localizations of a trace resemble each other: look at
    the picture.
    """
    _check_numbers([most])
    tried = tuple(range(1, most + 1))
    plan = MixturePlan(tried, separated, max_exact, bins, seed, starts, least_width)
    return _fitted(ds, field, per, statistic, weights, plan)


def _check_numbers(numbers: Sequence[int]) -> None:
    for one in numbers:
        if isinstance(one, bool) or not isinstance(one, int | np.integer) or not 1 <= one <= 20:
            raise ValueError(f"the number of components is 1 to 20, not {one!r}")


def _check_plan(plan: MixturePlan, per: str, statistic: str) -> None:
    if per not in ("trace", "localization"):
        raise ValueError(f"per must be 'trace' or 'localization', not {per!r}")
    if statistic not in STATISTICS:
        raise ValueError(f"statistic must be 'mean' or 'median', not {statistic!r}")
    if plan.bins < QUALITY_BINS or plan.bins % QUALITY_BINS:
        raise ValueError(f"bins must be a multiple of {QUALITY_BINS}, not {plan.bins!r}")
    if plan.max_exact < 0 or plan.starts < 1 or plan.seed < 0:
        raise ValueError("max_exact and seed must not be negative, starts at least 1")
    if not 0 < plan.least_width < 1:
        raise ValueError(f"least_width lies between 0 and 1, not {plan.least_width!r}")


def _fitted(
    ds: xr.Dataset, field: str, per: str, statistic: str, weights: str | None, plan: MixturePlan
) -> xr.Dataset:
    _check_plan(plan, per, statistic)
    values, often, again = _values(ds, field, per, statistic, weights)
    arrays = mixture_arrays(values, often, plan, again=again)
    told = {"field": field, "per": per, "statistic": statistic, "weights": weights, **asdict(plan)}
    told["components"] = list(plan.components)
    units = "1" if field == POOLED and field not in ds.variables else ds[field].attrs.get("units")
    attrs = {"field": field, "per": per, "statistic": statistic, "units": units or "1"}
    coords = {
        "component": np.arange(max(plan.components)),
        "tried": ("tried", np.array(plan.components), {"long_name": "number of components"}),
    }
    noted = record(ds.attrs, "mixture", told)
    source = {key: noted[key] for key in ("source_file", "provenance") if key in noted}
    return xr.Dataset(_variables(arrays, attrs["units"]), coords, {**source, **attrs})


def _values(
    ds: xr.Dataset, field: str, per: str, statistic: str, weights: str | None
) -> tuple[da.Array, da.Array, bool]:
    """Return values and weights, and whether they are made again rather than kept."""
    values = point_values(ds, field)
    if is_table(ds):
        if per != "trace":
            raise ValueError("a table of traces has no localizations; ask for per='trace'")
        often = None if weights is None else _whole(points_of(ds).column(ds[weights]), weights)
        return values, _ones(values) if often is None else often.rechunk(values.chunks), False
    if per == "localization":
        if weights == COUNT and COUNT not in ds.variables:
            raise ValueError("weights='n' counts the localizations of traces: per='trace'")
        often = None if weights is None else _whole(value_of_rows(ds, weights), weights)
        return values, _ones(values) if often is None else often.rechunk(values.chunks), True
    counted = weights is None or (weights == COUNT and COUNT not in ds.variables)
    often = None if counted else _whole(value_of_rows(ds, str(weights)), str(weights))
    found, total = trace_values(values, often, rows_of(ds), statistic)
    return found, _ones(found) if weights is None else total, False


def _ones(values: da.Array) -> da.Array:
    return da.ones_like(values, dtype=np.int64)


def _whole(weights: da.Array, name: str) -> da.Array:
    if weights.dtype.kind not in "iu":
        raise ValueError(
            f"weights are whole numbers, eco for example, but {name!r} is {weights.dtype}; sums of "
            "others would depend on how the data are cut"
        )
    return weights.astype(np.int64)


def _variables(arrays: MixtureArrays, units: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, data in vars(arrays).items():
        if name == "numbers":
            continue
        dim = "tried" if name.startswith("tried") else _DIMS.get(name, "component")
        found[name] = ((dim,), data, _text(name, units))
    for place, name in enumerate(NUMBERS):
        kind = _KINDS.get(name, float)
        found[name] = ((), arrays.numbers[place].astype(kind), _text(name, units))
    return found


def _text(name: str, units: str) -> dict[str, str]:
    unit = units if name in _OF_VALUES else "1"
    if name == "rmse" and units != "1":
        unit = f"1/({units})"
    return {"units": unit, "long_name": _MEANING[name]}
