"""Scatter over frames; scipy's tests of homogeneity are the oracle, a Monte Carlo the judge."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mfxarray.kernels.dispersion import count_dispersion, ratio_dispersion


def test_counts_are_those_of_scipy():
    counts = np.random.default_rng(1).poisson(40, (15, 3))
    reduced, p_value, dof, _ = count_dispersion(counts, counts, np.ones(15), 5)
    for column in range(3):
        chi2, probability = stats.chisquare(counts[:, column])
        assert reduced[column] * 14 == pytest.approx(chi2, rel=1e-12)
        assert p_value[column] == pytest.approx(probability, rel=1e-10)
    np.testing.assert_array_equal(dof, 14)


def test_uneven_entries_are_those_of_scipy():
    frames = np.array([4, 4, 4, 1])
    counts = np.array([[400], [420], [390], [110]])
    _, p_value, _, _ = count_dispersion(counts, counts, frames, 5)
    expected = counts.sum() * frames / frames.sum()
    assert p_value[0] == pytest.approx(stats.chisquare(counts[:, 0], expected).pvalue, rel=1e-10)


def test_ratios_are_those_of_scipy():
    rng = np.random.default_rng(2)
    above, below = rng.poisson(30, (20, 2)), rng.poisson(400, (20, 2))
    reduced, p_value, dof, _ = ratio_dispersion(above, below, above, below, 5)
    for column in range(2):
        table = np.stack([above[:, column], below[:, column]])
        found = stats.chi2_contingency(table, correction=False)
        assert reduced[column] * 19 == pytest.approx(found.statistic, rel=1e-10)
        assert p_value[column] == pytest.approx(found.pvalue, rel=1e-8)
    np.testing.assert_array_equal(dof, 19)


@pytest.mark.parametrize("mean", [5, 30, 1000])
def test_p_values_of_sound_counts(mean):
    counts = np.random.default_rng(mean).poisson(mean, (40, 40_000))
    reduced, p_value, _, trend = count_dispersion(counts, counts, np.ones(40), 0)
    assert reduced.mean() == pytest.approx(1, abs=0.01)
    assert np.mean(p_value < 0.05) == pytest.approx(0.05, abs=0.005)
    assert np.mean(p_value < 0.01) == pytest.approx(0.01, abs=0.003)
    assert trend.std() == pytest.approx(1, abs=0.02)


def test_p_values_of_sound_ratios():
    rng = np.random.default_rng(3)
    # a beam that fades changes nothing
    beam = np.linspace(2, 0.5, 40)[:, None]
    above, below = rng.poisson(8 * beam, (40, 20_000)), rng.poisson(150 * beam, (40, 20_000))
    reduced, p_value, _, trend = ratio_dispersion(above, below, above, below, 5)
    assert reduced.mean() == pytest.approx(1, abs=0.01)
    assert np.mean(p_value < 0.05) == pytest.approx(0.05, abs=0.006)
    assert trend.std() == pytest.approx(1, abs=0.03)


def test_scatter_and_trend_are_found():
    rng = np.random.default_rng(4)
    noisy = rng.poisson(rng.gamma(100, 10, (40, 50)))
    reduced, p_value, _, _ = count_dispersion(noisy, noisy, np.ones(40), 5)
    # variance 1000 of counting and 100^2 of the rest
    assert np.median(reduced) == pytest.approx(11, rel=0.2)
    assert (p_value < 1e-6).all()
    rising = rng.poisson(np.linspace(900, 1100, 40)[:, None], (40, 5))
    trend = count_dispersion(rising, rising, np.ones(40), 5)[3]
    assert (trend > 5).all()
    assert (count_dispersion(rising[::-1], rising[::-1], np.ones(40), 5)[3] < -5).all()


def test_multiples_of_counts_are_judged_like_counts():
    counts = np.random.default_rng(5).poisson(50, (30, 4)).astype(float)
    plain = count_dispersion(counts, counts, np.ones(30), 5)
    scaled = count_dispersion(counts / 0.4, counts / 0.16, np.ones(30), 5)
    np.testing.assert_allclose(scaled, plain, rtol=1e-10)
    other = np.random.default_rng(6).poisson(70, (30, 4)).astype(float)
    plain = ratio_dispersion(counts, other, counts, other, 5)
    scaled = ratio_dispersion(counts / 0.4, other / 0.8, counts / 0.16, other / 0.64, 5)
    np.testing.assert_allclose(scaled, plain, rtol=1e-10)


def test_too_few_counts_or_frames_are_not_judged():
    few = np.full((10, 1), 3)
    reduced, p_value, dof, trend = count_dispersion(few, few, np.ones(10), 5)
    assert np.isnan([reduced, p_value, trend]).all()
    assert dof == 9
    assert not np.isnan(count_dispersion(few, few, np.ones(10), 3)[0])
    single = np.full((1, 1), 300)
    assert np.isnan(count_dispersion(single, single, np.ones(1), 5)[:2]).all()
    nothing = np.zeros((10, 1))
    assert np.isnan(ratio_dispersion(nothing, nothing, nothing, nothing, 0)[:2]).all()
