"""Sums over rings against whole spectra in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.kernels.resolution.fourier_rings import (
    Rings,
    half_spectrum,
    ring_coefficients,
    ring_sums,
)
from mfxarray.kernels.resolution.ring_curves import correlation

SHAPES = [(32, 32), (31, 40), (40, 31), (17, 25), (8, 12, 10), (9, 7, 11)]


def rings_of(shape, width=None, count=200):
    pixel = (2e-9, 1e-9, 1e-9)[-len(shape) :]
    return Rings(
        shape, pixel, width or 1 / min(n * p for n, p in zip(shape, pixel, strict=True)), count
    )


def whole(first, second, rings):
    """Sums over the whole plane."""
    one, two = np.fft.fftn(first), np.fft.fftn(second)
    axes = [np.fft.fftfreq(n, p) for n, p in zip(rings.shape, rings.pixel, strict=True)]
    frequency = np.sqrt(sum(q**2 for q in np.meshgrid(*axes, indexing="ij")))
    ring = np.floor(frequency / rings.width + 0.5).astype(int).ravel()
    values = [(one * two.conj()).real, abs(one) ** 2, abs(two) ** 2, np.ones(rings.shape)]
    found = [
        np.bincount(ring, part.ravel(), minlength=rings.count)[: rings.count] for part in values
    ]
    return np.array(found[:3]), found[3]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("factor", [1.0, 2.3])
@pytest.mark.parametrize("count", [4, 200])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_sums_are_those_of_the_whole_plane(shape, factor, count, dtype):
    rng = np.random.default_rng(0)
    first, second = rng.poisson(0.3, (2, *shape)).astype(dtype)
    rings = rings_of(shape)
    rings = rings_of(shape, rings.width * factor * 1.0001, count)
    expected, counts = whole(first, second, rings)
    found = ring_sums(half_spectrum(first + second), half_spectrum(first), rings)
    close = 1e-4 if dtype == np.float32 else 1e-10
    np.testing.assert_allclose(found, expected, rtol=close, atol=close * expected.max())
    np.testing.assert_array_equal(ring_coefficients(rings), counts)


def test_no_half_of_the_plane_is_lost():
    rings = rings_of((31, 40))
    assert ring_coefficients(rings).sum() == 31 * 40


def test_single_precision_is_kept():
    assert half_spectrum(np.zeros((4, 6), np.float32)).dtype == np.complex64


def test_noise_correlates_by_chance_alone():
    rng = np.random.default_rng(4)
    shape = (256, 240)
    scores = []
    for _ in range(20):
        first, second = rng.poisson(0.05, (2, *shape)).astype(np.float32)
        rings = rings_of(shape, count=120)
        sums = ring_sums(half_spectrum(first + second), half_spectrum(first), rings)
        # ring 0 is the number of points
        scores.append((correlation(sums) * np.sqrt(ring_coefficients(rings)))[1:])
    scores = np.concatenate(scores)
    assert np.mean(np.abs(scores) > 3) < 0.006
    assert abs(scores.mean()) < 3 / np.sqrt(len(scores))
    assert 0.9 < scores.std() < 1.1


@pytest.mark.parametrize("shape", [(64, 50), (16, 20, 24)])
def test_equal_halves_correlate_wholly(shape):
    image = np.random.default_rng(5).poisson(0.1, shape).astype(np.float32)
    rings = rings_of(shape, count=7)
    found = correlation(ring_sums(half_spectrum(2 * image), half_spectrum(image), rings))
    np.testing.assert_allclose(found, 1.0, atol=1e-12)
