"""A drift as a Dataset: the curve, the windows it goes through, the pairs they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from mfxarray.kernels.drift_points import Windows
from mfxarray.kernels.drift_solve import Curve
from mfxarray.kernels.drift_summary import Summary
from mfxarray.minflux.drift_settings import DriftSettings
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
        See `mfxarray.kernels.drift_shifts.find_shifts`, shape (pair, 2).
    uncertainty
        Standard deviation, metres, shape (window, 3).
    """

    times: Array
    values: Array
    counts: Array
    pairs: Array
    shifts: Array
    weights: Array
    quality: Array
    uncertainty: Array | None = None


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
        **_window_variables(windows, found),
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
    if found.uncertainty is not None:
        # the curve is linear in the windows, whose errors are taken as independent; so the band
        # widens where it goes on beyond them
        shares = Curve(found.times, np.eye(len(found.times)), beyond)(times)
        between = np.sqrt(shares**2 @ found.uncertainty**2)
        text = "standard deviation of the drift, from two halves of the traces"
        variables["drift_uncertainty"] = (("time", "axis"), between, _attrs("m", text))
    return variables


def _window_variables(windows: Windows, found: Found) -> dict[str, Any]:
    starts = windows.start + np.arange(windows.count) * windows.length
    w, wa = ("window",), ("window", "axis")
    variables: dict[str, Any] = {
        "window_time": (w, found.times, _attrs("s", "mean time of the localizations")),
        "window_start": (w, starts, _attrs("s", "beginning of the window")),
        "window_end": (w, starts + windows.length, _attrs("s", "end of the window")),
        "window_localizations": (w, found.counts, _attrs("1", "localizations in the window")),
        "window_drift": (wa, found.values, _attrs("m", "drift of the window, mean 0")),
    }
    if found.uncertainty is not None:
        variables["window_uncertainty"] = (
            wa,
            found.uncertainty,
            _attrs("m", "standard deviation of the drift of the window"),
        )
    return variables


def _pair_variables(found: Found) -> dict[str, Any]:
    p, pa = ("pair",), ("pair", "axis")
    a, b = found.pairs.T
    residual = found.shifts - (found.values[b] - found.values[a])
    return {
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
