"""Pictures of what cleans a stack of ion images: its drift and its hot pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mfxarray.display import number
from mfxarray.plot.figures import new_figure
from mfxarray.plot.panels import extent_of, plain_text

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["drift", "hot_pixels", "translations"]

Array = np.ndarray[Any, Any]

_COLORS = {"y": "C0", "x": "C1"}
_MOST_DOTS = 200


def translations(found: xr.DataArray, ax: Axes | None = None) -> Axes:
    """Return axes with the translation of every frame along y and x.

    Frames that are not confident, whose translation is that of the last confident one, are crossed.

    Parameters
    ----------
    found
        Result of `infer_translations`, (frame, axis), pixels.
    ax
        Axes to draw in; those of a new figure, ``.figure``, if not given.

    Raises
    ------
    ValueError
        If the dimensions are not frame and axis.

    See Also
    --------
    drift : The same beside the path in the plane, with the truth where it is known.
    """
    place = new_figure(7, 4).subplots() if ax is None else ax
    _course(place, _in_order(found))
    return place


def drift(translations: xr.DataArray, *, truth: Array | None = None, title: str = "") -> Figure:
    """Return the drift along both axes against the frame number, and its path.

    Parameters
    ----------
    translations
        Result of `infer_translations`, (frame, axis), pixels.
    truth
        True translations, shape (frame, 2), where they are known.
    title
        Above both pictures.

    Raises
    ------
    ValueError
        If the dimensions are not frame and axis, or the truth has another shape.
    """
    shown = _in_order(translations)
    figure = new_figure(10.5, 4.2)
    course, path = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1.5, 1]})
    _course(course, shown, truth)
    _path(path, shown.values)
    figure.suptitle(plain_text(title) or "drift of the sample")
    return figure


def _in_order(found: xr.DataArray) -> xr.DataArray:
    """Return translations in memory, (frame, axis)."""
    if set(found.dims) != {"frame", "axis"} or found.sizes["axis"] != 2:
        sizes = dict(found.sizes)
        raise ValueError(f"translations have the dimensions (frame, axis=2), not {sizes}")
    return found.transpose("frame", "axis").compute()


def _course(place: Axes, found: xr.DataArray, truth: Array | None = None) -> None:
    """Draw translations against frames, with what is doubtful and what is true."""
    frames = np.arange(found.sizes["frame"])
    # few frames get dots; of many, dots would hide the line
    dots: dict[str, Any] = {"marker": "o", "ms": 3} if len(frames) <= _MOST_DOTS else {}
    for column, (axis, color) in enumerate(_COLORS.items()):
        values = found.values[:, column]
        place.plot(frames, values, lw=1, color=color, label=f"d{axis}", zorder=3 - column, **dots)
    if truth is not None:
        known = np.asarray(truth)
        if known.shape != found.shape:
            raise ValueError(f"the truth has the shape {known.shape}, not {found.shape}")
        _marks(place, frames, known, "+", color="k", ms=8, label="true", zorder=4)
    sure = found.coords["confident"].values if "confident" in found.coords else np.array(True)
    if not sure.all():
        style = {"color": "C3", "ms": 7, "label": "not confident", "zorder": 5}
        _marks(place, frames[~sure], found.values[~sure], "x", **style)
    text = plain_text(found.attrs.get("long_name", "translation"))
    place.set(xlabel="frame", ylabel=f"{text} / pixel")
    place.legend(frameon=False, ncols=4)
    place.grid(alpha=0.3)


def _marks(place: Axes, frames: Array, values: Array, mark: str, **style: Any) -> None:
    place.plot(np.tile(frames, 2), values.T.ravel(), mark, **style)


def _path(place: Axes, values: Array) -> None:
    """Draw the way in the plane, coloured by the frame."""
    frames = np.arange(len(values))
    marks = place.scatter(values[:, 1], values[:, 0], c=frames, s=16, zorder=3)
    place.plot(values[:, 1], values[:, 0], lw=0.8, color="0.6")
    place.set(xlabel="dx / pixel", ylabel="dy / pixel (downwards)", aspect="equal")
    place.set_adjustable("datalim")
    place.invert_yaxis()
    place.figure.colorbar(marks, ax=place, label="frame")


def hot_pixels(
    before: xr.DataArray, after: xr.DataArray, mask: xr.DataArray, *, title: str = ""
) -> Figure:
    """Return one image before and after the removal of hot pixels, and the pixels replaced.

    Parameters
    ----------
    before, after
        Counts of one frame and detector (y, x).
    mask
        Hot pixels of that frame (y, x), bool.
    title
        Above all pictures.
    """
    from mfxarray.mims.pixel_grid import grid_of

    images = [before.values, after.values]
    top = max(float(np.percentile(images[1], 99.9)), 1.0) * 1.2
    figure = new_figure(11.5, 4.4)
    places = figure.subplots(1, 2)
    extent = extent_of(grid_of(before))
    y, x = np.nonzero(mask.values)
    for place, values, name in zip(places, images, ("before", "after"), strict=True):
        shown = place.imshow(values, cmap="gray", vmin=0, vmax=top, extent=extent)
        at_y = np.interp(y + 0.5, [0, values.shape[0]], [extent[3], extent[2]])
        at_x = np.interp(x + 0.5, [0, values.shape[1]], [extent[0], extent[1]])
        ring = {"facecolors": "none", "edgecolors": "tab:red", "linewidths": 1.2}
        place.scatter(at_x, at_y, s=70, **ring)
        place.set(title=name, xlabel="x / µm", ylabel="y / µm")
        figure.colorbar(shown, ax=place, label="counts", extend="max")
    what = plain_text(title) or "hot pixels"
    many = "1 pixel" if len(y) == 1 else f"{number(len(y))} pixels"
    figure.suptitle(f"{what}: {many} replaced here (red)")
    return figure
