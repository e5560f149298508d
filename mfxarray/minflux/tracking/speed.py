"""How far and how fast tracks go, and how straight."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from mfxarray.kernels.tracking.track_points import Tracks
from mfxarray.kernels.tracking.track_shapes import ShapeColumn, track_shapes
from mfxarray.minflux.tracking.rows import as_dataset, rules_of, rules_record, track_columns
from mfxarray.provenance import record

__all__ = ["speed"]

Array = np.ndarray[Any, Any]

_VARIABLES: dict[str, tuple[Any, str, str]] = {
    "n": (np.int64, "1", "localizations of the track"),
    "segments": (np.int64, "1", "segments of the track"),
    "duration": (float, "s", "time from the first to the last localization"),
    "longest_gap": (float, "s", "longest time between two localizations"),
    "path_length": (float, "m", "length of all steps within segments"),
    "net_displacement": (float, "m", "distance from the first to the last localization"),
    "speed": (float, "m/s", "path length over the time of its steps"),
    "net_speed": (float, "m/s", "net displacement over the duration"),
    "radius_of_gyration": (float, "m", "root of the mean squared distance to the mean place"),
    "turns": (np.int64, "1", "turns between two steps"),
    "mean_cosine": (float, "1", "mean cosine of the turns"),
    "persistence": (float, "1", "share of the turns by less than a right angle"),
}


def speed(
    ds: xr.Dataset,
    *,
    lag: int = 1,
    dimensions: int | None = None,
    trim: int = 0,
    gap: float | None = 2.5,
    gap_time: float | None = None,
) -> xr.Dataset:
    """Return length, speed and straightness of the path of each trace.

    Parameters
    ----------
    ds
        Localizations; those count that are valid, have a position, and were masked by no filter.
    lag
        Turns are those between steps over so many localizations.
    dimensions, trim, gap, gap_time
        As for `mfxarray.minflux.tracking.tracking.diffusion`.

    Returns
    -------
    xarray.Dataset
        Along ``trace``: ``path_length``, ``net_displacement``, ``radius_of_gyration`` (m),
        ``speed`` and ``net_speed`` (m/s), ``duration`` and ``longest_gap`` (s), ``turns``,
        ``mean_cosine``, ``persistence``, ``n``, ``segments``. NaN where there are no steps, no
        time, or no turns.

    Notes
    -----
    The path of a diffusing particle gets the longer the more often it is looked at, and the
    localization error adds to each step: ``speed`` compares tracks of equal frame time. What does
    not depend on either is the drift of `mfxarray.minflux.tracking.motion_classes.classify_motion`.
    The localization error makes particles seem to turn back: without motion the mean cosine is
    about -1/2. Lazy as `mfxarray.minflux.traces.table.traces` is, the same bits for every chunking.
    """
    rules = rules_of(dimensions, trim, gap, gap_time)
    if isinstance(lag, bool) or lag < 1:
        raise ValueError(f"lag must be 1 localization or more, not {lag!r}")
    kinds = [(dtype, None) for dtype, _, _ in _VARIABLES.values()]
    keys, columns = track_columns(ds, rules, partial(_columns, lag=lag), kinds)
    variables = {
        name: ("trace", data, {"units": unit, "long_name": text})
        for (name, (_, unit, text)), data in zip(_VARIABLES.items(), columns, strict=True)
    }
    attrs = record(ds.attrs, "speed", {"lag": lag, **rules_record(rules)})
    return as_dataset(ds, keys, variables, attrs)


def _columns(tracks: Tracks, *, lag: int) -> tuple[Array, ...]:
    """Return the variables of each track in the order of their table."""
    rows = track_shapes(tracks, lag)
    turns = rows[:, ShapeColumn.ANGLES]
    duration, net = rows[:, ShapeColumn.DURATION], rows[:, ShapeColumn.NET]
    several = rows[:, ShapeColumn.N] > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (
            rows[:, ShapeColumn.PATH] / rows[:, ShapeColumn.TIME],
            net / duration,
            rows[:, ShapeColumn.COSINES] / turns,
            rows[:, ShapeColumn.FORWARD] / turns,
        )
    along, straight, cosine, forward = (np.where(np.isfinite(one), one, np.nan) for one in found)
    return (
        rows[:, ShapeColumn.N].astype(np.int64),
        rows[:, ShapeColumn.SEGMENTS].astype(np.int64),
        np.where(several, duration, np.nan),
        np.where(rows[:, ShapeColumn.N] > 1, rows[:, ShapeColumn.GAP], np.nan),
        rows[:, ShapeColumn.PATH],
        np.where(several, net, np.nan),
        along,
        straight,
        np.where(several, rows[:, ShapeColumn.GYRATION], np.nan),
        turns.astype(np.int64),
        cosine,
        forward,
    )
