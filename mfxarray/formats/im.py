"""Ion images of the Cameca NanoSIMS 50 and 50L (``.im``): the header, and where the pixels lie."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.im_attrs import (
    Detector,
    count_attrs,
    definition_attrs,
    multiplier_attrs,
    name_detectors,
    pixel_size,
    planned_frame,
)
from mfxarray.formats.im_header import (
    HeaderFault,
    Masses,
    Parameters,
    read_masses,
    read_parameters,
)
from mfxarray.formats.im_layout import STRUCTS, unpack
from mfxarray.formats.sources import FileSource, StackSource

__all__ = ["ANALYSIS_TYPES", "Detector", "ImFile", "open_im"]

ANALYSIS_TYPES = {
    21: "depth profile",
    22: "line scan with the stage",
    25: "energy scan",
    26: "isotope spot",
    27: "image",
    29: "grain-mode image",
    30: "grain-mode isotope",
    31: "mass, beam or trolley scan",
    32: "pulse-height distribution",
    34: "tool scan",
    35: "beam stability",
    39: "line-scan image with the beam",
    40: "line scan with the beam",
    41: "image with the sample stage",
}
_IMAGES = (27, 29, 39)
_MAX_HEADER = 10 * 2**20
_HEAD, _TAIL = STRUCTS["Def_analysis"].size, STRUCTS["Header_image"].size


@dataclass(frozen=True)
class ImFile:
    """An opened image file.

    Attributes
    ----------
    stack
        The pixels, frames of (detector, y, x).
    detectors
        The channels, in the order of the pixels.
    pixel_size_um
        (dy, dx) in micrometres, NaN where the raster is not known.
    attrs
        What the header says, JSON-able; a key is absent where the file has no valid value.
    warnings
        Sentences for the user about what does not fit together.
    """

    stack: StackSource
    detectors: tuple[Detector, ...]
    pixel_size_um: tuple[float, float]
    attrs: dict[str, Any]
    warnings: tuple[str, ...]


def open_im(path: str | os.PathLike[str], *, roll: tuple[int, int] | str = (0, 0)) -> ImFile:
    """Return the header and the pinned pixels of a NanoSIMS image file.

    Parameters
    ----------
    path
        A ``.im`` file of any version, either byte order.
    roll
        Pixels (dy, dx) by which every image is rolled on reading, for instruments that write the
        last row or column first. "seed" is (1, 1), which `openformat` applies.

    Returns
    -------
    ImFile
        The number of frames is what the file holds; a definition saved before a run has none.

    Raises
    ------
    DataError
        If the file is empty, cut inside the header, of another kind, or has impossible sizes.
    ValueError
        If ``roll`` is neither a pair of integers nor "seed".

    Notes
    -----
    Reads the header only (about 30 kB).
    """
    shift = _roll(roll)
    source = FileSource.open(path)
    header, order = _read_header(source)
    definition = unpack("Def_analysis", header, 0, order)
    image = _image_header(source, header, order)
    masses, parameters, warnings = _details(header, order, definition["release"], image)
    stack, counted = _stack(source, len(header), order, image, masses, parameters, shift)
    raster, pixel = pixel_size(image, parameters, stack.frame_shape)
    detectors = name_detectors(masses, stack.frame_shape[0])
    attrs = {
        **definition_attrs(definition, order),
        **count_attrs(image, masses, stack.n_frames),
        **({} if parameters is None else parameters.attrs),
        "raster_um": raster,
        "pixel_bytes": stack.dtype.itemsize,
        **multiplier_attrs(masses, parameters),
    }
    present = {key: value for key, value in attrs.items() if value is not None}
    return ImFile(stack, detectors, pixel, present, (*warnings, *counted))


def _roll(roll: tuple[int, int] | str) -> tuple[int, int]:
    if roll == "seed":
        return (1, 1)
    if not isinstance(roll, tuple | list) or [isinstance(r, int) for r in roll] != [True, True]:
        raise ValueError(f'roll must be two integers (dy, dx) or "seed", not {roll!r}')
    return roll[0], roll[1]


def _read_header(source: FileSource) -> tuple[bytes, str]:
    """Return the bytes before the first pixel, and the byte order."""
    source.require(0, _HEAD + _TAIL)
    start = source.read(0, 12)
    for order in "<>":
        _, kind, size = np.frombuffer(start, f"{order}i4").tolist()
        if 20 <= kind <= 60 and 0 < size < _MAX_HEADER:
            break
    else:
        raise DataError(
            "is not a file of the NanoSIMS software: no analysis type and header length in "
            "either byte order",
            path=source.path,
            place="offset 4",
        )
    if kind not in _IMAGES:
        raise DataError(
            f"holds analysis type {kind} ({ANALYSIS_TYPES.get(kind, 'unknown')}), "
            "which is not an image",
            path=source.path,
            place="offset 4",
            hint="Only images (types 27, 29 and 39) are read so far.",
        )
    source.require(0, size)
    if size < _HEAD + _TAIL:
        raise DataError(f"claims a header of {size} bytes", path=source.path, place="offset 8")
    return source.read(0, size), order


def _image_header(source: FileSource, header: bytes, order: str) -> dict[str, Any]:
    place = len(header) - _TAIL
    image = unpack("Header_image", header, place, order)
    sane = image["size_self"] == _TAIL and image["w"] > 0 and image["h"] > 0 and image["n"] >= 0
    if not sane or image["d"] not in (2, 4):
        raise DataError(
            f"has no valid image header: {image['w']} columns, {image['h']} rows, "
            f"{image['n']} masses, {image['d']} bytes a pixel",
            path=source.path,
            place=f"offset {place}",
            hint="The header is damaged; export the file again.",
        )
    return image


def _details(
    header: bytes, order: str, release: int, image: dict[str, Any]
) -> tuple[Masses | None, Parameters | None, list[str]]:
    """Return what could be verified of the mass table and the settings, and warnings."""
    try:
        masses = read_masses(header, order, release)
        if image["n"] not in (0, len(masses.rows)):
            raise HeaderFault(f"{len(masses.rows)} masses are listed, {image['n']} stored")
    except HeaderFault as fault:
        text = (
            f"the labels, masses and settings were not read: {fault}; the pixels are not affected"
        )
        return None, None, [text]
    try:
        parameters = read_parameters(header, order, masses)
    except HeaderFault as fault:
        # without the sum of all records, only the name of the next one vouches for the mass table
        kept = masses if masses.next_name == "Poly_list" else None
        what = "settings were" if kept else "labels, masses and settings were"
        return kept, None, [f"the {what} not read: {fault}; the pixels are not affected"]
    stored = image["raster"] / 1000
    if parameters.raster_um and stored > 0 and abs(parameters.raster_um - stored) > 0.002:
        text = f"the raster is {parameters.raster_um:g} µm in the settings, which is used, and "
        return masses, parameters, [f"{text}{stored:g} µm in the image header"]
    return masses, parameters, []


def _stack(
    source: FileSource,
    offset: int,
    order: str,
    image: dict[str, Any],
    masses: Masses | None,
    parameters: Parameters | None,
    roll: tuple[int, int],
) -> tuple[StackSource, list[str]]:
    dtype = np.dtype(f"{order}u{image['d']}")
    rest = source.size - offset
    if image["n"] == 0:
        if masses is None:
            raise DataError(
                "holds no pixels and its mass table is damaged",
                path=source.path,
                place="offset 408",
            )
        shape = (len(masses.rows), *planned_frame(image, parameters))
        follow = f"; {rest} bytes that follow it are not described" if rest else ""
        text = f"holds only a header, no frames{follow}"
        return StackSource(source, offset, dtype, shape, 0, roll), [text]
    shape = (image["n"], image["h"], image["w"])
    frame = image["n"] * image["h"] * image["w"] * image["d"]
    if 0 < rest < frame:
        raise DataError(
            f"does not hold one complete frame: {frame} bytes are needed, {rest} follow the header",
            path=source.path,
            place=f"offset {offset}",
            hint="The file is truncated or its header is damaged; copy it again.",
        )
    stack = StackSource(source, offset, dtype, shape, rest // frame, roll)
    return stack, _count_warnings(image, masses, stack, rest % frame)


def _count_warnings(
    image: dict[str, Any], masses: Masses | None, stack: StackSource, rest: int
) -> list[str]:
    if stack.n_frames == 0:
        return ["holds only a header, no frames"]
    found = []
    planned = stack.n_frames if masses is None else masses.planned
    if not planned == image["z"] == stack.n_frames:
        found.append(
            f"{planned} frames were planned and the header counts {image['z']}, but the file "
            f"holds {stack.n_frames} complete frames; these are read"
        )
    if rest:
        found.append(f"{rest} bytes of an incomplete last frame are left out")
    return found
