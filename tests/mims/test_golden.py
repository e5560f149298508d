"""The seed-compatible mode, bit for bit against what openformat gave on the same files."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import xarray as xr

import mfxarray as mfx

pytestmark = pytest.mark.realdata


def sha256(values, dtype):
    data = np.ascontiguousarray(np.asarray(values).astype(dtype))
    return hashlib.sha256(data.tobytes()).hexdigest()


@pytest.fixture(scope="module")
def golden(data_dir):
    return json.loads((data_dir / "mims" / "openformat_golden.json").read_text())


@pytest.fixture(scope="module", params=[1_000_000, 100_000_000])
def stack(data_dir, request):
    path = data_dir / "mims" / "synthetic" / "s1_v10_le_u4_24x6x96.im"
    return mfx.open_mims(path, roll="seed", chunk_bytes=request.param)


@pytest.fixture(scope="module")
def clean(stack):
    return stack.mims.remove_hot_pixels(method="seed")


def test_rolled_and_plain_pixels(golden, stack, data_dir):
    assert sha256(stack, "<i4") == golden["load_rolled_i4"]
    plain = mfx.open_mims(data_dir / "mims" / "synthetic" / "s1_v10_le_u4_24x6x96.im")
    assert sha256(plain, "<i4") == golden["load_unrolled_i4"]


def test_hot_masks(golden, stack):
    cases = golden["infer_hot_pixels_on_rolled_without_SE"]
    assert len(cases) >= 5
    for case in cases:
        mask = stack.mims.infer_hot_pixels(method="seed", **case["kwargs"]).values
        assert mask.sum() == case["n_true"]
        assert sha256(mask, "u1") == case["mask_sha256_u1"]


def test_filtered_images(golden, stack):
    everywhere = xr.ones_like(stack.isel(detector=0, drop=True), dtype=bool)
    for case in golden["infer_hot_pixels_on_rolled_without_SE"]:
        size = case["kwargs"].get("kernel_size", 3)
        filtered = stack.mims.apply_mask(everywhere, kernel_size=size)[:, :5]
        assert sha256(filtered, "<i4") == case["filtered_sha256_i4"]


def test_cleaned(golden, stack, clean):
    assert sha256(clean[:, :5], "<i4") == golden["remove_hot_pixels_default_i4"]
    before, after = golden["removed_count_sum_before_after"]
    assert int(stack[:, :5].sum()) == before
    assert int(clean[:, :5].sum()) == after


@pytest.mark.parametrize("padding", [0, 4, 8, 16])
def test_translations(golden, clean, padding):
    found = clean.mims.infer_translations("12C 14N", method="seed", padding=padding)
    wanted = golden["infer_translations_12C14N_cleaned_by_padding"][str(padding)]
    assert found.values.tolist() == wanted


@pytest.mark.parametrize("padding", [0, 8])
def test_aligned(golden, clean, padding):
    shifts = clean.mims.infer_translations("12C 14N", method="seed", padding=8)
    aligned = clean.mims.apply_translations(shifts, padding=padding)[:, :5]
    wanted = golden[f"apply_translations_T8_padding{padding}"]
    assert list(aligned.shape) == wanted["shape"]
    assert sha256(aligned, "<i4") == wanted["sha256_i4"]


def test_the_whole_job(golden, clean):
    wanted = golden["process_image_data"]
    shifts = clean.mims.infer_translations("12C 14N", method="seed")
    assert shifts.values.tolist() == wanted["translations"]
    total = clean.mims.apply_translations(shifts).sum("frame")[:, 8:-8, 8:-8]
    for name, hash_ in wanted["total_sha256_i8"].items():
        assert int(total.sel(detector=name).sum()) == wanted["total_sum"][name]
        assert sha256(total.sel(detector=name), "<i8") == hash_
    assert float(clean["x"][1] - clean["x"][0]) == pytest.approx(wanted["pixel_size"])


def test_rectangular_images(golden):
    wanted = golden["rectangular_array_rng4_poisson3_13x4x20x31"]
    counts = np.random.default_rng(4).poisson(3, (13, 4, 20, 31))
    data = xr.DataArray(counts, {"detector": list("abcd")}, ("frame", "detector", "y", "x"))
    data = data.astype("i4")
    mask = data.mims.infer_hot_pixels(method="seed", num_outliers=2).values
    assert mask.sum() == wanted["n_true"]
    assert sha256(mask, "u1") == wanted["mask_sha256_u1"]
    everywhere = xr.ones_like(data.isel(detector=0, drop=True), dtype=bool)
    filtered = data.mims.apply_mask(everywhere)
    assert sha256(filtered, "<i4") == wanted["filtered_sha256_i4"]
    shifts = data.mims.infer_translations("a", method="seed")
    assert shifts.values.tolist() == wanted["translations"]


def test_our_own_alignment_finds_the_truth_where_the_seed_does_not(golden, data_dir):
    path = data_dir / "mims" / "synthetic" / "s1_v10_le_u4_24x6x96.im"
    shifts = mfx.open_mims(path).mims.remove_hot_pixels().mims.infer_translations("12C 14N")
    assert shifts.values.tolist() == golden["s1_truth_view_shifts_dy_dx"]
