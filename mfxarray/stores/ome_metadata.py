"""The metadata of OME-Zarr 0.5: axes, scales of all levels, channels and how to show them.

References
----------
OME-NGFF 0.5, https://ngff.openmicroscopy.org/0.5/
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mfxarray.stores.image_stack import ImageStack
from mfxarray.stores.plain import plain_attrs

__all__ = ["Shown", "axis_names", "group_attributes"]

VERSION = "0.5"
# readable on black, and told apart by people who see no red or green (Okabe and Ito 2008)
_COLORS = ("56B4E9", "E69F00", "009E73", "F0E442", "0072B2", "D55E00", "CC79A7")
_GREY = "FFFFFF"


@dataclass(frozen=True)
class Shown:
    """The values of a channel: lowest, highest, and the highest worth showing."""

    low: float
    high: float
    top: float

    def with_(self, other: Shown) -> Shown:
        """Return what holds for both."""
        low, high = min(self.low, other.low), max(self.high, other.high)
        return Shown(low, high, max(self.top, other.top))


def axis_names(stack: ImageStack) -> tuple[str, ...]:
    """Return the names of the axes; there is no time in images without frames."""
    if stack.deep:
        return "c", "z", "y", "x"
    return ("c", "y", "x") if stack.frames is None else ("t", "c", "y", "x")


def group_attributes(
    stack: ImageStack, name: str, levels: int, shown: Sequence[Shown], coarser: str
) -> dict[str, Any]:
    """Return the attributes of an image's group.

    Parameters
    ----------
    stack
        What the image shows.
    name
        Of the image.
    levels
        Number of resolutions; each halves rows and columns.
    shown
        Values of every channel.
    coarser
        How a coarser pixel is made, "mean" or "sum".
    """
    multiscales: dict[str, Any] = {
        "name": name,
        "axes": _axes(stack),
        "datasets": [_dataset(stack, level) for level in range(levels)],
    }
    if levels > 1:
        multiscales |= {"type": coarser, "metadata": {"description": f"{coarser} of 2 x 2 pixels"}}
    channels = [
        _channel(label, shown[number], number, len(stack.labels))
        for number, label in enumerate(stack.labels)
    ]
    ome = {"version": VERSION, "multiscales": [multiscales], "omero": {"channels": channels}}
    return {"ome": ome, "mfxarray": {"attrs": plain_attrs(stack.attrs, "data")}}


def _axes(stack: ImageStack) -> list[dict[str, str]]:
    # frames have no even distance in time, so their axis has no unit
    known: dict[str, dict[str, str]] = {"t": {"type": "time"}, "c": {"type": "channel"}}
    space = {"type": "space"} | ({"unit": "micrometer"} if stack.pixel_um is not None else {})
    return [{"name": name, **known.get(name, space)} for name in axis_names(stack)]


def _dataset(stack: ImageStack, level: int) -> dict[str, Any]:
    before = [1.0] * (len(axis_names(stack)) - 2)
    start = [0.0] * len(before)
    if stack.deep and stack.depth_um is not None:
        # depths are not halved
        before[-1], start[-1] = stack.depth_um
    step = stack.pixel_um or (1.0, 1.0)
    first = stack.first_um or (0.0, 0.0)
    factor = 2.0**level
    # places are those of pixel centres, which move when pixels grow
    shift = [at + (factor - 1) / 2 * size for at, size in zip(first, step, strict=True)]
    scale = {"type": "scale", "scale": before + [size * factor for size in step]}
    moved = {"type": "translation", "translation": start + shift}
    return {"path": str(level), "coordinateTransformations": [scale, moved]}


def _channel(label: str, shown: Shown, number: int, many: int) -> dict[str, Any]:
    low, top = shown.low, shown.top
    return {
        "label": label,
        "color": _GREY if many == 1 else _COLORS[number % len(_COLORS)],
        "active": number < len(_COLORS),
        "window": {
            "min": min(low, 0.0),
            "max": shown.high,
            "start": min(low, 0.0),
            "end": top if top > min(low, 0.0) else min(low, 0.0) + 1.0,
        },
    }
