"""One table of all that is told of each track."""

from __future__ import annotations

from typing import Any

import xarray as xr

from mfxarray.minflux.tracking.motion_classes import classify_motion
from mfxarray.minflux.tracking.speed import speed
from mfxarray.minflux.tracking.tracking import diffusion
from mfxarray.provenance import record

__all__ = ["track_table"]

_OF_DIFFUSION = (
    "steps",
    "dimensions",
    "mean_step_time",
    "D",
    "D_error",
    "localization_variance",
    "localization_variance_error",
    "localization_sigma",
    "points",
)
_OF_MOTION = (
    "motion",
    "margin",
    "confinement_radius",
    "confinement_time",
    "drift_speed",
    "drift_speed_error",
)


def track_table(
    ds: xr.Dataset, *, method: str = "cve", blur: float = 0.0, classes: bool = True, **rules: Any
) -> xr.Dataset:
    """Return one row a trace: path, diffusion, and kind of motion.

    Parameters
    ----------
    ds
        Localizations; those count that are valid, have a position, and were masked by no filter.
    method, blur
        As for `mfxarray.minflux.tracking.tracking.diffusion`.
    classes
        Tell kinds of motion too, which costs most of the time.
    **rules
        ``dimensions``, ``trim``, ``gap``, ``gap_time``, as for
        `mfxarray.minflux.tracking.tracking.diffusion`.

    Returns
    -------
    xarray.Dataset
        The variables of `mfxarray.minflux.tracking.speed.speed`, of
        `mfxarray.minflux.tracking.tracking.diffusion` and, as ``motion``, ``margin`` and so on, of
        `mfxarray.minflux.tracking.motion_classes.classify_motion`. D is that of free diffusion,
        whatever the motion.
    """
    found = speed(ds, **rules)
    fit = diffusion(ds, method, blur=blur, **rules)
    found = found.assign({name: fit[name] for name in _OF_DIFFUSION if name in fit})
    if classes:
        told = classify_motion(ds, **rules)
        found = found.assign(
            {name: told[name].drop_vars("model", errors="ignore") for name in _OF_MOTION}
        )
    parameters = {"method": method, "blur": blur, "classes": classes, **rules}
    return found.assign_attrs(record(ds.attrs, "track_table", parameters))
