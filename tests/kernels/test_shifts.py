"""Whole-pixel shifts conserve counts and know what they cover."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from mfxarray.kernels.shifts import area_cover, cover_count, shift_by_area, shift_frames


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


@pytest.mark.parametrize(
    "shift", [(0.0, 0.0), (0.25, -0.5), (-3.7, 2.0), (1.999, 40.5), (0, -9.25)]
)
@pytest.mark.parametrize("padding", [0, 4])
def test_shift_by_area_is_overlap_of_squares(shift, padding):
    rng = np.random.default_rng(1)
    frames = rng.poisson(5, (1, 2, 7, 9)).astype("u2")
    moved = shift_by_area(frames, np.array([shift]), padding)
    wanted = np.zeros((2, 7 + 2 * padding, 9 + 2 * padding))
    for y, x in np.ndindex(7, 9):
        for row, column in np.ndindex(wanted.shape[1:]):
            down = 1 - abs(y + padding + shift[0] - row)
            across = 1 - abs(x + padding + shift[1] - column)
            wanted[:, row, column] += frames[0, :, y, x] * max(down, 0) * max(across, 0)
    np.testing.assert_allclose(moved[0], wanted, atol=1e-12)
    assert moved.dtype == np.float64


def test_shift_by_area_keeps_sums_and_is_never_negative():
    rng = np.random.default_rng(2)
    frames = rng.poisson(0.3, (9, 3, 16, 12)).astype("u4")
    shifts = rng.uniform(-4, 4, (9, 2))
    moved = shift_by_area(frames, shifts, 5)
    np.testing.assert_allclose(moved.sum((2, 3)), frames.sum((2, 3)), rtol=1e-13)
    assert moved.min() >= 0


def test_whole_numbers_as_floats_move_as_integers():
    rng = np.random.default_rng(2)
    frames = rng.poisson(9, (9, 3, 16, 12)).astype("u4")
    shifts = rng.integers(-4, 5, (9, 2))
    moved = shift_by_area(frames, shifts.astype(float), 2)
    np.testing.assert_array_equal(moved, shift_frames(frames, shifts, 2))
    whole = cover_count(shifts, (16, 12), 2)
    np.testing.assert_array_equal(area_cover(shifts.astype(float), (16, 12), 2), whole)


def test_area_cover_is_the_sum_of_shifted_ones():
    shifts = np.random.default_rng(3).uniform(-20, 20, (30, 2))
    ones = shift_by_area(np.ones((30, 1, 11, 13)), shifts, 4)
    np.testing.assert_allclose(area_cover(shifts, (11, 13), 4), ones[:, 0].sum(0), atol=1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_frame_without_a_translation_is_refused(value):
    with pytest.raises(ValueError, match="give every frame one"):
        shift_by_area(np.ones((1, 1, 4, 4)), np.array([[value, 0.0]]), 0)
    with pytest.raises(ValueError, match="give every frame one"):
        area_cover(np.array([[value, 0.0]]), (4, 4), 0)
