"""Widths of simulated filaments."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.minflux.structures.filaments import filament_widths
from mfxarray.testing import assert_chunk_invariant
from tests.samples import four_chunkings, localizations_of


def filaments(many=80, n=200, spread=10e-9, bend=None, length=2e-6, seed=0, hollow=None):
    """Straight ones, or arcs with a radius, at random places and angles."""
    rng = np.random.default_rng(seed)
    places = []
    for _ in range(many):
        along, off = rng.uniform(0, length, n), rng.normal(0, spread, n)
        if hollow is not None:
            off += hollow * np.sin(rng.uniform(0, 2 * np.pi, n))
        if bend is None:
            own = np.column_stack([along, off])
        else:
            angle = along / bend - length / 2 / bend
            own = np.column_stack([np.sin(angle), np.cos(angle)]) * (bend + off)[:, None]
        turn = rng.uniform(0, 2 * np.pi)
        cos, sin = np.cos(turn), np.sin(turn)
        own = own @ [[cos, sin], [-sin, cos]] + rng.uniform(-1e-5, 1e-5, 2)
        places.append(np.column_stack([own, rng.normal(0, 1e-7, n)]))
    return localizations_of(np.concatenate(places), cluster=np.repeat(np.arange(many), n))


@pytest.mark.parametrize("window", [None, 50e-9])
@pytest.mark.parametrize("bend", [None, 3e-6])
def test_widths(window, bend):
    table = filament_widths(filaments(bend=bend), window=window)
    if bend is not None and window is None:
        # a straight line through a bow: its width is that of the bow
        assert table["width"].values.mean() > 30e-9
        assert table["bend"].values.max() < 1e-9
        return
    for name, true in (("width", 10e-9), ("fwhm", 23.548e-9)):
        values, error = table[name].values, table[f"{name}_error"].values
        assert values.mean() == pytest.approx(true, rel=0.03), name
        # errors are those of repetition
        assert error.mean() == pytest.approx(values.std(), rel=0.25), name
    assert table["width_95"].values.mean() == pytest.approx(2 * 1.96 * 10e-9, rel=0.05)
    assert table["length"].values.mean() == pytest.approx(2e-6 * 199 / 201, rel=0.02)
    sagitta = 0 if bend is None else bend * (1 - np.cos(1 / 3))
    assert table["bend"].values.mean() == pytest.approx(2 / 3 * sagitta, abs=1.2e-8)


def test_without_leverage_the_width_would_shrink():
    # few points within the window
    ds = filaments(many=100, n=40)
    for window in (100e-9, 300e-9):
        table = filament_widths(ds, window=window)
        assert table["width"].values.mean() == pytest.approx(10e-9, rel=0.06)


def test_a_hollow_filament():
    table = filament_widths(filaments(many=5, n=3000, spread=2e-9, hollow=12.5e-9), window=None)
    profile = table["profile"].sum("cluster").values
    middle = len(profile) // 2
    assert profile[middle - 1 : middle + 1].max() < 0.6 * profile.max()
    assert table["fwhm"].values.mean() == pytest.approx(28e-9, rel=0.1)


def test_the_profile_counts_points():
    ds = filaments(many=3)
    table = filament_widths(ds, half=100e-9)
    assert table["profile"].sum("offset").values.tolist() == [200] * 3
    np.testing.assert_allclose(table["offset"], (np.arange(100) - 49.5) * 2e-9)
    narrow = filament_widths(ds, half=10e-9)
    assert (narrow["profile"].sum("offset") < 200).all()


def test_same_for_every_chunking():
    assert_chunk_invariant(filament_widths, four_chunkings(filaments(many=6, n=60), "localization"))


def test_seeds():
    ds = filaments(many=4)
    one, same, other = (filament_widths(ds, seed=seed)["fwhm_error"].values for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).all()


def test_few_points_and_points_without_width():
    place = np.zeros((12, 3))
    place[4:, 0] = np.arange(8) * 1e-8
    table = filament_widths(localizations_of(place, cluster=[5] * 4 + [6] * 8))
    assert table["n"].values.tolist() == [4, 8]
    assert np.isnan(table["width"].values[0])
    assert table["width"].values[1] == pytest.approx(0, abs=1e-20)
    assert table["length"].values[1] == pytest.approx(7e-8)
    none = filament_widths(localizations_of(place, cluster=[-1] * 12))
    assert none.sizes["cluster"] == 0


@pytest.mark.parametrize("wrong", [{"window": 0.0}, {"bin_size": 0.0}, {"repeats": 1}])
def test_wrong_parameters(wrong):
    with pytest.raises(ValueError, match=r"window|bins"):
        filament_widths(filaments(many=1), **wrong)
