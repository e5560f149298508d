"""Times, extents and quantiles against numpy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mfxarray.kernels.drift.summary import join_summaries, summarise_block


def sample(n=3001):
    rng = np.random.default_rng(0)
    return rng.normal(0, 300e-9, (n, 3)), np.sort(rng.uniform(0, 100, n)), rng.random(n) < 0.9


@pytest.mark.parametrize("cuts", [[], [1000], [1, 2, 700]])
def test_equals_numpy(cuts):
    position, tim, used = sample()
    bounds = [0, *cuts, len(tim)]
    parts = [
        summarise_block(used[a:b], position[a:b], tim[a:b]) for a, b in itertools.pairwise(bounds)
    ]
    found = join_summaries(parts)
    assert found.count == used.sum()
    assert (found.first, found.last) == (tim[used].min(), tim[used].max())
    for axis in range(3):
        low, high = np.quantile(position[used, axis], (0.01, 0.99), method="hazen")
        np.testing.assert_allclose(found.quantiles(axis, (0.01, 0.99)), (low, high), atol=0.51e-9)


def test_strips_hold_every_localization():
    position, tim, used = sample()
    strips = summarise_block(used, position, tim).strips(26e-9, 100e-9)
    assert strips[:, 1].sum() == used.sum()
    assert (np.diff(strips[:, 0]) > 0).all()
    assert strips[0, 0] * 26e-9 < position[used, 1].min() - 100e-9
    assert strips[-1, 0] * 26e-9 > position[used, 1].max() + 100e-9


def test_empty_blocks_and_wide_fields():
    position, tim, used = sample(10)
    empty = summarise_block(np.zeros(10, bool), position, tim)
    assert empty.count == 0
    wide = summarise_block(used, position * 1e6, tim)
    assert len(wide.places[0][0]) == used.sum()
    assert join_summaries([empty, wide]).count == used.sum()
