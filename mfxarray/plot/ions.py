"""Pictures of ion images, their drift and their hot pixels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from mfxarray.display import number, safe_text
from mfxarray.plot.figures import new_figure

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["drift", "hot_pixels", "ion_images"]

Array = np.ndarray[Any, Any]


def ion_images(counts: xr.DataArray, *, log: bool = False, title: str = "") -> Figure:
    """Return one picture a detector, summed over frames, and the exposure where it varies.

    Parameters
    ----------
    counts
        Ion counts (frame, detector, y, x), or images (detector, y, x) that are summed already.
    log
        Colours on a logarithmic scale.
    title
        Above all pictures.
    """
    frames = counts.sizes.get("frame")
    images = (counts.sum("frame") if frames is not None else counts).compute()
    panels = [
        (_detector_title(images, index), images.isel(detector=index).values, "counts")
        for index in range(images.sizes["detector"])
    ]
    exposure = images.coords.get("exposure")
    if exposure is not None and exposure.size and exposure.min() != exposure.max():
        panels.append(("exposure", exposure.values, "frames"))
    columns = min(len(panels), 4)
    rows = math.ceil(len(panels) / columns)
    figure = new_figure(3.5 * columns, 3.2 * rows + 0.4)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    extent = _extent_um(images)
    for place, (name, values, unit) in zip(grid, panels, strict=False):
        _ion_panel(figure, place, values, extent, log and unit == "counts", unit)
        place.set_title(name)
    for place in grid[len(panels) :]:
        place.set_axis_off()
    summed = f"sum of {frames} frames" if frames is not None else "summed images"
    figure.suptitle(f"{safe_text(title, 80)}: {summed}" if title else summed)
    return figure


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
    figure.suptitle(safe_text(title, 80) or "drift of the sample")
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
    images = [before.values, after.values]
    top = max(float(np.percentile(images[1], 99.9)), 1.0) * 1.2
    figure = new_figure(11.5, 4.4)
    places = figure.subplots(1, 2)
    extent = _extent_um(before)
    y, x = np.nonzero(mask.values)
    for place, values, name in zip(places, images, ("before", "after"), strict=True):
        shown = place.imshow(values, cmap="gray", vmin=0, vmax=top, extent=extent)
        at_y = np.interp(y + 0.5, [0, values.shape[0]], [extent[3], extent[2]])
        at_x = np.interp(x + 0.5, [0, values.shape[1]], [extent[0], extent[1]])
        ring = {"facecolors": "none", "edgecolors": "tab:red", "linewidths": 1.2}
        place.scatter(at_x, at_y, s=70, **ring)
        place.set(title=name, xlabel="x / µm", ylabel="y / µm")
        figure.colorbar(shown, ax=place, label="counts", extend="max")
    what = safe_text(title, 80) or "hot pixels"
    many = "1 pixel" if len(y) == 1 else f"{number(len(y))} pixels"
    figure.suptitle(f"{what}: {many} replaced here (red)")
    return figure


def _detector_title(images: xr.DataArray, index: int) -> str:
    name = safe_text(images["detector"].values[index], 24)
    mass = float(images["mass"].values[index]) if "mass" in images.coords else 0.0
    return f"{name}  ({mass:.3f} u)" if mass > 0 else name


def _extent_um(images: xr.DataArray) -> tuple[float, float, float, float]:
    """Return left, right, bottom, top in µm; y runs downwards."""
    edges = []
    for dim in ("x", "y"):
        places = images[dim].values.astype(float)
        step = places[1] - places[0] if len(places) > 1 else 1.0
        edges.append((float(places[0] - step / 2), float(places[-1] + step / 2)))
    return edges[0][0], edges[0][1], edges[1][1], edges[1][0]


def _ion_panel(
    figure: Figure, place: Axes, values: Array, extent: Any, log: bool, unit: str
) -> None:
    from matplotlib.colors import LogNorm, Normalize

    top = max(float(np.percentile(values, 99.9)), 1.0) if values.size else 1.0
    norm = LogNorm(1, max(top, 10.0)) if log else Normalize(0, top)
    shown_values = np.maximum(values, 1) if log else values
    cmap = "viridis" if unit == "frames" else "inferno"
    shown = place.imshow(shown_values, norm=norm, cmap=cmap, extent=extent)
    place.set(xlabel="x / µm", ylabel="y / µm")
    figure.colorbar(shown, ax=place, label=unit, shrink=0.85)
