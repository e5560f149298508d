"""Sums over regions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from mfxarray.kernels.region_sums import (
    Members,
    geometry,
    members_of_labels,
    members_of_masks,
    only_where,
    sum_regions,
)


@pytest.fixture
def labels():
    return np.random.default_rng(1).choice([0, 2, 5, 900], (13, 11))


VALUES = np.array([900, 2, 7, 5])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "int32", "int64", ">u2", "bool"])
def test_counts_are_those_of_scipy(labels, dtype):
    images = np.random.default_rng(2).integers(0, 2, (3, 2, 13, 11)).astype(dtype)
    if images.dtype.itemsize > 1:
        images = images * 30_000
    sums, missing = sum_regions(images, members_of_labels(labels, VALUES))
    assert sums.dtype == np.int64
    assert not missing.any()
    for frame in range(3):
        for detector in range(2):
            wanted = ndimage.sum_labels(images[frame, detector].astype(np.int64), labels, VALUES)
            np.testing.assert_array_equal(sums[frame, detector], wanted)


def test_sums_beyond_32_bits_are_exact():
    images = np.full((1, 300, 300), 2**32 - 1, np.uint32)
    sums, _ = sum_regions(images, members_of_labels(np.ones((300, 300), int), np.array([1])))
    assert sums[0, 0] == (2**32 - 1) * 90_000


def test_missing_pixels_are_counted_not_filled(labels):
    images = np.random.default_rng(2).random((4, 13, 11))
    images[:, labels == 5] = np.nan
    images[0, labels == 2] = np.nan
    images[0][np.unravel_index(np.flatnonzero(labels == 2)[0], labels.shape)] = 1.5
    sums, missing = sum_regions(images, members_of_labels(labels, VALUES))
    np.testing.assert_array_equal(missing[:, 3], np.count_nonzero(labels == 5))
    assert not sums[:, 3].any()
    assert missing[0, 1] == np.count_nonzero(labels == 2) - 1
    assert sums[0, 1] == 1.5
    np.testing.assert_allclose(
        sums[1], ndimage.sum_labels(np.nan_to_num(images[1]), labels, VALUES)
    )


def test_masks_may_overlap(labels):
    masks = np.stack([labels == 2, labels > 0, np.zeros_like(labels, bool)])
    images = np.random.default_rng(2).integers(0, 99, (5, 13, 11))
    sums, _ = sum_regions(images, members_of_masks(masks))
    np.testing.assert_array_equal(sums, np.einsum("fyx,ryx->fr", images, masks))


def test_weights():
    members = Members(np.array([0, 3, 3]), np.array([0, 2, 3]), (2, 2), np.array([0.5, 1, 0.25]))
    sums, missing = sum_regions(np.array([[[8, 1], [1, 4]]], np.uint16), members)
    np.testing.assert_array_equal(sums, [[8.0, 1.0]])
    assert sums.dtype == missing.dtype == np.float64
    one = Members(np.array([1]), np.array([0, 1]), (2, 2), np.array([0.5]))
    assert sum_regions(np.array([[[8, 6], [1, 4]]]), one)[0, 0, 0] == 3.0


@pytest.mark.parametrize("values", [np.array([], int), np.array([4])])
def test_regions_without_pixels(labels, values):
    members = members_of_labels(np.zeros_like(labels), values)
    assert members.n_regions == len(values)
    sums, _ = sum_regions(np.ones((2, 13, 11), np.uint16), members)
    np.testing.assert_array_equal(sums, np.zeros((2, len(values))))
    assert members_of_masks(np.zeros((0, 3, 4), bool)).n_regions == 0
    assert np.isnan(geometry(members, np.arange(13.0), np.arange(11.0))[1:]).all()


def test_geometry(labels):
    members = members_of_labels(labels, VALUES)
    ys, xs = np.arange(13) * 0.5, np.arange(11) * 2.0
    number, y, x = geometry(members, ys, xs)
    for place, value in enumerate(VALUES):
        rows, columns = np.nonzero(labels == value)
        assert number[place] == len(rows)
        if len(rows):
            assert y[place] == pytest.approx(ys[rows].mean())
            assert x[place] == pytest.approx(xs[columns].mean())


def test_only_where(labels):
    allowed = np.random.default_rng(4).random(labels.shape) > 0.5
    members = only_where(members_of_labels(labels, VALUES), allowed)
    wanted = members_of_labels(np.where(allowed, labels, 0), VALUES)
    np.testing.assert_array_equal(members.pixels, wanted.pixels)
    np.testing.assert_array_equal(members.starts, wanted.starts)
