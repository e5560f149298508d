"""Spikes of chunked stacks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import dask.array as da
import numpy as np

from mfxarray.chunked.blocks import whole
from mfxarray.chunked.shortcuts import remember_selection, select_detectors
from mfxarray.kernels.spikes import replace_spikes

__all__ = ["without_spikes"]

Array = np.ndarray[Any, Any]


def without_spikes(
    counts: da.Array, detectors: Sequence[int], *, sigmas: float, kernel_size: int
) -> da.Array:
    """Return counts whose spikes are replaced by the local median.

    Parameters
    ----------
    counts
        Shape (frame, detector, y, x).
    detectors
        Numbers of the detectors to clean.
    sigmas, kernel_size
        See `mfxarray.kernels.spikes.find_spikes`.

    Notes
    -----
    Images are independent of each other: the stack is read once, block by block.
    """
    counts = whole(counts, (1, 2, 3))

    def select(numbers: tuple[int, ...]) -> da.Array:
        places = [place for place, number in enumerate(numbers) if number in detectors]
        part = select_detectors(counts, numbers)
        if not places:
            return part
        return without_spikes(part, places, sigmas=sigmas, kernel_size=kernel_size)

    clean = partial(_replace, detectors=tuple(detectors), sigmas=sigmas, kernel_size=kernel_size)
    cleaned = da.map_blocks(clean, counts, dtype=counts.dtype, meta=counts._meta)
    return remember_selection(cleaned, select)


def _replace(frames: Array, *, detectors: tuple[int, ...], **options: Any) -> Array:
    return replace_spikes(frames, np.array(detectors, np.int64), **options)
