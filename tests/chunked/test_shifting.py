"""Moved stacks and exposure equal the kernels, however they are cut."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from mfxarray.chunked.shifting import exposure, shift_stack, shift_stack_area, shift_stack_seed
from mfxarray.kernels.shifts import area_cover, cover_count, shift_by_area, shift_frames


@pytest.fixture(scope="module")
def stack():
    rng = np.random.default_rng(0)
    counts = rng.poisson(3, (20, 2, 24, 18)).astype("u2")
    return counts, rng.integers(-6, 7, (20, 2)), rng.uniform(-6, 6, (20, 2))


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("chunks", [(7, 1, 24, 18), (20, 2, 9, 18)])
def test_whole_pixels(stack, padding, chunks):
    counts, shifts, _ = stack
    given = da.from_array(shifts, chunks=(9, 1))
    moved = shift_stack(da.from_array(counts, chunks=chunks), given, padding)
    np.testing.assert_array_equal(moved, shift_frames(counts, shifts, padding))
    assert moved.dtype == counts.dtype
    cover = exposure(given, (24, 18), padding)
    np.testing.assert_array_equal(cover, cover_count(shifts, (24, 18), padding))
    assert cover.dtype == np.int64
    rolled = shift_stack_seed(da.from_array(counts, chunks=chunks), given, padding)
    assert rolled.shape == moved.shape


@pytest.mark.parametrize("padding", [0, 7])
@pytest.mark.parametrize("chunks", [(7, 1, 24, 18), (20, 2, 9, 18)])
def test_parts_of_pixels(stack, padding, chunks):
    counts, _, shifts = stack
    given = da.from_array(shifts, chunks=(9, 1))
    moved = shift_stack_area(da.from_array(counts, chunks=chunks), given, padding)
    assert moved.dtype == np.float64
    np.testing.assert_array_equal(moved, shift_by_area(counts, shifts, padding))
    cover = exposure(given, (24, 18), padding)
    np.testing.assert_array_equal(cover, area_cover(shifts, (24, 18), padding))
    assert cover.dtype == np.float64
