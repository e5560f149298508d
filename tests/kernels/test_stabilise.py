"""Counts made ready: Anscombe's root, a Gaussian, blocks of pixels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from mfxarray.kernels.stabilise import CORRELATED, prepare, shrink


@pytest.mark.parametrize("dtype", ["u2", "u4", "i4", "i8", "f8"])
def test_prepare_is_anscombe_and_a_gaussian(dtype):
    planes = np.random.default_rng(2).poisson(9, (3, 18, 23)).astype(dtype)
    wanted = ndimage.gaussian_filter(
        2 * np.sqrt(planes + 0.375), (0, 1, 1), truncate=3, mode="nearest"
    )
    np.testing.assert_allclose(prepare(planes), wanted, rtol=1e-5)
    assert prepare(planes).dtype == np.float32


def test_counts_below_zero_are_taken_as_none():
    np.testing.assert_array_equal(prepare(np.full((1, 5, 5), -3.0)), prepare(np.zeros((1, 5, 5))))


def test_anscombe_makes_the_noise_of_all_levels_one():
    rng = np.random.default_rng(3)
    for mean in (5, 50, 500):
        ready = prepare(rng.poisson(mean, (1, 512, 512)).astype("u4"))
        assert ready.std() == pytest.approx(1 / np.sqrt(CORRELATED), rel=0.05)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_shrink_is_the_mean_of_blocks(factor):
    image = np.random.default_rng(1).normal(size=(14, 17)).astype("f4")
    rows, columns = 14 // factor, 17 // factor
    cut = image[: rows * factor, : columns * factor]
    wanted = cut.reshape(rows, factor, columns, factor).mean((1, 3))
    np.testing.assert_allclose(shrink(image, factor), wanted, atol=1e-6)
