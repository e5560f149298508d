"""Washes one after the other, without reading them."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from mfxarray.minflux.beads.washes import concatenate_washes, washes_of
from mfxarray.provenance import history
from mfxarray.testing import raise_if_computes
from tests.minflux.wash_samples import washes_and_beads


def test_rows_ids_and_times():
    truth, washes, _ = washes_and_beads()
    with raise_if_computes():
        joined = concatenate_washes(washes, [0.0, 2000.0, 4000.0])
    sizes = [len(one.tim) for one in truth]
    assert joined["wash"].dtype == np.int32
    np.testing.assert_array_equal(joined["wash"], np.repeat([0, 1, 2], sizes))
    np.testing.assert_array_equal(joined["tid"], np.concatenate([one.tid for one in truth]))
    times = [one.tim + 2000 * number for number, one in enumerate(truth)]
    np.testing.assert_array_equal(joined["tim"], np.concatenate(times))
    assert joined.attrs["time_offset"] == [0.0, 2000.0, 4000.0]
    assert joined.attrs["z_scaling"] == 1.0
    assert history(joined.attrs)[-1]["step"] == "concatenate_washes"
    assert set(history(joined.attrs)[-1]["others"]) == {"wash 1", "wash 2"}


def test_traces_of_washes_stay_apart():
    truth, washes, _ = washes_and_beads()
    table = concatenate_washes(washes).mfx.traces().compute()
    assert table.sizes["trace"] == sum(len(np.unique(one.tid)) for one in truth)
    assert table["wash"].values.tolist() == sorted(table["wash"].values.tolist())


def test_an_empty_wash_is_no_crash():
    _, washes, _ = washes_and_beads()
    empty = washes[1].isel(localization=slice(0, 0))
    joined = concatenate_washes([washes[0], empty, washes[2]])
    assert np.unique(joined["wash"].values).tolist() == [0, 2]


def test_washes_that_are_not_alike():
    _, washes, _ = washes_and_beads(washes=2, traces=5)
    with pytest.raises(ValueError, match="numbered already"):
        concatenate_washes([concatenate_washes(washes)])
    with pytest.raises(ValueError, match="do not both have vld"):
        concatenate_washes([washes[0], washes[1].drop_vars("vld")])
    with pytest.raises(ValueError, match="scale all alike"):
        concatenate_washes([washes[0], washes[1].mfx.scale_z(0.7)])
    with pytest.raises(ValueError, match="iterations"):
        concatenate_washes(
            [washes[0].expand_dims(iteration=5), washes[1].expand_dims(iteration=10)]
        )
    with pytest.raises(ValueError, match="at least one"):
        concatenate_washes([])
    with pytest.raises(ValueError, match="time offsets"):
        concatenate_washes(washes, [0.0])
    with pytest.raises(ValueError, match="no field 'tid'"):
        concatenate_washes([washes[0].drop_vars("tid")])


def test_trees():
    _, washes, beads = washes_and_beads(washes=2, traces=5)
    nodes = {}
    for number in range(2):
        nodes[f"/P{number}/localizations"] = washes[number]
        nodes[f"/P{number}/beads"] = beads[number]
    found, tracks = washes_of(xr.DataTree.from_dict(nodes))
    assert [ds.attrs["data_set"] for ds in found] == ["P0", "P1"]
    assert len(tracks) == 2
    del nodes["/P1/beads"]
    with pytest.raises(ValueError, match="'/P1' has no beads"):
        washes_of(xr.DataTree.from_dict(nodes))
    with pytest.raises(ValueError, match="no data sets"):
        washes_of(xr.DataTree())
