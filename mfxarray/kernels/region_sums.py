"""Sums of images over regions, in the order of the pixels, so that no chunking changes a bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

__all__ = [
    "Members",
    "geometry",
    "members_of_labels",
    "members_of_masks",
    "only_where",
    "sum_regions",
    "working_dtype",
]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Members:
    """The pixels of every region, as one list; regions may share pixels.

    Attributes
    ----------
    pixels
        Places of the pixels in a flattened image, ascending within a region.
    starts
        Where each region begins in ``pixels``, and the end of the last.
    shape
        Of the image (y, x).
    weights
        Part of each pixel that belongs to the region; all of it if None.
    """

    pixels: Array
    starts: Array
    shape: tuple[int, int]
    weights: Array | None = None

    @property
    def n_regions(self) -> int:
        """Number of regions, those without pixels included."""
        return len(self.starts) - 1


def members_of_labels(labels: Array, values: Array) -> Members:
    """Return the pixels whose label is each of ``values``.

    Parameters
    ----------
    labels
        Shape (y, x), integers.
    values
        Distinct labels, in the order of the regions.
    """
    flat = labels.ravel()
    ranks = np.argsort(values, kind="stable")
    known = values[ranks]
    place = np.searchsorted(known, flat).clip(max=max(len(known) - 1, 0))
    pixels = np.flatnonzero(known[place] == flat) if len(known) else np.zeros(0, np.int64)
    region = ranks[place[pixels]]
    # stable: pixels stay ascending within a region
    order = np.argsort(region, kind="stable")
    starts = np.concatenate(([0], np.cumsum(np.bincount(region, minlength=len(values)))))
    return Members(pixels[order], starts.astype(np.int64), (labels.shape[0], labels.shape[1]))


def members_of_masks(masks: Array) -> Members:
    """Return the pixels that are True in each of the masks, shape (region, y, x)."""
    n_regions, height, width = masks.shape
    flat = masks.reshape(n_regions, height * width)
    region, pixels = np.nonzero(flat)
    starts = np.concatenate(([0], np.cumsum(np.bincount(region, minlength=n_regions))))
    return Members(pixels, starts.astype(np.int64), (height, width))


def only_where(members: Members, allowed: Array) -> Members:
    """Return the regions without the pixels that are False in ``allowed``, shape (y, x)."""
    kept = allowed.ravel()[members.pixels]
    before = np.concatenate(([0], np.cumsum(kept)))
    weights = None if members.weights is None else members.weights[kept]
    return Members(members.pixels[kept], before[members.starts], members.shape, weights)


def geometry(members: Members, ys: Array, xs: Array) -> Array:
    """Return number of pixels, mean y and mean x of every region, shape (3, region).

    Parameters
    ----------
    members
        The regions; with weights the number is the sum of them.
    ys, xs
        Positions of the rows and columns.

    Notes
    -----
    The means of a region without pixels are NaN.
    """
    rows, columns = np.divmod(members.pixels, max(members.shape[1], 1))
    region = np.repeat(np.arange(members.n_regions), np.diff(members.starts))
    share = np.ones(len(rows)) if members.weights is None else members.weights
    sums = [
        np.bincount(region, share * part, minlength=members.n_regions)
        for part in (1.0, ys[rows], xs[columns])
    ]
    with np.errstate(invalid="ignore"):
        return np.stack([sums[0], sums[1] / sums[0], sums[2] / sums[0]])


def working_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype that sums are read in: that of the counts where it is a common one."""
    if dtype.kind == "f":
        return np.dtype(np.float64)
    return dtype if dtype in (np.dtype(np.uint16), np.dtype(np.uint32)) else np.dtype(np.int64)


def sum_regions(images: Array, members: Members) -> Array:
    """Return the sums over regions and how much of each region is missing.

    Parameters
    ----------
    images
        Shape (..., y, x), integers or floats; NaN is a missing pixel and is left out.
    members
        The regions.

    Returns
    -------
    ndarray
        Shape (2, ..., region): sums, and missing pixels (by weight). int64 and exact for integers
        without weights, else float64.
    """
    exact = images.dtype.kind != "f" and members.weights is None
    read = working_dtype(images.dtype) if exact else np.dtype(np.float64)
    head = images.shape[:-2]
    sizes = (int(np.prod(head)), images.shape[-2] * images.shape[-1])
    flat = np.ascontiguousarray(images, read).reshape(sizes)
    found = np.zeros((2, len(flat), members.n_regions), np.int64 if exact else np.float64)
    if members.weights is not None:
        _sum_parts(flat, members.pixels, members.starts, members.weights, found)
    elif exact:
        _sum_counts(flat, *_runs(members), found[0])
    else:
        _sum_floats(flat, *_runs(members), found)
    return found.reshape(2, *head, members.n_regions)


def _runs(members: Members) -> tuple[Array, Array, Array]:
    """Return the runs of neighbouring pixels: first, behind the last, and where regions begin."""
    pixels = members.pixels
    begins = np.ones(len(pixels), bool)
    begins[1:] = np.diff(pixels) != 1
    inside = members.starts[members.starts < len(pixels)]
    begins[inside] = True
    first = np.flatnonzero(begins)
    length = np.diff(np.append(first, len(pixels)))
    starts = np.concatenate(([0], np.cumsum(begins)))[members.starts]
    return pixels[first], pixels[first] + length, starts


@numba.njit(nogil=True, cache=True)
def _sum_counts(images: Array, first: Array, stop: Array, starts: Array, found: Array) -> None:
    for number in range(images.shape[0]):
        image = images[number]
        for region in range(starts.size - 1):
            total = np.int64(0)
            for run in range(starts[region], starts[region + 1]):
                for value in image[first[run] : stop[run]]:
                    total += np.int64(value)
            found[number, region] = total


@numba.njit(nogil=True, cache=True)
def _sum_floats(images: Array, first: Array, stop: Array, starts: Array, found: Array) -> None:
    for number in range(images.shape[0]):
        image = images[number]
        for region in range(starts.size - 1):
            total, missing = 0.0, 0
            for run in range(starts[region], starts[region + 1]):
                for value in image[first[run] : stop[run]]:
                    if np.isnan(value):
                        missing += 1
                    else:
                        total += value
            found[0, number, region] = total
            found[1, number, region] = missing


@numba.njit(nogil=True, cache=True)
def _sum_parts(images: Array, pixels: Array, starts: Array, weights: Array, found: Array) -> None:
    for number in range(images.shape[0]):
        image = images[number]
        for region in range(starts.size - 1):
            total, missing = 0.0, 0.0
            for place in range(starts[region], starts[region + 1]):
                value = image[pixels[place]]
                if np.isnan(value):
                    missing += weights[place]
                else:
                    total += weights[place] * value
            found[0, number, region] = total
            found[1, number, region] = missing
