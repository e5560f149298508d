"""Correlation under masks against the plain definition and against that of rectangles."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.kernels.correlation import Search, locate, spectral, target
from mfxarray.kernels.masked import locate_masked, masked_spectral, masked_target
from tests.kernels.test_correlation import images


def plain(reference, seen, frame, mask, shift):
    """Return numpy's score of the pixels that both have."""
    a, b = [], []
    for y in range(frame.shape[0]):
        for x in range(frame.shape[1]):
            to = y + shift[0], x + shift[1]
            inside = 0 <= to[0] < frame.shape[0] and 0 <= to[1] < frame.shape[1]
            if mask[y, x] and inside and seen[to]:
                a.append(reference[to])
                b.append(frame[y, x])
    return np.arctanh(np.corrcoef(a, b)[0, 1]) * np.sqrt(max(len(a) / (4 * np.pi) - 3, 0))


def test_equals_the_plain_definition():
    reference, frame = images()
    frame = frame + 0.03 * np.random.default_rng(1).normal(size=frame.shape)
    rng = np.random.default_rng(0)
    mask, seen = rng.random((2, *frame.shape)) > 0.15
    search = Search(frame.shape, 4)
    # what is masked may be anything
    frame, reference = np.where(mask, frame, 1e3), np.where(seen, reference, -1e3)
    ready = masked_target(reference, seen, search)
    dy, dx, around = locate_masked(masked_spectral(frame, mask, search), ready, search)
    assert (dy, dx) == (3, -2)
    for i in (-1, 0, 1):
        wanted = plain(reference, seen, frame, mask, (dy + i, dx))
        assert around[i + 1, 1] == pytest.approx(wanted, rel=1e-6)


def test_without_a_mask_it_is_the_correlation_of_rectangles():
    reference, frame = images(3)
    search, everywhere = Search(frame.shape, 5), np.ones(frame.shape, bool)
    ready = masked_spectral(frame, everywhere, search)
    one = locate_masked(ready, masked_target(reference, everywhere, search), search)
    two = locate(spectral(frame, search), target(reference, search), search)
    assert one[:2] == two[:2]
    np.testing.assert_allclose(one[2], two[2], rtol=1e-3)


def test_nothing_seen_has_no_score():
    _, frame = images()
    search, nowhere = Search(frame.shape, 3), np.zeros(frame.shape, bool)
    ready = masked_spectral(frame, nowhere, search)
    assert not locate_masked(ready, ready, search)[2][1, 1] > 0
