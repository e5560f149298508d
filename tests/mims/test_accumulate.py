"""Sums over frames: numpy as the truth, choices of frames, blocks, corrected counts, exposure."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr

from mfxarray.mims.accumulate import accumulate, frame_positions
from mfxarray.mims.corrections import correct
from mfxarray.provenance import history
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.mims.counted_samples import ion_stack
from tests.samples import four_chunkings


def test_all_frames():
    stack = ion_stack()
    with raise_if_computes():
        total = accumulate(stack)
    assert total.dims == ("detector", "y", "x")
    assert total.dtype == np.int64
    assert total["n_frames"] == 11
    np.testing.assert_array_equal(total, stack.values.sum(0, dtype=np.int64))
    np.testing.assert_array_equal(total["y"], stack["y"])
    assert total.attrs["dwell_time_s"] == stack.attrs["dwell_time_s"]


def test_beyond_32_bits():
    stack = ion_stack(frames=3, height=2, width=2)
    full = stack.copy(data=np.full(stack.shape, 2**32 - 1, np.uint32))
    assert (accumulate(full) == 3 * (2**32 - 1)).all()


@pytest.mark.parametrize(
    ("frames", "chosen"),
    [
        ("0-3,7", [0, 1, 2, 3, 7]),
        (" 2 , 5 - 6", [2, 5, 6]),
        ([10, 1], [1, 10]),
        (np.array([4]), [4]),
        (slice(2, 5), [2, 3, 4]),
        (slice(None, None, -4), [2, 6, 10]),
        (slice(-2, None), [9, 10]),
    ],
)
def test_chosen_frames(frames, chosen):
    stack = ion_stack()
    total = accumulate(stack, frames)
    np.testing.assert_array_equal(total, stack.values[chosen].sum(0, dtype=np.int64))
    assert total["n_frames"] == len(chosen)
    assert history(total.attrs)[-1]["parameters"] == {"frames": chosen, "blocks": None}


def test_numbers_are_those_of_the_coordinate():
    kept = ion_stack().isel(frame=[0, 3, 4, 9])
    np.testing.assert_array_equal(frame_positions(kept, "3-4,9"), [1, 2, 3])
    np.testing.assert_array_equal(frame_positions(kept, slice(0, 2)), [0, 1])
    with pytest.raises(ValueError, match="no frame 1; frames go from 0 to 9, 4 in all"):
        accumulate(kept, [0, 1])


@pytest.mark.parametrize("blocks", [1, 3, 4, 11, 50])
def test_blocks(blocks):
    stack = ion_stack()
    sums = accumulate(stack, blocks=blocks)
    starts = list(range(0, 11, blocks))
    wanted = np.add.reduceat(stack.values.astype(np.int64), starts, axis=0)
    np.testing.assert_array_equal(sums, wanted)
    np.testing.assert_array_equal(sums["frame"], starts)
    np.testing.assert_array_equal(sums["n_frames"], np.diff([*starts, 11]))
    assert sums.dims == stack.dims


def test_blocks_of_chosen_frames():
    stack = ion_stack()
    sums = accumulate(stack, "1-4,9", blocks=2)
    values = stack.values.astype(np.int64)
    wanted = [values[[1, 2]].sum(0), values[[3, 4]].sum(0), values[9]]
    np.testing.assert_array_equal(sums, wanted)
    np.testing.assert_array_equal(sums["frame"], [1, 3, 9])


def test_sums_of_blocks_are_the_sum():
    stack = ion_stack()
    np.testing.assert_array_equal(accumulate(accumulate(stack, blocks=4)), accumulate(stack))


def test_corrected_counts_and_their_variance():
    stack = ion_stack(yield_percent=[50.0, 60.0, 70.0, 80.0, None])
    data = correct(stack)
    total = accumulate(data)
    assert isinstance(total, xr.Dataset)
    for name in ("counts", "variance"):
        np.testing.assert_allclose(total[name], data[name].values.sum(0), rtol=1e-13)
    steps = [step["step"] for step in history(total.attrs)]
    assert steps[-2:] == ["divide_yield", "accumulate"]


def test_tables_of_regions():
    table = ion_stack().sum(("y", "x"), keep_attrs=True).transpose("detector", "frame")
    np.testing.assert_array_equal(accumulate(table), table.values.sum(1))


def test_exposure_is_kept_where_it_is_still_true():
    cover = ("y", "x"), np.full((12, 10), 11)
    stack = ion_stack().assign_coords(exposure=cover)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (accumulate(stack)["exposure"] == 11).all()
    for options in ({"frames": "0-3"}, {"blocks": 5}):
        with pytest.warns(UserWarning, match="exposure of only some frames"):
            assert "exposure" not in accumulate(stack, **options).coords


def test_every_chunking_gives_the_same():
    stacks = four_chunkings(ion_stack(), "frame")
    stacks.append(ion_stack().chunk({"detector": 2, "y": 5, "x": 3}))
    stacks.append(ion_stack().compute())
    for blocks in (None, 4):
        assert_chunk_invariant(lambda data, k=blocks: accumulate(data, blocks=k), stacks)
        assert_chunk_invariant(
            lambda data, k=blocks: accumulate(correct(data, yields=70), blocks=k), stacks
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames": "3-1"}, "cannot read '3-1'"),
        ({"frames": "1;2"}, "cannot read"),
        ({"frames": "-3"}, "cannot read"),
        ({"frames": "0-99999999"}, "cannot read"),
        ({"frames": "2,1-3"}, "named twice"),
        ({"frames": [11]}, "no frame 11"),
        ({"frames": []}, "no frame is chosen"),
        ({"frames": slice(5, 5)}, "no frame is chosen"),
        ({"blocks": 0}, "blocks"),
    ],
)
def test_wrong_parameters(options, message):
    with pytest.raises(ValueError, match=message):
        accumulate(ion_stack(), **options)


def test_no_frames():
    with pytest.raises(ValueError, match="no dimension 'frame'"):
        accumulate(accumulate(ion_stack()))
    with pytest.raises(ValueError, match="no frame is chosen"):
        accumulate(ion_stack().isel(frame=slice(0, 0)))
