"""NRRD files as OpenMIMS writes them: a text header, then all planes of the first mass, and so on.

References
----------
"Definition of NRRD File Format", teem.sourceforge.net/nrrd/format.html; the keys are those that
OpenMIMS reads.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from mfxarray.formats.nrrd.nrrd import EXACT

__all__ = ["TYPES", "PlaneFile", "mims_keys", "nrrd_header"]

Array = np.ndarray[Any, Any]

# names in the header, and the pixels that they mean; OpenMIMS reads the first two
TYPES = {"uint16": ">u2", "float": ">f4", "uint32": ">u4"}
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_ .()-]*")
_APPLIED = {
    "Mims_deadtime_correction_applied": "correct_dead_time",
    "Mims_QSA_correction_applied": "correct_qsa",
}


@dataclass(frozen=True)
class PlaneFile:
    """Where the planes of a file go, mass by mass; travels to whoever writes some of them.

    Attributes
    ----------
    path
        The file, which is there and as long as it will be.
    offset
        Byte of the first pixel.
    name
        Key of `TYPES`.
    shape
        (frame, detector, y, x).
    """

    path: str
    offset: int
    name: str
    shape: tuple[int, int, int, int]

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return self.offset + math.prod(self.shape) * np.dtype(TYPES[self.name]).itemsize

    def put(self, start: int, block: Array) -> int:
        """Write frames (n, detector, y, x) that begin with frame ``start``; return how many.

        Raises
        ------
        ValueError
            If a count does not fit the pixels exactly.
        """
        stored = np.dtype(TYPES[self.name])
        self._check(block)
        frames, detectors, height, width = self.shape
        image = height * width * stored.itemsize
        with open(self.path, "r+b", buffering=0) as file:
            for number in range(detectors):
                planes = np.ascontiguousarray(block[:, number], stored)
                file.seek(self.offset + (number * frames + start) * image)
                rest = planes.reshape(-1).view(np.uint8).data
                while rest:
                    rest = rest[file.write(rest) :]
        return len(block)

    def _check(self, block: Array) -> None:
        if block.dtype.kind == "f":
            if self.name != "float":
                raise ValueError(f"these are floats, which {self.name} cannot hold")
            return
        most = EXACT if self.name == "float" else 2 ** (8 * np.dtype(TYPES[self.name]).itemsize) - 1
        if block.size and not 0 <= int(block.min()) <= int(block.max()) <= most:
            raise ValueError(
                f"counts of {block.min()} to {block.max()} do not fit exactly into {self.name} "
                f'(0 to {most}); dtype="uint32" holds them, but OpenMIMS does not read it'
            )


def nrrd_header(shape: Sequence[int], name: str, keys: Mapping[str, str]) -> bytes:
    """Return the header of a file with its pixels behind it.

    Parameters
    ----------
    shape
        (frame, detector, y, x).
    name
        Key of `TYPES`.
    keys
        Further ``key:=value`` pairs; what no key can be called is left out.
    """
    frames, detectors, height, width = shape
    lines = [
        "NRRD0004",
        "# Written by mfxarray",
        f"type: {name}",
        "encoding: raw",
        "endian: big",
        "dimension: 4",
        f"sizes: {width} {height} {frames} {detectors}",
        "kinds: space space space list",
        "spacings: 1.0 1.0 1.0 NaN",
        "centers: node node node node",
        'units: "pixel" "pixel" "pixel" "pixel"',
    ]
    lines += [f"{key}:={_escaped(text)}" for key, text in keys.items() if _KEY.fullmatch(key)]
    return ("\n".join(lines) + "\n\n").encode("utf-8", "replace")


def _escaped(text: str) -> str:
    flat = text.replace("\\", "\\\\").replace("\r\n", "\n").replace("\r", "\n")
    return flat.replace("\n", "\\n")


def mims_keys(
    labels: Sequence[str],
    masses: Sequence[float],
    shape: tuple[int, int],
    pixel_um: tuple[float, float],
    attrs: Mapping[str, Any],
    steps: Sequence[str],
) -> dict[str, str]:
    """Return the ``Mims_`` keys of ion images.

    Parameters
    ----------
    labels, masses
        Of the detectors; a mass is 0 for electrons, NaN where it is not known.
    shape
        Rows and columns.
    pixel_um
        (dy, dx) in micrometres, NaN where not known.
    attrs
        Attributes as `open_mims` gives them; keys of a file that was opened are kept.
    steps
        Names of what was done to the counts.

    Notes
    -----
    Masses have two decimals, and labels no blanks, as OpenMIMS has them.
    """
    found = {str(key): str(text) for key, text in dict(attrs.get("nrrd_keys", {})).items()}
    found["Mims_mass_numbers"] = " ".join(_mass(mass) for mass in masses) + " "
    words = ("".join(label.split()) or "-" for label in labels)
    found["Mims_mass_symbols"] = " ".join(words) + " "
    stage = attrs.get("stage_position_um")
    if stage is not None:
        found["Mims_position"] = ",".join(str(place) for place in list(stage)[:2])
        found["Mims_z_position"] = str(stage[2] if len(stage) > 2 else 0)
    found |= _date(attrs.get("date"))
    for key, name in _TEXTS.items():
        found[key] = str(attrs.get(name, found.get(key, "")))
    found |= _times(attrs, shape) | _sizes(attrs, pixel_um)
    for key, step in _APPLIED.items():
        before = found.get(key, "").strip().lower() == "true"
        found[key] = str(before or step in steps).lower()
    currents = attrs.get("primary_current_pa", ())
    for key, value in zip(("Mims_PrimCurrentT0", "Mims_PrimCurrentTEnd"), currents, strict=False):
        found[key] = str(value)
    return found


_TEXTS = {
    "Mims_user_name": "user",
    "Mims_sample_name": "sample",
    "Mims_pszComment": "comment",
    "Mims_notes": "notes",
}


def _mass(mass: float) -> str:
    return f"{mass:.2f}" if math.isfinite(mass) else "NaN"


def _date(text: Any) -> dict[str, str]:
    try:
        when = datetime.fromisoformat(str(text))
    except ValueError:
        return {}
    return {"Mims_date": when.strftime("%d.%m.%y"), "Mims_hour": when.strftime("%H:%M")}


def _times(attrs: Mapping[str, Any], shape: tuple[int, int]) -> dict[str, str]:
    found = {}
    if (duration := attrs.get("duration_s")) is not None:
        found["Mims_duration"] = f"{duration:.3f}"
    if (dwell := attrs.get("dwell_time_s")) is not None:
        found["Mims_dwell_time"] = _decimals(dwell * 1000)
        found["Mims_count_time"] = f"{dwell * shape[0] * shape[1]:.3f}"
    return found


def _sizes(attrs: Mapping[str, Any], pixel_um: tuple[float, float]) -> dict[str, str]:
    found = {}
    if (raster := attrs.get("raster_um")) is not None:
        found["Mims_raster"] = str(round(raster * 1000))
    for key, size in zip(("Mims_pixel_height", "Mims_pixel_width"), pixel_um, strict=True):
        if math.isfinite(size):
            found[key] = f"{size * 1000:.6f}"
    return found


def _decimals(value: float) -> str:
    """Return a number with three decimals, as OpenMIMS does, or more where it needs them."""
    short = f"{value:.3f}"
    return short if math.isclose(float(short), value, rel_tol=1e-12) else repr(value)
