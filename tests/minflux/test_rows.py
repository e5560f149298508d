"""Rows, masks and the iteration that tells."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import mfxarray as mfx
from mfxarray.minflux.rows import index_of, last_iteration, last_iteration_of, used_rows
from mfxarray.testing import count_computes, raise_if_computes
from tests.samples import localization_file


@pytest.fixture(scope="module")
def ds(tmp_path_factory):
    return mfx.open_minflux(localization_file(tmp_path_factory.mktemp("rows")), chunk_bytes=300_000)


def test_last_iteration_is_the_last_but_for_cfr(ds):
    np.testing.assert_array_equal(last_iteration_of(ds, "efo"), ds["efo"][:, -1])
    np.testing.assert_array_equal(last_iteration_of(ds, "cfr"), ds["cfr"][:, 6])
    assert last_iteration_of(ds, "tid").dims == ("localization",)


def test_last_iteration_of_a_dataset(ds):
    with raise_if_computes():
        last = last_iteration(ds)
    assert "iteration" not in last.dims
    assert set(last.data_vars) == set(ds.data_vars)
    xr.testing.assert_equal(last["position"], ds["position"].isel(iteration=-1, drop=True))


def test_last_iteration_reads_the_same_however_the_field_lies(ds):
    expected = ds["position"].isel(iteration=-1, drop=True)
    turned = ds["position"].transpose("axis", "iteration", "localization")
    for field in (ds["position"], ds["position"].load(), turned, ds["position"] * 1):
        found = last_iteration_of(ds.assign(position=field), "position")
        found = found.transpose("localization", "axis")
        np.testing.assert_array_equal(found, expected)
        assert set(found.coords) == set(expected.coords)


def test_unmeasured_cfr(ds):
    without = ds.assign_attrs(cfr_iteration=None)
    with pytest.raises(ValueError, match="measured in no iteration"):
        last_iteration_of(without, "cfr")
    assert "cfr" not in last_iteration(without)


def test_used_rows_have_a_position(ds):
    finite = np.isfinite(ds["position"][:, -1].values).all(-1)
    np.testing.assert_array_equal(used_rows(ds).compute(), finite)
    assert 0 < (~finite).sum() < len(finite)


def test_the_counting_pass_is_made_once(ds):
    fresh = ds.assign(tid=ds["tid"] + 0)
    with count_computes() as computes:
        index_of(fresh)
        index_of(fresh)
    assert len(computes) == 1
