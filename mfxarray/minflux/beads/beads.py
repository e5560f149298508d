"""Beads of washes: which of their tracks can be used, and the tracks themselves."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from mfxarray.kernels.beads.tracks import Track, clean_track
from mfxarray.provenance import record

__all__ = ["BeadRules", "bead_tracks", "validate_beads"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class BeadRules:
    """When a bead can be used.

    Attributes
    ----------
    least_samples
        Good samples it needs.
    most_failed
        Share of its samples that may have failed (strength 0 or no position).
    max_gap
        Longest gap that is bridged, seconds; five times the median interval of the bead, at least
        10 s, if None. In longer gaps the bead counts as absent.
    most_missing
        Seconds by which it may begin later or end earlier than the first and the last sample of
        any bead of the wash; no limit if None, because a bead that comes late or goes early shifts
        nothing. 10 s is what the seed asks of the end.
    used_only
        Take only beads that were chosen at the instrument.
    """

    least_samples: int = 3
    most_failed: float = 0.5
    max_gap: float | None = None
    most_missing: float | None = None
    used_only: bool = False

    def __post_init__(self) -> None:
        if self.least_samples < 2:
            raise ValueError(f"least_samples must be 2 or more, not {self.least_samples!r}")
        if not 0 <= self.most_failed <= 1:
            raise ValueError(f"most_failed must be 0 to 1, not {self.most_failed!r}")
        for name in ("max_gap", "most_missing"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ValueError(f"{name} must be 0 s or more, or None, not {value!r}")


def validate_beads(
    beads: xr.Dataset, rules: BeadRules | None = None, *, exclude: Collection[str] = ()
) -> xr.Dataset:
    """Return a table with one row a bead: what its track is like, and whether it can be used.

    Parameters
    ----------
    beads
        Dimensions ``bead``, ``sample``, ``axis``, as `open_minflux_tree` gives them.
    rules
        When a bead can be used.
    exclude
        Names of beads to leave out.

    Returns
    -------
    xarray.Dataset
        Dimension ``bead``: ``n_samples`` (good ones), ``n_failed``, ``start`` and ``end`` (s),
        ``interval`` (median, s), ``longest_gap`` (s), ``n_gaps`` and ``gap_time`` (s, of gaps that
        are not bridged), ``missing_start`` and ``missing_end`` (s, against the beads that are
        there longest), ``valid`` and ``reason`` (empty for a valid one).

    Raises
    ------
    ValueError
        If a bead to be left out does not exist, or the Dataset holds no beads.
    """
    rules = BeadRules() if rules is None else rules
    names = _names(beads)
    unknown = sorted(set(exclude) - set(names))
    if unknown:
        raise ValueError(f"no bead {', '.join(unknown)} to exclude; there are {', '.join(names)}")
    tracks = _cleaned(beads, rules)
    n_stored = np.isfinite(beads["tim"].values).sum(axis=1)
    facts = [_facts(track, int(n)) for track, n in zip(tracks, n_stored, strict=True)]
    table = {key: np.array([row[key] for row in facts]) for key in _FACTS}
    begin = np.nanmin(table["start"], initial=np.inf)
    finish = np.nanmax(table["end"], initial=-np.inf)
    table["missing_start"] = table["start"] - begin
    table["missing_end"] = finish - table["end"]
    used = beads["used"].values.astype(bool)
    reasons = [
        _reason({key: column[i] for key, column in table.items()}, rules)
        or ("not chosen at the instrument" if rules.used_only and not used[i] else "")
        or ("excluded" if names[i] in exclude else "")
        for i in range(len(names))
    ]
    variables: dict[str, Any] = {
        key: ("bead", column, _ATTRS[key]) for key, column in table.items()
    }
    variables["valid"] = ("bead", np.array([not reason for reason in reasons], bool))
    variables["reason"] = ("bead", np.array(reasons, object))
    attrs = record(beads.attrs, "validate_beads", {**rules.__dict__, "exclude": sorted(exclude)})
    return xr.Dataset(variables, {"bead": beads["bead"].variable}, attrs)


def bead_tracks(
    beads: xr.Dataset, rules: BeadRules, *, exclude: Collection[str] = ()
) -> dict[str, Track]:
    """Return the tracks of the valid beads by name, without failed samples."""
    valid = validate_beads(beads, rules, exclude=exclude)["valid"].values
    tracks = _cleaned(beads, rules)
    return {
        name: track
        for name, track, usable in zip(_names(beads), tracks, valid, strict=True)
        if usable
    }


_ATTRS: dict[str, dict[str, str]] = {
    "n_samples": {"units": "1", "long_name": "good samples"},
    "n_failed": {"units": "1", "long_name": "failed samples"},
    "start": {"units": "s", "long_name": "time of the first good sample"},
    "end": {"units": "s", "long_name": "time of the last good sample"},
    "interval": {"units": "s", "long_name": "median time between good samples"},
    "longest_gap": {"units": "s", "long_name": "longest time between good samples"},
    "n_gaps": {"units": "1", "long_name": "gaps that are not bridged"},
    "gap_time": {"units": "s", "long_name": "time in gaps that are not bridged"},
    "missing_start": {"units": "s", "long_name": "time missing at the start"},
    "missing_end": {"units": "s", "long_name": "time missing at the end"},
}
_FACTS = tuple(_ATTRS)[:8]


def _names(beads: xr.Dataset) -> list[str]:
    missing = [
        name for name in ("bead", "used", "tim", "position", "str") if name not in beads.variables
    ]
    if missing or "sample" not in beads.dims:
        raise ValueError(
            f"these are no beads, {', '.join(missing) or 'the dimension sample'} is missing; "
            f"open_minflux_tree gives them"
        )
    return [str(name) for name in beads["bead"].values]


def _cleaned(beads: xr.Dataset, rules: BeadRules) -> list[Track]:
    columns = [
        beads[name].transpose("bead", "sample", ...).values for name in ("tim", "position", "str")
    ]
    return [
        clean_track(tim.astype(float), xyz.astype(float), strength, rules.max_gap)
        for tim, xyz, strength in zip(*columns, strict=True)
    ]


def _facts(track: Track, n_stored: int) -> dict[str, float]:
    n = len(track.tim)
    steps = np.diff(track.tim)
    gaps = steps[steps > track.max_gap]
    return {
        "n_samples": n,
        "n_failed": n_stored - n,
        "start": float(track.tim[0]) if n else np.nan,
        "end": float(track.tim[-1]) if n else np.nan,
        "interval": float(np.median(steps)) if n > 1 else np.nan,
        "longest_gap": float(steps.max()) if n > 1 else np.nan,
        "n_gaps": len(gaps),
        "gap_time": float(gaps.sum()),
    }


def _reason(facts: dict[str, Any], rules: BeadRules) -> str:
    """Return why a bead cannot be used, empty where it can."""
    good, failed = int(facts["n_samples"]), int(facts["n_failed"])
    if good < rules.least_samples:
        return f"{good} good samples, {rules.least_samples} are needed"
    if failed > rules.most_failed * (good + failed):
        return f"{failed} of {good + failed} samples failed"
    if rules.most_missing is not None:
        for key, where in (("missing_start", "begins"), ("missing_end", "ends")):
            if facts[key] > rules.most_missing:
                side = "later" if where == "begins" else "earlier"
                return f"{where} {facts[key]:.4g} s {side} than the others"
    return ""
