"""Registration of chunked stacks: passes, blocks, ways to choose a reference."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest

from mfxarray.chunked.blocks import frame_array
from mfxarray.chunked.registration import How, find_shifts, find_shifts_seed
from mfxarray.chunked.shifting import shift_stack
from tests.chunked.test_hotpixels import Source
from tests.kernels.beads.test_registration import drifting_stack

HOWS = {
    "running": How(),
    "running, refined": How(iterations=2),
    "first": How(reference=0),
    "a frame": How(reference=21),
    "neighbours": How(reference="neighbours"),
    "neighbours, refined": How(reference="neighbours", iterations=1),
    "bins": How(bin_frames=3),
    "region": How(region=np.arange(64)[:, None] + np.arange(64) > 20),
}


@pytest.fixture(scope="module")
def drifting():
    return drifting_stack(11, frames=40, size=64, mean=20.0, step=1.0, most=8)


def planes_of(planes, each):
    source = Source(planes[:, None])
    sizes = tuple(len(part) for part in np.array_split(planes, range(each, len(planes), each)))
    stack = frame_array(source.read, ("token", each), sizes, (1, 64, 64), planes.dtype)
    return source, stack


@pytest.mark.parametrize("each", [1, 7, 16])
@pytest.mark.parametrize("name", HOWS)
def test_every_chunking_finds_the_drift_to_the_same_bits(drifting, each, name):
    planes, shifts = drifting
    how = HOWS[name]
    _, stack = planes_of(planes, each)
    found = find_shifts(stack[:, 0], 16, how).compute(scheduler="sync")
    zero = how.reference if isinstance(how.reference, int) else 0
    error = np.abs(found[:, :2] - (shifts - shifts[zero]))
    assert error.max() < (4 if how.bin_frames > 1 else 0.3)
    assert found[:, 3].all()
    _, whole = planes_of(planes, 40)
    again = find_shifts(whole[:, 0], 16, how).compute(scheduler="threads", num_workers=2)
    assert found.tobytes() == again.tobytes()


def test_an_image_as_reference(drifting):
    planes, shifts = drifting
    _, stack = planes_of(planes, 7)
    image = da.from_array(planes[5].astype(float), chunks=30)
    for iterations in (0, 1):
        found = find_shifts(stack[:, 0], 16, How(image, iterations)).compute(scheduler="sync")
        assert np.abs(found[:, :2] - (shifts - shifts[5])).max() < 0.3


@pytest.mark.parametrize(("name", "passes"), [(name, 1 + HOWS[name].iterations) for name in HOWS])
def test_passes(drifting, name, passes):
    planes, _ = drifting
    source, stack = planes_of(planes, 8)
    find_shifts(stack[:, 0], 16, HOWS[name]).compute(scheduler="sync")
    assert set(source.reads.values()) == {passes}


def test_passes_of_the_seed(drifting):
    planes, _ = drifting
    source, stack = planes_of(planes, 8)
    find_shifts_seed(stack[:, 0], 8).compute(scheduler="sync")
    assert set(source.reads.values()) == {1}


def test_shifting_reads_once_more_and_never_shares(drifting):
    planes, _ = drifting
    source, stack = planes_of(planes, 8)
    shifts = find_shifts(stack[:, 0], 16)
    moved = shift_stack(stack, da.rint(shifts[:, :2]).astype(int), 2)
    dask.compute(shifts, moved, scheduler="sync")
    assert set(source.reads.values()) == {2}


def test_a_long_stack_holds_few_blocks_at_a_time():
    # what waits for the chain would grow with the stack
    most = [0]

    class Watch(dask.callbacks.Callback):
        def _posttask(self, key, result, dsk, state, worker_id):
            # blocks of counts; only these are unsigned
            kept = [value for value in state["cache"].values() if getattr(value, "ndim", 0) == 3]
            most[0] = max(most[0], len(kept))

    stack = da.random.default_rng(0).poisson(9, (40 * 16, 32, 32), chunks=(16, 32, 32))
    for how in (How(), How(reference="neighbours"), How(reference=0)):
        with Watch():
            find_shifts(stack, 8, how).compute(scheduler="threads", num_workers=2)
    assert 0 < most[0] <= 12
