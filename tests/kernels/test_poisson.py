"""Intervals of Poisson ratios: exact coverage, textbook values, edges."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy import stats

from mfxarray.kernels.poisson import METHODS, fraction_interval, poisson_interval
from tests.kernels.coverage import coverage, poisson_coverage


def test_covers_at_least_94_9_percent_everywhere():
    rng = np.random.default_rng(1)
    pairs = 10 ** rng.uniform(np.log10(3), 2.0, (60, 2))
    found = np.array([coverage(a, b, fraction_interval) for a, b in pairs])
    assert found.min() >= 0.9485
    assert found.max() <= 0.99


@pytest.mark.parametrize("pair", [(100, 100), (100, 3e4), (107, 2e4), (150, 700), (390, 410)])
def test_covers_95_within_half_a_point_from_100_counts(pair):
    assert abs(coverage(*pair, fraction_interval) - 0.95) < 0.005
    assert coverage(*pair[::-1], fraction_interval) == pytest.approx(
        coverage(*pair, fraction_interval), abs=1e-9
    )


def test_a_rare_species_is_the_hardest_case():
    """One mean far above the other: a single Poisson count, without a random total to smooth."""
    means = np.exp(np.linspace(np.log(3), np.log(600), 3000))
    counts, rest = np.arange(900.0), 1e9
    low, high = (end * rest / (1 - end) for end in fraction_interval(counts, np.full(900, rest)))
    found = poisson_coverage(means, low, high)
    assert found.min() > 0.9470
    assert found[means < 300].min() > 0.9489
    assert np.abs(found[means >= 100] - 0.95).max() < 0.005
    clopper = poisson_coverage(
        means, stats.gamma.ppf(0.025, np.maximum(counts, 1e-9)), stats.gamma.ppf(0.975, counts + 1)
    )
    # what is won: the exact interval misses the half point even at 100 counts and more
    assert clopper[means >= 100].max() > 0.9575
    assert found.mean() < clopper.mean()


def test_blaker_never_covers_less_than_its_level():
    low, high = poisson_interval(300, 0.05)
    found = poisson_coverage(np.linspace(0.05, 230, 2500), low, high)
    assert 0.95 <= found.min() < 0.9505
    assert (np.diff(low) > 0).all()
    assert (np.diff(high) > 0).all()


def test_blaker_of_a_few_counts_against_a_search_by_definition():
    def accepted(count: int, mean: float) -> float:
        """Return the probability of all counts whose tail is no likelier than that of ``count``."""
        counts = np.arange(90)
        tails = np.minimum(stats.poisson.cdf(counts, mean), stats.poisson.sf(counts - 1, mean))
        return stats.poisson.pmf(counts[tails <= tails[count] * (1 + 1e-12)], mean).sum()

    low, high = poisson_interval(12, 0.05)
    grid = np.arange(0.01, 28, 0.02)
    for count in (0, 1, 3, 7, 12):
        fits = grid[[accepted(count, mean) > 0.05 for mean in grid]]
        assert low[count] == pytest.approx(fits.min() if count else 0.0, abs=0.0201)
        assert high[count] == pytest.approx(fits.max(), abs=0.0201)


def test_clopper_pearson_is_scipys():
    for part, rest in ((0, 7), (3, 9), (50, 2), (12, 0)):
        exact = stats.binomtest(part, part + rest).proportion_ci(0.95, "exact")
        low, high = fraction_interval(part, rest, method="clopper-pearson")
        np.testing.assert_allclose((low, high), exact, rtol=1e-12)


def test_jeffreys_where_both_are_large():
    found = fraction_interval(1000, 5000)
    wanted = stats.beta.ppf([0.025, 0.975], 1000.5, 5000.5)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    np.testing.assert_allclose(found, fraction_interval(1000, 5000, method="jeffreys"))


@pytest.mark.parametrize("method", METHODS)
def test_edges(method):
    interval = partial(fraction_interval, method=method)
    part, rest = np.array([0, 0, 5, np.nan, 2]), np.array([0, 5, 0, 3, np.nan])
    low, high = interval(part, rest)
    np.testing.assert_array_equal(low[:2], 0)
    np.testing.assert_array_equal(high[[0, 2]], 1)
    assert 0 < high[1] < 1
    assert low[2] == pytest.approx(1 - high[1])
    assert np.isnan(low[3:]).all()
    assert np.isnan(high[3:]).all()


@pytest.mark.parametrize("confidence", [0.5, 0.6827, 0.9, 0.99, 0.9973])
def test_other_confidences(confidence):
    interval = partial(fraction_interval, confidence=confidence)
    low, high = interval(np.arange(0, 60), np.full(60, 40))
    assert (np.diff(low) > 0).all()
    assert (np.diff(high) > 0).all()
    assert coverage(60, 300, interval) == pytest.approx(confidence, abs=0.025)
    assert coverage(60, 300, interval) > confidence - 0.005


@pytest.mark.parametrize(
    "parameters", [{"confidence": 0}, {"confidence": 1.5}, {"method": "exact"}]
)
def test_wrong_parameters(parameters):
    with pytest.raises(ValueError, match=r"confidence|method"):
        fraction_interval(1, 2, **parameters)
