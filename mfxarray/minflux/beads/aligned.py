"""Registered washes and their beads under the names that the Python seed gives them.

References
----------
minflux-analysis (Findeisen, Politi), ``align_to_ref`` and ``export_ref_mat`` of ``mfxdata.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.kernels.beads.times import join_sums, mean_times, time_sums, times_of_rows
from mfxarray.kernels.beads.tracks import brackets, positions_at
from mfxarray.minflux.beads.fit import WashFit
from mfxarray.minflux.beads.registration import UNCORRECTED, BeadFit
from mfxarray.minflux.beads.report import bead_stability
from mfxarray.minflux.rows import dask_rows, last_iteration_of, used_rows
from mfxarray.provenance import history

__all__ = [
    "REF_ERROR",
    "aligned_beads",
    "aligned_columns",
    "aligned_wash",
    "ref_error",
    "unique_ids",
]

Array = np.ndarray[Any, Any]

REF_ERROR = ("se_xy", "se_z", "std_xy", "std_z")
_REGISTERED = "position_registered"
# their name, ours
_COLUMNS = {
    "tim": "tim",
    "tid": "tid",
    "lnc": UNCORRECTED,
    "loc": "position",
    "eco": "eco",
    "efo": "efo",
    "ltr": _REGISTERED,
}
_OPTIONAL = ("eco", "efo")
# as the seed has them
_ORDER = ("tim", "tim_tid_mean", "tid", "lnc", "loc", "vld", "eco", "efo", "ltr", "lre")


def aligned_columns(ds: xr.Dataset, fit: BeadFit | None) -> tuple[da.Array, dict[str, da.Array]]:
    """Return which localizations count, and their columns, lazily.

    Raises
    ------
    ValueError
        If the washes are not registered, the fit is of other washes, or a rotation was made and
        there is no fit to tell the positions without it.
    """
    missing = [n for n in (_REGISTERED, UNCORRECTED, "position") if n not in ds.variables]
    if missing:
        raise ValueError(f"there is no {missing[0]!r}; give the result of register()")
    if "wash" not in ds.variables:
        raise ValueError(
            "the localizations are not numbered by wash; give the result of register()"
        )
    if fit is None and _rotation(ds) != "none":
        raise ValueError("the washes were turned; give fit= so that ltr can be told without that")
    if fit is not None and fit.choices.rotation != _rotation(ds):
        raise ValueError(
            f"the washes were registered with rotation={_rotation(ds)!r}, the fit has "
            f"{fit.choices.rotation!r}"
        )
    used = used_rows(ds)
    found = {
        name: dask_rows(last_iteration_of(ds, ours), used)
        for name, ours in _COLUMNS.items()
        if not (name in _OPTIONAL and ours not in ds.variables)
    }
    return used & da.isfinite(found["ltr"]).all(axis=1), found


def _rotation(ds: xr.Dataset) -> str:
    steps = [step for step in history(ds.attrs) if step["step"] == "register"]
    return str(steps[-1]["parameters"].get("rotation", "none")) if steps else "none"


def aligned_wash(
    columns: Mapping[str, Array], fit: WashFit | None, time_offset: float
) -> dict[str, Array]:
    """Return the arrays of one wash.

    Parameters
    ----------
    columns
        Its localizations that count, by the seed's names.
    fit
        The motion of this wash.
    time_offset
        Seconds that were added to its times.
    """
    tim, tid = columns["tim"].astype(float), columns["tid"]
    found = {**columns, "tim": tim, "vld": np.ones(len(tim), bool)}
    sums = join_sums([time_sums(tid, tim, found["vld"])])
    found["tim_tid_mean"] = times_of_rows(tid, sums.ids, mean_times(sums))
    turned = fit is not None and not (fit.motion.rotation == np.eye(3)).all()
    found["lre"] = columns["ltr"] if turned else np.full_like(columns["ltr"], np.nan)
    if fit is not None and turned:
        moved, _ = fit.motion.at(found["tim_tid_mean"] - time_offset)
        found["ltr"] = columns["lnc"] - moved
    return {name: np.ascontiguousarray(found[name]) for name in _ORDER if name in found}


def unique_ids(tids: list[Array]) -> list[Array]:
    """Return trace ids that no two washes share: each begins above the largest one before.

    Raises
    ------
    ValueError
        If ids are below 0, or become larger than an int64.
    """
    found: list[Array] = []
    offset = 0
    for tid in tids:
        low, high = (int(tid.min()), int(tid.max())) if len(tid) else (0, -1)
        if low < 0:
            raise ValueError(f"a trace has the id {low}; filter such localizations out before")
        wide = tid.dtype if offset + high <= np.iinfo(tid.dtype).max else np.dtype(np.int64)
        found.append(tid.astype(wide) + wide.type(offset))
        offset += high + 1
    return found


def ref_error(fit: BeadFit | None) -> dict[str, float]:
    """Return how still the registered beads stand, metres; NaN where nothing is known of them."""
    if fit is None:
        return dict.fromkeys(REF_ERROR, float("nan"))
    table = bead_stability(fit).sel(state="registered")
    return {name: float(table[name]) for name in REF_ERROR}


def aligned_beads(fit: BeadFit) -> dict[str, Array]:
    """Return the positions of all beads of all washes, time by time.

    Returns
    -------
    dict of numpy.ndarray
        ``tim`` (s, of all washes one after the other, each repeated for every bead), shape (n,);
        ``lnc`` (measured, minus the mean position of the beads at the first time at which as many
        as ever are there), ``ltr`` (registered without rotation) and ``lre`` (with it; NaN if there
        is none), metres, shape (n, 3). NaN where a bead is not there.

    Notes
    -----
    Times are those of the bead with the most samples; the others are interpolated at these, which
    the seed spares itself by taking samples of the same number for simultaneous.
    """
    names = list(dict.fromkeys(name for one in fit.washes for name in one.tracks))
    parts = [
        _beads_of_wash(one, names, offset)
        for one, offset in zip(fit.washes, fit.time_offset, strict=True)
    ]
    found = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    found["lnc"] = found["lnc"] - _centre(found["lnc"].reshape(-1, len(names), 3))
    return found


def _centre(places: Array) -> Array:
    """Return the mean place of the beads at the first time at which as many as ever are there."""
    there = np.isfinite(places[..., 0])
    first = int(np.argmax(there.sum(axis=1)))
    return np.asarray(places[first][there[first]].mean(axis=0))


def _beads_of_wash(one: WashFit, names: list[str], offset: float) -> dict[str, Array]:
    times = max((track.tim for track in one.tracks.values()), key=len)
    place = np.full((len(times), len(names), 3), np.nan)
    for name, track in one.tracks.items():
        place[:, names.index(name)] = positions_at(track, brackets(track, times))
    # a time at which no bead is joined to the next tells nothing
    seen = np.isfinite(place[..., 0]).any(axis=1)
    times, flat = np.repeat(times[seen], len(names)), place[seen].reshape(-1, 3)
    moved, _ = one.motion.at(times)
    turned = not (one.motion.rotation == np.eye(3)).all()
    registered = one.motion.undo(flat, times)[0] if turned else np.full_like(flat, np.nan)
    return {"tim": times + offset, "lnc": flat, "ltr": flat - moved, "lre": registered}
