"""How probable chance makes peaks: against Poisson, and against scenes with nothing in common."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import poisson

from mfxarray.kernels.drift.lags import Search, count_lags
from mfxarray.kernels.drift.peaks import chance_of, find_peaks, judge_shifts, judging_reach
from mfxarray.kernels.drift.points import Lattice, Windows
from mfxarray.kernels.drift.shifts import Peak, margin_of
from mfxarray.kernels.drift.traces import Traces, trace_table

PEAK = Peak(3.0, 10.0, 20, 20, True)


def lags_of(first, second, dimensions=2, pixel=2e-9, reach=None):
    lattice = Lattice(pixel, dimensions, 8)
    times = np.repeat([0.5, 1.5], [len(first), len(second)])
    traces = Traces(np.concatenate([first, second]), times)
    table = trace_table(traces, Windows(0.0, 1.0, 2, True), lattice, 7e-9)
    search = Search(PEAK.search + margin_of(PEAK) if reach is None else reach, 2, 2)
    return count_lags(table, lattice, search, (-2000, 2000))


@pytest.mark.parametrize("expected", [0.1, 1.0, 7.0])
@pytest.mark.parametrize("found", [2, 9, 30])
def test_the_chance_is_never_told_too_small(found, expected):
    told = float(chance_of(found, expected))
    exact = poisson.logsf(found - 1, expected)
    assert told >= exact - 1e-9
    assert found <= expected or told < exact + 5


@pytest.mark.parametrize("dimensions", [2, 3])
def test_nothing_in_common_is_chance(dimensions):
    told = []
    for seed in range(120):
        rng = np.random.default_rng((seed, dimensions))
        size = [1e-6, 1e-6, 100e-9 if dimensions == 3 else 0.0]
        first, second = (rng.uniform(0, 1, (120, 3)) * size for _ in "ab")
        told.append(find_peaks(lags_of(first, second, dimensions), PEAK)[1][0, 0])
    # a probability of less than 1 % in no more than so many of 120
    assert (np.array(told) < np.log(0.01)).sum() <= 4


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_common_structure_is_not_chance(dimensions):
    rng = np.random.default_rng(0)
    first = rng.uniform(0, 2e-6, (80, 3)) * [1, 1, 0.05 if dimensions == 3 else 0]
    shift = np.array([14e-9, -22e-9, 6e-9 if dimensions == 3 else 0.0])
    noise = rng.normal(0, 2e-9, (80, 3)) * [1, 1, dimensions == 3]
    shifts, told = find_peaks(lags_of(first, first + shift + noise, dimensions), PEAK)
    np.testing.assert_allclose(shifts[0] * 2e-9, shift, atol=2e-9)
    assert told[0, 0] < -30
    assert 10 < told[0, 1] <= 85
    assert told[0, 2] < 2


def test_a_cluster_visited_often_is_one_witness():
    """Two clusters of 100 traces each at one lag: 10,000 pairs that say one thing."""
    rng = np.random.default_rng(1)
    first = rng.normal(0, 2e-9, (100, 3)) * [1, 1, 0]
    second = first + np.array([20e-9, 0, 0])
    assert find_peaks(lags_of(first, second), PEAK)[1][0, 0] > np.log(1e-4)


def test_judging_tells_what_finding_does():
    rng = np.random.default_rng(2)
    first = rng.uniform(0, 1e-6, (60, 3)) * [1, 1, 0]
    lags = lags_of(first, first + np.array([8e-9, 0, 0]))
    shifts, told = find_peaks(lags, PEAK)
    judged = judge_shifts(lags, PEAK, shifts)
    np.testing.assert_allclose(judged[0, 1:], told[0, 1:3], rtol=0.1)
    elsewhere = judge_shifts(lags, PEAK, np.array([[-9.0, 9.0, 0.0]]))
    assert elsewhere[0, 0] > -3
    assert (judge_shifts(lags, PEAK, np.full((1, 3), np.nan)) == 0).all()


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_small_reach_suffices_at_zero(dimensions):
    rng = np.random.default_rng(3)
    first = rng.uniform(0, 1e-6, (200, 3)) * [1, 1, 0.1 if dimensions == 3 else 0]
    zero = np.zeros((1, 3))
    near = judge_shifts(lags_of(first, first, dimensions, reach=judging_reach(PEAK)), PEAK, zero)
    far = judge_shifts(lags_of(first, first, dimensions), PEAK, zero)
    np.testing.assert_allclose(near[0, 1], far[0, 1])
    # the background is that of fewer lags
    assert near[0, 0] == pytest.approx(far[0, 0], rel=0.3)


def test_without_pairs_there_is_no_shift():
    side = 2 * (PEAK.search + margin_of(PEAK)) + 1
    shifts, told = find_peaks(np.zeros((1, 1, side, side), np.int64), PEAK)
    assert np.isnan(shifts).all()
    assert (told == 0).all()
