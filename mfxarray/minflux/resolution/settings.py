"""How a resolution is found: the parameters and their presets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from mfxarray.kernels.resolution.halves import MOST_SPLITS
from mfxarray.kernels.resolution.ring_curves import THRESHOLDS

__all__ = ["PRESETS", "SPLITS", "ResolutionSettings", "resolution_settings"]

SPLITS = ("trace", "localization")

# the seed smooths 7 rings of 5e5 1/m
_LEAST_RINGS = 7
_SMOOTHED = 3.5e6

Limits = float | tuple[tuple[float, float], ...] | None


@dataclass(frozen=True)
class ResolutionSettings:
    """Parameters of a Fourier ring correlation; the defaults are those of ``preset="default"``.

    Attributes
    ----------
    pixel
        Side of a pixel, metres; or one for each axis, x first.
    split
        "trace": all localizations of a trace go into the same half; "localization": each goes by
        itself, so that both halves see the same molecules with the same errors of their traces, and
        the resolution looks better than it is.
    repeats
        Random splits, at most 64.
    threshold
        Of the correlation: a number between 0 and 1, or "half-bit", "one-bit" or "three-sigma", see
        `mfxarray.kernels.resolution.ring_curves.threshold_curve`.
    smoothing
        Rings over which the curve is smoothed by moving straight lines (Savitzky-Golay of first
        order) before the threshold is looked for, odd; 1 for none. None for as many as span
        3.5e6 1/m, which is what the seed takes, and at least 7.
    ring_width
        Least width of the rings, 1/m; None for 1 over the shortest side.
    limits
        (low, high) for each axis, x first, metres; or the share of the points that may lie beyond
        each side; or None for all points.
    least_side
        Sides of limits given as a share are made at least this long, metres.
    corners
        Look for the threshold up to 0.8 of the frequency in the corners of the spectrum; otherwise
        up to that which pixels can sample along the axes.
    interpolate
        Interpolate between the rings above and below the threshold.
    pad
        Add zeros up to a size that is fast to transform.
    """

    pixel: float | tuple[float, ...] = 1e-9
    split: str = "trace"
    repeats: int = 8
    threshold: float | str = 1 / 7
    smoothing: int | None = None
    ring_width: float | None = None
    limits: Limits = None
    least_side: float = 0.0
    corners: bool = False
    interpolate: bool = True
    pad: bool = True

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, not {self.split!r}")
        if not (_whole(self.repeats) and 1 <= self.repeats <= MOST_SPLITS):
            raise ValueError(f"repeats must be 1 to {MOST_SPLITS}, not {self.repeats!r}")
        window = self.smoothing
        if window is not None and not (_whole(window) and window >= 1 and window % 2):
            raise ValueError(f"smoothing must be odd, 1 for none, not {window!r}")
        if self.ring_width is not None and not self.ring_width > 0:
            raise ValueError(f"ring_width must be above 0, in 1/m, not {self.ring_width!r}")
        if isinstance(self.limits, int | float) and not 0 <= self.limits < 0.5:
            raise ValueError(f"limits as a share must be from 0 to below 0.5, not {self.limits!r}")
        _check_threshold(self.threshold)

    def parameters(self) -> dict[str, Any]:
        """Return all parameters, JSON-able."""
        return asdict(self)

    def window(self, width: float) -> int:
        """Return over how many rings of a width in 1/m the curve is smoothed."""
        if self.smoothing is not None:
            return self.smoothing
        return max(_LEAST_RINGS, 2 * int(_SMOOTHED / width / 2) + 1)

    @property
    def first_smoothed(self) -> int:
        """Return the first ring that is smoothed: ring 0 is always 1 and tells nothing."""
        return 1 if self.interpolate else 0


def resolution_settings(
    preset: str | ResolutionSettings, changes: Mapping[str, Any]
) -> ResolutionSettings:
    """Return the settings of a preset with changes; a change to None is none.

    Raises
    ------
    ValueError
        If there is no such preset or a parameter is wrong.
    """
    if isinstance(preset, str) and preset not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}, not {preset!r}")
    settings = PRESETS[preset] if isinstance(preset, str) else preset
    return replace(
        settings, **{name: value for name, value in changes.items() if value is not None}
    )


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_threshold(threshold: Any) -> None:
    if isinstance(threshold, str):
        if threshold not in THRESHOLDS:
            raise ValueError(
                f"threshold must be a number or one of {', '.join(THRESHOLDS)}, not {threshold!r}"
            )
    elif not 0 < threshold < 1:
        raise ValueError(f"threshold must be between 0 and 1, not {threshold!r}")


PRESETS: dict[str, ResolutionSettings] = {
    "default": ResolutionSettings(),
    "seed": ResolutionSettings(
        split="localization",
        ring_width=5e5,
        smoothing=7,
        limits=0.01,
        least_side=200e-9,
        corners=True,
        interpolate=False,
        pad=False,
    ),
}
