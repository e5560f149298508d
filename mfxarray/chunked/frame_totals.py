"""Total counts of the frames of chunked stacks, and which of them are off."""

from __future__ import annotations

from functools import partial
from typing import Any

import dask.array as da
import numpy as np

from mfxarray.kernels.frame_totals import expected_totals, judge_totals

__all__ = ["frame_totals", "judged"]

Array = np.ndarray[Any, Any]


def frame_totals(counts: da.Array) -> da.Array:
    """Return the total counts, shape (frame, detector), int64, in one chunk.

    Parameters
    ----------
    counts
        Shape (frame, detector, y, x); any chunks.
    """
    return counts.sum(axis=(2, 3), dtype=np.int64).rechunk(-1)


def judged(
    totals: da.Array, *, window: int, limit: float, false_positives: float
) -> tuple[da.Array, da.Array]:
    """Return expected totals (float64) and verdicts (int8), shape (frame, detector).

    See `mfxarray.kernels.frame_totals`.
    """
    expected = da.map_blocks(expected_totals, totals, window=window, dtype=np.float64)
    judge = partial(judge_totals, window=window, limit=limit, false_positives=false_positives)
    return expected, da.map_blocks(judge, totals, expected, dtype=np.int8)
