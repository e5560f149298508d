"""The whole job: the seed's numbers with its preset, ours without."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

import mfxarray as mfx
from mfxarray.testing import raise_if_computes
from tests.samples import ion_stack


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return ion_stack(tmp_path_factory.mktemp("job"))


def sha256(values):
    data = np.ascontiguousarray(np.asarray(values).astype("<i8"))
    return hashlib.sha256(data.tobytes()).hexdigest()


@pytest.mark.parametrize("preset", ["default", "seed"])
def test_it_is_the_steps_one_by_one(path, preset):
    with raise_if_computes():
        found = mfx.mims.process(path, "12C 14N", preset=preset)
    seed = preset == "seed"
    method = {"method": "seed"} if seed else {}
    counts = mfx.open_mims(path, roll=(1, 1) if seed else (0, 0))
    cleaned = counts.mims.remove_hot_pixels(**method)
    shifts = cleaned.mims.infer_translations("12C 14N", **method)
    aligned = cleaned.mims.apply_translations(shifts, padding=8 if seed else 0)
    if seed:
        aligned = aligned[:, :, 8:-8, 8:-8]
    np.testing.assert_array_equal(found["cleaned"], cleaned)
    np.testing.assert_array_equal(found["translations"], shifts)
    np.testing.assert_array_equal(found["aligned"], aligned)
    np.testing.assert_array_equal(found["total"], aligned.sum("frame"))
    assert found["total"].dtype == np.int64
    assert ("exposure" in found.coords) is not seed


def test_facts(path):
    found = mfx.mims.process(path, "12C 14N")
    counts = mfx.open_mims(path)
    step = float(counts.x[1] - counts.x[0])
    assert found.attrs["pixel_size_um"] == pytest.approx([step, step])
    assert found.attrs["image_size_um"] == pytest.approx([64 * step, 64 * step])
    assert found.attrs["alignment_detector"] == "12C 14N"
    assert found.attrs["se_detector"] == "SE"
    steps = [entry["step"] for entry in json.loads(found.attrs["provenance"])]
    assert steps[0] == "open_mims"
    assert "apply_translations" in steps


def test_padding(path):
    seed = mfx.mims.process(path, "12C 14N", preset="seed", padding=0)
    assert seed["total"].shape == (7, 64, 64)  # openformat gives empty images here
    wide = mfx.mims.process(path, "12C 14N", padding=10)
    assert wide["total"].shape == (7, 84, 84)
    assert wide["cleaned"].dims == ("frame", "detector", "y_cleaned", "x_cleaned")
    assert int(wide["total"].sum()) == int(wide["cleaned"].sum())  # nothing leaves the canvas


def test_options_are_handed_on(path):
    found = mfx.mims.process(
        path,
        "12C 14N",
        open_options={"roll": (0, 1)},
        hot_pixel_options={"kernel_size": 5},
        translation_options={"max_shift": 3},
    )
    assert int(np.abs(found["translations"]).max()) <= 3
    provenance = found.attrs["provenance"]
    assert '"roll": [0, 1]' in provenance
    assert '"max_shift": 3' in provenance


def test_wrong_parameters(path):
    with pytest.raises(ValueError, match="preset"):
        mfx.mims.process(path, "12C 14N", preset="openformat")
    with pytest.raises(ValueError, match="no detector '99X'"):
        mfx.mims.process(path, "99X")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        mfx.mims.nothing  # noqa: B018


@pytest.mark.realdata
def test_the_numbers_of_the_seed(data_dir):
    golden = json.loads((data_dir / "mims" / "openformat_golden.json").read_text())
    wanted = golden["process_image_data"]
    path = data_dir / "mims" / "synthetic" / "s1_v10_le_u4_24x6x96.im"
    found = mfx.mims.process(path, "12C 14N", preset="seed")
    assert found["detector"].values.tolist() == wanted["detector_names"]
    assert found["translations"].values.tolist() == wanted["translations"]
    for name, hash_ in wanted["total_sha256_i8"].items():
        total = found["total"].sel(detector=name)
        assert int(total.sum()) == wanted["total_sum"][name]
        assert sha256(total) == hash_
    assert found.attrs["pixel_size_um"] == pytest.approx([wanted["pixel_size"]] * 2)
    assert found.attrs["image_size_um"] == pytest.approx(wanted["image_size"])
    assert found.attrs["se_detector"] == "SE"
