"""Spikes: found at their places, not in clean noise and not in the grain of a sample."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from mfxarray.kernels.medians import local_median
from mfxarray.kernels.spikes import find_spikes, replace_spikes


def spikes(images, sigmas=8.0, kernel_size=3):
    return find_spikes(images, local_median(images, kernel_size), sigmas, kernel_size)


def plain(image, sigmas):
    """Return the rule for one image, pixel by pixel."""
    image = image.astype(float)
    median = ndimage.median_filter(image, 3)
    deviation = abs(image - median)
    spread = np.sqrt(median + 1)
    usual = np.median(deviation / spread) / 0.581 * spread
    wide = np.pad(deviation, 3, mode="symmetric")
    found = np.zeros(image.shape, bool)
    for y, x in np.ndindex(image.shape):
        window = wide[y : y + 7, x : x + 7].copy()
        window[2:5, 2:5] = np.nan
        noise = max(usual[y, x], np.nanmean(window) / 0.724, 1.0)
        found[y, x] = deviation[y, x] > sigmas * noise
    return found


@pytest.mark.parametrize("dtype", ["u2", "u4", "i8"])
@pytest.mark.parametrize("sigmas", [2.0, 4.0])
def test_equals_the_plain_form(dtype, sigmas):
    images = np.random.default_rng(2).poisson(40, (3, 20, 23)).astype(dtype)
    images[1, 5, 5] = 900
    images[2, 12, 3] = 0
    found = spikes(images, sigmas)
    assert found[1, 5, 5]
    for image, one in zip(images, found, strict=True):
        np.testing.assert_array_equal(one, plain(image, sigmas))


def test_the_constants_are_those_of_normal_noise():
    noise = np.random.default_rng(0).standard_normal((3, 400, 400))
    off = abs(noise - ndimage.median_filter(noise, size=(1, 3, 3)))
    assert np.median(off) == pytest.approx(0.581, rel=5e-3)
    assert off.mean() == pytest.approx(0.724, rel=5e-3)


@pytest.mark.parametrize("level", [1, 30, 2000])
def test_clean_noise_has_none_and_spikes_are_found(level):
    rng = np.random.default_rng(3)
    images = rng.poisson(level, (4, 200, 200)).astype("u4")
    assert not spikes(images).any()
    hot = np.zeros(images.shape, bool)
    hot[:, 5::20, 5::20] = True
    images[hot] = 5 * images[hot] + 40
    found = spikes(images)
    assert found[hot].mean() > 0.99
    assert not found[~hot].any()


def test_dark_spikes_too():
    images = np.random.default_rng(4).poisson(500, (1, 50, 50)).astype("u4")
    images[0, 20, 20] = 0
    assert np.argwhere(spikes(images)[0]).tolist() == [[20, 20]]


def test_grain_is_no_spike():
    rng = np.random.default_rng(5)
    grain = ndimage.gaussian_filter(rng.standard_normal((4, 200, 200)), (0, 1.5, 1.5))
    images = rng.poisson(20_000 * np.exp(0.3 * grain / grain.std())).astype("u4")
    assert spikes(images).mean() < 1e-3


def test_flat_images_and_a_single_count():
    images = np.full((1, 9, 9), 7, np.uint16)
    images[0, 4, 4] = 8
    assert not spikes(images).any()
    images[0, 4, 4] = 20
    assert np.argwhere(spikes(images)[0]).tolist() == [[4, 4]]


def test_replacement():
    frames = np.random.default_rng(6).poisson(100, (2, 3, 30, 30)).astype("u4")
    frames[0, :, 10, 10] = 60_000
    before = frames.copy()
    cleaned = replace_spikes(frames, np.array([2]), 8.0, 3)
    np.testing.assert_array_equal(frames, before)
    changed = np.argwhere(cleaned != frames)
    assert changed.tolist() == [[0, 2, 10, 10]]
    assert cleaned[0, 2, 10, 10] == ndimage.median_filter(frames[0, 2], 3)[10, 10]
    assert replace_spikes(frames[:0], np.array([2]), 8.0, 3).shape == (0, 3, 30, 30)


def test_images_do_not_know_of_each_other():
    frames = np.random.default_rng(7).poisson(5, (6, 1, 40, 40)).astype("u4")
    whole = replace_spikes(frames, np.array([0]), 3.0, 5)
    parts = [replace_spikes(frame[None], np.array([0]), 3.0, 5) for frame in frames]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert (whole != frames).any()
