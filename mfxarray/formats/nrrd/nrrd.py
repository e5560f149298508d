"""Ion images that OpenMIMS wrote as NRRD: planes mass by mass, integers again where they were.

OpenMIMS writes counts of 4 bytes as floats of 4 bytes, which are exact up to 2^24 = 16777216.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.im.im import ImFile
from mfxarray.formats.im.roll import find_roll, given_roll
from mfxarray.formats.im.species import species_text
from mfxarray.formats.nrrd.attrs import nrrd_attrs, nrrd_detectors
from mfxarray.formats.nrrd.header import NrrdHeader
from mfxarray.formats.sources import FileSource
from mfxarray.formats.species import parse_species

__all__ = ["EXACT", "PROVENANCE_KEY", "NrrdStack", "nrrd_images", "was_corrected"]

Array = np.ndarray[Any, Any]
Inflate = Callable[[FileSource, int, int], FileSource]

EXACT = 2**24  # above, floats of 4 bytes leave integers out
PROVENANCE_KEY = "mfxarray_provenance"  # our own key, for the steps that were done
_DONE = {
    "correct_dead_time": "Mims_deadtime_correction_applied",
    "correct_qsa": "Mims_QSA_correction_applied",
}


@dataclass(frozen=True)
class NrrdStack:
    """Frames of pixels that lie mass by mass in a file; reads like `sources.StackSource`.

    Attributes
    ----------
    file
        The pinned file.
    offset
        Byte of the first pixel.
    stored
        Pixel type in the file.
    frame_shape
        (detector, y, x).
    n_frames
        Number of planes.
    integers
        Read pixels as unsigned integers and refuse all that are none; else as floats.
    roll
        Pixels (dy, dx) by which every image is rolled on reading.
    """

    file: FileSource
    offset: int
    stored: np.dtype[Any]
    frame_shape: tuple[int, int, int]
    n_frames: int
    integers: bool = True
    roll: tuple[int, int] = (0, 0)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Pixel type as read: unsigned integers, or float64."""
        if not self.integers:
            return np.dtype(np.float64)
        # floats hold what was 4 bytes wide; signed ones lose a half that must be empty
        return np.dtype(f"u{min(self.stored.itemsize, 4)}")

    @property
    def missing_bytes(self) -> int:
        """None: a file that is too short is not opened."""
        return 0

    def read(self, start: int, stop: int, detectors: tuple[int, ...] | None = None) -> Array:
        """Return frames ``start`` to ``stop``, shape (n, detector, y, x); one read a detector.

        Raises
        ------
        DataError
            If the file changed, or a pixel is no count where counts are promised.
        """
        count, height, width = self.frame_shape
        wanted = tuple(range(count)) if detectors is None else detectors
        frames = np.empty((stop - start, len(wanted), height, width), self.dtype)
        image = height * width * self.stored.itemsize
        for place, number in enumerate(wanted if stop > start else ()):
            planes = np.empty((stop - start, height, width), self.stored)
            first = self.offset + (number * self.n_frames + start) * image
            self.file.read_into(planes.reshape(-1).view(np.uint8).data, first)
            with np.errstate(invalid="ignore"):  # what is no count is found just below
                frames[:, place] = planes
            if self.integers and self.stored.kind != "u":
                self._check(planes, frames[:, place], start, number)
        return frames if self.roll == (0, 0) else np.roll(frames, self.roll, axis=(2, 3))

    def _check(self, planes: Array, counts: Array, start: int, detector: int) -> None:
        """Raise unless all pixels were counts: then they are equal to what they became."""
        fits = counts == planes
        if fits.all():
            return
        at = np.unravel_index(int(np.argmin(fits)), planes.shape)
        raise DataError(
            f"holds {planes[at]:g}, which is no count",
            path=self.file.path,
            place=f"frame {start + at[0]}, mass {detector}, pixel {tuple(map(int, at[1:]))}",
            hint="It was corrected or scaled by the program that wrote it: integers=False reads "
            "it as floats.",
        )


def nrrd_images(
    header: NrrdHeader,
    inflate: Inflate,
    *,
    integers: bool = True,
    roll: tuple[int, int] | str = (0, 0),
) -> ImFile:
    """Return the ion images of an OpenMIMS file.

    Parameters
    ----------
    header
        See `read_nrrd_header`.
    inflate
        Gives the plain bytes of a packed rest of a file, from an offset, so many.
    integers
        Promise unsigned integers: every block that is read is checked, and a pixel that is no
        count raises DataError then. Otherwise pixels are float64, as stored.
    roll
        See `open_im`.

    Raises
    ------
    DataError
        If the file is not what OpenMIMS writes: 4 dimensions, columns, rows, planes, masses.

    Notes
    -----
    The integers are those of the file. Counts above 2^24 may have been rounded to even ones, and
    above 2^25 to multiples of 4 and so on, when OpenMIMS wrote them as floats.
    """
    if len(header.sizes) != 4:
        raise DataError(
            f"has {len(header.sizes)} dimensions; ion images have columns, rows, planes, masses",
            path=header.source.path,
            place="field sizes",
        )
    width, height, planes, masses = header.sizes
    data, offset = header.data, header.offset
    if header.encoding == "gzip":
        data, offset = inflate(data, offset, header.n_bytes), 0
    shape = (masses, height, width)
    stack = NrrdStack(data, offset, header.dtype, shape, planes, integers)
    stack, rolled = _rolled(stack, roll)
    detectors, doubts = nrrd_detectors(header.keys, masses)
    species = tuple(parse_species(one.label) if one.label else None for one in detectors)
    attrs, warnings = nrrd_attrs(header.keys, planes)
    names = [one.name for one in detectors]
    pairs = zip(species, names, strict=True)
    texts = np.array([species_text(one, name) for one, name in pairs], object)
    size = _pixel_size(header, attrs)
    counted = {"frames_in_file": planes, "detectors": names, "pixel_bytes": header.dtype.itemsize}
    spare = header.data.size - header.offset - header.n_bytes
    if header.encoding == "raw" and spare > 0:
        doubts.append(f"{spare} bytes after the pixels are not described")
    chosen = {} if integers else {"integers": False}
    return ImFile(
        stack,  # type: ignore[arg-type]  # reads like one
        detectors,
        size,
        {**attrs, **counted, **rolled},
        (*doubts, *warnings),
        species,
        {"species": texts},
        {"roll": list(stack.roll), **chosen},
    )


def was_corrected(attrs: dict[str, Any]) -> list[str]:
    """Return the corrections that OpenMIMS took, by the names of our own."""
    keys = attrs.get("nrrd_keys", {})
    return [step for step, key in _DONE.items() if keys.get(key, "").strip().lower() == "true"]


def _rolled(stack: NrrdStack, roll: tuple[int, int] | str) -> tuple[NrrdStack, dict[str, Any]]:
    shift, evidence = given_roll(roll), {}
    if shift is None:
        shift, told = find_roll(stack)  # type: ignore[arg-type]  # reads like one
        evidence = {"roll_evidence": told}
    return replace(stack, roll=shift), {"roll": list(shift), **evidence}


def _pixel_size(header: NrrdHeader, attrs: dict[str, Any]) -> tuple[float, float]:
    """Return (dy, dx) in micrometres, NaN where it is not known."""
    sizes = []
    for name in ("height", "width"):
        try:
            nm = float(header.keys.get(f"Mims_pixel_{name}", ""))
        except ValueError:
            nm = math.nan
        # the raster spans the columns, and pixels are square
        spare = attrs.get("raster_um", math.nan) / header.sizes[0]
        sizes.append(nm / 1000 if 0 < nm < math.inf else spare)
    return sizes[0], sizes[1]
