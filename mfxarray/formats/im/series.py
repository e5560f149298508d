"""Peak-switched measurements: several series of species, one after the other, in every plane.

The magnet, or a deflection, is switched between the series, so a plane may hold the same species,
secondary electrons above all, several times. Interleaved, every series becomes a frame of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfxarray.formats.im.attrs import Detector
from mfxarray.formats.im.header import Parameters
from mfxarray.formats.sources import FileSource, StackSource

__all__ = ["InterleavedStack", "detectors_by_field", "find_series", "interleave"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class InterleavedStack:
    """A stack whose planes are read as several frames each.

    Attributes
    ----------
    stack
        The planes as stored.
    slots
        For every frame of a plane, and every species, the detector of the plane that recorded it,
        -1 where none did; such images read as 0.
    """

    stack: StackSource
    slots: tuple[tuple[int, ...], ...]

    @property
    def file(self) -> FileSource:
        """The pinned file."""
        return self.stack.file

    @property
    def dtype(self) -> np.dtype[Any]:
        """Pixel type as stored."""
        return self.stack.dtype

    @property
    def roll(self) -> tuple[int, int]:
        """Pixels (dy, dx) by which every image is rolled on reading."""
        return self.stack.roll

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """(species, y, x)."""
        return len(self.slots[0]), *self.stack.frame_shape[1:]

    @property
    def n_frames(self) -> int:
        """Number of planes, times that of the series."""
        return self.stack.n_frames * len(self.slots)

    def read(
        self, start: int, stop: int, detectors: tuple[int, ...] | None = None
    ) -> np.ndarray[Any, Any]:
        """Return frames ``start`` to ``stop``, shape (n, species, y, x); see `StackSource.read`."""
        species, height, width = self.frame_shape
        wanted = tuple(range(species)) if detectors is None else detectors
        native = self.dtype.newbyteorder("=")
        frames = np.zeros((stop - start, len(wanted), height, width), native)
        for row, frame in enumerate(range(start, stop)):
            plane, series = divmod(frame, len(self.slots))
            places = [i for i, one in enumerate(wanted) if self.slots[series][one] >= 0]
            numbers = tuple(self.slots[series][wanted[i]] for i in places)
            if numbers:
                frames[row, places] = self.stack.read(plane, plane + 1, numbers)[0]
        return frames


def find_series(
    detectors: Sequence[Detector], parameters: Parameters | None
) -> tuple[tuple[int, ...], ...]:
    """Return the detectors of every series of a plane, one series where nothing is switched.

    Parameters
    ----------
    detectors
        In the order of the pixels.
    parameters
        The settings; where their B fields share the detectors among them, they decide.

    Notes
    -----
    Otherwise a series ends with its secondary electrons, if the plane does so too, or begins with
    them likewise; and a new one begins where a label or a trolley returns or the mass drops.
    """
    by_field = detectors_by_field(detectors, parameters)
    if by_field is not None:
        return by_field
    found: list[list[int]] = [[]]
    electrons = [i for i, one in enumerate(detectors) if one.mass == 0]
    several = len(electrons) > 1
    before = several and electrons[0] == 0
    after = several and not before and electrons[-1] == len(detectors) - 1
    for number, one in enumerate(detectors):
        series = [detectors[i] for i in found[-1]]
        cut = (before and one.mass == 0) or (after and number - 1 in electrons)
        if series and (cut or _begins_again(one, series)):
            found.append([])
        found[-1].append(number)
    return tuple(tuple(series) for series in found)


def detectors_by_field(
    detectors: Sequence[Detector], parameters: Parameters | None
) -> tuple[tuple[int, ...], ...] | None:
    """Return the detectors of every B field, None unless they share all of them out."""
    if parameters is None or len(parameters.b_fields) < 2:
        return None
    fields = [
        sorted(row["mass_index"] for row in field["trolleys"]) for field in parameters.b_fields
    ]
    used = [series for series in fields if series]
    together = sorted(number for series in used for number in series)
    if len(used) < 2 or together != list(range(len(detectors))):
        return None
    if any(len({_key(detectors[i]) for i in series}) < len(series) for series in used):
        return None
    return tuple(tuple(series) for series in used)


def _begins_again(one: Detector, series: Sequence[Detector]) -> bool:
    """Tell whether a detector cannot be part of a series, so that it begins the next one."""
    labels = {_key(other) for other in series}
    trolleys = {other.trolley for other in series if other.trolley > 0}
    masses = [other.mass for other in series if other.mass > 0]
    dropped = bool(masses) and 0 < one.mass < masses[-1]
    return _key(one) in labels or one.trolley in trolleys or dropped


def _key(detector: Detector) -> str:
    """Return what makes two detectors the same species."""
    if detector.label or math.isnan(detector.mass):
        return detector.label or detector.name
    return "SE" if detector.mass == 0 else f"{round(detector.mass)}AU"


def interleave(
    stack: StackSource, detectors: Sequence[Detector], parameters: Parameters | None
) -> tuple[InterleavedStack, tuple[int, ...]] | None:
    """Return a stack of one frame a series, or None where no species is there twice.

    Returns
    -------
    stack
        Frames of all species; see `InterleavedStack`.
    first
        For every species, the first detector that records it.
    """
    keys = [_key(one) for one in detectors]
    species = list(dict.fromkeys(keys))
    if len(species) == len(keys):
        return None
    series = find_series(detectors, parameters)
    slots = tuple(
        tuple(next((i for i in one if keys[i] == name), -1) for name in species) for one in series
    )
    return InterleavedStack(stack, slots), tuple(keys.index(name) for name in species)
