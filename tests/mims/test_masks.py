"""Replacing masked pixels: median, draw, missing or a count; lazily and whatever the chunks."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from mfxarray.mims.masks import apply_mask
from mfxarray.provenance import history
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.samples import four_chunkings

KINDS = ["median", "draw", "missing", 7]


@pytest.fixture(scope="module")
def ions():
    rng = np.random.default_rng(1)
    counts = rng.poisson([[[4]], [[90]], [[1]], [[50]]], (12, 4, 20, 23)).astype("u4")
    coords = {
        "frame": np.arange(100, 112),
        "detector": ["a", "b", "c", "SE"],
        "mass": ("detector", [12.0, 13.0, 14.0, 0.0]),
    }
    data = xr.DataArray(counts, coords, ("frame", "detector", "y", "x"), "counts")
    return data.copy(data=da.from_array(counts, chunks=(5, -1, -1, -1)))


@pytest.fixture(scope="module")
def mask(ions):
    found = np.random.default_rng(2).random((12, 20, 23)) < 0.05
    coords = {"frame": ions["frame"].values}
    return xr.DataArray(found, coords, ("frame", "y", "x")).chunk({"frame": 4})


@pytest.mark.parametrize("kind", KINDS)
def test_only_masked_pixels_of_ions_change(ions, mask, kind):
    with raise_if_computes():
        cleaned = apply_mask(ions, mask, replacement=kind)
    hot = mask.values[:, None] & (ions["mass"].values > 0)[:, None, None]
    found = cleaned.values
    np.testing.assert_array_equal(found[~hot], ions.values[~hot])
    assert cleaned.dtype == found.dtype == (np.float64 if kind == "missing" else np.uint32)
    assert np.isnan(found[hot]).all() if kind == "missing" else np.isfinite(found).all()
    if kind == 7:
        assert (found[hot] == 7).all()
    step = history(cleaned.attrs)[-1]
    assert step["step"] == "apply_mask"
    assert step["parameters"]["replacement"] == kind
    assert ("seed" in step["parameters"]) == (kind == "draw")


@pytest.mark.parametrize("kind", KINDS)
def test_every_chunking_gives_the_same(ions, mask, kind):
    stacks = [*four_chunkings(ions, "frame"), ions.chunk({"detector": 2, "y": 7, "x": 5})]
    assert_chunk_invariant(lambda data: apply_mask(data, mask, replacement=kind), stacks)
    loaded = apply_mask(ions.compute(), mask.compute(), replacement=kind)
    np.testing.assert_array_equal(loaded, apply_mask(ions, mask, replacement=kind))


def test_draws_know_frames_and_detectors_by_name(ions, mask):
    whole = apply_mask(ions, mask, replacement="draw")
    part = apply_mask(ions.isel(frame=slice(3, 9), detector=[2, 0]), mask[3:9], replacement="draw")
    np.testing.assert_array_equal(part, whole.isel(frame=slice(3, 9), detector=[2, 0]))
    other = apply_mask(ions, mask, replacement="draw", seed=1)
    assert (other != whole).any()


def test_draws_keep_the_mean_where_the_median_does_not(ions, mask):
    hot = mask.values
    dim = {kind: apply_mask(ions, mask, replacement=kind)[:, 2].values[hot] for kind in KINDS[:2]}
    error = 4 * (1 / hot.sum()) ** 0.5
    assert dim["draw"].mean() == pytest.approx(1.0, abs=error)
    assert dim["draw"].var() == pytest.approx(1.0, abs=3 * error)
    assert dim["median"].var() < 0.5


def test_frames_without_numbers(ions, mask):
    plain = ions.drop_vars("frame")
    found = apply_mask(plain, mask.drop_vars("frame"), replacement="draw")
    assert found.shape == ions.shape
    named = ions.assign_coords(frame=[f"f{i}" for i in range(12)])
    text = apply_mask(named, mask.drop_vars("frame"), replacement="draw")
    np.testing.assert_array_equal(text.values, found.values)


def test_chosen_detectors(ions, mask):
    replaced = apply_mask(ions, mask, replacement=7, detectors=["b", "SE"])
    hot = mask.values
    assert (replaced.sel(detector="b").values[hot] == 7).all()
    assert (replaced.sel(detector="SE").values[hot] == 7).all()
    np.testing.assert_array_equal(replaced.sel(detector="a"), ions.sel(detector="a"))


def test_wrong_masks_and_parameters(ions, mask):
    with pytest.raises(ValueError, match="shape"):
        apply_mask(ions, mask.isel(y=slice(1, None)))
    with pytest.raises(ValueError, match="dimensions"):
        apply_mask(ions, mask.isel(frame=0))
    with pytest.raises(ValueError, match="'median', 'missing', 'draw'"):
        apply_mask(ions, mask, replacement="mean")
    with pytest.raises(ValueError, match="odd"):
        apply_mask(ions, mask, kernel_size=4)
