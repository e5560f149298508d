"""The edge test on real files, on scenes with a known glitch, and on what says nothing."""

from __future__ import annotations

import json
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mfxarray.formats.im.im import open_im
from mfxarray.formats.im.roll import compare_axis, find_roll, given_roll
from mfxarray.formats.sources import FileSource, StackSource
from mfxarray.simulate.mims import mims_scene, simulate_mims

Array = np.ndarray[Any, Any]


def counts(seed: int, size: tuple[int, int] = (128, 128), mean: float = 60.0) -> list[Array]:
    scene = mims_scene(5, size, seed=seed, margin=0, mean_counts=mean)
    drawn = np.random.default_rng(seed).poisson(scene)
    return [image for image in drawn.astype(float) if image.mean() >= 0.5]


def stored(path: Path, frames: Array, missing: int = 0) -> StackSource:
    path.write_bytes(frames.tobytes())
    shape = (frames.shape[1], frames.shape[2], frames.shape[3])
    return StackSource(FileSource.open(path), 0, frames.dtype, shape, len(frames), (0, 0), missing)


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "roll"), [("RTIimage.im", (1, 1)), ("image sun.im", (0, 0))])
def test_real_files_as_diagnosed(data_dir: Path, name: str, roll: tuple[int, int]) -> None:
    facts = json.loads((data_dir / "mims" / "facts.json").read_text())
    diagnosis = facts[name]["edge_diagnosis"]
    assert ("roll (+1, +1)" in diagnosis) == (roll == (1, 1))
    file = open_im(data_dir / "mims" / name, roll="auto")
    assert file.stack.roll == roll
    assert file.attrs["roll"] == list(roll)
    assert json.loads(json.dumps(file.attrs["roll_evidence"])) == file.attrs["roll_evidence"]


@pytest.mark.realdata
def test_auto_gives_the_pixels_of_that_roll(data_dir: Path) -> None:
    path = data_dir / "mims" / "RTIimage.im"
    auto, given = open_im(path, roll="auto"), open_im(path, roll=(1, 1))
    assert np.array_equal(auto.stack.read(0, 1), given.stack.read(0, 1))
    assert "roll_evidence" not in given.attrs


@pytest.mark.parametrize("seed", range(30))
def test_whole_images_are_never_rolled(seed: int) -> None:
    for mean in (1.0, 20.0, 400.0):
        images = counts(seed, mean=mean)
        assert [compare_axis(images, axis).roll for axis in (0, 1)] == [0, 0]


@pytest.mark.parametrize("roll", [(1, 1), (1, 0), (-1, 0), (0, -1), (2, -3), (4, 4), (-4, 0)])
def test_glitches_are_found(roll: tuple[int, int]) -> None:
    right = wrong = 0
    for seed in range(20):
        images = [np.roll(one, (-roll[0], -roll[1]), (0, 1)) for one in counts(seed, (200, 160))]
        for axis in (0, 1):
            found = compare_axis(images, axis).roll
            right += found == roll[axis]
            wrong += found not in (0, roll[axis])
    assert wrong == 0
    assert right >= 36


def test_rolls_beyond_four_pixels_are_not_looked_for() -> None:
    images = [np.roll(one, 9, 0) for one in counts(3, (256, 256))]
    assert compare_axis(images, 0).roll == 0


@pytest.mark.parametrize("seed", range(4))
def test_an_edge_that_belongs_nowhere_is_unclear(tmp_path: Path, seed: int) -> None:
    scene = np.random.default_rng(seed).poisson(mims_scene(3, 200, seed=seed, margin=0))
    frames = np.roll(scene, (0, -1), (1, 2)).astype("<u4")[None]
    assert find_roll(stored(tmp_path / "a", frames))[0] == (0, 1)
    frames[:, :, 0] = 0  # a first row like nothing else: the fault is no mere shift
    roll, evidence = find_roll(stored(tmp_path / "b", frames))
    assert roll == (0, 0)
    assert evidence["rows"]["verdict"] == "unclear"
    assert (evidence["columns"]["verdict"], evidence["columns"]["roll"]) == ("rolled", 1)


def test_an_edge_like_those_of_the_sample_is_no_seam() -> None:
    # bright bands; one of them ends near the edge and goes on at the other
    levels = np.repeat([50.0, 30.0, 70.0, 30.0, 50.0], [2, 60, 60, 60, 18])
    rng = np.random.default_rng(0)
    banded = [rng.poisson(np.tile(levels[:, None], 100)).astype(float) for _ in range(3)]
    found = compare_axis(banded, 0)
    assert found.seam > 6
    assert found.wrap < 3
    assert found.verdict == "fine"


def test_an_edge_that_fits_in_one_detector_only_is_unclear() -> None:
    rng = np.random.default_rng(3)
    images = list(rng.poisson(mims_scene(3, 200, seed=3, margin=0)).astype(float))
    rolled = [np.roll(one, -1, 0) for one in images]
    assert compare_axis(rolled, 0).verdict == "rolled"
    rolled[0][-1] = rolled[0][100]
    assert compare_axis(rolled, 0).verdict == "unclear"


@pytest.mark.parametrize(
    ("frames", "verdict"),
    [
        (np.zeros((2, 3, 128, 128), "<u4"), "too dim"),
        (np.full((2, 3, 128, 128), 7, ">u2"), "too dim"),
        (np.random.default_rng(0).poisson(0.1, (1, 3, 128, 128)).astype("<u2"), "too dim"),
        (np.ones((2, 3, 40, 128), "<u2"), "too small"),
        (np.random.default_rng(1).poisson(30, (2, 3, 128, 128)).astype("<u2"), "fine"),
        (np.zeros((0, 3, 128, 128), "<u4"), "too dim"),
    ],
)
def test_what_says_nothing(tmp_path: Path, frames: Array, verdict: str) -> None:
    (tmp_path / "a").write_bytes(b"0")
    source = FileSource.open(tmp_path / "a")
    if len(frames):
        stack = stored(tmp_path / "a", frames)
    else:
        stack = StackSource(source, 0, frames.dtype, (3, 128, 128), 0)
    roll, evidence = find_roll(stack)
    assert roll == (0, 0)
    assert {one["verdict"] for one in evidence.values()} == {verdict}


def test_reads_a_bounded_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulate_mims(tmp_path / "a.im", frames=60, size=128, detectors=5)
    read: list[int] = []
    fill = FileSource.read_into

    def count(self: FileSource, buffer: memoryview, offset: int) -> None:
        read.append(len(buffer.cast("B")))
        fill(self, buffer, offset)

    monkeypatch.setattr(FileSource, "read_into", count)
    open_im(tmp_path / "a.im", roll="auto")
    assert 4 * 2**20 < sum(read) <= 8 * 2**20 + 10**5


def test_very_many_tiny_frames_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(4 * 2**20))
    stack = StackSource(FileSource.open(path), 0, np.dtype("<u2"), (1, 1, 1), 2**21)
    began = time.perf_counter()
    assert find_roll(stack)[1]["rows"]["verdict"] == "too small"
    assert time.perf_counter() - began < 0.1


def test_an_incomplete_frame_is_left_out_of_the_sample(tmp_path: Path) -> None:
    frames = np.zeros((1, 2, 128, 128), "<u4")
    stack = stored(tmp_path / "a", frames, missing=4)
    assert find_roll(stack)[1]["rows"]["verdict"] == "too dim"


def test_huge_images_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    with open(path, "wb") as file:
        file.truncate(32767 * 32767 * 4)  # sparse: takes no space
    stack = StackSource(FileSource.open(path), 0, np.dtype("<u4"), (1, 32767, 32767), 1)
    tracemalloc.start()
    assert find_roll(stack)[0] == (0, 0)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_largest_image_that_is_read_fits_memory(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with open(path, "wb") as file:
        file.truncate(2048 * 2048 * 4 * 2)
        for row in range(0, 2048, 2):
            file.seek(row * 2048 * 4)
            file.write(np.arange(2048, dtype="<u4").tobytes())
    stack = StackSource(FileSource.open(path), 0, np.dtype("<u4"), (2, 2048, 2048), 1)
    tracemalloc.start()
    find_roll(stack)
    assert tracemalloc.get_traced_memory()[1] < 256 * 2**20
    tracemalloc.stop()


@pytest.mark.parametrize("roll", [(1,), (0.5, 1), None, (1, 2, 3), "Auto", True, (True, 1), 3])
def test_wrong_roll(roll: Any) -> None:
    with pytest.raises(ValueError, match=r'two integers.*"seed" or "auto"'):
        given_roll(roll)


def test_given_roll() -> None:
    assert given_roll("seed") == (1, 1)
    assert given_roll([2, -3]) == (2, -3)
    assert given_roll("auto") is None
