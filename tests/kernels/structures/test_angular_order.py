"""Angular spectra against their formula, sites against simple ones, chance against simulation."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfxarray.kernels.structures.angular_order import angular_order, angular_sites, rayleigh_p

ORDERS = tuple(range(4, 13))


def test_the_spectrum_is_its_formula():
    rng = np.random.default_rng(0)
    angles, bounds = rng.uniform(0, 7, 30), np.array([0, 11, 11, 30])
    spectrum, phase, error = angular_order(angles, bounds, ORDERS)
    for row, (start, stop) in enumerate(pairwise(bounds)):
        own = angles[start:stop]
        for column, n in enumerate(ORDERS):
            if not len(own):
                assert np.isnan([part[row, column] for part in (spectrum, phase, error)]).all()
                continue
            total = np.exp(1j * n * own).sum()
            assert spectrum[row, column] == pytest.approx(abs(total) ** 2 / len(own), rel=1e-12)
            assert 0 <= phase[row, column] < 2 * np.pi / n
            turned = total * np.exp(-1j * n * phase[row, column])
            assert turned.real > 0
            assert abs(turned.imag) < 1e-10 * len(own)


@pytest.mark.parametrize("n", ORDERS)
def test_corners_have_their_order(n):
    angles = 0.1 + np.arange(n) * 2 * np.pi / n
    spectrum, phase, error = angular_order(angles, np.array([0, n]), ORDERS)
    assert ORDERS[int(np.argmax(spectrum[0]))] == n
    assert spectrum.max() == pytest.approx(n)
    assert phase[0, ORDERS.index(n)] == pytest.approx(0.1)
    assert error[0, ORDERS.index(n)] < 1e-6


def test_the_error_of_the_phase_is_honest():
    rng, many, spread = np.random.default_rng(1), 2000, 0.05
    corners = rng.integers(0, 8, (many, 12)) * np.pi / 4 + 0.3
    angles = (corners + rng.normal(0, spread, corners.shape)).ravel()
    _, phase, error = angular_order(angles, np.arange(many + 1) * 12, (8,))
    assert phase.std() == pytest.approx(spread / np.sqrt(12), rel=0.05)
    assert np.sqrt((error**2).mean()) == pytest.approx(spread / np.sqrt(12), rel=0.05)


@given(st.integers(0, 2**32 - 1), st.integers(0, 12), st.floats(0.01, 1.5))
@settings(max_examples=200, deadline=None)
def test_sites_are_what_hangs_together(seed, n, gap):
    rng = np.random.default_rng(seed)
    angles = rng.uniform(-7, 7, n)
    angles[rng.random(n) < 0.1] = np.nan
    sites, bounds, empty, member = angular_sites(angles, np.array([0]), np.array([gap]))
    assert bounds.tolist() == [0, len(sites)]
    known = np.flatnonzero(~np.isnan(angles))
    assert (member[np.isnan(angles)] == -1).all()
    if not len(known):
        assert len(sites) == 0
        assert np.isnan(empty[0])
        return
    apart = np.abs(np.angle(np.exp(1j * (angles[known, None] - angles[None, known]))))
    joined = apart <= gap
    for _ in known:
        joined = joined @ joined
    assert ((member[known, None] == member[None, known]) == joined).all()
    around = np.sort(angles[known] % (2 * np.pi))
    steps = np.diff(np.append(around, around[0] + 2 * np.pi))
    assert empty[0] == pytest.approx(steps.max())
    for number, site in enumerate(sites):
        own = angles[known][member[known] == number]
        # the mean along the circle, where sites are not as long as half of it
        off = np.angle(np.exp(1j * (own - site)))
        if np.ptp(off) < np.pi / 2:
            assert abs(off.mean()) < 1e-9


def test_a_site_is_not_cut_at_zero():
    angles = np.array([-0.05, 0.05, np.pi, 2 * np.pi + 0.02, np.pi + 0.1])
    sites, _, empty, member = angular_sites(angles, np.array([0]), np.array([0.2]))
    assert len(sites) == 2
    assert member[0] == member[1] == member[3] != member[2] == member[4]
    assert min(sites[member[0]], 2 * np.pi - sites[member[0]]) == pytest.approx(0.02 / 3, abs=1e-9)
    assert empty[0] == pytest.approx(np.pi - 0.05)


def test_clusters_of_sites_are_apart():
    angles = np.array([0.0, 1.0, 0.01, 2.0, 2.0])
    sites, bounds, _, member = angular_sites(angles, np.array([0, 3]), np.array([0.1, 0.1]))
    assert bounds.tolist() == [0, 2, 3]
    assert member[0] == member[2]
    assert member[3] == member[4] == 2
    assert sites[2] == pytest.approx(2.0)


@pytest.mark.parametrize("n", [4, 8, 20])
def test_chance(n):
    rng = np.random.default_rng(n)
    angles = rng.uniform(0, 2 * np.pi, (40_000, n))
    score = np.abs(np.exp(1j * angles).sum(axis=1)) ** 2 / n
    for level in (0.05, 0.2, 0.5):
        share = (rayleigh_p(score, np.full(len(score), n)) <= level).mean()
        assert share == pytest.approx(level, abs=0.012)


def test_of_several_orders_the_best_is_likelier():
    one = rayleigh_p(np.array([5.0]), np.array([8]))
    assert rayleigh_p(np.array([5.0]), np.array([8]), 9) == pytest.approx(1 - (1 - one) ** 9)
    assert rayleigh_p(np.array([0.0]), np.array([8]), 9)[0] == pytest.approx(1)
