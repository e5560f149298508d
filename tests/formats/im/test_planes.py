"""Planes that are missing, incomplete, empty, or only claimed."""

from __future__ import annotations

import struct
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mfxarray.errors import DataError
from mfxarray.formats.im.im import ImFile, open_im
from mfxarray.formats.sources import FileSource
from mfxarray.simulate.im_writer import ImHeader, write_im

Array = np.ndarray[Any, Any]
SHAPE = (3, 8, 6)
FRAME = 3 * 8 * 6  # pixels


def write(path: Path, frames: Array, cut: int = 0, /, **header: Any) -> Path:
    size = {"height": frames.shape[2], "width": frames.shape[3], "frames": len(frames)}
    write_im(path, frames, ImHeader(**{**size, **header}), cut_bytes=cut, exact=False)
    return path


def counts(frames: int, seed: int = 0, dtype: str = "u4") -> Array:
    rng = np.random.default_rng(seed)
    return rng.integers(1, 60000, (frames, *SHAPE)).astype(dtype)


def pixels(file: ImFile) -> Array:
    return file.stack.read(0, file.stack.n_frames)


def header_size(path: Path) -> int:
    return int(struct.unpack_from("<i", path.read_bytes(), 8)[0])


# --- incomplete last plane -------------------------


@pytest.mark.parametrize("pixel_bytes", [2, 4])
@pytest.mark.parametrize("cut", [1, 2, 3, 4, 5, 100, 191, 192, 193, 288, 400, 431, 570])
def test_every_cut_is_told_exactly(tmp_path: Path, pixel_bytes: int, cut: int) -> None:
    if cut >= FRAME * pixel_bytes:
        pytest.skip("more than a frame")
    frames = counts(3, dtype=f"u{pixel_bytes}")
    path = write(tmp_path / "a.im", frames, cut, pixel_bytes=pixel_bytes)
    recorded = (FRAME * pixel_bytes - cut) // pixel_bytes  # whole pixels of the last frame

    dropped = open_im(path)
    assert np.array_equal(pixels(dropped), frames[:2])
    assert "missing_pixels" not in dropped.attrs
    assert any("left out" in text for text in dropped.warnings)

    padded = open_im(path, incomplete="pad")
    flat = frames[2].reshape(-1).copy()
    flat[recorded:] = 0
    assert np.array_equal(pixels(padded)[:2], frames[:2])
    assert np.array_equal(pixels(padded)[2].reshape(-1), flat)
    missing = np.zeros((3, 3, 48), bool)
    for frame, detector, start, stop in padded.attrs["missing_pixels"]:
        missing[frame, detector, start:stop] = True
    assert np.array_equal(missing.reshape(-1), np.arange(3 * FRAME) >= 2 * FRAME + recorded)
    assert np.array_equal(padded.coords["recorded"], ~missing.any(axis=2))
    assert any("incomplete" in text for text in padded.warnings)
    assert padded.attrs["frames_in_file"] == 2
    assert padded.choices["incomplete"] == "pad"


def test_single_detectors_of_a_padded_frame(tmp_path: Path) -> None:
    frames = counts(2)
    path = write(tmp_path / "a.im", frames, 300, version=8)
    stack = open_im(path, incomplete="pad", roll=(1, -2)).stack
    whole = stack.read(0, 2)
    for numbers in [(0,), (1,), (2,), (2, 0), (1, 2)]:
        assert np.array_equal(stack.read(0, 2, numbers), whole[:, numbers])
    assert np.array_equal(stack.read(1, 2), whole[1:])
    assert whole[1, 2].sum() == 0


def test_a_complete_file_needs_no_padding(tmp_path: Path) -> None:
    path = write(tmp_path / "a.im", counts(3))
    assert open_im(path, incomplete="pad").warnings == ()
    assert "recorded" not in open_im(path, incomplete="pad").coords
    assert open_im(path, incomplete="pad").stack == open_im(path).stack


def test_one_complete_image_is_enough_to_pad(tmp_path: Path) -> None:
    frames = counts(1)
    path = write(tmp_path / "a.im", frames, 48 * 4 * 2)
    with pytest.raises(DataError, match="one complete frame"):
        open_im(path)
    file = open_im(path, incomplete="pad")
    assert np.array_equal(pixels(file)[0, 0], frames[0, 0])
    assert not pixels(file)[0, 1:].any()
    assert file.coords["recorded"].tolist() == [[True, False, False]]
    path = write(tmp_path / "a.im", frames, 48 * 4 * 2 + 1)
    with pytest.raises(DataError, match="one complete frame"):
        open_im(path, incomplete="pad")


def test_padding_cannot_be_made_to_allocate_what_is_only_claimed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.im", counts(2))
    raw = bytearray(path.read_bytes())
    first = header_size(path)
    for values in ((32767, 32767, 4, 3), (32767, 1, 4, 32767), (6, 8, 4, 32767), (1, 1, 4, 32767)):
        struct.pack_into("<4h", raw, first - 84 + 6, *values)
        path.write_bytes(raw)
        tracemalloc.start()
        with pytest.raises(DataError):
            pixels(open_im(path, incomplete="pad"))
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
        tracemalloc.stop()


@pytest.mark.parametrize("option", [{"incomplete": "fill"}, {"zero_tail": True}])
def test_unknown_choices(tmp_path: Path, option: dict[str, Any]) -> None:
    path = write(tmp_path / "a.im", counts(1))
    with pytest.raises(ValueError, match="must be"):
        open_im(path, **option)


# --- more or fewer planes than the header says -------------------------


@pytest.mark.parametrize("said", [0, 1, 3, 4, 900])
@pytest.mark.parametrize("held", [1, 3, 5])
def test_the_size_of_the_file_decides(tmp_path: Path, said: int, held: int) -> None:
    frames = counts(held)
    path = write(tmp_path / "a.im", frames, frames=max(said, 1))
    raw = bytearray(path.read_bytes())
    struct.pack_into("<h", raw, header_size(path) - 84 + 14, said)
    path.write_bytes(raw)
    file = open_im(path)
    assert np.array_equal(pixels(file), frames)
    assert file.attrs["frames_in_file"] == held
    assert file.attrs["frames_in_header"] == said
    assert bool(file.warnings) == (said != held)


def test_a_header_whose_pixels_never_came(tmp_path: Path) -> None:
    path = write(tmp_path / "a.im", counts(0), frames=4)
    for option in ("drop", "pad"):
        file = open_im(path, incomplete=option, zero_tail="drop", roll="auto", interleave=True)
        assert (file.stack.n_frames, file.stack.frame_shape) == (0, SHAPE)
        assert pixels(file).shape == (0, *SHAPE)
        assert "holds only a header, no frames" in file.warnings


# --- all-zero tail -------------------------


@pytest.mark.parametrize("zeros", [0, 1, 4])
@pytest.mark.parametrize("version", [2, 10])
def test_zero_tails(tmp_path: Path, zeros: int, version: int) -> None:
    frames = np.concatenate([counts(2), np.zeros((1, *SHAPE), "u4"), counts(1)])
    frames[3] = 0
    frames[3, 0, 0, 0] = 256  # one pixel, of which one byte, keeps a frame
    frames = np.concatenate([frames, np.zeros((zeros, *SHAPE), "u4")])
    path = write(tmp_path / "a.im", frames, version=version)
    assert open_im(path).stack.n_frames == 4 + zeros
    file = open_im(path, zero_tail="drop")
    assert np.array_equal(pixels(file), frames[:4])
    assert file.attrs.get("zero_frames_dropped", 0) == zeros
    assert any(f"last {zeros} frames" in text for text in file.warnings) == bool(zeros)
    assert file.attrs["frames_in_file"] == 4 + zeros


def test_nothing_but_zeros_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "a.im", np.zeros((3, *SHAPE), "u4"))
    file = open_im(path, zero_tail="drop")
    assert file.stack.n_frames == 3
    assert "nothing but zeros" in file.warnings[0]


def test_zero_tail_and_an_incomplete_frame(tmp_path: Path) -> None:
    frames = np.concatenate([counts(2), np.zeros((2, *SHAPE), "u4")])
    path = write(tmp_path / "a.im", frames, 10)
    file = open_im(path, incomplete="pad", zero_tail="drop")
    assert np.array_equal(pixels(file), frames[:2])
    assert "recorded" not in file.coords
    assert "missing_pixels" not in file.attrs
    frames[3, 0] = 5
    path = write(tmp_path / "a.im", frames, 10)
    file = open_im(path, incomplete="pad", zero_tail="drop")
    assert np.array_equal(pixels(file), frames)
    assert file.coords["recorded"].tolist() == [[True] * 3] * 3 + [[True, True, False]]


def test_only_the_tail_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = np.ones((40, 3, 256, 256), "u4")
    frames[38:] = 0
    path = write(tmp_path / "a.im", frames)
    read: list[int] = []
    fill = FileSource.read_into

    def count(self: FileSource, buffer: memoryview, offset: int) -> None:
        read.append(len(buffer))
        fill(self, buffer, offset)

    monkeypatch.setattr(FileSource, "read_into", count)
    tracemalloc.start()
    assert open_im(path, zero_tail="drop").stack.n_frames == 38
    assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    tracemalloc.stop()
    assert sum(read) < 6 * 2**20


# --- truncation at every per cent -------------------------


@pytest.mark.parametrize("version", [4, 10])
def test_truncation_at_every_per_cent(tmp_path: Path, version: int) -> None:
    frames = counts(20, dtype="u2")
    whole = write(tmp_path / "a.im", frames, version=version, pixel_bytes=2)
    raw = whole.read_bytes()
    first = len(raw) - 20 * FRAME * 2
    cut = tmp_path / "cut.im"
    began = time.perf_counter()
    for percent in range(100):
        end = len(raw) * percent // 100
        cut.write_bytes(raw[:end])
        held = (end - first) / (FRAME * 2)
        try:
            file = open_im(cut, incomplete="pad", zero_tail="drop")
        except DataError:
            assert held < 1 / 3
            continue
        assert file.warnings
        found = pixels(file)
        assert len(found) == int(np.ceil(held))
        exact = frames[: len(found)].reshape(-1).copy()
        exact[max(end - first, 0) // 2 :] = 0
        assert np.array_equal(found.reshape(-1), exact)
    assert time.perf_counter() - began < 5
