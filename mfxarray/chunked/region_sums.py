"""Sums of chunked images over regions; the images are read once, in any chunks of frames."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from mfxarray.chunked.blocks import graph_array, whole
from mfxarray.kernels.region_sums import Members, geometry, only_where, sum_regions

__all__ = ["Regions", "region_geometry", "region_sums"]

Array = np.ndarray[Any, Any]

# exposures are sums of areas, right to some digits only
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Regions:
    """Regions, and which of their pixels count.

    Attributes
    ----------
    members
        The pixels.
    exposure
        Frames that cover each pixel (y, x); pixels that some frame does not cover are left out.
        All pixels count if None.
    n_frames
        Frames of the stack.
    """

    members: Members
    exposure: da.Array | None = None
    n_frames: int = 0

    def _key(self, name: str) -> tuple[dict[Any, Any], str, list[da.Array]]:
        """Return the task that gives the pixels, its key, and the arrays that it needs."""
        key = f"members-{name}"
        if self.exposure is None:
            return {key: self.members}, key, []
        image = whole(self.exposure, (0, 1))
        given = f"all-{key}"
        task = (_covered, given, (image.name, 0, 0), self.n_frames)
        return {given: self.members, key: task}, key, [image]


def region_sums(images: da.Array, regions: Regions) -> tuple[da.Array, da.Array]:
    """Return the sums over regions and how many of their pixels are missing (NaN).

    Parameters
    ----------
    images
        Shape (..., y, x); any chunks.
    regions
        The regions.

    Returns
    -------
    sums, missing
        Shape (..., region); int64 for integers without weights, else float64.

    Notes
    -----
    One task a chunk of images; the list of pixels travels once. Pixels are added in their order,
    each image on its own, so chunks change no bit.
    """
    images = whole(images, (images.ndim - 2, images.ndim - 1))
    name = f"region-sums-{tokenize(images, regions)}"
    tasks, members, needed = regions._key(name)
    for place in product(*(range(count) for count in images.numblocks[:-2])):
        tasks[(name, 0, *place, 0)] = (sum_regions, (images.name, *place, 0, 0), members)
    chunks = ((2,), *images.chunks[:-2], (regions.members.n_regions,))
    exact = images.dtype.kind != "f" and regions.members.weights is None
    both = graph_array(name, tasks, (images, *needed), chunks, np.int64 if exact else np.float64)
    return both[0], both[1]


def region_geometry(regions: Regions, ys: Array, xs: Array) -> da.Array:
    """Return number of pixels, mean y and mean x of every region, shape (3, region).

    Parameters
    ----------
    regions
        The regions; only pixels that count are taken.
    ys, xs
        Positions of rows and columns.
    """
    name = f"region-geometry-{tokenize(regions, ys, xs)}"
    tasks, members, needed = regions._key(name)
    tasks[(name, 0, 0)] = (geometry, members, ys, xs)
    chunks = ((3,), (regions.members.n_regions,))
    return graph_array(name, tasks, needed, chunks, np.float64)


def _covered(members: Members, exposure: Array, n_frames: int) -> Members:
    """Return the regions without the pixels that some frame does not cover."""
    # frames chosen after the alignment: the exposure still counts all of them
    most = max(float(exposure.max(initial=0)), n_frames)
    return only_where(members, exposure >= most * (1 - _ROUNDING))
