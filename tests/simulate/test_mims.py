"""Simulated stacks: their truth is checked by undoing it, their counts by Poisson statistics."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mfxarray.formats.im.im import open_im
from mfxarray.simulate.mims import (
    MimsTruth,
    mims_detectors,
    mims_drift,
    mims_frame,
    mims_scene,
    simulate_mims,
)


def stack(path: Path, **options: Any) -> tuple[np.ndarray[Any, Any], MimsTruth]:
    truth = simulate_mims(path, **options)
    file = open_im(path)
    assert file.warnings == ()
    return file.stack.read(0, file.stack.n_frames), truth


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("version", [2, 4, 8, 9, 10])
@pytest.mark.parametrize("pixel_bytes", [2, 4])
def test_file_says_what_was_asked(tmp_path: Path, version: int, pixel_bytes: int) -> None:
    options = {"version": version, "pixel_bytes": pixel_bytes, "raster_um": 10.0}
    frames, truth = stack(tmp_path / "a.im", frames=3, size=(24, 32), dwell_s=0.002, **options)
    file = open_im(tmp_path / "a.im")
    assert frames.shape == (3, 7, 24, 32)
    assert [d.name for d in file.detectors] == list(truth.labels)
    assert file.attrs["dwell_time_s"] == 0.002
    assert file.pixel_size_um == pytest.approx((10 / 32, 10 / 32))
    assert file.attrs["pixel_bytes"] == pixel_bytes


def test_same_seed_same_bytes_whatever_the_threads(tmp_path: Path) -> None:
    for threads in (1, 2, 5):
        simulate_mims(tmp_path / f"{threads}.im", frames=9, size=20, seed=4, threads=threads)
    assert len({digest(tmp_path / f"{threads}.im") for threads in (1, 2, 5)}) == 1


def test_other_seed_other_everything(tmp_path: Path) -> None:
    first, one = stack(tmp_path / "1.im", frames=6, size=32, seed=1)
    second, two = stack(tmp_path / "2.im", frames=6, size=32, seed=2)
    assert not np.array_equal(first, second)
    assert not np.array_equal(one.translations, two.translations)
    assert not np.array_equal(one.rates, two.rates)
    assert not np.array_equal(one.hot_pixels, two.hot_pixels)


def test_longer_stack_starts_with_the_shorter(tmp_path: Path) -> None:
    short, one = stack(tmp_path / "1.im", frames=4, size=24)
    long, two = stack(tmp_path / "2.im", frames=9, size=24)
    assert np.array_equal(short, long[:4])
    assert np.array_equal(one.translations, two.translations[:4])


def test_frames_do_not_depend_on_each_other(tmp_path: Path) -> None:
    frames, truth = stack(tmp_path / "a.im", frames=8, size=24, seed=9)
    shift = tuple(truth.translations[5].tolist())
    alone, hot = mims_frame(truth.rates, 5, shift, margin=truth.margin, seed=9)
    assert np.array_equal(alone, frames[5])
    assert np.array_equal(hot, truth.hot_pixels[truth.hot_pixels[:, 0] == 5, 1:])


def test_seed_and_number_of_a_frame_decide_its_noise() -> None:
    scene = mims_scene(2, 16, margin=0)
    drawn = [
        mims_frame(scene, frame, margin=0, seed=seed)[0].tobytes()
        for seed in range(4)
        for frame in range(4)
    ]
    assert len(set(drawn)) == 16


# --- drift --------------------------------------------------------------------------------------


def test_undoing_the_drift_brings_every_frame_onto_the_first(tmp_path: Path) -> None:
    frames, truth = stack(
        tmp_path / "a.im", frames=12, size=64, drift=2.0, mean_counts=2000, hot_pixels=0
    )
    assert np.abs(truth.translations).max() >= 3
    ion = truth.labels.index("12C 14N")
    rate = truth.rates[ion, truth.margin : -truth.margin, truth.margin : -truth.margin]
    y, x = np.mgrid[:64, :64]
    for frame, (dy, dx) in zip(frames[:, ion].astype(float), truth.translations, strict=True):
        aligned = np.full((64, 64), np.nan)
        to_y, to_x = y + dy, x + dx
        inside = (to_y >= 0) & (to_y < 64) & (to_x >= 0) & (to_x < 64)
        aligned[to_y[inside], to_x[inside]] = frame[inside]
        z = (aligned - rate) / np.sqrt(rate)
        # Poisson noise only; a shift wrong by one pixel gives more than 5
        assert np.sqrt(np.nanmean(z**2)) == pytest.approx(1, abs=0.08)
        wrong = (np.roll(aligned, 1, 1) - rate) / np.sqrt(rate)
        assert np.sqrt(np.nanmean(wrong**2)) > 3


def test_drift_brings_in_what_was_outside(tmp_path: Path) -> None:
    frames, truth = stack(tmp_path / "a.im", frames=12, size=32, mean_counts=5000, hot_pixels=0)
    frame = int(np.abs(truth.translations).max(axis=1).argmax())
    dy, dx = truth.translations[frame]
    top, left = truth.margin + dy, truth.margin + dx
    known = truth.rates[:, top : top + 32, left : left + 32]
    z = (frames[frame] - known) / np.sqrt(known)
    assert np.abs(z).max() < 7


@pytest.mark.parametrize("drift", [0.0, 0.3, 1.0, 20.0])
@pytest.mark.parametrize("max_drift", [0, 1, 10])
def test_drift_is_bounded_and_starts_at_zero(drift: float, max_drift: int) -> None:
    walk = mims_drift(500, drift=drift, max_drift=max_drift)
    assert walk.dtype == np.int64
    assert walk[0].tolist() == [0, 0]
    assert np.abs(walk).max() <= max_drift
    if drift >= 1:
        assert np.abs(walk).max() == max_drift
    if drift == 0:
        assert not walk.any()


def test_steps_of_the_drift_have_the_wished_size() -> None:
    walk = mims_drift(4000, seed=1, drift=3.0, max_drift=100000)
    # rounding adds twice the variance of a uniform error of one pixel
    assert np.diff(walk, axis=0).std() == pytest.approx(np.sqrt(9 + 2 / 12), rel=0.03)


def test_mirrors_do_not_jump() -> None:
    walk = mims_drift(3000, seed=1, drift=0.5, max_drift=4)
    assert np.abs(np.diff(walk, axis=0)).max() <= 3


# --- counts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mean_counts", [500.0, 60.0, 1.0])
def test_counts_are_poisson(mean_counts: float) -> None:
    scene = mims_scene(4, 40, margin=0, mean_counts=mean_counts)
    frames = [mims_frame(scene, i, margin=0, hot_pixels=0)[0] for i in range(60)]
    data = np.array(frames, float)
    total, expected = data.sum((0, 2, 3)), 60 * scene.sum((1, 2))
    assert np.all(np.abs(total - expected) < 5 * np.sqrt(expected))
    # dispersion test: the sum of (n - rate)^2 / rate of Poisson counts has this mean and variance
    pearson = ((data - scene) ** 2 / scene).sum((0, 2, 3))
    n = data[:, 0].size
    spread = np.sqrt(2 * n + 60 * (1 / scene).sum((1, 2)))
    assert np.all(np.abs(pearson - n) < 5 * spread)


def test_brightness_of_the_species() -> None:
    scene = mims_scene(7, 96, margin=0, mean_counts=80)
    rates = dict(zip([d.name for d in mims_detectors(7)], scene, strict=True))
    means = {name: rate.mean() for name, rate in rates.items()}
    assert max(means, key=lambda name: means[name]) == "12C 14N"
    assert means["12C 14N"] == pytest.approx(80)
    assert means["12C 14N"] > 100 * means["12C 15N"] > 0
    # natural abundance: 13C/12C of VPDB, 15N/14N of air, in every pixel
    assert np.allclose(rates["13C"] / rates["12C"], 0.011237, rtol=1e-9)
    assert np.allclose(rates["12C 15N"] / rates["12C 14N"], 0.0036765, rtol=1e-9)
    assert min(rate.min() for rate in rates.values()) > 0


def test_scene_has_structure_and_pure_noise_has_none() -> None:
    cells, flat = mims_scene(7, 64), mims_scene(7, 64, contrast=0)
    assert np.all(cells.std((1, 2)) > 0.3 * cells.mean((1, 2)))
    assert np.ptp(flat, axis=(1, 2)).max() == 0
    assert np.allclose(flat[:, 0, 0], cells.mean((1, 2)))
    different = np.corrcoef(cells[2].ravel(), cells[5].ravel())[0, 1]
    assert 0.3 < different < 0.99


def test_scene_is_larger_than_the_frame_by_the_margin() -> None:
    assert mims_scene(2, (20, 30), margin=7).shape == (2, 34, 44)
    counts, _ = mims_frame(mims_scene(2, (20, 30), margin=7), 0, margin=7)
    assert counts.shape == (2, 20, 30)


def test_short_integers_saturate() -> None:
    scene = np.full((1, 4, 4), 1e5)
    counts, _ = mims_frame(scene, 0, margin=0, dtype=np.uint16, hot_pixels=0)
    assert counts.dtype == np.uint16
    assert np.all(counts == 65535)


# --- hot pixels ---------------------------------------------------------------------------------


def test_hot_pixels_stand_out_in_most_ion_detectors_and_not_in_se(tmp_path: Path) -> None:
    options = {"size": 48, "frames": 20, "seed": 3, "hot_pixels": 4.0}
    hot_stack, truth = stack(tmp_path / "1.im", **options)
    assert 40 < len(truth.hot_pixels) < 125
    assert truth.hot_pixels.tolist() == sorted(truth.hot_pixels.tolist())
    for frame, y, x in truth.hot_pixels:
        dy, dx = truth.translations[frame] + truth.margin
        rate = truth.rates[:, y + dy, x + dx]
        bright = hot_stack[frame, :, y, x] >= 4 * np.maximum(rate, 5)
        assert bright[:-1].sum() >= 4
        assert not bright[-1] or rate[-1] < 5


def test_nothing_but_the_hot_pixels_differs() -> None:
    scene = mims_scene(5, 32, margin=0)
    clean, none = mims_frame(scene, 3, margin=0, hot_pixels=0)
    for mean in (2.0, 30.0):
        counts, hot = mims_frame(scene, 3, margin=0, hot_pixels=mean)
        changed = np.argwhere((counts != clean).any(axis=0))
        assert {tuple(row) for row in changed} <= {tuple(row) for row in hot}
        assert len(hot) == len(np.unique(hot, axis=0))
    assert none.shape == (0, 2)


def test_number_of_hot_pixels() -> None:
    scene = np.ones((2, 16, 16))
    found = [len(mims_frame(scene, i, margin=0, hot_pixels=5.0)[1]) for i in range(400)]
    assert np.mean(found) == pytest.approx(5, abs=5 * np.sqrt(5 / 400))


# --- detectors, truth, limits --------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 7, 20, 21, 45])
def test_detectors(count: int) -> None:
    detectors = mims_detectors(count)
    assert len(detectors) == len({d.name for d in detectors}) == count
    assert all(d.trolley in (1, 2, 3, 4, 5, 10, 11) for d in detectors if d.label)
    assert any(d.name == "12C 14N" for d in detectors)
    if count > 1:
        assert (detectors[-1].name, detectors[-1].label) == ("SE", "")
        assert (detectors[-1].mass, detectors[-1].trolley) == (0.0, 8)
    for detector in detectors:
        # the nominal mass is the sum of the mass numbers in the label, two for "C2"
        parts = detector.label.split()
        numbers = [int("".join(c for c in part[:3] if c.isdigit())) for part in parts]
        nominal = 24 if detector.label == "12C2" else sum(numbers)
        assert detector.mass == pytest.approx(nominal, abs=0.1)


@pytest.mark.parametrize("count", [1, 3, 21, 45])
def test_names_in_the_file_are_those_of_the_truth(tmp_path: Path, count: int) -> None:
    truth = simulate_mims(tmp_path / "a.im", frames=1, detectors=count, size=8)
    assert tuple(d.name for d in open_im(tmp_path / "a.im").detectors) == truth.labels


def test_summary_is_json(tmp_path: Path) -> None:
    truth = simulate_mims(tmp_path / "a.im", frames=5, size=16)
    summary = json.loads(json.dumps(truth.summary()))
    assert summary["translations"] == truth.translations.tolist()
    assert summary["hot_pixels"] == truth.hot_pixels.tolist()
    assert summary["labels"] == list(truth.labels)
    assert len(summary["mean_rates"]) == 7
    assert summary["seed"] == 0


def test_progress(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    simulate_mims(tmp_path / "a.im", frames=4, size=8, progress=lambda *args: seen.append(args))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_memory_does_not_grow_with_the_frames(tmp_path: Path) -> None:
    peaks = []
    for frames in (20, 120):
        tracemalloc.start()
        simulate_mims(tmp_path / "a.im", frames=frames, size=64)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert (tmp_path / "a.im").stat().st_size > 120 * 7 * 64 * 64 * 4
    assert peaks[1] < 1.2 * peaks[0]


def test_failure_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, _: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate_mims(tmp_path / "a.im", frames=9, size=8, progress=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"frames": 0},
        {"detectors": 0},
        {"contrast": 1.5},
        {"mean_counts": -1.0},
        {"drift": -1.0},
        {"max_drift": -1},
        {"hot_pixels": -1.0},
        {"version": 7},
        {"pixel_bytes": 1},
        {"threads": 0},
    ],
)
def test_wrong_parameters(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        simulate_mims(tmp_path / "a.im", **{"size": 8, **wrong})
    assert list(tmp_path.iterdir()) == []


def test_translation_beyond_the_margin_is_refused() -> None:
    with pytest.raises(ValueError, match="larger than the margin"):
        mims_frame(np.ones((1, 9, 9)), 0, (3, 0), margin=2)
