"""Detectors, pixel size and attributes of an ion image, from the verified parts of its header."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mfxarray.formats.im.header import Masses, Parameters, iso_date
from mfxarray.formats.im.layout import EM_BLOCKS
from mfxarray.formats.species import Species

__all__ = [
    "Detector",
    "count_attrs",
    "definition_attrs",
    "multiplier_attrs",
    "name_detectors",
    "pixel_size",
    "planned_frame",
    "scanned_frame",
]


@dataclass(frozen=True)
class Detector:
    """One channel of an ion image.

    Attributes
    ----------
    name
        Unique name: the label, "SE" for secondary electrons, what the mass tells beyond doubt, or
        such as "26AU"; with "_2" and so on when repeated.
    label
        As stored, without trailing blanks; empty for secondary electrons.
    mass
        In u; 0 for secondary electrons, NaN where the header is damaged.
    trolley
        Row of the trolley table, as stored; -1 where the header is damaged.
    """

    name: str
    label: str
    mass: float
    trolley: int


def planned_frame(image: dict[str, Any], parameters: Parameters | None) -> tuple[int, int]:
    """Return rows and columns of a frame that was never recorded."""
    scanned = None if parameters is None else _scanned(parameters.nano)
    return (image["h"], image["w"]) if scanned is None else scanned


def _scanned(nano: dict[str, Any]) -> tuple[int, int] | None:
    """Return rows and columns of the scanned frame, None where the bounds make no sense."""
    for axis in "xy":
        low, high = nano[f"n{axis}_low"], nano[f"n{axis}_high"]
        if not 1 <= low <= high <= nano[f"n{axis}_max"] <= 2**15:
            return None
    return nano["ny_high"] - nano["ny_low"] + 1, nano["nx_high"] - nano["nx_low"] + 1


def pixel_size(
    image: dict[str, Any], parameters: Parameters | None, shape: tuple[int, int, int]
) -> tuple[float | None, tuple[float, float]]:
    """Return the full raster and the pixel size (dy, dx), in micrometres."""
    raster = image["raster"] / 1000 if image["raster"] > 0 else None
    scanned = None
    if parameters is not None:
        raster = parameters.raster_um or raster
        scanned = _scanned(parameters.nano)
    if raster is None:
        return None, (float("nan"), float("nan"))
    if parameters is None or scanned is None:
        return raster, (raster / shape[2], raster / shape[2])
    # the raster spans nx_max steps; a step is as long in y as in x
    step = raster / parameters.nano["nx_max"]
    return raster, (step * scanned[0] / shape[1], step * scanned[1] / shape[2])


def scanned_frame(parameters: Parameters | None) -> dict[str, list[int]] | None:
    """Return which pixels of the raster a sub-frame scans, None where it scans all of them.

    Returns
    -------
    dict
        "rows" and "columns": first and last, counted from 1, and how many the raster has.
    """
    if parameters is None or _scanned(parameters.nano) is None:
        return None
    nano = parameters.nano
    found = {
        name: [nano[f"n{axis}_low"], nano[f"n{axis}_high"], nano[f"n{axis}_max"]]
        for name, axis in (("rows", "y"), ("columns", "x"))
    }
    return None if all(one == [1, one[2], one[2]] for one in found.values()) else found


def name_detectors(
    masses: Masses | None, count: int, species: Sequence[Species | None]
) -> tuple[Detector, ...]:
    """Return the detectors with unique names; "channel_1" and so on where no mass is known."""
    if masses is None:
        return tuple(Detector(f"channel_{i + 1}", "", float("nan"), -1) for i in range(count))
    found: list[Detector] = []
    taken: set[str] = set()
    for row, known in zip(masses.rows, species, strict=True):
        base = row["symbol"] or _unlabelled(row["mass_amu"], known)
        name, number = base, 1
        while name in taken:
            number += 1
            name = f"{base}_{number}"
        taken.add(name)
        found.append(Detector(name, row["symbol"], row["mass_amu"], row["trolley_index"]))
    return tuple(found)


def _unlabelled(mass: float, species: Species | None) -> str:
    if mass == 0:
        return "SE"
    return f"{round(mass)}AU" if species is None else species.label


def definition_attrs(definition: dict[str, Any], order: str) -> dict[str, Any]:
    """Return the attributes that stand at fixed places."""
    return {
        "format": "im",
        "analysis_type": definition["analysis_type"],
        "analysis_name": definition["analysis_name"],
        "release": definition["release"],
        "byte_order": order,
        "date": iso_date(definition["date"], definition["hour"]),
        "user": definition["username"],
        "stage_position_um": [definition[key] for key in ("sple_pos_x", "sple_pos_y", "pos_z")],
    }


def count_attrs(image: dict[str, Any], masses: Masses | None, frames: int) -> dict[str, Any]:
    """Return the three counts of frames and the duration."""
    return {
        "frames_planned": None if masses is None else masses.planned,
        "frames_in_header": image["z"],
        "frames_in_file": frames,
        "duration_s": None if masses is None else masses.duration_s,
    }


def multiplier_attrs(masses: Masses | None, parameters: Parameters | None) -> dict[str, Any]:
    """Return yield, background and dead time of each detector, None where it is no multiplier."""
    if masses is None or parameters is None:
        return {}
    found = [
        None if row["detector"] != 0 else parameters.em.get(_trolley(i, row, parameters))
        for i, row in enumerate(masses.rows)
    ]
    columns = {"yield_percent": 0, "background_cps": 1, "dead_time_ns": 2}
    return {k: [None if em is None else em[i] for em in found] for k, i in columns.items()}


def _trolley(index: int, row: dict[str, Any], parameters: Parameters) -> int:
    if row["trolley_index"] in EM_BLOCKS:
        return int(row["trolley_index"])
    # real-time images store 0 everywhere, but the trolley table knows its mass
    rows = [t for field in parameters.b_fields for t in field["trolleys"]]
    known = {t["index"] for t in rows if t["mass_index"] == index}
    return int(known.pop()) if row["trolley_index"] == 0 and len(known) == 1 else -1
