"""Correlation over the true overlap against the plain definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from mfxarray.kernels.correlation import Search, locate, prepare, target


def images(seed=0, shape=(20, 26)):
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.normal(size=(40, 46)), 2)
    return field[5 : 5 + shape[0], 5 : 5 + shape[1]], field[8 : 8 + shape[0], 3 : 3 + shape[1]]


def plain(reference, frame, max_shift):
    """Return numpy's correlation coefficient of the overlap, for every shift."""
    height, width = frame.shape
    found = {}
    for dy in range(-max_shift, max_shift + 1):
        for dx in range(-max_shift, max_shift + 1):
            a = reference[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)]
            b = frame[max(-dy, 0) : height + min(-dy, 0), max(-dx, 0) : width + min(-dx, 0)]
            n = a.size / (4 * np.pi)
            ncc = np.clip(np.corrcoef(a.ravel(), b.ravel())[0, 1], -0.9999999, 0.9999999)
            found[dy, dx] = np.arctanh(ncc) * np.sqrt(max(n - 3, 0))
    return found


@pytest.mark.parametrize("max_shift", [1, 4, 7])
def test_equals_the_plain_definition(max_shift):
    reference, frame = images()
    frame = frame + 0.3 * np.random.default_rng(1).normal(size=frame.shape)
    search = Search(frame.shape, max_shift)
    dy, dx, score, _ = locate(frame, target(reference, search), search)
    wanted = plain(reference, frame, max_shift)
    assert (dy, dx) == max(wanted, key=wanted.get)
    assert score == pytest.approx(wanted[dy, dx], rel=1e-3)


def test_a_known_shift():
    reference, frame = images()
    search = Search(frame.shape, 6)
    assert locate(frame, target(reference, search), search)[:2] == (3, -2)


def test_a_part_of_the_field_is_enough():
    reference, frame = images()
    search = Search(frame.shape, 6)
    rows, columns = slice(4, 20), slice(0, 22)
    part = target(reference[rows, columns], search, rows, columns)
    assert locate(frame, part, search)[:2] == (3, -2)


def test_offsets_and_gains_do_not_matter():
    reference, frame = images()
    search = Search(frame.shape, 6)
    one = locate(frame, target(reference, search), search)
    two = locate(frame * 7 + 1000, target(reference * 0.1 - 3, search), search)
    assert one[:2] == two[:2]
    assert one[2] == pytest.approx(two[2], rel=1e-2)


def test_flat_images_have_no_translation():
    search = Search((16, 16), 4)
    flat = np.ones((16, 16))
    _, _, score, confident = locate(flat, target(flat, search), search)
    assert score == 0
    assert not confident


def test_the_edge_of_the_reach_is_not_confident():
    reference, frame = images()
    search = Search(frame.shape, 3)
    dy, _, _, confident = locate(frame, target(reference, search), search)
    assert dy == 3
    assert not confident


def test_prepare_is_anscombe_and_a_gaussian():
    planes = np.random.default_rng(2).poisson(9, (3, 18, 23)).astype("u4")
    wanted = ndimage.gaussian_filter(
        2 * np.sqrt(planes + 0.375), (0, 1, 1), truncate=3, mode="nearest"
    )
    np.testing.assert_allclose(prepare(planes), wanted, rtol=1e-5)
    assert prepare(planes).dtype == np.float32


def test_anscombe_makes_the_noise_of_all_levels_one():
    rng = np.random.default_rng(3)
    for mean in (5, 50, 500):
        stable = 2 * np.sqrt(rng.poisson(mean, 100_000) + 0.375)
        assert stable.std() == pytest.approx(1, abs=0.03)
