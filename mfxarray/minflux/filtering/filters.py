"""Filters of localizations: masks that are recorded, and the one step that drops rows."""

from __future__ import annotations

from collections.abc import Mapping

import dask.array as da
import xarray as xr

from mfxarray.chunked.blocks import as_dask
from mfxarray.chunked.select import select_rows, selection_groups
from mfxarray.minflux.filtering.masks import PREFIX, Bounds, Range, Valid, mask_names
from mfxarray.minflux.rows import ROW, index_of, remember_index, selected_rows
from mfxarray.provenance import record
from mfxarray.schema import LOCALIZATIONS, by_name

__all__ = ["compact", "filter_localizations"]


def filter_localizations(
    ds: xr.Dataset,
    *,
    valid: bool = True,
    unmeasured: str = "keep",
    bounds: Mapping[str, Bounds],
) -> xr.Dataset:
    """Return the Dataset with a mask ``selected`` of the localizations that pass; no row is lost.

    Parameters
    ----------
    ds
        Localizations.
    valid
        Ask for ``vld`` too, where the data have it.
    unmeasured
        What happens to localizations whose cfr was not measured when cfr is bounded: "keep" or
        "drop". In tracking, cfr is measured only at the start of a trace.
    bounds
        For each field the lowest and highest value that pass, both included; None for no bound.
        Fields with an iteration dimension are taken from the last iteration, ``cfr`` from the last
        one in which it was measured. NaN never passes. For other iterations, open bounds, and
        masks by name see `mfxarray.minflux.filtering.masks`.

    Raises
    ------
    ValueError
        If a field is unknown, has no one value a localization, or its bounds make no sense.

    Notes
    -----
    Lazy. Filters combine: what an earlier one masked stays masked.
    """
    if unmeasured not in ("keep", "drop"):
        raise ValueError(f"unmeasured must be 'keep' or 'drop', not {unmeasured!r}")
    mask = selected_rows(ds)
    if valid:
        mask = mask & Valid().rows(ds)
    for name, (low, high) in bounds.items():
        mask = mask & Range(name, low, high, unmeasured=unmeasured).rows(ds)
    parameters = {
        "valid": valid,
        "unmeasured": unmeasured,
        "bounds": {name: list(pair) for name, pair in bounds.items()},
    }
    variable = xr.Variable((ROW,), mask, by_name(LOCALIZATIONS)["selected"].attrs())
    return ds.assign(selected=variable).assign_attrs(record(ds.attrs, "filter", parameters))


def compact(ds: xr.Dataset) -> xr.Dataset:
    """Return only the localizations that passed the filters; the rest and the masks are dropped.

    Raises
    ------
    ValueError
        If there is no mask ``selected``, so nothing was filtered.

    Notes
    -----
    Makes one counting pass over the fields that the filters use, the only time that reading is done
    before a result is asked for; it also counts the traces, so that ``traces`` needs no pass of its
    own. Selecting the rows is lazy again.
    """
    if "selected" not in ds:
        raise ValueError("nothing was filtered: call ds.mfx.filter(...) before compact()")
    mask = selected_rows(ds)
    index = index_of(ds)
    counts = [block.n_selected for block in index.blocks]
    groups = selection_groups(counts, mask.chunks[0])
    kept = ds.drop_vars(["selected", *(f"{PREFIX}{name}" for name in mask_names(ds))])
    kept.attrs.pop("masks", None)

    def take(variable: xr.Variable) -> xr.Variable:
        if ROW not in variable.dims:
            return variable
        moved = variable.transpose(ROW, ...)
        data = select_rows(_as_rows(moved, mask), mask, counts, groups)
        return xr.Variable(moved.dims, data, moved.attrs).transpose(*variable.dims)

    variables = {name: take(kept[name].variable) for name in kept.variables}
    coords = {name: variables.pop(name) for name in kept.coords}
    found = xr.Dataset(variables, coords, record(kept.attrs, "compact", {}))
    remember_index(found, index.grouped(groups))
    return found


def _as_rows(variable: xr.Variable, mask: da.Array) -> da.Array:
    return as_dask(variable.data).rechunk({0: mask.chunks[0]})
