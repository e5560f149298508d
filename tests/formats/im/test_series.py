"""Peak-switched planes: where series begin, and what they become."""

from __future__ import annotations

import pickle
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mfxarray.formats.im.attrs import Detector
from mfxarray.formats.im.frames import dwell_times
from mfxarray.formats.im.header import Parameters
from mfxarray.formats.im.im import open_im
from mfxarray.formats.im.series import InterleavedStack, find_series, interleave
from mfxarray.simulate.im_writer import ImHeader, write_im
from mfxarray.simulate.mims import simulate_mims
from mfxarray.simulate.mims_series import switched_detectors

Array = np.ndarray[Any, Any]
MASSES = {"12C": 12.0, "13C": 13.0, "12C 14N": 26.0, "12C 15N": 27.0, "32S": 32.0, "SE": 0.0}


def detectors(text: str, trolleys: list[int] | None = None) -> tuple[Detector, ...]:
    """Return detectors of labels separated by commas; SE has none."""
    labels = text.split(",")
    numbers = trolleys or [0] * len(labels)
    return tuple(
        Detector(f"{label}_{i}", "" if label == "SE" else label, MASSES[label], numbers[i])
        for i, label in enumerate(labels)
    )


def settings(*fields: list[int], dwell: list[int] | None = None) -> Parameters:
    b_fields = [
        {"dwell_us": (dwell or [1000] * len(fields))[i], "trolleys": [{"mass_index": j} for j in f]}
        for i, f in enumerate(fields)
    ]
    return Parameters({}, b_fields, {}, {}, None)


@pytest.mark.parametrize(
    ("labels", "series"),
    [
        ("12C,12C 14N,SE,13C,12C 15N,SE", [(0, 1, 2), (3, 4, 5)]),
        ("12C,13C,SE,12C 14N,12C 15N,SE", [(0, 1, 2), (3, 4, 5)]),  # the mass never drops
        ("SE,12C,13C,SE,12C 14N,12C 15N", [(0, 1, 2), (3, 4, 5)]),
        ("12C,12C 14N,13C,12C 15N", [(0, 1), (2, 3)]),  # only the mass tells
        ("12C,32S,12C,32S,12C,32S", [(0, 1), (2, 3), (4, 5)]),
        ("12C,13C,12C 14N,SE,12C 15N,32S", [(0, 1, 2, 3, 4, 5)]),
        ("12C", [(0,)]),
        ("SE,SE", [(0,), (1,)]),
        ("12C,12C,SE,SE", [(0,), (1, 2), (3,)]),
    ],
)
def test_where_series_begin(labels: str, series: list[tuple[int, ...]]) -> None:
    assert find_series(detectors(labels), None) == tuple(series)


def test_a_trolley_measures_one_species_at_a_time() -> None:
    switched = detectors("12C,13C,12C 14N,12C 15N", [1, 2, 1, 2])
    assert find_series(switched, None) == ((0, 1), (2, 3))


@pytest.mark.parametrize(
    ("fields", "series"),
    [
        ([[0, 2], [1, 3]], ((0, 2), (1, 3))),
        ([[3, 1], [], [2, 0]], ((1, 3), (0, 2))),
        ([[0, 1, 2, 3]], None),
        ([[0, 1], [1, 2, 3]], None),  # shared
        ([[0, 1], [2]], None),  # one is missing
        ([[0, 1], [2, 9]], None),
        ([[0, 1, 2, 3], [0, 1, 2, 3]], None),
        ([[0, 1, 2, 3], []], None),
    ],
)
def test_b_fields_that_share_out_all_detectors_decide(fields: Any, series: Any) -> None:
    ascending = detectors("12C,13C,12C 14N,12C 15N", [1, 2, 3, 4])
    assert find_series(ascending, settings(*fields)) == (series or ((0, 1, 2, 3),))


def test_a_b_field_with_a_species_twice_is_not_believed() -> None:
    twice = detectors("12C,12C,13C,12C 14N")
    assert find_series(twice, settings([0, 1], [2, 3])) == ((0,), (1, 2, 3))


@pytest.mark.parametrize("seed", range(20))
def test_no_detector_is_ever_lost(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.choice(list(MASSES), rng.integers(1, 12)).tolist()
    some = detectors(",".join(labels), rng.integers(0, 6, len(labels)).tolist())
    series = find_series(some, None)
    assert sorted(i for one in series for i in one) == list(range(len(some)))
    path = tmp_path / "a.im"
    frames = np.arange(2 * len(some) * 4, dtype="u4").reshape(2, len(some), 2, 2) + 1
    write_im(path, frames, ImHeader(some, 2, 2, 2))
    file = open_im(path, interleave=True)
    found = file.stack.read(0, file.stack.n_frames)
    assert sorted(found[found > 0].tolist()) == frames.reshape(-1).tolist()
    assert len({one.name for one in file.detectors}) == len(file.detectors)


def test_nothing_to_interleave(tmp_path: Path) -> None:
    simulate_mims(tmp_path / "a.im", frames=2, size=8)
    plain, file = open_im(tmp_path / "a.im"), open_im(tmp_path / "a.im", interleave=True)
    assert interleave(plain.stack, plain.detectors, None) is None  # type: ignore[arg-type]
    assert file.stack == plain.stack
    assert set(file.coords) == {"species"}
    assert "nothing was interleaved" in file.warnings[0]


@pytest.mark.realdata
def test_file_of_others(data_dir: Path) -> None:
    path = data_dir / "mims" / "synthetic" / "s10_dup_labels_peakswitch.im"
    plain, file = open_im(path), open_im(path, interleave=True)
    stored = plain.stack.read(0, 4)
    found = file.stack.read(0, 8)
    assert [one.name for one in file.detectors] == ["12C", "12C 14N", "SE", "13C", "12C 15N"]
    assert [one.mass for one in file.detectors] == [12.0, 26.00307, 0.0, 13.00335, 27.00011]
    assert np.array_equal(found[0::2, [0, 1, 2]], stored[:, [0, 1, 2]])
    assert np.array_equal(found[1::2, [3, 4, 2]], stored[:, [3, 4, 5]])
    assert not found[0::2, [3, 4]].any()
    assert not found[1::2, [0, 1]].any()
    assert file.coords["recorded"].tolist() == 4 * [
        [True, True, True, False, False],
        [False, False, True, True, True],
    ]
    assert file.coords["plane"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert file.coords["series"].tolist() == [0, 1] * 4
    assert file.attrs["detectors"] == [one.name for one in file.detectors]
    assert file.choices == {"roll": [0, 0], "interleave": True}


@pytest.mark.parametrize("series", [2, 3])
@pytest.mark.parametrize("version", [2, 10])
def test_simulated_series_read_back(tmp_path: Path, series: int, version: int) -> None:
    path = tmp_path / "a.im"
    truth = simulate_mims(path, frames=3, series=series, size=(12, 20), version=version)
    file = open_im(path, interleave=True, roll=(1, 0))
    channels, parts = switched_detectors(7, series)
    assert truth.labels == tuple(one.name for one in channels)
    assert file.stack.n_frames == 3 * series == len(truth.translations)
    stored = open_im(path, roll=(1, 0)).stack.read(0, 3)
    split = np.split(stored, np.cumsum([len(part) for part in parts])[:-1], axis=1)
    names = [one.name for one in file.detectors]
    found = file.stack.read(0, file.stack.n_frames)
    place = 0
    for number, part in enumerate(split):
        labels = [
            one.name.removesuffix(f"_{number + 1}")
            for one in channels[place:][: len(parts[number])]
        ]
        place += len(labels)
        columns = [names.index(label) for label in labels]
        assert np.array_equal(found[number::series, columns], part)
        recorded = file.coords["recorded"][number::series]
        assert (recorded.sum(axis=1) == len(columns)).all()
        assert recorded[:, columns].all()


def test_ranges_and_detectors(tmp_path: Path) -> None:
    simulate_mims(tmp_path / "a.im", frames=4, series=3, size=8, version=4)
    stack = open_im(tmp_path / "a.im", interleave=True).stack
    assert isinstance(stack, InterleavedStack)
    whole = stack.read(0, 12)
    assert whole.dtype.isnative
    for start, stop in [(0, 1), (1, 4), (5, 11), (3, 3), (11, 12)]:
        assert np.array_equal(stack.read(start, stop), whole[start:stop])
        assert np.array_equal(stack.read(start, stop, (6, 0)), whole[start:stop, [6, 0]])
    assert pickle.loads(pickle.dumps(stack)) == stack


def test_an_incomplete_plane_interleaved(tmp_path: Path) -> None:
    simulate_mims(tmp_path / "a.im", frames=2, series=2, size=8, cut_bytes=8 * 8 * 4 + 4)
    plain = open_im(tmp_path / "a.im", incomplete="pad")
    file = open_im(tmp_path / "a.im", incomplete="pad", interleave=True)
    assert plain.attrs["missing_pixels"] == [[1, 6, 63, 64], [1, 7, 0, 64]]
    names = [one.name for one in file.detectors]
    assert file.attrs["missing_pixels"] == [
        [3, names.index("32S"), 63, 64],
        [3, names.index("SE"), 0, 64],
    ]
    lost = ~file.coords["recorded"][3]
    assert [name for name, gone in zip(names, lost, strict=True) if gone] == [
        "12C",
        "12C 14N",
        "31P",
        "SE",
        "32S",
    ]


def test_values_of_detectors_that_disagree_are_left_out(tmp_path: Path) -> None:
    both = (Detector("12C", "12C", 12.0, 1), Detector("SE", "", 0.0, 8))
    again = (Detector("12C_2", "12C", 12.0, 0), Detector("SE_2", "", 0.0, 8))
    write_im(tmp_path / "a.im", np.ones((1, 4, 2, 2), "u4"), ImHeader((*both, *again), 2, 2))
    plain = open_im(tmp_path / "a.im")
    assert plain.attrs["dead_time_ns"] == [44, None, None, None]
    assert open_im(tmp_path / "a.im", interleave=True).attrs["dead_time_ns"] == [None, None]


def test_dwell_times_of_b_fields() -> None:
    some = detectors("12C,13C,12C 14N,12C 15N")
    assert dwell_times(some, None) == (None, [])
    assert dwell_times(some, settings([0, 1], [2, 3])) == (None, [])
    apart = settings([0, 3], [1, 2], dwell=[1000, 250])
    assert dwell_times(some, apart) == ([0.001, 0.00025, 0.00025, 0.001], [])
    found, warnings = dwell_times(some, settings([0, 1, 2, 3], [0, 1], dwell=[1000, 250]))
    assert found is None
    assert "differ in dwell time" in warnings[0]


def test_b_fields_of_a_file(tmp_path: Path) -> None:
    channels = detectors("12C,12C 14N,SE,SE", [1, 2, 8, 8])
    frames = np.arange(2 * 4 * 6, dtype="u4").reshape(2, 4, 2, 3) + 1
    path = tmp_path / "a.im"
    write_im(path, frames, ImHeader(channels, 2, 3, 2, b_fields=2))
    raw = bytearray(path.read_bytes())
    # the writer lists all trolleys in both fields; the first is to have 12C and its electrons
    fields = [652 + 4 * 288 + 24 + 1552 + i * 3128 for i in range(2)]
    for field, trolley, values in [
        (0, 2, (0, -2)),
        (0, 8, (1, 2)),
        (1, 1, (0, -2)),
        (1, 8, (1, 3)),
    ]:
        struct.pack_into("<2i", raw, fields[field] + 56 + trolley * 208 + 96, *values)
    struct.pack_into("<i", raw, fields[1] + 12, 250)
    path.write_bytes(raw)
    plain, file = open_im(path), open_im(path, interleave=True)
    assert plain.warnings == file.warnings == ()
    assert plain.coords["dwell_time_s"].tolist() == [0.001, 0.00025, 0.001, 0.00025]
    assert "dwell_time_s" not in plain.attrs
    assert file.attrs["interleaved"] == [[0, -1, 2], [-1, 1, 3]]
    found = file.stack.read(0, 4)
    assert np.array_equal(found[0::2, [0, 2]], frames[:, [0, 2]])
    assert np.array_equal(found[1::2, [1, 2]], frames[:, [1, 3]])
    # electrons were measured with both dwell times
    np.testing.assert_array_equal(file.coords["dwell_time_s"], [0.001, 0.00025, np.nan])


def test_very_many_channels_of_a_damaged_header_take_no_time(tmp_path: Path) -> None:
    path = tmp_path / "a.im"
    write_im(path, np.zeros((0, 3, 2, 2), "u4"), ImHeader(height=2, width=2, frames=1), exact=False)
    raw = bytearray(path.read_bytes())
    struct.pack_into("<h", raw, len(raw) - 84 + 12, 32767)
    path.write_bytes(raw)
    began = time.perf_counter()
    file = open_im(path, interleave=True, incomplete="pad")
    assert time.perf_counter() - began < 2
    assert file.stack.frame_shape == (32767, 2, 2)
    assert "not read" in file.warnings[0]
