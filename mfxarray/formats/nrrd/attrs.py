"""What the ``Mims_`` keys of an OpenMIMS picture say, under the names that ``.im`` files have."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from mfxarray.formats.im.attrs import Detector
from mfxarray.formats.im.header import iso_date

__all__ = ["nrrd_attrs", "nrrd_detectors"]

_SLOW, _SECOND = 1.5, 1.0  # durations are whole seconds, and not very exact ones
_MOST_PA = 10**6


def nrrd_detectors(keys: Mapping[str, str], count: int) -> tuple[tuple[Detector, ...], list[str]]:
    """Return the detectors with unique names, and a warning where keys and pixels disagree.

    Parameters
    ----------
    keys
        All ``key:=value`` pairs.
    count
        Number of masses in the pixels.
    """
    words = keys.get("Mims_mass_numbers", "").split()
    masses = [math.nan if word == "NaN" else _number(word) for word in words]
    labels = keys.get("Mims_mass_symbols", "").split()
    warnings = []
    if len(masses) != count or None in masses:
        warnings.append(f"has {count} masses and names {len(masses)}; they are not believed")
        masses = [math.nan] * count
    if len(labels) != count:
        labels = ["-"] * count
    found: list[Detector] = []
    taken: set[str] = set()
    for number, (label, mass) in enumerate(zip(labels, masses, strict=True)):
        value = math.nan if mass is None else mass
        base = label if label != "-" else _unlabelled(value, number)
        name, again = base, 1
        while name in taken:
            again += 1
            name = f"{base}_{again}"
        taken.add(name)
        found.append(Detector(name, "" if label == "-" else label, value, -1))
    return tuple(found), warnings


def _unlabelled(mass: float, number: int) -> str:
    if math.isnan(mass):
        return f"channel_{number + 1}"
    return "SE" if mass == 0 else f"{round(mass)}AU"


def nrrd_attrs(keys: Mapping[str, str], planes: int) -> tuple[dict[str, Any], list[str]]:
    """Return the attributes, and sentences about what does not fit together.

    Returns
    -------
    dict
        JSON-able, with the names that `open_im` gives; ``nrrd_keys`` holds all pairs as they are.
    list of str
        Warnings.

    Notes
    -----
    OpenMIMS computes the dwell time from the counting time of a plane, which is wrong for real-time
    images. Where the planes would have taken longer than the whole measurement, it is left out.
    """
    raster = _positive(keys.get("Mims_raster"))
    found: dict[str, Any] = {
        "format": "nrrd",
        "date": iso_date(keys.get("Mims_date", "").strip(), keys.get("Mims_hour", "").strip()),
        "user": keys.get("Mims_user_name", "").strip() or None,
        "sample": keys.get("Mims_sample_name", "").strip() or None,
        "comment": keys.get("Mims_pszComment", "").strip() or None,
        "notes": keys.get("Mims_notes", "").strip() or None,
        "stage_position_um": _stage(keys),
        "duration_s": _positive(keys.get("Mims_duration")),
        "raster_um": None if raster is None else raster / 1000,
        "primary_current_pa": _currents(keys),
        "nrrd_keys": dict(keys),
    }
    dwell, warnings = _dwell(keys, planes)
    found["dwell_time_s"] = dwell
    return {key: value for key, value in found.items() if value is not None}, warnings


def _dwell(keys: Mapping[str, str], planes: int) -> tuple[float | None, list[str]]:
    dwell = _positive(keys.get("Mims_dwell_time"))
    count, duration = _positive(keys.get("Mims_count_time")), _positive(keys.get("Mims_duration"))
    if dwell is None:
        return None, []
    changed = "Mims_tile_positions" in keys or "Mims_stack_positions" in keys
    if count and duration and not changed and count * planes > duration * _SLOW + _SECOND:
        text = (
            f"{planes} planes of {count:g} s do not fit into a measurement of {duration:g} s, so "
            f"the dwell time of {dwell:g} ms is not believed and left out"
        )
        return None, [text]
    return dwell / 1000, []


def _stage(keys: Mapping[str, str]) -> list[int] | None:
    words = re.fullmatch(r"\s*(-?\d{1,9})\s*,\s*(-?\d{1,9})\s*", keys.get("Mims_position", ""))
    if words is None:
        return None
    z = re.fullmatch(r"\s*(-?\d{1,9})\s*", keys.get("Mims_z_position", ""))
    return [int(words[1]), int(words[2]), *([int(z[1])] if z else [])]


def _currents(keys: Mapping[str, str]) -> list[int] | None:
    values = [_number(keys.get(f"Mims_PrimCurrent{end}")) for end in ("T0", "TEnd")]
    found = [int(value) for value in values if value is not None and 0 <= value < _MOST_PA]
    return found if len(found) == len(values) else None


def _positive(text: str | None) -> float | None:
    value = _number(text)
    return value if value is not None and value > 0 else None


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
