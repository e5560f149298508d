"""Chunked stacks moved by their translations, and how many frames then cover each pixel."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from mfxarray.chunked.blocks import KEPT, graph_array, reread, whole
from mfxarray.kernels.beads import seed_registration
from mfxarray.kernels.shifts import area_cover, cover_count, shift_by_area, shift_frames

__all__ = ["exposure", "shift_stack", "shift_stack_area", "shift_stack_seed"]

Array = np.ndarray[Any, Any]


def shift_stack(counts: da.Array, shifts: da.Array, padding: int) -> da.Array:
    """Return the stack with every frame moved by its translation, zeros where there is no data.

    Parameters
    ----------
    counts
        Shape (frame, detector, y, x).
    shifts
        Shape (frame, 2), integers.
    padding
        Pixels added on every side.
    """
    return _shifted(partial(shift_frames, padding=padding), counts, shifts, padding, counts.dtype)


def shift_stack_area(counts: da.Array, shifts: da.Array, padding: int) -> da.Array:
    """Return the stack moved by parts of pixels, shared out by area; float64."""
    move = partial(shift_by_area, padding=padding)
    return _shifted(move, counts, shifts, padding, np.dtype(np.float64))


def shift_stack_seed(counts: da.Array, shifts: da.Array, padding: int) -> da.Array:
    """Return the stack padded and rolled as the seed does, with wrap-around."""
    move = partial(seed_registration.seed_shift, padding=padding)
    return _shifted(move, counts, shifts, padding, counts.dtype)


def exposure(shifts: da.Array, shape: tuple[int, int], padding: int) -> da.Array:
    """Return how many frames cover each pixel, shape (y, x).

    Whole numbers after `shift_stack`; for shifts that are floats, the areas of frames that
    `shift_stack_area` put there.
    """
    sizes = tuple((size + 2 * padding,) for size in shape)
    kernel, dtype = (
        (area_cover, np.float64) if shifts.dtype.kind == "f" else (cover_count, np.int64)
    )
    count = partial(kernel, shape=shape, padding=padding)
    name = f"{KEPT}exposure-{tokenize(shifts, shape, padding)}"
    single = whole(shifts, (0, 1))
    tasks = {(name, 0, 0): (count, (single.name, 0, 0))}
    return graph_array(name, tasks, (single,), sizes, dtype)


def _shifted(
    move: Callable[..., Array],
    counts: da.Array,
    shifts: da.Array,
    padding: int,
    dtype: np.dtype[Any],
) -> da.Array:
    counts = whole(counts, (2, 3))
    sizes = [size + 2 * padding for size in counts.shape[2:]]
    return da.blockwise(
        move,
        "fdyx",
        reread(counts, "shift"),
        "fdyx",
        whole(shifts, (1,)).rechunk({0: counts.chunks[0]}),
        "fs",
        concatenate=True,
        adjust_chunks={"y": (sizes[0],), "x": (sizes[1],)},
        dtype=dtype,
        meta=np.empty((0, 0, 0, 0), dtype),
    )
