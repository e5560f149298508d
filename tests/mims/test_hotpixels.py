"""Hot pixels: the plain rule in numpy and scipy, the truth of the simulator, laziness, chunks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

import mfxarray as mfx
from mfxarray.kernels.hot_poisson import poisson_candidates
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.samples import four_chunkings, ion_stack


@pytest.fixture(scope="module")
def truth_and_stack(tmp_path_factory):
    path = tmp_path_factory.mktemp("hot") / "stack.im"
    truth = mfx.simulate_mims(path, frames=24, size=64, seed=8, hot_pixels=5.0)
    return truth, mfx.open_mims(path, chunk_bytes=500_000)


def plain(counts, voters, *, factor, least, nonzero, most):
    chosen = counts[:, voters]
    median = ndimage.median_filter(chosen, size=(1, 1, 3, 3))
    votes = (chosen >= factor * np.maximum(median, least)).sum(1) >= 3
    votes &= (chosen > 0).sum(1) >= nonzero
    return votes & (votes.sum(0) <= most), median


def test_equals_the_plain_form(truth_and_stack):
    _, ions = truth_and_stack
    lower = {"outlier_factor": 1.999, "min_count": 0.5, "num_nonzero": 6}
    with raise_if_computes():
        mask = ions.mims.infer_hot_pixels(method="count")
        clean = ions.mims.remove_hot_pixels(method="count")
        low = ions.mims.infer_hot_pixels(method="count", **lower)
    counts, voters = ions.values, np.flatnonzero(ions["mass"].values > 0)
    wanted, median = plain(counts, voters, factor=3, least=1, nonzero=3, most=2.4)
    assert wanted.any()
    np.testing.assert_array_equal(mask.values, wanted)
    cleaned = counts.copy()
    cleaned[:, voters] = np.where(wanted[:, None], median, counts[:, voters])
    np.testing.assert_array_equal(clean.values, cleaned)
    np.testing.assert_array_equal(clean.sel(detector="SE"), ions.sel(detector="SE"))
    assert clean.dtype == ions.dtype
    wanted, _ = plain(counts, voters, factor=1.999, least=0.5, nonzero=6, most=2.4)
    np.testing.assert_array_equal(low.values, wanted)


@pytest.mark.parametrize(("method", "most"), [("count", 1e-4), ("poisson", 0)])
def test_finds_the_simulated_ones(truth_and_stack, method, most):
    truth, ions = truth_and_stack
    mask = ions.mims.infer_hot_pixels(method=method).values
    found = mask[tuple(np.asarray(truth.hot_pixels).T)]
    assert found.mean() > 0.98
    assert (mask.sum() - found.sum()) / mask.size <= most


def test_poisson_is_the_kernel_and_the_default(truth_and_stack):
    _, ions = truth_and_stack
    with raise_if_computes():
        mask = ions.mims.infer_hot_pixels()
        clean = ions.mims.remove_hot_pixels()
    rule = {"outlier_factor": 2.0, "min_count": 0.0, "num_outliers": 3, "num_nonzero": 3}
    voters = np.flatnonzero(ions["mass"].values > 0)
    wanted = poisson_candidates(ions.values, voters=voters, false_positives=1e-6, **rule)
    assert wanted.sum(axis=0).max() <= 2
    np.testing.assert_array_equal(mask.values, wanted)
    changed = (clean.values != ions.values).any(axis=1)
    assert changed.any()
    assert not changed[~wanted].any()


def test_few_frames_have_hot_pixels_too(truth_and_stack):
    _, ions = truth_and_stack
    whole = ions.mims.infer_hot_pixels().values
    for frames in (1, 5, 10):
        few = ions.isel(frame=slice(0, frames))
        np.testing.assert_array_equal(few.mims.infer_hot_pixels().values, whole[:frames])
    assert whole[:5].any()
    assert ions.isel(frame=slice(0, 5)).mims.infer_hot_pixels(method="count").values.any()
    for frame in np.flatnonzero(whole.any(axis=(1, 2))):
        assert ions.isel(frame=[frame]).mims.infer_hot_pixels().values.any()
    assert not few.isel(frame=slice(0, 5)).mims.infer_hot_pixels(method="seed").values.any()


@pytest.mark.parametrize("method", ["count", "poisson"])
def test_what_repeats_is_structure(truth_and_stack, method):
    _, ions = truth_and_stack
    data = ions.compute()
    data[:, :, 30, 30] = 9999
    data[3, :, 10, 10] = 9999
    mask = data.mims.infer_hot_pixels(method=method).values
    assert not mask[:, 30, 30].any()
    assert mask[3, 10, 10]


def test_every_chunking_gives_the_same(truth_and_stack):
    _, ions = truth_and_stack
    stacks = four_chunkings(ions, "frame")
    stacks.append(ions.chunk({"detector": 2, "y": 20, "x": 7}))
    assert_chunk_invariant(lambda data: data.mims.remove_hot_pixels(), stacks)
    for method in ("count", "poisson", "seed"):
        assert_chunk_invariant(lambda data, m=method: data.mims.infer_hot_pixels(method=m), stacks)
    assert_chunk_invariant(
        lambda data: data.mims.infer_hot_pixels(method="count", kernel_size=5), stacks
    )


def test_numpy_stacks_work_and_stay_as_they_are(truth_and_stack):
    _, ions = truth_and_stack
    loaded = ions.compute()
    before = loaded.values.copy()
    np.testing.assert_array_equal(loaded.mims.remove_hot_pixels(), ions.mims.remove_hot_pixels())
    np.testing.assert_array_equal(loaded.values, before)


def test_not_twice(truth_and_stack):
    _, ions = truth_and_stack
    with pytest.raises(ValueError, match="removed before"):
        ions.mims.remove_hot_pixels().mims.remove_hot_pixels()


def test_the_record(truth_and_stack):
    _, ions = truth_and_stack
    steps = ions.mims.remove_hot_pixels().mims.history
    assert [step["step"] for step in steps] == ["open_mims", "remove_hot_pixels"]
    mask = steps[1]["others"]["mask"][-1]
    assert mask["parameters"]["method"] == "poisson"
    assert mask["parameters"]["false_positives"] == 1e-6
    assert mask["parameters"]["outlier_factor"] == 2.0
    assert mask["parameters"]["num_outliers"] == 3
    assert "SE" not in mask["parameters"]["detectors"]
    assert steps[1]["parameters"] == {}
    steps = ions.mims.remove_hot_pixels(method="count", replacement="draw", seed=3).mims.history
    assert steps[1]["parameters"] == {"replacement": "draw", "seed": 3}
    assert "false_positives" not in steps[1]["others"]["mask"][-1]["parameters"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"num_outliers": 7}, "needs that many voting detectors, there are 6"),
        ({"num_outliers": 0}, "num_outliers"),
        ({"kernel_size": 4}, "odd"),
        ({"method": "other"}, "method must be one of 'poisson', 'count', 'seed'"),
        ({"method": "count", "false_positives": 1e-3}, "for method='poisson'"),
        ({"false_positives": 0.0}, "1e-10 to 0.1"),
        ({"false_positives": 0.5}, "1e-10 to 0.1"),
        ({"method": "seed", "detectors": ["12C"]}, "there are 1"),
        ({"detectors": ["99X"]}, "no detector"),
    ],
)
def test_wrong_parameters(truth_and_stack, parameters, message):
    _, ions = truth_and_stack
    with pytest.raises(ValueError, match=message):
        ions.mims.infer_hot_pixels(**parameters)


def test_zero_nonzero_means_zero_here_and_all_in_the_seed(tmp_path):
    ions = mfx.open_mims(ion_stack(tmp_path, mean_counts=1.0))
    any_, all_ = (
        ions.mims.infer_hot_pixels(num_nonzero=n, method="count").values.sum() for n in (0, 6)
    )
    assert any_ > all_
    seed = [ions.mims.infer_hot_pixels(num_nonzero=n, method="seed").values.sum() for n in (0, 6)]
    assert seed[0] == seed[1]


def test_fewer_than_three_detectors(truth_and_stack):
    truth, ions = truth_and_stack
    pair = ions.sel(detector=["12C", "12C 14N", "SE"])
    mask = pair.mims.infer_hot_pixels().values
    both = np.array([list(truth.labels).index(name) for name in ("12C", "12C 14N")])
    local = pair.values[:, :2].astype(float)
    assert len(both) == 2
    assert mask.any()
    assert (local.min(axis=1)[mask] > 2 * np.median(local)).mean() > 0.5
    assert pair.mims.infer_hot_pixels(detectors=["12C"]).values.any()


def test_images_of_one_row(truth_and_stack):
    _, ions = truth_and_stack
    row = ions.isel(y=[0])
    with pytest.raises(ValueError, match="2 x 2 pixels"):
        row.mims.infer_hot_pixels()
    assert row.mims.infer_hot_pixels(method="count").shape == (24, 1, 64)
