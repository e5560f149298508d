"""Profiles along frames and lines."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import ndimage

from mfxarray.mims.accumulate import accumulate
from mfxarray.mims.align import apply_translations
from mfxarray.mims.corrections import correct_dead_time
from mfxarray.mims.profiles import depth_profile, line_profile
from mfxarray.mims.ratios import ratio
from mfxarray.mims.region_tables import region_table
from mfxarray.mims.regions import regions_from_labels
from mfxarray.provenance import history
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.mims.counted_samples import counts_like, ion_stack

LABELS = np.zeros((12, 10), int)
LABELS[1:4, 1:5] = 1
LABELS[6:10, 2:9] = 2


def test_the_whole_image():
    stack = ion_stack()
    with raise_if_computes():
        profile = depth_profile(stack, ratios={"c13": ("13C", "12C")})
    assert profile["counts"].dims == ("frame", "detector")
    np.testing.assert_array_equal(profile["counts"], stack.values.sum((2, 3), dtype=np.int64))
    np.testing.assert_allclose(profile["mean"], stack.values.mean((2, 3)))
    sums = stack.values.sum((2, 3), dtype=float)
    np.testing.assert_array_equal(profile["c13"], sums[:, 1] / sums[:, 0])
    np.testing.assert_allclose(
        profile["c13_error"] / profile["c13"], np.sqrt(1 / sums[:, 0] + 1 / sums[:, 1])
    )


def test_regions_and_blocks():
    stack = ion_stack()
    regions = regions_from_labels(LABELS, stack)
    profile = depth_profile(stack, regions, blocks=4, ratios={"c13": ("13C", "12C")}).compute()
    table = region_table(stack, regions).compute()
    wanted = np.add.reduceat(table["counts"].values, [0, 4, 8], axis=0)
    np.testing.assert_array_equal(profile["counts"], wanted)
    np.testing.assert_array_equal(profile["n_frames"], [4, 4, 3])
    np.testing.assert_array_equal(profile["frame"], [0, 4, 8])
    np.testing.assert_array_equal(profile["c13"], ratio(profile, "13C", "12C")["ratio"])
    np.testing.assert_allclose(profile["mean"], wanted / [12, 28])
    assert [step["step"] for step in history(profile.attrs)][-2:] == ["region_table", "accumulate"]
    together = accumulate(table, blocks=4)
    np.testing.assert_array_equal(together["counts"], profile["counts"])


def test_missing_pixels_of_blocks():
    stack = ion_stack().astype(float)
    stack = stack.where(stack["frame"] != 1)
    stack.attrs["units"] = "counts"
    profile = depth_profile(stack, regions_from_labels(LABELS, stack), blocks=2).compute()
    np.testing.assert_array_equal(profile["n_missing"].isel(frame=0, detector=0), [12, 28])
    # of two frames one is missing: counts of one, and half of the pixels
    one = ion_stack().values[0, 0, 1:4, 1:5].sum()
    assert profile["mean"].values[0, 0, 0] == pytest.approx(one / 6)


@pytest.mark.parametrize("treat", [lambda s: s, correct_dead_time])
def test_chunks_change_no_bit(treat):
    stack = ion_stack()

    def line(chunked):
        return line_profile(treat(chunked), (1, 1), (10, 9), width=3, ratios={"r": ("13C", "12C")})

    def depth(chunked):
        return depth_profile(treat(chunked), blocks=3, ratios={"r": "13C/12C"})

    chunkings = [{"frame": -1}, {"frame": 2, "detector": 1}, {"frame": (4, 1, 6), "y": 5}]
    for profile in (line, depth):
        assert_chunk_invariant(profile, [stack.chunk(chunks) for chunks in chunkings])


def test_drift_does_not_look_like_depth():
    values = np.full((6, 2, 12, 10), 50, np.uint32)
    stack = counts_like(values, ["12C", "13C"])
    shifts = np.stack([np.arange(6), -np.arange(6)], 1)
    aligned = apply_translations(stack, shifts)
    flat = depth_profile(aligned).compute()
    assert (flat["counts"] == 50 * 7 * 5).all()
    assert flat["n_pixels"] == 35
    falls = depth_profile(aligned, covered=False).compute()
    assert falls["counts"][-1, 0] < falls["counts"][0, 0]


def test_depth_needs_frames():
    with pytest.raises(ValueError, match="'frame'"):
        depth_profile(accumulate(ion_stack()))
    with pytest.raises(ValueError, match="blocks"):
        depth_profile(ion_stack(), blocks=0)


@pytest.mark.parametrize("weighting", ["area", "nearest"])
def test_a_line_along_the_rows(weighting):
    stack = ion_stack()
    profile = line_profile(stack, (3.5, 2), (3.5, 8), width=3, weighting=weighting)
    wanted = stack.values[:, :, 2:5, 2:8].sum(2)
    np.testing.assert_allclose(profile["counts"], wanted, rtol=1e-12)
    assert profile["counts"].dtype == (np.int64 if weighting == "nearest" else np.float64)
    np.testing.assert_allclose(profile["distance"], np.arange(6) + 0.5)
    np.testing.assert_allclose(profile["n_pixels"], 3)
    np.testing.assert_allclose(profile["area_um2"], 0.03)
    np.testing.assert_allclose(profile["y"], 3.5)
    np.testing.assert_allclose(profile["x"], np.arange(6) + 2.5)


@pytest.mark.parametrize("weighting", ["area", "nearest"])
def test_micrometres_give_the_same(weighting):
    stack = ion_stack()
    pixels = line_profile(stack, (1, 1.2), (10, 8), width=2.3, weighting=weighting)
    microns = line_profile(
        stack, (0.1, 0.12), (1.0, 0.8), width=0.23, weighting=weighting, units="um"
    )
    np.testing.assert_allclose(microns["counts"], pixels["counts"], rtol=1e-9)
    np.testing.assert_allclose(microns["distance"], pixels["distance"] * 0.1)
    assert microns["distance"].attrs["units"] == "µm"


@pytest.mark.parametrize("weighting", ["area", "nearest"])
def test_bands_beside_each_other_conserve_every_count(weighting):
    stack = ion_stack(frames=2)
    # three bands, tilted, that cover the whole image
    along, across = np.array([0.6, 0.8]), np.array([-0.8, 0.6])
    middle = np.array([6.0, 5.0])
    total = 0
    for number in range(-4, 5):
        centre = middle + across * number * 2.5
        ends = centre - along * 14, centre + along * 14
        try:
            found = line_profile(stack, *ends, width=2.5, weighting=weighting)
        except ValueError:
            continue
        total = total + found["counts"].sum("distance")
    np.testing.assert_allclose(total, stack.values.sum((2, 3)), rtol=1e-10)


def test_a_smooth_image_gives_what_interpolation_gives():
    y, x = np.indices((60, 60)) + 0.5
    image = 1e6 * (2 + np.sin(x / 9) + np.cos(y / 7))
    data = xr.DataArray(image.round().astype(np.int64), dims=("y", "x"))
    profile = line_profile(data, (10, 8), (50, 45), width=1)
    places = np.stack([profile["y"], profile["x"]]) - 0.5
    wanted = ndimage.map_coordinates(image, places, order=3)
    np.testing.assert_allclose(profile["mean"], wanted, rtol=0.01)


def test_ratios_along_a_line():
    total = accumulate(ion_stack())
    profile = line_profile(total, (1, 1), (9, 9), width=4, ratios={"c13": ("13C", "12C")})
    counts = profile["counts"].compute()
    np.testing.assert_allclose(profile["c13"], counts[1] / counts[0])
    assert np.isfinite(profile["c13_low"]).all()
    assert history(profile.attrs)[-1]["parameters"]["weighting"] == "area"


def test_bins_and_what_lies_outside():
    stack = ion_stack()
    profile = line_profile(stack, (6, -5), (6, 15), width=2, bins=4).compute()
    np.testing.assert_allclose(profile["n_pixels"], [0, 10, 10, 0])
    assert np.isnan(profile["mean"][..., 0]).all()
    np.testing.assert_allclose(profile["counts"][..., 1], stack.values[:, :, 5:7, :5].sum((2, 3)))


@pytest.mark.parametrize(
    ("ends", "options", "words"),
    [
        (((1, 1), (1, 1)), {}, "two different ends"),
        (((1, np.nan), (1, 1)), {}, "two different ends"),
        (((1, 1), (5, 5)), {"width": 0}, "width"),
        (((1, 1), (5, 5)), {"bins": 0}, "bins"),
        (((1, 1), (5, 5)), {"weighting": "linear"}, "weighting"),
        (((1, 1), (5, 5)), {"units": "nm"}, "units"),
        (((-30, -30), (-20, -20)), {}, "no pixel"),
        (((0, 0), (1e9, 1e9)), {}, "bins"),
    ],
)
def test_lines_that_are_refused(ends, options, words):
    with pytest.raises(ValueError, match=words):
        line_profile(ion_stack(), *ends, **options)
