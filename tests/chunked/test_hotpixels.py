"""Hot pixels of chunked stacks: how often the source is read, and what waits in memory."""

from __future__ import annotations

from collections import Counter

import dask
import numpy as np
import pytest
from dask.callbacks import Callback

from mfxarray.chunked.blocks import frame_array
from mfxarray.chunked.hotpixels import hot_mask, replace_hot

RULE = {"kernel_size": 3, "outlier_factor": 3.0, "min_count": 1.0}
VOTES = {"num_outliers": 2, "num_nonzero": 2, "most_repeats": 2}


class Source:
    def __init__(self, data):
        self.data, self.reads = data, Counter()

    def read(self, start, stop):
        self.reads[start, stop] += 1
        return self.data[start:stop].copy()


@pytest.fixture
def source():
    data = np.random.default_rng(0).poisson(3, (12, 3, 17, 21)).astype("u4")
    data[4, :, 8, 9] = 99
    data[:, :, 3, 3] = 99
    return Source(data)


def stack_of(source, each=2):
    sizes = (each,) * (12 // each)
    return frame_array(source.read, ("token", each), sizes, (3, 17, 21), source.data.dtype)


def test_mask_and_replacement(source):
    stack = stack_of(source)
    mask = hot_mask(stack, [0, 1, 2], **RULE, **VOTES)
    cleaned = replace_hot(stack, mask, [0, 1], 3)
    found, values = dask.compute(mask, cleaned, scheduler="sync")
    assert found[4, 8, 9]
    assert not found[:, 3, 3].any()
    assert (values[4, :2, 8, 9] < 20).all()
    assert values[4, 2, 8, 9] == 99
    assert mask.dtype == bool
    assert cleaned.dtype == np.uint32


def test_the_source_is_read_twice_and_no_more(source):
    stack = stack_of(source)
    cleaned = replace_hot(stack, hot_mask(stack, [0, 1, 2], **RULE, **VOTES), [0], 3)
    cleaned.compute(scheduler="sync")
    assert set(source.reads.values()) == {2}


@pytest.mark.parametrize("sliced", [False, True])
def test_no_frames_wait_for_the_global_count(source, sliced):
    stack = stack_of(source)[:, :, 1:] if sliced else stack_of(source)
    cleaned = replace_hot(stack, hot_mask(stack, [0, 1, 2], **RULE, **VOTES), [0], 3)
    most = 0

    class Watch(Callback):
        def _posttask(self, key, value, dsk, state, worker_id):
            nonlocal most
            blocks = [v for v in state["cache"].values() if getattr(v, "ndim", 0) == 4]
            most = max(most, len(blocks))

    with Watch():
        cleaned.sum().compute(scheduler="sync")
    assert most <= 3


def test_chunks_along_other_axes_are_joined(source):
    stack = stack_of(source)
    wanted = hot_mask(stack, [0, 1, 2], **RULE, **VOTES).compute()
    other = stack.rechunk((5, 1, 6, 4))
    np.testing.assert_array_equal(hot_mask(other, [0, 1, 2], **RULE, **VOTES), wanted)


def test_widths_that_are_no_multiple_of_eight(source):
    for width in (1, 7, 8, 9, 16):
        stack = stack_of(source)[:, :, :, :width]
        mask = hot_mask(stack, [0, 1, 2], **RULE, **VOTES)
        assert mask.compute().shape == mask.shape == (12, 17, width)
