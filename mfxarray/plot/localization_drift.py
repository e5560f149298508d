"""The picture of the drift of localizations: its curve, and how well pairs of windows agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mfxarray.plot.figures import new_figure
from mfxarray.plot.panels import plain_text

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["localization_drift"]

Array = np.ndarray[Any, Any]

_NM = 1e-9
_COLORS = {"x": "C0", "y": "C1", "z": "C2"}
_MOST_LARGE_DOTS = 200
# powers of ten of a chance from which a pair counts as sure, and at which the colours end
_SURE, _CLEAR = 3, 10


def localization_drift(drift: xr.Dataset, *, title: str = "") -> Figure:
    """Return a figure of a drift: curves, residuals of the pairs of windows, their significance.

    Parameters
    ----------
    drift
        Result of `estimate_drift`.
    title
        Above all three pictures.

    Raises
    ------
    ValueError
        If the Dataset is not one of `estimate_drift`.
    """
    if "window_drift" not in drift or "pair_residual" not in drift:
        raise ValueError("this is no drift: give the result of estimate_drift")
    figure = new_figure(10, 6.5)
    places = figure.subplot_mosaic([["curve", "curve"], ["residual", "significance"]])
    found = drift.compute()
    axes = [axis for axis in found["axis"].values.tolist() if _moves(found, axis)]
    _draw_curve(places["curve"], found, axes)
    _draw_residuals(places["residual"], found, axes)
    _draw_significance(figure, places["significance"], found)
    if title:
        figure.suptitle(plain_text(title))
    return figure


def _moves(found: xr.Dataset, axis: str) -> bool:
    """Tell whether an axis was measured: z of 2D data is exactly 0."""
    return bool((found["pair_shift"].sel(axis=axis).fillna(0.0) != 0).any()) or axis != "z"


def _draw_curve(place: Axes, found: xr.Dataset, axes: list[str]) -> None:
    minutes = found["time"].values / 60
    for axis in axes:
        color, one = _COLORS.get(axis, "C3"), found.sel(axis=axis)
        curve = one["drift"].values / _NM
        place.plot(minutes, curve, color=color, lw=1.2, label=axis)
        at = one["window_time"].values / 60
        place.plot(at, one["window_drift"].values / _NM, "o", color=color, ms=3.5)
        if "drift_uncertainty" in one:
            half = 1.96 * one["drift_uncertainty"].values / _NM
            place.fill_between(minutes, curve - half, curve + half, color=color, alpha=0.2, lw=0)
    band = "; band: 95 %" if "drift_uncertainty" in found else ""
    place.set(xlabel="time / min", ylabel="drift / nm")
    place.set_title(f"{_ranges(found, axes)}; {found.sizes['window']} windows{band}", fontsize=10)
    place.legend(frameon=False, ncols=3, fontsize=9)
    place.grid(alpha=0.3)


def _ranges(found: xr.Dataset, axes: list[str]) -> str:
    spans = [np.ptp(found["drift"].sel(axis=axis).values) / _NM for axis in axes]
    return "drift over " + ", ".join(
        f"{span:.1f} nm in {axis}" for span, axis in zip(spans, axes, strict=True)
    )


def _draw_residuals(place: Axes, found: xr.Dataset, axes: list[str]) -> None:
    distance = (found["pair_second"] - found["pair_first"]).values
    size = 6 if len(distance) <= _MOST_LARGE_DOTS else 3
    rms = []
    for number, axis in enumerate(axes):
        residual = found["pair_residual"].sel(axis=axis).values / _NM
        color = _COLORS.get(axis, "C3")
        # side by side, not on top of each other
        at = distance + 0.25 * (number - (len(axes) - 1) / 2)
        place.plot(at, residual, ".", color=color, ms=size, alpha=0.6)
        known = residual[np.isfinite(residual)]
        rms.append(f"{axis} {np.sqrt((known**2).mean()) if len(known) else np.nan:.2f} nm")
    place.axhline(0, color="0.4", lw=0.8)
    place.locator_params(axis="x", integer=True)
    place.set(xlabel="distance of the windows of a pair", ylabel="residual / nm")
    place.set_title(f"residuals of {found.sizes['pair']} pairs, rms {', '.join(rms)}", fontsize=10)
    place.grid(alpha=0.3)


def _draw_significance(figure: Figure, place: Axes, found: xr.Dataset) -> None:
    n = found.sizes["window"]
    matrix = np.full((n, n), np.nan)
    powers = found["pair_significance"].values
    matrix[found["pair_second"].values, found["pair_first"].values] = powers
    shown = place.imshow(matrix, vmin=0, vmax=_CLEAR, cmap="viridis", origin="lower")
    figure.colorbar(shown, ax=place, label="chance of the shift, 10 to the minus", extend="max")
    place.set(xlabel="earlier window", ylabel="later window")
    step = -(-n // 8)
    place.set(xticks=range(0, n, step), yticks=range(0, n, step))
    sure = int((powers > _SURE).sum())
    place.set_title(
        f"{sure} of {len(powers)} pairs have a chance below {10.0**-_SURE:g}", fontsize=10
    )
