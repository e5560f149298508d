"""The resolution on a statistics sheet: taken over from Fourier ring correlations, NaN without."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

__all__ = ["FrcLike", "correlations_of", "frc_variables"]

FrcLike = xr.Dataset | Mapping[str, xr.Dataset] | None
Variables = dict[str, tuple[Any, ...]]

# name of the input: of the variables, and what the correlation is of
_KINDS = {
    "localizations": ("frc", "localizations"),
    "combined": ("frc_combined", "mean positions of traces"),
}


def correlations_of(frc: FrcLike) -> dict[str, xr.Dataset]:
    """Return the correlations by what they are of.

    Raises
    ------
    ValueError
        If something else is given.
    """
    if frc is None:
        return {}
    found = {"localizations": frc} if isinstance(frc, xr.Dataset) else dict(frc)
    for name, one in found.items():
        if name not in _KINDS:
            raise ValueError(f"frc is given of {', '.join(_KINDS)}, not of {name!r}")
        if "resolution" not in one:
            raise ValueError("frc must have a variable resolution, in metres")
    return found


def frc_variables(correlations: Mapping[str, xr.Dataset]) -> Variables:
    """Return resolutions, NaN where they are not given, and curves where they are."""
    found: Variables = {}
    for kind, (name, of) in _KINDS.items():
        given = correlations.get(kind)
        text = {"units": "m", "long_name": f"resolution by Fourier ring correlation of {of}"}
        if given is None:
            found[f"{name}_resolution"] = ((), np.nan, {**text, "note": "not estimated; give frc="})
            continue
        found[f"{name}_resolution"] = ((), _over_repeats(given["resolution"]), text)
        found |= _curves(given, name, of)
    return found


def _curves(given: xr.Dataset, name: str, of: str) -> Variables:
    source = "correlation_smoothed" if "correlation_smoothed" in given else "correlation"
    if source not in given:
        return {}
    dim = f"{name}_frequency"
    curve = {"units": "1", "long_name": f"Fourier ring correlation of {of}"}
    axis = {"units": "1/m", "long_name": "spatial frequency"}
    found: Variables = {
        name: ((dim,), _over_repeats(given[source]), curve),
        dim: ((dim,), given["frequency"].values, axis),
    }
    if "threshold" in given:
        text = {"units": "1", "long_name": "threshold of the correlation"}
        found[f"{name}_threshold"] = ((dim,), given["threshold"].data, text)
    return found


def _over_repeats(values: xr.DataArray) -> Any:
    return values.mean("repeat").data if "repeat" in values.dims else values.data
