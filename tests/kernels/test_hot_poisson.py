"""The Poisson test against scipy's distributions and the plain form of the rule."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage, stats

from mfxarray.kernels.hot_poisson import critical_counts, poisson_candidates, vote_level

RING = np.ones((3, 3), bool)
RING[1, 1] = False


def second_largest(images):
    return ndimage.rank_filter(images, -2, footprint=RING[None, None], mode="mirror")


def kinds(shape):
    y, x = (np.isin(np.arange(size), (0, size - 1)).astype(int) for size in shape)
    return y[:, None] + x


def critical(reference, kind, level):
    table, roots = critical_counts(level)
    inside = table[kind, np.minimum(reference, table.shape[1] - 1)]
    beyond = (np.sqrt(reference) + roots[kind]) ** 2
    return np.where(reference < table.shape[1], inside, beyond)


def plain(frames, voters, false_positives, factor, least, outliers, nonzero):
    counts = frames[:, voters].astype(np.int64)
    reference = second_largest(counts)
    level = vote_level(false_positives, len(voters), outliers)
    limit = critical(reference, np.broadcast_to(kinds(counts.shape[2:]), counts.shape), level)
    votes = counts >= np.maximum(limit, factor * np.maximum(reference, least))
    return (votes.sum(1) >= outliers) & ((counts > 0).sum(1) >= nonzero)


@pytest.mark.parametrize("dtype", ["u2", "u4", "i4", "i8"])
@pytest.mark.parametrize("shape", [(3, 4, 17, 23), (2, 4, 2, 2), (2, 4, 2, 9), (2, 4, 9, 3)])
@pytest.mark.parametrize("rate", [0.3, 4, 150])
def test_candidates_equal_the_plain_form(dtype, shape, rate):
    rng = np.random.default_rng(3)
    frames = rng.poisson(rate * rng.choice([1, 3], shape)).astype(dtype)
    voters = [0, 1, 3]
    hits = 0
    for options in [
        (0.05, 0.0, 0.0, 1, 1),
        (0.1, 0.0, 0.0, 2, 2),
        (1e-3, 1.2, 0.0, 1, 3),
        (0.1, 1.5, 2.0, 1, 0),
    ]:
        false_positives, factor, least, outliers, nonzero = options
        found = poisson_candidates(
            frames,
            voters=voters,
            false_positives=false_positives,
            outlier_factor=factor,
            min_count=least,
            num_outliers=outliers,
            num_nonzero=nonzero,
        )
        wanted = plain(frames, voters, *options)
        np.testing.assert_array_equal(found, wanted)
        hits += wanted.sum()
    assert hits


def find(frames, **options):
    usual = {
        "voters": range(frames.shape[1]),
        "false_positives": 1e-4,
        "outlier_factor": 2.0,
        "min_count": 0.0,
        "num_outliers": frames.shape[1],
        "num_nonzero": 0,
    }
    return poisson_candidates(frames, **{**usual, **options})


def test_one_hot_pixel_and_two_side_by_side():
    frames = np.full((1, 2, 9, 9), 4, np.uint32)
    frames[0, :, 4, 4] = 50
    assert np.argwhere(find(frames)[0]).tolist() == [[4, 4]]
    frames[0, :, 4, 5] = 60
    assert np.argwhere(find(frames)[0]).tolist() == [[4, 4], [4, 5]]


def test_edges_lines_and_corners_of_the_sample_are_not_hot():
    frames = np.full((4, 1, 12, 12), 4, np.uint32)
    frames[0, :, :, 6:] = 400
    frames[1, :, :, 6] = 400
    frames[2, :, 5:, 5:] = 400
    frames[3, 0][np.eye(12, dtype=bool)] = 400
    # the end of a diagonal line has one bright neighbour only
    frames[3, 0, [0, -1], [0, -1]] = 4
    frames[3, 0, [1, -2], [1, -2]] = 4
    found = find(frames)
    assert not found[:3].any()
    assert np.argwhere(found[3]).tolist() == [[2, 2], [9, 9]]


def test_a_rare_species_need_not_vote():
    frames = np.zeros((1, 4, 7, 7), np.uint32)
    frames[0, :3, 3, 3] = 20
    assert find(frames, num_outliers=3)[0, 3, 3]
    assert not find(frames, num_outliers=3, num_nonzero=4).any()
    assert not find(frames, num_outliers=4).any()


def test_counts_at_the_top_of_the_range():
    frames = np.full((1, 1, 5, 5), 2**31, np.uint32)
    frames[0, 0, 2, 2] = 2**32 - 1
    assert np.argwhere(find(frames, outlier_factor=1.0)[0]).tolist() == [[2, 2]]
    assert not find(frames, outlier_factor=2.0).any()


def test_empty_block():
    assert find(np.empty((0, 2, 4, 4), np.uint32)).shape == (0, 4, 4)


@pytest.mark.parametrize("voters", [1, 3, 7])
@pytest.mark.parametrize("votes", [1, 3])
@pytest.mark.parametrize("asked", [1e-9, 1e-3])
def test_level_of_one_vote(voters, votes, asked):
    if votes <= voters:
        level = vote_level(asked, voters, votes)
        assert stats.binom.sf(votes - 1, voters, level) == pytest.approx(asked, rel=1e-9)


# probability that the second largest neighbour is at most a count, from that of one pixel; beyond
# an edge three neighbours are there twice, in a corner all of them at least twice
CUMULATIVE = [
    lambda p: stats.binom.cdf(1, 8, 1 - p),
    lambda p: p**3 * stats.binom.cdf(1, 2, 1 - p),
    lambda p: p**3,
]


@pytest.mark.parametrize("level", [1e-10, 1e-6, 3e-3, 0.03])
@pytest.mark.parametrize("kind", [0, 1, 2])
def test_no_rate_has_more_votes_than_asked(level, kind):
    rates = np.geomspace(0.004, 900, 150)
    chances = []
    for rate in rates:
        references = np.arange(int(rate + 12 * rate**0.5 + 40))
        chance = np.diff(CUMULATIVE[kind](stats.poisson.cdf(references, rate)), prepend=0)
        least = np.ceil(critical(references, kind, level))
        chances.append((chance * stats.poisson.sf(least - 1, rate)).sum())
    chances = np.array(chances)
    assert chances.max() <= level
    # and the test is no blunter than counts make it
    assert chances[(rates > 5) & (rates < 80)].max() > 0.75 * level
    assert chances[rates > 200].min() > 0.4 * level


def test_votes_in_the_kernel_are_as_rare_as_computed():
    rng = np.random.default_rng(11)
    frames = rng.poisson(6, (4000, 1, 12, 12)).astype("u4")
    hits = find(frames, false_positives=0.01, outlier_factor=0.0).mean(axis=0)
    inside, corners = hits[1:-1, 1:-1].mean(), hits[[0, 0, -1, -1], [0, -1, 0, -1]].mean()
    edges = np.concatenate([hits[0, 1:-1], hits[-1, 1:-1], hits[1:-1, 0], hits[1:-1, -1]]).mean()
    for rate in (inside, edges, corners):
        assert 0.004 < rate < 0.0105
