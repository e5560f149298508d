"""Tracks told apart by how they move: at rest, freely, confined or driven."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from mfxarray.kernels.tracking.displacements import steps_of
from mfxarray.kernels.tracking.motion_models import ModelColumn, motion_models
from mfxarray.kernels.tracking.track_points import Tracks
from mfxarray.minflux.tracking.rows import as_dataset, rules_of, rules_record, track_columns
from mfxarray.provenance import record

__all__ = ["MOTIONS", "classify_motion"]

Array = np.ndarray[Any, Any]

MOTIONS = ("immobile", "free", "confined", "directed")
# numbers of each model beside the velocity, one an axis, of directed motion
_NUMBERS = np.array([1, 2, 3, 2])
_DIRECTED = 3

_VARIABLES: dict[str, tuple[Any, str, str]] = {
    "motion": (np.int64, "", "number of the motion, -1 where it is not told"),
    "margin": (float, "1", "how far the Bayesian information criterion of all others is above"),
    "D": (float, "m^2/s", "diffusion coefficient of the motion told"),
    "localization_sigma": (float, "m", "localization error along an axis, of the motion told"),
    "confinement_radius": (float, "m", "radius of a disc or ball with the variance of the trap"),
    "confinement_time": (float, "s", "time in which a place in the trap is forgotten"),
    "drift_speed": (float, "m/s", "speed of the drift"),
    "drift_speed_error": (float, "m/s", "standard error of the drift along an axis"),
}


def classify_motion(
    ds: xr.Dataset,
    *,
    least: int = 10,
    margin: float = 2.0,
    dimensions: int | None = None,
    trim: int = 0,
    gap: float | None = 2.5,
    gap_time: float | None = None,
) -> xr.Dataset:
    """Return for each trace whether it rests, moves freely, is confined, or is driven.

    Parameters
    ----------
    ds
        Localizations; those count that are valid, have a position, and were masked by no filter.
    least
        Tracks with fewer steps are not told, 4 or more.
    margin
        Confined and directed are told only if the Bayesian information criterion of immobile and
        free is more than this above theirs.
    dimensions, trim, gap, gap_time
        As for `mfxarray.minflux.tracking.tracking.diffusion`.

    Returns
    -------
    xarray.Dataset
        Along ``trace``: ``motion``, number in ``MOTIONS`` (0 immobile, 1 free, 2 confined, 3
        directed), -1 where not told; ``bic`` along ``model``; ``margin``, the difference of the
        criterion to the next best; ``D`` (m^2/s) and ``localization_sigma`` (m) of that motion;
        ``confinement_radius`` (m), that of a disc or ball with places of the same variance, and
        ``confinement_time`` (s), of confined ones; ``drift_speed`` (m/s) of directed ones.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Notes
    -----
    Rule: the model with the lowest BIC, -2 log likelihood + numbers * log(steps * axes), among four
    that all give the probability of the same steps: localization error alone; diffusion and error;
    those in a harmonic trap; those with a constant velocity. See
    `mfxarray.kernels.tracking.motion_models`. A motion too weak to be seen beside the error is
    immobile; a trap that is wide for the length of the track is free. The error is taken to be the
    same along all axes. Motion blur lowers the error found, and changes no class.

    Costs about a hundred likelihoods a track, some microseconds a localization. Lazy as
    `mfxarray.minflux.traces.table.traces` is, the same bits for every chunking.

    References
    ----------
    Monnier et al. (2012), Biophys. J. 103, 616.
    """
    rules = rules_of(dimensions, trim, gap, gap_time)
    if isinstance(least, bool) or least < 4:
        raise ValueError(f"least must be 4 steps or more, not {least!r}")
    if not margin >= 0 or math.isinf(margin):
        raise ValueError(f"margin must be 0 or more, not {margin!r}")
    make = partial(_columns, least=least, margin=margin)
    kinds = [(dtype, None) for dtype, _, _ in _VARIABLES.values()]
    keys, columns = track_columns(ds, rules, make, [*kinds, (float, len(MOTIONS))])
    variables: dict[str, Any] = {
        name: ("trace", data, _about(unit, text))
        for (name, (_, unit, text)), data in zip(_VARIABLES.items(), columns, strict=False)
    }
    text = "Bayesian information criterion, less is better"
    variables["bic"] = (("trace", "model"), columns[-1], _about("1", text))
    variables["motion"][2]["names"] = list(MOTIONS)
    parameters = {"least": least, "margin": margin, **rules_record(rules)}
    found = as_dataset(ds, keys, variables, record(ds.attrs, "classify_motion", parameters))
    return found.assign_coords(model=("model", list(MOTIONS)))


def _about(unit: str, text: str) -> dict[str, Any]:
    return {"long_name": text} | ({"units": unit} if unit else {})


def _columns(tracks: Tracks, *, least: int, margin: float) -> tuple[Array, ...]:
    """Return the variables of each track in the order of their table, and the criteria."""
    steps = steps_of(tracks)
    rows, axes = motion_models(steps, least), steps.axes
    count = np.diff(steps.bounds) * axes
    numbers = _NUMBERS + (np.arange(len(MOTIONS)) == _DIRECTED) * axes[:, None]
    bic = -2 * rows[:, ModelColumn.LOGS] + numbers * np.log(np.maximum(count, 1))[:, None]
    told = np.isfinite(rows[:, 0])
    motion = _chosen(bic, margin)
    motion[~told] = -1
    kept = (motion == 2, motion == _DIRECTED)
    velocity = np.linalg.norm(rows[:, ModelColumn.VELOCITY], axis=1)
    variance, confined = rows[:, ModelColumn.VARIANCE], rows[:, ModelColumn.CONFINED_D]
    with np.errstate(divide="ignore", invalid="ignore"):
        trap = np.sqrt(variance * (axes + 2)), variance / confined
    at = np.arange(len(rows)), np.maximum(motion, 0)
    d = np.zeros((len(rows), 4))
    d[:, 1:] = rows[:, [ModelColumn.FREE_D, ModelColumn.CONFINED_D, ModelColumn.DIRECTED_D]]
    error = rows[
        :,
        [
            ModelColumn.ERROR_IMMOBILE,
            ModelColumn.ERROR_FREE,
            ModelColumn.ERROR_CONFINED,
            ModelColumn.ERROR_DIRECTED,
        ],
    ]
    return (
        motion,
        _margins(bic, motion),
        np.where(told, d[at], np.nan),
        np.sqrt(error[at]),
        *(np.where(kept[0], values, np.nan) for values in trap),
        *(
            np.where(kept[1], one, np.nan)
            for one in (velocity, rows[:, ModelColumn.VELOCITY_ERROR])
        ),
        bic,
    )


def _chosen(bic: Array, margin: float) -> Array:
    """Return the best model; the two that say more must be better by a margin."""
    own = bic + margin * np.array([0.0, 0.0, 1.0, 1.0])
    return np.argmin(np.where(np.isnan(own), np.inf, own), axis=1).astype(np.int64)


def _margins(bic: Array, motion: Array) -> Array:
    """Return how far the best of the other models is above the one that was told."""
    others = bic.copy()
    rows = np.arange(len(bic))
    at = np.maximum(motion, 0)
    others[rows, at] = np.inf
    return np.where(motion >= 0, others.min(axis=1) - bic[rows, at], np.nan)
