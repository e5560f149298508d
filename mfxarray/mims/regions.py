"""Regions of ion images: a labelled image, or one mask a region where they overlap.

A labelled image has the dimensions (y, x) and integers, 0 outside of all regions; its attributes
``region_labels`` and ``region_names`` say which label is called what. Masks have the dimensions
(region, y, x) and bools, with the names as the coordinate ``region``. Tables and profiles take
either; `mfxarray.mims.region_forms` turns one into the other. Regions are small and in memory; the
counts that they are laid on stay lazy.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr

from mfxarray.errors import DataError
from mfxarray.formats.imagej.roi import read_imagej_rois
from mfxarray.formats.imagej.shapes import AREAS, ImagejRoi
from mfxarray.formats.sources import FileSource
from mfxarray.kernels.outlines import polygon_mask
from mfxarray.mims.pixel_grid import PixelGrid, grid_of
from mfxarray.mims.region_forms import coords_of, from_masks, labelled

__all__ = ["regions_from_imagej", "regions_from_labels", "regions_from_polygons"]

Array = np.ndarray[Any, Any]
Counted = xr.DataArray | xr.Dataset


def regions_from_labels(
    labels: Any, like: Counted | None = None, *, names: Mapping[int, str] | None = None
) -> xr.DataArray:
    """Return regions from an image of labels, as segmentation programs give it.

    Parameters
    ----------
    labels
        Shape (y, x), integers or bools; 0 is outside, negative labels are not allowed.
    like
        Data of the same images, for the coordinates y and x; the labels' own if not given.
    names
        Name of every label, the label itself where none is given. A name for a label without
        pixels makes a region without pixels.

    Returns
    -------
    xarray.DataArray
        (y, x), int32.

    Raises
    ------
    ValueError
        If the labels are no integers or negative, the shape is another, or a name is there twice.
    """
    image = np.asarray(labels)
    if image.ndim != 2 or image.dtype.kind not in "uib":
        raise ValueError(
            f"labels must be integers of shape (y, x), not {image.dtype} of shape {image.shape}"
        )
    if image.size and (int(image.min()) < 0 or int(image.max()) > np.iinfo(np.int32).max):
        raise ValueError("labels must not be negative nor larger than 32 bits hold")
    image = image.astype(np.int32)
    given = {int(label): str(name) for label, name in (names or {}).items()}
    if 0 in given:
        raise ValueError("label 0 is outside of all regions, it has no name")
    found = sorted(set(np.unique(image).tolist()) - {0} | set(given))
    texts = [given.get(label, str(label)) for label in found]
    own = labels if isinstance(labels, xr.DataArray) else None
    coords = coords_of(own if like is None else like, image.shape)
    return labelled(image, coords, found, texts, "regions_from_labels", {})


def regions_from_polygons(
    polygons: Mapping[str, Any], like: Counted, *, units: str = "pixel", form: str = "labels"
) -> xr.DataArray:
    """Return regions from polygons: the pixels whose centre lies inside.

    Parameters
    ----------
    polygons
        Corners of every region by name, shape (corner, 2), y before x.
    like
        Data with the images, for their size and coordinates.
    units
        "pixel": counted from the corner of the image, so the centre of the first pixel is 0.5; add
        0.5 to coordinates whose whole numbers are pixel centres (scikit-image, napari). "um": in
        the coordinates y and x of ``like``.
    form
        "labels", numbered from 1 in the order given, or "masks", which may overlap.

    Returns
    -------
    xarray.DataArray
        See the module.

    Raises
    ------
    ValueError
        If a polygon has fewer than three corners, or regions overlap and are to be labels.

    Notes
    -----
    Even-odd rule for outlines that cross themselves. A centre on an outline belongs to what is
    above or to the left, so neighbours with a common side share no pixel.
    """
    grid = grid_of(like)
    masks = (
        (str(name), polygon_mask([_corners(name, corners, grid, units)], grid.shape))
        for name, corners in polygons.items()
    )
    record = {"units": units, "form": form}
    return from_masks(masks, coords_of(like, grid.shape), form, "regions_from_polygons", {}, record)


def regions_from_imagej(
    path: str | os.PathLike[str], like: Counted, *, form: str = "labels", lines: str = "refuse"
) -> xr.DataArray:
    """Return regions that were drawn in ImageJ.

    Parameters
    ----------
    path
        A ``.roi`` file or a ``.zip`` of them.
    like
        Data with the images that they were drawn on, for their size and coordinates.
    form
        "labels", numbered from 1 in the order of the file, or "masks", which may overlap.
    lines
        What to do with lines, which have no area: "refuse", or "skip" with a warning.

    Returns
    -------
    xarray.DataArray
        See the module.

    Raises
    ------
    DataError
        If the file is damaged, or holds something that is no region.
    ValueError
        If regions overlap and are to be labels.

    Warns
    -----
    UserWarning
        If a line is skipped, or a region lies outside of the image.

    Notes
    -----
    A region has the pixels whose centre lies inside, as in ImageJ. The image of the stack on which
    it was drawn is not looked at: a region is one for all frames.
    """
    if lines not in ("refuse", "skip"):
        raise ValueError(f"lines must be 'refuse' or 'skip', not {lines!r}")
    grid = grid_of(like)
    rois = _areas(path, read_imagej_rois(path), lines)
    empty: list[str] = []
    source = FileSource.open(path).describe()
    coords = coords_of(like, grid.shape)
    masks = _drawn(rois, grid.shape, empty)
    found = from_masks(masks, coords, form, "regions_from_imagej", source, {"form": form})
    if empty:
        warnings.warn(
            f"{empty[:5]} have no pixels in an image of {grid.shape}", UserWarning, stacklevel=2
        )
    return found


def _corners(name: str, corners: Any, grid: PixelGrid, units: str) -> Array:
    places = np.asarray(corners, np.float64)
    if places.ndim != 2 or places.shape[1] != 2 or len(places) < 3:
        raise ValueError(f"polygon {name!r} needs 3 corners (y, x) or more: {places.shape}")
    if not np.isfinite(places).all():
        raise ValueError(f"polygon {name!r} has corners that are not finite")
    return grid.to_pixels(places, units)


def _drawn(
    rois: list[ImagejRoi], shape: tuple[int, int], empty: list[str]
) -> Iterator[tuple[str, Array]]:
    """Yield names and masks, and note the regions without pixels."""
    for roi in rois:
        mask = roi.mask(shape)
        if not mask.any():
            empty.append(roi.name)
        yield roi.name, mask


def _areas(
    path: str | os.PathLike[str], rois: tuple[ImagejRoi, ...], lines: str
) -> list[ImagejRoi]:
    found = [roi for roi in rois if roi.kind in AREAS]
    others = [f"{roi.name} ({roi.kind})" for roi in rois if roi.kind not in AREAS]
    if others and lines == "refuse":
        raise DataError(
            f"holds what has no area: {', '.join(others[:5])}",
            path=path,
            hint="Take lines='skip', and line_profile for the counts along a line.",
        )
    if others:
        warnings.warn(f"skipped what has no area: {others[:5]}", UserWarning, stacklevel=3)
    return found
