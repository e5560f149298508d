"""What all pictures of ion images share: places in µm, a scale bar, colours with their unit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mfxarray.display import safe_text
from mfxarray.plot.figures import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    from mfxarray.mims.pixel_grid import PixelGrid

__all__ = [
    "Limits",
    "extent_of",
    "image_panel",
    "label_axes",
    "limits_of",
    "panel_figure",
    "plain_text",
    "round_length",
    "scale_bar",
]

Array = np.ndarray[Any, Any]
Limits = tuple[float, float]

_PANEL_INCHES = 2.6
# of pixels without a value; no colour map that is used here has it
_MISSING = "0.82"


def plain_text(text: object, most: int = 80) -> str:
    """Return text as matplotlib shows it letter by letter; dollars begin no formula."""
    return safe_text(text, most).replace("$", r"\$")


def limits_of(values: Array, percentiles: Limits) -> Limits:
    """Return the values at two percentiles, apart from each other; 0 and 1 without values.

    Raises
    ------
    ValueError
        If the percentiles do not rise from 0 to 100.
    """
    low, high = percentiles
    if not 0 <= low < high <= 100:
        raise ValueError(f"percentiles rise between 0 and 100, (1, 99) for example: {percentiles}")
    known = values[np.isfinite(values)] if values.dtype.kind == "f" else values.ravel()
    if not known.size:
        return 0.0, 1.0
    bottom, top = (float(end) for end in np.percentile(known, percentiles))
    if top > bottom:
        return bottom, top
    # an image of one value, or almost: hot pixels must not be all that shows
    return bottom, bottom + max(1.0, abs(bottom)) * (1.0 if known.dtype.kind in "ui" else 1e-3)


def panel_figure(
    grid: PixelGrid, count: int, columns: int | None = None, *, inches: float = _PANEL_INCHES
) -> tuple[Figure, list[Axes]]:
    """Return a figure with ``count`` axes of the shape of the images, in rows.

    Parameters
    ----------
    grid
        Of the images.
    count
        Number of images.
    columns
        Images in a row, 4 or fewer if not given.
    inches
        Longer side of an image.
    """
    if columns is not None and columns < 1:
        raise ValueError(f"columns must be 1 or more, not {columns}")
    # rows of equal length where that is possible: 3 and 3, not 4 and 2
    rows = math.ceil(count / min(count, columns or 4))
    per_row = columns if columns is not None and columns < count else math.ceil(count / rows)
    left, right, bottom, top = extent_of(grid)
    # of very long images neither side becomes too small to see
    shape = min(max(abs(bottom - top) / (right - left), 0.3), 3.0)
    width = inches if shape <= 1 else inches / shape
    # with room for the colours and numbers beside, and for titles above
    figure = new_figure((width + 1.2) * per_row + 0.2, (width * shape + 0.5) * rows + 0.5)
    places = figure.subplots(rows, per_row, squeeze=False).ravel()
    for place in places[count:]:
        place.set_axis_off()
    return figure, list(places[:count])


def image_panel(
    place: Axes,
    values: Array,
    grid: PixelGrid,
    *,
    norm: Normalize,
    cmap: str,
    unit: str,
    title: str,
) -> None:
    """Draw an image with its scale bar, and its colours beside it; pixels without value in grey."""
    import matplotlib

    colours = matplotlib.colormaps[cmap].with_extremes(bad=_MISSING)
    shown = place.imshow(
        values, norm=norm, cmap=colours, extent=extent_of(grid), interpolation="nearest"
    )
    place.set_title(title, fontsize=9)
    known = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    low = bool(known.size and norm.vmin is not None and known.min() < norm.vmin)
    high = bool(known.size and norm.vmax is not None and known.max() > norm.vmax)
    ends = {(False, False): "neither", (True, False): "min", (False, True): "max"}
    # an inset is exactly as high as the image, whatever its shape
    beside = place.inset_axes((1.03, 0.0, 0.045, 1.0))
    bar = place.figure.colorbar(shown, cax=beside, extend=ends.get((low, high), "both"))
    bar.set_label(unit, fontsize=8)
    beside.tick_params(labelsize=7)
    scale_bar(place, grid)


def label_axes(places: Sequence[Axes], grid: PixelGrid) -> None:
    """Name the axes of the leftmost and lowest panels; the others have the same."""
    unit = "µm" if grid.in_um else "pixel"
    for number, place in enumerate(places):
        place.tick_params(labelsize=7)
        spec = place.get_subplotspec()
        columns = spec.get_gridspec().ncols if spec is not None else 1
        left = spec is None or spec.is_first_col()
        # the last row may be shorter than the others
        below = number + columns >= len(places)
        place.tick_params(labelleft=left, labelbottom=below)
        if left:
            place.set_ylabel(f"y / {unit}", fontsize=8)
        if below:
            place.set_xlabel(f"x / {unit}", fontsize=8)


def scale_bar(place: Axes, grid: PixelGrid) -> None:
    """Draw a bar of a round length into the lower right corner; none without micrometres."""
    if not grid.in_um:
        return
    from matplotlib.patheffects import withStroke

    left, right, bottom, top = extent_of(grid)
    width, height = right - left, bottom - top
    length = round_length(width / 4)
    name = f"{length:g} µm" if length >= 1 else f"{length * 1000:.3g} nm"
    end, at = right - 0.05 * width, bottom - 0.06 * height
    # white on dark and, by its dark rim, on bright images
    rim = [withStroke(linewidth=4.5, foreground="k", alpha=0.8)]
    bar: dict[str, Any] = {"color": "w", "lw": 2.5, "solid_capstyle": "butt", "zorder": 9}
    place.plot([end - length, end], [at, at], path_effects=rim, **bar)
    text_rim = [withStroke(linewidth=1.8, foreground="k", alpha=0.8)]
    middle, above = end - length / 2, at - 0.025 * height
    text = place.text(middle, above, name, color="w", ha="center", va="bottom", fontsize=8)
    text.set(path_effects=text_rim, zorder=9)
    place.set(xlim=(left, right), ylim=(bottom, top))


def extent_of(grid: PixelGrid) -> tuple[float, float, float, float]:
    """Return left, right, bottom and top of the images; y runs downwards."""
    rows, columns = grid.shape
    top, left = (first - step / 2 for first, step in zip(grid.first, grid.step, strict=True))
    return left, left + columns * grid.step[1], top + rows * grid.step[0], top


def round_length(wished: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten that is no longer than wished."""
    power = 10.0 ** math.floor(math.log10(wished))
    return next(step * power for step in (5, 2, 1) if step * power <= wished * (1 + 1e-9))
