"""How well beads agree after registration, as tables and as courses in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from mfxarray.kernels.beads.motion import Motion
from mfxarray.kernels.beads.noise import residuals
from mfxarray.minflux.beads.fit import WashFit
from mfxarray.minflux.beads.registration import BeadFit
from mfxarray.schema import AXES

__all__ = [
    "BeadCourse",
    "bead_courses",
    "bead_residuals",
    "bead_stability",
    "bead_windows",
    "largest_angle",
]

Array = np.ndarray[Any, Any]

# what a bead is looked at as: seen, registered by all beads, and by the other beads only
_STATES = ("measured", "registered", "left out")


def bead_residuals(fit: BeadFit, *, warn_above: float = 20e-9) -> xr.Dataset:
    """Return for every wash and bead how far it stands from where the other beads put it.

    Parameters
    ----------
    fit
        Result of `fit_beads`.
    warn_above
        Distance of the mean or of the shift, metres, above which ``warning`` is set.

    Returns
    -------
    xarray.Dataset
        Dimensions ``wash``, ``bead``, ``axis``: ``mean`` and ``std`` of the residuals (m), each
        with the bead itself left out of the motion that is taken off; ``shift``, the mean minus
        that in the reference wash; ``largest`` (m, over samples and axes); ``n_samples``;
        ``warning``; ``left_out``, why a bead was not used. NaN where there is no second bead.
    """
    names = _names(fit)
    shape = (len(fit.washes), len(names))
    columns: dict[str, Array] = {
        "mean": np.full((*shape, 3), np.nan),
        "std": np.full((*shape, 3), np.nan),
        "largest": np.full(shape, np.nan),
        "n_samples": np.zeros(shape, np.int64),
        "left_out": np.full(shape, "absent", object),
    }
    for wash, one in enumerate(fit.washes):
        for name, reason in one.left_out.items():
            columns["left_out"][wash, names.index(name)] = reason
        for name, rest in zip(one.tracks, _left_out(one), strict=True):
            _fill(columns, (wash, names.index(name)), rest, len(one.tracks[name].tim))
    columns["shift"] = columns["mean"] - columns["mean"][fit.choices.reference]
    far = [np.linalg.norm(columns[name], axis=-1) > warn_above for name in ("mean", "shift")]
    columns["warning"] = far[0] | far[1]
    return xr.Dataset(
        {
            name: (("wash", "bead", "axis")[: values.ndim], values, _RESIDUALS[name])
            for name, values in columns.items()
        },
        {"wash": np.arange(shape[0], dtype=np.int32), "bead": names, "axis": list(AXES)},
        {"warn_above": warn_above},
    )


_RESIDUALS = {
    "mean": {"units": "m", "long_name": "mean residual, the bead itself left out of the motion"},
    "std": {"units": "m", "long_name": "standard deviation of the residuals"},
    "shift": {"units": "m", "long_name": "mean residual minus that in the reference wash"},
    "largest": {"units": "m", "long_name": "largest residual along any axis"},
    "n_samples": {"units": "1", "long_name": "samples used"},
    "warning": {"long_name": "mean residual or shift is above the threshold"},
    "left_out": {"long_name": "why the bead was left out, empty if it was used"},
}


def _fill(columns: dict[str, Array], place: tuple[int, int], rest: Array, n: int) -> None:
    columns["left_out"][place] = ""
    columns["n_samples"][place] = n
    known = rest[np.isfinite(rest[:, 0])]
    if len(known):
        columns["mean"][place] = known.mean(axis=0)
        columns["std"][place] = known.std(axis=0)
        columns["largest"][place] = np.abs(known).max()


def bead_stability(fit: BeadFit) -> xr.Dataset:
    """Return how still the beads stand, over all washes, before and after registration.

    Returns
    -------
    xarray.Dataset
        Dimension ``state``: "measured", "registered" and "left out" (registered by the other
        beads only). ``std_xy``, ``std_z``: standard deviation over time (ddof 0) of each bead,
        averaged over beads, and over x and y as root mean square; ``se_xy``, ``se_z``: divided by
        the square root of the number of beads. All in metres.

    Notes
    -----
    One bead registered by itself stands perfectly still, which tells nothing; "left out" is NaN
    then, as it should be.
    """
    views = (_measured, _registered, _left_out)
    names = _names(fit)
    table = np.array([_metrics(fit, names, [view(one) for one in fit.washes]) for view in views])
    columns = ("std_xy", "std_z", "se_xy", "se_z")
    texts = ("standard deviation of a bead", "standard error of their mean")
    return xr.Dataset(
        {
            name: ("state", values, {"units": "m", "long_name": texts[number // 2]})
            for number, (name, values) in enumerate(zip(columns, table.T, strict=True))
        },
        {"state": list(_STATES)},
        {"n_beads": len(names), "n_washes": len(fit.washes)},
    )


def _metrics(fit: BeadFit, names: list[str], parts: list[list[Array]]) -> tuple[float, ...]:
    spread = []
    for name in names:
        rows = [
            part[list(one.tracks).index(name)]
            for one, part in zip(fit.washes, parts, strict=True)
            if name in one.tracks
        ]
        places = np.concatenate(rows)
        known = places[np.isfinite(places[:, 0])]
        spread.append(known.std(axis=0) if len(known) else np.full(3, np.nan))
    found = np.array(spread)
    counted = found[np.isfinite(found[:, 0])]
    if not len(counted):
        return (np.nan,) * 4
    x, y, z = counted.mean(axis=0)
    xy, beads = np.sqrt((x * x + y * y) / 2), np.sqrt(len(counted))
    return xy, z, xy / beads, z / beads


def _measured(one: WashFit) -> list[Array]:
    return [track.xyz for track in one.tracks.values()]


def _registered(one: WashFit) -> list[Array]:
    return [one.motion.undo(track.xyz, track.tim)[0] for track in one.tracks.values()]


def _left_out(one: WashFit) -> list[Array]:
    return residuals(list(one.tracks.values()), one.homes)


def _names(fit: BeadFit) -> list[str]:
    return list(dict.fromkeys(name for one in fit.washes for name in (*one.tracks, *one.left_out)))


def bead_windows(fit: BeadFit) -> xr.Dataset:
    """Return when the motion of every wash is known, because enough beads are there.

    Parameters
    ----------
    fit
        Result of `fit_beads`; its ``least_beads`` says how many are enough.

    Returns
    -------
    xarray.Dataset
        Dimension ``wash``: ``start`` and ``end`` (s, on the clock of the wash) of the first and
        last moment at which enough beads are there, and ``unknown`` (s), the time between them at
        which they are not.
    """
    motions = [one.motion for one in fit.washes]
    windows = np.array([motion.window for motion in motions]).reshape(-1, 2)
    columns = {
        "start": (windows[:, 0], "first time with enough beads"),
        "end": (windows[:, 1], "last time with enough beads"),
        "unknown": (np.array([_unknown(one) for one in motions]), "time between without enough"),
    }
    return xr.Dataset(
        {
            name: ("wash", values, {"units": "s", "long_name": text})
            for name, (values, text) in columns.items()
        },
        {"wash": np.arange(len(motions), dtype=np.int32)},
    )


def _unknown(motion: Motion) -> float:
    """Return the seconds within its window at which a motion is not known."""
    start, end = motion.window
    dark = ~np.isfinite(motion.left[:, 0])
    dark &= (motion.edges[:-1] >= start) & (motion.edges[1:] <= end)
    return float(np.diff(motion.edges)[dark].sum())


def largest_angle(fit: BeadFit) -> float:
    """Return the largest angle by which a wash is turned, radians; 0 without rotation."""
    traces = np.array([np.trace(one.motion.rotation) for one in fit.washes])
    return float(np.arccos(np.clip((traces - 1) / 2, -1.0, 1.0)).max())


@dataclass(frozen=True, eq=False)
class BeadCourse:
    """Where one bead was during one wash.

    Attributes
    ----------
    wash
        Number of the wash.
    bead
        Name of the bead.
    time
        Of its samples, seconds, washes one after the other, shape (n,).
    after_gap
        Whether a sample lies so far behind the one before that no line joins them, shape (n,).
    places
        By ``state`` of `bead_stability`, metres, shape (n, 3): how far it moved since its first
        sample, how far it is from its home after registration, and after registration by the
        other beads alone, NaN without them.
    """

    wash: int
    bead: str
    time: Array
    after_gap: Array
    places: dict[str, Array]


def bead_courses(fit: BeadFit) -> list[BeadCourse]:
    """Return where every bead was in every wash that used it, wash by wash."""
    first = _first(fit, [[track.xyz[0] for track in one.tracks.values()] for one in fit.washes])
    homes = _first(fit, [list(_in_reference(one)) for one in fit.washes])
    found = []
    for wash, (one, offset) in enumerate(zip(fit.washes, fit.time_offset, strict=True)):
        views = zip(one.tracks.items(), _registered(one), _left_out(one), strict=True)
        for (name, track), registered, left_out in views:
            parts = (track.xyz - first[name], registered - homes[name], left_out)
            gaps = np.diff(track.tim, prepend=track.tim[0]) > track.max_gap
            places = dict(zip(_STATES, parts, strict=True))
            found.append(BeadCourse(wash, name, track.tim + offset, gaps, places))
    return found


def _first(fit: BeadFit, values: list[list[Array]]) -> dict[str, Array]:
    """Return for every bead the value of the first wash that used it."""
    found: dict[str, Array] = {}
    for one, row in zip(fit.washes, values, strict=True):
        for name, value in zip(one.tracks, row, strict=True):
            found.setdefault(name, value)
    return found


def _in_reference(one: WashFit) -> Array:
    """Return the homes of the beads of a wash in the frame of the reference."""
    pivot = one.motion.pivot
    return np.asarray((one.homes - pivot) @ one.motion.rotation + pivot)
