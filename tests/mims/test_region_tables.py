"""Tables of regions; scikit-image and scipy are the oracles."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from scipy import ndimage
from skimage import measure

from mfxarray import open_zarr
from mfxarray.mims.accumulate import accumulate
from mfxarray.mims.align import apply_translations
from mfxarray.mims.corrections import correct_dead_time, divide_yield
from mfxarray.mims.ratios import expression, ratio
from mfxarray.mims.region_forms import to_masks
from mfxarray.mims.region_tables import region_table
from mfxarray.mims.regions import regions_from_labels, regions_from_polygons
from mfxarray.provenance import history
from mfxarray.stores.zarr_store import write_zarr
from mfxarray.testing import (
    assert_chunk_invariant,
    assert_same_bits,
    count_computes,
    raise_if_computes,
)
from tests.mims.counted_samples import ion_stack

LABELS = np.zeros((12, 10), int)
LABELS[1:4, 1:5] = 7
LABELS[6:10, 2:9] = 3
LABELS[11, 0] = 4


def regions(stack=None):
    return regions_from_labels(LABELS, ion_stack() if stack is None else stack)


def test_sums_are_those_of_scipy():
    stack = ion_stack()
    table = region_table(stack, regions())
    assert table["counts"].dims == ("frame", "detector", "region")
    assert table["counts"].dtype == np.int64
    for frame in range(0, 11, 5):
        for detector in range(5):
            wanted = ndimage.sum_labels(stack.values[frame, detector], LABELS, [3, 4, 7])
            np.testing.assert_array_equal(table["counts"][frame, detector], wanted)


def test_a_sum_image_is_that_of_scikit_image():
    total = accumulate(ion_stack())
    table = region_table(total, regions()).compute()
    image = np.moveaxis(total.values, 0, -1)
    theirs = measure.regionprops_table(
        LABELS, image, properties=("label", "area", "centroid", "mean_intensity")
    )
    np.testing.assert_array_equal(table["region"].astype(int), theirs["label"])
    np.testing.assert_array_equal(table["n_pixels"], theirs["area"])
    np.testing.assert_allclose(table["area_um2"], theirs["area"] * 0.01)
    np.testing.assert_allclose(table["centroid_y"], (theirs["centroid-0"] + 0.5) * 0.1)
    np.testing.assert_allclose(table["centroid_x"], (theirs["centroid-1"] + 0.5) * 0.1)
    for number in range(5):
        np.testing.assert_allclose(table["mean"][number], theirs[f"mean_intensity-{number}"])


def test_the_result_stays_lazy_and_takes_one_pass():
    stack, chosen = ion_stack(), regions()
    with raise_if_computes():
        table = region_table(stack, chosen, ratios={"c13": ("13C", "12C")})
    assert all(isinstance(values.data, da.Array) for values in table.data_vars.values())
    with count_computes() as made:
        table.compute()
    assert len(made) == 1


@pytest.mark.parametrize("kind", ["raw", "corrected", "sum"])
def test_chunks_change_no_bit(kind):
    def table(stack):
        data = {"raw": lambda s: s, "corrected": correct_dead_time, "sum": accumulate}[kind](stack)
        return region_table(data, regions(), ratios={"c13": ("13C", "12C"), "f": "13C/(12C+13C)"})

    stack = ion_stack()
    chunkings = [
        {"frame": -1},
        {"frame": 1},
        {"frame": (1, 4, 6), "detector": 2},
        {"frame": 5, "y": 5, "x": 3},
    ]
    assert_chunk_invariant(table, [stack.chunk(chunks) for chunks in chunkings])


def test_ratios_are_those_of_the_sums():
    stack = ion_stack()
    table = region_table(
        stack, regions(), ratios={"c13": ("13C", "12C"), "f": "13C/(12C+13C)"}, confidence=0.9
    )
    plain = region_table(stack, regions())
    wanted = ratio(plain, "13C", "12C", confidence=0.9)
    for name in ("error", "low", "high"):
        np.testing.assert_array_equal(table[f"c13_{name}"], wanted[name])
    np.testing.assert_array_equal(table["c13"], wanted["ratio"])
    counts = plain["counts"].sel(detector=["13C", "12C"]).values
    np.testing.assert_array_equal(wanted["ratio"].values[:, 0], counts[:, 0, 0] / counts[:, 1, 0])
    np.testing.assert_array_equal(table["f"], expression(plain, "13C/(12C+13C)")["value"])
    assert "c13_low" not in region_table(
        stack, regions(), ratios={"c13": ("13C", "12C")}, confidence=None
    )


def test_errors_of_raw_counts():
    table = region_table(ion_stack(), regions()).compute()
    assert "variance" not in table
    ions, electrons = table["error"][:, :4], table["error"].sel(detector="SE")
    np.testing.assert_array_equal(ions, np.sqrt(table["counts"][:, :4]))
    assert np.isnan(electrons).all()
    assert (table["counts"].sel(detector="SE") > 0).any()


def test_corrected_counts_bring_their_variance():
    corrected = divide_yield(correct_dead_time(ion_stack()), {"12C": 0.5})
    table = region_table(corrected, regions()).compute()
    for name in ("counts", "variance"):
        values = corrected[name].values
        for place, label in enumerate([3, 4, 7]):
            wanted = (values * (label == LABELS)).sum((2, 3))
            np.testing.assert_allclose(table[name].values[..., place], wanted, rtol=1e-12)
    np.testing.assert_allclose(table["error"][:, :4], np.sqrt(table["variance"][:, :4]))
    assert not table["n_missing"].any()
    # the table is counts again
    np.testing.assert_array_equal(
        ratio(table, "13C", "12C")["ratio"], table["counts"][:, 1] / table["counts"][:, 0]
    )


def test_missing_pixels_are_left_out_and_counted():
    stack = ion_stack().astype(float)
    stack = stack.where(~((stack["y"] < 0.2) & (stack["frame"] == 2)))
    stack.attrs["units"] = "counts"
    table = region_table(stack, regions()).compute()
    seven = table.sel(region="7", frame=2)
    np.testing.assert_array_equal(seven["n_missing"], 4)
    rest = ion_stack().values[2, :, 2:4, 1:5].sum((1, 2))
    np.testing.assert_array_equal(seven["counts"], rest)
    np.testing.assert_allclose(seven["mean"], rest / 8)


def test_regions_that_overlap():
    shapes = {"a": [(1, 1), (1, 6), (8, 6), (8, 1)], "b": [(4, 3), (4, 9), (11, 9), (11, 3)]}
    masks = regions_from_polygons(shapes, ion_stack(), form="masks")
    table = region_table(ion_stack(), masks)
    wanted = np.einsum("fdyx,ryx->fdr", ion_stack().values.astype(int), masks.values)
    np.testing.assert_array_equal(table["counts"], wanted)


def test_a_region_without_pixels():
    empty = regions_from_labels(LABELS, ion_stack(), names={9: "none"})
    none = region_table(ion_stack(), empty).compute().sel(region="none")
    assert not none["counts"].any()
    assert none["n_pixels"] == 0
    assert np.isnan(none["mean"]).all()
    assert np.isnan(none["centroid_y"])


def test_only_pixels_that_all_frames_cover():
    stack = ion_stack()
    shifts = np.zeros((11, 2), int)
    shifts[4] = [3, 0]
    aligned = apply_translations(stack, shifts)
    table = region_table(aligned, regions()).compute()
    covered = np.zeros((12, 10), bool)
    covered[3:] = True
    kept = np.where(covered, LABELS, 0)
    wanted = [np.count_nonzero(kept == label) for label in (3, 4, 7)]
    np.testing.assert_array_equal(table["n_pixels"], wanted)
    np.testing.assert_allclose(table["area_um2"], np.array(wanted) * 0.01)
    assert table["centroid_y"].sel(region="7") == pytest.approx(0.35)
    sums = np.stack([(aligned.values * (kept == label)).sum((2, 3)) for label in (3, 4, 7)], -1)
    np.testing.assert_array_equal(table["counts"], sums)
    everything = region_table(aligned, regions(), covered=False)
    np.testing.assert_array_equal(everything["n_pixels"], [28, 1, 12])


def test_sums_of_aligned_frames_tell_their_exposure():
    shifts = np.zeros((11, 2), int)
    shifts[4] = [3, 0]
    total = accumulate(apply_translations(ion_stack(), shifts))
    table = region_table(total, regions()).compute()
    np.testing.assert_array_equal(table["exposure"], [28 * 11, 11, 12 * 11 - 8])
    np.testing.assert_array_equal(table["n_pixels"], [28, 1, 12])
    inside = region_table(total, regions(), covered=True).compute()
    np.testing.assert_array_equal(inside["n_pixels"], [28, 1, 4])


def test_pandas_takes_it():
    table = region_table(accumulate(ion_stack()), regions(), ratios={"c13": ("13C", "12C")})
    frame = table.compute().to_dataframe()
    assert len(frame) == 15
    assert {"counts", "error", "n_pixels", "area_um2", "c13_low"} <= set(frame.columns)
    one = table.sel(detector="12C").to_dataframe()
    assert one.index.tolist() == ["3", "4", "7"]


def test_the_record():
    table = region_table(ion_stack(), regions())
    step = history(table.attrs)[-1]
    assert step["step"] == "region_table"
    assert step["parameters"]["regions"] == ["3", "4", "7"]
    assert step["others"]["regions"][0]["step"] == "regions_from_labels"
    assert history(ratio(table, "13C", "12C").attrs)[-2] == step


def test_a_dataset_of_raw_counts():
    stack = ion_stack()
    one = region_table(stack.to_dataset(name="counts"), regions()).compute()
    np.testing.assert_array_equal(one["counts"], region_table(stack, regions())["counts"])


def test_what_is_refused():
    stack = ion_stack()
    with pytest.raises(ValueError, match="pixels"):
        region_table(stack.isel(y=slice(3)), regions())
    with pytest.raises(ValueError, match="exposure"):
        region_table(stack, regions(), covered=True)
    with pytest.raises(ValueError, match="'/'"):
        region_table(stack, regions(), ratios={"13C/12C": ("13C", "12C")})
    with pytest.raises(ValueError, match="taken"):
        region_table(stack, regions(), ratios={"counts": ("13C", "12C")})
    with pytest.raises(ValueError, match="14C"):
        region_table(stack, regions(), ratios={"c": ("14C", "12C")})
    with pytest.raises(ValueError, match="dimensions y and x"):
        region_table(stack.isel(x=0), regions())


def test_images_without_positions():
    plain = ion_stack().drop_vars(["y", "x"])
    table = region_table(plain, xr.DataArray(LABELS, dims=("y", "x")))
    assert "area_um2" not in table.coords
    assert table["centroid_y"].attrs["units"] == "pixel"
    assert float(table["centroid_y"].sel(region="4")) == 11.5


def test_regions_out_of_a_store(tmp_path):
    chosen = regions_from_labels(LABELS, ion_stack(), names={7: "nucleus"})
    wanted = region_table(ion_stack(), chosen)["counts"]
    for number, form in enumerate([chosen, to_masks(chosen)]):
        write_zarr(form, tmp_path / f"{number}.zarr")
        again = open_zarr(tmp_path / f"{number}.zarr")
        found = region_table(ion_stack(), again)["counts"]
        np.testing.assert_array_equal(found, wanted)
        assert found["region"].values.tolist() == ["3", "4", "nucleus"]
    with pytest.raises(ValueError, match="'regions'"):
        region_table(ion_stack(), ion_stack().to_dataset(name="counts"))


@pytest.mark.cluster
def test_processes_give_the_same():
    table = region_table(correct_dead_time(ion_stack()), regions())
    with dask.config.set(scheduler="processes"):
        found = table.compute()
    assert_same_bits(found, table.compute())
