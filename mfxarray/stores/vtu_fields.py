"""What is known at the points of a .vtu file of localizations or traces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.blocks import as_dask, whole
from mfxarray.chunked.trace_rows import trace_places
from mfxarray.minflux.beads.seed_summary import CLUSTERS, seed_summary, with_position
from mfxarray.minflux.rows import (
    dask_rows,
    index_of,
    last_iteration_of,
    trace_keys,
    used_rows,
)
from mfxarray.stores.export_rows import best_position, row_dim_of, safe_text

__all__ = ["PointField", "point_fields"]

_PHOTONS = ("efo", "cfr", "eco", "dcr", "fbg")
_OF_TRACES = ("duration", "photons", *(f"{name}_median" for name in _PHOTONS))
# made here, whatever a Dataset calls so
_OWN = ("points", "tid2", "tid", "tim", "wash", "se", "nl", "se_norm", "nl_norm")


@dataclass(frozen=True)
class PointField:
    """One number a point.

    Attributes
    ----------
    name
        Name in the file.
    data
        Shape (row,).
    normed
        Whether the file also has it divided by its largest value.
    """

    name: str
    data: da.Array
    normed: bool = False

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The dtype in the file: little-endian, one that VTK has."""
        kind = self.data.dtype
        if kind.kind == "b":
            return np.dtype("u1")
        if kind == np.float16:
            return np.dtype("<f4")
        return kind.newbyteorder("<")


def point_fields(
    ds: xr.Dataset, position: str | None, fields: Sequence[str] | None, factor: float
) -> tuple[da.Array, list[PointField]]:
    """Return positions, shape (row, 3), and what is known at them.

    Parameters
    ----------
    ds
        Localizations or traces.
    position, fields
        See `mfxarray.stores.vtu.write_vtu`.
    factor
        Multiplies what is in metres.

    Raises
    ------
    ValueError
        If there is no such position or field, or a field is not one number a row.
    """
    rows = row_dim_of(ds)
    usual = _PHOTONS if rows == "localization" else _OF_TRACES
    names = [n for n in usual if _is_there(ds, n)] if fields is None else list(fields)
    if rows == "localization":
        place, found = _of_localizations(ds, best_position(ds, position))
        names += [name for name in CLUSTERS if name in ds.variables and name not in names]
    elif position is None:
        place, found = _of_traces(ds, factor)
    else:
        raise ValueError("position= chooses among positions of localizations")
    found += [_further(ds, name, factor) for name in dict.fromkeys(names)]
    return place.astype(float) * factor, found


def _is_there(ds: xr.Dataset, name: str) -> bool:
    if name not in ds.variables:
        return False
    if name == "cfr" and ds.attrs.get("cfr_iteration", 0) is None:
        return False
    return last_iteration_of(ds, name).dims == (row_dim_of(ds),)


def _of_localizations(ds: xr.Dataset, position: str) -> tuple[da.Array, list[PointField]]:
    told = with_position(ds, position)
    place = dask_rows(last_iteration_of(told, "position"))
    used, keys = used_rows(told), list(trace_keys(told).values())
    number = trace_places(used, keys, index_of(told))[:, 0]
    return place, [
        PointField("tid2", number),
        PointField("tid", dask_rows(ds["tid"])),
        PointField("tim", dask_rows(ds["tim"])),
    ]


def _of_traces(ds: xr.Dataset, factor: float) -> tuple[da.Array, list[PointField]]:
    table = seed_summary(ds)
    place = whole(as_dask(table["ltr"].transpose("trace", "axis").data), [1])
    found = [PointField("tid2", as_dask(table["tid2"].data))]
    if "tid" in table.variables:
        found.append(PointField("tid", as_dask(table["tid"].data)))
    found.append(PointField("tim", as_dask(table["tim"].data)))
    found += [PointField(name, as_dask(table[name].data)) for name in CLUSTERS]
    found.append(PointField("se", as_dask(table["se"].data) * factor, normed=True))
    found.append(PointField("nl", as_dask(table["nl"].data), normed=True))
    return place, found


def _further(ds: xr.Dataset, name: str, factor: float) -> PointField:
    if name in _OWN:
        raise ValueError(f"the file has a field {name!r} of its own; leave it out of fields=")
    if not _is_there(ds, name):
        raise ValueError(f"{name!r} is not one number for each {row_dim_of(ds)}")
    field = last_iteration_of(ds, name)
    if field.dtype.kind not in "biuf" or field.dtype.itemsize > 8:
        raise ValueError(f"{name!r} has dtype {field.dtype}, which no .vtu file has")
    data = as_dask(field.data)
    in_metres = field.attrs.get("units") == "m"
    return PointField(safe_text(name), data * factor if in_metres and factor != 1 else data)
