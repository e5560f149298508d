"""Tracks of moving particles: how fast they diffuse, and how sure that is."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from mfxarray.kernels.tracking.diffusion import covariance_estimates
from mfxarray.kernels.tracking.diffusion_likelihood import likelihood_estimates
from mfxarray.kernels.tracking.diffusion_msd import MOST_POINTS, msd_estimates
from mfxarray.kernels.tracking.displacements import (
    StepColumn,
    frame_times,
    lag_sums,
    step_sums,
    steps_of,
)
from mfxarray.kernels.tracking.track_points import Tracks
from mfxarray.minflux.tracking.dwell_times import dead_times, dwell_times
from mfxarray.minflux.tracking.ensemble_diffusion import EnsembleModel, ensemble_diffusion
from mfxarray.minflux.tracking.jump_distances import jump_distances
from mfxarray.minflux.tracking.motion_classes import MOTIONS, classify_motion
from mfxarray.minflux.tracking.msd_curves import fit_msd, msd
from mfxarray.minflux.tracking.rows import as_dataset, rules_of, rules_record, track_columns
from mfxarray.minflux.tracking.speed import speed
from mfxarray.provenance import record

__all__ = [
    "METHODS",
    "MOTIONS",
    "classify_motion",
    "dead_times",
    "diffusion",
    "dwell_times",
    "fit_msd",
    "jump_distances",
    "msd",
    "speed",
]

Array = np.ndarray[Any, Any]

METHODS = ("cve", "mle", "msd")

_VARIABLES: dict[str, tuple[Any, str, str]] = {
    "n": (np.int64, "1", "localizations of the track"),
    "steps": (np.int64, "1", "steps between localizations of the same segment"),
    "segments": (np.int64, "1", "segments of the track"),
    "dimensions": (np.int64, "1", "axes that count"),
    "mean_step_time": (float, "s", "mean time of a step"),
    "D": (float, "m^2/s", "diffusion coefficient"),
    "D_error": (float, "m^2/s", "standard error of the diffusion coefficient"),
    "localization_variance": (float, "m^2", "variance of the localization error, below 0 too"),
    "localization_variance_error": (float, "m^2", "standard error of that variance"),
    "localization_sigma": (float, "m", "localization error along an axis, 0 where it is below"),
    "points": (float, "1", "points of the line through the mean squared displacements"),
}


def diffusion(
    ds: xr.Dataset,
    method: str = "cve",
    *,
    per: str = "trace",
    blur: float = 0.0,
    frame_time: float | None = None,
    localization_sigma: float | None = None,
    dimensions: int | None = None,
    trim: int = 0,
    gap: float | None = 2.5,
    gap_time: float | None = None,
    points: int | None = None,
    weighted: bool = False,
) -> xr.Dataset:
    """Return the diffusion coefficient and the localization error, of each trace or of all.

    Parameters
    ----------
    ds
        Localizations; those count that are valid, have a position, and were masked by no filter.
    method
        "cve": covariances of steps, unbiased for tracks of any length and irregular times. "mle":
        maximum likelihood, less scatter where the localization error is large; as neither D nor
        error is below 0 it is biased for short tracks. "msd": a straight line through the first
        points of the mean squared displacement.
    per
        "trace" or "ensemble": one value for all traces.
    blur
        R of Berglund: 0 for positions of an instant, 1/6 if light is gathered all of the time of a
        localization, at most 1/4.
    frame_time
        Time of a localization that the blur refers to, seconds; the median step of each trace if
        not given.
    localization_sigma
        Localization error along an axis, metres, where it is known ("cve" and "mle").
    dimensions
        1: x; 2: x and y; 3: all axes. If not given those in which the localizations of a trace
        differ, so not z of 2D data.
    trim
        Localizations to leave out at either end of each trace.
    gap
        A trace is cut into segments where the time between two localizations is more than this
        times the shortest of the trace; None for never.
    gap_time
        The same in seconds. Both hold.
    points
        Of "msd": points of the line; for each trace the number with the smallest error if not
        given, of all traces 2 for an error far below a step, more for larger ones.
    weighted
        Of "msd" of traces: weigh points by the inverse of their variances.

    Returns
    -------
    xarray.Dataset
        Along ``trace``, or without dimension: ``D`` and ``D_error`` (m^2/s);
        ``localization_variance`` and its error (m^2), and ``localization_sigma`` (m), the root of
        it; ``n``, ``steps``, ``segments``, ``dimensions``, ``mean_step_time`` (s).

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Notes
    -----
    All localizations are taken to have the same blur. Where the time of a localization varies a lot
    (by 40 %) and light is gathered all that time, cuts by ``gap`` select by blur: give
    ``gap=None`` or ``gap_time`` then.

    D_error of a trace is that of free diffusion with the D and error found; of short traces (10
    localizations) D is so uncertain that the error is too. The error along all axes is taken to be
    the same: where that of z is larger "cve" is still unbiased, "mle" is not; give ``dimensions=2``
    then. With few localizations the best number of points of "msd" is chosen by chance too, which
    makes D larger: give ``points``, or take another method.

    D_error of the ensemble is that of the spread between traces, whatever this comes from. "mle" of
    all traces computes, some passes; all else is lazy as `mfxarray.minflux.traces.table.traces` is.
    The same bits for every chunking.

    References
    ----------
    Vestergaard, Blainey, Flyvbjerg (2014), Phys. Rev. E 89, 022726 ("cve"). Berglund (2010), Phys.
    Rev. E 82, 011917 ("mle"). Michalet (2010), Phys. Rev. E 82, 041914 ("msd").
    """
    rules = rules_of(dimensions, trim, gap, gap_time)
    _check(method, per, blur, frame_time, localization_sigma, points)
    known = math.nan if localization_sigma is None else float(localization_sigma) ** 2
    parameters: dict[str, Any] = {
        "method": method,
        "per": per,
        "blur": blur,
        "frame_time": frame_time,
        "localization_sigma": localization_sigma,
        "points": points,
        "weighted": weighted,
        **rules_record(rules),
    }
    attrs = record(ds.attrs, "diffusion", parameters) | {"method": method, "per": per}
    if per == "ensemble":
        model = EnsembleModel(method, blur, frame_time, known, points)
        return ensemble_diffusion(ds, rules, model).assign_attrs(attrs)
    make = partial(
        _columns,
        method=method,
        blur=blur,
        frame_time=frame_time,
        known=known,
        choice=points or 0,
        weighted=weighted,
    )
    names = list(_VARIABLES) if method == "msd" else list(_VARIABLES)[:-1]
    keys, columns = track_columns(ds, rules, make, [(_VARIABLES[name][0], None) for name in names])
    variables = {
        name: ("trace", data, {"units": _VARIABLES[name][1], "long_name": _VARIABLES[name][2]})
        for name, data in zip(names, columns, strict=True)
    }
    return as_dataset(ds, keys, variables, attrs)


def _check(
    method: str,
    per: str,
    blur: float,
    frame_time: float | None,
    sigma: float | None,
    points: int | None,
) -> None:
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, not {method!r}")
    if per not in ("trace", "ensemble"):
        raise ValueError(f"per must be 'trace' or 'ensemble', not {per!r}")
    if not 0 <= blur <= 0.25:
        raise ValueError(f"blur must be 0 to 1/4, 1/6 for light gathered all the time, not {blur}")
    if frame_time is not None and not frame_time > 0:
        raise ValueError(f"frame_time must be above 0 seconds, not {frame_time!r}")
    if sigma is not None and (method == "msd" or not sigma >= 0):
        raise ValueError("localization_sigma is 0 or more metres, of 'cve' and 'mle' only")
    if points is not None and (method != "msd" or not 2 <= points <= MOST_POINTS):
        raise ValueError(f"points is 2 to {MOST_POINTS}, of 'msd' only, not {points!r}")


def _columns(
    tracks: Tracks,
    *,
    method: str,
    blur: float,
    frame_time: float | None,
    known: float,
    choice: int,
    weighted: bool,
) -> tuple[Array, ...]:
    """Return the variables of each track in the order of their table."""
    sums, steps = step_sums(tracks), steps_of(tracks)
    time = np.zeros(len(sums))
    if blur:
        time = blur * (frame_times(steps) if frame_time is None else np.full(len(sums), frame_time))
    count = sums[:, StepColumn.STEPS]
    points: tuple[Array, ...] = ()
    if method == "msd":
        n = sums[:, StepColumn.N].astype(np.int64)
        most = MOST_POINTS if choice == 0 else choice
        fit = msd_estimates(lag_sums(tracks, most), n, tracks.dimensions, time, choice, weighted)
        points = (fit[:, 4],)
    else:
        estimate = covariance_estimates if method == "cve" else likelihood_estimates
        fit = estimate(steps, sums, time, known)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums[:, StepColumn.TIME] / count
        errors = np.sqrt(fit[:, 1]), np.sqrt(fit[:, 3])
    whole = (sums[:, at].astype(np.int64) for at in (0, StepColumn.STEPS, StepColumn.SEGMENTS))
    sigma = np.sqrt(np.maximum(fit[:, 2], 0.0))
    axes = tracks.dimensions.astype(np.int64)
    return (*whole, axes, mean, fit[:, 0], errors[0], fit[:, 2], errors[1], sigma, *points)
