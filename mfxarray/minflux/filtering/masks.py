"""Conditions on single localizations, and masks by name.

Conditions on whole traces are in `mfxarray.minflux.filtering.trace_masks`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.minflux.filtering.conditions import AllOf, AnyOf, Condition, Not, check_bounds, within
from mfxarray.minflux.relocalised import iteration_numbers
from mfxarray.minflux.rows import ROW, dask_rows, last_iteration_of, selected_rows
from mfxarray.provenance import record
from mfxarray.schema import AXES, CFR_NOT_MEASURED, LOCALIZATIONS, by_name

__all__ = [
    "AllOf",
    "AnyOf",
    "Box",
    "Condition",
    "Not",
    "Polygon",
    "Range",
    "Valid",
    "mask_localizations",
    "mask_names",
    "position_rows",
    "value_of_rows",
]

Array = np.ndarray[Any, Any]
Bounds = tuple[float | None, float | None]

PREFIX = "mask_"


@dataclass(frozen=True)
class Valid(Condition):
    """Localizations that the microscope called valid; all where the data do not tell."""

    kind = "valid"

    def rows(self, ds: xr.Dataset) -> da.Array:
        """Return which localizations pass."""
        like = selected_rows(ds)
        return dask_rows(ds["vld"], like) if "vld" in ds else da.ones_like(like, dtype=bool)


@dataclass(frozen=True)
class Range(Condition):
    """Localizations whose value of a field lies between bounds; NaN never does.

    Attributes
    ----------
    field
        Name of a variable with one value a localization, or one an iteration.
    low, high
        Bounds, None for none.
    closed
        Which bounds are included: "both", "left", "right" or "neither".
    iteration
        Number of the iteration that is looked at; if None the last, for cfr the last in which it
        was measured.
    unmeasured
        What becomes of localizations where there is nothing to look at: cfr was not measured, or
        the iteration not executed. "keep" or "drop".
    """

    kind = "range"
    field: str
    low: float | None = None
    high: float | None = None
    closed: str = "both"
    iteration: int | None = None
    unmeasured: str = "keep"

    def __post_init__(self) -> None:
        check_bounds(self.field, self.low, self.high, self.closed)
        if self.unmeasured not in ("keep", "drop"):
            raise ValueError(f"unmeasured must be 'keep' or 'drop', not {self.unmeasured!r}")

    def rows(self, ds: xr.Dataset) -> da.Array:
        """Return which localizations pass."""
        like = selected_rows(ds)
        values = value_of_rows(ds, self.field, self.iteration).rechunk(like.chunks)
        passes = within(values, self.low, self.high, self.closed)
        missing = self._missing(ds, values)
        if missing is None:
            return passes
        return passes | missing if self.unmeasured == "keep" else passes & ~missing

    def _missing(self, ds: xr.Dataset, values: da.Array) -> da.Array | None:
        if self.iteration is not None and "iteration" in ds["position"].dims:
            position = _at_iteration(ds, ds["position"], self.iteration)
            executed = ~da.isnan(dask_rows(position, values)).any(axis=1)
            missing: da.Array | None = ~executed
        else:
            missing = None
        if self.field != "cfr":
            return missing
        unknown = (values == CFR_NOT_MEASURED) | da.isnan(values)
        return unknown if missing is None else unknown | missing


@dataclass(frozen=True)
class Box(Condition):
    """Localizations whose position lies in a box, both bounds included.

    Attributes
    ----------
    x, y, z
        Lowest and highest value in metres, None for no bound.
    """

    kind = "box"
    x: Bounds = (None, None)
    y: Bounds = (None, None)
    z: Bounds = (None, None)

    def __post_init__(self) -> None:
        for name in AXES:
            check_bounds(name, *getattr(self, name))

    def rows(self, ds: xr.Dataset) -> da.Array:
        """Return which localizations pass."""
        position = position_rows(ds)
        found = ~da.isnan(position).any(axis=1)
        for column, name in enumerate(AXES):
            if any(bound is not None for bound in getattr(self, name)):
                found = found & within(position[:, column], *getattr(self, name))
        return found


@dataclass(frozen=True)
class Polygon(Condition):
    """Localizations inside a polygon, by the even-odd rule.

    Attributes
    ----------
    corners
        Corners in order, metres along the two axes, at least three; the last joins the first.
    plane
        The two axes.
    """

    kind = "polygon"
    corners: tuple[tuple[float, float], ...]
    plane: tuple[str, str] = ("x", "y")

    def __post_init__(self) -> None:
        shape = np.shape(self.corners)
        if len(shape) != 2 or shape[0] < 3 or shape[1] != 2 or not np.isfinite(self.corners).all():
            raise ValueError("a polygon needs at least three corners, each of two finite numbers")
        if len(set(self.plane)) != 2 or not set(self.plane) <= set(AXES):
            raise ValueError(f"plane must name two of the axes {AXES}, not {self.plane!r}")

    def rows(self, ds: xr.Dataset) -> da.Array:
        """Return which localizations pass."""
        first, second = (position_rows(ds)[:, AXES.index(name)] for name in self.plane)
        corners = np.array(self.corners, float)
        return da.map_blocks(inside_polygon, first, second, corners=corners, dtype=bool)


def inside_polygon(x: Array, y: Array, *, corners: Array) -> Array:
    """Return which points lie inside a polygon, by the even-odd rule; NaN never does."""
    inside = np.zeros(len(x), bool)
    with np.errstate(invalid="ignore"):
        for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            if y0 == y1:
                continue
            crosses = (y0 > y) != (y1 > y)
            inside ^= crosses & (x < x0 + (y - y0) * ((x1 - x0) / (y1 - y0)))
    return inside & ~np.isnan(x) & ~np.isnan(y)


def value_of_rows(ds: xr.Dataset, name: str, iteration: int | None = None) -> da.Array:
    """Return one value a localization of a field, shape (localization,).

    Raises
    ------
    ValueError
        If the field is unknown, has no such iteration, or has more than one value a localization.
    """
    if name not in ds.variables:
        known = sorted(str(key) for key in ds.variables if ROW in ds[key].dims)
        raise ValueError(f"no field {name!r} to filter by; there are {', '.join(known)}")
    field = ds[name]
    if iteration is None or "iteration" not in field.dims:
        field = last_iteration_of(ds, name)
    else:
        field = _at_iteration(ds, field, iteration)
    if field.dims != (ROW,):
        raise ValueError(
            f"field {name!r} has dimensions {field.dims}, a filter needs one value a localization; "
            f"make one with ds.assign(my_field=...)"
        )
    return dask_rows(field)


def _at_iteration(ds: xr.Dataset, field: xr.DataArray, number: int) -> xr.DataArray:
    present = iteration_numbers(ds)
    if number not in present:
        raise ValueError(f"iteration must be one of {list(present)}, not {number!r}")
    return field.isel(iteration=present.index(number), drop=True)


def position_rows(ds: xr.Dataset) -> da.Array:
    """Return the positions of the last iteration, shape (localization, 3)."""
    return dask_rows(last_iteration_of(ds, "position"), selected_rows(ds))


def mask_names(ds: xr.Dataset) -> list[str]:
    """Return the names of the masks of a Dataset, in the order in which they were made."""
    present = [str(name)[len(PREFIX) :] for name in ds.data_vars if str(name).startswith(PREFIX)]
    # stores may bring variables back in another order
    known = [name for name in ds.attrs.get("masks", []) if name in present]
    return known + [name for name in present if name not in known]


def mask_localizations(
    ds: xr.Dataset, conditions: Mapping[str, Condition] | Iterable[tuple[str, Condition]]
) -> xr.Dataset:
    """Return the Dataset with one mask a condition, ``mask_<name>``; no row is lost.

    Parameters
    ----------
    ds
        Localizations.
    conditions
        Conditions by name, applied in their order. The mask ``selected`` becomes what passes all of
        them and all earlier ones; conditions on traces see what passed so far.

    Raises
    ------
    ValueError
        If a name is no identifier or taken, or a condition does not fit the data.

    Notes
    -----
    Lazy, but for one counting pass for each condition on traces.
    """
    steps = list(conditions.items() if isinstance(conditions, Mapping) else conditions)
    for name, condition in steps:
        ds = _with_mask(ds, name, condition)
    return ds


def _with_mask(ds: xr.Dataset, name: str, condition: Condition) -> xr.Dataset:
    if not name.isidentifier():
        raise ValueError(f"a mask is named like a variable, in letters and digits, not {name!r}")
    if f"{PREFIX}{name}" in ds.variables:
        raise ValueError(f"there is a mask {name!r} already; give this one another name")
    passes = condition.rows(ds)
    attrs = {"long_name": f"localization passes {name}", "condition": str(condition.to_dict())}
    selected = selected_rows(ds) & passes
    found = ds.assign(
        {
            f"{PREFIX}{name}": ((ROW,), passes, attrs),
            "selected": ((ROW,), selected, by_name(LOCALIZATIONS)["selected"].attrs()),
        }
    )
    noted = record(ds.attrs, "mask", {"name": name, "condition": condition.to_dict()})
    return found.assign_attrs({**noted, "masks": [*mask_names(ds), name]})
