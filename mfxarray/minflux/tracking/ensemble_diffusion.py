"""One diffusion coefficient of all tracks, with an error from how much the tracks differ.

Sums over tracks and over their products are all that is kept, so that millions of tracks cost one
pass. Errors are those of ratios of sums over independent tracks: they hold whatever the
tracks differ by, and count no pair of points twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.track_sums import sums_and_products
from mfxarray.kernels.tracking.diffusion_likelihood import likelihood_derivatives
from mfxarray.kernels.tracking.diffusion_msd import line_weights
from mfxarray.kernels.tracking.displacements import (
    StepColumn,
    frame_times,
    lag_sums,
    step_sums,
    steps_of,
)
from mfxarray.kernels.tracking.track_points import TrackRules, Tracks
from mfxarray.minflux.tracking.rows import track_rows

__all__ = ["EnsembleModel", "ensemble_diffusion"]

Array = np.ndarray[Any, Any]

# points of a curve among which the best number is chosen
_MOST_POINTS = 10
_PASSES = 25
_ENOUGH = 1e-9

# name, unit and meaning of what is found
_FOUND = (
    ("D", "m^2/s", "diffusion coefficient"),
    ("D_error", "m^2/s", "standard error of the diffusion coefficient, between tracks"),
    ("localization_variance", "m^2", "variance of the localization error, below 0 too"),
    ("localization_variance_error", "m^2", "standard error of that variance, between tracks"),
    ("localization_sigma", "m", "localization error along an axis, 0 where it is below"),
    ("tracks", "1", "tracks with a step"),
    ("steps", "1", "steps between localizations of the same segment"),
    ("dimensions", "1", "mean number of axes that count"),
    ("mean_step_time", "s", "mean time of a step"),
    ("points", "1", "points of the line through the mean squared displacements"),
)
# columns of the sums, all but steps counted once an axis
_A, _C, _N, _P, _T, _BN, _BP, _STEPS, _WIDTH = range(9)


@dataclass(frozen=True)
class EnsembleModel:
    """How the tracks are described; see `mfxarray.minflux.tracking.tracking.diffusion`.

    ``known`` is the variance of the localization error, NaN where it is to be found.
    """

    method: str
    blur: float
    frame_time: float | None
    known: float
    points: int | None


def ensemble_diffusion(ds: xr.Dataset, rules: TrackRules, model: EnsembleModel) -> xr.Dataset:
    """Return D and the localization error of all tracks together, each without dimension."""
    sums = sums_and_products(track_rows(ds, rules, partial(_sums, model=model), _WIDTH))
    if model.method == "mle":
        found = da.asarray(_likeliest(ds, rules, model, np.asarray(sums.compute())))
    elif model.method == "cve":
        found = _one_task(partial(_by_covariances, known=model.known), sums)
    else:
        most = model.points or _MOST_POINTS
        rows = track_rows(ds, rules, partial(_lag_rows, lags=most), 3 * most)
        curve = sums_and_products(rows)
        found = _one_task(partial(_by_line, lags=most, choice=model.points), sums, curve)
    names = _FOUND if model.method == "msd" else _FOUND[:-1]
    return xr.Dataset(
        {
            name: ((), found[number], {"units": unit, "long_name": text})
            for number, (name, unit, text) in enumerate(names)
        }
    )


def _one_task(function: Any, *tables: da.Array) -> da.Array:
    """Return what a function makes of whole tables, lazily, shape (10,)."""
    flat = [table.reshape(-1) for table in tables]
    widths = [table.shape[0] for table in tables]
    call = partial(_called, function=function, widths=widths)
    whole = flat[0] if len(flat) == 1 else da.concatenate(flat).rechunk(-1)
    return da.map_blocks(call, whole, chunks=((len(_FOUND),),), dtype=float, meta=np.empty(0))


def _called(values: Array, *, function: Any, widths: list[int]) -> Array:
    tables, start = [], 0
    for width in widths:
        tables.append(values[start : start + width * width].reshape(width, width))
        start += width * width
    return np.asarray(function(*tables))


def _blur_times(tracks: Tracks, model: EnsembleModel) -> Array:
    """Return the blur b of each track, seconds; 0 for tracks without a step."""
    count = len(tracks.axes)
    if model.blur == 0 or model.frame_time is not None:
        return np.full(count, model.blur * (model.frame_time or 0.0))
    return np.nan_to_num(model.blur * frame_times(steps_of(tracks)))


def _sums(tracks: Tracks, *, model: EnsembleModel) -> Array:
    """Return what the covariances need of each track; NaN for tracks without a step."""
    sums, axes = step_sums(tracks), tracks.dimensions
    blur = _blur_times(tracks, model)
    steps, pairs = sums[:, StepColumn.STEPS], sums[:, StepColumn.PAIRS]
    columns = (
        sums[:, StepColumn.SQUARES].sum(axis=1),
        sums[:, StepColumn.PRODUCTS].sum(axis=1),
        steps * axes,
        pairs * axes,
        sums[:, StepColumn.TIME] * axes,
        blur * steps * axes,
        blur * pairs * axes,
        steps,
    )
    out = np.column_stack(columns)
    out[steps * axes == 0] = np.nan
    return out


def _result(
    sums: Array, d: float, d_variance: Any, s: float, s_variance: Any, points: float = np.nan
) -> Array:
    """Return the numbers in the order of `_FOUND`."""
    tracks, total = sums[0, 0], sums[0, 1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = tracks / (tracks - 1) if tracks > 1 else np.nan
        errors = np.sqrt(d_variance * spread), np.sqrt(s_variance * spread)
        per = (total[_N] / total[_STEPS], total[_T] / total[_N])
    sigma = np.sqrt(max(s, 0.0)) if s == s else np.nan
    return np.array([d, errors[0], s, errors[1], sigma, tracks, total[_STEPS], *per, points])


def _by_covariances(sums: Array, *, known: float) -> Array:
    total, products = sums[0, 1:], sums[1:, 1:]
    a, c, n, p, t, bn, bp = total[:_STEPS]
    to_d, to_s = np.zeros((2, _WIDTH))
    with np.errstate(divide="ignore", invalid="ignore"):
        if np.isnan(known):
            d = (a / 2 + c * n / p) / t
            to_d[[_A, _C, _N, _P, _T]] = 0.5, n / p, c / p, -c * n / p**2, -d
            to_d /= t
            s = 2 * bp / p * d - c / p
            to_s = 2 * bp / p * to_d
            to_s[_BP] += 2 * d / p
            to_s[_P] += (c - 2 * bp * d) / p**2
            to_s[_C] -= 1 / p
        else:
            clear = t - 2 * bn
            d, s = (a - 2 * known * n) / (2 * clear), known
            to_d[[_A, _N, _T, _BN]] = np.array([0.5, -known, -d, 2 * d]) / clear
    return _result(sums, float(d), to_d @ products @ to_d, float(s), to_s @ products @ to_s)


def _lag_rows(tracks: Tracks, *, lags: int) -> Array:
    """Return pairs, times and squares of each lag, pairs and times counted once an axis."""
    sums, axes = lag_sums(tracks, lags), tracks.dimensions[:, None]
    out = np.column_stack([sums[..., 0] * axes, sums[..., 1] * axes, sums[..., 2]])
    out[sums[:, 0, 0] * axes[:, 0] == 0] = np.nan
    return out


def _by_line(sums: Array, curve: Array, *, lags: int, choice: int | None) -> Array:
    total, products = curve[0, 1:].reshape(3, lags), curve[1:, 1:]
    known = int(np.count_nonzero(total[0]))
    tried = [choice] if choice else list(range(2, known + 1))
    best = (np.nan,) * 5
    blur = sums[0, 1 + _BN] / sums[0, 1 + _N] if sums[0, 0] else 0.0
    for number in tried:
        if number > known:
            break
        pairs, times, squares = total[:, :number]
        time, msd = times / pairs, squares / pairs
        slope, height = line_weights(time, np.ones(number))
        rise = slope @ msd
        found = []
        for weights in (0.5 * slope, 0.5 * height + blur * slope):
            # later times lower a line as much as they would have raised its points
            gradient = np.zeros((3, lags))
            gradient[:, :number] = (
                weights / pairs * np.array([rise * time - msd, -rise + 0 * msd, 1 + 0 * msd])
            )
            flat = gradient.ravel()
            found += [float(weights @ msd), float(flat @ products @ flat)]
        if not best[1] <= found[1]:
            best = (*found, float(number))  # type: ignore[assignment]
    return _result(sums, *best)


def _likeliest(ds: xr.Dataset, rules: TrackRules, model: EnsembleModel, sums: Array) -> Array:
    """Return what all steps are most likely with: steps of Newton from what covariances tell."""
    start = _by_covariances(sums, known=model.known)
    scale = sums[0, 1 + _A] / max(sums[0, 1 + _T], 1e-300)
    mean = start[8]
    if not (np.isfinite(start[0]) and scale > 0):
        return start
    here = np.array([max(start[0], 0.01 * scale), max(start[2], 0.01 * scale * mean)])
    fixed = np.array([False, not np.isnan(model.known)])
    here[1] = model.known if fixed[1] else here[1]
    units = np.array([scale, scale * mean])
    best, step = -np.inf, np.zeros(2)
    for _ in range(_PASSES):
        make = partial(_derivatives, model=model, diffusion=float(here[0]), error=float(here[1]))
        table = np.asarray(sums_and_products(track_rows(ds, rules, make, 6)).compute())
        value = table[0, 1]
        if value < best - 1e-12 * abs(best):
            step = step / 2
            here = here - step
            continue
        best, kept = value, (here.copy(), table)
        step = _newton(table, units, here, fixed)
        if np.all(np.abs(step) < _ENOUGH * units):
            break
        here = here + step
    here, table = kept
    variances = _sandwich(table, fixed | (here <= 0))
    return _result(sums, here[0], variances[0], here[1], variances[1])


def _derivatives(tracks: Tracks, *, model: EnsembleModel, diffusion: float, error: float) -> Array:
    steps = steps_of(tracks)
    out = likelihood_derivatives(steps, _blur_times(tracks, model), diffusion, error)
    out[(np.diff(steps.bounds) == 0) | (steps.axes == 0)] = np.nan
    return out


def _parts(table: Array) -> tuple[Array, Array, Array]:
    """Return the gradient, minus the curvature, and the sum of squared gradients."""
    dd, ds, ss = table[0, 4:7]
    return table[0, 2:4], -np.array([[dd, ds], [ds, ss]]), table[2:4, 2:4]


def _newton(table: Array, units: Array, here: Array, fixed: Array) -> Array:
    """Return the next step, which keeps D and s from falling below 0."""
    gradient, curvature, squares = _parts(table)
    gradient, scales = gradient * units, np.outer(units, units)
    matrix = curvature * scales
    free = ~(fixed | ((here <= 0) & (gradient < 0)))
    if not free.any():
        return np.zeros(2)
    own = np.ix_(free, free)
    if np.linalg.eigvalsh(matrix[own]).min() <= 0:
        # squares of gradients have the same mean and are never below 0
        matrix = squares * scales
    step = np.zeros(2)
    step[free] = np.linalg.solve(matrix[own], gradient[free]) * units[free]
    return np.maximum(here + step, 0.0) - here


def _sandwich(table: Array, fixed: Array) -> Array:
    """Return the variances of D and s between tracks; 0 for what is fixed."""
    _, curvature, squares = _parts(table)
    found = np.zeros(2)
    free = ~fixed
    if free.any():
        own = np.ix_(free, free)
        # in units of their own, as m^2/s and m^2 are far apart
        units = 1 / np.sqrt(np.abs(np.diag(curvature[own])))
        scales = np.outer(units, units)
        inverse = np.linalg.inv(curvature[own] * scales)
        found[free] = np.diag(inverse @ (squares[own] * scales) @ inverse) * units**2
    return found
