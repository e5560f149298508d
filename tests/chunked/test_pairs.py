"""Counts of pairs do not depend on chunks, strips or files."""

from __future__ import annotations

import dask
import numpy as np
import pytest

from mfxarray.chunked.dealing import deal
from mfxarray.chunked.pairs import (
    Marked,
    gathered,
    inner_points,
    neighbour_work,
    pair_counts,
    pair_work,
)
from mfxarray.testing import raise_if_computes
from tests.kernels.clusters.test_pair_counts import brute_pairs
from tests.point_clouds import as_chunks

EDGES = np.linspace(0, 0.2, 9)


def cloud(axes=3, n=400, seed=0):
    rng = np.random.default_rng(seed)
    points = rng.random((n, axes))
    used = rng.random(n) < 0.9
    points[~used] = np.nan
    return used, points, rng.integers(0, 3, n).astype(np.uint8)


def marked(arrays, chunk):
    return Marked(*(as_chunks(one, chunk) for one in arrays))


@pytest.mark.parametrize("border", [False, True])
@pytest.mark.parametrize("axes", [2, 3])
def test_chunks_and_strips(axes, border):
    used, points, channel = arrays = cloud(axes)
    box = (np.zeros(axes), np.ones(axes)) if border else None
    known = points[used]
    margin = np.minimum(known, 1 - known).min(axis=1) if border else None
    wanted = brute_pairs(known, channel[used], np.ones(len(known), bool), EDGES, 3, margin)
    for chunk in (400, 37):
        for strips in (1, 2, 7):
            with raise_if_computes():
                found = pair_counts(marked(arrays, chunk), EDGES, 3, box, strips)
            np.testing.assert_array_equal(found.compute(), wanted)
            assert found.dtype == np.int64


def test_in_memory_or_not():
    arrays = cloud()
    together, apart = gathered(marked(arrays, 50)), marked(arrays, 50)
    for work, shape in ((pair_work(EDGES, 3), (1, 3, 3, 8)), (neighbour_work(0.1, 3), (1, 3, 3))):
        reach = float(EDGES[-1])
        np.testing.assert_array_equal(work(together), apart.total(work, reach, shape))


def test_moved():
    used, points, _ = arrays = cloud()

    def move(position, channel, rows):
        return position + channel[:, None] + rows[:, None]

    found = marked(arrays, 33).moved(move).position.compute()
    np.testing.assert_array_equal(
        found[used], (points + arrays[2][:, None] + np.arange(400)[:, None])[used]
    )


def test_inner_points():
    used, points, channel = arrays = cloud(2)
    margin = np.minimum(points, 1 - points).min(axis=1)
    found = inner_points(marked(arrays, 37), EDGES, 3, (np.zeros(2), np.ones(2)))
    for one, place in np.ndindex(3, 8):
        wanted = used & (channel == one) & (margin >= EDGES[place + 1])
        assert found[one, place].compute() == np.count_nonzero(wanted)


@pytest.mark.parametrize("counts", [[150, 200, 10], [0, 359, 1], [360], [120, 240]])
def test_dealing_keeps_the_numbers(counts):
    n = 400
    used = np.ones(n, bool)
    used[::10] = False
    rows = np.flatnonzero(used)
    both = [deal(as_chunks(used, chunk), np.array(counts), 5, 20) for chunk in (400, 30)]
    np.testing.assert_array_equal(both[0].limits, both[1].limits)
    truth = np.repeat(np.arange(len(counts)), counts).astype(np.uint8)
    labels = both[0].labels(truth, rows)
    np.testing.assert_array_equal(labels[:, 0], truth)
    for column in range(1, 21):
        found = np.bincount(labels[:, column], minlength=len(counts))
        np.testing.assert_array_equal(found, counts)


def test_dealings_are_even():
    # each row gets each channel as often as the others, and repeats do not resemble each other
    n, repeats = 60, 2000
    dealing = deal(as_chunks(np.ones(n, bool), 60), np.array([20, 40]), 1, repeats)
    labels = dealing.labels(np.zeros(n, np.uint8), np.arange(n))[:, 1:].astype(float)
    error = np.sqrt(2 / 9 / repeats)
    assert np.abs(labels.mean(axis=1) - 2 / 3).max() < 4.5 * error
    together = labels @ labels.T / repeats
    wanted = 40 * 39 / (60 * 59)
    off = together[~np.eye(n, dtype=bool)] - wanted
    assert np.abs(off).max() < 5.5 * np.sqrt(wanted * (1 - wanted) / repeats)


def test_schedulers_agree():
    found = pair_counts(marked(cloud(), 60), EDGES, 3, strips=4)
    with dask.config.set(scheduler="synchronous"):
        one = found.compute()
    with dask.config.set(scheduler="threads", num_workers=2):
        np.testing.assert_array_equal(found.compute(), one)
