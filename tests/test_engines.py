"""The engines of xarray give what our own functions give."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import mfxarray as mfx
from mfxarray.engines import MimsBackendEntrypoint, MinfluxBackendEntrypoint
from mfxarray.errors import DataError
from tests.samples import ion_stack, localization_file, two_data_sets


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return localization_file(tmp_path_factory.mktemp("engines"))


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    return ion_stack(tmp_path_factory.mktemp("engines"))


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return two_data_sets(tmp_path_factory.mktemp("pair"))


@pytest.mark.parametrize("masked", [False, True])
def test_the_engine_gives_the_same(run, masked):
    ours = mfx.open_minflux(run, chunk_bytes=200_000, masked=masked)
    options = {"engine": "minflux", "chunk_bytes": 200_000, "masked": masked}
    chunked = xr.open_dataset(run, chunks={}, **options)
    assert chunked.chunks == ours.chunks
    xr.testing.assert_identical(chunked, ours)
    xr.testing.assert_identical(xr.open_dataset(run, **options), ours)


def test_lazy_arrays_index_as_numpy(run):
    lazy = xr.open_dataset(run, engine="minflux")
    whole = np.load(run)["itr"]["loc"]
    for key in [3, slice(5, 900, 7), slice(None, None, -3), slice(10, 10), [5, 2, 2]]:
        np.testing.assert_array_equal(lazy["position"][key].values, whole[key])
    np.testing.assert_array_equal(lazy["position"][-1, 2:, 0], whole[-1, 2:, 0])


def test_drop_variables(run):
    assert "efc" not in xr.open_dataset(run, engine="minflux", drop_variables=["efc"])


def test_the_mims_engine_gives_the_same(stack):
    ours = mfx.open_mims(stack, chunk_bytes=300_000)
    options = {"engine": "mims", "chunk_bytes": 300_000}
    chunked = xr.open_dataarray(stack, chunks={}, **options)
    assert chunked.chunks == ours.chunks
    xr.testing.assert_identical(chunked.compute(), ours.compute())
    lazy = xr.open_dataarray(stack, **options)
    np.testing.assert_array_equal(lazy[3:17:5, 2, ::-1], ours[3:17:5, 2, ::-1])


def test_options_set_the_chunks(run, stack):
    with mfx.set_options(chunk_bytes=100_000):
        assert len(mfx.open_minflux(run).chunks["localization"]) > 20
        assert len(mfx.open_mims(stack).chunks[0]) == 20


def test_xarray_guesses_the_engine(run, stack, tmp_path):
    assert MinfluxBackendEntrypoint().guess_can_open(run)
    assert not MinfluxBackendEntrypoint().guess_can_open(stack)
    assert MimsBackendEntrypoint().guess_can_open(stack)
    assert not MimsBackendEntrypoint().guess_can_open(tmp_path / "absent")
    assert xr.open_dataset(run).sizes["localization"] == 3000


def test_wrong_files(run, stack, tmp_path):
    with pytest.raises(DataError):
        mfx.open_minflux(stack)
    with pytest.raises(DataError):
        mfx.open_mims(run)
    with pytest.raises(DataError, match="cannot be opened"):
        mfx.open_minflux(tmp_path / "absent.npy")


def test_xarray_opens_the_tree(pair):
    path, _, _ = pair
    ours = mfx.open_minflux_tree(path)
    theirs = xr.open_datatree(path, engine="minflux")
    assert set(theirs.groups) == set(ours.groups)
    for group in ours.groups:
        xr.testing.assert_identical(theirs[group].to_dataset(), ours[group].to_dataset())
    one = xr.open_dataset(path, engine="minflux", dataset="P2")
    xr.testing.assert_identical(one, mfx.open_minflux(path, dataset="P2"))
