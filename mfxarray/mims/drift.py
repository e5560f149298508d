"""The path of the sample under the beam as a picture, in axes of one's own figure if wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_drift"]

_COLORS = {"y": "C0", "x": "C1"}


def plot_drift(translations: xr.DataArray, ax: Axes | None = None) -> Axes:
    """Return axes with the translation of every frame along y and x.

    Frames that are not confident, whose translation is that of the last confident one, are crossed.

    Parameters
    ----------
    translations
        Result of `infer_translations`, (frame, axis), pixels.
    ax
        Axes to draw in; those of a new figure if not given.

    Raises
    ------
    ValueError
        If the dimensions are not frame and axis.

    See Also
    --------
    mfxarray.plot.drift : The same beside the path in the plane, with the truth where it is known.
    """
    if set(translations.dims) != {"frame", "axis"} or translations.sizes["axis"] != 2:
        sizes = dict(translations.sizes)
        raise ValueError(f"translations have the dimensions (frame, axis=2), not {sizes}")
    found = translations.transpose("frame", "axis").compute()
    place = _new_axes() if ax is None else ax
    frames = np.arange(found.sizes["frame"])
    lost = ~found.coords["confident"].values if "confident" in found.coords else frames < 0
    # few frames get dots; of many, dots would hide the line
    dots: dict[str, Any] = {"marker": "o", "ms": 3} if len(frames) <= 200 else {}
    for column, (axis, color) in enumerate(_COLORS.items()):
        values = found.values[:, column]
        place.plot(frames, values, lw=1, color=color, label=f"d{axis}", zorder=3 - column, **dots)
    if lost.any():
        at, held = np.tile(frames[lost], 2), found.values[lost].T.ravel()
        place.plot(at, held, "x", color="C3", ms=7, label="not confident", zorder=4)
    text = str(found.attrs.get("long_name", "translation"))
    place.set(xlabel="frame", ylabel=f"{text} / pixel")
    place.legend(frameon=False, ncols=3)
    place.grid(alpha=0.3)
    return place


def _new_axes() -> Axes:
    # without pyplot: nothing has to be closed and no window system is needed
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    return figure.subplots()
