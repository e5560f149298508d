"""A drift as a Dataset: the curve, the windows it goes through, the pairs they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from mfxarray.kernels.drift.points import Windows
from mfxarray.kernels.drift.solve import Curve
from mfxarray.kernels.drift.summary import Summary
from mfxarray.kernels.drift.trust import Bends, curve_deviation
from mfxarray.minflux.drift.settings import DriftSettings
from mfxarray.provenance import record
from mfxarray.schema import AXES

__all__ = ["Found", "curve_of", "drift_table"]

Array = np.ndarray[Any, Any]

# points of the displayed curve in a window
_PER_WINDOW = 10


@dataclass(frozen=True)
class Found:
    """The drift of the windows.

    Attributes
    ----------
    times
        Mean times of the windows, seconds, shape (window,).
    values
        Metres, shape (window, 3).
    counts
        Localizations, shape (window,).
    pairs
        Compared windows, shape (pair, 2).
    shifts
        Of the second against the first, metres, shape (pair, 3).
    weights
        Shape (pair,).
    quality
        See `mfxarray.kernels.drift.shifts.find_shifts`, shape (pair, 2).
    covariance
        Of the drift of the windows, m^2, shape (3, window, window); None if not wanted.
    chance
        Logarithm of the probability that chance makes the peak, places that agree, places expected
        to agree by chance; shape (pair, 3).
    bends
        What windows half as long say.
    """

    times: Array
    values: Array
    counts: Array
    pairs: Array
    shifts: Array
    weights: Array
    quality: Array
    covariance: Array | None = None
    chance: Array | None = None
    bends: Bends | None = None


def drift_table(
    attrs: Mapping[Any, Any],
    summary: Summary,
    windows: Windows,
    settings: DriftSettings,
    found: Found,
    parameters: Mapping[str, Any],
) -> xr.Dataset:
    """Return the Dataset of a drift."""
    curve = Curve(found.times, found.values, settings.beyond)
    step = windows.length / _PER_WINDOW
    times = np.append(np.arange(summary.first, summary.last, step), summary.last)
    named = {"time": (("time",), times, _attrs("s", "time since start of acquisition"))}
    tables = {
        **_curve_variables(curve(times), found, times, settings.beyond),
        **_window_variables(windows, found, settings.beyond),
    }
    tables |= _pair_variables(found)
    coords: dict[str, Any] = {**named, "axis": ("axis", list(AXES), {"long_name": "axis of space"})}
    kept = {**attrs, "drift_beyond": settings.beyond}
    return xr.Dataset(tables, coords, record(kept, "estimate_drift", parameters))


def curve_of(drift: xr.Dataset) -> Curve:
    """Return the curve through the windows of a drift.

    Raises
    ------
    ValueError
        If the Dataset is not one of `estimate_drift`.
    """
    if "window_drift" not in drift or "window_time" not in drift:
        raise ValueError("this is no drift: give the result of estimate_drift")
    values = drift["window_drift"].transpose("window", "axis").values
    beyond = str(drift.attrs.get("drift_beyond", "tangent"))
    return Curve(drift["window_time"].values, values, beyond)


def _attrs(units: str | None, long_name: str) -> dict[str, Any]:
    return {"long_name": long_name} if units is None else {"units": units, "long_name": long_name}


def _curve_variables(values: Array, found: Found, times: Array, beyond: str) -> dict[str, Any]:
    variables: dict[str, Any] = {
        "drift": (("time", "axis"), values, _attrs("m", "drift, to be subtracted from positions"))
    }
    if found.covariance is not None:
        curve = Curve(found.times, found.values, beyond)
        between = curve_deviation(curve, found.values, found.covariance, times, found.bends)
        text = "standard deviation of the drift, from parts of the field"
        variables["drift_uncertainty"] = (("time", "axis"), between, _attrs("m", text))
    return variables


def _window_variables(windows: Windows, found: Found, beyond: str) -> dict[str, Any]:
    starts = windows.start + np.arange(windows.count) * windows.length
    w, wa = ("window",), ("window", "axis")
    variables: dict[str, Any] = {
        "window_time": (w, found.times, _attrs("s", "mean time of the localizations")),
        "window_start": (w, starts, _attrs("s", "beginning of the window")),
        "window_end": (w, starts + windows.length, _attrs("s", "end of the window")),
        "window_localizations": (w, found.counts, _attrs("1", "localizations in the window")),
        "window_drift": (wa, found.values, _attrs("m", "drift of the window, mean 0")),
    }
    if found.covariance is not None:
        curve = Curve(found.times, found.values, beyond)
        own = curve_deviation(curve, found.values, found.covariance, found.times, found.bends)
        variables["window_uncertainty"] = (
            wa,
            own,
            _attrs("m", "standard deviation of the drift of the window"),
        )
    if found.chance is not None:
        best = np.zeros(windows.count)
        for side in (0, 1):
            np.maximum.at(best, found.pairs[:, side], -found.chance[:, 0] / np.log(10.0))
        text = "largest significance of a pair of the window"
        variables["window_significance"] = (w, best, _attrs("1", text))
    return variables


def _pair_variables(found: Found) -> dict[str, Any]:
    p, pa = ("pair",), ("pair", "axis")
    a, b = found.pairs.T
    residual = found.shifts - (found.values[b] - found.values[a])
    variables: dict[str, Any] = {
        "pair_first": (p, a, _attrs(None, "number of the earlier window")),
        "pair_second": (p, b, _attrs(None, "number of the later window")),
        "pair_shift": (pa, found.shifts, _attrs("m", "shift of the later window")),
        "pair_residual": (pa, residual, _attrs("m", "shift minus that of the solution")),
        "pair_weight": (p, found.weights, _attrs("1", "weight in the solution")),
        "pair_contrast": (
            p,
            found.quality[:, 0],
            _attrs("1", "share of the correlation peak above the next one"),
        ),
        "pair_correlation": (
            p,
            found.quality[:, 1],
            _attrs("1", "correlation at the shift, in pairs of localizations"),
        ),
    }
    if found.chance is not None:
        told = {
            "pair_significance": (
                -found.chance[:, 0] / np.log(10.0),
                "minus log10 of the probability that chance makes the shift",
            ),
            "pair_places": (found.chance[:, 1], "places that agree on the shift"),
            "pair_expected": (found.chance[:, 2], "places that agree by chance, expected"),
        }
        variables |= {name: (p, data, _attrs("1", text)) for name, (data, text) in told.items()}
    return variables
