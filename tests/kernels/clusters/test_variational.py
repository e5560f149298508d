"""Variational mixtures against scikit-learn's BayesianGaussianMixture."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special
from sklearn.mixture import BayesianGaussianMixture

from mfxarray.kernels.clusters.variational import digamma, fit_variational, variational_from
from tests.kernels.clusters.test_mixtures import points_and_start


def sklearn_from(x, resp, prior, **settings):
    """scikit-learn started from the same responsibilities."""

    class Started(BayesianGaussianMixture):
        def _initialize_parameters(self, x, *_, **__):
            self._initialize(x, resp)

    return Started(
        n_components=resp.shape[1],
        covariance_type="diag",
        weight_concentration_prior_type="dirichlet_process",
        weight_concentration_prior=prior,
        max_iter=500,
        **settings,
    ).fit(x)


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("components", [1, 2, 3])
@pytest.mark.parametrize("prior", [1 / 3, 1.0])
def test_equals_sklearn_when_started_alike(axes, components, prior):
    x, resp = points_and_start(axes, components)
    wanted = sklearn_from(x, resp, prior)
    found = variational_from(x, resp, weight_prior=prior, most_rounds=500)
    assert found.rounds == wanted.n_iter_
    assert found.bound == pytest.approx(wanted.lower_bound_, rel=1e-10)
    np.testing.assert_allclose(found.means, wanted.means_, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(found.variances, wanted.covariances_, rtol=1e-8)
    np.testing.assert_allclose(found.weights, wanted.weights_, rtol=1e-8)
    np.testing.assert_allclose(
        found.concentrations, np.transpose(wanted.weight_concentration_), rtol=1e-8
    )
    np.testing.assert_allclose(found.resp, wanted.predict_proba(x), rtol=1e-7, atol=1e-10)


def test_clear_groups_are_found_as_sklearn_finds_them():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(c, 3, (n, 3)) for c, n in ((0, 40), (60, 20))])
    found = fit_variational(x, 3, weight_prior=1 / 3)
    wanted = BayesianGaussianMixture(
        n_components=3, covariance_type="diag", n_init=3, random_state=0, max_iter=500,
        weight_concentration_prior=1 / 3,
    ).fit(x)  # fmt: skip
    ours, theirs = found.resp.argmax(axis=1), wanted.predict(x)
    assert len(np.unique(ours[:40])) == len(np.unique(ours[40:])) == 1
    largest = [np.bincount(labels[:40]).argmax() for labels in (ours, theirs)]
    np.testing.assert_allclose(found.means[largest[0]], wanted.means_[largest[1]], atol=0.2)


def test_seeds_reproduce():
    x = np.random.default_rng(1).random((40, 2)) * 10
    one, two = (fit_variational(x, 3, weight_prior=0.3, seed=4) for _ in range(2))
    np.testing.assert_array_equal(one.resp, two.resp)


def test_digamma_equals_scipy():
    x = np.geomspace(1e-4, 1e7, 300)
    found = [digamma(value) for value in x]
    np.testing.assert_allclose(found, special.digamma(x), rtol=1e-13, atol=2e-15)


@pytest.mark.parametrize(
    "settings", [{"components": 1, "weight_prior": 0.0}, {"components": 4, "weight_prior": 1.0}]
)
def test_bad_parameters(settings):
    with pytest.raises(ValueError, match=r"weight_prior|points"):
        fit_variational(np.zeros((3, 2)), **settings)
