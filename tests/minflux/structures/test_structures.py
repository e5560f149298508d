"""Circles through clusters: simulated pores, and every chunking."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from mfxarray.minflux.structures.structures import fit_circles
from mfxarray.provenance import was_done
from mfxarray.testing import assert_chunk_invariant
from tests.minflux.pore_samples import pore_localizations, pore_traces
from tests.samples import four_chunkings, localizations_of


@pytest.fixture(scope="module")
def flat():
    return pore_localizations(pores=600, flat=True)


@pytest.fixture(scope="module")
def fitted(flat):
    return fit_circles(flat[0], "pore")


def off(table):
    return table["diameter"].values * 1e9 - 107


def test_diameters_of_pores(fitted, flat):
    labelled = flat[1].labelled.sum(axis=1)[fitted["label"].values]
    own = labelled >= 4
    assert off(fitted)[own].mean() == pytest.approx(0, abs=0.15)
    assert np.sqrt((off(fitted)[own] ** 2).mean()) < 1.0
    # three corners in a row leave the diameter open, as their errors tell
    few = labelled == 3
    assert np.sqrt((off(fitted)[few] ** 2).mean()) > 2.0
    assert np.sqrt((fitted["diameter_error"].values[few] ** 2).mean()) > 2e-9


def test_orders_of_pores(fitted, flat):
    labelled = flat[1].labelled.sum(axis=1)[fitted["label"].values]
    right = fitted["order"].values == 8
    assert right[labelled >= 3].mean() >= 0.95
    assert right[labelled >= 5].mean() == 1.0
    assert (fitted["order"].values[labelled < 3] == 0).all()
    assert fitted["sites"].values[labelled >= 3].tolist() == labelled[labelled >= 3].tolist()
    # few corners prove nothing
    assert (fitted["order_p"].values[labelled <= 4] > 0.05).sum() == (
        (labelled <= 4) & (labelled >= 3)
    ).sum()
    assert (fitted["order_p"].values[labelled >= 6] < 0.05).mean() > 0.98


def test_with_four_molecules_a_corner_all_pores_are_found():
    ds, true = pore_localizations(pores=300, flat=True, copies=4, visits=1.0)
    table = fit_circles(ds, "pore")
    assert table.sizes["cluster"] == len(true.centre)
    assert (table["order"] == 8).all()
    assert np.sqrt((off(table) ** 2).mean()) < 0.6
    assert (np.abs(off(table)) < 1).mean() > 0.95


def test_phases_and_centres(fitted, flat):
    true, rows = flat[1], fitted["label"].values
    own = (fitted["order"].values == 8) & (true.labelled.sum(axis=1)[rows] >= 6)
    turned = np.exp(8j * (fitted["phase"].values[own] - true.phase[rows][own]))
    spread = np.std(np.angle(turned) / 8)
    assert abs(np.angle(turned.mean())) / 8 < 3 * spread / np.sqrt(own.sum()) + 1e-3
    error = np.sqrt((fitted["phase_error"].values[own] ** 2).mean())
    assert error == pytest.approx(spread, rel=0.25)
    eight = fitted["tried"].values.tolist().index(8)
    np.testing.assert_array_equal(fitted["phases"].values[own, eight], fitted["phase"].values[own])
    apart = fitted["centre"].values[own] - true.centre[rows][own]
    scaled = apart[:, :2] / fitted["centre_error"].values[own][:, :2]
    assert scaled.std() == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize(("fit", "jitter"), [("point", 0.0), ("site", 0.0), ("site", 3e-9)])
def test_errors_are_honest(fit, jitter):
    ds, true = pore_localizations(pores=800, flat=True, jitter_m=jitter, seed=3)
    table = fit_circles(ds, "pore", fit=fit)
    own = true.labelled.sum(axis=1)[table["label"].values] >= 5
    table = table.isel(cluster=own)
    free = (table["n_used"] if fit == "point" else table["sites"]).values - 3
    inside = np.abs(off(table)) < table["diameter_error"] * 1e9 * student.ppf(0.975, free)
    assert float(inside[free > 0].mean()) == pytest.approx(0.95, abs=0.03)


def test_points_that_share_their_place_are_not_independent():
    # what fit="site" is for
    ds, true = pore_localizations(pores=300, flat=True, jitter_m=3e-9)
    table = fit_circles(ds, "pore")
    own = true.labelled.sum(axis=1)[table["label"].values] >= 5
    inside = np.abs(off(table)) < table["diameter_error"].values * 1e9
    assert inside[own].mean() < 0.4


def test_few_corners_may_have_a_lower_order():
    # every second corner of eight: nothing tells it from four
    angle = np.arange(4) * np.pi / 2
    place = np.column_stack([np.cos(angle), np.sin(angle), 0 * angle]) * 50e-9
    ds = localizations_of(place, cluster=np.zeros(4, np.int64))
    table = fit_circles(ds)
    assert table["order"].item() == 4
    eight = table["spectrum"].sel(tried=8).item()
    assert eight == pytest.approx(table["order_score"].item())
    assert table["diameter"].item() == pytest.approx(100e-9)


def test_votes_of_points_and_sites():
    angle = np.concatenate([np.full(20, 0.0), np.arange(1, 5) * 2 * np.pi / 5])
    place = np.column_stack([np.cos(angle), np.sin(angle), 0 * angle]) * 50e-9
    ds = localizations_of(place, cluster=np.zeros(24, np.int64))
    sites = fit_circles(ds, unit="site", orders=[4, 5])
    points = fit_circles(ds, unit="point", orders=[4, 5])
    np.testing.assert_allclose(sites["spectrum"], [[0, 5]], atol=1e-6)
    np.testing.assert_allclose(points["spectrum"], [[19**2 / 24, 24]], atol=1e-5)
    assert sites["sites"].item() == points["sites"].item() == 5
    # not surer for points that were seen twenty times at one place
    assert points["order_p"].item() == pytest.approx(sites["order_p"].item())


def test_two_rings():
    ds, _ = pore_localizations(pores=60, rings=2, copies=2, visits=2.0)
    table = fit_circles(ds, "pore", rings=2)
    height = table["height"].values * 1e9
    assert height.mean() == pytest.approx(50, abs=0.2)
    scaled = (height - 50) / (table["height_error"].values * 1e9)
    assert scaled.std() == pytest.approx(1, abs=0.25)
    np.testing.assert_allclose(table["centre"].values[:, 2], 0, atol=1.5e-9)
    assert table["z_spread"].values.mean() == pytest.approx(2e-9, rel=0.1)
    assert ((table["n_upper"] > 0) & (table["n_upper"] < table["n_used"])).all()
    one = fit_circles(ds, "pore")
    assert "height" not in one
    assert one["z_spread"].values.mean() == pytest.approx(25e-9, rel=0.1)
    inside = ds["position"].values[ds["pore"].values == 0, 2]
    assert one["centre"].values[0, 2] == pytest.approx(inside.mean(), abs=2e-10)


def test_same_for_every_chunking(flat):
    ds = flat[0].isel(localization=flat[0]["pore"].values < 40)
    for fit in ("point", "site"):
        operation = lambda data, fit=fit: fit_circles(data, "pore", fit=fit)  # noqa: E731
        assert_chunk_invariant(operation, four_chunkings(ds, "localization"))


def test_points_that_do_not_count(flat):
    ds = flat[0].isel(localization=flat[0]["pore"].values < 5)
    chosen = np.random.default_rng(0).random(ds.sizes["localization"]) < 0.7
    masked = fit_circles(ds.assign(selected=("localization", chosen)), "pore")
    dropped = fit_circles(ds.isel(localization=chosen), "pore")
    np.testing.assert_array_equal(masked["diameter"], dropped["diameter"])


def test_traces_are_points_too():
    table, _ = pore_traces(pores=30, flat=True, visits=4.0)
    found = fit_circles(table, "pore")
    assert found.attrs["provenance"] != table.attrs.get("provenance")
    assert was_done(found.attrs, "fit_circles")
    assert found["diameter"].attrs["units"] == "m"
    assert all("long_name" in found[name].attrs for name in found.data_vars)


def test_no_cluster_at_all():
    ds = localizations_of(np.zeros((4, 3)), cluster=np.full(4, -1))
    table = fit_circles(ds)
    assert table.sizes["cluster"] == 0
    assert table["spectrum"].shape == (0, 9)


def test_clusters_without_a_circle():
    place = np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0], [5, 5, 0], [7, 7, 7]]) * 1e-8
    for fit in ("point", "site"):
        table = fit_circles(localizations_of(place, cluster=[3, 3, 3, 4, 9]), fit=fit)
        assert table["label"].values.tolist() == [3, 4, 9]
        assert table["n"].values.tolist() == [3, 1, 1]
        assert np.isnan(table["diameter"]).all()
        assert (table["order"] == 0).all()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"clusters": "nothing"}, "no clusters"),
        ({"clusters": "tim"}, "whole number"),
        ({"outlier": 0.5}, "outlier"),
        ({"orders": []}, "orders"),
        ({"orders": [8, 4]}, "rise"),
        ({"site": 0.0}, "site"),
        ({"unit": "corner"}, "unit"),
        ({"fit": "corner"}, "fit"),
        ({"rings": 3}, "rings"),
    ],
)
def test_wrong_parameters(wrong, told):
    ds = localizations_of(np.zeros((4, 3)), cluster=np.zeros(4, np.int64))
    with pytest.raises(ValueError, match=told):
        fit_circles(ds, **wrong)
