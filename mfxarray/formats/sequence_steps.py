"""One iteration of a sequence, from the object by which the vendor describes it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Step", "flag", "known", "number", "step_dict", "step_of", "text", "whole"]

_AXIAL_PATTERN, _AXIAL_MODE = "zline", "mxa"


@dataclass(frozen=True)
class Step:
    """One iteration of a sequence; what a file does not say, or says in another way, is None.

    Attributes
    ----------
    photon_limit
        Photons at which the iteration closes (``phtLimit``), a lower bound of ``eco``.
    cfr_limit
        Highest centre-to-periphery ratio that passes (``ccrLimit``), negative for no check.
    background_threshold
        ``bgcThreshold``, hertz.
    dwell_time_s
        ``patDwellTime``, seconds.
    pattern_factor
        ``patGeoFactor`` as (lateral, axial): the pattern size over 360 nm.
    repeat
        ``patRepeat``.
    wavelength_m
        Excitation wavelength, metres.
    mode
        ``Mode.id``, such as "mxl3".
    dim
        ``Mode.dim``, 2 or 3.
    pattern
        ``Mode.pattern``, such as "hexagon" or "zline".
    strategy
        ``Mode.strategy``.
    """

    photon_limit: float | None = None
    cfr_limit: float | None = None
    background_threshold: float | None = None
    dwell_time_s: float | None = None
    pattern_factor: tuple[float, float] | None = None
    repeat: int | None = None
    wavelength_m: float | None = None
    mode: str | None = None
    dim: int | None = None
    pattern: str | None = None
    strategy: str | None = None

    @property
    def direction(self) -> str | None:
        """Return "axial" or "lateral", None where the mode does not tell.

        Notes
        -----
        Axial are the line patterns along z and the modes whose id begins with mxa. The first
        iteration of a 3D sequence (pt3d, a hexagon) counts as lateral.
        """
        if (self.pattern or "").startswith(_AXIAL_PATTERN):
            return "axial"
        if (self.mode or "").startswith(_AXIAL_MODE):
            return "axial"
        return "lateral" if self.pattern or self.mode else None


def step_of(found: Mapping[str, Any]) -> Step:
    """Return the iteration that an entry of ``Itr`` describes; nothing in it is needed."""
    mode = found.get("Mode")
    mode = mode if isinstance(mode, dict) else {}
    return Step(
        photon_limit=number(found.get("phtLimit")),
        cfr_limit=number(found.get("ccrLimit")),
        background_threshold=number(found.get("bgcThreshold")),
        dwell_time_s=number(found.get("patDwellTime")),
        pattern_factor=_factors(found.get("patGeoFactor")),
        repeat=whole(found.get("patRepeat")),
        wavelength_m=_wavelength(found),
        mode=text(mode.get("id")),
        dim=whole(mode.get("dim")),
        pattern=text(mode.get("pattern")),
        strategy=text(mode.get("strategy")),
    )


def step_dict(step: Step) -> dict[str, Any]:
    """Return a JSON-able entry of ``Itr`` for `step_of`, with the vendor's keys."""
    mode = {"id": step.mode, "dim": step.dim, "pattern": step.pattern, "strategy": step.strategy}
    found = {
        "Mode": known(mode) or None,
        "phtLimit": step.photon_limit,
        "ccrLimit": step.cfr_limit,
        "bgcThreshold": step.background_threshold,
        "patDwellTime": step.dwell_time_s,
        "patGeoFactor": None if step.pattern_factor is None else list(step.pattern_factor),
        "patRepeat": step.repeat,
        "wavelength": step.wavelength_m,
    }
    return known(found)


def known(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is not None."""
    return {key: value for key, value in found.items() if value is not None}


def _wavelength(found: Mapping[str, Any]) -> float | None:
    excitation = found.get("_excitation")
    newer = excitation.get("wavelength") if isinstance(excitation, dict) else None
    values = map(number, (found.get("wavelength"), newer, found.get("_wavelength")))
    return next((value for value in values if value is not None), None)


def _factors(value: Any) -> tuple[float, float] | None:
    """Return (lateral, axial) of one number for both or of a pair of numbers."""
    pair = value if isinstance(value, list) else [value, value]
    if len(pair) != 2:
        return None
    lateral, axial = (number(part) for part in pair)
    return None if lateral is None or axial is None else (lateral, axial)


def number(value: Any) -> float | None:
    """Return a finite number as it is; None for "unspecified" and anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:
        return None


def whole(value: Any) -> int | None:
    """Return a whole number, also one stored as 5.0; None for anything else."""
    found = number(value)
    return int(found) if found is not None and found == int(found) else None


def flag(value: Any) -> bool | None:
    """Return true or false; None for anything else."""
    return value if isinstance(value, bool) else None


def text(value: Any) -> str | None:
    """Return text; None for anything else."""
    return value if isinstance(value, str) else None
