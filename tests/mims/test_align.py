"""Alignment against known drift; conservation of counts; the seed's own way."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import mfxarray as mfx
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.samples import four_chunkings


@pytest.fixture(scope="module")
def truth_and_stack(tmp_path_factory):
    path = tmp_path_factory.mktemp("align") / "stack.im"
    truth = mfx.simulate_mims(path, frames=20, size=96, seed=6, drift=3.0, max_drift=10)
    return truth, mfx.open_mims(path, chunk_bytes=700_000)


def test_bright_scene_no_error_in_any_frame(truth_and_stack):
    truth, ions = truth_and_stack
    with raise_if_computes():
        shifts = ions.mims.remove_hot_pixels().mims.infer_translations("12C 14N")
    np.testing.assert_array_equal(shifts, truth.translations)
    assert shifts["confident"].values.all()
    assert np.abs(truth.translations).max() >= 5


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_one_count_a_pixel_within_half_a_pixel(tmp_path, seed):
    path = tmp_path / "dim.im"
    truth = mfx.simulate_mims(path, frames=20, size=128, seed=seed, mean_counts=1.0, drift=2.0)
    found = mfx.open_mims(path).mims.infer_translations("12C 14N")
    error = np.sqrt(((found.values - truth.translations) ** 2).mean())
    assert error < 0.5


def test_noise_is_not_confident_and_moves_nothing(tmp_path):
    path = tmp_path / "noise.im"
    mfx.simulate_mims(path, frames=20, size=96, seed=1, contrast=0.0, hot_pixels=0.0)
    ions = mfx.open_mims(path)
    shifts = ions.mims.infer_translations("12C 14N").compute()
    assert not shifts["confident"].values[1:].any()
    assert not shifts.values.any()
    np.testing.assert_array_equal(ions.mims.apply_translations(shifts), ions)


def test_alignment_undoes_the_drift(truth_and_stack):
    truth, ions = truth_and_stack
    shifts = ions.mims.infer_translations("12C 14N")
    with raise_if_computes():
        aligned = ions.mims.apply_translations(shifts)
    plane = ions.sel(detector="12C 14N").values
    moved = aligned.sel(detector="12C 14N").values
    for frame, (dy, dx) in enumerate(truth.translations):
        inside = moved[frame, 12:-12, 12:-12]
        wanted = np.roll(plane[frame], (dy, dx), (0, 1))[12:-12, 12:-12]
        np.testing.assert_array_equal(inside, wanted)
    assert aligned.dtype == ions.dtype


def test_counts_are_conserved_with_padding_and_exposure_counts_frames(truth_and_stack):
    _, ions = truth_and_stack
    aligned = ions.mims.apply_translations(ions.mims.infer_translations("12C 14N"), padding=12)
    assert aligned.shape == (20, 7, 120, 120)
    np.testing.assert_array_equal(aligned.sum(("y", "x")), ions.sum(("y", "x")))
    exposure = aligned["exposure"].values
    assert exposure.sum() == 20 * 96 * 96
    assert exposure.max() == 20
    assert "exposure" in aligned.sum("frame").coords
    step = float(ions["x"][1] - ions["x"][0])
    np.testing.assert_allclose(np.diff(aligned["x"]), step)
    np.testing.assert_allclose(aligned["x"][12:-12], ions["x"])


def test_nothing_wraps_around(truth_and_stack):
    _, ions = truth_and_stack
    far = xr.DataArray(np.full((20, 2), 30), dims=("frame", "axis"))
    aligned = ions.mims.apply_translations(far)
    assert not aligned.values[:, :, :30].any()
    assert not aligned.values[:, :, :, :30].any()
    np.testing.assert_array_equal(aligned[:, :, 30:, 30:], ions[:, :, :-30, :-30])
    gone = xr.DataArray(np.full((20, 2), 500), dims=("frame", "axis"))
    assert not ions.mims.apply_translations(gone).values.any()


@pytest.mark.parametrize("method", ["correlation", "seed"])
def test_every_chunking_gives_the_same_bits(truth_and_stack, method):
    _, ions = truth_and_stack
    stacks = [*four_chunkings(ions, "frame"), ions.chunk({"detector": 3, "y": 50})]

    def job(data):
        clean = data.mims.remove_hot_pixels()
        shifts = clean.mims.infer_translations("12C 14N", method=method)
        return clean.mims.apply_translations(shifts).sum("frame")

    assert_chunk_invariant(job, stacks)
    assert_chunk_invariant(lambda data: data.mims.infer_translations(method=method), stacks)


def test_several_detectors_are_summed(truth_and_stack):
    truth, ions = truth_and_stack
    both = ions.mims.infer_translations(["12C", "12C 14N"])
    np.testing.assert_array_equal(both, truth.translations)
    np.testing.assert_array_equal(ions.mims.infer_translations(), truth.translations)


def test_a_region_and_fewer_frames(truth_and_stack):
    truth, ions = truth_and_stack
    part = ions.isel(frame=slice(3, 12), y=slice(10, 80), x=slice(0, 70))
    found = part.mims.infer_translations("12C 14N")
    np.testing.assert_array_equal(found, truth.translations[3:12] - truth.translations[3])


def test_one_frame(truth_and_stack):
    _, ions = truth_and_stack
    shifts = ions.isel(frame=[4]).mims.infer_translations()
    assert shifts.values.tolist() == [[0, 0]]


def test_not_twice_and_the_record(truth_and_stack):
    _, ions = truth_and_stack
    shifts = ions.mims.infer_translations("12C 14N")
    aligned = ions.mims.apply_translations(shifts)
    with pytest.raises(ValueError, match="aligned before"):
        aligned.mims.apply_translations(shifts)
    step = aligned.mims.history[-1]
    assert step["others"]["translations"][-1]["parameters"]["detector"] == ["12C 14N"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"method": "x"}, "method"),
        ({"max_shift": 0}, "max_shift"),
        ({"max_shift": 96}, "max_shift"),
    ],
)
def test_wrong_parameters(truth_and_stack, parameters, message):
    _, ions = truth_and_stack
    with pytest.raises(ValueError, match=message):
        ions.mims.infer_translations(**parameters)


def test_wrong_translations(truth_and_stack):
    _, ions = truth_and_stack
    shifts = ions.mims.infer_translations()
    for wrong, message in [
        (shifts.astype(float), "whole pixels"),
        (shifts.isel(frame=slice(1, None)), "19 translations for 20"),
        (shifts.isel(axis=0), "dimensions"),
    ]:
        with pytest.raises(ValueError, match=message):
            ions.mims.apply_translations(wrong)
    with pytest.raises(ValueError, match="negative"):
        ions.mims.apply_translations(shifts, padding=-1)
    with pytest.raises(ValueError, match="no frames"):
        ions.isel(frame=slice(0, 0)).mims.infer_translations()
