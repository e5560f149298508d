"""Pictures of what cleans a stack of ion images: its drift and its hot pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mfxarray.display import number
from mfxarray.plot.figures import new_figure
from mfxarray.plot.panels import extent_of, plain_text

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

__all__ = ["drift", "hot_pixels"]

Array = np.ndarray[Any, Any]


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
    """
    found = translations.transpose("frame", "axis").compute()
    sure = found.coords["confident"].values if "confident" in found.coords else None
    figure = new_figure(10.5, 4.2)
    course, path = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1.5, 1]})
    number_of_frame = np.arange(found.sizes["frame"])
    for column, (axis, color) in enumerate((("y", "C0"), ("x", "C1"))):
        values = found.values[:, column]
        course.plot(number_of_frame, values, "o-", ms=3.5, lw=1, color=color, label=f"d{axis}")
        if sure is not None and not sure.all():
            course.plot(
                number_of_frame[~sure],
                values[~sure],
                "rx",
                ms=8,
                label=["not confident", None][column],
            )
    if truth is not None:
        for column, label in enumerate(("true", None)):
            known = np.asarray(truth)[:, column]
            course.plot(number_of_frame, known, "+", ms=9, color="k", label=label)
    course.set(xlabel="frame", ylabel="translation onto frame 0 / pixel")
    course.legend(frameon=False, ncols=3)
    course.grid(alpha=0.3)
    marks = path.scatter(found.values[:, 1], found.values[:, 0], c=number_of_frame, s=16, zorder=3)
    path.plot(found.values[:, 1], found.values[:, 0], lw=0.8, color="0.6")
    path.set(xlabel="dx / pixel", ylabel="dy / pixel (downwards)", aspect="equal")
    path.set_adjustable("datalim")
    path.invert_yaxis()
    figure.colorbar(marks, ax=path, label="frame")
    figure.suptitle(plain_text(title) or "drift of the sample")
    return figure


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
