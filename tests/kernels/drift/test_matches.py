"""Sums over matched traces against a plain double loop, and what they say of the drift."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.kernels.drift.matches import sum_matches
from mfxarray.kernels.drift.solve import Curve
from mfxarray.kernels.drift.trust import Bends, covariance_of, curve_deviation, rest_of

NM = 1e-9


def scene(seed=0, sites=60, visits=8, noise=2.0, dimensions=2, field=1000.0):
    """Return traces of sites, their times and windows (4 of 10 s)."""
    rng = np.random.default_rng(seed)
    place = rng.uniform(0, field, (sites, dimensions))
    own = np.repeat(place, visits, axis=0) + rng.normal(0, noise, (sites * visits, dimensions))
    time = rng.uniform(0, 40, len(own))
    return own * NM, time, (time // 10).astype(np.int32)


def pairs_of(n):
    return np.array([(a, b) for a in range(n) for b in range(a + 1, n)])


@pytest.mark.parametrize("dimensions", [2, 3])
def test_equals_a_plain_loop(dimensions):
    position, time, number = scene(dimensions=dimensions, sites=25, visits=4)
    number[::11] = -1
    rng = np.random.default_rng(1)
    weight, pairs = rng.uniform(0.5, 1, len(time)), pairs_of(4)[[0, 1, 3, 5]]
    found = sum_matches(position, time, number, weight, pairs, 10 * NM)
    sigma = 10 * NM / np.sqrt(8 * np.log(2))
    for row, (a, b) in enumerate(pairs.tolist()):
        first, second = np.flatnonzero(number == a), np.flatnonzero(number == b)
        i, j = (part.ravel() for part in np.meshgrid(first, second, indexing="ij"))
        d = position[j] - position[i]
        square = (d**2).sum(axis=1)
        w = np.where(square <= (2.5 * sigma) ** 2, np.exp(-square / 2 / sigma**2), 0.0)
        w *= weight[i] * weight[j]
        assert found.weight[row] == pytest.approx(w.sum())
        np.testing.assert_allclose(found.pulls[:, row].sum(axis=0), w @ d, atol=1e-20)
        np.testing.assert_allclose(found.times[row], [w @ time[i], w @ time[j]] / w.sum())


def test_a_known_rest_comes_back():
    position, time, number = scene(visits=12, noise=1.0)
    truth = np.array([[0.0, 0.0], [1.0, -0.5], [1.5, -1.0], [0.5, 0.5]]) * NM
    truth -= truth.mean(axis=0)
    times = np.array([5.0, 15.0, 25.0, 35.0])
    values = np.zeros((4, 2))
    for _ in range(6):
        left = position + Curve(times, truth - values, "tangent")(time)
        matches = sum_matches(left, time, number, np.ones(len(time)), pairs_of(4), 10 * NM)
        values += rest_of(matches, times, "tangent")
    np.testing.assert_allclose(values, truth, atol=0.25 * NM)


def test_the_covariance_is_that_of_the_errors():
    times, errors, told = np.array([5.0, 15.0, 25.0, 35.0]), [], []
    for seed in range(60):
        position, time, number = scene(seed, sites=40, visits=6)
        values = np.zeros((4, 2))
        for _ in range(5):
            left = position - Curve(times, values, "tangent")(time)
            matches = sum_matches(left, time, number, np.ones(len(time)), pairs_of(4), 10 * NM)
            values += rest_of(matches, times, "tangent")
        errors.append(values)
        covariance = covariance_of(matches, times, "tangent")
        told.append(np.diagonal(covariance, axis1=1, axis2=2).T)
    ratio = np.sqrt(np.mean(told) / np.mean(np.square(errors)))
    assert 0.85 < ratio < 1.7


def test_windows_without_matches_stay_where_they_are():
    position, time, number = scene()
    position[number == 3] += 5e-6
    matches = sum_matches(position, time, number, np.ones(len(time)), pairs_of(4)[:2], 10 * NM)
    found = rest_of(matches, np.array([5.0, 15.0, 25.0, 35.0]), "tangent")
    assert np.isfinite(found).all()
    assert np.abs(found).max() < 20 * NM


def test_a_curve_is_less_certain_where_windows_see_bends():
    times, at = np.arange(6) * 10.0 + 5, np.linspace(0, 60, 61)
    values = np.zeros((6, 2))
    curve = Curve(times, values, "tangent")
    covariance = np.stack([np.eye(6) * NM**2] * 2)
    plain = curve_deviation(curve, values, covariance, at)
    assert plain[25, 0] == pytest.approx(1 * NM, rel=0.3)
    assert plain[0, 0] > plain[25, 0]
    half = np.arange(12) * 5.0 + 2.5
    seen = np.tile([4 * NM, -4 * NM], 6)[:, None] * [1.0, 0.0]
    more = curve_deviation(
        curve, values, covariance, at, Bends(half, seen, np.full((12, 2), 1e-20))
    )
    assert more[:, 0].min() > 0.9 * np.hypot(1, 4) * NM * 0.8
    np.testing.assert_allclose(more[:, 1], plain[:, 1])
    blind = Bends(half, np.zeros((12, 2)), np.full((12, 2), (9 * NM) ** 2))
    assert curve_deviation(curve, values, covariance, at, blind).min() > 9 * NM
