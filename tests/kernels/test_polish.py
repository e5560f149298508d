"""Up the hill: the same as looking everywhere, under masks too."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.kernels.beads.registration import sum_frames
from mfxarray.kernels.correlation import Search
from mfxarray.kernels.matching import Field
from mfxarray.kernels.polish import climb, others, scene
from tests.kernels.test_correlation import images


def pair(seed=0):
    reference, frame = images(seed, (30, 34))
    return reference.astype("f4"), frame.astype("f4")


def plain(reference, frame, used, dy, dx):
    """Return numpy's coefficient over given pixels of the frame."""
    y, x = np.nonzero(used)
    return np.corrcoef(frame[y, x], reference[y + dy, x + dx])[0, 1]


@pytest.mark.parametrize("masked", [False, True])
def test_score_is_the_correlation_of_pixels_whose_neighbours_are_seen(masked):
    reference, frame = pair()
    seen, mask = np.ones((2, *frame.shape), bool)
    if masked:
        seen[10:13, 20:22], mask[5:9, 7:9] = False, False
    used = np.zeros(frame.shape, bool)
    for y in range(frame.shape[0]):
        for x in range(frame.shape[1]):
            top, left = y + 3 - 1, x - 2 - 1
            near = seen[max(top, 0) : top + 3, max(left, 0) : left + 3]
            used[y, x] = (
                mask[y, x] and top >= 0 and left >= 0 and near.shape == (3, 3) and near.all()
            )
    found = climb(frame, mask.astype("f4"), scene(reference, seen), (3, -2), 0)
    wanted = np.arctanh(min(plain(reference, frame, used, 3, -2), 0.9999999))
    wanted *= np.sqrt(used.sum() / (4 * np.pi) - 3)
    assert found.score == pytest.approx(wanted, rel=1e-2)
    noisy = frame + np.random.default_rng(1).normal(size=frame.shape).astype("f4") * 0.05
    found = climb(noisy, mask.astype("f4"), scene(reference, seen), (3, -2), 0)
    wanted = np.arctanh(plain(reference, noisy, used, 3, -2))
    assert found.score == pytest.approx(wanted * np.sqrt(used.sum() / (4 * np.pi) - 3), rel=1e-4)


@pytest.mark.parametrize("near", [(3, -2), (2, -2), (4, -3), (1, 0)])
def test_it_reaches_the_top_from_nearby(near):
    reference, frame = pair()
    found = climb(frame, np.ones(frame.shape, "f4"), scene(reference, frame < 9), near, 4)
    assert (found.dy, found.dx) == (3, -2)
    assert found.offset == pytest.approx((0, 0), abs=0.03)


def test_no_overlap_has_no_score():
    reference, frame = pair()
    everywhere = np.ones(frame.shape, "f4")
    assert climb(frame, everywhere, scene(reference, frame < 9), (100, 0), 3).score == 0
    assert climb(frame, everywhere, scene(reference, frame > 9), (0, 0), 3).score == 0


def test_others_is_the_mean_without_the_one():
    rng = np.random.default_rng(0)
    planes = rng.poisson(9, (5, 24, 20)).astype("u4")
    field = Field(Search((24, 20), 5))
    frames = field.frames(planes)
    places = rng.integers(-4, 5, (5, 2))
    total, cover = sum_frames(frames, places, field)
    rest = [index for index in range(5) if index != 2]
    less, fewer = sum_frames([frames[index] for index in rest], places[rest], field)
    mean, seen = others(total, cover, frames[2].image, field.mask, (*places[2], 0, 0))
    np.testing.assert_array_equal(seen, fewer > 0)
    np.testing.assert_allclose(mean[seen], (less / np.maximum(fewer, 1))[seen], rtol=1e-5)
    # a frame that was put outside is no part of the mean
    mean, seen = others(total, cover, frames[2].image, field.mask, (24, 20, 0, 0))
    np.testing.assert_allclose(mean[seen], (total / np.maximum(cover, 1))[seen], rtol=1e-6)
