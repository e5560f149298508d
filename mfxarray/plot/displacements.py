"""The panel of mean squared displacements, with the models that fit them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from mfxarray.errors import DataError

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

__all__ = ["draw_curve", "with_error"]

_UM2 = 1e12
# m²; below it nm² are easier to read
_SMALL = 1e-14
_NM = 1e9
_FITS = {
    "free": ("#009E73", "-"),
    "anomalous": ("#CC79A7", "--"),
    "confined": ("#E69F00", ":"),
    "directed": ("#D55E00", "-."),
}
# what a model says beyond free motion, which is drawn where it is this many errors from 0
_BEYOND = {"confined": "confinement_radius", "directed": "speed"}
_CLEAR = 3.0


def draw_curve(place: Axes, curve: xr.Dataset) -> None:
    """Draw mean squared displacements with their errors, and the models that say something."""
    from mfxarray.minflux.tracking.msd_fit import fit_msd, model_curve

    time, msd, error = (curve[name].values for name in ("lag_time", "msd", "msd_error"))
    highest = float(np.nanmax(np.append(msd + np.nan_to_num(error), 0.0)))
    scale, unit = (_UM2, "µm²") if highest > _SMALL else (_NM**2, "nm²")
    time, msd, error = time * 1e3, msd * scale, error * scale
    look: dict[str, Any] = {"fmt": "o", "color": "k", "ms": 4, "capsize": 2, "lw": 1}
    place.errorbar(time, msd, error, label="all tracks, ± standard error", **look)
    known = time[np.isfinite(time)]
    if len(known):
        fine = np.linspace(0.0, known.max() * 1.04, 200)
        d = float(curve["dimensions"])
        for model, (colour, style) in _FITS.items():
            try:
                fit = fit_msd(curve, model)
            except DataError:
                continue
            beyond = _BEYOND.get(model)
            if beyond and not float(fit[beyond]) > _CLEAR * float(fit[f"{beyond}_error"]):
                continue
            drawn = model_curve(fit, fine / 1e3, d) * scale
            place.plot(fine, drawn, color=colour, ls=style, lw=1.6, label=_told(fit, model))
        place.set_xlim(0, fine[-1])
    # a model may rise steeply where nothing was measured
    place.set_ylim(0, 1.25 * highest * scale or None)
    place.set_title("mean squared displacement", fontsize=11)
    place.set(xlabel="time between two localizations / ms", ylabel=f"msd / {unit}")
    place.legend(fontsize=8, frameon=False, loc="lower right")


def with_error(value: float, error: float) -> str:
    """Return a number and its error with as many digits as the error has two."""
    if not (math.isfinite(value) and math.isfinite(error) and error > 0):
        return f"{value:.4g}"
    digits = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def _told(fit: xr.Dataset, model: str) -> str:
    def pair(name: str, scale: float = 1.0) -> str:
        return with_error(float(fit[name]) * scale, float(fit[f"{name}_error"]) * scale)

    if model == "free":
        return f"free: D = {pair('D', _UM2)} µm²/s"
    if model == "anomalous":
        return f"anomalous: exponent {pair('exponent')}"
    if model == "directed":
        return f"directed: speed {pair('speed', 1e6)} µm/s"
    return f"confined: radius {pair('confinement_radius', _NM)} nm"
