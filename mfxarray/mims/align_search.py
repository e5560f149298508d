"""The search for the translations of frames: what is compared with what, and how far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import dask.array as da
import numpy as np

from mfxarray.chunked.registration import How, find_shifts, find_shifts_seed
from mfxarray.mims.align_choices import Region, reach_of, reference_of

__all__ = ["Found", "correlate", "correlate_seed"]


@dataclass(frozen=True, eq=False)
class Found:
    """Translations that were looked for, lazily.

    Attributes
    ----------
    shifts
        (dy, dx) of every frame, pixels, shape (frame, 2).
    onto
        Onto what they lead, in words.
    parameters
        For the record of steps.
    coords
        What goes along with them, by ``frame``.
    """

    shifts: da.Array
    onto: str
    parameters: dict[str, Any]
    coords: dict[str, Any] = field(default_factory=dict)


def correlate_seed(planes: da.Array, padding: int) -> Found:
    """Return translations of planes (frame, y, x) as openformat finds them."""
    shifts = find_shifts_seed(planes, padding)
    return Found(shifts, "the median of all, as openformat", {"padding": padding})


def correlate(
    planes: da.Array,
    reference: Any,
    iterations: int,
    subpixel: bool,
    bin_frames: int,
    region: Any,
    max_shift: int | None,
) -> Found:
    """Return translations of planes (frame, y, x); see `infer_translations` for the parameters.

    Raises
    ------
    ValueError
        If a parameter makes no sense for these planes.
    """
    if iterations < 0 or bin_frames < 1:
        raise ValueError("iterations must not be negative, bin_frames must be at least 1")
    part = Region(region, (planes.shape[1], planes.shape[2]))
    target = reference_of(reference, planes)
    reach = reach_of(max_shift, part.shape)
    parameters: dict[str, Any] = {
        "max_shift": reach,
        "iterations": iterations,
        "bin_frames": bin_frames,
        "reference": "image" if isinstance(target, da.Array) else target,
        "region": None if region is None else part.record(),
        "subpixel": subpixel,
    }
    if isinstance(target, da.Array):
        onto, target = "the reference image", part.cut(target)
    else:
        onto = f"frame {target}" if isinstance(target, int) else "frame 0"
    table = find_shifts(part.cut(planes), reach, How(target, iterations, part.mask, bin_frames))
    shifts = table[:, :2] if subpixel else da.rint(table[:, :2]).astype(np.int64)
    coords = {
        "score": ("frame", table[:, 2], {"long_name": "score", "units": "1"}),
        "confident": ("frame", table[:, 3].astype(bool), {"long_name": "confident"}),
    }
    return Found(shifts, onto, parameters, coords)
