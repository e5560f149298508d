"""Hot pixels of chunked stacks: local votes, one global count, replacement."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from mfxarray.chunked.blocks import KEPT, reread, whole
from mfxarray.chunked.shortcuts import remember_selection, select_detectors
from mfxarray.kernels.medians import hot_candidates, replace_masked

__all__ = ["hot_mask", "replace_hot"]

Array = np.ndarray[Any, Any]


def hot_mask(
    counts: da.Array,
    voters: Sequence[int],
    *,
    kernel_size: int,
    outlier_factor: float,
    min_count: float,
    num_outliers: int,
    num_nonzero: int,
    most_repeats: float,
) -> da.Array:
    """Return the mask of hot pixels, shape (frame, y, x), bool.

    Parameters
    ----------
    counts
        Shape (frame, detector, y, x).
    voters
        Numbers of the detectors that vote.
    kernel_size, outlier_factor, min_count, num_outliers, num_nonzero
        See `mfxarray.kernels.medians.hot_candidates`.
    most_repeats
        A pixel that is a candidate in more frames than this is structure, not a hot pixel.

    Notes
    -----
    Reads the stack once. Between the votes and the global count the votes wait as one bit a pixel.
    """
    counts = whole(counts, (1, 2, 3))
    height, width = counts.shape[2:]
    vote = partial(
        _vote,
        voters=tuple(voters),
        kernel_size=kernel_size,
        outlier_factor=outlier_factor,
        min_count=min_count,
        num_outliers=num_outliers,
        num_nonzero=num_nonzero,
    )
    token = tokenize(counts, vote, most_repeats)
    packed = da.blockwise(
        vote,
        "fyx",
        counts,
        "fdyx",
        name=f"{KEPT}votes-{token}",
        adjust_chunks={"x": (-(-width // 8),)},
        dtype=np.uint8,
        meta=np.empty((0, 0, 0), np.uint8),
    )
    repeats = da.map_blocks(
        partial(_count, width=width),
        packed,
        chunks=((1,) * packed.numblocks[0], (height,), (width,)),
        dtype=np.int64,
        meta=np.empty((0, 0, 0), np.int64),
    ).sum(axis=0)
    rare = da.map_blocks(
        partial(_at_most, most=most_repeats),
        repeats,
        name=f"{KEPT}rare-{token}",
        dtype=bool,
        meta=np.empty((0, 0), bool),
    )
    return da.blockwise(
        partial(_unpack, width=width),
        "fyx",
        packed,
        "fyx",
        rare,
        "yx",
        align_arrays=False,
        adjust_chunks={"x": (width,)},
        dtype=bool,
        meta=np.empty((0, 0, 0), bool),
    )


def replace_hot(
    counts: da.Array, mask: da.Array, detectors: Sequence[int], kernel_size: int
) -> da.Array:
    """Return counts with masked pixels replaced by their local median.

    Parameters
    ----------
    counts
        Shape (frame, detector, y, x).
    mask
        Shape (frame, y, x), bool.
    detectors
        Numbers of the detectors to clean.
    kernel_size
        Odd number of pixels of the median.

    Notes
    -----
    Reads the stack again, because the mask needs all frames first.
    """
    counts = whole(counts, (1, 2, 3))
    mask = mask.rechunk((counts.chunks[0], -1, -1))

    def select(numbers: tuple[int, ...]) -> da.Array:
        cleaned = [place for place, number in enumerate(numbers) if number in detectors]
        return replace_hot(select_detectors(counts, numbers), mask, cleaned, kernel_size)

    cleaned = da.blockwise(
        partial(_replace, detectors=tuple(detectors), kernel_size=kernel_size),
        "fdyx",
        reread(counts, "replace"),
        "fdyx",
        mask,
        "fyx",
        dtype=counts.dtype,
        meta=counts._meta,
    )
    return remember_selection(cleaned, select)


def _vote(blocks: list[Array], *, voters: tuple[int, ...], **options: Any) -> Array:
    # dask hands over the blocks along the lost axis as a list, here one; joining would copy it
    (frames,) = blocks
    return np.packbits(hot_candidates(frames, np.array(voters, np.int64), **options), axis=-1)


def _count(packed: Array, *, width: int) -> Array:
    votes = np.unpackbits(packed, axis=-1, count=width)
    return votes.sum(axis=0, keepdims=True, dtype=np.int64)


def _at_most(repeats: Array, *, most: float) -> Array:
    return repeats <= most


def _unpack(packed: Array, rare: Array, *, width: int) -> Array:
    return np.unpackbits(packed, axis=-1, count=width).astype(bool) & rare


def _replace(frames: Array, mask: Array, *, detectors: tuple[int, ...], kernel_size: int) -> Array:
    return replace_masked(frames, mask, np.array(detectors, np.int64), kernel_size)
