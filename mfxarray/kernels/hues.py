"""Colours of ratio images: the hue tells the ratio, the brightness how much was counted."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["INTENSITIES", "PALETTES", "hsi_image", "intensity_of", "palette"]

Array = np.ndarray[Any, Any]

PALETTES = ("uniform", "rainbow")
INTENSITIES = ("numerator", "denominator", "max", "min", "mean", "sum", "rms")

# hues in degrees of OKLCh and HSV, from the lowest ratio (blue) to the highest (red)
_UNIFORM_HUES = (264.0, 20.0)
_RAINBOW_HUES = (240.0, 0.0)
# all hues between them lie within sRGB at this lightness and chroma
_LIGHTNESS, _CHROMA = 0.75, 0.125
# Ottosson 2020, OKLab: to cone responses, and on to linear sRGB
_TO_CONES = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def palette(place: Array, name: str = "uniform") -> Array:
    """Return colours in linear sRGB, shape (..., 3), for places from 0 (blue) to 1 (red).

    "uniform" turns the hue in OKLCh at equal lightness, so that no ratio looks brighter than
    another; "rainbow" turns it in HSV at full saturation, as OpenMIMS does.

    References
    ----------
    Ottosson 2020, "A perceptual color space for image processing" (OKLab).
    """
    if name == "uniform":
        start, stop = _UNIFORM_HUES
        hue = np.deg2rad(start + (stop - start) * place)
        lightness = np.full_like(hue, _LIGHTNESS)
        lab = np.stack([lightness, _CHROMA * np.cos(hue), _CHROMA * np.sin(hue)], axis=-1)
        return np.clip((lab @ _TO_CONES.T) ** 3 @ _TO_RGB.T, 0.0, 1.0)
    start, stop = _RAINBOW_HUES
    hue = (start + (stop - start) * place) / 60.0
    ramps = [np.abs(hue - 3.0) - 1.0, 2.0 - np.abs(hue - 2.0), 2.0 - np.abs(hue - 4.0)]
    return _linear(np.clip(np.stack(ramps, axis=-1), 0.0, 1.0))


def hsi_image(place: Array, intensity: Array, name: str = "uniform") -> Array:
    """Return sRGB bytes, shape (..., 3); black where place or intensity is NaN.

    Parameters
    ----------
    place
        Place of the ratio between its limits, 0 to 1.
    intensity
        Brightness 0 to 1; perceived lightness is proportional to it.
    name
        "uniform" or "rainbow".
    """
    known = np.isfinite(place) & np.isfinite(intensity)
    colour = palette(np.where(known, np.clip(place, 0.0, 1.0), 0.0), name)
    # scaling OKLab by a factor scales linear light by its cube
    light = np.where(known, np.clip(intensity, 0.0, 1.0), 0.0)[..., None] ** 3
    return np.rint(255.0 * _encoded(colour * light)).astype(np.uint8)


def intensity_of(above: Array, below: Array, name: str) -> Array:
    """Return what is shown as brightness, by one of `INTENSITIES`."""
    if name in ("numerator", "denominator"):
        return above if name == "numerator" else below
    if name in ("max", "min"):
        return np.maximum(above, below) if name == "max" else np.minimum(above, below)
    if name == "rms":
        return np.sqrt((above * above + below * below) / 2.0)
    return (above + below) / (2.0 if name == "mean" else 1.0)


def _linear(encoded: Array) -> Array:
    """Return linear light of sRGB values from 0 to 1."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def _encoded(linear: Array) -> Array:
    """Return sRGB values of linear light from 0 to 1."""
    return np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0.0) ** (1 / 2.4) - 0.055
    )
