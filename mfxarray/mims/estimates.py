"""Values, errors and intervals of species, from raw or corrected counts, as lazy Datasets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.blocks import as_dask
from mfxarray.kernels.poisson import METHODS
from mfxarray.kernels.quotients import Quantity, effective_counts, interval, value_and_error
from mfxarray.mims.counted import split
from mfxarray.mims.expressions import Node, evaluate, names_in
from mfxarray.mims.stack import detector_numbers, ion_numbers
from mfxarray.provenance import ATTRIBUTE, record

__all__ = [
    "MIN_COUNTS",
    "Options",
    "formula_result",
    "joined_names",
    "quotient_result",
    "species_counts",
]

Counted = xr.DataArray | xr.Dataset
Species = str | Sequence[str]
Array = np.ndarray[Any, Any]

# fewer counts than these, of all species together, are not worth a value
MIN_COUNTS = 10
_ENDS = ("low", "high")


@dataclass(frozen=True)
class Options:
    """How much is asked of the counts, and of their interval."""

    confidence: float | None
    method: str
    min_counts: float

    def __post_init__(self) -> None:
        if self.confidence is not None and not 0 < self.confidence < 1:
            raise ValueError(f"confidence must lie between 0 and 1, not {self.confidence}")
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {METHODS}, not {self.method!r}")


def quotient_result(
    data: Counted,
    pair: tuple[Species, Species],
    quantity: Quantity,
    names: dict[str, str],
    units: str,
    options: Options,
    told: dict[str, Any],
) -> xr.Dataset:
    """Return a quantity of the quotient of two (sums of) species, with error and interval.

    Parameters
    ----------
    data
        Raw or corrected counts.
    pair
        Species above and below.
    quantity
        What to make of their ratio.
    names
        Name of the result, which is that of the recorded step, and its long name.
    units
        Of the result.
    options
        Interval and masking.
    told
        Further entries of the record.
    """
    counts, variance = split(data)
    above, below = (_as_names(species) for species in pair)
    if set(above) & set(below):
        raise ValueError(
            f"{sorted(set(above) & set(below))} is on both sides; use fraction(part, rest), or "
            "expression for other formulas"
        )
    picked = [_picked(counts, variance, species) for species in (above, below)]
    arrays = [_sum(values) for values, _ in picked]
    arrays += [_sum(widths) for _, widths in picked if widths]
    ((name, text),) = names.items()
    sides = {"numerator": above, "denominator": below, "min_counts": options.min_counts}
    interval_: dict[str, Any] = {"confidence": options.confidence, "method": options.method}
    attrs = record(counts.attrs, name, {**sides, **interval_, **told})
    common: dict[str, Any] = {"quantity": quantity, "least": options.min_counts}
    found = _stacked(partial(value_and_error, **common), arrays)
    texts = {name: text, "error": f"standard error of {name}"}
    result = _dressed(counts, found, texts, units, attrs)
    if options.confidence is None:
        return result
    ends = _stacked(partial(interval, **common, **interval_), arrays)
    sides_ = {end: f"{end} end of the {100 * options.confidence:g} % interval" for end in _ENDS}
    return result.assign(_dressed(counts, ends, sides_, units, attrs).data_vars)


def formula_result(data: Counted, formula: str, tree: Node, min_counts: float) -> xr.Dataset:
    """Return the value of a formula and its standard error.

    Parameters
    ----------
    data
        Raw or corrected counts.
    formula, tree
        The formula as written, and parsed.
    min_counts
        NaN where its detectors together have fewer effective counts.
    """
    counts, variance = split(data)
    names = names_in(tree)
    values, widths = _picked(counts, variance, names)
    evaluated = partial(_formula, tree=tree, names=tuple(names), least=min_counts)
    found = _stacked(evaluated, [*values, *widths])
    told = {"formula": formula, "min_counts": min_counts}
    texts = {"value": formula, "error": f"standard error of {formula}"}
    return _dressed(counts, found, texts, "1", record(counts.attrs, "expression", told))


def species_counts(counts: xr.DataArray, species: Species) -> da.Array:
    """Return the counts of a species, or the sum of several, float64, without ``detector``."""
    values, _ = _picked(counts, counts, _as_names(species))
    return _sum(values)


def _picked(
    counts: xr.DataArray, variance: xr.DataArray, names: Sequence[str]
) -> tuple[list[da.Array], list[da.Array]]:
    """Return counts and variances of species, float64; no variances for raw counts."""
    if "detector" not in counts.dims:
        raise ValueError(f"ratios need the dimension 'detector', not only {counts.dims}")
    numbers = detector_numbers(counts, names)
    ions = ion_numbers(counts)
    for name, number in zip(names, numbers, strict=True):
        if number not in ions:
            raise ValueError(f"{name!r} counts no ions, so its numbers have no Poisson error")

    def take(values: xr.DataArray) -> list[da.Array]:
        whole = [as_dask(values.isel(detector=number).data) for number in numbers]
        return [array.astype(np.float64) for array in whole]

    return take(counts), [] if variance is counts else take(variance)


def _sum(arrays: list[da.Array]) -> da.Array:
    total = arrays[0]
    for array in arrays[1:]:
        total = total + array
    return total


def _stacked(function: Any, arrays: list[da.Array]) -> da.Array:
    """Return what a function makes of arrays of one shape: two arrays, stacked first."""
    letters = "abcdefgh"[: arrays[0].ndim]
    pairs = [item for array in arrays for item in (array, letters)]
    meta = np.empty((0,) * (arrays[0].ndim + 1))
    new = {"z": 2}
    return da.blockwise(function, "z" + letters, *pairs, new_axes=new, dtype=np.float64, meta=meta)


def _formula(*arrays: Array, tree: Any, names: tuple[str, ...], least: float) -> Array:
    """Return value and error of a formula, shape (2, ...); counts first, then variances."""
    values, variances = arrays[: len(names)], arrays[len(names) :]
    with np.errstate(all="ignore"):
        value, slopes = evaluate(tree, dict(zip(names, values, strict=True)))
        pairs = zip(names, variances or values, strict=True)
        square = sum(slopes[name] ** 2 * variance for name, variance in pairs)
        widths = variances or (None,) * len(values)
        counts = sum(effective_counts(*both) for both in zip(values, widths, strict=True))
        error = np.sqrt(square)
    found = np.stack([value, np.where(error > 0, error, np.nan)])
    return np.where(np.isfinite(found) & (counts >= least), found, np.nan)


def _dressed(
    counts: xr.DataArray,
    stacked: da.Array,
    texts: dict[str, str],
    units: str,
    attrs: dict[Any, Any],
) -> xr.Dataset:
    place = counts.isel(detector=0, drop=True)
    variables = {
        name: (place.dims, stacked[number], {"units": units, "long_name": text})
        for number, (name, text) in enumerate(texts.items())
    }
    return xr.Dataset(variables, place.coords, {ATTRIBUTE: attrs[ATTRIBUTE]})


def _as_names(species: Species) -> list[str]:
    names = [species] if isinstance(species, str) else list(species)
    if not names or len(set(names)) != len(names):
        raise ValueError(f"name each species once, not {names}")
    return names


def joined_names(species: Species) -> str:
    """Return a species, or the sum of several, as text."""
    return " + ".join(_as_names(species))
