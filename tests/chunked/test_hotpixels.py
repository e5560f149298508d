"""Hot pixels of chunked stacks: how often the source is read, and what waits in memory."""

from __future__ import annotations

from collections import Counter
from functools import partial

import dask
import dask.array as da
import numpy as np
import pytest
from dask.callbacks import Callback

from mfxarray.chunked.blocks import frame_array
from mfxarray.chunked.hotpixels import Replacement, hot_mask, replace_hot
from mfxarray.chunked.shortcuts import select_detectors
from mfxarray.kernels.hot_poisson import poisson_candidates
from mfxarray.kernels.medians import hot_candidates

VOTES = {"voters": (0, 1, 2), "num_outliers": 2, "num_nonzero": 2}
BY_COUNT = partial(hot_candidates, kernel_size=3, outlier_factor=3.0, min_count=1.0, **VOTES)
BY_POISSON = partial(
    poisson_candidates, false_positives=1e-6, outlier_factor=2.0, min_count=0.0, **VOTES
)
DRAW = Replacement(
    "draw", 3, 5, streams=(7, 8, 9), frame_numbers=da.from_array(np.arange(12), chunks=-1)
)


def mask_of(stack, candidates=BY_COUNT):
    return hot_mask(stack, candidates, most_repeats=2)


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


@pytest.mark.parametrize("candidates", [BY_COUNT, BY_POISSON])
@pytest.mark.parametrize("how", [Replacement(), Replacement(kernel_size=5), DRAW])
def test_mask_and_replacement(source, candidates, how):
    stack = stack_of(source)
    mask = mask_of(stack, candidates)
    cleaned = replace_hot(stack, mask, [0, 1], how)
    found, values = dask.compute(mask, cleaned, scheduler="sync")
    assert found[4, 8, 9]
    assert not found[:, 3, 3].any()
    assert (values[4, :2, 8, 9] < 20).all()
    assert values[4, 2, 8, 9] == 99
    assert mask.dtype == bool
    assert cleaned.dtype == np.uint32


@pytest.mark.parametrize("how", [Replacement(), DRAW, Replacement("missing")])
def test_the_source_is_read_twice_and_no_more(source, how):
    stack = stack_of(source)
    cleaned = replace_hot(stack, mask_of(stack), [0], how)
    cleaned.compute(scheduler="sync")
    assert set(source.reads.values()) == {2}


@pytest.mark.parametrize("sliced", [False, True])
@pytest.mark.parametrize("how", [Replacement(), DRAW])
def test_no_frames_wait_for_the_global_count(source, sliced, how):
    stack = stack_of(source)[:, :, 1:] if sliced else stack_of(source)
    cleaned = replace_hot(stack, mask_of(stack), [0], how)
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
    wanted = mask_of(stack).compute()
    other = stack.rechunk((5, 1, 6, 4))
    np.testing.assert_array_equal(mask_of(other), wanted)


def test_widths_that_are_no_multiple_of_eight(source):
    for width in (1, 7, 8, 9, 16):
        stack = stack_of(source)[:, :, :, :width]
        mask = mask_of(stack)
        assert mask.compute().shape == mask.shape == (12, 17, width)


@pytest.mark.parametrize("how", [Replacement(), DRAW, Replacement("missing")])
def test_some_detectors_by_the_shortcut(source, how):
    stack = stack_of(source)
    cleaned = replace_hot(stack, mask_of(stack), [0, 2], how)
    values = cleaned.compute()
    assert cleaned.dtype == values.dtype == (np.float64 if how.kind == "missing" else np.uint32)
    for numbers in ([2], [1], [2, 0], [0, 1, 2]):
        part = select_detectors(cleaned, numbers)
        assert part.dtype == values.dtype
        np.testing.assert_array_equal(part.compute(), values[:, numbers])


@pytest.mark.parametrize("how", [Replacement(), DRAW, Replacement("missing")])
def test_chunks_change_nothing(source, how):
    wanted = None
    for each in (1, 3, 12):
        stack = stack_of(source, each)
        for chunks in (stack.chunks, (5, 1, 6, 4)):
            cut = stack.rechunk(chunks)
            found = replace_hot(cut, mask_of(cut, BY_POISSON), [0, 1, 2], how).compute()
            wanted = found if wanted is None else wanted
            np.testing.assert_array_equal(found, wanted)
