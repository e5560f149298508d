"""What is known along the frames and the detectors of an ion image, interleaved or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfxarray.formats.im.attrs import Detector
from mfxarray.formats.im.header import Parameters
from mfxarray.formats.im.series import InterleavedStack, detectors_by_field, interleave
from mfxarray.formats.im.species import species_text
from mfxarray.formats.sources import StackSource
from mfxarray.formats.species import Species

__all__ = ["Frames", "dwell_times", "interleaved_frames", "plain_frames"]

Array = np.ndarray[Any, Any]

# attributes that hold one value a detector
_LISTS = ("yield_percent", "background_cps", "dead_time_ns")


@dataclass(frozen=True)
class Frames:
    """Pixels with their labels; see `im.ImFile`."""

    stack: StackSource | InterleavedStack
    detectors: tuple[Detector, ...]
    species: tuple[Species | None, ...]
    attrs: dict[str, Any]
    coords: dict[str, Array]
    warnings: tuple[str, ...] = ()


def plain_frames(
    stack: StackSource,
    detectors: Sequence[Detector],
    species: Sequence[Species | None],
    attrs: Mapping[str, Any],
    dwell_s: Sequence[float] | None,
) -> Frames:
    """Return the planes as frames.

    Parameters
    ----------
    stack
        The pixels.
    detectors, species
        The channels.
    attrs
        Attributes so far; a value for each detector is a list.
    dwell_s
        Dwell time of every detector, None where one holds for all.
    """
    names = [one.name for one in detectors]
    pairs = zip(species, names, strict=True)
    coords = {"species": np.array([species_text(one, name) for one, name in pairs], object)}
    found = {**attrs, "detectors": names}
    if dwell_s is not None:
        found.pop("dwell_time_s", None)
        coords["dwell_time_s"] = np.array(dwell_s, float)
    if stack.missing_bytes:
        coords["recorded"] = _recorded(stack, attrs)
    return Frames(stack, tuple(detectors), tuple(species), found, coords)


def _recorded(stack: StackSource, attrs: Mapping[str, Any]) -> Array:
    """Return for every frame and detector whether all pixels were recorded."""
    recorded = np.ones((stack.n_frames, stack.frame_shape[0]), bool)
    for frame, detector, _, _ in attrs.get("missing_pixels", ()):
        recorded[frame, detector] = False
    return recorded


def interleaved_frames(plain: Frames, parameters: Parameters | None) -> Frames:
    """Return one frame a series of every plane, with the species of all series as detectors.

    A species that a series does not hold reads as 0 there, and ``recorded`` is False.
    """
    if not isinstance(plain.stack, StackSource):
        raise TypeError("these frames are interleaved already")
    found = interleave(plain.stack, plain.detectors, parameters)
    if found is None:
        text = "no species is recorded twice in a plane, so nothing was interleaved"
        return Frames(**{**vars(plain), "warnings": (*plain.warnings, text)})
    stack, first = found
    count = len(stack.slots)
    plane, series = np.divmod(np.arange(stack.n_frames), count)
    coords = {name: values[list(first)] for name, values in plain.coords.items() if values.ndim < 2}
    if "dwell_time_s" in coords:
        coords["dwell_time_s"] = _one_value(plain.coords["dwell_time_s"], stack.slots)
    coords |= {"plane": plane, "series": series, "recorded": _recorded_series(plain, stack)}
    return Frames(
        stack,
        tuple(plain.detectors[i] for i in first),
        tuple(plain.species[i] for i in first),
        _series_attrs(plain, stack, first),
        coords,
        plain.warnings,
    )


def _recorded_series(plain: Frames, stack: InterleavedStack) -> Array:
    whole = np.ones((stack.stack.n_frames, stack.stack.frame_shape[0]), bool)
    before = plain.coords.get("recorded", whole)
    found = np.zeros((stack.n_frames, stack.frame_shape[0]), bool)
    for series, slot in enumerate(stack.slots):
        for species, detector in enumerate(slot):
            if detector >= 0:
                found[series :: len(stack.slots), species] = before[:, detector]
    return found


def _series_attrs(plain: Frames, stack: InterleavedStack, first: tuple[int, ...]) -> dict[str, Any]:
    attrs = dict(plain.attrs)
    attrs["detectors"] = [plain.detectors[i].name for i in first]
    attrs["interleaved"] = [list(slot) for slot in stack.slots]
    for name in _LISTS:
        if name in attrs:
            attrs[name] = _same_values(attrs[name], stack.slots)
    if "missing_pixels" in attrs:
        attrs["missing_pixels"] = [
            [plane * len(stack.slots) + series, slot.index(detector), start, stop]
            for plane, detector, start, stop in attrs["missing_pixels"]
            for series, slot in enumerate(stack.slots)
            if detector in slot
        ]
    return attrs


def _same_values(values: Sequence[Any], slots: Sequence[Sequence[int]]) -> list[Any]:
    """Return the value of every species, None where its series have different ones."""
    found = []
    for species in zip(*slots, strict=True):
        several = {values[detector] for detector in species if detector >= 0}
        found.append(several.pop() if len(several) == 1 else None)
    return found


def _one_value(values: Array, slots: Sequence[Sequence[int]]) -> Array:
    found = _same_values(values.tolist(), slots)
    return np.array([np.nan if one is None else one for one in found])


def dwell_times(
    detectors: Sequence[Detector], parameters: Parameters | None
) -> tuple[list[float] | None, list[str]]:
    """Return the dwell time of every detector where B fields differ in it, and a warning if so.

    Returns
    -------
    dwell_s
        Seconds, None where one value holds for all or it is not known which holds for what.
    warnings
        A sentence where it is not known.
    """
    fields = [] if parameters is None else parameters.b_fields
    known = [field["dwell_us"] for field in fields if field["dwell_us"] > 0]
    if len(set(known)) < 2:
        return None, []
    series = detectors_by_field(detectors, parameters)
    if series is None or len(known) < len(fields):
        text = (
            "the B fields differ in dwell time and the header does not tell which detector "
            "belongs to which; that of the first selected one is given for all"
        )
        return None, [text]
    found = [0.0] * len(detectors)
    used = [field for field in fields if field["trolleys"]]
    for field, numbers in zip(used, series, strict=True):
        for number in numbers:
            found[number] = field["dwell_us"] / 1e6
    return found, []
