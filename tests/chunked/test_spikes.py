"""Spikes of chunked stacks: equal to the kernel on the whole, read once."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.chunked.blocks import frame_array
from mfxarray.chunked.shortcuts import select_detectors
from mfxarray.chunked.spikes import without_spikes
from mfxarray.kernels.spikes import replace_spikes
from tests.chunked.test_hotpixels import Source

RULE = {"sigmas": 4.0, "kernel_size": 3}


@pytest.fixture
def source():
    data = np.random.default_rng(0).poisson(30, (8, 3, 17, 21)).astype("u2")
    data[4, :, 8, 9] = 999
    return Source(data)


@pytest.mark.parametrize("each", [1, 3, 8])
def test_equals_the_kernel(source, each):
    sizes = (each,) * (8 // each) + ((8 % each,) if 8 % each else ())
    stack = frame_array(source.read, ("spikes", each), sizes, (3, 17, 21), source.data.dtype)
    cleaned = without_spikes(stack, [0, 2], **RULE)
    wanted = replace_spikes(source.data, np.array([0, 2]), 4.0, 3)
    np.testing.assert_array_equal(cleaned.compute(), wanted)
    assert set(source.reads.values()) == {1}
    assert cleaned.dtype == np.uint16
    other = without_spikes(stack.rechunk((5, 1, 6, 4)), [0, 2], **RULE)
    np.testing.assert_array_equal(other.compute(), wanted)
    for numbers in ([1], [2], [2, 1]):
        part = select_detectors(cleaned, numbers)
        np.testing.assert_array_equal(part.compute(), wanted[:, numbers])
