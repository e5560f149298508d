"""Registration of chunked stacks: passes, blocks, exposure."""

from __future__ import annotations

import dask
import numpy as np
import pytest

from mfxarray.chunked.blocks import frame_array
from mfxarray.chunked.registration import (
    exposure,
    find_shifts,
    find_shifts_seed,
    shift_stack,
    shift_stack_seed,
)
from mfxarray.kernels.shifts import cover_count, shift_frames
from tests.chunked.test_hotpixels import Source
from tests.kernels.test_registration import drifting_stack


@pytest.fixture(scope="module")
def drifting():
    return drifting_stack(11, frames=40, size=64, mean=20.0, step=1.0, most=8)


def planes_of(planes, each):
    source = Source(planes[:, None])
    sizes = tuple(len(part) for part in np.array_split(planes, range(each, len(planes), each)))
    stack = frame_array(source.read, ("token", each), sizes, (1, 64, 64), planes.dtype)
    return source, stack


@pytest.mark.parametrize("each", [1, 7, 16, 40])
def test_every_chunking_finds_the_drift_to_the_same_bits(drifting, each):
    planes, shifts = drifting
    _, stack = planes_of(planes, each)
    found = find_shifts(stack[:, 0], 16).compute(scheduler="sync")
    np.testing.assert_array_equal(found[:, :2], shifts)
    _, whole = planes_of(planes, 40)
    assert found.tobytes() == find_shifts(whole[:, 0], 16).compute(scheduler="sync").tobytes()


def test_passes(drifting):
    planes, _ = drifting
    source, stack = planes_of(planes, 8)
    find_shifts(stack[:, 0], 16).compute(scheduler="sync")
    assert set(source.reads.values()) == {2}
    source.reads.clear()
    find_shifts_seed(stack[:, 0], 8).compute(scheduler="sync")
    assert set(source.reads.values()) == {1}


def test_shifting_reads_once_more_and_never_shares(drifting):
    planes, _ = drifting
    source, stack = planes_of(planes, 8)
    shifts = find_shifts(stack[:, 0], 16)
    moved = shift_stack(stack, shifts[:, :2].astype(int), 2)
    dask.compute(shifts, moved, scheduler="sync")
    assert set(source.reads.values()) == {3}


@pytest.mark.parametrize("padding", [0, 5])
def test_moved_stacks_and_exposure_equal_the_kernels(drifting, padding):
    planes, shifts = drifting
    _, stack = planes_of(planes, 7)
    given = dask.array.from_array(shifts, chunks=(9, 1))
    moved = shift_stack(stack, given, padding)
    wanted = shift_frames(planes[:, None], shifts, padding)
    assert moved.shape == wanted.shape
    np.testing.assert_array_equal(moved, wanted)
    cover = exposure(given, (64, 64), padding)
    np.testing.assert_array_equal(cover, cover_count(shifts, (64, 64), padding))
    assert shift_stack_seed(stack, given, padding).compute().shape == wanted.shape
