"""Correlation over the true overlap against the plain definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from mfxarray.kernels.correlation import Search, locate, spectral, target


def images(seed=0, shape=(20, 26)):
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.normal(size=(40, 46)), 2)
    return field[5 : 5 + shape[0], 5 : 5 + shape[1]], field[8 : 8 + shape[0], 3 : 3 + shape[1]]


def find(frame, reference, search):
    return locate(spectral(frame, search), reference, search)


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
@pytest.mark.parametrize("seed", range(4))
def test_equals_the_plain_definition(max_shift, seed):
    reference, frame = images(seed)
    frame = frame + 0.3 * np.random.default_rng(seed).normal(size=frame.shape)
    search = Search(frame.shape, max_shift)
    dy, dx, around = find(frame, target(reference, search), search)
    wanted = plain(reference, frame, max_shift)
    assert (dy, dx) == max(wanted, key=wanted.get)
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            known = wanted.get((dy + i, dx + j), -np.inf)
            assert around[i + 1, j + 1] == pytest.approx(known, rel=1e-3, abs=1e-3)


def test_a_known_shift():
    reference, frame = images()
    search = Search(frame.shape, 6)
    assert find(frame, target(reference, search), search)[:2] == (3, -2)


def test_a_part_of_the_field_is_enough():
    reference, frame = images()
    search = Search(frame.shape, 6)
    rows, columns = slice(4, 20), slice(0, 22)
    part = target(reference[rows, columns], search, rows, columns)
    assert find(frame, part, search)[:2] == (3, -2)


def test_offsets_and_gains_do_not_matter():
    reference, frame = images()
    search = Search(frame.shape, 6)
    one = find(frame, target(reference, search), search)
    two = find(frame * 7 + 1000, target(reference * 0.1 - 3, search), search)
    assert one[:2] == two[:2]
    assert one[2][1, 1] == pytest.approx(two[2][1, 1], rel=1e-2)


def test_flat_images_have_no_score():
    search = Search((16, 16), 4)
    flat = np.ones((16, 16))
    assert find(flat, target(flat, search), search)[2][1, 1] == 0


@pytest.mark.parametrize(("side", "factor"), [(128, 1), (511, 1), (512, 2), (1024, 4)])
def test_large_frames_are_searched_in_blocks(side, factor):
    search = Search((side, side + 9), side // 4)
    assert search.factor == factor
    assert search.coarse.shape == (side // factor, (side + 9) // factor)
    assert search.coarse.max_shift * factor >= search.max_shift
    # blocks tell about as much as all their pixels
    assert search.coarse.threshold == pytest.approx(search.threshold, rel=0.05)
