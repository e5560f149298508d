"""What must be known of the header of an image before its pixels are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mfxarray.errors import DataError
from mfxarray.formats.im.attrs import planned_frame
from mfxarray.formats.im.header import (
    HeaderFault,
    Masses,
    Parameters,
    read_masses,
    read_parameters,
)
from mfxarray.formats.im.layout import STRUCTS, unpack
from mfxarray.formats.im.places import ANALYSIS_KINDS
from mfxarray.formats.im.tree import read_head
from mfxarray.formats.sources import FileSource

__all__ = ["ImageHead", "read_image_head"]

_STAGE = 41
_IMAGES = (27, 29, 39, _STAGE)
_HEAD, _TAIL = STRUCTS["Def_analysis"].size, STRUCTS["Header_image"].size


@dataclass(frozen=True)
class ImageHead:
    """The header of an image.

    Attributes
    ----------
    header, order
        All bytes before the first pixel, and their byte order.
    definition, image
        Fields of Def_analysis and of Header_image.
    masses, parameters
        The mass table and the settings, None where they are damaged.
    warnings
        Sentences about what does not fit together.
    """

    header: bytes
    order: str
    definition: dict[str, Any]
    image: dict[str, Any]
    masses: Masses | None
    parameters: Parameters | None
    warnings: tuple[str, ...]

    @property
    def scan(self) -> Parameters | None:
        """The settings where they describe the scan; the stage makes images without the beam's."""
        return None if self.definition["analysis_type"] == _STAGE else self.parameters

    @property
    def sizes(self) -> dict[str, Any]:
        """The image header, without a raster where it is the stage that moves."""
        stage = self.definition["analysis_type"] == _STAGE
        return {**self.image, "raster": 0} if stage else self.image


def read_image_head(source: FileSource) -> ImageHead:
    """Return what the header of an image says, as far as it agrees with itself.

    Raises
    ------
    DataError
        If the file is of another kind, ends inside the header, or the image header is damaged.
    """
    header, order = read_head(source)
    definition = unpack("Def_analysis", header, 0, order)
    kind = definition["analysis_type"]
    if kind not in _IMAGES:
        raise DataError(
            f"holds analysis type {kind} ({ANALYSIS_KINDS.get(kind, 'unknown')}), "
            "which is not an image",
            path=source.path,
            place="offset 4",
            hint="Only types 27, 29, 39 and 41 are images; open_mims_scan opens the others, and "
            "read_mims_header reads the header of any.",
        )
    image = _image_header(source, header, order)
    masses, parameters, warnings = _settings(header, order, definition["release"], image)
    if kind != _STAGE:
        warnings += _contradictions(image, parameters)
    return ImageHead(header, order, definition, image, masses, parameters, tuple(warnings))


def _image_header(source: FileSource, header: bytes, order: str) -> dict[str, Any]:
    if len(header) < _HEAD + _TAIL:
        text = f"claims a header of {len(header)} bytes"
        raise DataError(text, path=source.path, place="offset 8")
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


def _settings(
    header: bytes, order: str, release: int, image: dict[str, Any]
) -> tuple[Masses | None, Parameters | None, list[str]]:
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
    return masses, parameters, []


def _contradictions(image: dict[str, Any], parameters: Parameters | None) -> list[str]:
    """Return where image header and settings contradict each other."""
    found: list[str] = []
    if parameters is None:
        return found
    stored = image["raster"] / 1000
    if parameters.raster_um and stored > 0 and abs(parameters.raster_um - stored) > 0.002:
        text = f"the raster is {parameters.raster_um:g} µm in the settings, which is used, and "
        found.append(f"{text}{stored:g} µm in the image header")
    rows, columns = planned_frame(image, parameters)
    if image["n"] > 0 and (rows, columns) != (image["h"], image["w"]):
        found.append(
            f"the settings scan {rows} rows of {columns} pixels, the image header has "
            f"{image['h']} of {image['w']}, which is used"
        )
    return found
