"""Sums of frames: exact integers, floats in the order of the frames."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.kernels.sums import add_frames, sum_dtype


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.int64, bool])
def test_integers_are_exact(dtype):
    top = 1 if dtype is bool else np.iinfo(dtype).max // (64 if dtype is np.int64 else 1)
    frames = np.full((5, 2, 3), top, dtype)
    found = add_frames(None, frames)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, np.full((2, 3), 5 * int(top)))


def test_floats_add_up_one_by_one():
    frames = np.random.default_rng(0).lognormal(0, 9, (40, 3, 5))
    wanted = np.zeros((3, 5))
    for frame in frames:
        wanted += frame
    np.testing.assert_array_equal(add_frames(None, frames), wanted)
    np.testing.assert_array_equal(add_frames(add_frames(None, frames[:7]), frames[7:]), wanted)


def test_the_total_before_stays_as_it_was():
    total = np.ones((2, 2), np.int64)
    add_frames(total, np.ones((3, 2, 2), np.uint16))
    np.testing.assert_array_equal(total, 1)


def test_strided_and_empty():
    frames = np.arange(24, dtype=np.uint32).reshape(2, 3, 4)[:, :, ::2]
    np.testing.assert_array_equal(add_frames(None, frames), frames.sum(0))
    np.testing.assert_array_equal(add_frames(None, frames[:0]), np.zeros((3, 2)))


def test_foreign_byte_order():
    frames = np.arange(12, dtype=">u2").reshape(3, 4)
    np.testing.assert_array_equal(add_frames(None, frames), frames.sum(0))


def test_dtypes():
    assert sum_dtype(np.dtype(np.float32)) == np.float64
    assert sum_dtype(np.dtype(np.uint64)) == np.int64
