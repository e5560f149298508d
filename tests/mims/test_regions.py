"""Regions made from labels, polygons and ImageJ files, and both of their forms."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
import xarray as xr
from skimage import draw

from mfxarray.errors import DataError
from mfxarray.mims.region_forms import members_of, region_names, to_labels, to_masks
from mfxarray.mims.regions import (
    regions_from_imagej,
    regions_from_labels,
    regions_from_polygons,
)
from mfxarray.provenance import history, identity
from mfxarray.testing import raise_if_computes
from tests.formats.imagej.roi_samples import roi_bytes
from tests.mims.counted_samples import ion_stack

LABELS = np.zeros((12, 10), np.uint16)
LABELS[1:4, 1:5] = 7
LABELS[6:9, 2:9] = 3

SQUARE = [(2, 1), (2, 6), (9, 6), (9, 1)]
CORNER = [(6, 4), (6, 9), (11, 9), (11, 4)]


def test_labels_keep_numbers_and_names():
    stack = ion_stack()
    regions = regions_from_labels(LABELS, stack, names={7: "nucleus", 9: "gone"})
    np.testing.assert_array_equal(regions, LABELS)
    assert regions.dtype == np.int32
    assert region_names(regions) == ["3", "nucleus", "gone"]
    assert regions.attrs["region_labels"] == [3, 7, 9]
    xr.testing.assert_equal(regions["y"], stack["y"])
    np.testing.assert_array_equal(np.diff(members_of(regions, (12, 10)).starts), [21, 12, 0])


def test_labels_bring_their_own_coordinates():
    stack = ion_stack()
    labels = xr.DataArray(LABELS, {"y": stack["y"], "x": stack["x"]}, ("y", "x"))
    xr.testing.assert_equal(regions_from_labels(labels)["x"], stack["x"])


def test_a_mask_is_a_region():
    regions = regions_from_labels(LABELS > 0, ion_stack())
    assert region_names(regions) == ["1"]


@pytest.mark.parametrize(
    ("labels", "options", "words"),
    [
        (LABELS * 1.0, {}, "integers"),
        (LABELS[None], {}, "shape"),
        (LABELS.astype(int) - 1, {}, "negative"),
        (LABELS.astype(np.int64) << 40, {}, "32 bits"),
        (LABELS, {"names": {3: "a", 7: "a"}}, "differ"),
        (LABELS, {"names": {0: "a"}}, "outside"),
        (LABELS[1:], {}, "do not fit"),
    ],
)
def test_labels_that_are_refused(labels, options, words):
    with pytest.raises(ValueError, match=words):
        regions_from_labels(labels, ion_stack(), **options)


def test_polygons_are_those_of_scikit_image():
    rng = np.random.default_rng(0)
    shapes = {name: rng.uniform(0, 12, (6, 2)) for name in "abcdef"}
    masks = regions_from_polygons(shapes, ion_stack(), form="masks")
    assert masks.dims == ("region", "y", "x")
    for name, corners in shapes.items():
        wanted = draw.polygon2mask((12, 10), corners - 0.5)
        np.testing.assert_array_equal(masks.sel(region=name), wanted)


def test_micrometres_and_pixels_agree():
    part = ion_stack().isel(y=slice(2, None), x=slice(1, None))
    pixels = regions_from_polygons({"a": SQUARE}, part)
    microns = (np.array(SQUARE) + np.array([2, 1])) * 0.1 + 1e-9
    np.testing.assert_array_equal(regions_from_polygons({"a": microns}, part, units="um"), pixels)
    assert pixels.values.sum() == 35


def test_overlap_needs_masks():
    shapes = {"a": SQUARE, "b": CORNER}
    with pytest.raises(ValueError, match="'a' and 'b' overlap in 6 pixels"):
        regions_from_polygons(shapes, ion_stack())
    masks = regions_from_polygons(shapes, ion_stack(), form="masks")
    assert (masks.sum("region") == 2).sum() == 6
    with pytest.raises(ValueError, match="overlap"):
        to_labels(masks)


@pytest.mark.parametrize(
    ("shapes", "options", "words"),
    [
        ({"a": SQUARE[:2]}, {}, "3 corners"),
        ({"a": [(0, np.nan), (1, 1), (2, 0)]}, {}, "finite"),
        ({"a": SQUARE}, {"form": "list"}, "form"),
        ({"a": SQUARE}, {"units": "nm"}, "units"),
        ({}, {}, "no region"),
    ],
)
def test_polygons_that_are_refused(shapes, options, words):
    with pytest.raises(ValueError, match=words):
        regions_from_polygons(shapes, ion_stack(), **options)


def test_both_forms_hold_the_same():
    labels = regions_from_labels(LABELS, ion_stack(), names={3: "b", 7: "a"})
    masks = to_masks(labels)
    assert region_names(masks) == ["b", "a"]
    again = to_labels(masks)
    np.testing.assert_array_equal(again > 0, LABELS > 0)
    assert region_names(again) == ["b", "a"]
    one, two = (members_of(part, (12, 10)) for part in (labels, masks))
    np.testing.assert_array_equal(one.pixels, two.pixels)
    np.testing.assert_array_equal(one.starts, two.starts)
    assert history(masks.attrs) == history(labels.attrs)
    xr.testing.assert_identical(to_masks(masks), masks)
    xr.testing.assert_identical(to_labels(labels), labels)


def test_plain_arrays_are_regions_too():
    plain = xr.DataArray(LABELS, dims=("y", "x"))
    assert region_names(plain) == ["3", "7"]
    np.testing.assert_array_equal(np.diff(members_of(plain, (12, 10)).starts), [21, 12])
    masks = xr.DataArray(np.stack([LABELS == 7]), dims=("region", "y", "x"))
    assert region_names(masks) == ["1"]


def test_what_is_no_region():
    for wrong in (
        xr.DataArray(LABELS * 1.0, dims=("y", "x")),
        xr.DataArray(LABELS, dims=("y", "z")),
        xr.DataArray(LABELS[None], dims=("region", "y", "x")),
    ):
        with pytest.raises(ValueError, match="labels"):
            members_of(wrong, (12, 10))
    with pytest.raises(ValueError, match="padding"):
        members_of(xr.DataArray(LABELS, dims=("y", "x")), (28, 26))


def saved(tmp_path, **rois):
    path = tmp_path / "rois.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in rois.items():
            archive.writestr(f"{name}.roi", data)
    return path


def test_imagej_regions(tmp_path):
    path = saved(tmp_path, a=roi_bytes(box=(1, 2, 4, 9)), b=roi_bytes("oval", (5, 1, 11, 9)))
    with raise_if_computes():
        regions = regions_from_imagej(path, ion_stack())
    assert region_names(regions) == ["a", "b"]
    assert (regions == 1).sum() == 21
    assert regions.values[1:4, 2:9].min() == 1
    source = history(regions.attrs)[0]["source"]
    assert source["name"] == "rois.zip"


def test_imagej_overlap_and_lines(tmp_path):
    stack = ion_stack()
    path = saved(tmp_path, a=roi_bytes(box=(1, 2, 4, 9)), b=roi_bytes(box=(3, 2, 6, 9)))
    with pytest.raises(ValueError, match="form='masks'"):
        regions_from_imagej(path, stack)
    assert regions_from_imagej(path, stack, form="masks").sizes["region"] == 2
    path = saved(tmp_path, a=roi_bytes(), cut=roi_bytes("line", four=(1, 1, 5, 5)))
    with pytest.raises(DataError, match=r"no area: cut \(line\)"):
        regions_from_imagej(path, stack)
    with pytest.warns(UserWarning, match="skipped"):
        assert region_names(regions_from_imagej(path, stack, lines="skip")) == ["a"]
    with pytest.raises(ValueError, match="lines"):
        regions_from_imagej(path, stack, lines="draw")


def test_imagej_regions_outside_are_told(tmp_path):
    path = saved(tmp_path, a=roi_bytes(), far=roi_bytes(box=(100, 100, 110, 120)))
    with pytest.warns(UserWarning, match="far"):
        regions = regions_from_imagej(path, ion_stack())
    assert region_names(regions) == ["a", "far"]


def test_the_record_knows_the_pixels():
    stack = ion_stack()
    one = regions_from_labels(LABELS, stack)
    other = regions_from_labels(np.roll(LABELS, 1), stack)
    assert identity(one.attrs) != identity(other.attrs)
    assert identity(one.attrs) == identity(regions_from_labels(LABELS, stack).attrs)
