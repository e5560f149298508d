"""A frame onto a reference: blocks first, then pixels, gated."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from mfxarray.kernels.correlation import Search
from mfxarray.kernels.matching import Field


def pair(shape, shift, mean=30.0, seed=0):
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.normal(size=(shape[0] + 80, shape[1] + 80)), 3)
    rates = mean * np.exp(0.8 * field / field.std())
    height, width = shape
    dy, dx = shift
    one = rates[40 : 40 + height, 40 : 40 + width]
    two = rates[40 + dy : 40 + dy + height, 40 + dx : 40 + dx + width]
    return np.stack([rng.poisson(one), rng.poisson(two)]).astype("u4")


@pytest.mark.parametrize("shape", [(64, 80), (512, 530), (770, 768)])
@pytest.mark.parametrize("shift", [(0, 0), (7, -12), (-15, 4)])
@pytest.mark.parametrize("masked", [False, True])
def test_a_known_shift(shape, shift, masked):
    if masked and shape[0] > 600:
        pytest.skip("slow")
    region = np.ones(shape, bool) if masked else None
    if masked:
        region[20:30, 10:40] = False
    field = Field(Search(shape, 16), region)
    one, two = field.frames(pair(shape, shift))
    found = field.match(two, field.reference(one.image, field.mask > 0))
    assert (found.dy, found.dx) == shift
    assert field.confident(found)
    assert np.abs(found.offset).max() < 0.2


def test_noise_and_the_edge_of_the_reach_are_not_confident():
    field = Field(Search((96, 96), 8))
    noise = np.random.default_rng(0).poisson(20, (2, 96, 96)).astype("u4")
    for planes in (noise, pair((96, 96), (8, 0)), np.zeros((2, 96, 96), "u4")):
        one, two = field.frames(planes)
        reference = field.reference(one.image, field.mask > 0)
        assert not field.confident(field.match(two, reference))


def test_a_region_ignores_what_lies_outside():
    planes = pair((64, 64), (5, 3))
    region = np.zeros((64, 64), bool)
    region[8:56, 8:56] = True
    # something bright that does not move with the sample
    planes[:, :6] += 500
    field = Field(Search((64, 64), 12), region)
    one, two = field.frames(planes)
    assert field.look(two, field.reference(one.image, region).rough).place == (5, 3)


def test_frame_and_reference_must_be_of_one_kind():
    whole, part = Field(Search((32, 32), 4)), Field(Search((32, 32), 4), np.ones((32, 32), bool))
    frame = whole.frames(pair((32, 32), (0, 0)))[0]
    with pytest.raises(TypeError, match="one kind"):
        part.look(frame, part.reference(frame.image, part.mask > 0).rough)
