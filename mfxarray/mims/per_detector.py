"""Values that belong to detectors: from the header, or given as a number, by name or in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from mfxarray.mims.stack import ion_numbers

__all__ = ["PerDetector", "detector_values", "dwell_seconds"]

PerDetector = str | float | Mapping[str, float] | Sequence[float | None]
Array = np.ndarray[Any, Any]


def detector_values(
    counts: xr.DataArray, given: PerDetector, attribute: str, *, neutral: float
) -> Array:
    """Return one value a detector, float64; ``neutral`` for those that count no ions.

    Parameters
    ----------
    counts
        Anything with the dimension ``detector``.
    given
        "header"; a number for all; values by name, the header's for names that are not given; or
        as many values as detectors, None where one counts no ions.
    attribute
        Coordinate or attribute that holds the header's values.
    neutral
        Value that changes nothing.

    Raises
    ------
    ValueError
        If an ion detector is left without a value, or a value is negative or not finite.
    """
    names = [str(name) for name in counts["detector"].values]
    ions = ion_numbers(counts)
    known = _given(counts, given, attribute, names)
    values = np.full(len(names), float(neutral))
    for number in ions:
        value = known.get(names[number])
        if value is None:
            raise ValueError(
                f"no {attribute} is known for detector {names[number]!r}; give it by name, for "
                f"example {{{names[number]!r}: {neutral}}}"
            )
        if not (np.isfinite(value) and value >= 0):
            raise ValueError(f"{attribute} of {names[number]!r} must not be {value}")
        values[number] = value
    return values


def dwell_seconds(counts: xr.DataArray, given: PerDetector = "header") -> Array:
    """Return the dwell time of a pixel in one frame for every detector, seconds.

    Raises
    ------
    ValueError
        If it is unknown or not positive.
    """
    stored = counts.attrs.get("dwell_time_s")
    if isinstance(given, str) and given == "header" and isinstance(stored, int | float):
        given = float(stored)
    values = detector_values(counts, given, "dwell_time_s", neutral=1.0)
    if not (values > 0).all():
        raise ValueError("the dwell time must be more than 0 s; give dwell_time in seconds")
    return values


def _given(
    counts: xr.DataArray, given: PerDetector, attribute: str, names: list[str]
) -> dict[str, Any]:
    if isinstance(given, str):
        if given != "header":
            raise ValueError(f"{attribute} must be 'header' or values, not {given!r}")
        return _header(counts, attribute, names)
    if isinstance(given, Mapping):
        for name in given:
            if name not in names:
                raise ValueError(f"no detector {name!r}; there are {', '.join(map(repr, names))}")
        return {**_header(counts, attribute, names), **given}
    if isinstance(given, Sequence | np.ndarray):
        if len(given) != len(names):
            raise ValueError(f"{len(given)} values of {attribute} for {len(names)} detectors")
        return dict(zip(names, given, strict=True))
    return dict.fromkeys(names, given)


def _header(counts: xr.DataArray, attribute: str, names: list[str]) -> dict[str, Any]:
    """Return the header's values by name, as far as they can be told apart."""
    if attribute in counts.coords and counts[attribute].dims == ("detector",):
        found = counts[attribute].values.tolist()
        return {n: None if v != v else v for n, v in zip(names, found, strict=True)}
    stored = counts.attrs.get(attribute)
    if not isinstance(stored, list | tuple | np.ndarray):
        return {}
    # the attributes keep all detectors of the file after some were selected
    owners = [str(name) for name in counts.attrs.get("detectors", names)]
    if len(owners) != len(stored):
        return {}
    return dict(zip(owners, stored, strict=True))
