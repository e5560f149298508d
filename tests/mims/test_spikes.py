"""Spikes of electron images: the kernel by name, lazily, recorded, never twice."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from mfxarray.kernels.spikes import replace_spikes
from mfxarray.mims.spikes import remove_spikes
from mfxarray.provenance import history
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.samples import four_chunkings


@pytest.fixture(scope="module")
def ions():
    counts = np.random.default_rng(3).poisson(60, (9, 3, 24, 25)).astype("u4")
    counts[4, :, 10, 10] = 5000
    coords = {"detector": ["12C", "13C", "SE"], "mass": ("detector", [12.0, 13.0, 0.0])}
    data = da.from_array(counts, chunks=(4, -1, -1, -1))
    return xr.DataArray(data, coords, ("frame", "detector", "y", "x"), "counts")


def test_only_electrons_change(ions):
    with raise_if_computes():
        cleaned = remove_spikes(ions)
    assert np.argwhere(cleaned.values != ions.values).tolist() == [[4, 2, 10, 10]]
    assert cleaned.dtype == np.uint32
    np.testing.assert_array_equal(cleaned, replace_spikes(ions.values, np.array([2]), 8.0, 3))


def test_other_detectors_by_name(ions):
    cleaned = remove_spikes(ions, ["12C", "SE"], sigmas=20.0, kernel_size=5)
    assert np.argwhere(cleaned.values != ions.values)[:, 1].tolist() == [0, 2]
    one = remove_spikes(ions, "13C", sigmas=3.0)
    np.testing.assert_array_equal(one.isel(detector=[0, 2]), ions.isel(detector=[0, 2]))


def test_every_chunking_gives_the_same(ions):
    stacks = [*four_chunkings(ions, "frame"), ions.chunk({"y": 7}), ions.compute()]
    assert_chunk_invariant(lambda data: remove_spikes(data, sigmas=3.0), stacks)


@pytest.mark.parametrize("frames", [1, 5])
def test_few_frames(ions, frames):
    few = ions.isel(frame=slice(4, 4 + frames))
    assert (remove_spikes(few) != few).sum() == 1


def test_recorded_and_not_twice(ions):
    cleaned = remove_spikes(ions)
    step = history(cleaned.attrs)[-1]
    assert step["step"] == "remove_spikes"
    assert step["parameters"] == {"detectors": ["SE"], "sigmas": 8.0, "kernel_size": 3}
    with pytest.raises(ValueError, match="removed before"):
        remove_spikes(cleaned)


def test_wrong_parameters(ions):
    with pytest.raises(ValueError, match="mass 0"):
        remove_spikes(ions.isel(detector=[0, 1]))
    with pytest.raises(ValueError, match="odd"):
        remove_spikes(ions, kernel_size=4)
    with pytest.raises(ValueError, match="sigmas"):
        remove_spikes(ions, sigmas=0.0)
    with pytest.raises(ValueError, match="at least 3"):
        remove_spikes(ions, kernel_size=1)
    with pytest.raises(ValueError, match="no detector"):
        remove_spikes(ions, "99X")
