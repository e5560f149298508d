"""Simulated pores are what they say."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.simulate.minflux_pores import PoreSettings, simulate_pores


def test_the_same_seed_gives_the_same_pores():
    one, same, other = (simulate_pores(seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.position, same.position)
    assert one.position.shape != other.position.shape or (one.position != other.position).any()
    np.testing.assert_array_equal(simulate_pores(PoreSettings(seed=1)).tim, one.tim)


def test_localizations_lie_on_their_corner():
    true = simulate_pores(pores=200, rings=2)
    angle = true.phase[true.pore] + true.corner * np.pi / 4
    apart = true.position - true.centre[true.pore]
    off = apart[:, :2] - 53.5e-9 * np.column_stack([np.cos(angle), np.sin(angle)])
    assert off.std() == pytest.approx(2e-9, rel=0.03)
    assert (np.abs(apart[:, 2]) - 25e-9).std() == pytest.approx(2e-9, rel=0.05)
    assert true.labelled[true.pore, true.corner].all()


@pytest.mark.parametrize(("copies", "share"), [(1, 0.6), (4, 1 - 0.4**4)])
def test_labelling(copies, share):
    true = simulate_pores(pores=2000, copies=copies)
    assert true.labelled.mean() == pytest.approx(share, abs=0.01)
    assert len(np.unique(true.pore * 8 + true.corner)) == true.labelled.sum()


def test_traces():
    true = simulate_pores(pores=300, copies=1, visits=2.0, localizations=4.0)
    assert (np.diff(true.tid) >= 0).all()
    assert (np.diff(true.tim) > 0).all()
    rows = np.bincount(true.tid)
    assert rows.min() == 1
    # at least one of Poisson(4): 4 + exp(-4)
    assert rows.mean() == pytest.approx(4 + np.exp(-4), rel=0.05)
    per_molecule = len(rows) / true.labelled.sum()
    assert per_molecule == pytest.approx(2 + np.exp(-2), rel=0.05)
    spread = np.unique(true.tid + 1e6 * true.pore)
    assert len(spread) == len(rows)


def test_flat_pores_background_and_jitter():
    true = simulate_pores(flat=True, background=3.0, jitter_m=3e-9, pores=100)
    assert (true.position[:, 2] == 0).all()
    assert len(np.unique(true.tid[true.pore < 0])) == 300
    assert (true.corner[true.pore < 0] == -1).all()
    own = true.pore >= 0
    radius = np.hypot(*(true.position[own] - true.centre[true.pore[own]])[:, :2].T)
    assert radius.std() == pytest.approx(np.hypot(2, 3) * 1e-9, rel=0.1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"pores": 0},
        {"rings": 3},
        {"labelling": 1.5},
        {"diameter_m": 0},
        {"seed": -1},
        {"visits": -1},
    ],
)
def test_wrong_settings(wrong):
    with pytest.raises(ValueError, match=r"must|is a share"):
        simulate_pores(**wrong)


def test_settings_or_keywords():
    with pytest.raises(ValueError, match="not both"):
        simulate_pores(PoreSettings(), pores=3)
