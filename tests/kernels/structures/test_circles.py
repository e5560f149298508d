"""Circle fits against scipy, and their errors against many repetitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares
from scipy.stats import t as student

from mfxarray.kernels.structures.circles import CircleColumn, fit_circles


def ring(n, rng, radius=53.5, sd=2.0, arc=2 * np.pi, centre=(0.0, 0.0)):
    angle = rng.uniform(0, arc, n)
    line = radius * np.column_stack([np.cos(angle), np.sin(angle)])
    return line + rng.normal(0, sd, (n, 2)) + centre


def by_scipy(points):
    """Least squares of distances from a good start, and its covariance."""
    middle = points.mean(axis=0)
    near = points - middle

    def off(circle):
        return np.hypot(*(near - circle[:2]).T) - circle[2]

    start = [0, 0, np.hypot(*near.T).mean()]
    found = least_squares(off, start, method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15)
    variance = (found.fun**2).sum() / (len(points) - 3)
    errors = np.sqrt(np.diag(np.linalg.inv(found.jac.T @ found.jac)) * variance)
    return np.concatenate([found.x[:2] + middle, found.x[2:]]), errors, np.sqrt(variance)


@pytest.mark.parametrize("arc", [2 * np.pi, np.pi, 2.0])
def test_equals_scipy(arc):
    rng = np.random.default_rng(1)
    clusters = [ring(n, rng, arc=arc, centre=rng.uniform(-1e4, 1e4, 2)) for n in range(5, 40)]
    starts = np.cumsum([0, *map(len, clusters)])[:-1]
    table, kept = fit_circles(np.concatenate(clusters), starts)
    assert kept.all()
    for row, points in zip(table, clusters, strict=True):
        circle, errors, spread = by_scipy(points)
        np.testing.assert_allclose(row[:3], circle, rtol=0, atol=2e-5)
        np.testing.assert_allclose(row[3:6], errors, rtol=1e-4)
        assert row[CircleColumn.RESIDUAL] == pytest.approx(spread, rel=1e-6)
        assert row[CircleColumn.N] == row[CircleColumn.KEPT] == len(points)


@given(
    st.integers(0, 2**32 - 1),
    st.integers(3, 12),
    st.floats(-6, 6),
    st.floats(-9, 3),
    st.sampled_from([None, 3.0]),
)
@settings(max_examples=150, deadline=None)
def test_points_on_a_circle_give_the_circle(seed, n, far, size, outlier):
    rng = np.random.default_rng(seed)
    radius = 10.0**size
    centre = np.array([10.0**far, -(10.0**far)]) * radius * 1e-3
    angle = rng.uniform(0, 2 * np.pi) + np.arange(n) * 2 * np.pi / n
    points = centre + radius * np.column_stack([np.cos(angle), np.sin(angle)])
    table, kept = fit_circles(points, np.array([0]), outlier)
    np.testing.assert_allclose(table[0, :2], centre, rtol=0, atol=1e-6 * radius)
    assert table[0, 2] == pytest.approx(radius, rel=1e-6)
    assert kept.all()


@pytest.mark.parametrize(
    "points",
    [
        np.zeros((5, 2)),
        np.zeros((1, 2)),
        np.eye(2),
        np.column_stack([np.arange(6.0), 2 * np.arange(6.0)]),
        np.column_stack([np.arange(12.0), 0 * np.arange(12.0)]),
    ],
)
@pytest.mark.parametrize("outlier", [None, 3.0])
def test_where_there_is_no_circle_there_is_none(points, outlier):
    table, kept = fit_circles(points, np.array([0]), outlier)
    assert np.isnan(table[0, :7]).all()
    assert kept.all()
    assert table[0, CircleColumn.N] == len(points)


def test_three_points_have_a_circle_without_errors():
    table, _ = fit_circles(np.array([[1.0, 0], [0, 1], [-1, 0]]), np.array([0]))
    np.testing.assert_allclose(table[0, :3], [0, 0, 1], atol=1e-12)
    assert np.isnan(table[0, 3:7]).all()


def test_no_clusters():
    table, kept = fit_circles(np.empty((0, 2)), np.empty(0, np.int64))
    assert table.shape == (0, CircleColumn.WIDTH)
    assert kept.shape == (0,)


@pytest.mark.parametrize("outlier", [None, 3.0])
@pytest.mark.parametrize("n", [6, 12, 40])
def test_errors_are_honest(n, outlier):
    # with n - 3 degrees of freedom, and the bias of least squares of distances
    rng, many = np.random.default_rng(n), 2000
    points = np.concatenate([ring(n, rng) for _ in range(many)])
    table, _ = fit_circles(points, np.arange(many) * n, outlier)
    off = np.abs(table[:, 2] - 53.5 - 2.0**2 / (2 * 53.5))
    for share in (0.6827, 0.95):
        inside = off < table[:, 5] * student.ppf((1 + share) / 2, table[:, 8] - 3)
        # 2000 repetitions tell the share to 0.01; exclusion costs up to 0.015
        assert inside.mean() == pytest.approx(share, abs=0.03)


def test_far_points_are_left_out():
    rng, many, n, bad = np.random.default_rng(5), 300, 24, 4
    points = np.stack([ring(n, rng) for _ in range(many)])
    points[:, :bad] = rng.uniform(-25, 25, (many, bad, 2))
    starts = np.arange(many) * n
    found = {o: fit_circles(points.reshape(-1, 2), starts, o) for o in (None, 3.0)}
    spread = {o: np.sqrt(((table[:, 2] - 53.5) ** 2).mean()) for o, (table, _) in found.items()}
    assert spread[3.0] < 0.3 * spread[None]
    kept = found[3.0][1].reshape(many, n)
    assert kept[:, :bad].mean() < 0.05
    assert kept[:, bad:].mean() > 0.98


def test_of_few_points_all_count():
    rng = np.random.default_rng(0)
    points = ring(7, rng)
    points[0] = 0
    _, kept = fit_circles(points, np.array([0]), 2.0)
    assert kept.all()


def test_clusters_do_not_touch_each_other():
    rng = np.random.default_rng(3)
    clusters = [ring(n, rng) for n in (9, 3, 1, 20)]
    starts = np.array([0, 9, 12, 13])
    together, kept = fit_circles(np.concatenate(clusters), starts, 3.0)
    alone = [fit_circles(points, np.array([0]), 3.0) for points in clusters]
    np.testing.assert_array_equal(together, np.concatenate([table for table, _ in alone]))
    np.testing.assert_array_equal(kept, np.concatenate([one for _, one in alone]))
