"""Pictures of a resolution: the curves of the halves, and the resolution as it grows with time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mfxarray.plot.figures import new_figure
from mfxarray.plot.panels import plain_text

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["resolution", "resolution_over_time"]

Array = np.ndarray[Any, Any]

_NM = 1e-9
# frequencies shown, in those at which curves fall below the threshold
_SHOWN = 2.5


def resolution(found: xr.Dataset, *, title: str = "") -> Figure:
    """Return a figure of the correlation of every split, their mean, and the threshold.

    Parameters
    ----------
    found
        Result of `mfxarray.minflux.resolution.correlate.resolution`.
    title
        Above the numbers.

    Raises
    ------
    ValueError
        If the Dataset is not one of these.
    """
    if "correlation_smoothed" not in found or "until" in found.dims:
        raise ValueError("this is no resolution: give the result of ds.mfx.resolution()")
    figure = new_figure(7, 4.4)
    place = figure.subplots()
    known = found.compute()
    _draw_curves(place, known)
    told = filter(None, [plain_text(title), _numbers(known)])
    place.set_title("\n".join(told), fontsize=10)
    return figure


def resolution_over_time(found: xr.Dataset, *, title: str = "") -> Figure:
    """Return a figure of the resolution of what was recorded up to each time.

    Parameters
    ----------
    found
        Result of `mfxarray.minflux.resolution.correlate.resolution_over_time`.
    title
        Above the picture.

    Raises
    ------
    ValueError
        If the Dataset is not one of these.
    """
    if "correlation_smoothed" not in found or "until" not in found.dims:
        raise ValueError("this has no times: give the result of resolution_over_time")
    figure = new_figure(7, 4.4)
    place = figure.subplots()
    known = found.compute()
    minutes = known["until"].values / 60
    mean, low, high = (known[f"resolution_{name}"].values / _NM for name in ("mean", "low", "high"))
    splits = known.sizes["repeat"]
    place.plot(
        np.repeat(minutes, splits), known["resolution"].values.ravel() / _NM, ".", color="0.6"
    )
    place.plot(minutes, mean, "o-", color="C0", ms=4)
    place.fill_between(minutes, low, high, color="C0", alpha=0.2, lw=0)
    top = 1.08 * float(np.nanmax(known["resolution"].values / _NM, initial=0.0))
    place.set(xlabel="recorded until / min", ylabel="resolution / nm", xlim=(0, None))
    place.set_ylim(0, top or 1.0)
    points = known["points"].isel(repeat=0).sum("half").values
    told = f"{_kind(known)}; dots: splits, band: {_share(known)} interval of their mean"
    counts = f"{points[0]} to {points[-1]} points"
    place.set_title("\n".join(filter(None, [plain_text(title), told, counts])), fontsize=10)
    place.grid(alpha=0.3)
    return figure


def _draw_curves(place: Axes, found: xr.Dataset) -> None:
    frequency = found["frequency"].values * _NM
    for curve in found["correlation_smoothed"].values:
        place.plot(frequency, curve, color="C0", lw=0.6, alpha=0.35)
    mean = found["correlation_smoothed"].mean("repeat").values
    place.plot(frequency, mean, color="C0", lw=1.8, label=f"mean of {found.sizes['repeat']} splits")
    limit = found["threshold"].values
    place.plot(
        frequency, limit, color="C3", lw=1.2, ls="--", label=f"threshold {_threshold(found)}"
    )
    place.axhline(0, color="0.4", lw=0.8)
    each = found["resolution"].values / _NM
    known = each[np.isfinite(each)]
    end = frequency[-1]
    if len(known):
        place.axvline(1 / known.mean(), color="0.3", lw=1, ls=":")
        end = min(_SHOWN / known.min(), end)
    least = min(-0.1, float(np.nanmin(mean, initial=0.0)) - 0.05)
    place.set(xlabel="spatial frequency / (1/nm)", xlim=(0, end), ylim=(least, 1.05))
    place.set_ylabel(
        "Fourier ring correlation"
        if found.attrs.get("dimensions", 2) == 2
        else "Fourier shell correlation"
    )
    place.legend(frameon=False, fontsize=9)
    place.grid(alpha=0.3)


def _threshold(found: xr.Dataset) -> str:
    name = found.attrs.get("threshold", "")
    return name if isinstance(name, str) else f"{name:.3f}"


def _numbers(found: xr.Dataset) -> str:
    mean, low, high = (float(found[f"resolution_{name}"]) / _NM for name in ("mean", "low", "high"))
    if not np.isfinite(mean):
        return f"not every split crosses the threshold\n{_kind(found)}"
    interval = f" ({_share(found)} interval of the mean: {low:.2f} to {high:.2f} nm)"
    return f"resolution {mean:.2f} nm{interval if np.isfinite(low) else ''}\n{_kind(found)}"


def _share(found: xr.Dataset) -> str:
    return str(found.attrs.get("interval", "95%")).rsplit(", ", 1)[-1].replace("%", " %")


def _kind(found: xr.Dataset) -> str:
    split, of = found.attrs.get("split"), found.attrs.get("of")
    return "means of traces" if of == "trace" else f"localizations, split by {split}"
