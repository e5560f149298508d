"""Replacements of masked pixels: NaN, and draws against scipy's Poisson distribution."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mfxarray.kernels.replacements import draw_masked, miss_masked


def draw(frames, mask, detectors=None, radius=1, seed=0, numbers=None, streams=None):
    detectors = np.arange(frames.shape[1]) if detectors is None else np.array(detectors)
    return draw_masked(
        frames,
        mask,
        detectors,
        radius=radius,
        seed=seed,
        frame_numbers=np.arange(len(frames)) if numbers is None else np.array(numbers),
        streams=detectors if streams is None else streams,
    )


def lattice(frames, height, width):
    mask = np.zeros((frames, height, width), bool)
    mask[:, ::3, ::3] = True
    return mask


def test_missing_is_nan_in_the_chosen_detectors():
    frames = np.random.default_rng(0).poisson(9, (2, 3, 5, 6)).astype("u4")
    frames[0, 0, 0, 0] = 2**32 - 1
    mask = lattice(2, 5, 6)
    mask[0, 0, 0] = False
    found = miss_masked(frames, mask, np.array([0, 2]))
    assert found.dtype == np.float64
    chosen = mask[:, None] & np.array([True, False, True])[:, None, None]
    np.testing.assert_array_equal(np.isnan(found), chosen)
    np.testing.assert_array_equal(found[~chosen], frames[~chosen])


@pytest.mark.parametrize("level", [1, 7, 100])
@pytest.mark.parametrize("seed", [0, 1])
def test_draws_are_poisson(level, seed):
    frames = np.full((2, 2, 300, 300), level, np.uint32)
    mask = lattice(2, 300, 300)
    values = draw(frames, mask, seed=seed)[:, :, ::3, ::3].ravel()
    edges = np.unique(stats.poisson.ppf(np.linspace(0.01, 0.99, 15), level))
    observed = np.histogram(values, np.r_[-np.inf, edges + 0.5, np.inf])[0]
    expected = np.diff(np.r_[0, stats.poisson.cdf(edges, level), 1]) * values.size
    assert stats.chisquare(observed, expected).pvalue > 1e-3


def test_bright_draws_have_the_right_moments():
    frames = np.full((1, 1, 240, 240), 4_000_000, np.uint32)
    values = draw(frames, lattice(1, 240, 240))[0, 0, ::3, ::3].astype(float)
    assert abs(values.mean() - 4e6) < 4 * 2000 / values.size**0.5
    assert values.var() / 4e6 == pytest.approx(1, abs=4 * (2 / values.size) ** 0.5)


def test_draws_of_pixels_detectors_and_frames_are_independent():
    frames = np.full((2, 2, 240, 240), 50, np.uint32)
    values = draw(frames, lattice(2, 240, 240))[:, :, ::3, ::3].reshape(4, -1).astype(float)
    table = np.corrcoef(np.concatenate([values, np.roll(values, 1, axis=1)]))
    np.fill_diagonal(table, 0)
    assert abs(table).max() < 4.5 / values.shape[1] ** 0.5


def test_the_level_is_the_mean_of_the_neighbours_that_are_left():
    frames = np.zeros((1, 1, 7, 7), np.uint32)
    frames[0, 0, 2:5, 2:5] = 5000
    mask = np.zeros((1, 7, 7), bool)
    mask[0, 3, 3:5] = True
    frames[0, 0, 3, 3:5] = 10**9
    drawn = draw(frames, mask)[0, 0]
    # 7 neighbours of 5000 are left of the first; 4 of 5000 and 3 of nothing of the second
    assert drawn[3, 3] == pytest.approx(5000, abs=400)
    assert drawn[3, 4] == pytest.approx(20000 / 7, abs=300)


def test_the_neighbourhood_grows_until_something_is_left():
    frames = np.full((1, 1, 9, 9), 1000, np.uint32)
    mask = np.zeros((1, 9, 9), bool)
    mask[0, 1:8, 1:8] = True
    assert draw(frames, mask)[0, 0, 4, 4] == pytest.approx(1000, abs=200)
    everywhere = np.ones((1, 9, 9), bool)
    np.testing.assert_array_equal(draw(frames, everywhere), frames)


def test_a_draw_depends_on_seed_frame_stream_and_place_only():
    frames = np.full((6, 3, 30, 40), 20, np.uint32)
    mask = lattice(6, 30, 40)
    whole = draw(frames, mask, streams=[7, 8, 9])
    part = draw(frames[2:4, 1:], mask[2:4], numbers=[2, 3], streams=[8, 9])
    np.testing.assert_array_equal(part, whole[2:4, 1:])
    assert (draw(frames, mask, seed=1, streams=[7, 8, 9]) != whole).any()
    assert (draw(frames, mask, seed=-1, streams=[7, 8, 9]) != whole).any()
    assert (draw(frames, mask, streams=[1, 8, 9])[:, 0] != whole[:, 0]).any()
    assert len({whole[frame].tobytes() for frame in range(6)}) == 6


def test_other_pixels_stay_and_the_input_too():
    frames = np.random.default_rng(1).poisson(9, (2, 3, 10, 10)).astype("u2")
    before, mask = frames.copy(), lattice(2, 10, 10)
    drawn = draw(frames, mask, detectors=[1])
    np.testing.assert_array_equal(frames, before)
    np.testing.assert_array_equal(drawn[:, [0, 2]], frames[:, [0, 2]])
    np.testing.assert_array_equal(drawn[:, 1][~mask], frames[:, 1][~mask])
    assert drawn.dtype == np.uint16


def test_draws_stay_within_the_dtype():
    frames = np.full((1, 1, 90, 90), 2**16 - 1, np.uint16)
    drawn = draw(frames, lattice(1, 90, 90))
    assert drawn[0, 0, ::3, ::3].min() > 60_000
    assert (drawn == 2**16 - 1).sum() < drawn.size
