"""The values by which fluorophores are told apart: of localizations, or one a trace."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.iterations import repeated_iterations
from mfxarray.chunked.runs import RunIndex
from mfxarray.chunked.trace_rows import reduce_traces
from mfxarray.kernels.channels.labels import run_means
from mfxarray.kernels.traces.medians import run_medians
from mfxarray.minflux.filtering.masks import value_of_rows
from mfxarray.minflux.points import points_of
from mfxarray.minflux.relocalised import Choice, SequenceLike, choose_iterations, iteration_numbers
from mfxarray.minflux.rows import ROW, dask_rows, index_of, trace_keys, used_rows
from mfxarray.provenance import record
from mfxarray.schema import CFR_NOT_MEASURED

__all__ = [
    "COUNT",
    "POOLED",
    "STATISTICS",
    "Rows",
    "is_table",
    "photon_weighted",
    "point_values",
    "reduce_values",
    "rows_of",
    "trace_values",
]

Array = np.ndarray[Any, Any]

STATISTICS = ("mean", "median")
# weight of a trace: how many localizations with a value it has
COUNT = "n"
# what `photon_weighted` makes of dcr
POOLED = "dcr_pooled"


@dataclass(frozen=True)
class Rows:
    """Localizations, and how they make traces.

    Attributes
    ----------
    used
        Which of them count, shape (localization,).
    keys
        What names a trace, each of shape (localization,).
    index
        The runs of the traces.
    """

    used: da.Array
    keys: list[da.Array]
    index: RunIndex


def rows_of(ds: xr.Dataset) -> Rows:
    """Return the localizations of a Dataset; one counting pass is made for the traces."""
    return Rows(used_rows(ds), list(trace_keys(ds).values()), index_of(ds))


def is_table(ds: xr.Dataset) -> bool:
    """Tell whether a Dataset is a table of traces."""
    return ROW not in ds.dims and "trace" in ds.dims


def photon_weighted(
    ds: xr.Dataset,
    field: str = "dcr",
    *,
    sequence: SequenceLike | None = None,
    iterations: Iterable[int] | None = None,
) -> xr.DataArray:
    """Return a field of each localization, weighted by photons over the iterations that count.

    Parameters
    ----------
    ds
        Localizations with ``eco`` and ``position`` in their iterations.
    field
        Name of a field with one value an iteration.
    sequence, iterations
        Which iterations count, as for the "relocalised" photons of
        `mfxarray.minflux.photons.photons`; if neither is given nor stored they are inferred.

    Returns
    -------
    xarray.DataArray
        sum(value * eco) / sum(eco), shape (localization,), float64, named ``dcr_pooled``; NaN where
        nothing was measured. ``attrs["decided_by"]`` says what told the iterations.

    Raises
    ------
    ValueError
        If a field is missing or has no iterations, or the sequence is not that of the data.
    DataError
        On computing, if the iterations must be inferred and no trace tells them.

    Notes
    -----
    Lazy. One pass; two where the iterations are inferred. Iterations count that were executed and
    have photons and a value: of dcr 0 to 1, of cfr one that was measured, else a finite one.
    """
    for name in (field, "eco", "position"):
        if name not in ds.variables or not {ROW, "iteration"} <= set(ds[name].dims):
            raise ValueError(
                f"{field} is weighted by eco over iterations, but {name!r} has none here; call "
                f"this before last_iteration(), or use {field} as it is"
            )
    numbers, choice = iteration_numbers(ds), choose_iterations(ds, sequence, iterations)
    position = _rows(ds, "position", ("iteration", "axis"))
    values, eco = (_rows(ds, name, ("iteration",), position) for name in (field, "eco"))
    chosen = _chosen(ds, position, numbers, choice)
    data = da.blockwise(
        partial(_weighted_block, name=field),
        "r",
        *(values, "rk", eco, "rk", position, "rka", chosen, "k"),
        dtype=float,
        meta=np.empty(0),
    )
    told = {"field": field, "decided_by": choice.decided_by}
    if choice.numbers is not None:
        told["iterations"] = list(choice.numbers)  # type: ignore[assignment]
    text = {key: ds[field].attrs[key] for key in ("units",) if key in ds[field].attrs}
    noted = record(ds.attrs, "photon_weighted", told)["provenance"]
    attrs = {**text, "long_name": f"{field}, weighted by photons", **told, "provenance": noted}
    coords = {name: coord for name, coord in ds.coords.items() if coord.dims == (ROW,)}
    return xr.DataArray(data, coords, (ROW,), f"{field}_pooled", attrs)


def _rows(
    ds: xr.Dataset, name: str, dims: tuple[str, ...], like: da.Array | None = None
) -> da.Array:
    return dask_rows(ds[name].transpose(ROW, *dims), like)


def _chosen(ds: xr.Dataset, position: da.Array, numbers: Any, choice: Choice) -> da.Array:
    """Return for every iteration whether it counts."""
    if choice.numbers is not None:
        return da.from_array(np.array([one in choice.numbers for one in numbers]), chunks=-1)
    valid = dask_rows(ds["vld"], position) if "vld" in ds else None
    present = [name for name in ("wash", "thi", "sqi", "tid") if name in ds.variables]
    keys = [dask_rows(ds[name], position) for name in present if ds[name].dims == (ROW,)]
    return repeated_iterations(position, valid, keys)


def _weighted_block(
    values: list[Array], eco: list[Array], position: list[Any], chosen: list[Array], *, name: str
) -> Array:
    # dask hands over the blocks along the lost axes as lists, here of one
    executed = np.isfinite(position[0][0]).all(axis=-1) & chosen[0]
    known = _known(values[0].astype(float), name)
    weights = np.where(executed & np.isfinite(known) & (eco[0] > 0), eco[0], 0).astype(float)
    total = weights.sum(axis=1)
    summed = (np.where(weights > 0, known, 0.0) * weights).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(total > 0, summed / total, np.nan))


def _known(values: Array, name: str) -> Array:
    """Return values with NaN for what was not measured."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        if name.startswith("dcr"):
            # a share; vendors write a small negative number where they have none
            known &= (values >= 0) & (values <= 1)
        if name.startswith("cfr"):
            known &= values != CFR_NOT_MEASURED
    return np.where(known, values, np.nan)


def point_values(ds: xr.Dataset, field: str) -> da.Array:
    """Return the value of every localization or trace, shape (point,), float64.

    Parameters
    ----------
    ds
        Localizations, or a table of traces.
    field
        Name of a variable with one value a point; of one with iterations the last is taken.
        "dcr_pooled" is made by `photon_weighted` where the data do not have it.

    Returns
    -------
    dask.array.Array
        NaN for points that are not used, and where nothing was measured.

    Raises
    ------
    ValueError
        If there is no such field, or it has more values.
    """
    if is_table(ds):
        if field not in ds.variables:
            known = sorted(str(name) for name in ds.data_vars if ds[name].dims == ("trace",))
            raise ValueError(f"no field {field!r} in the table; there are {', '.join(known)}")
        points = points_of(ds)
        used, values = points.used, points.column(ds[field])
    else:
        used = used_rows(ds)
        if field == POOLED and field not in ds.variables:
            values = da.asarray(photon_weighted(ds).data)
        else:
            values = value_of_rows(ds, field)
        values = values.rechunk(used.chunks)
    return da.map_blocks(
        _value_block, values, used, field=field, dtype=float, meta=np.empty(0, float)
    )


def _value_block(values: Array, used: Array, *, field: str) -> Array:
    return np.where(used, _known(values.astype(float), field), np.nan)


def trace_values(
    values: da.Array, weights: da.Array | None, rows: Rows, statistic: str
) -> tuple[da.Array, da.Array]:
    """Return one value a trace and its weight, both of shape (trace,).

    Parameters
    ----------
    values
        Shape (localization,), NaN where there is none.
    weights
        Whole numbers that are summed over the localizations with a value; None counts these.
    rows
        The localizations.
    statistic
        One of `STATISTICS`.
    """
    often = da.ones_like(values, dtype=np.int64) if weights is None else weights
    reduce = partial(_statistic, statistic=statistic)
    table = reduce_values(reduce, [values, often.rechunk(values.chunks)], rows)
    return table[:, 0], table[:, 1].astype(np.int64)


def reduce_values(reduce: Any, columns: list[da.Array], rows: Rows) -> da.Array:
    """Return two numbers a trace, shape (trace, 2); ``reduce`` takes columns and first rows."""
    return reduce_traces(
        partial(_one_row_a_trace, reduce=reduce), rows.used, rows.keys, columns, rows.index, width=2
    )


def _one_row_a_trace(columns: list[Array], starts: Array, *, reduce: Any) -> tuple[Array, Array]:
    return reduce(columns, starts), np.ones(len(starts), np.int64)


def _statistic(columns: list[Array], starts: Array, *, statistic: str) -> Array:
    values, weights = columns
    middle = (run_means if statistic == "mean" else run_medians)(values, starts)
    counted = np.where(np.isnan(values), 0, weights).astype(np.int64)
    total = np.add.reduceat(counted, starts) if len(starts) else np.empty(0, np.int64)
    return np.column_stack([middle, total.astype(float)])
