"""Pores in simulated fields and in a real one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

import mfxarray as mfx
from mfxarray.minflux.clusters.dbscan import dbscan
from mfxarray.minflux.structures.pore_gates import PoreGates
from mfxarray.minflux.structures.pores import accepted_pores, find_pores, pore_of_points
from mfxarray.minflux.traces.table import traces
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.minflux.pore_samples import pore_localizations, pore_traces
from tests.samples import four_chunkings, localizations_of


def matched(pores, true, within=15e-9):
    """Which accepted pores are true ones, and which of these."""
    table = accepted_pores(pores)
    far, which = cKDTree(true.centre[:, :2]).query(table["centre"].values[:, :2])
    return table, far < within, which


@pytest.fixture(scope="module")
def field():
    return pore_traces(pores=200, flat=True, copies=4, visits=1.0, background=2.0, seed=2)


@pytest.fixture(scope="module")
def found(field):
    return find_pores(field[0])


def test_pores_are_found(field, found):
    table, right, which = matched(found, field[1])
    assert right.all()
    assert len(np.unique(which)) == len(which) >= 198
    assert (table["order"] == 8).mean() >= 0.95
    off = table["diameter"].values * 1e9 - 107
    assert abs(off.mean()) < 0.3
    assert np.sqrt((off**2).mean()) < 1.0


def test_with_missing_corners():
    table, true = pore_traces(pores=200, flat=True, visits=3.0, seed=4)
    pores = find_pores(table)
    accepted, right, which = matched(pores, true)
    assert right.all()
    assert (accepted["order"] == 8).mean() >= 0.95
    labelled = true.labelled.sum(axis=1)
    assert len(which) > 0.8 * (labelled >= 4).sum()
    # arcs that DBSCAN cut are joined
    alone = find_pores(table, eps=55e-9, grow=None)
    assert alone["accepted"].sum() < 0.7 * len(which)


def test_points_of_pores(field, found):
    table, true = field
    labels = found["pore_of_point"].values
    accepted, _, which = matched(found, true)
    for row in range(accepted.sizes["pore"]):
        own = table["pore"].values[labels == accepted["label"].values[row]]
        # background may lie on the ring
        assert (own == which[row]).mean() > 0.7
        assert len(own) == accepted["n"].values[row]
    near = pore_of_points(table, found, distance=80e-9).values
    agree = table["pore"].values >= 0
    assert (which[near[agree & (near >= 0)]] == table["pore"].values[agree & (near >= 0)]).all()
    far = cKDTree(accepted["centre"].values[:, :2]).query(table["centroid"].values[:, :2])[0]
    np.testing.assert_array_equal(near >= 0, far <= 80e-9)


def test_heights_of_points(field, found):
    table = field[0].isel(trace=slice(0, 4))
    place = table["centroid"].values.copy()
    middle = accepted_pores(found)["centre"].values[0]
    place[:] = middle + np.array([[0, 0, 50], [0, 0, -50], [0, 0, -150], [0, 0, 150]]) * 1e-9
    moved = table.assign(centroid=(("trace", "axis"), place))
    assert pore_of_points(moved, found, height=100e-9).values.tolist() == [0, 0, -1, -1]
    assert pore_of_points(moved, found).values.tolist() == [0] * 4


def test_gates_tell_who_was_rejected(field):
    gates = PoreGates(diameter=(104e-9, 120e-9), points=8, residual=4e-9)
    pores = find_pores(field[0], gates=gates)
    names = [name for name in pores if str(name).startswith("gate_")]
    assert len(names) == 7
    every = np.logical_and.reduce([pores[name].values for name in names])
    np.testing.assert_array_equal(pores["accepted"], every)
    np.testing.assert_array_equal(pores["gate_points"], pores["n_used"] >= 8)
    assert accepted_pores(pores)["diameter"].min() >= 104e-9
    assert accepted_pores(accepted_pores(pores)).sizes == accepted_pores(pores).sizes


def test_given_clusters(field):
    table = field[0]
    labels = dbscan(table, eps=55e-9, min_samples=5, dimensions=2)
    own = find_pores(table, eps=55e-9, grow=None)
    given = find_pores(table, labels, grow=None)
    np.testing.assert_array_equal(own["diameter"], given["diameter"])
    np.testing.assert_array_equal(own["pore_of_point"], labels)
    named = find_pores(table.assign(mine=labels), "mine", grow=None)
    np.testing.assert_array_equal(named["order"], given["order"])


def test_blobs_and_lines_are_no_pores():
    rng = np.random.default_rng(0)
    blob = rng.normal(0, 8e-9, (60, 3))
    disc = rng.uniform(-60e-9, 60e-9, (80, 3)) + np.array([1e-6, 0, 0])
    line = np.column_stack([np.linspace(2e-6, 2.3e-6, 60), *rng.normal(0, 2e-9, (2, 60))])
    ds = localizations_of(np.concatenate([blob, disc, line]))
    pores = find_pores(ds)
    assert not pores["accepted"].any()


def test_what_is_cut_out_of_a_disc_is_no_ring():
    rng = np.random.default_rng(1)
    discs = rng.uniform(-60e-9, 60e-9, (50, 80, 3))
    discs += np.arange(50)[:, None, None] * np.array([1e-6, 0, 0])
    pores = find_pores(localizations_of(discs.reshape(-1, 3)))
    assert pores["gate_diameter"].sum() > 40
    assert pores["gate_hollow"].mean() < 0.1
    assert pores["gate_residual"].mean() < 0.4
    assert pores["accepted"].sum() <= 1


def test_two_rings_in_three_dimensions():
    table, true = pore_traces(pores=50, rings=2, copies=2, visits=1.0)
    pores = find_pores(table, gates=PoreGates(height=(25e-9, 100e-9)), rings=2)
    accepted, right, _ = matched(pores, true)
    assert right.all()
    assert accepted.sizes["pore"] >= 49
    assert accepted["height"].values.mean() * 1e9 == pytest.approx(50, abs=0.3)
    with pytest.raises(ValueError, match="rings=2"):
        find_pores(table, gates=PoreGates(height=(25e-9, 100e-9)))
    single, _ = pore_traces(pores=20, copies=4, visits=1.0)
    flat = find_pores(single, gates=PoreGates(height=(25e-9, 100e-9)), rings=2)
    assert not flat["gate_height"].any()


def test_same_for_every_chunking():
    ds, _ = pore_localizations(pores=20, copies=2, visits=1.0, flat=True, background=2.0)
    assert_chunk_invariant(find_pores, four_chunkings(ds, "localization"))


def test_points_of_pores_are_lazy(found):
    ds, _ = pore_localizations(pores=20)
    with raise_if_computes():
        labels = pore_of_points(ds.chunk(localization=50), found)
    assert labels.chunks[0][0] == 50
    assert labels.dtype == np.int64


def test_nothing_to_find():
    pores = find_pores(localizations_of(np.zeros((3, 3)) + np.arange(3)[:, None]))
    assert pores.sizes["pore"] == 0
    assert (pores["pore_of_point"] == -1).all()
    assert (pore_of_points(localizations_of(np.zeros((3, 3))), pores) == -1).all()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"grow": 0.0}, "grow"),
        ({"eps": ()}, "one eps"),
        ({"eps": (1e-8, 2e-8), "grow": None}, "one eps"),
        ({"diameter": (2e-7, 1e-7)}, "diameter"),
        ({"clusters": "none"}, "no clusters"),
    ],
)
def test_wrong_parameters(wrong, told):
    with pytest.raises(ValueError, match=told):
        find_pores(localizations_of(np.zeros((4, 3))), **wrong)


@pytest.mark.parametrize(
    "wrong", [{"points": 2}, {"residual": 0.0}, {"used": 2.0}, {"z": (1.0, 0.0)}, {"rim": 0.0}]
)
def test_wrong_gates(wrong):
    with pytest.raises(ValueError, match=r"circle|must be"):
        PoreGates(**wrong)


@pytest.mark.realdata
def test_a_real_nucleus(data_dir):
    table = traces(mfx.open_minflux(data_dir / "minflux" / "2D_ValidOnly.npy"))
    pores = find_pores(table)
    accepted = accepted_pores(pores)
    assert 45 <= accepted.sizes["pore"] <= 65
    assert float(accepted["diameter"].median()) * 1e9 == pytest.approx(106, abs=2)
    spectrum = accepted["spectrum"].mean("pore")
    assert int(spectrum["tried"][np.argmax(spectrum.values)]) == 8
    counts = np.bincount(accepted["order"].values)
    assert counts.argmax() == 8
