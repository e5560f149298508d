"""The parameters of the drift by time windows, and their presets."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from mfxarray.kernels.drift.shifts import Peak, margin_of

__all__ = ["PRESETS", "DriftSettings", "settings_of"]

Array = np.ndarray[Any, Any]

_CHOICES = {
    "weights": ("localizations", "distance"),
    "start": ("maximum", "zero"),
    "beyond": ("tangent", "chord"),
    "points": ("traces", "localizations"),
}


@dataclass(frozen=True)
class DriftSettings:
    """How a drift is estimated; the defaults are those of ``preset="default"``.

    Attributes
    ----------
    pixel
        Edge of a pixel or voxel in the last pass, metres; None for 2 nm in 2D and 5 nm in 3D, as
        in the seed. Smaller ones keep neighbouring sites of the structure out of the centroid.
    fwhm
        Width of the Gaussian that stands for a localization, pixels.
    centroid
        Width of the weight of the centroid (CR), pixels; None for 10 in 2D and 8 in 3D. Lags up to
        twice this are looked at.
    iterations
        Of the centroid.
    start
        Where the centroid starts: from the "maximum" of the correlation or from "zero" lag.
    max_distance
        Largest distance of compared windows, in windows; None for all pairs.
    weights
        Of pairs: "localizations" for the square root of the product of their numbers, times how
        far the peak stands out; "distance" for a line from 1 for neighbours to ``far_weight`` for
        the first and the last window.
    far_weight
        None for 0.5 in 2D and 0.2 in 3D.
    roughness
        Penalty of steps between neighbouring windows; None for 0.1 in 2D and 0.01 in 3D. It
        shrinks the drift, so the default is 0.
    coarse
        Factors of the pixel on which shifts are looked for besides the pixel itself: a drift is
        found as long as it moves less than twice ``centroid`` times the largest between
        neighbours. Of localizations each is a pass on positions corrected by the earlier ones.
    repeats
        Most passes at the last pixel, or most searches; they end when the drift no longer changes.
    beyond
        The drift before the first and after the last window time goes on along the "tangent", or
        along the "chord" between the two.
    cover
        Whether the windows cover the whole recording; otherwise a rest shorter than a window is in
        none.
    quantiles
        Shares of the positions along x and y between which localizations are compared; None for
        all of them.
    shortest, longest
        Limits of a window chosen from the data, seconds.
    traces
        Traces in a window chosen from the data; None for the rule of the seed, traces times area
        over 3e-12 m^2.
    points
        What is compared: means of "traces", of which only shifts count that are more than chance
        and agree with each other; or "localizations", as in the seed, whatever they give.
    false_alarm
        Largest probability that any pair of windows without common structure counts; only with
        ``points="traces"``.
    """

    pixel: float | None = 1e-9
    fwhm: float = 3.0
    centroid: float | None = None
    iterations: int = 20
    start: str = "maximum"
    max_distance: int | None = None
    weights: str = "localizations"
    far_weight: float | None = None
    roughness: float | None = 0.0
    coarse: tuple[int, ...] = (16, 8, 4, 2)
    repeats: int = 4
    beyond: str = "tangent"
    cover: bool = True
    quantiles: tuple[float, float] | None = None
    shortest: float = 0.0
    longest: float = math.inf
    traces: int | None = 200
    points: str = "traces"
    false_alarm: float = 0.01

    def of_dimensions(self, dimensions: int) -> DriftSettings:
        """Return the settings with everything filled in that depends on the dimensions."""
        flat = dimensions == 2
        usual = {
            "pixel": 2e-9 if flat else 5e-9,
            "centroid": 10.0 if flat else 8.0,
            "far_weight": 0.5 if flat else 0.2,
            "roughness": 0.1 if flat else 0.01,
        }
        missing: dict[str, Any] = {
            key: value for key, value in usual.items() if getattr(self, key) is None
        }
        found = replace(self, **missing)
        found._check()
        return found

    def peak(self) -> Peak:
        """Return how peaks are located."""
        centroid = float(self.centroid or 0.0)
        return Peak(self.fwhm, centroid, self.search(), self.iterations, self.start == "maximum")

    def search(self) -> int:
        """Return the largest lag looked at, pixels."""
        return math.ceil(2 * float(self.centroid or 0.0))

    def reach(self) -> int:
        """Return the largest lag that is counted, pixels."""
        return self.search() + margin_of(self.peak())

    def pair_weights(self, distances: Array, counts: Array, quality: Array, n: int) -> Array:
        """Return the weight of every pair of windows.

        Parameters
        ----------
        distances
            Between the windows, in windows, shape (pair,).
        counts
            Localizations of both windows, shape (pair, 2).
        quality
            How far the peak stands out, shape (pair,).
        n
            Number of windows.
        """
        if self.weights == "distance":
            line = np.linspace(1.0, float(self.far_weight or 0.0), n)
            return np.asarray(line[distances - 1])
        weights = np.sqrt(counts[:, 0] * counts[:, 1]) * quality
        mean = weights.mean() if len(weights) else 0.0
        return np.asarray(weights / mean if mean > 0 else weights)

    def parameters(self) -> dict[str, Any]:
        """Return the settings as they are recorded."""
        return {key: _plain(value) for key, value in asdict(self).items()}

    def _check(self) -> None:
        for name in ("pixel", "fwhm", "centroid"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be above 0, not {value!r}")
        if not 0 < self.false_alarm <= 1:
            raise ValueError(f"false_alarm is above 0 and at most 1, not {self.false_alarm!r}")
        if not 0 <= float(self.roughness or 0.0) < math.inf:
            raise ValueError(f"roughness must be 0 or above, not {self.roughness!r}")
        for name in ("iterations", "repeats", "max_distance", "traces"):
            value = getattr(self, name)
            if value is not None and (value != int(value) or value < 1):
                raise ValueError(f"{name} must be a whole number above 0, not {value!r}")
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name} must be one of {', '.join(known)}, not {getattr(self, name)!r}"
                )
        if any(factor != int(factor) or factor < 1 for factor in self.coarse):
            raise ValueError(f"coarse must be whole factors of the pixel, not {self.coarse!r}")
        if self.quantiles is not None and not 0 <= self.quantiles[0] < self.quantiles[1] <= 1:
            raise ValueError(f"quantiles must rise between 0 and 1, not {self.quantiles!r}")


_SEED = DriftSettings(
    pixel=None,
    start="zero",
    weights="distance",
    roughness=None,
    coarse=(),
    repeats=1,
    beyond="chord",
    cover=False,
    quantiles=(0.01, 0.99),
    shortest=400.0,
    longest=3600.0,
    traces=None,
    points="localizations",
)

PRESETS: dict[str, DriftSettings] = {
    "default": DriftSettings(),
    "seed": _SEED,
    "paint21": replace(_SEED, shortest=600.0),
}


def settings_of(preset: str | DriftSettings, changes: dict[str, Any]) -> DriftSettings:
    """Return a preset with some parameters changed.

    Raises
    ------
    ValueError
        If the preset or a parameter is unknown.
    """
    if isinstance(preset, str) and preset not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}, not {preset!r}")
    known = [field.name for field in fields(DriftSettings)]
    unknown = sorted(set(changes) - set(known))
    if unknown:
        raise ValueError(f"no parameter {unknown[0]!r}; there are {', '.join(known)}")
    chosen = PRESETS[preset] if isinstance(preset, str) else preset
    return replace(chosen, **changes)


def _plain(value: Any) -> Any:
    # JSON knows no infinity
    return None if isinstance(value, float) and math.isinf(value) else value
