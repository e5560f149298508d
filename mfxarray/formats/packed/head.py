"""The begin of an unpacked NanoSIMS file: whether it is one, and how long it claims to be."""

from __future__ import annotations

import math
from typing import Any

from mfxarray.formats.im.header import HeaderFault, read_masses
from mfxarray.formats.im.layout import STRUCTS, unpack

__all__ = ["HEAD_BYTES", "claimed_bytes", "header_bytes_of"]

HEAD_BYTES = STRUCTS["Def_analysis"].size
_TAIL_BYTES = STRUCTS["Header_image"].size
_IMAGES = (27, 29, 39)
_TYPES = range(20, 61)
_MAX_HEADER = 10 * 2**20
# more frames than the header counts do occur; and the counter of frames ends at 32767
_TIMES, _MORE = 2, 256 * 2**20
_COUNTER_END = 2**15 - 1


def header_bytes_of(start: bytes) -> int | None:
    """Return the length of the header of a NanoSIMS file, None where this is no such file.

    Parameters
    ----------
    start
        Its first bytes, at least `HEAD_BYTES`.
    """
    order = _order(start)
    return None if order is None else int(unpack("Def_analysis", start, 0, order)["hdr_size"])


def _order(start: bytes) -> str | None:
    if len(start) < HEAD_BYTES:
        return None
    for order in "<>":
        head = unpack("Def_analysis", start, 0, order)
        if head["analysis_type"] in _TYPES and HEAD_BYTES <= head["hdr_size"] < _MAX_HEADER:
            return order
    return None


def claimed_bytes(header: bytes) -> int | None:
    """Return how many bytes a file with this header may have at most, None where it does not tell.

    Parameters
    ----------
    header
        All bytes of the header.

    Notes
    -----
    Twice what the planned or counted frames need and 256 MiB more; 256 MiB for analyses that are
    no images, which have kilobytes.
    """
    order = _order(header)
    if order is None:
        return None
    definition = unpack("Def_analysis", header, 0, order)
    spare = len(header) + _MORE
    if definition["analysis_type"] not in _IMAGES or len(header) < HEAD_BYTES + _TAIL_BYTES:
        return spare
    image = unpack("Header_image", header, len(header) - _TAIL_BYTES, order)
    frame = math.prod(max(int(image[key]), 0) for key in ("n", "h", "w", "d"))
    frames = max(int(image["z"]), _planned(header, order, definition), 0)
    if frames in (0, _COUNTER_END):
        return None
    return spare + _TIMES * frame * frames


def _planned(header: bytes, order: str, definition: dict[str, Any]) -> int:
    try:
        return int(read_masses(header, order, definition["release"]).planned)
    except HeaderFault:
        return 0
