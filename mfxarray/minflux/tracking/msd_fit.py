"""Models of motion fitted to the mean squared displacement of all tracks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from mfxarray.errors import DataError
from mfxarray.provenance import record

__all__ = ["MODELS", "fit_msd", "model_curve"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class _Model:
    """A curve, and what its parameters beside the offset are.

    ``rise`` takes times, dimensions and parameters, gives what comes on top of the offset.
    Parameters are sought between ``low`` and ``high``, with lengths and times near 1.
    """

    rise: Callable[[Array, float, Array], Array]
    names: tuple[str, ...]
    units: tuple[str, ...]
    long_names: tuple[str, ...]
    low: tuple[float, ...] = (0.0, -np.inf)
    high: tuple[float, ...] = (np.inf, np.inf)


def _free(time: Array, d: float, found: Array) -> Array:
    return np.asarray(2 * d * found[0] * time)


def _anomalous(time: Array, d: float, found: Array) -> Array:
    return np.asarray(2 * d * found[0] * time ** found[1])


def _confined(time: Array, d: float, found: Array) -> Array:
    return np.asarray(-2 * d * found[1] * np.expm1(-time * found[0] / found[1]))


def _directed(time: Array, d: float, found: Array) -> Array:
    return np.asarray(2 * d * found[0] * time + found[1] * time**2)


_D = "diffusion coefficient"
MODELS = {
    "free": _Model(_free, ("D",), ("m^2/s",), (_D,), (-np.inf,), (np.inf,)),
    "anomalous": _Model(
        _anomalous,
        ("K", "exponent"),
        ("m^2/s^exponent", "1"),
        ("anomalous diffusion coefficient", "exponent of time"),
        (0.0, 0.0),
        (np.inf, 3.0),
    ),
    "confined": _Model(
        _confined,
        ("D", "confinement_variance"),
        ("m^2/s", "m^2"),
        (_D, "variance of the places along an axis"),
        (0.0, 1e-4),
        (np.inf, 1e4),
    ),
    "directed": _Model(
        _directed,
        ("D", "squared_speed"),
        ("m^2/s", "m^2/s^2"),
        (_D, "square of the speed of the drift, below 0 too"),
        (-np.inf, -np.inf),
    ),
}


def fit_msd(curve: xr.Dataset, model: str = "free", *, lags: int | None = None) -> xr.Dataset:
    """Return the parameters of a model of motion, fitted to the curve of all tracks.

    Parameters
    ----------
    curve
        Result of `mfxarray.minflux.tracking.msd_curves.msd` with ``per="ensemble"``.
    model
        "free": 2 d D t. "anomalous": 2 d K t^exponent. "confined": 2 d V (1 - exp(-t D / V)), of a
        harmonic trap, whose places have the variance V. "directed": 2 d D t + (speed t)^2. All have
        an offset: 2 d times the variance of the localization error, less what blur takes.
    lags
        Fit the first so many points; all by default.

    Returns
    -------
    xarray.Dataset
        The parameters and their standard errors (``D``, ``D_error``, ...); ``offset`` (m^2); of
        "confined" also ``confinement_radius``, that of a disc or ball in which places of the
        same variance are evenly spread, of "directed" also ``speed``; along ``lag`` the
        ``fitted`` curve and ``lag_time``.

    Raises
    ------
    ValueError
        If it is no curve of an ensemble, or the model is unknown.
    DataError
        If there are fewer points than parameters.

    Notes
    -----
    Computes the curve. Points are weighed by their variances; the errors of the parameters take
    into account how the points hang together.
    """
    if model not in MODELS:
        raise ValueError(f"model must be one of {tuple(MODELS)}, not {model!r}")
    if "msd_covariance" not in curve:
        raise ValueError("fit the result of msd with per='ensemble'")
    shown = curve.isel(lag=slice(lags), other_lag=slice(lags)).compute()
    known = (shown["pairs"].values > 0) & (shown["msd_error"].values > 0)
    told = MODELS[model]
    if known.sum() <= len(told.names):
        raise DataError(
            f"{known.sum()} points of the curve, {len(told.names) + 1} numbers to find",
            hint="Give more lags, or more tracks.",
        )
    time, msd = shown["lag_time"].values, shown["msd"].values
    covariance = shown["msd_covariance"].values[np.ix_(known, known)]
    d = float(shown["dimensions"])
    found, errors = _fitted(told, time[known], msd[known], covariance, d)
    variables = _variables(told, found, errors, d)
    fitted = told.rise(time, d, found[:-1]) + found[-1]
    about = {"units": "m^2", "long_name": f"curve of {model} motion"}
    variables |= {"fitted": ("lag", fitted, about), "lag_time": shown["lag_time"]}
    attrs = record(curve.attrs, "fit_msd", {"model": model, "lags": lags}) | {"model": model}
    return xr.Dataset(variables, attrs=attrs).assign_coords(lag=shown["lag"])


def model_curve(fit: xr.Dataset, time: Array, dimensions: float) -> Array:
    """Return the fitted curve at any times, m^2."""
    told = MODELS[fit.attrs["model"]]
    found = np.array([float(fit[name]) for name in told.names])
    return np.asarray(told.rise(time, dimensions, found) + float(fit["offset"]))


def _fitted(
    told: _Model, time: Array, msd: Array, covariance: Array, d: float
) -> tuple[Array, Array]:
    """Return parameters with the offset last, and their standard errors."""
    from scipy.optimize import least_squares

    # lengths and times near 1
    unit, scale = time.mean(), msd.mean()
    weights = scale / np.sqrt(np.diag(covariance))
    ends = ([*told.low, -np.inf], [*told.high, np.inf])

    def misfit(own: Array) -> Array:
        return np.asarray((told.rise(time / unit, d, own[:-1]) + own[-1] - msd / scale) * weights)

    tried = [
        least_squares(misfit, start, "3-point", ends, x_scale="jac", max_nfev=1000)
        for start in _starts(told, d)
    ]
    best = min(tried, key=lambda one: float(one.cost))
    # the inverse of what weighs points turns their covariance into that of the parameters
    inverse = np.linalg.pinv(np.asarray(best.jac)) * weights
    spread = np.diag(inverse @ (covariance / scale**2) @ inverse.T)
    units = _units(told, best.x, unit, scale)
    return best.x * units, np.sqrt(np.maximum(spread, 0.0)) * units


def _starts(told: _Model, d: float) -> list[Array]:
    """Return parameters to start from: a line, and for two parameters several bends."""
    if len(told.names) == 1:
        return [np.array([0.5 / d, 0.1])]
    return [np.array([0.5 / d * more, bend, 0.1]) for bend in (0.1, 1.0) for more in (1.0, 5.0)]


def _units(told: _Model, own: Array, unit: float, scale: float) -> Array:
    known = {"m^2/s": scale / unit, "m^2": scale, "m^2/s^2": scale / unit**2, "1": 1.0}
    if "m^2/s^exponent" in told.units:
        known["m^2/s^exponent"] = scale / unit ** own[1]
    return np.array([*(known[name] for name in told.units), scale])


def _variables(told: _Model, found: Array, errors: Array, d: float) -> dict[str, Any]:
    names, units = [*told.names, "offset"], [*told.units, "m^2"]
    texts = [*told.long_names, "height of the curve at time 0"]
    out: dict[str, Any] = {}
    for name, value, error, unit, text in zip(names, found, errors, units, texts, strict=True):
        out |= _pair(name, value, error, unit, text)
    if "confinement_variance" in out:
        radius = np.sqrt(found[1] * (d + 2))
        text = "radius of a disc or ball with that variance"
        error = 0.5 * errors[1] / found[1] * radius
        out |= _pair("confinement_radius", radius, error, "m", text)
    if "squared_speed" in out:
        speed = np.sqrt(max(found[1], 0.0))
        # where the square is not above its error the root cannot be told better than so
        error = 0.5 * errors[1] / max(speed, np.sqrt(errors[1]))
        out |= _pair("speed", speed, error, "m/s", "speed of the drift")
    return out


def _pair(name: str, value: float, error: float, unit: str, text: str) -> dict[str, Any]:
    return {
        name: ((), value, {"units": unit, "long_name": text}),
        f"{name}_error": ((), error, {"units": unit, "long_name": f"standard error of the {text}"}),
    }
