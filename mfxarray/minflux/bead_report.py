"""How well beads agree after registration: tables, and the picture of drift and residuals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from mfxarray.kernels.bead_noise import residuals
from mfxarray.minflux.bead_fit import WashFit
from mfxarray.minflux.registration import BeadFit
from mfxarray.schema import AXES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["bead_residuals", "bead_stability", "plot_beads"]

Array = np.ndarray[Any, Any]

_MOST_BEADS_NAMED = 12
_NM = 1e9


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
    states = {
        "measured": [list(_measured(one)) for one in fit.washes],
        "registered": [list(_registered(one)) for one in fit.washes],
        "left out": [_left_out(one) for one in fit.washes],
    }
    names = _names(fit)
    table = np.array([_metrics(fit, names, parts) for parts in states.values()])
    columns = ("std_xy", "std_z", "se_xy", "se_z")
    texts = ("standard deviation of a bead", "standard error of their mean")
    return xr.Dataset(
        {
            name: ("state", values, {"units": "m", "long_name": texts[number // 2]})
            for number, (name, values) in enumerate(zip(columns, table.T, strict=True))
        },
        {"state": list(states)},
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


def plot_beads(fit: BeadFit, *, title: str = "") -> Figure:
    """Return a picture of the beads over the time of all washes.

    Parameters
    ----------
    fit
        Result of `fit_beads`.
    title
        Put above.

    Returns
    -------
    matplotlib.figure.Figure
        Rows x, y, z; columns: how far each bead moved since its first sample, where it stands
        after registration, and where it stands when the other beads alone register it. Titles
        carry the standard deviations.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = _names(fit)
    figure = Figure(figsize=(13, 8), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    places = figure.subplots(3, 3, sharex=True)
    lines: dict[str, Any] = {}
    for column, parts in enumerate(_shown(fit)):
        for axis in range(3):
            _panel(places[axis, column], fit, names, parts, axis, lines)
        _titled(places[0, column], fit, column)
    for axis, name in enumerate(AXES):
        places[axis, 0].set_ylabel(f"{name} / nm")
        _same_limits(places[axis, 1], places[axis, 2])
    for place in places[2]:
        place.set_xlabel("time, washes one after the other / s")
    shown = list(lines)[:_MOST_BEADS_NAMED]
    figure.legend(
        [lines[name] for name in shown], shown, loc="outside lower center", ncols=6, frameon=False
    )
    used = f"{len(fit.washes)} washes, {len(lines)} beads, {_rotation_text(fit)}"
    figure.suptitle(f"{title}: {used}" if title else used)
    return figure


def _rotation_text(fit: BeadFit) -> str:
    if fit.choices.rotation == "none":
        return "translation only"
    angles = [
        np.arccos(np.clip((np.trace(one.motion.rotation) - 1) / 2, -1.0, 1.0)) for one in fit.washes
    ]
    return f"rotation {fit.choices.rotation}, up to {max(angles) * 1e3:.3g} mrad"


def _shown(fit: BeadFit) -> tuple[list[list[Array]], ...]:
    """Return what the three columns show, by wash and bead, metres."""
    first: dict[str, Array] = {}
    measured, registered = [], []
    for one in fit.washes:
        for name, track in one.tracks.items():
            first.setdefault(name, track.xyz[0])
        measured.append([t.xyz - first[name] for name, t in one.tracks.items()])
    homes = {
        name: home
        for one in reversed(fit.washes)
        for name, home in zip(one.tracks, _in_reference(one), strict=True)
    }
    for one in fit.washes:
        places = zip(one.tracks, _registered(one), strict=True)
        registered.append([place - homes[name] for name, place in places])
    return measured, registered, [_left_out(one) for one in fit.washes]


def _in_reference(one: WashFit) -> Array:
    """Return the homes of the beads of a wash in the frame of the reference."""
    pivot = one.motion.pivot
    return np.asarray((one.homes - pivot) @ one.motion.rotation + pivot)


def _panel(
    place: Axes,
    fit: BeadFit,
    names: list[str],
    parts: list[list[Array]],
    axis: int,
    lines: dict[str, Any],
) -> None:
    for one, part, offset in zip(fit.washes, parts, fit.time_offset, strict=True):
        for (name, track), values in zip(one.tracks.items(), part, strict=True):
            color = f"C{names.index(name) % 10}"
            times = np.where(np.diff(track.tim, prepend=track.tim[0]) > track.max_gap, np.nan, 0.0)
            (line,) = place.plot(
                track.tim + offset, values[:, axis] * _NM + times, color=color, lw=0.7
            )
            lines.setdefault(name, line)
    for offset in fit.time_offset[1:]:
        place.axvline(offset, color="0.6", lw=0.8, ls="--")
    place.axhline(0.0, color="0.8", lw=0.6, zorder=0)


def _titled(place: Axes, fit: BeadFit, column: int) -> None:
    table = bead_stability(fit).isel(state=column)
    what = ("as measured", "registered", "registered by the other beads")[column]
    if np.isnan(table["std_xy"]):
        place.set_title(f"{what}\nno other bead")
        return
    xy, z = (float(table[name]) * _NM for name in ("std_xy", "std_z"))
    place.set_title(f"{what}\nstd xy {xy:.3g} nm, z {z:.3g} nm")


def _same_limits(one: Axes, two: Axes) -> None:
    (low, high), (low_two, high_two) = one.get_ylim(), two.get_ylim()
    for place in (one, two):
        place.set_ylim(min(low, low_two), max(high, high_two))
