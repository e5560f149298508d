"""One or two populations of freely moving particles in a histogram of their jumps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

__all__ = ["JumpTable", "fit_populations"]

Array = np.ndarray[Any, Any]

_TINY = 1e-300


@dataclass(frozen=True)
class JumpTable:
    """Jumps in bins of time and distance.

    Attributes
    ----------
    counts
        Shape (time bin, distance bin + 1), the last for jumps beyond the last edge.
    edges, time_edges
        Metres and seconds.
    axes
        Number of axes of a jump.
    error
        Variance of the localization error along an axis, m^2.
    blur
        b of `mfxarray.kernels.tracking.diffusion`, seconds.
    """

    counts: Array
    edges: Array
    time_edges: Array
    axes: int
    error: float
    blur: float

    def shares(self, diffusion: float) -> Array:
        """Return the probability of each bin of distance for each bin of time."""
        from scipy.special import gammainc

        times = 0.5 * (self.time_edges[1:] + self.time_edges[:-1])
        variance = 2 * diffusion * (times - 2 * self.blur) + 2 * self.error
        ratio = self.edges**2 / (2 * np.maximum(variance, _TINY)[:, None])
        below = gammainc(self.axes / 2, ratio)
        return np.diff(below, axis=1, append=1.0)


def fit_populations(table: JumpTable, wanted: int | None) -> xr.Dataset:
    """Return the histogram and the populations; see `mfxarray.minflux.tracking.jump_distances`."""
    tried = {number: _likeliest(table, number) for number in (1, 2)}
    total = table.counts.sum()
    bic = [2 * tried[number][1] + (2 * number - 1) * np.log(total) for number in (1, 2)]
    number = wanted or 1 + int(np.argmin(bic))
    free, _ = tried[number]
    d, shares = _values(free, number)
    d_error, share_error = _errors(table, free, number)
    order = np.argsort(d)
    d, shares, d_error, share_error = (one[order] for one in (d, shares, d_error, share_error))
    at_times = table.counts.sum(axis=1)
    expected = [
        share * (at_times @ table.shares(one))[:-1] for one, share in zip(d, shares, strict=True)
    ]
    unit, part = "m^2/s", "1"
    columns = {
        "D": ("component", d, _about(unit, "diffusion coefficient")),
        "D_error": ("component", d_error, _about(unit, "standard error of D")),
        "fraction": ("component", shares, _about(part, "share of the jumps")),
        "fraction_error": ("component", share_error, _about(part, "standard error of the share")),
        "expected": (
            ("component", "distance_bin"),
            np.array(expected),
            _about(part, "jumps expected"),
        ),
        "counts": (("time_bin", "distance_bin"), table.counts[:, :-1], _about(part, "jumps")),
        "beyond": ("time_bin", table.counts[:, -1], _about(part, "jumps beyond the last edge")),
        "bic": ("tried", np.array(bic), _about(part, "Bayesian information criterion")),
        "components": ((), number, {"long_name": "number of populations"}),
    }
    coords = {
        "tried": ("tried", [1, 2]),
        "distance_edge": ("distance_edge", table.edges, _about("m", "edges of distances")),
        "time_edge": ("time_edge", table.time_edges, _about("s", "edges of times")),
    }
    return xr.Dataset(columns, coords)


def _about(unit: str, text: str) -> dict[str, str]:
    return {"units": unit, "long_name": text}


def _values(free: Array, number: int) -> tuple[Array, Array]:
    """Return diffusion coefficients and shares for numbers without bounds."""
    if number == 1:
        return np.exp(free[:1]), np.ones(1)
    share = 1 / (1 + np.exp(-free[2]))
    return np.exp(free[:2]), np.array([share, 1 - share])


def _misfit(table: JumpTable, number: int) -> Callable[[Array], float]:
    """Return minus the log likelihood as a function of numbers without bounds."""

    def value(free: Array) -> float:
        # far out nothing changes any more, and nothing overflows
        d, shares = _values(np.clip(free, -120.0, 60.0), number)
        total = sum(share * table.shares(one) for one, share in zip(d, shares, strict=True))
        return -float((table.counts * np.log(np.maximum(total, _TINY))).sum())

    return value


def _likeliest(table: JumpTable, number: int) -> tuple[Array, float]:
    from scipy.optimize import minimize

    value = _misfit(table, number)
    middle = np.log(_apparent(table))
    if number == 1:
        starts = [np.array([middle])]
    else:
        starts = [
            np.array([middle - slow, middle + fast, share])
            for slow, fast, share in ((1.0, 1.0, 0.0), (0.5, 2.5, 2.0), (3.0, 0.5, -1.0))
        ]
    options: Any = {"xatol": 1e-7, "fatol": 1e-9, "maxiter": 4000, "maxfev": 4000}
    tried = [minimize(value, start, method="Nelder-Mead", options=options) for start in starts]
    best = min(tried, key=lambda one: one.fun)
    return np.asarray(best.x), float(best.fun)


def _apparent(table: JumpTable) -> float:
    """Return D of the mean squared jump, never below a hundredth of that without error."""
    middles = 0.5 * (table.edges[1:] + table.edges[:-1])
    squares = (table.counts[:, :-1] @ middles**2).sum() + table.counts[:, -1].sum() * table.edges[
        -1
    ] ** 2
    times = 0.5 * (table.time_edges[1:] + table.time_edges[:-1]) - 2 * table.blur
    total = table.counts.sum()
    time = max(float((table.counts.sum(axis=1) * times).sum() / total), _TINY)
    plain = squares / total / (2 * table.axes * time)
    return float(max(plain - table.error / time, 0.01 * plain))


def _errors(table: JumpTable, free: Array, number: int) -> tuple[Array, Array]:
    """Return standard errors of D and shares from the curvature of the likelihood."""
    value, step = _misfit(table, number), 1e-3
    size = len(free)
    steps = np.eye(size) * step
    curvature = np.empty((size, size))
    for one in range(size):
        for two in range(size):
            parts = [
                value(free + a * steps[one] + b * steps[two]) * a * b
                for a in (1, -1)
                for b in (1, -1)
            ]
            curvature[one, two] = sum(parts) / (4 * step**2)
    try:
        spread = np.diag(np.linalg.inv(curvature))
    except np.linalg.LinAlgError:
        spread = np.full(size, np.nan)
    with np.errstate(invalid="ignore"):
        errors = np.sqrt(np.where(spread > 0, spread, np.nan))
    d, shares = _values(free, number)
    if number == 1:
        return d * errors, np.zeros(1)
    return d * errors[:2], np.full(2, shares[0] * shares[1] * errors[2])
