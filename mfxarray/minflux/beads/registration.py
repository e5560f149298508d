"""Washes laid upon each other by their beads."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import dask.array as da
import xarray as xr

from mfxarray.chunked.washes import registered_rows
from mfxarray.kernels.beads.tracks import Track
from mfxarray.minflux.beads.beads import BeadRules, bead_tracks
from mfxarray.minflux.beads.fit import FitChoices, WashFit, fit_tracks
from mfxarray.minflux.beads.matching import match_beads
from mfxarray.minflux.beads.times import row_times, time_offsets
from mfxarray.minflux.beads.washes import concatenate_washes, washes_of
from mfxarray.minflux.rows import ROW, dask_rows, last_iteration_of
from mfxarray.provenance import record, was_done

__all__ = ["UNCORRECTED", "BeadFit", "check_wash", "fit_beads", "position_rows", "register"]

UNCORRECTED = "position_uncorrected"
_STEP = "register"
Washes = xr.DataTree | Sequence[xr.DataTree] | Sequence[xr.Dataset]


@dataclass(frozen=True)
class BeadFit:
    """How every wash moved, as its beads tell.

    Attributes
    ----------
    washes
        What was found in every wash.
    choices, rules
        How it was found, and which beads were used.
    match
        "name" or "geometry".
    z_scaling
        Factor by which z of the beads was scaled before.
    ends
        Last time of any bead of every wash, on its own clock, seconds.
    """

    washes: tuple[WashFit, ...] = field(repr=False)
    choices: FitChoices
    rules: BeadRules
    match: str
    z_scaling: float
    ends: tuple[float, ...]

    @property
    def time_offset(self) -> tuple[float, ...]:
        """Return the seconds added to the times of every wash, so that they follow each other."""
        return time_offsets(self.ends)

    def parameters(self) -> dict[str, Any]:
        """Return all choices, for the record of steps."""
        return {
            **self.choices.__dict__,
            **self.rules.__dict__,
            "match": self.match,
            "beads": [sorted(fit.tracks) for fit in self.washes],
            "left_out": [dict(fit.left_out) for fit in self.washes],
        }


def fit_beads(
    beads: Sequence[xr.Dataset],
    *,
    match: str = "name",
    match_within: float = 150e-9,
    exclude: Sequence[Collection[str]] | None = None,
    rules: BeadRules | None = None,
    **choices: Any,
) -> BeadFit:
    """Return how every wash moved.

    Parameters
    ----------
    beads
        Beads of every wash, in order, as `open_minflux_tree` gives them.
    match
        "name" or "geometry", see `match_beads`.
    match_within
        How far beads may be apart, metres, to be the same by geometry.
    exclude
        Names of beads to leave out, for every wash.
    rules
        When a bead can be used.
    **choices
        Of `FitChoices`: ``rotation``, ``smooth``, ``tolerance``, ``least_beads``, ``reference``.

    Raises
    ------
    ValueError
        If beads cannot be matched, contradict each other, or cannot tell what is asked of them.
    """
    told = FitChoices(**choices)
    rules = BeadRules() if rules is None else rules
    beads = list(beads)
    left = [()] * len(beads) if exclude is None else list(exclude)
    if not beads or len(left) != len(beads):
        raise ValueError(f"{len(beads)} washes and {len(left)} lists of beads to exclude")
    scales = {float(ds.attrs.get("z_scaling", 1.0)) for ds in beads}
    if len(scales) > 1:
        raise ValueError(f"z of the beads is scaled by {sorted(scales)}; scale all washes alike")
    own = [bead_tracks(ds, rules, exclude=out) for ds, out in zip(beads, left, strict=True)]
    if not 0 <= told.reference < len(own):
        raise ValueError(f"reference must be 0 to {len(own) - 1}, not {told.reference!r}")
    names = match_beads(own, by=match, tolerance=match_within, reference=told.reference)
    washes: list[dict[str, Track]] = [
        {called[name]: track for name, track in tracks.items()}
        for tracks, called in zip(own, names, strict=True)
    ]
    fits = fit_tracks(washes, told)
    ends = tuple(max(float(track.tim[-1]) for track in tracks.values()) for tracks in own)
    return BeadFit(fits, told, rules, match, scales.pop(), ends)


def register(
    washes: Washes,
    beads: Sequence[xr.Dataset] | None = None,
    *,
    fit: BeadFit | None = None,
    at: str = "trace",
    position: str = UNCORRECTED,
    **choices: Any,
) -> xr.Dataset:
    """Return all washes as one Dataset whose ``position_registered`` lie in one frame.

    Parameters
    ----------
    washes
        Trees of `open_minflux_tree`, one with all data sets or one a wash; or the localizations of
        every wash, in order.
    beads
        Beads of every wash, where ``washes`` are not trees.
    fit
        Result of `fit_beads` for these washes; made with ``choices`` if not given.
    at
        "trace": one correction a trace, at its mean time. "localization": one each, at its own.
    position
        Field that holds positions that nothing has corrected.
    **choices
        Of `fit_beads`.

    Returns
    -------
    xarray.Dataset
        The rows of all washes as `concatenate_washes` gives them, with ``position_registered`` and
        ``registration_std`` (m, (localization, axis)) and ``mask_registered``. Registered
        positions are the measured ones minus the motion of the beads since the mean of the
        reference wash, once; ``position`` stays as it was. NaN where the beads do not tell the
        motion.

    Raises
    ------
    ValueError
        Also if z of beads and localizations are not both scaled or both not, or the data are
        registered already.

    Notes
    -----
    Lazy: beads, which are few, are read at once, localizations not at all. "trace" reads ``tid``
    and ``tim`` twice, "localization" everything once. ``registration_std`` is the standard
    deviation of the correction from the noise of the beads, along each axis; localizations of one
    trace share its error.
    """
    parts, tracks = _parts(washes, beads)
    if fit is not None and choices:
        raise ValueError(f"{', '.join(choices)} belong to fit_beads; give either fit= or these")
    if fit is None:
        if tracks is None:
            raise ValueError("give the beads of every wash, or fit=fit_beads(...)")
        fit = fit_beads(tracks, **choices)
    if len(parts) != len(fit.washes):
        raise ValueError(f"{len(parts)} washes, but beads of {len(fit.washes)}")
    for number, ds in enumerate(parts):
        check_wash(ds, number, fit.z_scaling, position)
    found = [_registered(ds, own, at, position) for ds, own in zip(parts, fit.washes, strict=True)]
    joined = concatenate_washes(found, fit.time_offset)
    told = {**fit.parameters(), "at": at, "position": position}
    return joined.assign_attrs(record(joined.attrs, _STEP, told))


def _parts(
    washes: Washes, beads: Sequence[xr.Dataset] | None
) -> tuple[list[xr.Dataset], list[xr.Dataset] | None]:
    if isinstance(washes, xr.DataTree):
        return _of_trees(washes, beads)
    parts: list[Any] = list(washes)
    if any(isinstance(part, xr.DataTree) for part in parts):
        return _of_trees(parts, beads)
    return parts, None if beads is None else list(beads)


def _of_trees(
    trees: xr.DataTree | Sequence[xr.DataTree], beads: Sequence[xr.Dataset] | None
) -> tuple[list[xr.Dataset], list[xr.Dataset]]:
    if beads is not None:
        raise ValueError("the trees hold the beads; leave out beads=, or give Datasets")
    return washes_of(trees)


def check_wash(ds: xr.Dataset, number: int, z_of_beads: float, position: str) -> None:
    """Refuse a wash that cannot be corrected by its beads, or was already."""
    if was_done(ds.attrs, _STEP) or "position_registered" in ds.variables:
        raise ValueError(f"wash {number} is registered already; give it as it was opened")
    if position not in ds.variables:
        raise ValueError(
            f"wash {number} has no field {position!r}; registration starts from positions that "
            f"the beads have not corrected, position='...' names them"
        )
    z = float(ds.attrs.get("z_scaling", 1.0))
    if (z == 1.0) != (z_of_beads == 1.0):
        raise ValueError(
            f"z of wash {number} is scaled by {z}, that of its beads by {z_of_beads}; scale both"
        )


def position_rows(ds: xr.Dataset, at: str, position: str) -> tuple[da.Array, da.Array]:
    """Return positions and the times that count for them, cut alike."""
    times = row_times(ds, at).data
    return dask_rows(last_iteration_of(ds, position), times), times


def _registered(ds: xr.Dataset, fit: WashFit, at: str, position: str) -> xr.Dataset:
    rows = registered_rows(*position_rows(ds, at, position), fit.motion)
    place, std = rows[:, :3], da.sqrt(rows[:, 3:])
    attrs = {"units": "m", "long_name": "position in the frame of the reference wash"}
    error = {"units": "m", "long_name": "standard deviation of the registration"}
    known = {"long_name": "the beads tell the motion"}
    return ds.assign(
        position_registered=((ROW, "axis"), place, attrs),
        registration_std=((ROW, "axis"), std, error),
        mask_registered=((ROW,), ~da.isnan(place).any(axis=1), known),
    )
