"""Mixtures by expectation and maximization against scikit-learn's GaussianMixture."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from mfxarray.kernels.clusters.mixtures import fit_mixture, mixture_from, responsibilities


def points_and_start(axes, components, seed=0):
    """Overlapping groups of points and responsibilities that are a third wrong."""
    rng = np.random.default_rng(seed)
    sizes = [30 + 20 * number for number in range(components)]
    centres = (0.0, 9.0, -14.0)
    x = np.concatenate(
        [rng.normal(centres[k], 3 + k, (size, axes)) for k, size in enumerate(sizes)]
    )
    true = np.repeat(np.arange(components), sizes)
    wrong = rng.random(len(x)) < 0.3
    return x, np.eye(components)[np.where(wrong, rng.integers(0, components, len(x)), true)]


def sklearn_from(x, resp, **settings):
    """scikit-learn started from the same responsibilities."""
    n = resp.sum(axis=0)
    means = resp.T @ x / n[:, None]
    variances = resp.T @ (x * x) / n[:, None] - means**2 + 1e-6
    start = {"weights_init": n / n.sum(), "means_init": means, "precisions_init": 1 / variances}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GaussianMixture(resp.shape[1], covariance_type="diag", **start, **settings).fit(x)


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("components", [1, 2, 3])
def test_equals_sklearn_when_started_alike(axes, components):
    x, resp = points_and_start(axes, components)
    found, wanted = mixture_from(x, resp), sklearn_from(x, resp)
    assert found.rounds == wanted.n_iter_
    assert found.bound == pytest.approx(wanted.lower_bound_, rel=1e-12)
    assert found.log_likelihood == pytest.approx(wanted.score(x) * len(x), rel=1e-12)
    assert found.bic(len(x)) == pytest.approx(wanted.bic(x), rel=1e-12)
    np.testing.assert_allclose(found.weights, wanted.weights_, rtol=1e-10)
    np.testing.assert_allclose(found.means, wanted.means_, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(found.variances, wanted.covariances_, rtol=1e-9)
    np.testing.assert_allclose(
        responsibilities(x, found), wanted.predict_proba(x), rtol=1e-9, atol=1e-12
    )


def test_a_fit_that_is_stopped_early():
    x, resp = points_and_start(2, 3)
    found = mixture_from(x, resp, most_rounds=2, tolerance=0.0)
    wanted = sklearn_from(x, resp, max_iter=2, tol=1e-300)
    assert found.rounds == 2
    np.testing.assert_allclose(found.means, wanted.means_, rtol=1e-10)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("start", ["kmeans", "random"])
def test_own_starts_are_as_good_as_sklearns(seed, start):
    rng = np.random.default_rng(seed)
    x = np.concatenate([rng.normal(c, 3, (40, 3)) for c in (0, 30, -40)])
    settings = {"n_init": 10, "seed": seed, "start": start, "tolerance": 1e-6}
    found = fit_mixture(x, 3, most_rounds=2000, **settings)
    oracle = GaussianMixture(
        3, covariance_type="diag", n_init=10, random_state=0, tol=1e-6, max_iter=2000
    )
    assert found.bound > oracle.fit(x).lower_bound_ - 1e-5


def test_seeds_reproduce_and_differ():
    x = np.random.default_rng(1).random((40, 2)) * 10
    one, two = (fit_mixture(x, 3, n_init=1, start="random", seed=5) for _ in range(2))
    np.testing.assert_array_equal(one.means, two.means)
    other = fit_mixture(x, 3, n_init=1, start="random", seed=6)
    assert not np.array_equal(one.means, other.means)


def test_more_starts_are_never_worse():
    x = np.random.default_rng(2).random((60, 2)) * 10
    bounds = [fit_mixture(x, 3, n_init=n, start="random").bound for n in (1, 3, 12)]
    assert bounds == sorted(bounds)


def test_the_smallest_variance_keeps_single_points_from_being_components():
    rng = np.random.default_rng(3)
    x = rng.normal(0, 3, (12, 3))
    free = [fit_mixture(x, k).bic(12) for k in (1, 2, 3)]
    held = [fit_mixture(x, k, least_variance=1.0) for k in (1, 2, 3)]
    assert np.argmin(free) > 0
    assert np.argmin([mixture.bic(12) for mixture in held]) == 0
    assert min(mixture.variances.min() for mixture in held) >= 1.0


def test_equal_points():
    found = fit_mixture(np.ones((5, 2)), 3)
    assert np.isfinite(found.log_likelihood)
    assert np.isfinite(found.means).all()


@pytest.mark.parametrize(
    "settings",
    [{"components": 4}, {"components": 0}, {"components": 1, "start": "x"},
     {"components": 1, "n_init": 0}],
)  # fmt: skip
def test_bad_parameters(settings):
    with pytest.raises(ValueError, match=r"points allow|start must"):
        fit_mixture(np.zeros((3, 2)), **settings)
