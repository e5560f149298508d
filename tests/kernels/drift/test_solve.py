"""The exact solution against a numerical minimiser, and the curve against formulas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from mfxarray.kernels.drift.lags import Search
from mfxarray.kernels.drift.solve import Curve, solve_windows


def cost_of(steps, pairs, shifts, weights, roughness):
    """The cost of the paper, term by term."""
    x = np.concatenate([[0.0], steps])
    a, b = pairs.T
    return np.mean(weights * (x[b] - x[a] - shifts) ** 2) + roughness * np.sum(np.diff(x) ** 2)


@pytest.mark.parametrize(("n", "far", "roughness"), [(2, 0.5, 0.1), (7, 0.5, 0.1), (12, 0.2, 0.01)])
def test_equals_a_numerical_minimiser(n, far, roughness):
    rng = np.random.default_rng(n)
    pairs = Search(1, n, n).pairs()
    truth = rng.normal(0, 10, n)
    shifts = truth[pairs[:, 1]] - truth[pairs[:, 0]] + rng.normal(0, 1, len(pairs))
    weights = np.linspace(1.0, far, n)[pairs[:, 1] - pairs[:, 0] - 1]
    found = solve_windows(pairs, shifts[:, None], weights, n, roughness)[:, 0]
    start = np.cumsum(shifts[pairs[:, 1] - pairs[:, 0] == 1])
    best = minimize(cost_of, start, (pairs, shifts, weights, roughness), method="BFGS", tol=1e-12).x
    # a quadratic form: one Newton step with exact differences ends what BFGS leaves over
    best = newton(best, pairs, shifts, weights, roughness)
    expected = np.concatenate([[0.0], best])
    expected -= expected.mean()
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8 * np.abs(expected).max())
    least = cost_of(found[1:] - found[0], pairs, shifts, weights, roughness)
    assert least <= cost_of(best, pairs, shifts, weights, roughness) * (1 + 1e-8)


def newton(x, *rest):
    n = len(x)
    eye = np.eye(n)
    base = cost_of(x, *rest)
    up = np.array([cost_of(x + step, *rest) for step in eye])
    down = np.array([cost_of(x - step, *rest) for step in eye])
    both = np.array([[cost_of(x + one + two, *rest) for one in eye] for two in eye])
    slope = (up - down) / 2
    curve = both - up[:, None] - up[None] + base
    return x - np.linalg.solve(curve, slope)


@pytest.mark.parametrize(
    ("n", "share"), [(2, 0.909), (3, 0.893), (5, 0.892), (10, 0.904), (20, 0.921), (50, 0.943)]
)
def test_the_seed_shrinks_a_linear_drift_and_we_do_not(n, share):
    pairs = Search(1, n, n).pairs()
    shifts = (pairs[:, 1] - pairs[:, 0]).astype(float)[:, None]
    weights = np.linspace(1.0, 0.5, n)[pairs[:, 1] - pairs[:, 0] - 1]
    seed = solve_windows(pairs, shifts, weights, n, 0.1)[:, 0]
    assert np.ptp(seed) / (n - 1) == pytest.approx(share, abs=6e-4)
    ours = solve_windows(pairs, shifts, weights, n, 0.0)[:, 0]
    assert np.ptp(ours) == pytest.approx(n - 1, rel=1e-12)


def test_unknown_pairs_count_in_no_sum():
    pairs = Search(1, 4, 4).pairs()
    truth = np.array([0.0, 1.0, 5.0, 2.0])
    shifts = (truth[pairs[:, 1]] - truth[pairs[:, 0]])[:, None]
    shifts[[1, 4]] = np.nan
    found = solve_windows(pairs, shifts, np.ones(len(pairs)), 4, 0.0)
    np.testing.assert_allclose(found[:, 0], truth - truth.mean(), atol=1e-12)


def test_windows_apart_are_refused_by_number():
    pairs = Search(1, 4, 4).pairs()
    shifts = np.full((len(pairs), 2), np.nan)
    shifts[[0, 5]] = 1.0  # 0 with 1, 2 with 3
    with pytest.raises(ValueError, match="time windows 2, 3 have no structure in common"):
        solve_windows(pairs, shifts, np.ones(len(pairs)), 4, 0.1)


def test_the_curve_goes_through_cubics_exactly():
    times = np.array([0.0, 1.0, 2.5, 4.0, 5.0, 7.0])
    cubic = np.polynomial.Polynomial([1.0, -2.0, 0.5, 0.1])
    curve = Curve(times, np.stack([cubic(times), 0 * times], axis=1), "tangent")
    at = np.linspace(0, 7, 50)
    np.testing.assert_allclose(curve(at)[:, 0], cubic(at), atol=1e-12)
    slope = cubic.deriv()(7.0)
    np.testing.assert_allclose(curve([9.0])[0, 0], cubic(7.0) + 2 * slope, rtol=1e-12)


def test_few_windows_make_a_line_and_a_parabola():
    line = Curve(np.array([0.0, 2.0]), np.array([[0.0], [4.0]]), "tangent")
    np.testing.assert_allclose(line([-1.0, 1.0, 3.0])[:, 0], [-2.0, 2.0, 6.0])
    at = np.array([0.0, 1.0, 3.0])
    parabola = Curve(at, (at**2)[:, None], "tangent")
    np.testing.assert_allclose(parabola([2.0, 4.0])[:, 0], [4.0, 9.0 + 6.0])


def test_the_seed_goes_on_along_the_chord():
    at = np.array([0.0, 1.0, 2.0, 4.0])
    curve = Curve(at, np.array([[0.0], [5.0], [1.0], [8.0]]), "chord")
    np.testing.assert_allclose(curve([-1.0, 5.0])[:, 0], [-2.0, 10.0])
    np.testing.assert_allclose(curve(at)[:, 0], [0.0, 5.0, 1.0, 8.0])
