"""Regions found in an image: by a threshold, or by a threshold and a watershed."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from scipy import ndimage

from mfxarray.kernels.segmentation import connected, flood, keep_large, otsu, peaks
from mfxarray.mims.region_forms import labelled
from mfxarray.provenance import history

__all__ = ["threshold_regions", "watershed_regions"]

Array = np.ndarray[Any, Any]


def threshold_regions(
    image: xr.DataArray,
    threshold: float | str = "otsu",
    *,
    min_pixels: int = 1,
    corners: bool = False,
) -> xr.DataArray:
    """Return the connected parts of an image that are brighter than a threshold.

    Parameters
    ----------
    image
        Counts or a ratio (y, x) of one species, summed over frames.
    threshold
        Pixels above it are inside; "otsu" finds it.
    min_pixels
        Smaller parts are left out.
    corners
        Pixels that touch at a corner are connected.

    Returns
    -------
    xarray.DataArray
        Labels (y, x), numbered from 1 in the order of their first pixel; see
        `mfxarray.mims.regions`. The record holds the threshold.

    Raises
    ------
    ValueError
        If the image has other dimensions, or all its pixels are equal.

    Notes
    -----
    Reads and computes the image: how many regions there are is not known before. NaN is outside.
    """
    values = _loaded(image)
    limit = _limit(values, threshold)
    labels = connected(values > limit, min_pixels, corners=corners)
    told = {"threshold": limit, "method": str(threshold), "min_pixels": min_pixels}
    return _found(image, labels, "threshold_regions", {**told, "corners": corners})


def watershed_regions(
    image: xr.DataArray,
    markers: Any = None,
    *,
    threshold: float | str = "otsu",
    min_distance: int = 5,
    by: str = "shape",
    min_pixels: int = 1,
) -> xr.DataArray:
    """Return the bright parts of an image, with those that touch each other split apart.

    Parameters
    ----------
    image
        Counts or a ratio (y, x) of one species, summed over frames.
    markers
        Labels (y, x) from which the regions grow, 0 elsewhere. If not given, one for every maximum
        of the distance to the rim (by shape) or of the image (by brightness).
    threshold
        Pixels above it are inside; "otsu" finds it.
    min_distance
        Least distance of two maxima, pixels.
    by
        "shape": split at waists, by the distance to the rim. "brightness": split at dark lines;
        smooth dim images first.
    min_pixels
        Smaller regions are left out.

    Returns
    -------
    xarray.DataArray
        Labels (y, x); see `mfxarray.mims.regions`. Given markers keep their labels.

    Raises
    ------
    ValueError
        If a parameter makes no sense for this image.

    Notes
    -----
    Reads and computes the image. Flooded from the markers by Meyer's algorithm, with four
    neighbours; ``scipy.ndimage.watershed_ift`` floods by differences of neighbours, which are all
    alike in an image of distances, and so does not find waists.
    """
    if by not in ("shape", "brightness"):
        raise ValueError(f"by must be 'shape' or 'brightness', not {by!r}")
    if min_distance < 1:
        raise ValueError(f"min_distance must be 1 pixel or more, not {min_distance}")
    values = _loaded(image)
    limit = _limit(values, threshold)
    mask = values > limit
    heights = ndimage.distance_transform_edt(mask) if by == "shape" else np.where(mask, values, 0)
    told = {"threshold": limit, "method": str(threshold), "by": by, "min_pixels": min_pixels}
    if markers is None:
        starts = peaks(heights, mask, min_distance)
        labels = keep_large(flood(-heights, starts, mask), min_pixels)
        return _found(image, labels, "watershed_regions", {**told, "min_distance": min_distance})
    labels = flood(-heights, _checked(markers, values.shape), mask)
    sizes = np.bincount(labels.ravel())
    labels = np.where(sizes[labels] >= min_pixels, labels, 0).astype(np.int32)
    return _found(image, labels, "watershed_regions", {**told, "markers": "given"})


def _loaded(image: xr.DataArray) -> Array:
    if set(image.dims) != {"y", "x"}:
        raise ValueError(
            f"the image has the dimensions (y, x), not {image.dims}; sum over frames with "
            "accumulate and take one detector with .sel(detector=...)"
        )
    return np.asarray(image.transpose("y", "x").values, np.float64)


def _limit(values: Array, threshold: float | str) -> float:
    if threshold == "otsu":
        return otsu(values)
    if isinstance(threshold, str) or not np.isfinite(threshold):
        raise ValueError(f"threshold must be a number or 'otsu', not {threshold!r}")
    return float(threshold)


def _checked(markers: Any, shape: tuple[int, ...]) -> Array:
    found = np.asarray(markers)
    if found.shape != shape or found.dtype.kind not in "uib":
        raise ValueError(
            f"markers are integers of shape {shape}, not {found.dtype} of shape {found.shape}"
        )
    if found.size and (int(found.min()) < 0 or int(found.max()) > np.iinfo(np.int32).max):
        raise ValueError("markers must not be negative nor larger than 32 bits hold")
    return found.astype(np.int32)


def _found(
    image: xr.DataArray, labels: Array, step: str, parameters: dict[str, Any]
) -> xr.DataArray:
    coords = {dim: image[dim].variable for dim in ("y", "x") if dim in image.coords}
    numbers = np.unique(labels[labels > 0]).tolist()
    names = [str(number) for number in numbers]
    source = {"image": history(image.attrs)}
    return labelled(labels, coords, numbers, names, step, parameters, source)
