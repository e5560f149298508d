"""Threshold, connected parts, peaks, flooding; scikit-image and scipy are the oracles."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage import feature, filters, measure, segmentation

from mfxarray.kernels.segmentation import connected, flood, keep_large, otsu, peaks


@pytest.mark.parametrize("seed", range(5))
def test_otsu_of_counts_is_that_of_scikit_image(seed):
    rng = np.random.default_rng(seed)
    image = rng.poisson(np.where(rng.random((40, 40)) > 0.7, 60, 12))
    ours, theirs = otsu(image.astype(float)), filters.threshold_otsu(image)
    np.testing.assert_array_equal(image > ours, image > theirs)


def test_otsu_is_the_best_of_all():
    values = np.random.default_rng(1).gamma(2, 3, 60)
    limit = otsu(values)

    def between(cut):
        low, high = values[values <= cut], values[values > cut]
        return len(low) * len(high) * (low.mean() - high.mean()) ** 2

    assert between(limit) >= max(between(cut) for cut in np.sort(values)[:-1]) * (1 - 1e-12)
    assert otsu(np.append(values, np.nan)) == limit


def test_otsu_of_one_value():
    with pytest.raises(ValueError, match="same value"):
        otsu(np.ones((3, 3)))


@pytest.mark.parametrize("corners", [True, False])
def test_connected_parts_are_those_of_scikit_image(corners):
    mask = np.random.default_rng(2).random((30, 30)) > 0.6
    theirs = measure.label(mask, connectivity=2 if corners else 1)
    np.testing.assert_array_equal(connected(mask, 1, corners=corners), theirs)


def test_small_parts_are_left_out():
    labels = np.array([[1, 1, 0, 2], [1, 0, 0, 0], [0, 3, 3, 0]])
    np.testing.assert_array_equal(keep_large(labels, 2), [[1, 1, 0, 0], [1, 0, 0, 0], [0, 2, 2, 0]])
    assert not keep_large(labels, 9).any()
    assert not connected(np.zeros((3, 3), bool), 1).any()


def test_peaks_lie_apart_and_on_top():
    image = ndimage.gaussian_filter(np.random.default_rng(3).random((60, 60)), 2)
    markers = peaks(image, np.ones_like(image, bool), 4)
    places = np.argwhere(markers)
    theirs = feature.peak_local_max(image, min_distance=4, exclude_border=False)
    assert {tuple(p) for p in places} == {tuple(p) for p in theirs}
    assert sorted(markers[markers > 0]) == list(range(1, len(places) + 1))


def test_a_plateau_has_one_peak():
    image = np.zeros((20, 20))
    image[5:8, 5:9] = 3
    assert np.count_nonzero(peaks(image, image > 0, 4)) == 1


@pytest.mark.parametrize("seed", range(4))
def test_floods_are_those_of_scikit_image(seed):
    rng = np.random.default_rng(seed)
    heights = ndimage.gaussian_filter(rng.random((50, 60)), 1.5)
    markers = np.zeros(heights.shape, np.int32)
    places = rng.integers(0, 50, (12, 2))
    markers[tuple(places.T)] = np.arange(1, 13) * 3
    mask = rng.random(heights.shape) > 0.1
    markers[~mask] = 0
    theirs = segmentation.watershed(heights, markers, mask=mask)
    np.testing.assert_array_equal(flood(heights, markers, mask), theirs)


def test_no_marker_no_basin():
    assert not flood(np.ones((4, 4)), np.zeros((4, 4), int), np.ones((4, 4), bool)).any()
