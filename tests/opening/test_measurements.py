"""Files that take long to open are opened once."""

from __future__ import annotations

import importlib
from unittest.mock import patch

import pytest
import xarray as xr

import mfxarray as mfx
from mfxarray.errors import DataError
from mfxarray.formats.sources import RecordSource
from mfxarray.opening import measurements
from mfxarray.opening.measurements import measurements_of
from mfxarray.options import set_options
from mfxarray.records import facts_cache, index_cache, remembered


@pytest.fixture(autouse=True)
def _small_ones_too(tmp_path):
    modules = (facts_cache, index_cache, remembered)
    patches = [patch.object(module, "WORTH_BYTES", 0) for module in modules]
    with patches[0], patches[1], patches[2], set_options(cache_folder=str(tmp_path / "c")):
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("measurements") / "run.npy"
    mfx.simulate_minflux(path, localizations=300, seed=3)
    return mfx.open_minflux(path)


def not_opened():
    return patch.object(measurements, "open_measurements", side_effect=AssertionError("opened"))


@pytest.mark.parametrize("model", ["v1", "v2"])
@pytest.mark.parametrize("name", ["run.mat", "run.json"])
def test_the_second_opening_needs_no_first(tmp_path, run, name, model):
    path = tmp_path / name
    options = {"compress": True} if name.endswith("mat") else {}
    mfx.write_minflux(run, path, model=model, **options)
    first = mfx.open_minflux(path)
    before = first.compute()
    with not_opened():
        again = mfx.open_minflux(path)
        table = mfx.read_minflux_table(path)
        listed = mfx.list_minflux(path)
        tree = mfx.open_minflux_tree(path)
        lazy = xr.open_dataset(path, engine="minflux")
    xr.testing.assert_identical(again, first)
    xr.testing.assert_identical(again.compute(), before)
    xr.testing.assert_equal(tree["P1/localizations"].to_dataset().compute(), before)
    xr.testing.assert_identical(lazy.compute(), before)
    assert len(table) > 0
    assert listed["container"].tolist() == [again.attrs["format"]]
    # without the columns the file is read again
    for folder in (tmp_path / "c").glob("*.columns"):
        folder.rename(folder.with_suffix(".away"))
    xr.testing.assert_identical(mfx.open_minflux(path).compute(), before)


@pytest.mark.parametrize("name", ["run.npy", "run.msr"])
def test_a_flat_file_with_its_index_is_opened_without_its_records(tmp_path, run, name):
    mfx.write_minflux(run, tmp_path / name, model="v2")
    first = mfx.open_minflux(tmp_path / name)
    zarr_v2 = importlib.import_module("mfxarray.formats.zarr.v2")
    with (
        patch.object(RecordSource, "read", side_effect=AssertionError("read")),
        patch.object(zarr_v2.ZarrTable, "read", side_effect=AssertionError("read")),
    ):
        again = mfx.open_minflux(tmp_path / name)
    xr.testing.assert_identical(again, first)
    assert again.attrs["cfr_iteration"] is not None


def test_warnings_come_again(tmp_path, run):
    path = tmp_path / "run.mat"
    mfx.write_minflux(run, path, model="v2", compress=True)
    data = path.read_bytes()
    path.write_bytes(data[:-40])
    with pytest.raises(DataError, match="truncated"):
        mfx.open_minflux(path)
    with pytest.warns(UserWarning, match="cut") as first:
        mfx.open_minflux(path, strict=False)
    with not_opened(), pytest.warns(UserWarning, match="cut") as again:
        mfx.open_minflux(path, strict=False)
    assert [str(one.message) for one in again] == [str(one.message) for one in first]
    with pytest.raises(DataError, match="truncated"):
        mfx.open_minflux(path)


def test_units_are_refused_as_before(tmp_path, run):
    path = tmp_path / "run.mat"
    mfx.write_minflux(run, path, compress=True)
    for _ in range(2):
        with pytest.raises(ValueError, match="has its own units"):
            measurements_of(path, units="nm")
        measurements_of(path)
