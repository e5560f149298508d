"""Pairs and neighbours against all pairs in numpy, to the unit."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.kernels.clusters.pair_counts import (
    count_neighbours,
    count_pairs,
    hashed_labels,
    hashed_words,
)
from tests.point_clouds import KINDS, all_pairs, points_of_kind


def brute_pairs(points, label, own, edges, channels, margin=None):
    """Counts of all pairs, by numpy alone."""
    distance = np.sqrt(all_pairs(points))
    place = np.searchsorted(edges, distance, side="right") - 1
    one, two = np.triu_indices(len(points), 1)
    inside = (place[one, two] < len(edges) - 1) & own[one]
    one, two = one[inside], two[inside]
    bins = place[one, two]
    out = np.zeros((channels, channels, len(edges) - 1), np.int64)
    if margin is None:
        np.add.at(out, (label[one], label[two], bins), 1)
        across = label[one] != label[two]
        np.add.at(out, (label[two][across], label[one][across], bins[across]), 1)
        return out
    for first, second in ((one, two), (two, one)):
        deep = margin[first] >= edges[bins + 1]
        np.add.at(out, (label[first][deep], label[second][deep], bins[deep]), 1)
    return out


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axes", [2, 3])
def test_all_pairs(kind, axes):
    rng = np.random.default_rng(KINDS.index(kind))
    for bins in (1, 7):
        points = points_of_kind(kind, 150, axes, rng)
        labels = rng.integers(0, 3, (150, 2)).astype(np.uint8)
        own = rng.random(150) < 0.8
        # on the grids many distances lie on an edge
        edges = np.append(np.arange(bins) * 0.05, bins * 0.05)
        margin = rng.random(150) * 0.5
        for given in (None, margin):
            found = count_pairs(points, labels, own, edges, 3, given)
            for column in range(2):
                wanted = brute_pairs(points, labels[:, column], own, edges, 3, given)
                np.testing.assert_array_equal(found[column], wanted)
        assert found.dtype == np.int64


@pytest.mark.parametrize("kind", KINDS)
def test_neighbours(kind):
    rng = np.random.default_rng(KINDS.index(kind))
    points = points_of_kind(kind, 150, 3, rng)
    labels = rng.integers(0, 3, (150, 2)).astype(np.uint8)
    own = rng.random(150) < 0.8
    near = np.sqrt(all_pairs(points)) < 0.1
    np.fill_diagonal(near, False)
    found = count_neighbours(points, labels, own, 0.1, 3)
    for column in range(2):
        for one, two in np.ndindex(3, 3):
            asked = own & (labels[:, column] == one)
            has = near[:, labels[:, column] == two].any(axis=1)
            assert found[column, one, two] == np.count_nonzero(asked & has)


def test_uneven_bins_and_the_furthest():
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 3.0], [0.0, 3.0]])
    labels = np.zeros((4, 1), np.uint8)
    edges = np.array([0.0, 0.1, 0.9, 1.0, 3.0])
    found = count_pairs(points, labels, np.ones(4, bool), edges, 1)[0, 0, 0]
    # (2, 3) at 0, (0, 1) at 1; those at exactly 3 belong to no bin
    np.testing.assert_array_equal(found, [1, 0, 0, 1])


def test_nobody():
    empty = np.empty((0, 2)), np.empty((0, 2), np.uint8), np.empty(0, bool)
    assert count_pairs(*empty, np.array([0.0, 1.0]), 2).shape == (2, 2, 2, 1)
    assert not count_neighbours(*empty, 1.0, 2).any()
    one = np.zeros((1, 2)), np.zeros((1, 1), np.uint8), np.ones(1, bool)
    assert not count_pairs(*one, np.array([0.0, 1.0]), 1).any()
    assert not count_neighbours(*one, 1.0, 1).any()


def test_hashes_depend_on_the_row_alone():
    rows = np.arange(5000)
    all_rows = hashed_words(3, 7, rows)
    np.testing.assert_array_equal(hashed_words(3, 7, rows[100:200]), all_rows[100:200])
    assert len(np.unique(all_rows)) == 5000
    for other in (
        hashed_words(4, 7, rows),
        hashed_words(3, 8, rows),
        hashed_words(3, 7, rows, stream=1),
    ):
        assert abs(np.corrcoef(all_rows.astype(float), other.astype(float))[0, 1]) < 0.06
    uniform = all_rows / 2.0**64
    assert abs(uniform.mean() - 0.5) < 0.02
    assert abs(uniform.var() - 1 / 12) < 0.005


def test_labels_by_hash():
    rows = np.arange(1000)
    words = hashed_words(0, 1, rows)
    limits = np.sort(words)[[300, 700]][np.newaxis]
    found = hashed_labels(0, rows, limits)[:, 0]
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(np.bincount(found), [300, 400, 300])
    assert words[found == 0].max() < words[found == 1].min()
