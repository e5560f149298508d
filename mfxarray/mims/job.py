"""The whole job on a NanoSIMS stack: hot pixels, drift, sums."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import xarray as xr

from mfxarray.mims.accumulate import accumulate
from mfxarray.mims.align import apply_translations, infer_translations
from mfxarray.mims.hotpixels import remove_hot_pixels
from mfxarray.mims.stack import ion_numbers
from mfxarray.opening.mims import open_mims

__all__ = ["process"]

_PRESETS = ("default", "seed")
_SEED_PADDING = 8

Options = Mapping[str, Any]


def process(
    path: str | os.PathLike[str],
    alignment_detector: str,
    *,
    preset: str = "default",
    padding: int | None = None,
    open_options: Options | None = None,
    hot_pixel_options: Options | None = None,
    translation_options: Options | None = None,
) -> xr.Dataset:
    """Return a stack cleaned, aligned and summed, with everything that was found on the way.

    Parameters
    ----------
    path
        See `open_mims`.
    alignment_detector
        Name of the species by which the frames are aligned, such as "12C 14N".
    preset
        "default": our methods. "seed": those of openformat's ``process_image_data``, equal to the
        last bit: every image rolled by one pixel, zero padding, wrap-around.
    padding
        Pixels added to every side while frames are moved. By default 8 for "seed", which are then
        cut off, and 0 else; more keeps counts that leave the field, and they are not cut off.
    open_options, hot_pixel_options, translation_options
        Further parameters of `open_mims`, `remove_hot_pixels` and `infer_translations`.

    Returns
    -------
    xarray.Dataset
        Lazy. ``total`` (detector, y, x), the sums of the aligned frames; ``aligned`` and
        ``cleaned`` (frame, detector, y, x); ``translations`` (frame, axis) in pixels. With
        "default", the coordinate ``exposure`` (y, x) says how many frames cover a pixel; with
        padding, the cleaned stack lies on ``y_cleaned`` and ``x_cleaned``. Attributes tell
        ``alignment_detector``, ``se_detector`` (absent where there is none) and
        ``image_size_um`` and ``pixel_size_um`` (y, x).

    Raises
    ------
    DataError
        If the file cannot be read.
    ValueError
        If the detector is not there, or a parameter makes no sense.

    Notes
    -----
    Electrons are moved with the ions, and never cleaned.
    """
    if preset not in _PRESETS:
        raise ValueError(f"preset must be one of {_PRESETS}, not {preset!r}")
    seed = preset == "seed"
    border = (_SEED_PADDING if seed else 0) if padding is None else padding
    counts = open_mims(path, **{**({"roll": "seed"} if seed else {}), **(open_options or {})})
    method = {"method": "seed"} if seed else {}
    cleaned = remove_hot_pixels(counts, **{**method, **(hot_pixel_options or {})})
    reach = {"padding": border} if seed else {}
    options = {**method, **reach, **(translation_options or {})}
    translations = infer_translations(cleaned, alignment_detector, **options)
    aligned = apply_translations(cleaned, translations, padding=border)
    if seed and border:
        inner = slice(border, -border)
        aligned = aligned.isel(y=inner, x=inner).assign_coords(y=cleaned["y"], x=cleaned["x"])
    elif border:
        cleaned = cleaned.rename(y="y_cleaned", x="x_cleaned")
    total = accumulate(aligned)
    found = xr.Dataset(
        {"total": total, "aligned": aligned, "cleaned": cleaned, "translations": translations}
    )
    return found.assign_attrs({**aligned.attrs, **_facts(counts, alignment_detector)})


def _facts(counts: xr.DataArray, alignment_detector: str) -> dict[str, Any]:
    steps = [float(counts[dim][1] - counts[dim][0]) for dim in ("y", "x") if counts.sizes[dim] > 1]
    facts: dict[str, Any] = {"alignment_detector": alignment_detector}
    if len(steps) == 2:
        sizes = (counts.sizes["y"], counts.sizes["x"])
        facts["pixel_size_um"] = steps
        facts["image_size_um"] = [n * step for n, step in zip(sizes, steps, strict=True)]
    electrons = sorted(set(range(counts.sizes["detector"])) - set(ion_numbers(counts)))
    if electrons:
        facts["se_detector"] = str(counts["detector"].values[electrons[0]])
    return facts
