"""Nulls: uniform p-values where nothing is to find, small ones where there is, no chunk matters."""

from __future__ import annotations

import dask
import numpy as np
import pytest
from scipy.stats import kstest

from mfxarray.chunked.pairs import Marked
from mfxarray.minflux.colocalization import null_counts
from mfxarray.minflux.colocalization.channel_points import ChannelPoints
from mfxarray.minflux.colocalization.null_counts import PointCount, simulated
from mfxarray.minflux.colocalization.null_tables import envelope, judged
from mfxarray.minflux.colocalization.nulls import coloc_null, correlation_null
from mfxarray.minflux.colocalization.pair_correlation import pair_correlation
from mfxarray.provenance import history
from mfxarray.testing import assert_chunk_invariant
from tests.minflux.pattern_samples import channels_of, poisson, shared_sites, thomas
from tests.point_clouds import as_chunks
from tests.samples import four_chunkings

SIDES = (2e-6, 2e-6)
REGION = [(0.0, 2e-6)] * 2
PATTERNS = {
    "poisson": lambda rng: poisson(60, SIDES, rng),
    "thomas": lambda rng: thomas(10, 6, 60e-9, SIDES, rng),
}
CASES = [
    ("permute", "poisson", "pairs"),
    ("shift", "thomas", "pairs"),
    ("csr", "poisson", "pairs"),
    pytest.param("permute", "poisson", "neighbours", marks=pytest.mark.slow),
    pytest.param("shift", "poisson", "pairs", marks=pytest.mark.slow),
    pytest.param("shift", "thomas", "neighbours", marks=pytest.mark.slow),
]


def points_of_patterns(*patterns):
    """What channel_points makes of patterns in a known field, without a pass."""
    counts = np.array([len(one) for one in patterns])
    channel = np.repeat(np.arange(len(patterns)), counts).astype(np.uint8)
    arrays = np.ones(len(channel), bool), np.concatenate(patterns), channel
    marked = Marked(*(as_chunks(one, len(channel)) for one in arrays))
    ids = np.arange(len(patterns))
    return ChannelPoints("trace", marked, ids, counts, np.zeros(2), np.array(SIDES), True)


def rank(simulated, observed, u):
    """The p-value with ties broken at random: uniform if and only if all runs are alike."""
    above, ties = (simulated > observed).sum(), (simulated == observed).sum()
    return (above + u * (ties + 1)) / (1 + len(simulated))


@pytest.mark.parametrize(("null", "pattern", "statistic"), CASES)
def test_p_values_of_independent_patterns_are_uniform(null, pattern, statistic):
    make, chance = PATTERNS[pattern], np.random.default_rng(12)
    near = PointCount(2, np.array([0.0, 150e-9]), statistic == "neighbours")
    ranks, stated = [], []
    with dask.config.set(scheduler="synchronous"):
        for seed in range(200):
            rng = np.random.default_rng([seed, 5])
            found = points_of_patterns(make(rng), make(rng))
            counts = simulated(found, null, near, 19, seed).reshape(20, 2, 2)
            ranks.append(rank(counts[1:, 0, 1], counts[0, 0, 1], chance.random()))
            stated.append(judged(counts, null, "greater")["p_value"][1][0, 1])
    assert kstest(ranks, "uniform").pvalue > 0.01
    # what is stated is never too small
    for level in (0.05, 0.1, 0.25, 0.5):
        wanted = level + 3.5 * np.sqrt(level * (1 - level) / 200)
        assert np.mean(np.array(stated) <= level + 1e-12) < wanted


@pytest.mark.parametrize("null", ["permute", pytest.param("csr", marks=pytest.mark.slow)])
def test_global_p_values_are_uniform_within_and_across(null):
    chance, edges = np.random.default_rng(3), np.arange(6) * 60e-9
    found = []
    with dask.config.set(scheduler="synchronous"):
        for seed in range(200):
            rng = np.random.default_rng([seed, 77])
            points = points_of_patterns(poisson(60, SIDES, rng), poisson(50, SIDES, rng))
            counts = simulated(points, null, PointCount(2, edges), 19, seed)
            p = envelope(counts, np.ones((2, 2, 5)), null, 0.95)["p_global"][1]
            found.append(p - chance.random() / 20)
    for one, two in ((0, 0), (0, 1), (1, 1)):
        assert kstest(np.array(found)[:, one, two], "uniform").pvalue > 0.01


@pytest.mark.parametrize("statistic", ["pairs", "neighbours", "clusters"])
def test_shared_sites_are_no_chance(statistic):
    rng = np.random.default_rng(0)
    data, _ = shared_sites((20, 20), 20, rng)
    settings = {"null": "shift", "statistic": statistic, "within": 30e-9, "repeats": 19}
    # sites on a lattice are near each other for some shifts; a field that is no multiple helps
    found = coloc_null(data, region=[(-50e-9, 3.11e-6), (-50e-9, 3.17e-6)], **settings)
    assert float(found["p_value"][0, 1]) <= 0.05
    assert float(found["ratio"][0, 1]) > 3
    assert float(found["z_score"][0, 1]) > 3
    assert np.isnan(found["p_value"].values[0, 0])


def test_apart_is_less_than_chance():
    rng = np.random.default_rng(1)
    left, right = (poisson(150, (1e-6, 2e-6), rng) for _ in range(2))
    data = channels_of(left, right + np.array([1e-6, 0]))
    settings = {"within": 100e-9, "repeats": 99, "region": REGION}
    found = coloc_null(data, alternative="less", **settings)
    assert float(found["p_value"][0, 1]) == 0.01
    both = coloc_null(data, alternative="two-sided", **settings)
    assert float(both["p_value"][0, 1]) == 0.02
    more = coloc_null(data, **settings)
    assert float(more["p_value"][0, 1]) == 1.0
    assert float(more["z_score"][0, 1]) < -5
    # within each there are more pairs than with mixed channels
    assert float(more["p_value"][0, 0]) == 0.01


def test_permuted_channels_keep_all_pairs():
    rng = np.random.default_rng(2)
    data = channels_of(poisson(70, SIDES, rng), poisson(40, SIDES, rng), poisson(20, SIDES, rng))
    found = coloc_null(data, within=200e-9, repeats=30)
    upper = np.triu_indices(3)
    totals = found["simulated"].values[:, upper[0], upper[1]].sum(axis=1)
    assert (totals == found["observed"].values[upper].sum()).all()
    # means of the permutations are known
    n = np.array([70, 40, 20])
    all_pairs = totals[0] / (130 * 129 / 2)
    wanted = np.where(np.eye(3, dtype=bool), n * (n - 1) / 2, n[:, None] * n) * all_pairs
    many = coloc_null(data, within=200e-9, repeats=1500)
    error = many["deviation"].values / np.sqrt(1500)
    assert (np.abs(many["expected"].values - wanted) < 4.5 * error).all()
    np.testing.assert_array_equal(many["simulated"][:30], found["simulated"])


def test_at_random_the_expected_pairs_are_those_of_the_field():
    rng = np.random.default_rng(3)
    data = channels_of(poisson(200, SIDES, rng), poisson(150, SIDES, rng))
    found = coloc_null(data, null="csr", within=300e-9, repeats=200, region=REGION)
    wanted = pair_correlation(data, r_max=300e-9, bin=300e-9, region=REGION)["expected"]
    error = found["deviation"].values / np.sqrt(200)
    assert (np.abs(found["expected"].values - wanted.values[:, :, 0]) < 4.5 * error).all()


def test_envelopes():
    rng = np.random.default_rng(4)
    first = poisson(200, SIDES, rng)
    second = np.concatenate([first[:60] + rng.normal(scale=15e-9, size=(60, 2)), first[:0]])
    second = np.clip(np.concatenate([second, poisson(140, SIDES, rng)]), 0, 2e-6)
    data = channels_of(first, second)
    settings = {"r_max": 400e-9, "bin": 20e-9, "region": REGION}
    found = correlation_null(data, null="shift", repeats=99, **settings)
    across = found.isel(channel=0, other=1)
    assert across["g"][0] > across["g_high"][0]
    assert across["p_global"] == 0.01
    far = across.isel(r=slice(8, None))
    inside = (far["g"] >= far["g_low"]) & (far["g"] <= far["g_high"])
    assert inside.mean() > 0.7
    np.testing.assert_allclose(far["g_expected"], 1, atol=0.2)
    plain = pair_correlation(data, **settings)
    np.testing.assert_allclose(found["g"], plain["g"], rtol=1e-12)
    assert np.isnan(found["g_low"].values[0, 0]).all()
    assert history(found.attrs)[-1]["parameters"]["null"] == "shift"


def clustered():
    rng = np.random.default_rng(5)
    first, second = (thomas(12, 9, 9e-9, SIDES, rng) for _ in range(2))
    shared = first[:40] + rng.normal(scale=5e-9, size=(40, 2))
    return channels_of(first, np.concatenate([second, shared]), rng=rng)


@pytest.mark.parametrize("statistic", ["pairs", "neighbours", "clusters"])
@pytest.mark.parametrize("null", ["permute", "shift", "csr"])
def test_neither_chunks_nor_memory_matter(null, statistic, monkeypatch):
    data = clustered()
    settings = {"null": null, "statistic": statistic, "repeats": 3, "eps": 25e-9}
    settings |= {"min_localizations": 2, "max_size": None}
    inputs = four_chunkings(data, "localization")
    assert_chunk_invariant(lambda one: coloc_null(one, **settings), inputs)
    usual = coloc_null(data, **settings)
    monkeypatch.setattr(null_counts, "_IN_MEMORY", 0)
    apart = coloc_null(data.chunk(localization=50), **settings)
    np.testing.assert_array_equal(apart["simulated"], usual["simulated"])
    np.testing.assert_array_equal(apart["observed"], usual["observed"])


def test_seeds():
    data = clustered()
    one, same, other = (
        coloc_null(data, repeats=5, seed=seed)["simulated"].values for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_refuses():
    data = clustered()
    with pytest.raises(ValueError, match="null must be"):
        coloc_null(data, null="none")
    with pytest.raises(ValueError, match="statistic must be"):
        coloc_null(data, statistic="overlap")
    with pytest.raises(ValueError, match="alternative must be"):
        coloc_null(data, alternative="both")
    for repeats in (0, 1.5):
        with pytest.raises(ValueError, match="repeats"):
            coloc_null(data, repeats=repeats)
    with pytest.raises(ValueError, match="seed"):
        coloc_null(data, seed=-1)
    with pytest.raises(ValueError, match="within"):
        coloc_null(data, within=0)
    with pytest.raises(ValueError, match="level"):
        correlation_null(data, r_max=1e-7, level=1)
    with pytest.raises(ValueError, match="2 are needed"):
        correlation_null(data.assign(channel=data["channel"] * 0), r_max=1e-7)
