"""Whole-pixel shifts conserve counts and know what they cover."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from mfxarray.kernels.shifts import cover_count, shift_frames


@pytest.mark.parametrize("shift", [(0, 0), (2, -3), (-4, 1), (50, 0), (0, -50), (7, 9)])
@pytest.mark.parametrize("padding", [0, 3, 60])
def test_shift_equals_scipy(shift, padding):
    rng = np.random.default_rng(1)
    frames = rng.poisson(5, (1, 2, 7, 9)).astype("u2")
    moved = shift_frames(frames, np.array([shift]), padding)
    padded = np.pad(frames, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    wanted = ndimage.shift(padded, (0, 0, *shift), order=0, mode="constant", cval=0)
    np.testing.assert_array_equal(moved, wanted)
    assert moved.dtype == frames.dtype


def test_enough_padding_conserves_every_count():
    rng = np.random.default_rng(2)
    frames = rng.poisson(5, (6, 3, 16, 12)).astype("u4")
    shifts = rng.integers(-5, 6, (6, 2))
    moved = shift_frames(frames, shifts, 5)
    np.testing.assert_array_equal(moved.sum((2, 3)), frames.sum((2, 3)))


def test_cover_is_the_sum_of_shifted_ones():
    rng = np.random.default_rng(3)
    shifts = rng.integers(-20, 21, (30, 2))
    for padding in (0, 4):
        ones = shift_frames(np.ones((30, 1, 11, 13), "u4"), shifts, padding)
        np.testing.assert_array_equal(cover_count(shifts, (11, 13), padding), ones[:, 0].sum(0))
