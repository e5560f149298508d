"""Several files of one field: the same pixels as one file, and refusals that name the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr

import mfxarray as mfx
from mfxarray.chunked.shortcuts import select_detectors
from mfxarray.errors import DataError
from mfxarray.formats.im.im import Detector
from mfxarray.opening.joined import join_files
from mfxarray.provenance import history
from mfxarray.simulate.im_writer import ImHeader, write_im
from mfxarray.testing import raise_if_computes

CHANNELS = ImHeader().detectors
SIZES = (3, 1, 4)


def write(path: Path, frames: int, seed: int, **header: Any) -> Path:
    values = {"height": 12, "width": 10, "frames": frames, **header}
    said = ImHeader(**values)
    shape = (frames, *said.frame_shape)
    counts = np.random.default_rng(seed).integers(
        0, 1000, shape, dtype=said.dtype.newbyteorder("=")
    )
    write_im(path, counts, said)
    return path


def opened(path: Path, **options: Any) -> xr.DataArray:
    return mfx.open_mims(path, **options)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return [
        write(tmp_path / f"{i}.im", frames, i, date=f"2024-01-0{i + 1}T10:00")
        for i, frames in enumerate(SIZES)
    ]


@pytest.fixture
def stacks(paths: list[Path]) -> list[xr.DataArray]:
    return [opened(path, chunk_bytes=2000) for path in paths]


@pytest.fixture
def names(paths: list[Path]) -> list[str]:
    return [str(path) for path in paths]


def test_pixels_one_after_the_other(stacks: list[xr.DataArray], names: list[str]) -> None:
    with raise_if_computes():
        joined = join_files(stacks, names)
    assert isinstance(joined.data, da.Array)
    assert joined.dims == ("frame", "detector", "y", "x")
    assert joined.dtype == np.uint32
    assert joined.name == "counts"
    np.testing.assert_array_equal(joined, np.concatenate([stack.values for stack in stacks]))
    assert joined["frame"].values.tolist() == list(range(8))
    assert joined["file"].values.tolist() == [0] * 3 + [1] + [2] * 4
    assert joined.chunks[0] == sum((stack.chunks[0] for stack in stacks), ())
    for name in ("detector", "label", "mass", "trolley", "y", "x"):
        xr.testing.assert_identical(
            joined[name].drop_vars(joined[name].coords),
            stacks[0][name].drop_vars(stacks[0][name].coords),
        )


def test_attributes_are_merged_honestly(stacks: list[xr.DataArray], names: list[str]) -> None:
    joined = join_files(stacks, names)
    attrs = joined.attrs
    assert json.loads(json.dumps(attrs)) == attrs
    assert attrs["files"] == ["0.im", "1.im", "2.im"]
    assert attrs["frames_per_file"] == [3, 1, 4]
    assert attrs["frames_in_file"] == attrs["frames_planned"] == 8
    assert attrs["per_file"]["frames_in_file"] == [3, 1, 4]
    assert attrs["per_file"]["date"] == [f"2024-01-0{i}T10:00" for i in (1, 2, 3)]
    assert attrs["date"] == "2024-01-01T10:00"
    assert attrs["units"] == "counts"
    for name in ("dwell_time_s", "dead_time_ns", "raster_um", "polarity", "sample"):
        assert attrs[name] == stacks[0].attrs[name]
        assert name not in attrs["per_file"]


def test_record_names_all_files(stacks: list[xr.DataArray], names: list[str]) -> None:
    steps = history(join_files(stacks, names).attrs)
    assert [step["step"] for step in steps] == ["open_mims", "join_files"]
    assert steps[0]["source"]["name"] == "0.im"
    others = steps[1]["others"]
    assert [others[f"file_{i}"][0]["source"]["name"] for i in (1, 2)] == ["1.im", "2.im"]


def test_one_file_is_joined_too(stacks: list[xr.DataArray], names: list[str]) -> None:
    joined = join_files(stacks[:1], names[:1])
    np.testing.assert_array_equal(joined, stacks[0])
    assert joined["file"].values.tolist() == [0] * 3


def test_the_whole_job_runs_on_joined_files(tmp_path: Path) -> None:
    mfx.simulate_mims(tmp_path / "whole.im", frames=12, size=48, seed=3)
    whole = mfx.open_mims(tmp_path / "whole.im")
    parts = [whole.isel(frame=slice(0, 5)), whole.isel(frame=slice(5, 12))]
    joined = join_files(parts, ["a", "b"])
    one, other = (
        ions.mims.remove_hot_pixels().mims.infer_translations("12C 14N", method="seed")
        for ions in (whole, joined)
    )
    np.testing.assert_array_equal(one.values, other.values)


def test_detectors_are_selected_without_the_others(
    stacks: list[xr.DataArray], names: list[str]
) -> None:
    joined = join_files(stacks, names)
    for numbers in [[0], [2, 0], [1, 2]]:
        found = select_detectors(joined.data, numbers)
        np.testing.assert_array_equal(found, joined.values[:, numbers])
        assert all(
            "-reader" in str(key) or "frames-" in str(key) or "conc" in str(key)
            for key in found.dask
        )


def test_arrays_in_memory_and_lazy_ones_of_xarray(
    paths: list[Path], stacks: list[xr.DataArray], names: list[str]
) -> None:
    engine = [xr.open_dataset(path, engine="mims")["counts"] for path in paths]
    memory = [stack.compute() for stack in stacks]
    wanted = join_files(stacks, names)
    for kind in (engine, memory):
        xr.testing.assert_equal(join_files(kind, names).compute(), wanted.compute())


# --- order of detectors -------------------------


@pytest.fixture
def shuffled(tmp_path: Path) -> Path:
    order = (CHANNELS[2], CHANNELS[0], CHANNELS[1])
    return write(tmp_path / "shuffled.im", 2, 9, detectors=order, date="2024-02-01T00:00")


def test_other_order_is_refused_or_matched(
    stacks: list[xr.DataArray], names: list[str], shuffled: Path
) -> None:
    more, path = opened(shuffled), str(shuffled)
    with pytest.raises(DataError, match=r"shuffled\.im: has detectors .*match=\"label\""):
        join_files([*stacks, more], [*names, path])
    joined = join_files([*stacks, more], [*names, path], match="label")
    np.testing.assert_array_equal(joined[8:], more.values[:, [1, 2, 0]])
    assert joined["detector"].values.tolist() == stacks[0]["detector"].values.tolist()
    assert joined.attrs["dead_time_ns"] == [44, 44, None]
    found = select_detectors(joined.data, [2, 0])
    np.testing.assert_array_equal(found, joined.values[:, [2, 0]])


@pytest.mark.parametrize("match", ["order", "label"])
def test_other_detectors_are_refused(
    tmp_path: Path, stacks: list[xr.DataArray], names: list[str], match: str
) -> None:
    other = (CHANNELS[0], Detector("32S", "32S", 31.97, 3), CHANNELS[2])
    path = write(tmp_path / "other.im", 1, 0, detectors=other)
    with pytest.raises(DataError, match=r"other\.im: .*32S"):
        join_files([*stacks, opened(path)], [*names, str(path)], match=match)


# --- what cannot be joined -------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"height": 11}, "has 11 rows, the first file 12"),
        ({"width": 20}, "has 20 columns, the first file 10"),
        ({"raster_um": 21.0}, "raster of 21.0 µm, the first file 20.0 µm"),
        ({"dwell_us": 500}, "dwell_time_s 0.0005, the first file 0.001"),
        ({"polarity": "+"}, r"polarity \+, the first file -"),
        (
            {"detectors": (Detector("12C", "12C", 13.0, 1), *CHANNELS[1:])},
            "measures '12C' at mass 13 u, the first file at 12 u",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:.*was set to mass")
def test_differences_are_named(
    tmp_path: Path,
    stacks: list[xr.DataArray],
    names: list[str],
    change: dict[str, Any],
    message: str,
) -> None:
    path = write(tmp_path / "differs.im", 1, 0, **change)
    with pytest.raises(DataError, match=rf"differs\.im: .*{message}"):
        join_files([*stacks, opened(path)], [*names, str(path)])


def test_peaks_centred_anew_and_narrow_pixels_are_no_difference(
    tmp_path: Path, stacks: list[xr.DataArray], names: list[str]
) -> None:
    moved = (Detector("12C", "12C", 12.01, 1), *CHANNELS[1:])
    path = write(tmp_path / "moved.im", 2, 0, detectors=moved, pixel_bytes=2, version=8)
    narrow = opened(path)
    assert narrow.dtype == np.uint16
    joined = join_files([narrow, *stacks], [str(path), *names])
    assert joined.dtype == np.uint32
    np.testing.assert_array_equal(joined[:2], narrow)
    assert joined.attrs["per_file"]["release"] == [11, 4108, 4108, 4108]
    assert "release" not in joined.attrs


def test_wrong_calls(stacks: list[xr.DataArray], names: list[str]) -> None:
    with pytest.raises(ValueError, match="no files"):
        join_files([], [])
    with pytest.raises(ValueError, match="given twice"):
        join_files([stacks[0], stacks[0]], [names[0], names[0]])
    with pytest.raises(ValueError, match="match must be"):
        join_files(stacks, names, match="name")
    with pytest.raises(ValueError, match="2 names for 3 stacks"):
        join_files(stacks, names[:2])
    with pytest.raises(ValueError, match="Dimensions"):
        join_files([stacks[0].isel(frame=0)], names[:1])


# --- doubts -------------------------


def test_values_that_differ_are_not_passed_on_as_one(
    tmp_path: Path, stacks: list[xr.DataArray], names: list[str]
) -> None:
    path = write(tmp_path / "slow.im", 1, 0, dead_time_ns=60, date="2025-01-01T00:00")
    with pytest.warns(UserWarning, match="dead_time_ns differs"):
        joined = join_files([*stacks, opened(path)], [*names, str(path)])
    assert "dead_time_ns" not in joined.attrs
    assert joined.attrs["per_file"]["dead_time_ns"][3] == [60, 60, None]


def test_dates_out_of_order(stacks: list[xr.DataArray], names: list[str]) -> None:
    with pytest.warns(UserWarning, match="not in the order of their dates"):
        join_files(stacks[::-1], names[::-1])


def test_stage_that_moved(stacks: list[xr.DataArray], names: list[str]) -> None:
    moved = stacks[1].assign_attrs(stage_position_um=[0, 11, 0])
    with pytest.warns(UserWarning, match=r"1\.im: the stage was 11 µm away"):
        join_files([stacks[0], moved], names[:2])


# --- labels of the frames -------------------------


def test_what_was_not_recorded_stays_known(stacks: list[xr.DataArray], names: list[str]) -> None:
    flags = np.ones((1, 3), bool)
    flags[0, 2] = False
    padded = stacks[1].assign_coords(recorded=(("frame", "detector"), flags))
    padded = padded.assign_attrs(missing_pixels=[[0, 2, 100, 120]])
    joined = join_files([stacks[0], padded, stacks[2]], names)
    assert joined["recorded"].dims == ("frame", "detector")
    assert np.argwhere(~joined["recorded"].values).tolist() == [[3, 2]]
    assert joined.attrs["missing_pixels"] == [[3, 2, 100, 120]]


def test_series_and_planes(stacks: list[xr.DataArray], names: list[str]) -> None:
    numbers = {"plane": ("frame", [0, 0, 1]), "series": ("frame", [0, 1, 0])}
    joined = join_files([stacks[0].assign_coords(numbers), stacks[1]], names[:2])
    assert joined["plane"].values.tolist() == [0, 0, 1, 0]
    assert joined["series"].values.tolist() == [0, 1, 0, 0]


def test_labels_that_only_some_have_are_left_out(
    stacks: list[xr.DataArray], names: list[str]
) -> None:
    marked = [stack.assign_coords(z=("frame", np.arange(len(stack)))) for stack in stacks]
    assert join_files(marked, names)["z"].values.tolist() == [0, 1, 2, 0, 0, 1, 2, 3]
    assert "z" not in join_files([marked[0], *stacks[1:]], names).coords
