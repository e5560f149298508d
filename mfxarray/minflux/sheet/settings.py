"""What a statistics sheet shows: its histograms, their edges, and which traces count."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

__all__ = ["SHEETS", "Panel", "SheetSettings", "sheet_settings"]

Array = np.ndarray[Any, Any]

_NM = 1e-9


@dataclass(frozen=True)
class Panel:
    """One quantity of a sheet.

    Attributes
    ----------
    name
        Its variables are called after it.
    units
        SI unit, "1" for pure numbers.
    long_name
        Meaning, in a few words.
    first, last, bins
        Lowest and highest edge of the histogram, in the unit, and its number of bins.
    centre
        "median" or "mean".
    of
        What is counted: "localization" or "trace".
    """

    name: str
    units: str
    long_name: str
    first: float
    last: float
    bins: int
    centre: str = "median"
    of: str = "trace"

    @property
    def edges(self) -> Array:
        """Edges of the histogram, shape (bin + 1,); the last bin includes its upper one."""
        return np.linspace(self.first, self.last, self.bins + 1)


@dataclass(frozen=True)
class SheetSettings:
    """How a sheet is made; the defaults are those of ``preset="default"``.

    Attributes
    ----------
    panels
        Histograms.
    least_spread
        Localizations that a trace must have for its spread to count.
    least_error
        Localizations that a trace must have for its standard error to count.
    per_axis
        Whether the error in the plane is that along one axis, ``sqrt((sx**2 + sy**2) / 2)``;
        otherwise that of both together, without the half.
    drift
        Preset of the drift, see `mfxarray.minflux.drift.estimate.estimate_drift`.
    """

    panels: tuple[Panel, ...]
    least_spread: int = 5
    least_error: int = 3
    per_axis: bool = True
    drift: str = "default"


_SPREADS = tuple(
    Panel(f"sigma_{name}", "m", f"spread along {name}", 0.0, 20 * _NM, 40) for name in "xyz"
)
_PANELS = (
    Panel("fbg", "Hz", "background", 0.0, 6e4, 30, of="localization"),
    Panel("cfr", "1", "centre-to-periphery frequency ratio", -0.5, 1.5, 40, of="localization"),
    Panel("t_scan", "s", "time between traces", 0.0, 10.0, 50),
    Panel("t_loc", "s", "duration of a trace", 0.0, 6.0, 60),
    Panel("localizations_per_trace", "1", "localizations in a trace", 0.0, 50.0, 50, "mean"),
    *_SPREADS,
    Panel("sigma_r", "m", "spread in the plane, rms of x and y", 0.0, 20 * _NM, 40),
    Panel("standard_error_r", "m", "standard error in the plane", 0.0, 10 * _NM, 20),
    Panel("standard_error_z", "m", "standard error along z", 0.0, 10 * _NM, 20),
    Panel("standard_error_xyz", "m", "standard error, rms of x, y, z", 0.0, 10 * _NM, 20),
)
_PAINT21 = {
    "fbg": {"last": 3e4, "bins": 30},
    "cfr": {"first": 0.0, "bins": 30},
    # 0.3 s a bin: the 27th edge beyond 8 s is none
    "t_loc": {"last": 7.8, "bins": 26},
    **{f"sigma_{name}": {"last": 15 * _NM, "bins": 30} for name in "xyzr"},
}

SHEETS: dict[str, SheetSettings] = {
    "default": SheetSettings(_PANELS),
    "seed": SheetSettings(_PANELS, drift="seed"),
    "paint21": SheetSettings(
        tuple(replace(panel, **_PAINT21.get(panel.name, {})) for panel in _PANELS),  # type: ignore[arg-type]
        least_error=2,
        per_axis=False,
        drift="paint21",
    ),
}


def sheet_settings(preset: str | SheetSettings) -> SheetSettings:
    """Return the settings of a preset.

    Raises
    ------
    ValueError
        If there is no such preset.
    """
    if isinstance(preset, SheetSettings):
        return preset
    if preset not in SHEETS:
        raise ValueError(f"preset must be one of {', '.join(SHEETS)}, not {preset!r}")
    return SHEETS[preset]
