"""Which pixels of an ion image were recorded, and which only read as 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

__all__ = ["recorded_pixels"]


def recorded_pixels(counts: xr.DataArray) -> xr.DataArray:
    """Return True where a pixel was recorded, shape (frame, detector, y, x), lazily.

    Parameters
    ----------
    counts
        Ion counts as they were opened, or some of their frames and detectors.

    Returns
    -------
    xarray.DataArray
        bool. False for species that a series of a peak-switched plane does not hold, and for the
        missing end of an incomplete last plane.

    Raises
    ------
    ValueError
        If rows or columns were cut off, so that it is no longer known which pixel is which.

    Notes
    -----
    What was opened without ``interleave`` and ``incomplete="pad"`` is recorded everywhere.
    """
    whole = _whole_images(counts)
    image = xr.DataArray(
        da.ones((counts.sizes["y"], counts.sizes["x"]), dtype=bool), dims=("y", "x")
    )
    found = whole & image
    for frame, detector, start, stop in counts.attrs.get("missing_pixels", ()):
        if start > 0:  # else no pixel of it was recorded
            one = (counts["frame"] == frame) & (counts["detector"] == _name(counts, detector))
            found = found | (one.drop_vars(list(one.coords)) & _start(counts, start, stop))
    dims = ("frame", "detector", "y", "x")
    return found.transpose(*dims).assign_coords(
        {name: counts[name].variable for name in dims if name in counts.coords}
    )


def _whole_images(counts: xr.DataArray) -> xr.DataArray:
    """Return for every frame and detector whether the whole image was recorded, chunked."""
    shape = (counts.sizes["frame"], counts.sizes["detector"])
    flags = counts["recorded"].values if "recorded" in counts.coords else np.ones(shape, bool)
    order = counts["recorded"].dims if "recorded" in counts.coords else ("frame", "detector")
    chunks: Mapping[Any, tuple[int, ...]] = counts.chunksizes
    sizes = (chunks.get("frame", (shape[0],)), (shape[1],))
    whole = xr.DataArray(flags, dims=order).transpose("frame", "detector")
    return whole.copy(data=da.from_array(whole.values, chunks=sizes))


def _name(counts: xr.DataArray, number: int) -> str:
    names = counts.attrs.get("detectors", counts["detector"].values)
    return str(names[number])


def _start(counts: xr.DataArray, start: int, stop: int) -> xr.DataArray:
    """Return the pixels before the first missing one of an image, rolled as the image is."""
    shape = (counts.sizes["y"], counts.sizes["x"])
    if shape[0] * shape[1] != stop:
        raise ValueError(
            "rows or columns were cut off; ask for the recorded pixels before that and cut both"
        )
    image = (np.arange(stop) < start).reshape(shape)
    roll = counts.attrs.get("roll", (0, 0))
    return xr.DataArray(np.roll(image, tuple(roll), (0, 1)), dims=("y", "x"))
