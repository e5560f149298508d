"""Mixtures of single numbers against scikit-learn, closed forms and what was drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm
from sklearn.mixture import GaussianMixture

from mfxarray.kernels.channels.mixture_1d import Binned, Gaussians, fit_gaussians
from mfxarray.kernels.channels.mixture_1d_facts import (
    bic_of,
    boundaries_of,
    densities,
    memberships,
    parameter_errors,
    shares_of_bins,
)

TWO = (np.array([0.30, 0.70]), np.array([0.05, 0.06]), np.array([0.35, 0.65]))
THREE = (np.array([0.2, 0.5, 0.8]), np.array([0.04, 0.06, 0.05]), np.array([0.2, 0.5, 0.3]))


def drawn(mixture, n, seed=0):
    means, widths, fractions = mixture
    rng = np.random.default_rng(seed)
    part = rng.choice(len(means), n, p=fractions)
    return np.sort(means[part] + widths[part] * rng.standard_normal(n))


def binned(values, bins=1024, weights=None):
    low, high = values.min(), values.max()
    places = np.minimum((values - low) * (bins / (high - low)), bins - 1).astype(int)
    return Binned(np.bincount(places, weights, bins).astype(np.int64), float(low), float(high))


def exact(values, components, **settings):
    return fit_gaussians(binned(values), components, values, np.ones(len(values)), **settings)


def oracle(values, components, seed=0):
    found = GaussianMixture(
        components, tol=1e-12, max_iter=5000, n_init=4, reg_covar=0.0, random_state=seed
    ).fit(values[:, None])
    order = np.argsort(found.means_[:, 0])
    return found, order


@pytest.mark.parametrize("mixture", [TWO, THREE])
@pytest.mark.parametrize("n", [600, 6000])
def test_equals_scikit_learn(mixture, n):
    values = drawn(mixture, n, seed=n)
    found = exact(values, len(mixture[0]))
    theirs, order = oracle(values, len(mixture[0]))
    np.testing.assert_allclose(found.log_likelihood, theirs.score(values[:, None]) * n, rtol=1e-6)
    np.testing.assert_allclose(found.means, theirs.means_[order, 0], rtol=1e-4)
    np.testing.assert_allclose(found.widths**2, theirs.covariances_[order, 0, 0], rtol=1e-3)
    np.testing.assert_allclose(found.fractions, theirs.weights_[order], rtol=1e-3)
    np.testing.assert_allclose(
        bic_of(found.log_likelihood, len(mixture[0]), n), theirs.bic(values[:, None]), rtol=1e-6
    )
    assert found.converged


def test_memberships_are_those_of_scikit_learn():
    values = drawn(TWO, 1500)
    found = exact(values, 2)
    theirs, order = oracle(values, 2)
    at = np.linspace(0.0, 1.0, 101)
    np.testing.assert_allclose(
        memberships(at, found), theirs.predict_proba(at[:, None])[:, order], atol=1e-4
    )
    np.testing.assert_allclose(
        densities(at, found).sum(axis=1), np.exp(theirs.score_samples(at[:, None])), rtol=1e-3
    )


def test_far_out_values_have_memberships():
    found = Gaussians(*TWO, 0.0, 1, True)
    np.testing.assert_array_equal(memberships(np.array([-50.0]), found).sum(axis=1), 1.0)


@pytest.mark.parametrize("mixture", [TWO, THREE])
def test_errors_are_those_of_repeated_draws(mixture):
    pulls = []
    for seed in range(60):
        values = drawn(mixture, 1500, seed)
        found = exact(values, len(mixture[0]), starts=3)
        errors = parameter_errors(values, np.ones(len(values)), found)
        parts = (found.means, found.widths, found.fractions)
        pulls.append([(p - t) / e for p, t, e in zip(parts, mixture, errors, strict=True)])
    pulls = np.array(pulls)
    assert np.abs(pulls).max() < 4.5
    np.testing.assert_allclose(pulls.std(axis=0), 1.0, atol=0.35)
    assert np.abs(pulls.mean(axis=0)).max() < 0.5


def test_no_errors_where_nothing_tells_the_parameters():
    same = Gaussians(np.array([0.5, 0.5]), np.array([0.1, 0.1]), np.array([0.5, 0.5]), 0.0, 1, True)
    for part in parameter_errors(drawn(TWO, 100), np.ones(100), same):
        assert np.isnan(part).all()


def test_bins_are_off_by_less_than_stated():
    values = drawn(TWO, 100_000)
    bins = binned(values)
    one, other = exact(values, 2), fit_gaussians(bins, 2)
    for name in ("means", "widths", "fractions"):
        stated = bins.width**2 / 0.05
        assert np.abs(getattr(one, name) - getattr(other, name)).max() < stated
    np.testing.assert_allclose(other.log_likelihood, one.log_likelihood, rtol=1e-4)


def test_coarse_bins_are_corrected():
    # bins as wide as the components: without the correction widths are 4 % too large
    values = drawn(TWO, 200_000)
    found = fit_gaussians(binned(values, bins=20), 2)
    np.testing.assert_allclose(found.widths, TWO[1], rtol=0.015)


def test_counts_are_repeats():
    values = np.unique(drawn(TWO, 400).round(3))
    weights = np.random.default_rng(1).integers(1, 5, len(values))
    repeated = np.repeat(values, weights)
    one = fit_gaussians(binned(values, weights=weights), 2, values, weights.astype(float))
    other = fit_gaussians(binned(repeated), 2, repeated, np.ones(len(repeated)))
    np.testing.assert_allclose(one.means, other.means, rtol=1e-5)
    np.testing.assert_allclose(one.log_likelihood, other.log_likelihood, rtol=1e-8)
    np.testing.assert_allclose(
        parameter_errors(values, weights, one),
        parameter_errors(repeated, np.ones(len(repeated)), one),
        rtol=1e-9,
    )


def test_seeds_reproduce_and_order_does_not_matter():
    values = drawn(THREE, 2000)
    one, other = exact(values, 3, seed=5), exact(values, 3, seed=5)
    np.testing.assert_array_equal(one.means, other.means)
    assert one.log_likelihood == other.log_likelihood
    assert (np.diff(one.means) > 0).all()


def test_a_rare_component_is_found():
    mixture = (np.array([0.3, 0.8]), np.array([0.05, 0.04]), np.array([0.985, 0.015]))
    found = exact(drawn(mixture, 5000), 2)
    np.testing.assert_allclose(found.means, mixture[0], atol=0.03)
    np.testing.assert_allclose(found.fractions, mixture[2], atol=0.006)


def test_more_starts_are_never_worse():
    values = drawn(THREE, 800, seed=3)
    found = [exact(values, 5, starts=n).log_likelihood for n in (1, 3, 12)]
    assert found[0] <= found[1] + 1e-3 <= found[2] + 2e-3


def test_likelier_than_the_truth():
    values = drawn(THREE, 2000)
    truth = np.log(densities(values, Gaussians(*THREE, 0.0, 1, True)).sum(axis=1)).sum()
    assert truth < exact(values, 3).log_likelihood < truth + 20


def test_scale_and_place_of_values_do_not_matter():
    values = drawn(TWO, 2000)
    one, other = exact(values, 2), exact(values * 1e-9 + 3e-6, 2)
    np.testing.assert_allclose(other.means, one.means * 1e-9 + 3e-6, rtol=1e-9)
    np.testing.assert_allclose(other.widths, one.widths * 1e-9, rtol=1e-5)


def test_equal_values_make_no_infinite_likelihood():
    values = np.sort(np.append(drawn(TWO, 500), np.full(60, 0.5)))
    found = exact(values, 3)
    assert found.widths.min() >= 0.01 * values.std() * (1 - 1e-12)
    assert np.isfinite(found.log_likelihood)


@pytest.mark.parametrize(("values", "components"), [([0.5] * 9, 1), ([0.2, 0.2, 0.7], 3)])
def test_too_few_different_values(values, components):
    values = np.array(values)
    bins = Binned(np.array([len(values)]), 0.0, 1.0) if np.ptp(values) == 0 else binned(values)
    assert fit_gaussians(bins, components, values, np.ones(len(values))) is None


def test_one_component_is_mean_and_deviation():
    values = drawn(TWO, 3000)
    found = exact(values, 1)
    np.testing.assert_allclose(found.means, values.mean(), rtol=1e-12)
    np.testing.assert_allclose(found.widths, values.std(), rtol=1e-12)
    np.testing.assert_allclose(
        found.log_likelihood, norm.logpdf(values, values.mean(), values.std()).sum(), rtol=1e-12
    )
    assert len(boundaries_of(found)) == 0


def test_boundary_of_equal_widths():
    s, m0, m1, w0 = 0.1, 0.3, 0.7, 0.9
    found = Gaussians(np.array([m0, m1]), np.array([s, s]), np.array([w0, 1 - w0]), 0, 1, True)
    wanted = (m0 + m1) / 2 + s**2 / (m1 - m0) * math.log(w0 / (1 - w0))
    np.testing.assert_allclose(boundaries_of(found), wanted, rtol=1e-14)
    # the rare component gets less room; the ratio upside down would give it more
    assert wanted > (m0 + m1) / 2


@pytest.mark.parametrize("seed", range(30))
def test_boundary_is_where_densities_are_equal(seed):
    rng = np.random.default_rng(seed)
    means = np.sort(rng.random(3))
    found = Gaussians(means, rng.uniform(0.02, 0.3, 3), rng.dirichlet([1, 1, 1]), 0.0, 1, True)
    for part, boundary in enumerate(boundaries_of(found)):

        def difference(x, part=part):
            one = densities(np.array([x]), found)[0]
            return one[part] - one[part + 1]

        if difference(means[part]) > 0 > difference(means[part + 1]):
            wanted = brentq(difference, means[part], means[part + 1], xtol=1e-15)
            np.testing.assert_allclose(boundary, wanted, rtol=1e-9)
        else:
            assert np.isnan(boundary)


def test_shares_of_bins_are_integrals():
    found = Gaussians(*TWO, 0.0, 1, True)
    edges = np.linspace(-1, 2, 65)
    shares = shares_of_bins(edges, found)
    np.testing.assert_allclose(shares.sum(), 1.0)
    wanted = sum(w * np.diff(norm.cdf(edges, m, s)) for m, s, w in zip(*TWO, strict=True))
    np.testing.assert_allclose(shares, wanted, atol=1e-15)
