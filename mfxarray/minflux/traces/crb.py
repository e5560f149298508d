"""Cramér-Rao bounds of localizations: the precision that their photons allow."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.kernels.traces import crb
from mfxarray.minflux.relocalised import iteration_numbers
from mfxarray.minflux.rows import ROW, dask_rows, selected_rows
from mfxarray.provenance import record

__all__ = [
    "DIRECTIONS",
    "Pattern",
    "axial_bound",
    "lateral_bound",
    "localization_bounds",
    "signal_to_background",
]

Array = np.ndarray[Any, Any]

# the bounds of a Dataset and what they are of
DIRECTIONS = {"bound_lateral": "lateral", "bound_axial": "axial"}


@dataclass(frozen=True)
class Pattern:
    """With which pattern of exposures a direction was measured.

    Attributes
    ----------
    size
        Pattern size L, m; `mfxarray.formats.sequence.Sequence.pattern_size_m` has it.
    iteration
        Number of the iteration whose photons and rates count. x and y need the last lateral one, z
        the last axial one, see `mfxarray.formats.sequence.Sequence`. None where the data have no
        iterations.
    photons
        Photons of each localization, see `mfxarray.minflux.photons.photons`, in place of ``eco``.
    """

    size: float
    iteration: int | None = None
    photons: xr.DataArray | None = None


def lateral_bound(
    photons: xr.DataArray, pattern_size: float, fwhm: float, sbr: xr.DataArray | float = math.inf
) -> xr.DataArray:
    """Return the Cramér-Rao bound along x or y, m.

    See `mfxarray.kernels.traces.crb.lateral_bound`.
    """
    crb.check_sizes(pattern_size, fwhm)
    function = partial(crb.lateral_bound, pattern_size=pattern_size, fwhm=fwhm)
    told = {"pattern_size": pattern_size, "fwhm": fwhm}
    return _labelled("lateral_bound", function, photons, sbr, told)


def axial_bound(
    photons: xr.DataArray, pattern_size: float, sbr: xr.DataArray | float = math.inf
) -> xr.DataArray:
    """Return the Cramér-Rao bound along z, m; see `mfxarray.kernels.traces.crb.axial_bound`."""
    crb.check_sizes(pattern_size)
    function = partial(crb.axial_bound, pattern_size=pattern_size)
    return _labelled("axial_bound", function, photons, sbr, {"pattern_size": pattern_size})


def signal_to_background(efo: xr.DataArray, fbg: xr.DataArray) -> xr.DataArray:
    """Return ``(efo - fbg) / fbg``, NaN where ``fbg`` is not between 0 and ``efo``."""
    found = xr.apply_ufunc(
        crb.signal_to_background, efo, fbg, dask="parallelized", output_dtypes=[float]
    )
    text = {"units": "1", "long_name": "signal over background"}
    noted = record(efo.attrs, "signal_to_background", {}, others={"fbg": fbg.attrs})
    return found.rename("sbr").assign_attrs({**text, "provenance": noted["provenance"]})


def localization_bounds(
    ds: xr.Dataset,
    *,
    lateral: Pattern,
    fwhm: float,
    axial: Pattern | None = None,
    sbr: xr.DataArray | float | None = None,
) -> xr.Dataset:
    """Return the Cramér-Rao bound of every localization.

    Parameters
    ----------
    ds
        Localizations.
    lateral
        How x and y were measured.
    fwhm
        Full width at half maximum that describes the donut, m; 250 to 300 nm are in use.
    axial
        How z was measured, None for no axial bound.
    sbr
        Signal over background: a number (infinite without background) or one a localization; if
        None, ``(efo - fbg) / fbg`` of the iteration of the pattern.

    Returns
    -------
    xarray.Dataset
        ``bound_lateral``, and ``bound_axial`` if wanted (m), along ``localization``. NaN where the
        iteration was not executed, or photons or ratio are not known.

    Raises
    ------
    ValueError
        If a size is out of range, a field is missing, or the iteration is not named or not there.

    Notes
    -----
    Lazy. Nothing is assumed of the instrument: sizes, width and iterations must be given. ``fbg``
    is 0 in aggregated exports and meaningless in data of sequences that do not sense the
    background; give ``sbr`` for these. The axial formula is for the three positions of a quadratic
    minimum.
    """
    crb.check_sizes(lateral.size, fwhm)
    patterns = {"bound_lateral": lateral}
    functions = {
        "bound_lateral": partial(crb.lateral_bound, pattern_size=lateral.size, fwhm=fwhm),
    }
    if axial is not None:
        crb.check_sizes(axial.size)
        patterns["bound_axial"] = axial
        functions["bound_axial"] = partial(crb.axial_bound, pattern_size=axial.size)
    variables = {}
    for name, pattern in patterns.items():
        photons, ratio = _photons(ds, pattern), _ratio(ds, pattern, sbr)
        data = da.map_blocks(_apply, photons, ratio, function=functions[name], dtype=float)
        variables[name] = ((ROW,), data, _bound_attrs(DIRECTIONS[name]))
    coords = {name: coord for name, coord in ds.coords.items() if coord.dims == (ROW,)}
    told: dict[str, Any] = {"fwhm": fwhm, "lateral": _told(lateral)}
    if axial is not None:
        told["axial"] = _told(axial)
    told["sbr"] = "efo, fbg" if sbr is None else _plain(sbr)
    return xr.Dataset(variables, coords, record(ds.attrs, "localization_bounds", told))


def _labelled(
    step: str,
    function: Callable[..., Array],
    photons: xr.DataArray,
    sbr: xr.DataArray | float,
    told: dict[str, Any],
) -> xr.DataArray:
    found = xr.apply_ufunc(
        partial(_apply, function=function),
        photons,
        sbr,
        dask="parallelized",
        output_dtypes=[float],
    )
    others = {"sbr": sbr.attrs} if isinstance(sbr, xr.DataArray) else None
    noted = record(photons.attrs, step, {**told, "sbr": _plain(sbr)}, others=others)
    attrs = {**_bound_attrs(step.removesuffix("_bound")), "provenance": noted["provenance"]}
    return found.rename(step).assign_attrs(attrs)


def _apply(photons: Array, sbr: Any, *, function: Callable[..., Array]) -> Array:
    return function(photons, sbr=sbr)


def _bound_attrs(direction: str) -> dict[str, str]:
    return {"units": "m", "long_name": f"{direction} Cramér-Rao bound"}


def _plain(sbr: xr.DataArray | float) -> float | str:
    if isinstance(sbr, xr.DataArray):
        return "given"
    # JSON has no infinity
    return float(sbr) if math.isfinite(sbr) else str(float(sbr))


def _told(pattern: Pattern) -> dict[str, Any]:
    counted = "eco" if pattern.photons is None else "given"
    return {"size": pattern.size, "iteration": pattern.iteration, "photons": counted}


def _field(ds: xr.Dataset, name: str, pattern: Pattern) -> xr.DataArray:
    """Return a field in the iteration of a pattern."""
    if name not in ds.variables:
        raise ValueError(f"the bound needs {name!r}, which these data do not have; give it instead")
    field = ds[name]
    if "iteration" not in field.dims:
        return field
    present = iteration_numbers(ds)
    if pattern.iteration not in present:
        raise ValueError(
            f"iteration must be one of {list(present)}, not {pattern.iteration!r}: "
            f"the last lateral one for x and y, the last axial one for z"
        )
    return field.isel(iteration=present.index(pattern.iteration), drop=True)


def _photons(ds: xr.Dataset, pattern: Pattern) -> da.Array:
    like = selected_rows(ds)
    if pattern.photons is not None:
        return _one_each(ds, pattern.photons, like)
    eco = dask_rows(_field(ds, "eco", pattern), like)
    position = dask_rows(_field(ds, "position", pattern), like)
    # counts of iterations that were not executed are not relied on to be 0
    return da.where(da.isfinite(position).all(axis=1), eco, 0)


def _ratio(ds: xr.Dataset, pattern: Pattern, sbr: xr.DataArray | float | None) -> da.Array:
    like = selected_rows(ds)
    if isinstance(sbr, xr.DataArray):
        return _one_each(ds, sbr, like)
    if sbr is None:
        rates = [dask_rows(_field(ds, name, pattern), like) for name in ("efo", "fbg")]
        return da.map_blocks(crb.signal_to_background, *rates, dtype=float)
    if not sbr > 0:
        raise ValueError(f"sbr must be above 0, not {sbr!r}")
    return da.full(like.shape, float(sbr), chunks=like.chunks)


def _one_each(ds: xr.Dataset, values: xr.DataArray, like: da.Array) -> da.Array:
    if values.dims != (ROW,) or values.sizes[ROW] != ds.sizes[ROW]:
        raise ValueError("photons and sbr must have one number a localization of these data")
    return dask_rows(values, like)
