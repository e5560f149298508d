"""Filters against plain numpy masks; compact drops just what they say."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import mfxarray as mfx
from mfxarray.schema import CFR_NOT_MEASURED
from mfxarray.testing import assert_same_bits, count_computes, raise_if_computes
from tests.samples import four_chunkings, localization_file


@pytest.fixture(scope="module")
def ds(tmp_path_factory):
    path = localization_file(tmp_path_factory.mktemp("filters"))
    return mfx.open_minflux(path, chunk_bytes=300_000)


def plain(ds, efo=(13_000, 48_000), cfr=0.8):
    rate, ratio = ds["efo"][:, -1].values, ds["cfr"][:, 6].values
    return ds["vld"].values & (rate >= efo[0]) & (rate <= efo[1]) & (ratio <= cfr)


def test_mask_equals_numpy_and_drops_nothing(ds):
    with raise_if_computes():
        found = ds.mfx.filter(efo=(13_000, 48_000), cfr=(None, 0.8))
    np.testing.assert_array_equal(found["selected"].values, plain(ds))
    assert found.sizes == ds.sizes
    xr.testing.assert_identical(found.drop_vars("selected").drop_attrs(), ds.drop_attrs())


def test_compact_keeps_just_the_selected_rows(ds):
    found = ds.mfx.filter(efo=(13_000, 48_000), cfr=(None, 0.8)).mfx.compact()
    keep = plain(ds)
    assert 0 < keep.sum() < len(keep)
    wanted = ds.compute().isel(localization=keep)
    xr.testing.assert_identical(found.drop_attrs().compute(), wanted.drop_attrs())
    assert "selected" not in found


def test_compact_makes_one_pass_and_traces_none(ds):
    filtered = ds.mfx.filter(eco=(1, None), efo=(14_000, None))
    with count_computes() as computes:
        compacted = filtered.mfx.compact()
    assert len(computes) == 1
    with raise_if_computes():
        compacted.mfx.traces()
        compacted.mfx.last_iteration()
        compacted.mfx.filter(efo=(15_000, None))


def test_filters_combine(ds):
    both = ds.mfx.filter(efo=(13_000, 48_000)).mfx.filter(cfr=(None, 0.8))
    np.testing.assert_array_equal(both["selected"].values, plain(ds))
    assert [step["step"] for step in both.mfx.history] == ["open_minflux", "filter", "filter"]


def test_bounds_are_included_and_nan_never_passes(ds):
    times = ds["tim"].values
    found = ds.mfx.filter(valid=False, tim=(times[10], times[20]))["selected"].values
    np.testing.assert_array_equal(np.flatnonzero(found), np.arange(10, 21))
    everything = ds.mfx.filter(valid=False, efo=(None, None))["selected"].values
    np.testing.assert_array_equal(everything, ~np.isnan(ds["efo"][:, -1].values))


def test_unmeasured_cfr_is_kept_or_dropped_as_asked(ds):
    data = ds.compute().chunk()
    data["cfr"][5:9, 6] = CFR_NOT_MEASURED
    data["cfr"][9:12, 6] = np.nan
    kept = data.mfx.filter(valid=False, cfr=(0.001, 1e9))["selected"].values
    dropped = data.mfx.filter(valid=False, unmeasured="drop", cfr=(None, 1e9))["selected"].values
    assert kept[5:12].all()
    assert not dropped[5:12].any()


def test_two_dimensional_data_and_one_iteration(ds):
    last = ds.mfx.last_iteration()
    found = last.mfx.filter(efo=(13_000, 48_000), cfr=(None, 0.8))
    np.testing.assert_array_equal(found["selected"].values, plain(ds))


def test_nothing_left(ds):
    empty = ds.mfx.filter(efo=(1e12, None)).mfx.compact()
    assert empty.sizes["localization"] == 0
    assert empty.compute()["position"].shape == (0, 10, 3)
    assert empty.mfx.traces().sizes["trace"] == 0


def test_wrong_bounds(ds):
    with pytest.raises(ValueError, match="no field 'nonsense'"):
        ds.mfx.filter(nonsense=(0, 1))
    with pytest.raises(ValueError, match="above the high one"):
        ds.mfx.filter(efo=(2, 1))
    with pytest.raises(ValueError, match="one value a localization"):
        ds.mfx.filter(position=(0, 1))
    with pytest.raises(ValueError, match="unmeasured"):
        ds.mfx.filter(unmeasured="maybe")
    with pytest.raises(ValueError, match="nothing was filtered"):
        ds.mfx.compact()


def test_every_chunking_gives_the_same(ds):
    results = [
        data.mfx.filter(efo=(13_000, 48_000)).mfx.compact()
        for data in four_chunkings(ds, "localization")
    ]
    for other in results[1:]:
        assert_same_bits(results[0].compute(), other.compute())
        assert results[0].attrs == other.attrs


def test_the_record_says_what_was_filtered(ds):
    step = ds.mfx.filter(efo=(13_000, None)).mfx.compact().mfx.history[1]
    assert step["step"] == "filter"
    assert step["parameters"] == {
        "bounds": {"efo": [13_000, None]},
        "unmeasured": "keep",
        "valid": True,
    }
