"""Hot pixels by the Poisson test: false positives asked and got, injected ones found."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from mfxarray.mims.hotpixels import infer_hot_pixels
from mfxarray.simulate.mims import mims_frame
from mfxarray.simulate.mims_scene import mims_scene


def stack(counts):
    names = [f"m{number}" for number in range(counts.shape[1])]
    return xr.DataArray(counts, {"detector": names}, ("frame", "detector", "y", "x"))


def mask(counts, **options):
    return infer_hot_pixels(stack(counts), max_repeat_fraction=1.0, **options).values


@pytest.mark.parametrize("level", [0.1, 1, 10, 100])
@pytest.mark.parametrize(("detectors", "votes"), [(1, 1), (3, 2), (4, 3)])
def test_false_positives_are_no_more_than_asked(level, detectors, votes):
    counts = np.random.default_rng(7).poisson(level, (5, detectors, 256, 256)).astype("u4")
    for asked in (1e-2, 1e-3):
        found = mask(counts, false_positives=asked, outlier_factor=1.0, num_outliers=votes).mean()
        assert found <= 1.2 * asked
        if level >= 10:
            assert found > 0.3 * asked
        assert mask(counts, false_positives=asked, num_outliers=votes).mean() <= 1.2 * asked


@pytest.mark.parametrize("level", [0.5, 1, 2, 5, 20, 200])
def test_as_good_as_none_at_the_default(level):
    counts = np.random.default_rng(8).poisson(level, (4, 7, 256, 256)).astype("u4")
    # 2.6e5 pixels, one in a million asked
    assert mask(counts).sum() <= 2


@pytest.mark.parametrize("level", [2, 5, 20, 100])
@pytest.mark.parametrize("frames", [1, 5, 10])
@pytest.mark.parametrize("noisy", [False, True])
def test_ten_times_the_level_is_found(level, frames, noisy):
    rng = np.random.default_rng((level, frames))
    counts = rng.poisson(level, (frames, 6, 96, 96)).astype("u4")
    places = np.argwhere(rng.random((frames, 96, 96)) < 0.004)
    places = places[np.unique(places[:, 1] * 96 + places[:, 2], return_index=True)[1]]
    truth = np.zeros((frames, 96, 96), bool)
    for frame, y, x in places:
        if truth[frame, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].any():
            continue
        hit = rng.permutation(6)[:4]
        counts[frame, hit, y, x] = rng.poisson(10 * level, 4) if noisy else 10 * level
        truth[frame, y, x] = True
    assert truth.sum() > 20 * frames
    found = infer_hot_pixels(stack(counts)).values
    assert found[truth].mean() >= 0.99
    assert not found[~truth].any()


@pytest.mark.parametrize("mean_counts", [1.0, 20.0, 2000.0])
def test_no_structure_is_taken_for_hot(mean_counts):
    scene = mims_scene(7, 128, seed=5, mean_counts=mean_counts)
    counts = np.stack([mims_frame(scene, frame, hot_pixels=0)[0][:6] for frame in range(8)])
    assert mask(counts).sum() <= 1


@pytest.mark.parametrize("mean_counts", [1.0, 20.0, 2000.0])
def test_hot_pixels_in_structure_are_found(mean_counts):
    scene = mims_scene(7, 128, seed=6, mean_counts=mean_counts)
    frames = [mims_frame(scene, frame, hot_pixels=30) for frame in range(8)]
    found = mask(np.stack([counts[:6] for counts, _ in frames]))
    truth = np.zeros(found.shape, bool)
    for frame, (_, places) in enumerate(frames):
        truth[frame][tuple(places.T)] = True
    assert truth.sum() > 150
    assert found[truth].mean() >= 0.98
    assert (found & ~truth).sum() <= 1
