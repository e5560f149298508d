"""Peak-switched planes as they are simulated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mfxarray.formats.im.im import open_im
from mfxarray.formats.im.series import find_series
from mfxarray.simulate.mims import simulate_mims
from mfxarray.simulate.mims_scene import mims_detectors
from mfxarray.simulate.mims_series import switched_detectors


@pytest.mark.parametrize(("count", "series"), [(7, 1), (7, 2), (7, 6), (8, 3), (5, 2), (15, 2)])
def test_species_are_dealt_out(count: int, series: int) -> None:
    channels, parts = switched_detectors(count, series)
    ions = [number for part in parts for number in part if mims_detectors(count)[number].mass > 0]
    assert sorted(ions) == list(range(count - 1))
    assert len(parts) == series
    assert len(channels) == sum(len(part) for part in parts) == count - 1 + series
    assert len({one.name for one in channels}) == len(channels)
    electrons = [one.name for one in channels if one.mass == 0]
    assert electrons == ["SE", *(f"SE_{i}" for i in range(2, series + 1))]


@pytest.mark.parametrize("series", [2, 3, 6])
def test_the_reader_finds_the_series(series: int) -> None:
    channels, parts = switched_detectors(7, series)
    found = find_series(channels, None)
    assert [len(one) for one in found] == [len(part) for part in parts]
    assert [number for one in found for number in one] == list(range(len(channels)))


@pytest.mark.parametrize("series", [0, -1, 7])
def test_impossible_series(series: int) -> None:
    with pytest.raises(ValueError, match="series must be 1 to 6"):
        switched_detectors(7, series)


def test_series_follow_each_other_in_time(tmp_path: Path) -> None:
    options: dict[str, Any] = {"size": (16, 24), "seed": 5, "hot_pixels": 0.0}
    switched = simulate_mims(tmp_path / "s.im", frames=3, series=2, **options)
    every = simulate_mims(tmp_path / "all.im", frames=6, **options)
    assert np.array_equal(switched.translations, every.translations)
    assert switched.parameters["series"] == 2
    file = open_im(tmp_path / "s.im", interleave=True)
    found = file.stack.read(0, 6)
    plain = open_im(tmp_path / "all.im")
    whole = plain.stack.read(0, 6)
    for column, detector in enumerate(file.detectors):
        same = [one.name for one in plain.detectors].index(detector.name)
        recorded = file.coords["recorded"][:, column]
        assert np.array_equal(found[recorded, column], whole[recorded, same])
        assert not found[~recorded, column].any()


def test_all_kinds_together(tmp_path: Path) -> None:
    path = tmp_path / "a.im"
    options: dict[str, Any] = {"frames": 3, "size": (40, 64), "series": 2, "seed": 1}
    simulate_mims(path, **options)
    whole = open_im(path, interleave=True).stack.read(0, 6)
    seen: list[tuple[int, int]] = []
    simulate_mims(
        path,
        **options,
        raster_pixels=(256, 128),
        glitch=(1, -1),
        zero_frames=2,
        cut_bytes=77,
        b_fields=3,
        progress=lambda done, of: seen.append((done, of)),
    )
    assert seen == [(1, 3), (2, 3), (3, 3)]
    choices: dict[str, Any] = {"interleave": True, "incomplete": "pad", "zero_tail": "drop"}
    file = open_im(path, roll=(1, -1), **choices)
    assert np.array_equal(file.stack.read(0, file.stack.n_frames), whole)
    assert file.pixel_size_um == (20 / 256, 20 / 256)
    assert len(file.attrs["b_fields"]) == 3
    assert file.attrs["zero_frames_dropped"] == 2


def test_zero_frames_must_not_be_negative(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        simulate_mims(tmp_path / "a.im", zero_frames=-1)
