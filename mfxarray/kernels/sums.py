"""Sums of frames in the order of the frames, so that no chunking changes a bit."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

__all__ = ["add_frames", "sum_dtype"]

Array = np.ndarray[Any, Any]

_TILE = 4096


def sum_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype of a sum: int64 for integers and bools, which is exact, else float64."""
    return np.dtype(np.float64 if dtype.kind == "f" else np.int64)


def add_frames(total: Array | None, frames: Array) -> Array:
    """Return ``total`` plus all frames, added one after the other.

    Parameters
    ----------
    total
        Shape of a frame, None for nothing yet. Not changed.
    frames
        Shape (frame, ...).
    """
    found = np.empty(frames.shape[1:], sum_dtype(frames.dtype))
    before = np.zeros(0, found.dtype) if total is None else total.reshape(-1)
    # compiled code takes no foreign byte order
    flat = np.ascontiguousarray(frames, frames.dtype.newbyteorder("="))
    flat = flat.reshape(len(frames), found.size)
    _add(found.reshape(-1), before, flat)
    return found


@numba.njit(nogil=True, cache=True)
def _add(found: Array, before: Array, frames: Array) -> None:
    """Sum pieces that stay in the cache; ``before`` is empty for nothing."""
    for start in range(0, found.size, _TILE):
        stop = min(start + _TILE, found.size)
        for index in range(start, stop):
            found[index] = before[index] if before.size else 0
        for number in range(frames.shape[0]):
            for index in range(start, stop):
                found[index] += frames[number, index]
