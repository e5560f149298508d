"""Ion images of the Cameca NanoSIMS 50 and 50L (``.im``): the header, and where the pixels lie."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mfxarray.formats.im.attrs import (
    Detector,
    count_attrs,
    definition_attrs,
    multiplier_attrs,
    name_detectors,
    pixel_size,
    planned_frame,
    scanned_frame,
)
from mfxarray.formats.im.frames import Frames, dwell_times, interleaved_frames, plain_frames
from mfxarray.formats.im.head import ImageHead, read_image_head
from mfxarray.formats.im.planes import Planes, drop_zero_tail, find_planes
from mfxarray.formats.im.roll import find_roll, given_roll
from mfxarray.formats.im.series import InterleavedStack
from mfxarray.formats.im.species import find_species
from mfxarray.formats.im.tree import header_json
from mfxarray.formats.sources import FileSource, StackSource
from mfxarray.formats.species import Species

__all__ = ["Detector", "ImFile", "open_im"]

_DEFAULTS = {"interleave": False, "incomplete": "drop", "zero_tail": "keep"}


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
    species
        What every detector counts, None where that is not known.
    coords
        More labels, by the names of `schema.ION_IMAGES`: ``species`` always; ``recorded`` where an
        image is missing or incomplete; ``plane`` and ``series`` of interleaved frames;
        ``dwell_time_s`` where detectors differ in it.
    choices
        The options that shaped the pixels, JSON-able, for the record.
    """

    stack: StackSource | InterleavedStack
    detectors: tuple[Detector, ...]
    pixel_size_um: tuple[float, float]
    attrs: dict[str, Any]
    warnings: tuple[str, ...]
    species: tuple[Species | None, ...] = ()
    coords: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict, compare=False)
    choices: dict[str, Any] = field(default_factory=dict)


def open_im(
    path: str | os.PathLike[str],
    *,
    roll: tuple[int, int] | str = (0, 0),
    interleave: bool = False,
    incomplete: str = "drop",
    zero_tail: str = "keep",
) -> ImFile:
    """Return the header and the pinned pixels of a NanoSIMS image file.

    Parameters
    ----------
    path
        A ``.im`` file of any version, either byte order.
    roll
        Pixels (dy, dx) by which every image is rolled on reading, for instruments that write the
        last row or column first. "seed" is (1, 1), which `openformat` applies. "auto" compares
        neighbouring rows and columns and rolls only where that is clear; see `find_roll`.
    interleave
        Make every series of a peak-switched plane a frame of its own; see `im_series`.
    incomplete
        What becomes of an incomplete last plane: "drop", or "pad" to read what there is of it.
    zero_tail
        What becomes of planes of nothing but zeros at the end: "keep", or "drop"; see
        `drop_zero_tail` for what that reads.

    Returns
    -------
    ImFile
        The number of frames is what the file holds; a definition saved before a run has none.

    Raises
    ------
    DataError
        If the file is empty, cut inside the header, of another kind, or has impossible sizes.
    ValueError
        If an option is none of those named.

    Notes
    -----
    Reads the header only (about 30 kB), unless ``roll="auto"`` (at most 8 MB more) or
    ``zero_tail="drop"``.
    """
    given_roll(roll)
    _check_choice("incomplete", incomplete, ("drop", "pad"))
    _check_choice("zero_tail", zero_tail, ("keep", "drop"))
    source = FileSource.open(path)
    about = read_image_head(source)
    planes = find_planes(
        source,
        len(about.header),
        np.dtype(f"{about.order}u{about.image['d']}"),
        about.image,
        about.masses,
        empty=planned_frame(about.image, about.scan),
        incomplete=incomplete,
    )
    planes = drop_zero_tail(planes) if zero_tail == "drop" else planes
    stack, rolled = _rolled(planes.stack, roll)
    frames = _frames(about, stack, planes, rolled)
    frames = interleaved_frames(frames, about.parameters) if interleave else frames
    chosen = {"interleave": interleave, "incomplete": incomplete, "zero_tail": zero_tail}
    return ImFile(
        frames.stack,
        frames.detectors,
        pixel_size(about.sizes, about.scan, stack.frame_shape)[1],
        frames.attrs,
        (*about.warnings, *planes.warnings, *frames.warnings),
        frames.species,
        frames.coords,
        {"roll": list(stack.roll), **{k: v for k, v in chosen.items() if v != _DEFAULTS[k]}},
    )


def _frames(about: ImageHead, stack: StackSource, planes: Planes, rolled: dict[str, Any]) -> Frames:
    """Return the planes as frames, with all labels and attributes."""
    image, masses, parameters = about.image, about.masses, about.parameters
    count = stack.frame_shape[0]
    species, doubts = find_species(about.header, about.order, masses, parameters, count)
    detectors = name_detectors(masses, count, species)
    dwell, more = dwell_times(detectors, parameters)
    attrs = {
        **definition_attrs(about.definition, about.order),
        **count_attrs(image, masses, planes.complete),
        **({} if parameters is None else parameters.attrs),
        "raster_um": pixel_size(about.sizes, about.scan, stack.frame_shape)[0],
        "scanned_frame": scanned_frame(about.scan),
        "pixel_bytes": stack.dtype.itemsize,
        **multiplier_attrs(masses, parameters),
        **planes.attrs,
        **rolled,
        "header": header_json(about.header, about.order),
    }
    present = {key: value for key, value in attrs.items() if value is not None}
    frames = plain_frames(stack, detectors, species, present, dwell)
    return replace(frames, warnings=(*doubts, *more))


def _check_choice(name: str, value: str, known: tuple[str, str]) -> None:
    if value not in known:
        raise ValueError(f"{name} must be {known[0]!r} or {known[1]!r}, not {value!r}")


def _rolled(stack: StackSource, roll: tuple[int, int] | str) -> tuple[StackSource, dict[str, Any]]:
    """Return the stack with its roll, and the attributes that tell which and why."""
    shift, evidence = given_roll(roll), None
    if shift is None:
        shift, evidence = find_roll(stack)
    return replace(stack, roll=shift), {"roll": list(shift), "roll_evidence": evidence}
