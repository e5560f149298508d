"""Totals of frames in chunks: equal to the kernel on the whole, read once."""

from __future__ import annotations

import dask
import numpy as np
import pytest

from mfxarray.chunked.blocks import frame_array
from mfxarray.chunked.frame_totals import frame_totals, judged
from mfxarray.kernels.frame_totals import expected_totals, judge_totals
from tests.chunked.test_hotpixels import Source

RULE = {"window": 5, "limit": 0.3, "false_positives": 1e-4}


@pytest.mark.parametrize("each", [1, 2, 5, 10])
def test_equals_the_kernel(each):
    data = np.random.default_rng(0).poisson(30, (10, 3, 17, 21)).astype("u2")
    data[4], data[7, 1] = 0, 60_000
    source = Source(data)
    stack = frame_array(source.read, ("totals", each), (each,) * (10 // each), (3, 17, 21), "u2")
    totals = frame_totals(stack)
    found = dask.compute(totals, *judged(totals, **RULE), scheduler="sync")
    sums = data.sum(axis=(2, 3), dtype=np.int64)
    expected = expected_totals(sums, 5)
    wanted = (sums, expected, judge_totals(sums, expected, **RULE))
    assert wanted[2].any()
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
    assert set(source.reads.values()) == {1}
