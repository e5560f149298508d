"""Valid ``.im`` headers of all known layout versions, without a clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from mfxarray.formats.im import Detector
from mfxarray.formats.im_layout import (
    B_FIELD_SIZE,
    IMAGE_TAIL,
    STRUCTS,
    TROLLEY_TABLE,
    mass_pointers,
    pack,
)

__all__ = ["ImHeader", "header_bytes"]

# Mask_nano.version -> release of the file, release of Anal_param_nano, byte order
_RELEASES = {2: (5, 1, ">"), 4: (9, 4, ">"), 8: (11, 7, ">"), 9: (4108, 7, "<"), 10: (4108, 8, "<")}
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
        if self.version not in _RELEASES:
            raise ValueError(f"version must be one of {sorted(_RELEASES)}, not {self.version}")
        if self.pixel_bytes not in (2, 4):
            raise ValueError(f"pixel_bytes must be 2 or 4, not {self.pixel_bytes}")
        if self.polarity not in ("-", "+"):
            raise ValueError(f'polarity must be "-" or "+", not {self.polarity!r}')
        most = mass_pointers(_RELEASES[self.version][0])
        if not 1 <= len(self.detectors) <= most:
            raise ValueError(f"version {self.version} stores 1 to {most} detectors")
        if not (0 < self.height < 2**15 and 0 < self.width < 2**15 and self.frames >= 0):
            raise ValueError("height and width must be 1 to 32767, frames not negative")
        if not 1 <= self.b_fields <= 72:
            raise ValueError(f"b_fields must be 1 to 72, not {self.b_fields}")

    @property
    def dtype(self) -> np.dtype[Any]:
        """Pixel type as written."""
        return np.dtype(f"{_RELEASES[self.version][2]}u{self.pixel_bytes}")

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """(detector, y, x)."""
        return len(self.detectors), self.height, self.width


def header_bytes(header: ImHeader) -> bytes:
    """Return all bytes before the first pixel."""
    release, _, order = _RELEASES[header.version]
    mask = "Mask_im_v4108" if mass_pointers(release) == 60 else "Mask_im_old"
    table = STRUCTS["Def_analysis"].size + STRUCTS[mask].size
    lists = table + 288 * len(header.detectors)
    nano = lists + STRUCTS["Poly_list"].size
    first = nano + STRUCTS["Mask_nano"].size
    anchor = first + header.b_fields * B_FIELD_SIZE[header.version]
    buffer = bytearray(anchor + IMAGE_TAIL)
    _pack_definition(buffer, order, header, release, mask)
    for i, detector in enumerate(header.detectors):
        _pack_mass(buffer, table + 192 * i, order, header, detector)
    pack("Poly_list", buffer, lists, order, {"structname": "Poly_list"})
    _pack_nano(buffer, nano, order, header)
    for i in range(header.b_fields):
        _pack_b_field(buffer, first + i * B_FIELD_SIZE[header.version], order, header, i)
    _pack_parameters(buffer, anchor, order, header)
    _pack_image(buffer, order, header)
    return bytes(buffer)


def _pack_definition(
    buffer: bytearray, order: str, header: ImHeader, release: int, mask: str
) -> None:
    when = datetime.fromisoformat(header.date)
    definition = {
        "release": release,
        "analysis_type": header.analysis_type,
        "hdr_size": len(buffer),
        "data_present": int(header.frames > 0),
        "analysis_name": "IMAGE ACQUISITION",
        "username": header.user,
        "date": when.strftime("%d.%m.%y"),
        "hour": when.strftime("%H:%M"),
    }
    pack("Def_analysis", buffer, 0, order, definition)
    plane = header.height * header.width * header.dwell_us * 1e-6
    masses = {
        "anal_duration": round(plane * header.frames),
        "cycle_number": header.frames,
        "nb_mass": len(header.detectors),
    }
    pack(mask, buffer, STRUCTS["Def_analysis"].size, order, masses)


def _pack_mass(
    buffer: bytearray, place: int, order: str, header: ImHeader, detector: Detector
) -> None:
    row = {
        "trolley_index": detector.trolley,
        "mass_amu": detector.mass,
        "counting_time": header.height * header.width * header.dwell_us * 1e-6,
    }
    pack("Tab_mass", buffer, place, order, row)
    # the vendor's software writes a blank after every atom of a cluster
    stored = f"{detector.label} " if " " in detector.label else detector.label
    pack("Polyatomique", buffer, place + 48, order, {"string": stored})


def _pack_nano(buffer: bytearray, place: int, order: str, header: ImHeader) -> None:
    columns, rows = header.raster_pixels or (header.width, header.height)
    values = {
        "version": header.version,
        "nx_max": columns,
        "ny_max": rows,
        "scanning_mode": 1,
        "nb_bfield": header.b_fields,
    }
    for suffix in ("", "_blank"):
        values |= {f"nx_low{suffix}": 1, f"nx_high{suffix}": header.width}
        values |= {f"ny_low{suffix}": 1, f"ny_high{suffix}": header.height}
    pack("Mask_nano", buffer, place, order, values)


def _pack_b_field(buffer: bytearray, place: int, order: str, header: ImHeader, number: int) -> None:
    head = {
        "selected": int(number == 0),
        "b_field": 1000000 + number,
        "count_us_per_pixel": header.dwell_us,
        "n_frames": 1,
    }
    pack("Tab_BField_nano", buffer, place, order, head)
    used = {detector.trolley: i for i, detector in enumerate(header.detectors)}
    rows, stride = TROLLEY_TABLE[header.version]
    for row in range(rows):
        values: dict[str, Any] = {"valid": 0, "num": -2}
        if row in used:
            detector = header.detectors[used[row]]
            values = {"symbol": detector.label, "amu": detector.mass, "valid": 1, "num": used[row]}
        pack("Tab_Trolley_nano", buffer, place + 56 + row * stride, order, values)


def _pack_parameters(buffer: bytearray, anchor: int, order: str, header: ImHeader) -> None:
    start, end = header.primary_current_pa
    release = _RELEASES[header.version][1]
    param = {"structname": "Anal_param_nano", "release": release, "comment": header.comment}
    primary = {
        "ion": "Cs+" if header.polarity == "-" else "O-",
        "current_t0": start,
        "current_end": 2**31 - 1 if end is None else end,
        "raster": header.raster_um,
    }
    secondary = {"e0w": -8000.0 if header.polarity == "-" else 8000.0}
    secondary |= _multipliers(range(1, 6), header)
    pack("Anal_param_nano", buffer, anchor, order, param)
    pack("Ap_primary_nano", buffer, anchor + 288, order, primary)
    pack("Ap_secondary_nano", buffer, anchor + 840, order, secondary)
    more = {"magic": 2306, "release": 1, "sample_name": header.sample}
    pack("Def_analysis_bis", buffer, anchor + 1840, order, more)
    buffer[anchor + 3888 : anchor + 3898] = b"Anal_param"
    buffer[anchor + 4304 : anchor + 4314] = b"Setup_soft"
    if release >= 5:
        bis = {"structname": "Anal_param_nano_bis", **_multipliers((6, 7), header)}
        pack("Anal_param_nano_bis", buffer, anchor + 4680, order, bis)


def _multipliers(numbers: Iterable[int], header: ImHeader) -> dict[str, float]:
    found: dict[str, float] = {}
    for number in numbers:
        found |= {f"em{number}_yield": 100.0, f"em{number}_deadtime": header.dead_time_ns}
    return found


def _pack_image(buffer: bytearray, order: str, header: ImHeader) -> None:
    filled = header.frames > 0
    values = {
        "size_self": 84,
        "type": int(header.frames > 1),
        "w": header.width,
        "h": header.height,
        "d": header.pixel_bytes,
        "n": len(header.detectors) if filled else 0,
        "z": min(header.frames, _CYCLES_MAX),
        "raster": int(header.raster_um * 1000) if filled else 0,
    }
    pack("Header_image", buffer, len(buffer) - STRUCTS["Header_image"].size, order, values)
