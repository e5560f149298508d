"""Saturated pixels: by dead time, by the largest number of the file."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.mims.corrections import correct
from mfxarray.mims.saturation import saturation
from mfxarray.provenance import history
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.mims.counted_samples import counts_like, ion_stack
from tests.samples import four_chunkings


def test_against_the_plain_rule():
    stack = ion_stack(dwell_time_s=1e-4, dead_time_ns=[44.0, 100.0, 44.0, 2000.0, None])
    tau = np.array([44e-9, 100e-9, 44e-9, 2e-6, 0])[:, None, None]
    with raise_if_computes():
        found = saturation(stack, limit=0.08)
    wanted = stack.values / 1e-4 * tau > 0.08
    assert 0.01 < wanted[:, 0].mean() < 0.99
    np.testing.assert_array_equal(found["saturated"], wanted)
    np.testing.assert_allclose(found["fraction"], wanted.mean((0, 2, 3)), rtol=1e-12)


@pytest.mark.parametrize(
    ("dtype", "options", "most"),
    [(np.uint16, {}, 65535), (np.uint32, {"pixel_bytes": 2}, 65535), (np.uint32, {}, 2**32 - 1)],
)
def test_the_largest_number_of_the_file(dtype, options, most):
    values = np.array([most - 1, most], dtype).reshape(1, 1, 1, 2)
    stack = counts_like(values, ["SE"], **options)
    np.testing.assert_array_equal(saturation(stack)["saturated"].values.ravel(), [False, True])


def test_every_chunking_gives_the_same():
    stacks = four_chunkings(ion_stack(dwell_time_s=1e-4), "frame")
    stacks.append(ion_stack(dwell_time_s=1e-4).chunk({"detector": 2, "y": 5}))
    assert_chunk_invariant(lambda data: saturation(data, limit=0.08), stacks)


def test_the_record():
    found = saturation(ion_stack(), limit=0.2)
    assert history(found.attrs)[-1]["step"] == "saturation"
    assert history(found.attrs)[-1]["parameters"]["limit"] == 0.2


def test_wrong_input():
    with pytest.raises(ValueError, match="limit"):
        saturation(ion_stack(), limit=0)
    with pytest.raises(ValueError, match="integers"):
        saturation(correct(ion_stack())["counts"])
