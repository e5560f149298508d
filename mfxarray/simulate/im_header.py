"""Valid ``.im`` headers of all known layout versions, without a clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from mfxarray.formats.im.im import Detector
from mfxarray.formats.im.layout import B_FIELD_VERSIONS, mass_pointers
from mfxarray.simulate.im_records import RELEASES, header_from

__all__ = ["ImHeader", "header_bytes"]

# as the instruments wrote them: Sun until 2011, then Windows
_ORDERS = {2: ">", 4: ">", 8: ">", 9: "<", 10: "<"}
_CYCLES_MAX = 2**15 - 1  # Header_image.z is a short integer; readers count by the file size
_DEFAULT = (
    Detector("12C", "12C", 12.0, 1),
    Detector("12C 14N", "12C 14N", 26.003, 2),
    Detector("SE", "", 0.0, 8),
)


@dataclass(frozen=True)
class ImHeader:
    """What the header of a written file says.

    Attributes
    ----------
    detectors
        Channels in the order of the pixels; only label, mass and trolley are stored.
    height, width
        Rows and columns of a frame.
    frames
        Number of frames, planned and written.
    version
        Layout: 2, 4 or 8 (big-endian), 9 or 10 (little-endian).
    pixel_bytes
        2 or 4.
    raster_um
        Full raster, micrometres.
    raster_pixels
        Columns and rows of the full raster, None if the frame covers it all.
    dwell_us
        Dwell time a pixel, microseconds.
    b_fields
        Number of B-field records; the first is the selected one.
    polarity
        "-" or "+", of the secondary ions.
    date
        ISO "YYYY-MM-DDThh:mm", stored with a two-digit year.
    sample, user, comment
        Free text, Latin-1.
    analysis_type
        27, 29 or 39.
    primary_current_pa
        Start and end; None for an end that was not measured.
    dead_time_ns
        Dead time of every electron multiplier.
    """

    detectors: tuple[Detector, ...] = _DEFAULT
    height: int = 64
    width: int = 64
    frames: int = 1
    version: int = 10
    pixel_bytes: int = 4
    raster_um: float = 20.0
    raster_pixels: tuple[int, int] | None = None
    dwell_us: int = 1000
    b_fields: int = 1
    polarity: str = "-"
    date: str = "2024-01-01T00:00"
    sample: str = "synthetic"
    user: str = "mfxarray"
    comment: str = ""
    analysis_type: int = 27
    primary_current_pa: tuple[int, int | None] = (20000, None)
    dead_time_ns: int = 44

    def __post_init__(self) -> None:
        if self.version not in RELEASES:
            raise ValueError(f"version must be one of {sorted(RELEASES)}, not {self.version}")
        if self.pixel_bytes not in (2, 4):
            raise ValueError(f"pixel_bytes must be 2 or 4, not {self.pixel_bytes}")
        if self.polarity not in ("-", "+"):
            raise ValueError(f'polarity must be "-" or "+", not {self.polarity!r}')
        most = mass_pointers(RELEASES[self.version][0])
        if not 1 <= len(self.detectors) <= most:
            raise ValueError(f"version {self.version} stores 1 to {most} detectors")
        if not (0 < self.height < 2**15 and 0 < self.width < 2**15 and self.frames >= 0):
            raise ValueError("height and width must be 1 to 32767, frames not negative")
        if not 1 <= self.b_fields <= 72:
            raise ValueError(f"b_fields must be 1 to 72, not {self.b_fields}")

    @property
    def dtype(self) -> np.dtype[Any]:
        """Pixel type as written."""
        return np.dtype(f"{_ORDERS[self.version]}u{self.pixel_bytes}")

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """(detector, y, x)."""
        return len(self.detectors), self.height, self.width


def header_bytes(header: ImHeader) -> bytes:
    """Return all bytes before the first pixel."""
    content = {
        "definition": _definition(header),
        "mask": _mask(header),
        "masses": [_mass(header, detector) for detector in header.detectors],
        "scan": _scan(header),
        "b_fields": [_b_field(header, number) for number in range(header.b_fields)],
        "parameters": _parameters(header),
        "sample": {"release": 1, "sample": header.sample},
        "detectors": _multipliers((6, 7), header),
        "image": _image(header),
    }
    return header_from(
        content,
        analysis_type=header.analysis_type,
        version=header.version,
        order=_ORDERS[header.version],
    )


def _definition(header: ImHeader) -> dict[str, Any]:
    when = datetime.fromisoformat(header.date)
    return {
        "data_present": int(header.frames > 0),
        "analysis_name": "IMAGE ACQUISITION",
        "user": header.user,
        "date": when.strftime("%d.%m.%y"),
        "time": when.strftime("%H:%M"),
    }


def _frame_time(header: ImHeader) -> float:
    return header.height * header.width * header.dwell_us * 1e-6


def _mask(header: ImHeader) -> dict[str, Any]:
    return {
        "duration": round(_frame_time(header) * header.frames),
        "planned_cycles": header.frames,
    }


def _mass(header: ImHeader, detector: Detector) -> dict[str, Any]:
    # the vendor's software writes a blank after every atom of a cluster
    stored = f"{detector.label} " if " " in detector.label else detector.label
    return {
        "trolley": detector.trolley,
        "mass": detector.mass,
        "count_time": _frame_time(header),
        "species": {"label": stored},
    }


def _scan(header: ImHeader) -> dict[str, Any]:
    columns, rows = header.raster_pixels or (header.width, header.height)
    values = {"raster_columns": columns, "raster_rows": rows, "scanning": 1}
    for frame in ("scan", "counted"):
        values |= {f"{frame}_first_column": 1, f"{frame}_last_column": header.width}
        values |= {f"{frame}_first_row": 1, f"{frame}_last_row": header.height}
    return values


def _b_field(header: ImHeader, number: int) -> dict[str, Any]:
    rows, *_ = B_FIELD_VERSIONS[header.version]
    used = {detector.trolley: i for i, detector in enumerate(header.detectors)}
    return {
        "selected": int(number == 0),
        "b_field": 1000000 + number,
        "dwell_time": header.dwell_us,
        "frames": 1,
        "trolleys": [
            _trolley(row, used[row], header.detectors[used[row]])
            for row in range(rows)
            if row in used
        ],
    }


def _trolley(row: int, number: int, detector: Detector) -> dict[str, Any]:
    return {
        "row": row,
        "label": detector.label,
        "mass": detector.mass,
        "valid": 1,
        "mass_index": number,
    }


def _parameters(header: ImHeader) -> dict[str, Any]:
    start, end = header.primary_current_pa
    negative = header.polarity == "-"
    return {
        "comment": header.comment,
        "primary": {
            "ion": "Cs+" if negative else "O-",
            "current_start": start,
            "current_end": 2**31 - 1 if end is None else end,
            "raster": header.raster_um,
        },
        "secondary": {
            "e0w": -8000.0 if negative else 8000.0,
            **_multipliers(range(1, 6), header),
        },
    }


def _multipliers(numbers: Iterable[int], header: ImHeader) -> dict[str, float]:
    found: dict[str, float] = {}
    for number in numbers:
        found |= {f"em{number}_yield": 100.0, f"em{number}_dead_time": header.dead_time_ns}
    return found


def _image(header: ImHeader) -> dict[str, Any]:
    filled = header.frames > 0
    return {
        "stack": int(header.frames > 1),
        "columns": header.width,
        "rows": header.height,
        "pixel_bytes": header.pixel_bytes,
        "mass_count": len(header.detectors) if filled else 0,
        "frames": min(header.frames, _CYCLES_MAX),
        "raster": int(header.raster_um * 1000) if filled else 0,
    }
