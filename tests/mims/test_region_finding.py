"""Regions found by threshold and watershed."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import ndimage
from skimage import filters, measure, segmentation

from mfxarray.mims.region_finding import threshold_regions, watershed_regions
from mfxarray.mims.region_forms import region_names
from mfxarray.provenance import history


def cells(shape=(60, 70)) -> xr.DataArray:
    """Two cells that touch, one alone, and a speck."""
    y, x = np.indices(shape)
    image = np.full(shape, 5.0)
    for row, column, radius in [(20, 20, 11), (20, 37, 10), (45, 55, 8), (50, 10, 1)]:
        image[(y - row) ** 2 + (x - column) ** 2 <= radius**2] = 100
    counts = np.random.default_rng(0).poisson(image)
    return xr.DataArray(counts, {"y": np.arange(60) * 0.1}, ("y", "x"))


def test_thresholds_are_those_of_scikit_image():
    image = cells()
    regions = threshold_regions(image)
    theirs = measure.label(image.values > filters.threshold_otsu(image.values), connectivity=1)
    np.testing.assert_array_equal(regions, theirs)
    assert regions.max() == 3
    assert region_names(regions) == ["1", "2", "3"]
    assert "y" in regions.coords
    assert history(regions.attrs)[0]["parameters"]["threshold"] < 100


def test_small_parts_and_given_thresholds():
    assert threshold_regions(cells(), 50, min_pixels=20).max() == 2
    assert threshold_regions(cells(), 1e6).max() == 0
    image = xr.DataArray(np.eye(4), dims=("y", "x"))
    assert threshold_regions(image, 0.5).max() == 4
    assert threshold_regions(image, 0.5, corners=True).max() == 1


def test_missing_pixels_are_outside():
    image = cells().astype(float)
    image[20, 20] = np.nan
    assert threshold_regions(image).values[20, 20] == 0


def test_watershed_parts_cells_that_touch():
    image = cells()
    regions = watershed_regions(image, threshold=50, min_distance=6, min_pixels=10)
    assert regions.max() == 3
    values = regions.values
    assert len({values[20, 20], values[20, 37], values[45, 55]}) == 3
    np.testing.assert_array_equal(values > 0, threshold_regions(image, 50, min_pixels=10) > 0)


def test_watershed_is_that_of_scikit_image():
    image = cells()
    markers = np.zeros(image.shape, np.int32)
    markers[20, 20], markers[20, 37], markers[45, 55] = 4, 9, 2
    mask = image.values > 50
    distance = ndimage.distance_transform_edt(mask)
    ours = watershed_regions(image, markers, threshold=50)
    np.testing.assert_array_equal(ours, segmentation.watershed(-distance, markers, mask=mask))
    assert region_names(ours) == ["2", "4", "9"]
    smooth = xr.DataArray(ndimage.gaussian_filter(image.values * 1.0, 2), dims=("y", "x"))
    ours = watershed_regions(smooth, markers, threshold=40, by="brightness")
    theirs = segmentation.watershed(-smooth.values, markers, mask=smooth.values > 40)
    np.testing.assert_array_equal(ours, theirs)
    assert watershed_regions(image, markers, threshold=50, min_pixels=250).max() == 9


def test_what_is_refused():
    image = cells()
    with pytest.raises(ValueError, match="accumulate"):
        threshold_regions(image.expand_dims("frame"))
    with pytest.raises(ValueError, match="threshold"):
        threshold_regions(image, "li")
    with pytest.raises(ValueError, match="by must"):
        watershed_regions(image, by="size")
    with pytest.raises(ValueError, match="min_distance"):
        watershed_regions(image, min_distance=0)
    with pytest.raises(ValueError, match="markers"):
        watershed_regions(image, np.zeros((3, 3), int))
    with pytest.raises(ValueError, match="negative"):
        watershed_regions(image, np.full(image.shape, -1))
