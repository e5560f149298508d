"""Pictures of rendered images: one colour map, channels over each other, or a coloured value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mfxarray.display import number
from mfxarray.plot.figures import new_figure
from mfxarray.plot.panels import plain_text, round_length
from mfxarray.plot.rendered_view import View, depths_of, space_of, view_of

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["rendering"]

Array = np.ndarray[Any, Any]

_MOST_PIXELS = 2**27
_INCHES = 6.0
# readable on black, and told apart by people who see no red or green (Okabe and Ito 2008)
_COLORS = ("#56B4E9", "#E69F00", "#009E73", "#F0E442", "#CC79A7", "#D55E00", "#0072B2")
_KINDS = {"gaussian": "Gaussians", "precision": "as wide as their precision"}


def rendering(
    image: xr.DataArray,
    *,
    title: str = "",
    cmap: str | None = None,
    gamma: float = 0.5,
    percentile: float = 95.0,
) -> Figure:
    """Return a picture of a rendered image with a scale bar.

    Parameters
    ----------
    image
        Result of `mfxarray.minflux.rendering.render.render`, or a part of it. Channels are laid
        over each other; where there is a ``color`` that is the hue and the amount the brightness.
        An image in space is summed along its depth, and coloured by depth if it has no other
        colour.
    title
        Put before the number of localizations and the size of a pixel.
    cmap
        Of the amount ("inferno") or of the colour (turbo without its
        dark ends). Channels have colours of their own.
    gamma
        Exponent of the brightness; below 1 single localizations show beside dense places.
    percentile
        Of the pixels with something in them, which is shown as the brightest.

    Raises
    ------
    ValueError
        If it is no rendered image, or has too many pixels.

    Notes
    -----
    Computes the image. For images of more than 1000 pixels to a side neighbouring ones are summed,
    because a picture shows no more; the title says so.
    """
    if not gamma > 0 or not 0 < percentile <= 100:
        raise ValueError("gamma must be above 0, and percentile above 0 and at most 100")
    axes = _axes_of(image)
    found = image.compute()
    shown = view_of(found)
    height = found.sizes[axes[0]] / found.sizes[axes[1]]
    wide = _INCHES if height <= 1 else _INCHES / height
    figure = new_figure(max(wide, 2.6) + 2.0, max(wide * height, 1.8) + 1.0)
    place = figure.subplots()
    scale, unit = _unit(max(_side(found, axis) for axis in axes))
    extent = tuple(edge * scale for axis in axes[::-1] for edge in _ends(found, axis))
    look = {"origin": "lower", "extent": extent, "interpolation": "nearest"}
    bright = _brightness(shown.amount, gamma, percentile, counted=found.dtype.kind in "iu")
    if shown.value is not None:
        _coloured(place, shown, bright[0], cmap, look)
    elif len(shown.amount) > 1 or len(found.dims) > len(axes) + depths_of(found):
        _composite(place, found, bright, look)
    else:
        _single(place, found, shown, (gamma, percentile), cmap or "inferno", look)
    place.set(xlabel=f"{axes[1]} / {unit}", ylabel=f"{axes[0]} / {unit}")
    place.tick_params(labelsize=8)
    _scale_bar(place, extent, scale)
    place.set_title(_title(found, shown, axes, title), fontsize=9)
    return figure


def _axes_of(image: xr.DataArray) -> tuple[str, str]:
    """Return the names of the axes upwards and to the right."""
    space = space_of(image)
    if len(space) not in (2, 3) or len(image.dims) - len(space) > 1:
        raise ValueError(f"a rendered image has 2 or 3 axes and perhaps channels: {image.dims}")
    if image.size > _MOST_PIXELS:
        raise ValueError(
            f"{number(image.size)} pixels are too many for a picture; render with limits or larger "
            "pixels, or write OME-Zarr"
        )
    return space[-2], space[-1]


def _side(image: xr.DataArray, axis: str) -> float:
    low, high = _ends(image, axis)
    return high - low


def _ends(image: xr.DataArray, axis: str) -> tuple[float, float]:
    half = image[axis].attrs["pixel"] / 2
    return float(image[axis][0]) - half, float(image[axis][-1]) + half


def _unit(length: float) -> tuple[float, str]:
    return (1e6, "µm") if length > 2e-6 else (1e9, "nm")


def _brightness(amount: Array, gamma: float, percentile: float, *, counted: bool) -> Array:
    """Return each channel between 0 and 1."""
    tops = [_top(one, percentile, counted=counted) for one in amount]
    scaled = np.clip(amount, 0, None) / np.array(tops)[:, None, None]
    return np.clip(scaled, 0, 1) ** gamma


def _top(amount: Array, percentile: float, *, counted: bool) -> float:
    # far tails of Gaussians are nothing that is in a pixel
    filled = amount[amount > 1e-3 * max(amount.max(initial=0.0), 1e-300)]
    top = float(np.percentile(filled, percentile)) if filled.size else 1.0
    return max(top, 2.0) if counted else top


def _single(
    place: Axes,
    image: xr.DataArray,
    shown: View,
    brightness: tuple[float, float],
    cmap: str,
    look: dict[str, Any],
) -> None:
    from matplotlib.colors import PowerNorm

    gamma, percentile = brightness
    top = _top(shown.amount[0], percentile, counted=image.dtype.kind in "iu")
    drawn = place.imshow(shown.amount[0], cmap=cmap, norm=PowerNorm(gamma, 0, top), **look)
    label = plain_text(image.attrs.get("long_name", image.name))
    if shown.joined > 1:
        label = f"{label.removesuffix(' in a pixel')} in {shown.joined} × {shown.joined} pixels"
    more = "max" if shown.amount.max(initial=0.0) > top else "neither"
    _bar(place, drawn, label, more)


def _coloured(
    place: Axes, shown: View, bright: Array, cmap: str | None, look: dict[str, Any]
) -> None:
    """Draw a value as the hue and the amount as the brightness."""
    import matplotlib
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    value, name = shown.value, shown.value_name
    if value is None:
        return
    if name.endswith(" / m"):
        value, name = value * 1e9, f"{name[:-1]}nm"
    # places that do not show must not widen the colours
    seen = value[(bright > 0.2) & np.isfinite(value)]
    low, high = np.percentile(seen, (1, 99)) if seen.size else (0.0, 1.0)
    norm = Normalize(low, high if high > low else low + 1.0, clip=True)
    hues = _hues() if cmap is None else matplotlib.colormaps[cmap]
    colours = hues(norm(np.nan_to_num(value, nan=low)))[..., :3]
    place.imshow(colours * bright[..., None], **look)
    _bar(place, ScalarMappable(norm, hues), name, "both")


def _hues() -> Any:
    """Return turbo without its ends, whose darkness would be taken for few localizations."""
    import matplotlib
    from matplotlib.colors import ListedColormap

    return ListedColormap(matplotlib.colormaps["turbo"](np.linspace(0.08, 0.92, 256)))


def _bar(place: Axes, mappable: Any, label: str, extend: str) -> None:
    # an inset is exactly as high as the image, whatever its shape
    beside = place.inset_axes((1.03, 0.0, 0.035, 1.0))
    bar = place.figure.colorbar(mappable, cax=beside, extend=extend)
    bar.set_label(label, fontsize=8)
    beside.tick_params(labelsize=7)


def _composite(place: Axes, image: xr.DataArray, bright: Array, look: dict[str, Any]) -> None:
    """Draw channels over each other, each in its colour."""
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Patch

    colours = [_COLORS[channel % len(_COLORS)] for channel in range(len(bright))]
    total = np.tensordot(bright, np.array([to_rgb(one) for one in colours]), axes=(0, 0))
    place.imshow(np.clip(total, 0, 1), **look)
    dim = image.dims[0]
    names = [plain_text(value, 24) for value in image[dim].values]
    sums = image.sum(image.dims[1:]).values
    handles = [
        Patch(color=colour, label=f"{dim} {name}: {number(round(float(n)))}")
        for colour, name, n in zip(colours, names, sums, strict=True)
    ]
    place.legend(handles=handles, loc="upper left", fontsize=7, labelcolor="w", facecolor="0.15")


def _title(image: xr.DataArray, shown: View, axes: tuple[str, str], title: str) -> str:
    what = str(image.attrs.get("long_name", "localizations")).removesuffix(" in a pixel")
    total = f"{number(round(float(image.sum())))} {plain_text(what, 40)}"
    if what.startswith("sum of "):
        total = f"{plain_text(what, 40)} {number(round(float(image.sum())))}"
    sizes = [image[axis].attrs["pixel"] * 1e9 for axis in axes[::-1]]
    pixel = f"{sizes[0]:.3g}" if sizes[0] == sizes[1] else f"{sizes[0]:.3g} × {sizes[1]:.3g}"
    parts = [total, f"pixel {pixel} nm"]
    if shown.joined > 1:
        parts[1] += f", {shown.joined} × {shown.joined} shown as one"
    kind = _KINDS.get(str(image.attrs.get("rendered")))
    told = ", ".join(parts + ([kind] if kind else []))
    return f"{plain_text(title, 60)}\n{told}" if title else told


def _scale_bar(place: Axes, extent: tuple[float, ...], scale: float) -> None:
    """Draw a bar of a round length into the lower right corner."""
    from matplotlib.patheffects import withStroke

    left, right, bottom, top = extent
    width, height = right - left, top - bottom
    length = round_length(width / scale / 4)
    name = f"{length * 1e6:g} µm" if length >= 1e-6 else f"{length * 1e9:.3g} nm"
    end, at = right - 0.04 * width, bottom + 0.05 * height
    start = end - length * scale
    rim = [withStroke(linewidth=4.5, foreground="k", alpha=0.8)]
    bar: dict[str, Any] = {"color": "w", "lw": 2.5, "solid_capstyle": "butt", "zorder": 9}
    place.plot([start, end], [at, at], path_effects=rim, **bar)
    text_rim = [withStroke(linewidth=1.8, foreground="k", alpha=0.8)]
    middle, above = (start + end) / 2, at + 0.02 * height
    text = place.text(middle, above, name, color="w", ha="center", va="bottom", fontsize=8)
    text.set(path_effects=text_rim, zorder=9)
    place.set(xlim=(left, right), ylim=(bottom, top))
