"""Fields lie where the stage was; gaps stay gaps, and counts stay counts."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from mfxarray.chunked import mosaic as tiles
from mfxarray.mims.accumulate import accumulate
from mfxarray.mims.align import apply_translations
from mfxarray.mims.counted import with_variance
from mfxarray.mims.mosaics import mosaic
from mfxarray.provenance import history
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.mims.counted_samples import counts_like

PIXEL = 0.1
NAMES = ["12C", "12C 14N", "SE"]


def scene(height: int = 90, width: int = 120, frames: int = 3) -> np.ndarray:
    rng = np.random.default_rng(8)
    return rng.poisson(30, (frames, len(NAMES), height, width)).astype(np.uint32)


def field(counts: np.ndarray, row: int, column: int, size=(40, 50), shift=(0.0, 0.0), **attrs):
    """Return a part of a scene whose stage position is that of its centre, in µm."""
    height, width = size
    part = counts[..., row : row + height, column : column + width]
    place = [(row + height / 2 + shift[0]) * PIXEL, (column + width / 2 + shift[1]) * PIXEL, 5]
    return counts_like(part, NAMES, stage_position_um=place, raster_um=width * PIXEL, **attrs)


CORNERS = [(10, 5), (12, 45), (35, 20), (48, 68)]


def four(counts: np.ndarray) -> list[xr.DataArray]:
    return [field(counts, *corner) for corner in CORNERS]


def covered_by(corners, shape=(90, 120), size=(40, 50)) -> np.ndarray:
    found = np.zeros(shape, int)
    for row, column in corners:
        found[row : row + size[0], column : column + size[1]] += 1
    return found


def test_a_scene_comes_together_again():
    counts = scene()
    found = mosaic(four(counts))
    number = covered_by(CORNERS)
    window = (slice(10, 88), slice(5, 118))
    expected = np.where(number > 0, counts, 0)[(..., *window)]
    assert found.dims == ("frame", "detector", "y", "x")
    assert found.dtype == np.uint32
    np.testing.assert_array_equal(found.values, expected)
    np.testing.assert_array_equal(found["covered"].values, (number > 0)[window])
    np.testing.assert_allclose(found["y"].values, (np.arange(10, 88) + 0.5) * PIXEL)
    np.testing.assert_allclose(found["x"].values, (np.arange(5, 118) + 0.5) * PIXEL)


def test_the_stage_of_cameca_turns_its_axes():
    one = counts_like(np.full((1, 3, 4, 4), 1, np.uint32), NAMES, stage_position_um=[0, 0, 0])
    down = counts_like(np.full((1, 3, 4, 4), 2, np.uint32), NAMES, stage_position_um=[0.4, 0, 0])
    right = counts_like(np.full((1, 3, 4, 4), 3, np.uint32), NAMES, stage_position_um=[0, 0.4, 0])
    found = mosaic([one, down, right]).values[0, 0]
    np.testing.assert_array_equal(found[::4, ::4], [[1, 3], [2, 0]])


def test_the_first_field_wins():
    counts = scene()
    fields = [field(counts * 0 + number + 1, *corner) for number, corner in enumerate(CORNERS)]
    found = mosaic(fields).values[0, 0]
    expected = np.zeros((90, 120), int)
    for number in (3, 2, 1, 0):
        row, column = CORNERS[number]
        expected[row : row + 40, column : column + 50] = number + 1
    np.testing.assert_array_equal(found, expected[10:88, 5:118])
    again = mosaic(fields[::-1]).values[0, 0]
    assert again[30, 30] == 3
    assert found[30, 30] == 1


def by_hand(fields, corners, power=1):
    """The weighted mean, pixel by pixel in plain Python."""
    total = np.zeros((90, 120))
    weight = np.zeros((90, 120))
    for one, (row, column) in zip(fields, corners, strict=True):
        values = one.values[0, 0]
        height, width = values.shape
        for y in range(height):
            for x in range(width):
                w = min(y, x, height - 1 - y, width - 1 - x) + 0.5
                total[row + y, column + x] += w**power * values[y, x]
                weight[row + y, column + x] += w
    with np.errstate(invalid="ignore"):
        return np.where(weight > 0, total / weight**power, np.nan)[10:88, 5:118]


def test_feather_is_a_weighted_mean():
    fields = four(scene(frames=1))
    fields[1] = fields[1] * 2  # so that seams would show
    fields[1].attrs = fields[0].attrs | {"stage_position_um": [3.2, 7.0, 5]}
    found = mosaic(fields, "feather")
    assert set(found) == {"counts", "variance"}
    counts, variance = found["counts"].values[0, 0], found["variance"].values[0, 0]
    np.testing.assert_allclose(counts, by_hand(fields, CORNERS), rtol=1e-12)
    np.testing.assert_allclose(variance, by_hand(fields, CORNERS, 2), rtol=1e-12)
    gaps = ~found["covered"].values
    assert gaps.any()
    np.testing.assert_array_equal(np.isnan(counts), gaps)
    np.testing.assert_array_equal(np.isnan(variance), gaps)


def test_feather_of_equal_fields_changes_nothing():
    counts = scene()
    found = mosaic(four(counts), "feather")["counts"].values
    here = ~np.isnan(found)
    np.testing.assert_allclose(found[here], counts[..., 10:88, 5:118][here], rtol=1e-12)


def test_the_variance_of_a_mean_is_true():
    rng = np.random.default_rng(1)
    draws = rng.poisson(50, (2, 4000, 3, 6, 8)).astype(np.uint32)
    first = counts_like(draws[0], NAMES, stage_position_um=[0, 0, 0])
    second = counts_like(draws[1], NAMES, stage_position_um=[0.2, 0.3, 0])
    found = mosaic([first, second], "feather")
    measured = found["counts"].values.var(axis=0)
    told = found["variance"].values.mean(axis=0)
    np.testing.assert_allclose(measured, told, rtol=0.15, equal_nan=True)


def test_corrected_counts_keep_their_variance():
    fields = [
        with_variance((one * 1.5).assign_attrs(one.attrs), one * 4.0) for one in four(scene())
    ]
    found = mosaic(fields)
    plain = mosaic(four(scene()))
    covered = plain["covered"].values
    for name, factor in (("counts", 1.5), ("variance", 4.0)):
        expected = np.where(covered, plain.values * factor, np.nan)
        np.testing.assert_array_equal(found[name].values, expected)


def test_what_rounding_leaves_is_told():
    counts = scene()
    fields = [field(counts, 0, 0), field(counts, 10, 20, shift=(0.3, -0.4))]
    told = mosaic(fields).attrs["mosaic"]
    assert [(one["row"], one["column"]) for one in told] == [(0, 0), (10, 20)]
    np.testing.assert_allclose(told[0]["residual_um"], 0)
    np.testing.assert_allclose(told[1]["residual_um"], [0.03, -0.04])


def test_given_positions():
    counts = scene()
    fields = four(counts)
    places = [one.attrs.pop("stage_position_um")[:2] for one in fields]
    with pytest.raises(ValueError, match="stage_position_um; give positions"):
        mosaic(fields)
    found = mosaic(fields, positions=places)
    np.testing.assert_array_equal(found.values, mosaic(four(counts)).values)
    for wrong in (places[:2], [[0, 0, 0]] * 4, [[np.nan, 0]] * 4):
        with pytest.raises(ValueError, match="pairs"):
            mosaic(fields, positions=wrong)


def test_sums_and_alignment():
    counts = scene(frames=3)
    fields = four(counts)
    shifts = np.array([[0, 0], [2, 1], [-1, 0]])
    aligned = [apply_translations(one, shifts, padding=3) for one in fields]
    sums = [accumulate(one) for one in aligned]
    found = mosaic(sums)
    assert found.dims == ("detector", "y", "x")
    assert int(found["n_frames"]) == 3
    exposure, values = found["exposure"].values, found.values
    np.testing.assert_array_equal(found["covered"].values, exposure > 0)
    assert not values[:, exposure == 0].any()
    # the stage was not moved by the padding: the content of the first frame is where it was
    row = round(CORNERS[0][0] - float(found["y"][0]) / PIXEL + 0.5)
    column = round(CORNERS[0][1] - float(found["x"][0]) / PIXEL + 0.5)
    inner = (slice(row + 5, row + 20), slice(column + 5, column + 20))
    own = sums[0].values[:, 8:23, 8:23]
    np.testing.assert_array_equal(values[(slice(None), *inner)], own)


def test_pixels_that_no_frame_covers_are_no_part_of_a_field():
    counts = scene(frames=1)
    left, right = field(counts, 0, 0), field(counts, 0, 30)
    moved = apply_translations(left, np.array([[0, -10]]))  # leaves the right edge empty
    found = mosaic([moved.isel(frame=[0]), right])
    # there the second field shows, though the first one would win
    np.testing.assert_array_equal(found.values[0, :, :40, 45], right.values[0, :, :, 15])


def test_sub_frames_lie_at_their_place_of_the_raster():
    counts = scene(frames=1)
    whole = field(counts, 0, 0, size=(40, 40))
    part = whole.isel(y=slice(8, 28), x=slice(4, 24))
    part = part.assign_coords(y=whole["y"].values[:20], x=whole["x"].values[:20])
    part.attrs["scanned_frame"] = {"rows": [9, 28, 40], "columns": [5, 24, 40]}
    (_, told) = mosaic([whole, part]).attrs["mosaic"]
    assert (told["row"], told["column"]) == (8, 4)
    np.testing.assert_allclose(told["residual_um"], 0, atol=1e-9)


def test_detectors_in_another_order():
    counts = scene()
    fields = four(counts)
    fields[2] = fields[2].isel(detector=[2, 0, 1])
    np.testing.assert_array_equal(mosaic(fields).values, mosaic(four(counts)).values)


def test_lazy_and_recorded():
    fields = [one.chunk({"frame": 1}) for one in four(scene())]
    with raise_if_computes():
        first, feathered = mosaic(fields), mosaic(fields, "feather")
    for found in (first, feathered):
        step = history(found.attrs)[-1]
        assert step["step"] == "mosaic"
        assert len(step["others"]) == 3
        assert "stage_position_um" not in found.attrs
    assert isinstance(first.data, da.Array)


@pytest.mark.parametrize("overlap", ["first", "feather"])
def test_chunks_and_tiles_change_nothing(monkeypatch, overlap):
    fields = four(scene())
    inputs = []
    for sizes in ({}, {"frame": 1}, {"frame": 2, "y": 7}, {"detector": 1, "x": 11, "y": 13}):
        inputs.append([one.chunk(sizes) for one in fields])
    mixed = [
        one.chunk(size) for one, size in zip(fields, ({}, {"frame": 1}, {}, {"y": 3}), strict=True)
    ]
    assert_chunk_invariant(lambda parts: mosaic(parts, overlap), [*inputs, mixed])
    whole = mosaic(fields, overlap)
    monkeypatch.setattr("mfxarray.mims.mosaics._TILE", 17)
    cut = mosaic(fields, overlap)
    xr.testing.assert_identical(cut.compute(), whole.compute())


def test_a_tile_reads_only_what_touches_it(monkeypatch):
    monkeypatch.setattr("mfxarray.mims.mosaics._TILE", 20)
    read: list[int] = []

    def note(block, number):
        read.append(number)
        return block

    fields = []
    for number, one in enumerate(four(scene())):
        data = da.from_array(one.values, chunks=-1).map_blocks(
            note, number, dtype=one.dtype, meta=one.values[:0]
        )
        fields.append(one.copy(data=data))
    found = mosaic(fields)
    found[..., :5, :5].compute(scheduler="sync")
    assert read == [0]
    read.clear()
    found[..., 77, 112].compute(scheduler="sync")
    assert read == [3]


def test_a_single_field():
    one = field(scene(), 3, 4)
    np.testing.assert_array_equal(mosaic([one]).values, one.values)


def test_pixel_size_where_it_is_not_known():
    counts = scene()
    fields = four(counts)
    blank = [
        one.assign_coords(y=np.full(40, np.nan), x=np.full(50, np.nan))
        .drop_attrs()
        .assign_attrs({k: v for k, v in one.attrs.items() if k != "raster_um"})
        for one in fields
    ]
    with pytest.raises(ValueError, match="give pixel_size"):
        mosaic(blank)
    found = mosaic(blank, pixel_size=PIXEL)
    np.testing.assert_array_equal(found.values, mosaic(fields).values)


def test_fields_that_do_not_fit_together():
    counts = scene()
    one, other = field(counts, 0, 0), field(counts, 10, 30)

    def refused(changed, match):
        with pytest.raises(ValueError, match=match):
            mosaic([one, changed])

    refused(other.assign_coords(x=other["x"] * 2), "one pixel size")
    refused(other.isel(frame=slice(2)), "accumulate them first")
    refused(other.isel(frame=0), "dimensions")
    refused(other.assign_coords(detector=["12C", "13C", "SE"]), "select the common")
    refused(other.assign_attrs(dwell_time_s=2.0), "dwell_time_s")
    with pytest.raises(ValueError, match="polarity"):
        mosaic([one.assign_attrs(polarity="-"), other.assign_attrs(polarity="+")])
    refused(with_variance(other * 1.0, other * 1.0), "corrected")
    far = other.assign_attrs(stage_position_um=[1e5, 1e5, 0])
    refused(far, "far apart")
    refused(other.assign_attrs(stage_position_um=[1e300, 0, 0]), "far apart")
    with pytest.raises(ValueError, match="no fields"):
        mosaic([])
    with pytest.raises(ValueError, match="overlap must be"):
        mosaic([one], "blend")
    sums = [accumulate(one), accumulate(other, frames=[0, 1])]
    with pytest.raises(ValueError, match="sum of"):
        mosaic(sums)


def test_touching_is_by_whole_pixels():
    placed = tiles.Placed(10, 20, (5, 6))
    assert tiles._touches(placed, (14, 25), (3, 3))
    assert not tiles._touches(placed, (15, 20), (3, 3))
    assert not tiles._touches(placed, (10, 17), (3, 3))
