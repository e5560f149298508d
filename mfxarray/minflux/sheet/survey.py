"""What a statistics sheet must know before it is made: extents, and where cfr was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import compute

from mfxarray.chunked.quantiles import quantiles
from mfxarray.chunked.shortcuts import select_iteration
from mfxarray.minflux.filtering.masks import position_rows
from mfxarray.minflux.relocalised import iteration_numbers
from mfxarray.minflux.rows import dask_rows, last_iteration_of, used_rows
from mfxarray.schema import AXES, CFR_NOT_MEASURED

__all__ = ["Cfr", "Survey", "survey"]

Array = np.ndarray[Any, Any]

_FLAT = 1e-9
_SHARES = (0.01, 0.02, 0.98, 0.99)
_SPLIT = 8


@dataclass(frozen=True)
class Cfr:
    """The ratio of the emission frequencies, one a localization.

    Attributes
    ----------
    values
        Shape (localization,), NaN where it was not measured; None if it never was.
    iteration
        Number of the iteration; None where the data have no iterations.
    text
        What is to be said of it, or nothing.
    """

    values: da.Array | None
    iteration: int | None
    text: str


@dataclass(frozen=True)
class Survey:
    """What is known of the localizations that count.

    Attributes
    ----------
    count
        Their number.
    ranges
        Hazen quantiles 0.01 and 0.99 along x, y, z, metres, shape (axis, 2).
    limits
        Hazen quantiles 0.02 and 0.98, alike.
    cfr
        The ratio.
    """

    count: int
    ranges: Array
    limits: Array
    cfr: Cfr

    @property
    def dimensions(self) -> int:
        """3 where positions along z spread over more than 1 nm, else 2."""
        low, high = self.ranges[2]
        return 3 if high - low > _FLAT else 2


def survey(ds: xr.Dataset) -> Survey:
    """Return what is known of the localizations that count.

    Raises
    ------
    ValueError
        If there is none.

    Notes
    -----
    Reads positions twice and the emission frequencies once, at once.
    """
    used = used_rows(ds)
    position = position_rows(ds).rechunk({0: used.chunks[0]})
    ends = [quantiles(position[:, axis], used, _SHARES, hazen=True) for axis in range(len(AXES))]
    counts = _unmeasured(ds, used)
    found, unmeasured = compute(ends, counts)
    count = int(found[0][0])
    if not count:
        raise ValueError("no localization is left to make statistics of; loosen the filters")
    low, inner_low, inner_high, high = np.array(found)[:, 1:].T
    cfr = _cfr_of(ds, used, None if unmeasured is None else unmeasured / count)
    ranges, limits = (np.stack(pair, axis=1) for pair in ((low, high), (inner_low, inner_high)))
    return Survey(count, ranges, limits, cfr)


def _unmeasured(ds: xr.Dataset, used: da.Array) -> da.Array | None:
    """Return for efc and efo how many values are not finite, shape (2, iteration)."""
    if not {"efc", "efo"} <= set(ds.data_vars):
        return None
    fields = [dask_rows(ds[name], used) for name in ("efc", "efo")]
    fields = [field if field.ndim == 2 else field[:, None] for field in fields]
    if fields[0].shape != fields[1].shape:
        return None
    counts = da.map_blocks(
        _count_unmeasured,
        used[:, None],
        *fields,
        chunks=((1,) * used.numblocks[0], (2 * fields[0].shape[1],)),
        dtype=np.int64,
        meta=np.empty((0, 0), np.int64),
    )
    return da.sum(counts, axis=0, dtype=np.int64, split_every=_SPLIT).reshape(2, -1)


def _count_unmeasured(used: Array, *fields: Array) -> Array:
    rows = used[:, 0]
    counts = [np.count_nonzero(~np.isfinite(field[rows]), axis=0) for field in fields]
    return np.concatenate(counts)[None]


def _cfr_of(ds: xr.Dataset, used: da.Array, unmeasured: Array | None) -> Cfr:
    """Return efc / efo of the last iteration in which most values of both are there."""
    if unmeasured is None or not (unmeasured < 0.5).all(axis=0).any():
        return _stored(ds, used)
    place, last = int(np.flatnonzero((unmeasured < 0.5).all(axis=0))[-1]), unmeasured.shape[1] - 1
    efc, efo = (_at(ds[name], place, used) for name in ("efc", "efo"))
    if "iteration" not in ds["efc"].dims:
        return Cfr(_ratio(efc, efo), None, "")
    numbers = iteration_numbers(ds)
    told = f"cfr: of iteration {numbers[place]}, not measured later"
    return Cfr(_ratio(efc, efo), int(numbers[place]), "" if place == last else told)


def _at(field: xr.DataArray, place: int, used: da.Array) -> da.Array:
    if "iteration" not in field.dims:
        return dask_rows(field, used)
    rows = dask_rows(field)
    return select_iteration(rows, place).rechunk({0: used.chunks[0]})


def _ratio(efc: da.Array, efo: da.Array) -> da.Array:
    return da.map_blocks(_divided, efc, efo, dtype=float, meta=np.empty(0))


def _divided(efc: Array, efo: Array) -> Array:
    top, below = efc.astype(float), efo.astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        # an infinite frequency is none, and must not make a ratio of 0
        return np.where(np.isfinite(below), top / below, np.nan)


def _stored(ds: xr.Dataset, used: da.Array) -> Cfr:
    """Return the ratio as the microscope gave it."""
    which = ds.attrs.get("cfr_iteration", 0)
    if "cfr" not in ds or which is None:
        return Cfr(None, None, "cfr: not measured")
    values = dask_rows(last_iteration_of(ds, "cfr"), used).astype(float)
    values = da.where(values == CFR_NOT_MEASURED, np.nan, values)
    return Cfr(values, None, "cfr: as stored, there are no emission frequencies to make it of")
