"""Ratio images in colour: hue for the ratio, brightness for the counts (HSI), with their legend."""

from __future__ import annotations

from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.blocks import as_dask, whole
from mfxarray.kernels.hues import INTENSITIES, PALETTES, hsi_image, intensity_of
from mfxarray.mims.counted import split
from mfxarray.mims.estimates import MIN_COUNTS, Species, species_counts
from mfxarray.mims.ratios import ratio
from mfxarray.provenance import ATTRIBUTE, record

__all__ = ["hsi"]

Array = np.ndarray[Any, Any]
Limits = tuple[float | None, float | None]

_LEGEND = 256
# what is left out at both ends where a limit is not given
_PERCENT = (1.0, 99.0)


def hsi(
    data: xr.DataArray | xr.Dataset,
    numerator: Species,
    denominator: Species,
    *,
    limits: Limits = (None, None),
    intensity: str = "sum",
    intensity_limits: Limits = (0.0, None),
    palette: str = "uniform",
    min_counts: float = MIN_COUNTS,
) -> xr.Dataset:
    """Return a ratio image in colour, (y, x, channel) of uint8, and its legend.

    Parameters
    ----------
    data
        Accumulated ion counts (detector, y, x), raw or corrected.
    numerator, denominator
        Names of detectors; several are summed.
    limits
        Ratios of the lowest and the highest hue, beyond which it stays; the 1st and 99th percentile
        of the image where None.
    intensity
        What the brightness shows: "numerator", "denominator", "max", "min", "mean", "sum" or "rms"
        of the two.
    intensity_limits
        Counts shown black and at full brightness; the same percentiles where None.
    palette
        "uniform", hues of equal lightness from blue to red, so that brightness tells counts alone;
        or "rainbow", full saturation, as OpenMIMS.
    min_counts
        Pixels with fewer counts in both species together are black.

    Returns
    -------
    xarray.Dataset
        ``rgb`` (y, x, channel), sRGB; ``legend`` (hue, brightness, channel), the same colours over
        ``legend_ratio`` (hue) and ``legend_intensity`` (brightness).

    Raises
    ------
    ValueError
        If the data have frames (accumulate first), or a parameter is none of the above.

    Notes
    -----
    Lazy; holds one image of each species.
    """
    _check(intensity, palette, limits, intensity_limits)
    counts, _ = split(data)
    if set(counts.dims) != {"detector", "y", "x"}:
        raise ValueError(
            f"a picture needs the dimensions (detector, y, x), not {counts.dims}; accumulate, or "
            "select a frame"
        )
    shares = ratio(data, numerator, denominator, confidence=None, min_counts=min_counts)
    found = shares["ratio"].transpose("y", "x")
    image = counts.transpose("detector", "y", "x")
    sides = [species_counts(image, species) for species in (numerator, denominator)]
    show = partial(intensity_of, name=intensity)
    bright = whole(da.map_blocks(show, *sides, dtype=np.float64), (0, 1))
    places = whole(as_dask(found.data), (0, 1))
    hues, shades = _ends(places, limits), _ends(bright, intensity_limits)
    paint = partial(_paint, name=palette)
    rgb = da.blockwise(
        paint, "yxc", places, "yx", bright, "yx", hues, "e", shades, "f", **_rgb("c")
    )
    told: dict[str, Any] = {"numerator": numerator, "denominator": denominator, "limits": limits}
    told |= {"intensity": intensity, "intensity_limits": intensity_limits}
    told |= {"palette": palette, "min_counts": min_counts}
    legend = _legend(palette, hues, shades, found.attrs["long_name"], intensity)
    place = found.coords.assign(channel=["red", "green", "blue"])
    picture = xr.DataArray(
        rgb, place, ("y", "x", "channel"), attrs={"long_name": "ratio in colour"}
    )
    attrs = record(counts.attrs, "hsi", told)
    return xr.Dataset({"rgb": picture, **legend}, attrs={ATTRIBUTE: attrs[ATTRIBUTE]})


def _rgb(letter: str) -> dict[str, Any]:
    return {
        "new_axes": {letter: 3},
        "dtype": np.uint8,
        "meta": np.empty((0, 0, 0), np.uint8),
        "concatenate": True,
    }


def _ends(image: da.Array, limits: Limits) -> da.Array:
    """Return the two limits as an array, from the image's percentiles where none is given."""
    return da.blockwise(
        partial(_percentiles, limits=limits),
        "e",
        image,
        "yx",
        new_axes={"e": 2},
        dtype=np.float64,
        meta=np.empty(0),
        concatenate=True,
    )


def _percentiles(image: Array, limits: Limits) -> Array:
    known = image[np.isfinite(image)]
    usual = np.percentile(known, _PERCENT) if known.size else np.array([0.0, 1.0])
    given = [found if end is None else end for end, found in zip(limits, usual, strict=True)]
    return np.array(given, np.float64)


def _paint(ratios: Array, bright: Array, hues: Array, shades: Array, *, name: str) -> Array:
    return hsi_image(_place(ratios, hues), _place(bright, shades), name)


def _place(values: Array, ends: Array) -> Array:
    """Return where values lie between two ends, 0 to 1; the middle where the ends are equal."""
    span = ends[1] - ends[0]
    if not span > 0:
        return np.where(np.isnan(values), np.nan, 0.5)
    return (values - ends[0]) / span


def _legend(
    palette: str, hues: da.Array, shades: da.Array, ratio_text: str, intensity: str
) -> dict[str, xr.DataArray]:
    steps = np.linspace(0.0, 1.0, _LEGEND)
    colours = hsi_image(*np.meshgrid(steps, steps, indexing="ij"), palette)
    axes = {
        "legend_ratio": ("hue", hues, ratio_text),
        "legend_intensity": ("brightness", shades, f"{intensity} of the counts"),
    }
    found = {
        name: xr.DataArray(ends[0] + steps * (ends[1] - ends[0]), dims=(dim,), attrs=_text(text))
        for name, (dim, ends, text) in axes.items()
    }
    dims = ("hue", "brightness", "channel")
    return {**found, "legend": xr.DataArray(colours, dims=dims, attrs=_text("colours"))}


def _text(long_name: str) -> dict[str, str]:
    return {"long_name": long_name}


def _check(intensity: str, palette: str, *limits: Limits) -> None:
    if intensity not in INTENSITIES:
        raise ValueError(f"intensity must be one of {INTENSITIES}, not {intensity!r}")
    if palette not in PALETTES:
        raise ValueError(f"palette must be one of {PALETTES}, not {palette!r}")
    for low, high in limits:
        if low is not None and high is not None and not low < high:
            raise ValueError(f"limits go from low to high, not from {low} to {high}")
