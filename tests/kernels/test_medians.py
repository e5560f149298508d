"""Medians and hot-pixel votes against scipy and the plain form of the rule."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from mfxarray.kernels.medians import hot_candidates, local_median, replace_masked


def plain(frames, voters, kernel_size, outlier_factor, min_count, num_outliers, num_nonzero):
    counts = frames[:, voters]
    median = ndimage.median_filter(counts, size=(1, 1, kernel_size, kernel_size))
    votes = counts >= outlier_factor * np.maximum(median, min_count)
    return (votes.sum(1) >= num_outliers) & ((counts > 0).sum(1) >= num_nonzero)


@pytest.mark.parametrize("dtype", ["u2", "u4", "i4", "i8"])
@pytest.mark.parametrize("shape", [(3, 4, 17, 23), (1, 4, 1, 1), (2, 4, 1, 9), (2, 4, 9, 1)])
@pytest.mark.parametrize("kernel_size", [3, 5])
def test_votes_equal_the_plain_form(dtype, shape, kernel_size):
    rng = np.random.default_rng(3)
    frames = rng.poisson(2, shape).astype(dtype)
    for factor, least, outliers, nonzero in [(1.999, 0.5, 2, 3), (3, 1, 1, 0), (2.5, 2, 3, 3)]:
        found = hot_candidates(
            frames,
            np.array([0, 1, 3]),
            kernel_size=kernel_size,
            outlier_factor=factor,
            min_count=least,
            num_outliers=outliers,
            num_nonzero=nonzero,
        )
        wanted = plain(frames, [0, 1, 3], kernel_size, factor, least, outliers, nonzero)
        np.testing.assert_array_equal(found, wanted)


def test_votes_find_something_at_all():
    frames = np.ones((1, 3, 9, 9), np.uint32)
    frames[0, :, 4, 5] = 50
    options = {"kernel_size": 3, "outlier_factor": 3.0, "min_count": 1.0}
    found = hot_candidates(frames, np.arange(3), num_outliers=3, num_nonzero=3, **options)
    assert np.argwhere(found).tolist() == [[0, 4, 5]]
    none = hot_candidates(frames, np.arange(3), num_outliers=4, num_nonzero=3, **options)
    assert not none.any()


def test_counts_at_the_top_of_the_range_do_not_wrap():
    frames = np.full((1, 1, 5, 5), 2**32 - 1, np.uint32)
    options = {"kernel_size": 3, "min_count": 1.0, "num_outliers": 1, "num_nonzero": 1}
    assert hot_candidates(frames, np.arange(1), outlier_factor=1.0, **options).all()
    assert not hot_candidates(frames, np.arange(1), outlier_factor=1.0001, **options).any()


def test_empty_block():
    frames = np.empty((0, 2, 4, 4), np.uint32)
    options = {"kernel_size": 3, "outlier_factor": 2.0, "min_count": 1.0}
    found = hot_candidates(frames, np.arange(2), num_outliers=1, num_nonzero=1, **options)
    assert found.shape == (0, 4, 4)


@pytest.mark.parametrize("kernel_size", [3, 5, 7])
@pytest.mark.parametrize("shape", [(2, 3, 8, 11), (2, 3, 1, 2), (1, 3, 2, 2)])
def test_replacement_is_scipys_median(kernel_size, shape):
    rng = np.random.default_rng(5)
    frames = rng.poisson(7, shape).astype("u4")
    mask = rng.random((shape[0], *shape[2:])) < 0.3
    found = replace_masked(frames, mask, np.array([0, 2]), kernel_size)
    median = ndimage.median_filter(frames, size=(1, 1, kernel_size, kernel_size))
    wanted = np.where(mask[:, None] & np.array([True, False, True])[:, None, None], median, frames)
    np.testing.assert_array_equal(found, wanted)


def test_replacement_leaves_the_input_alone():
    frames = np.arange(32, dtype="u4").reshape(1, 2, 4, 4)
    before = frames.copy()
    replace_masked(frames, np.ones((1, 4, 4), bool), np.arange(2), 3)
    np.testing.assert_array_equal(frames, before)


def test_local_median_is_per_image():
    images = np.stack([np.zeros((4, 4)), np.full((4, 4), 9.0)])
    np.testing.assert_array_equal(local_median(images, 3), images)


@pytest.mark.parametrize("dtype", ["u2", "u4", "i4", "i8"])
@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("shape", [(17, 23), (3, 8, 9), (2, 3, 1, 7), (2, 2, 6, 1), (0, 4, 4)])
def test_local_median_is_scipys(dtype, kernel_size, shape):
    images = np.random.default_rng(1).poisson(9, shape).astype(dtype)
    found = local_median(images, kernel_size)
    size = (1,) * (len(shape) - 2) + (kernel_size, kernel_size)
    wanted = ndimage.median_filter(images, size=size, mode="reflect")
    np.testing.assert_array_equal(found, wanted)
    assert found.dtype == images.dtype
