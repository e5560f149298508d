"""Alignment against known drift; conservation of counts; the seed's own way."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import ndimage

import mfxarray as mfx
from mfxarray.mims import align
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.samples import four_chunkings

WAYS = [
    {},
    {"iterations": 1},
    {"reference": "first"},
    {"reference": 4, "iterations": 1},
    {"reference": "neighbours"},
    {"bin_frames": 3, "subpixel": True},
    {"region": (slice(5, 90), slice(0, 80)), "subpixel": True},
    {"region": np.hypot(*(np.mgrid[:96, :96] - 48)) < 46},
    {"method": "seed"},
]


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


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_every_chunking_gives_the_same_bits(truth_and_stack, way):
    _, ions = truth_and_stack
    stacks = [*four_chunkings(ions, "frame"), ions.chunk({"detector": 3, "y": 50})]
    assert_chunk_invariant(lambda data: data.mims.infer_translations("12C 14N", **way), stacks)


@pytest.mark.parametrize("way", [{}, {"subpixel": True}, {"method": "seed"}], ids=str)
def test_every_chunking_gives_the_same_sum(truth_and_stack, way):
    _, ions = truth_and_stack
    stacks = [*four_chunkings(ions, "frame"), ions.chunk({"detector": 3, "y": 50})]

    def job(data):
        clean = data.mims.remove_hot_pixels()
        shifts = clean.mims.infer_translations(["12C", "12C 14N"], **way)
        return clean.mims.apply_translations(shifts)

    assert_chunk_invariant(job, stacks)


@pytest.mark.parametrize("way", WAYS[:-1], ids=str)
def test_every_way_finds_the_drift(truth_and_stack, way):
    truth, ions = truth_and_stack
    with raise_if_computes():
        shifts = ions.mims.infer_translations("12C 14N", **way)
    zero = way.get("reference", 0)
    zero = zero if isinstance(zero, int) else 0
    error = np.abs(shifts.values - (truth.translations - truth.translations[zero]))
    # between bins a walk with steps of 3 px is not followed
    assert error.max() < (10 if "bin_frames" in way else 0.2)
    assert shifts.dtype == (np.float64 if way.get("subpixel") else np.int64)
    assert shifts["confident"].values.all()
    entry = mfx.provenance.history(shifts.attrs)[-1]["parameters"]
    assert entry["iterations"] == way.get("iterations", 0)


def test_an_image_as_reference(truth_and_stack):
    truth, ions = truth_and_stack
    image = ions.sel(detector="12C 14N").isel(frame=6)
    for given in (image, image.values, image.transpose("x", "y")):
        shifts = ions.mims.infer_translations("12C 14N", reference=given)
        np.testing.assert_array_equal(shifts, truth.translations - truth.translations[6])
    assert shifts.attrs["long_name"] == "translation onto the reference image"


def test_bins_find_what_single_frames_do_not(tmp_path):
    path = tmp_path / "dim.im"
    steady = {"drift": 0.0, "mean_counts": 0.1, "contrast": 0.2}
    mfx.simulate_mims(path, size=96, seed=3, frames=40, hot_pixels=0.0, **steady)
    ions = mfx.open_mims(path)
    sure = [
        float(ions.mims.infer_translations("12C 14N", bin_frames=count)["confident"].mean())
        for count in (1, 8)
    ]
    assert sure[1] == 1
    assert sure[0] < sure[1]


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
        ({"iterations": -1}, "iterations"),
        ({"bin_frames": 0}, "bin_frames"),
        ({"reference": "last"}, "reference must be"),
        ({"reference": 20}, "no frame 20"),
        ({"reference": np.zeros((3, 3))}, "reference image"),
        ({"region": (slice(0, 2), slice(0, 50))}, "3 x 3"),
        ({"region": (slice(0, 50, 2), slice(0, 50))}, "without steps"),
        ({"region": np.zeros((96, 96), bool)}, "empty"),
        ({"region": np.zeros((96, 95), bool)}, "bool mask"),
        ({"method": "seed", "subpixel": True}, "no other parameters"),
        ({"method": "seed", "reference": "first"}, "no other parameters"),
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
        (shifts.astype(bool), "numbers of pixels"),
        (shifts.values[:, :1], "axis=2"),
        (shifts.rename(axis="way"), "dimensions"),
        (shifts.isel(frame=slice(1, None)), "19 translations for 20"),
        (shifts.isel(axis=0), "dimensions"),
    ]:
        with pytest.raises(ValueError, match=message):
            ions.mims.apply_translations(wrong)
    with pytest.raises(ValueError, match="negative"):
        ions.mims.apply_translations(shifts, padding=-1)
    with pytest.raises(ValueError, match="moves by whole pixels"):
        ions.mims.apply_translations(shifts.astype(float), method="correlation")
    with pytest.raises(ValueError, match="method must be"):
        ions.mims.apply_translations(shifts, method="spline")
    with pytest.raises(ValueError, match="no frames"):
        ions.isel(frame=slice(0, 0)).mims.infer_translations()


def test_external_translations_need_no_labels(truth_and_stack):
    truth, ions = truth_and_stack
    found = ions.mims.infer_translations("12C 14N")
    wanted = ions.mims.apply_translations(found)
    for given in (truth.translations, truth.translations.tolist(), truth.translations.astype("i2")):
        aligned = ions.mims.apply_translations(given)
        np.testing.assert_array_equal(aligned, wanted)
        step = aligned.mims.history[-1]
        assert step["parameters"]["translations"] == "given"


def test_parts_of_pixels_keep_every_sum_and_are_never_negative(truth_and_stack):
    _, ions = truth_and_stack
    rng = np.random.default_rng(0)
    with raise_if_computes():
        aligned = ions.mims.apply_translations(rng.uniform(-6, 6, (20, 2)), padding=7)
    assert aligned.dtype == np.float64
    np.testing.assert_allclose(aligned.sum(("y", "x")), ions.sum(("y", "x")), rtol=1e-12)
    assert float(aligned.min()) >= 0
    exposure = aligned["exposure"]
    assert float(exposure.sum()) == pytest.approx(20 * 96 * 96)
    assert float(exposure.max()) == pytest.approx(20)
    assert aligned.attrs["units"] == "counts"


def test_area_of_whole_translations_is_the_same(truth_and_stack):
    truth, ions = truth_and_stack
    one = ions.mims.apply_translations(truth.translations)
    two = ions.mims.apply_translations(truth.translations, method="area")
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one["exposure"], two["exposure"])
    assert two.dtype == np.float64


@pytest.mark.parametrize("subpixel", [False, True])
def test_corrected_counts_and_their_variance_move_alike(truth_and_stack, subpixel):
    _, ions = truth_and_stack
    both = xr.Dataset({"counts": ions * 1.25, "variance": ions * 1.25**2}, attrs=ions.attrs)
    with raise_if_computes():
        shifts = align.infer_translations(both, "12C 14N", subpixel=subpixel)
        aligned = align.apply_translations(both, shifts, padding=12)
    plain = ions.mims.apply_translations(shifts, padding=12)
    np.testing.assert_allclose(aligned["counts"], plain * 1.25, rtol=1e-12)
    np.testing.assert_allclose(aligned["variance"], plain * 1.25**2, rtol=1e-12)
    np.testing.assert_array_equal(aligned["exposure"], plain["exposure"])
    with pytest.raises(ValueError, match="aligned before"):
        align.apply_translations(aligned, shifts)


def test_what_all_frames_cover_is_conserved_to_the_count(truth_and_stack):
    truth, ions = truth_and_stack
    aligned = ions.mims.apply_translations(ions.mims.infer_translations("12C 14N"))
    full = aligned["exposure"].values == ions.sizes["frame"]
    summed = aligned.sum("frame").values[:, full].sum(axis=1, dtype=np.int64)
    wanted = np.zeros(7, np.int64)
    for frame, (dy, dx) in zip(ions.values, truth.translations, strict=True):
        wanted += frame[:, np.roll(full, (-dy, -dx), (0, 1))].sum(axis=1, dtype=np.int64)
    np.testing.assert_array_equal(summed, wanted)


def test_the_subpixel_estimate_has_hardly_a_bias():
    # a scene eight times as fine, so that drift by parts of pixels is true
    rng = np.random.default_rng(2)
    fine = np.exp(ndimage.gaussian_filter(rng.normal(size=(1024, 1024)), 20) * 30)
    way = np.round(np.clip(np.cumsum(rng.normal(size=(32, 2)) * 0.4, axis=0), -6, 6) * 8) / 8
    planes = []
    for dy, dx in way - way[0]:
        top, left = int(256 + 8 * dy), int(256 + 8 * dx)
        rates = fine[top : top + 640, left : left + 640].reshape(80, 8, 80, 8).mean((1, 3))
        planes.append(rng.poisson(100 * rates / rates.mean()))
    counts = xr.DataArray(
        np.stack(planes).astype("u4")[:, None],
        {"detector": ["a"], "frame": np.arange(32)},
        ("frame", "detector", "y", "x"),
    )
    error = counts.mims.infer_translations("a", subpixel=True).values - (way - way[0])
    assert np.sqrt((error**2).mean()) < 0.03
    fraction = np.abs((way - way[0]) % 1 - 0.5)
    assert abs(error[fraction < 0.2].mean() - error[fraction > 0.3].mean()) < 0.01
